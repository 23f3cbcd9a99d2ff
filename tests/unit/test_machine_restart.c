/* Restarts: policies, back-off, jitter, limits and their window, errors of spawning, reset. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/machine_script.h"

#include "init/schema.h"

#include <errno.h>
#include <signal.h>

static int setup(void **state)
{
	(void)state;
	fresh();
	return 0;
}

static void test_policies(void **state)
{
	/* by policy: after exit 0, after exit 1, after a signal */
	static const enum state after[3][3] = {
	    [RESTART_ALWAYS] = {STATE_BACKOFF, STATE_BACKOFF, STATE_BACKOFF},
	    [RESTART_ON_FAILURE] = {STATE_STOPPED, STATE_BACKOFF, STATE_BACKOFF},
	    [RESTART_NEVER] = {STATE_STOPPED, STATE_FAILED, STATE_FAILED},
	};

	(void)state;
	for (unsigned policy = 0; policy < 3; policy++) {
		for (int code = 0; code < 2; code++) {
			fresh();
			set.restart = (uint8_t)policy;
			run();
			CRASH(code, after[policy][code], 0);
			assert_int_equal(m.want, WANT_UP);
			assert_int_equal(m.cause, CAUSE_EXIT);
		}
		/* P46: death by a signal is a failure, also by TERM from outside. */
		static const int sigs[] = {SIGKILL, SIGTERM, SIGSEGV};

		for (unsigned i = 0; i < 3; i++) {
			fresh();
			set.restart = (uint8_t)policy;
			run();
			IS(ev_killed(sigs[i]), STATE_CLEANUP, LEFTOVERS);
			EMPTY(after[policy][2], 0);
		}
	}
}

static void test_failures_that_are_no_exit(void **state)
{
	static const enum cause causes[] = {CAUSE_STARTUP, CAUSE_LIVENESS, CAUSE_OOM};

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		fresh();
		run();
		IS(ev_cause(EVENT_UNHEALTHY, causes[i]), STATE_STOPPING, ACT_STOP_MAIN);
		assert_int_equal(m.cause, causes[i]);
		IS(ev_cause(EVENT_UNHEALTHY, causes[i]), STATE_STOPPING, 0);
		IS(ev_exit(0), STATE_CLEANUP, LEFTOVERS); /* P64: whatever its code */
		EMPTY(STATE_BACKOFF, 0);
		assert_int_equal(m.cause, causes[i]);
		assert_int_equal(m.failures, 1);
		fresh();
		set.restart = RESTART_NEVER;
		set.waits_ready = true;
		run();
		IS(ev_cause(EVENT_UNHEALTHY, causes[i]), STATE_STOPPING, ACT_STOP_MAIN);
		IS(ev_exit(0), STATE_CLEANUP, LEFTOVERS);
		EMPTY(STATE_FAILED, 0);
	}
}

static void test_unhealthy_needs_a_process(void **state)
{
	(void)state;
	IS(ev_cause(EVENT_UNHEALTHY, CAUSE_LIVENESS), STATE_STOPPED, 0);
	set.has_pre_start = true;
	IS(ev(EVENT_WANT_UP), STATE_STARTING, ACT_RUN_PRE);
	IS(ev_cause(EVENT_UNHEALTHY, CAUSE_STARTUP), STATE_STARTING, 0);
}

/* P40, by the formula of the documentation. */
static void test_delay_formula(void **state)
{
	static const uint32_t wait[] = {200, 400, 800, 1600, 2000, 2000, 2000};

	(void)state;
	set.restart_delay = 200;
	set.max_backoff = 2000;
	for (uint32_t n = 1; n <= 7; n++)
		assert_int_equal(machine_delay(&set, n), wait[n - 1]);
	assert_int_equal(machine_delay(&set, 0), 200);
	assert_int_equal(machine_delay(&set, UINT32_MAX), 2000);
	run();
	for (unsigned i = 0; i < 7; i++) {
		CRASH(1, STATE_BACKOFF, 0);
		assert_int_equal(m.delay, wait[i]);
		assert_int_equal(m.failures, i + 1);
		assert_int_equal(m.restarts, i);
		DUE(wait[i], STATE_STARTING, ACT_SPAWN);
		assert_int_equal(m.restarts, i + 1);
		IS(ev(EVENT_SPAWNED), STATE_RUNNING, 0);
	}
}

static void test_delay_edges(void **state)
{
	(void)state;
	set.restart_delay = 5000; /* above the cap from the beginning */
	set.max_backoff = 3000;
	assert_int_equal(machine_delay(&set, 1), 3000);
	set.restart_delay = 3000; /* on it */
	assert_int_equal(machine_delay(&set, 1), 3000);
	assert_int_equal(machine_delay(&set, 2), 3000);
	set.restart_delay = 1000;
	set.backoff_multiplier = 1000; /* constant */
	assert_int_equal(machine_delay(&set, UINT32_MAX), 1000);
	set.backoff_multiplier = 1500;
	assert_int_equal(machine_delay(&set, 2), 1500);
	assert_int_equal(machine_delay(&set, 3), 2250);
	set.max_backoff = 0;
	assert_int_equal(machine_delay(&set, 3), 0);
	set.max_backoff = 60000;
	set.restart_delay = 0;
	assert_int_equal(machine_delay(&set, 1), 0);
	assert_int_equal(machine_delay(&set, 9), 0);
	set.restart_delay = 1; /* grows by less than one: stays */
	set.backoff_multiplier = 1999;
	assert_int_equal(machine_delay(&set, UINT32_MAX), 1);
	set.restart_delay = UINT32_MAX - 1; /* as large as the configuration takes */
	set.max_backoff = UINT32_MAX - 1;
	set.backoff_multiplier = 100000;
	assert_int_equal(machine_delay(&set, 5), UINT32_MAX - 1);
}

static void test_no_delay(void **state)
{
	(void)state;
	set.restart_delay = 0;
	set.max_restarts = 3;
	run();
	for (unsigned i = 1; i <= 3; i++) {
		CRASH(1, STATE_STARTING, ACT_SPAWN);
		assert_int_equal(m.restarts, i);
	}
	CRASH(1, STATE_FATAL, 0);
}

static uint32_t one_delay(uint32_t seed)
{
	fresh();
	set.restart_delay = set.max_backoff = 1000;
	set.backoff_jitter = 20;
	m.seed = seed;
	run();
	CRASH(1, STATE_BACKOFF, 0);
	assert_int_equal(m.deadline, now + m.delay);
	return m.delay;
}

static void test_jitter(void **state)
{
	uint32_t least = UINT32_MAX, most = 0;
	uint64_t sum = 0;

	(void)state;
	for (uint32_t seed = 0; seed < 20000; seed++) {
		uint32_t delay = one_delay(seed);

		least = delay < least ? delay : least;
		most = delay > most ? delay : most;
		sum += delay;
	}
	assert_int_equal(least, 800);
	assert_int_equal(most, 1200);
	assert_in_range(sum / 20000, 995, 1005);
	assert_int_equal(one_delay(5), one_delay(5));
	/* One service: each time another delay, and another seed. */
	uint32_t seed = m.seed;

	DUE(m.delay, STATE_STARTING, ACT_SPAWN);
	CRASH(1, STATE_BACKOFF, 0);
	assert_int_not_equal(m.seed, seed);
}

static void test_jitter_of_long_delays(void **state)
{
	(void)state;
	set.restart_delay = set.max_backoff = UINT32_MAX - 1;
	set.backoff_jitter = 50;
	set.max_restarts = UINT32_MAX;
	run();
	for (int i = 0; i < 100; i++) {
		CRASH(1, STATE_BACKOFF, 0);
		assert_in_range(m.delay, UINT32_MAX / 2 - 1, UINT32_MAX);
		IS(ev(EVENT_WANT_UP), STATE_STARTING, ACT_SPAWN);
	}
}

/* P43: exactly one start and max_restarts restarts. */
static void test_limit(void **state)
{
	(void)state;
	for (uint32_t limit = 0; limit <= MACHINE_RESTARTS_MAX; limit++) {
		fresh();
		set.restart_delay = set.max_backoff = 100;
		set.max_restarts = limit;
		run();
		for (uint32_t i = 0; i < limit; i++) {
			CRASH(1, STATE_BACKOFF, 0);
			DUE(100, STATE_STARTING, ACT_SPAWN);
			IS(ev(EVENT_SPAWNED), STATE_RUNNING, 0);
		}
		CRASH(1, STATE_FATAL, 0);
		assert_int_equal(m.life, limit + 1);
		assert_int_equal(m.restarts, limit);
		assert_int_equal(m.want, WANT_UP);
		assert_int_equal(m.deadline, 0);
		assert_true(machine_settled(&m));
	}
}

static void test_unlimited(void **state)
{
	(void)state;
	set.restart_delay = set.max_backoff = 10;
	set.max_restarts = UINT32_MAX;
	run();
	for (int i = 0; i < 1000; i++) {
		CRASH(1, STATE_BACKOFF, 0);
		DUE(10, STATE_STARTING, ACT_SPAWN);
	}
	assert_int_equal(m.restarts, 1000);
	m.failures = UINT32_MAX;
	CRASH(1, STATE_BACKOFF, 0);
	assert_int_equal(m.failures, UINT32_MAX);
}

/* One crash a `gap` for as long as the ring needs to go round several times. */
static uint32_t crashes_until_fatal(int64_t gap, uint32_t most)
{
	run();
	for (uint32_t n = 1; n <= most; n++) {
		IS(ev_exit(1), STATE_CLEANUP, LEFTOVERS);
		machine_step(&set, &m, &past, &(struct machine_event){.kind = EVENT_EMPTY}, now);
		if (m.state == STATE_FATAL)
			return n;
		assert_int_equal(m.state, STATE_BACKOFF);
		DUE(gap, STATE_STARTING, ACT_SPAWN);
		IS(ev(EVENT_SPAWNED), STATE_RUNNING, 0);
	}
	return 0;
}

static void test_window_slides(void **state)
{
	(void)state;
	set.max_restarts = 5;
	set.restart_window = 10000;
	set.restart_delay = set.max_backoff = 2100; /* the sixth is 10500 after the first */
	assert_int_equal(crashes_until_fatal(2100, 200), 0);
	fresh();
	set.max_restarts = 5;
	set.restart_window = 10000;
	set.restart_delay = set.max_backoff = 2000; /* 10000 is still inside */
	assert_int_equal(crashes_until_fatal(2000, 200), 6);
	fresh();
	set.max_restarts = MACHINE_RESTARTS_MAX;
	set.restart_window = 100000;
	set.restart_delay = set.max_backoff = 3200;
	assert_int_equal(crashes_until_fatal(3200, 500), 0);
	fresh();
	set.max_restarts = MACHINE_RESTARTS_MAX;
	set.restart_window = 100000;
	set.restart_delay = set.max_backoff = 3100;
	assert_int_equal(crashes_until_fatal(3100, 500), 33);
}

/* The limit may shrink by a reload when the ring is full. */
static void test_limit_shrinks(void **state)
{
	(void)state;
	set.max_restarts = UINT32_MAX;
	set.restart_delay = set.max_backoff = 1000;
	assert_int_equal(crashes_until_fatal(1000, 100), 0);
	set.max_restarts = 32;
	set.restart_window = 5000;
	CRASH(1, STATE_BACKOFF, 0);
	assert_int_equal(past.count, 6);
	DUE(1000, STATE_STARTING, ACT_SPAWN);
	set.max_restarts = 5; /* just as many as lie inside */
	CRASH(1, STATE_FATAL, 0);
}

/* A burst, a rest and a burst: the ring forgets from the old end. */
static void test_bursts(void **state)
{
	(void)state;
	set.max_restarts = 4;
	set.restart_window = 60000;
	set.restart_delay = set.max_backoff = 100;
	run();
	for (int burst = 0; burst < 50; burst++) {
		for (int i = 0; i < 4; i++) {
			CRASH(1, STATE_BACKOFF, 0);
			DUE(100, STATE_STARTING, ACT_SPAWN);
		}
		now += 59900; /* exactly the window after the last: three are outside */
		IS(ev_exit(1), STATE_CLEANUP, LEFTOVERS);
		IS(ev(EVENT_EMPTY), STATE_BACKOFF, 0);
		assert_int_equal(past.count, 2);
		DUE(100, STATE_STARTING, ACT_SPAWN);
		now += 60200;
	}
}

/* P42: a good run resets both the delay and the budget; without one, neither. */
static void test_min_uptime(void **state)
{
	(void)state;
	set.max_restarts = 4;
	run();
	for (int i = 0; i < 4; i++) {
		CRASH(1, STATE_BACKOFF, 0);
		DUE(1000 << i, STATE_STARTING, ACT_SPAWN);
		now += 5;
		IS(ev(EVENT_SPAWNED), STATE_RUNNING, 0);
	}
	struct machine saved = m;
	int64_t then = now;

	now = then + 10000; /* not longer than min_uptime */
	CRASH(1, STATE_FATAL, 0);
	m = saved;
	now = then + 10001;
	CRASH(1, STATE_BACKOFF, 0);
	assert_int_equal(m.failures, 1);
	assert_int_equal(past.count, 1);
	for (int i = 0; i < 4; i++) {
		DUE(1000 << i, STATE_STARTING, ACT_SPAWN);
		IS(ev(EVENT_SPAWNED), STATE_RUNNING, 0);
		CRASH(1, i < 3 ? STATE_BACKOFF : STATE_FATAL, 0);
	}
}

/* The good run counts also when it ends by a failed probe, and when the stop takes long
 * a bad one does not become good. */
static void test_min_uptime_and_stops(void **state)
{
	(void)state;
	run();
	CRASH(1, STATE_BACKOFF, 0);
	DUE(1000, STATE_STARTING, ACT_SPAWN);
	IS(ev(EVENT_SPAWNED), STATE_RUNNING, 0);
	now += 10001;
	IS(ev_cause(EVENT_UNHEALTHY, CAUSE_LIVENESS), STATE_STOPPING, ACT_STOP_MAIN);
	IS(ev_exit(0), STATE_CLEANUP, LEFTOVERS);
	EMPTY(STATE_BACKOFF, 0);
	assert_int_equal(m.failures, 1);
	assert_int_equal(past.count, 1);
	DUE(1000, STATE_STARTING, ACT_SPAWN);
	IS(ev(EVENT_SPAWNED), STATE_RUNNING, 0);
	now += 2001;
	IS(ev_cause(EVENT_UNHEALTHY, CAUSE_LIVENESS), STATE_STOPPING, ACT_STOP_MAIN);
	now += 8000;
	IS(ev_exit(0), STATE_CLEANUP, LEFTOVERS);
	EMPTY(STATE_BACKOFF, 0);
	assert_int_equal(m.failures, 2);
}

/* One that never became ready has not been up, however long it took to find out: else a
 * start_timeout above min_uptime would never lead to a longer delay or to the limit. */
static void test_min_uptime_needs_readiness(void **state)
{
	(void)state;
	set.waits_ready = true;
	set.max_restarts = 2;
	run();
	for (int i = 0; i < 3; i++) {
		DUE(60000, STATE_STOPPING, ACT_STOP_MAIN);
		IS(ev_exit(0), STATE_CLEANUP, LEFTOVERS);
		EMPTY(i < 2 ? STATE_BACKOFF : STATE_FATAL, 0);
		if (i == 2)
			break;
		DUE(1000 << i, STATE_STARTING, ACT_SPAWN);
		IS(ev(EVENT_SPAWNED), STATE_STARTING, 0);
	}
	fresh();
	set.oneshot = true;
	set.max_restarts = 2;
	run();
	for (int i = 0; i < 3; i++) {
		now += 20000;
		CRASH(1, i < 2 ? STATE_BACKOFF : STATE_FATAL, 0);
		if (i == 2)
			break;
		DUE(1000 << i, STATE_STARTING, ACT_SPAWN);
		IS(ev(EVENT_SPAWNED), STATE_STARTING, 0);
	}
}

static void test_spawn_error(void **state)
{
	(void)state;
	set.restart_delay = set.max_backoff = 10;
	set.max_restarts = 2;
	IS(ev(EVENT_WANT_UP), STATE_STARTING, ACT_SPAWN);
	IS(ev_no_exec(ENOENT), STATE_CLEANUP, LEFTOVERS);
	assert_int_equal(m.cause, CAUSE_SPAWN);
	assert_int_equal(m.exit_kind, LAST_SPAWN_ERROR);
	assert_int_equal(m.exit_code, ENOENT);
	assert_false(m.main_alive);
	EMPTY(STATE_BACKOFF, 0);
	DUE(500, STATE_STARTING, ACT_SPAWN); /* P45: never in a hurry */
	IS(ev_no_exec(ENOENT), STATE_CLEANUP, LEFTOVERS);
	EMPTY(STATE_BACKOFF, 0);
	assert_int_equal(m.failures, 2);
	DUE(500, STATE_STARTING, ACT_SPAWN);
	IS(ev_no_exec(ENOENT), STATE_CLEANUP, LEFTOVERS);
	EMPTY(STATE_FATAL, 0);
	fresh();
	set.restart = RESTART_NEVER;
	IS(ev(EVENT_WANT_UP), STATE_STARTING, ACT_SPAWN);
	IS(ev_no_exec(ENOENT), STATE_CLEANUP, LEFTOVERS);
	EMPTY(STATE_FAILED, 0);
}

/* A probe may find somebody else's port open before the exec has failed. */
static void test_spawn_error_after_readiness(void **state)
{
	(void)state;
	set.waits_ready = true;
	IS(ev(EVENT_WANT_UP), STATE_STARTING, ACT_SPAWN);
	IS(ev(EVENT_READY), STATE_RUNNING, 0);
	IS(ev_no_exec(ENOENT), STATE_CLEANUP, LEFTOVERS);
	assert_int_equal(m.cause, CAUSE_SPAWN);
	EMPTY(STATE_BACKOFF, 0);
}

static void test_spawn_error_keeps_longer_delays(void **state)
{
	(void)state;
	IS(ev(EVENT_WANT_UP), STATE_STARTING, ACT_SPAWN);
	IS(ev_no_exec(EACCES), STATE_CLEANUP, LEFTOVERS);
	EMPTY(STATE_BACKOFF, 0);
	DUE(1000, STATE_STARTING, ACT_SPAWN);
}

/* The system had no process to give: waited for, and not counted. */
static void test_out_of_resources(void **state)
{
	static const uint32_t wait[] = {250, 500, 1000, 2000, 2000, 2000};

	(void)state;
	set.max_backoff = 2000;
	set.max_restarts = 0;
	IS(ev(EVENT_WANT_UP), STATE_STARTING, ACT_SPAWN);
	for (unsigned i = 0; i < 6; i++) {
		IS(ev(EVENT_SPAWN_LATER), STATE_BACKOFF, 0);
		assert_int_equal(m.cause, CAUSE_RESOURCES);
		assert_false(m.main_alive);
		assert_int_equal(m.delay, wait[i]);
		DUE(wait[i], STATE_STARTING, ACT_SPAWN);
	}
	assert_int_equal(m.failures, 0);
	assert_int_equal(m.restarts, 0);
	assert_int_equal(past.count, 0);
	IS(ev(EVENT_SPAWNED), STATE_RUNNING, 0);
}

/* A cap below the first wait does not let the waits grow for ever, nor overflow. */
static void test_out_of_resources_for_long(void **state)
{
	(void)state;
	set.max_backoff = 100;
	IS(ev(EVENT_WANT_UP), STATE_STARTING, ACT_SPAWN);
	for (unsigned i = 0; i < 100; i++) {
		IS(ev(EVENT_SPAWN_LATER), STATE_BACKOFF, 0);
		DUE(250, STATE_STARTING, ACT_SPAWN);
	}
	fresh();
	set.max_backoff = UINT32_MAX - 1;
	IS(ev(EVENT_WANT_UP), STATE_STARTING, ACT_SPAWN);
	for (unsigned i = 0; i < 100; i++) {
		IS(ev(EVENT_SPAWN_LATER), STATE_BACKOFF, 0);
		DUE(i < 25 ? (int64_t)250 << i : UINT32_MAX - 1, STATE_STARTING, ACT_SPAWN);
	}
}

static void test_out_of_resources_for_pre_start(void **state)
{
	(void)state;
	set.has_pre_start = true;
	IS(ev(EVENT_WANT_UP), STATE_STARTING, ACT_RUN_PRE);
	IS(ev(EVENT_SPAWN_LATER), STATE_BACKOFF, 0);
	assert_int_equal(m.aux, AUX_NONE);
	DUE(250, STATE_STARTING, ACT_RUN_PRE);
	assert_int_equal(m.aux, AUX_PRE_START);
	IS(ev_aux(0), STATE_STARTING, ACT_SPAWN);
	/* For the command itself, after pre_start: what that left behind goes first. */
	IS(ev(EVENT_SPAWN_LATER), STATE_CLEANUP, LEFTOVERS);
	EMPTY(STATE_BACKOFF, 0);
	DUE(500, STATE_STARTING, ACT_RUN_PRE);
	IS(ev_aux(0), STATE_STARTING, ACT_SPAWN);
	assert_int_equal(m.restarts, 0);
	/* After a life of its own the waits begin anew. */
	IS(ev(EVENT_SPAWNED), STATE_RUNNING, 0);
	CRASH(1, STATE_BACKOFF, 0);
	DUE(1000, STATE_STARTING, ACT_RUN_PRE);
	IS(ev(EVENT_SPAWN_LATER), STATE_BACKOFF, 0);
	DUE(250, STATE_STARTING, ACT_RUN_PRE);
}

static void test_operator_in_backoff(void **state)
{
	(void)state;
	run();
	CRASH(1, STATE_BACKOFF, 0);
	IS(ev(EVENT_WANT_UP), STATE_STARTING, ACT_SPAWN);
	assert_int_equal(m.restarts, 0);
	assert_int_equal(m.failures, 1);
	CRASH(1, STATE_BACKOFF, 0);
	assert_int_equal(m.failures, 2);
	IS(ev_cause(EVENT_RESTART, CAUSE_RESTART), STATE_STARTING, ACT_SPAWN);
	assert_int_equal(m.failures, 0);
	assert_int_equal(past.count, 0);
	assert_int_equal(m.cause, CAUSE_RESTART);
}

static void test_start_after_fatal(void **state)
{
	(void)state;
	for (int again = 0; again < 2; again++) {
		fresh();
		set.max_restarts = 1;
		run();
		CRASH(1, STATE_BACKOFF, 0);
		DUE(1000, STATE_STARTING, ACT_SPAWN);
		CRASH(1, STATE_FATAL, 0);
		IS(again ? ev_cause(EVENT_RESTART, CAUSE_RESTART) : ev(EVENT_WANT_UP),
		    STATE_STARTING, ACT_SPAWN);
		CRASH(1, STATE_BACKOFF, 0); /* the budget is full again, and so the delay short */
		DUE(1000, STATE_STARTING, ACT_SPAWN);
		CRASH(1, STATE_FATAL, 0);
	}
}

static void test_reset(void **state)
{
	(void)state;
	set.max_restarts = 1;
	run();
	CRASH(1, STATE_BACKOFF, 0);
	DUE(1000, STATE_STARTING, ACT_SPAWN);
	IS(ev(EVENT_SPAWNED), STATE_RUNNING, 0);
	assert_int_equal(m.restarts, 1);
	IS(ev(EVENT_RESET), STATE_RUNNING, 0);
	assert_int_equal(m.restarts, 0);
	assert_int_equal(m.failures, 0);
	assert_int_equal(past.count, 0);
	assert_int_equal(m.want, WANT_UP);
	CRASH(1, STATE_BACKOFF, 0);
	DUE(1000, STATE_STARTING, ACT_SPAWN);
	CRASH(1, STATE_FATAL, 0);
	now += 5;
	IS(ev(EVENT_RESET), STATE_STOPPED, 0);
	assert_int_equal(m.want, WANT_DOWN);
	assert_int_equal(m.since, now);
	IS(ev_deps(DEPS_WAIT), STATE_STOPPED, 0);
	IS(ev(EVENT_RESET), STATE_STOPPED, 0);
	fresh();
	m.deps = DEPS_FAILED;
	IS(ev(EVENT_WANT_UP), STATE_FAILED, 0);
	IS(ev(EVENT_RESET), STATE_STOPPED, 0);
	IS(ev_deps(DEPS_READY), STATE_STOPPED, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_policies, setup),
	    cmocka_unit_test_setup(test_failures_that_are_no_exit, setup),
	    cmocka_unit_test_setup(test_unhealthy_needs_a_process, setup),
	    cmocka_unit_test_setup(test_delay_formula, setup),
	    cmocka_unit_test_setup(test_delay_edges, setup),
	    cmocka_unit_test_setup(test_no_delay, setup),
	    cmocka_unit_test_setup(test_jitter, setup),
	    cmocka_unit_test_setup(test_jitter_of_long_delays, setup),
	    cmocka_unit_test_setup(test_limit, setup),
	    cmocka_unit_test_setup(test_unlimited, setup),
	    cmocka_unit_test_setup(test_window_slides, setup),
	    cmocka_unit_test_setup(test_limit_shrinks, setup),
	    cmocka_unit_test_setup(test_bursts, setup),
	    cmocka_unit_test_setup(test_min_uptime, setup),
	    cmocka_unit_test_setup(test_min_uptime_and_stops, setup),
	    cmocka_unit_test_setup(test_min_uptime_needs_readiness, setup),
	    cmocka_unit_test_setup(test_spawn_error, setup),
	    cmocka_unit_test_setup(test_spawn_error_after_readiness, setup),
	    cmocka_unit_test_setup(test_spawn_error_keeps_longer_delays, setup),
	    cmocka_unit_test_setup(test_out_of_resources, setup),
	    cmocka_unit_test_setup(test_out_of_resources_for_long, setup),
	    cmocka_unit_test_setup(test_out_of_resources_for_pre_start, setup),
	    cmocka_unit_test_setup(test_operator_in_backoff, setup),
	    cmocka_unit_test_setup(test_start_after_fatal, setup),
	    cmocka_unit_test_setup(test_reset, setup),
	};

	return cmocka_run_group_tests_name("machine_restart", tests, NULL, NULL);
}
