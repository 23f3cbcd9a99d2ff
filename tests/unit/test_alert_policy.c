/* Which events are alerts and which of those are sent: by scripts, and at random against a
 * plain model. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "init/base.h"
#include "probes/alert_policy.h"

#include <stdio.h>
#include <string.h>

static struct policy policy;

static void start(void)
{
	memset(&policy, 0, sizeof(policy));
}

static unsigned kinds(enum event_kind kind, const char *name, bool critical)
{
	struct board_event event = {.kind = (uint8_t)kind};

	snprintf(event.name, sizeof(event.name), "%s", name);
	return policy_kinds(&event, critical);
}

static void test_kinds(void **state)
{
	static const struct {
		enum event_kind kind;
		unsigned kinds, critical;
	} cases[] = {
	    {EV_START, 0, 0},
	    {EV_EXIT, 0, 0},
	    {EV_BACKOFF, 0, 0},
	    {EV_RESTART, ALERT_RESTART, ALERT_RESTART},
	    {EV_STOP, 0, 0},
	    {EV_DONE, 0, 0},
	    {EV_FAILED, ALERT_FAILED, ALERT_FAILED | ALERT_CRITICAL_DOWN},
	    {EV_FATAL, ALERT_FATAL, ALERT_FATAL | ALERT_CRITICAL_DOWN},
	    {EV_UNHEALTHY, ALERT_UNHEALTHY, ALERT_UNHEALTHY},
	    {EV_OOM, ALERT_OOM, ALERT_OOM},
	    {EV_RELOAD, 0, 0},
	    {EV_ALERT, 0, 0},
	    {EV_READY, 0, 0},
	    {EV_HEALTHY, 0, 0},
	    {EV_RECOVERED, ALERT_RECOVERED, ALERT_RECOVERED},
	    {(enum event_kind)200, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(kinds(cases[i].kind, "web", false), cases[i].kinds);
		assert_int_equal(kinds(cases[i].kind, "web", true), cases[i].critical);
		assert_int_equal(kinds(cases[i].kind, "", true), 0);
	}
	assert_int_equal(policy_gravest(ALERT_FATAL | ALERT_CRITICAL_DOWN), ALERT_CRITICAL_DOWN);
	assert_int_equal(policy_gravest(ALERT_RESTART), ALERT_RESTART);
}

static void test_cooldown(void **state)
{
	uint32_t suppressed = 99;

	(void)state;
	start();
	assert_true(policy_send(&policy, "r", "web", ALERT_OOM, 100, 1000, &suppressed));
	assert_int_equal(suppressed, 0);
	suppressed = 99;
	assert_false(policy_send(&policy, "r", "web", ALERT_OOM, 100, 1000, &suppressed));
	assert_false(policy_send(&policy, "r", "web", ALERT_OOM, 100, 1099, &suppressed));
	assert_int_equal(suppressed, 99);
	/* Another rule, service or kind. */
	assert_true(policy_send(&policy, "s", "web", ALERT_OOM, 100, 1050, &suppressed));
	assert_true(policy_send(&policy, "r", "we", ALERT_OOM, 100, 1050, &suppressed));
	assert_true(policy_send(&policy, "rw", "eb", ALERT_OOM, 100, 1050, &suppressed));
	assert_true(policy_send(&policy, "r", "web", ALERT_FATAL, 100, 1050, &suppressed));
	assert_int_equal(suppressed, 0);
	assert_true(policy_send(&policy, "r", "web", ALERT_OOM, 100, 1100, &suppressed));
	assert_int_equal(suppressed, 2);
	assert_true(policy_send(&policy, "r", "web", ALERT_OOM, 100, 1300, &suppressed));
	assert_int_equal(suppressed, 0);
	/* Without a cooldown everything is sent, and nothing need be remembered. */
	start();
	for (int i = 0; i < 10; i++)
		assert_true(policy_send(&policy, "r", "web", ALERT_OOM, 0, 5, &suppressed));
	for (unsigned set = 0; set < POLICY_SETS; set++)
		assert_int_equal(policy.cooldown.entry[set][0].key, 0);
}

/* --- at random ---------------------------------------------------------------------- */

enum { NAMES = 300, STEPS = 200000, COOLDOWN = 500 };

static uint64_t random_state = 7;

static uint32_t pick(uint32_t n)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(random_state >> 33) % n;
}

/* As long as the table has room for all, it does just what an array would do. */
static void test_walk(void **state)
{
	static struct {
		int64_t until;
		uint32_t count;
		bool known;
	} model[NAMES];
	int64_t now = 1;
	uint32_t suppressed;
	char name[16];

	(void)state;
	start();
	for (long step = 0; step < STEPS; step++) {
		unsigned i = pick(NAMES);
		now += pick(10);
		snprintf(name, sizeof(name), "s%u", i);
		bool send = policy_send(&policy, "r", name, ALERT_OOM, COOLDOWN, now, &suppressed);
		assert_int_equal(send, !model[i].known || now >= model[i].until);
		if (!send) {
			model[i].count++;
			continue;
		}
		assert_int_equal(suppressed, model[i].count);
		model[i].known = true;
		model[i].count = 0;
		model[i].until = now + COOLDOWN;
	}
}

/* With far more names than places nothing is ever kept back that should be sent, the same
 * name again at once is kept back, and what is counted is never more than what was. */
static void test_walk_of_too_many(void **state)
{
	uint64_t kept = 0, told = 0;
	uint32_t suppressed;
	char name[16];

	(void)state;
	start();
	for (long step = 0; step < STEPS; step++) {
		snprintf(name, sizeof(name), "s%u", pick(100000));
		bool send = policy_send(&policy, "r", name, ALERT_OOM, COOLDOWN, step, &suppressed);
		kept += !send;
		told += send ? suppressed : 0;
		assert_false(
		    policy_send(&policy, "r", name, ALERT_OOM, COOLDOWN, step, &suppressed));
		kept++;
		assert_true(told <= kept);
	}
	assert_true(told > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_kinds),
	    cmocka_unit_test(test_cooldown),
	    cmocka_unit_test(test_walk),
	    cmocka_unit_test(test_walk_of_too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
