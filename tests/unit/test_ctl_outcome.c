/* When is a start, stop or restart through? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ctl/outcome.h"
#include "init/base.h"
#include "init/schema.h"

enum { NOW = 100000, P = OUTCOME_PENDING, R = OUTCOME_REACHED, M = OUTCOME_MISSED };

static const struct row {
	const char *what;
	enum goal goal;
	enum state before; /* in life 5 */
	enum state state;
	uint32_t life;
	enum cause cause;
	enum want want;
	int expected;
} rows[] = {
    {"it ran already", GOAL_START, STATE_RUNNING, STATE_RUNNING, 5, 0, WANT_UP, R},
    {"it was done already", GOAL_START, STATE_DONE, STATE_DONE, 5, 0, WANT_UP, R},
    {"started", GOAL_START, STATE_STOPPED, STATE_RUNNING, 6, 0, WANT_UP, R},
    {"a oneshot has run", GOAL_START, STATE_STOPPED, STATE_DONE, 6, 0, WANT_UP, R},
    {"starting", GOAL_START, STATE_STOPPED, STATE_STARTING, 6, 0, WANT_UP, P},
    {"waiting", GOAL_START, STATE_STOPPED, STATE_WAITING, 5, 0, WANT_UP, P},
    {"was waiting", GOAL_START, STATE_WAITING, STATE_RUNNING, 6, 0, WANT_UP, R},
    {"failed at once", GOAL_START, STATE_STOPPED, STATE_BACKOFF, 6, CAUSE_EXIT, WANT_UP, M},
    {"no such command", GOAL_START, STATE_STOPPED, STATE_BACKOFF, 6, CAUSE_SPAWN, WANT_UP, M},
    {"the system is short", GOAL_START, STATE_STOPPED, STATE_BACKOFF, 6, CAUSE_RESOURCES, WANT_UP,
	P},
    {"the old life failed", GOAL_START, STATE_STOPPING, STATE_BACKOFF, 5, CAUSE_LIVENESS, WANT_UP,
	P},
    {"died, runs again", GOAL_START, STATE_STOPPED, STATE_RUNNING, 7, CAUSE_EXIT, WANT_UP, M},
    {"restarted by hand", GOAL_START, STATE_STOPPED, STATE_RUNNING, 7, CAUSE_RESTART, WANT_UP, R},
    {"fatal", GOAL_START, STATE_BACKOFF, STATE_FATAL, 6, CAUSE_EXIT, WANT_UP, M},
    {"dependency failed", GOAL_START, STATE_STOPPED, STATE_FAILED, 5, CAUSE_DEPENDENCY, WANT_UP, M},
    {"ended by itself", GOAL_START, STATE_STOPPED, STATE_STOPPED, 6, CAUSE_EXIT, WANT_UP, M},
    {"stopped by another", GOAL_START, STATE_WAITING, STATE_STOPPED, 5, CAUSE_OPERATOR, WANT_DOWN,
	M},
    {"cleans up", GOAL_START, STATE_STOPPED, STATE_CLEANUP, 6, CAUSE_EXIT, WANT_UP, P},

    {"the old life runs", GOAL_RESTART, STATE_RUNNING, STATE_RUNNING, 5, 0, WANT_UP, P},
    {"the old life stops", GOAL_RESTART, STATE_RUNNING, STATE_STOPPING, 5, CAUSE_RESTART, WANT_UP,
	P},
    {"the new life runs", GOAL_RESTART, STATE_RUNNING, STATE_RUNNING, 6, CAUSE_RESTART, WANT_UP, R},
    {"the new life fails", GOAL_RESTART, STATE_RUNNING, STATE_BACKOFF, 6, CAUSE_EXIT, WANT_UP, M},
    {"a oneshot again", GOAL_RESTART, STATE_DONE, STATE_DONE, 6, CAUSE_RESTART, WANT_UP, R},
    {"restart of a stopped one", GOAL_RESTART, STATE_STOPPED, STATE_RUNNING, 6, CAUSE_RESTART,
	WANT_UP, R},

    {"still runs", GOAL_STOP, STATE_RUNNING, STATE_STOPPING, 5, CAUSE_OPERATOR, WANT_DOWN, P},
    {"cleans up", GOAL_STOP, STATE_RUNNING, STATE_CLEANUP, 5, CAUSE_OPERATOR, WANT_DOWN, P},
    {"stopped", GOAL_STOP, STATE_RUNNING, STATE_STOPPED, 5, CAUSE_OPERATOR, WANT_DOWN, R},
    {"was failed", GOAL_STOP, STATE_FAILED, STATE_FAILED, 5, CAUSE_EXIT, WANT_DOWN, R},
    {"was fatal", GOAL_STOP, STATE_FATAL, STATE_FATAL, 5, CAUSE_EXIT, WANT_DOWN, R},
    {"started again since", GOAL_STOP, STATE_RUNNING, STATE_RUNNING, 6, CAUSE_OPERATOR, WANT_UP, R},

    {"ready", GOAL_READY, 0, STATE_RUNNING, 5, 0, WANT_UP, R},
    {"done", GOAL_READY, 0, STATE_DONE, 5, 0, WANT_UP, R},
    {"in back-off", GOAL_READY, 0, STATE_BACKOFF, 5, CAUSE_EXIT, WANT_UP, P},
    {"failed", GOAL_READY, 0, STATE_FAILED, 5, CAUSE_EXIT, WANT_UP, M},
    {"fatal", GOAL_READY, 0, STATE_FATAL, 5, CAUSE_EXIT, WANT_UP, M},
    {"ended well", GOAL_READY, 0, STATE_STOPPED, 5, CAUSE_EXIT, WANT_UP, M},
    {"may be started yet", GOAL_READY, 0, STATE_STOPPED, 5, CAUSE_OPERATOR, WANT_DOWN, P},

    {"back-off is no stop", GOAL_STOPPED, 0, STATE_BACKOFF, 5, CAUSE_EXIT, WANT_UP, P},
    {"stopped", GOAL_STOPPED, 0, STATE_STOPPED, 5, 0, WANT_DOWN, R},
    {"done", GOAL_STOPPED, 0, STATE_DONE, 5, 0, WANT_UP, R},
    {"runs", GOAL_STOPPED, 0, STATE_RUNNING, 5, 0, WANT_UP, P},
};

static struct board_service record(const struct row *row)
{
	struct board_service s = {.type = TYPE_SIMPLE};

	s.m.state = (uint8_t)row->state;
	s.m.life = row->life;
	s.m.cause = (uint8_t)row->cause;
	s.m.want = (uint8_t)row->want;
	s.m.ready = row->state == STATE_RUNNING || row->state == STATE_DONE;
	s.m.main_alive = row->state == STATE_RUNNING || row->state == STATE_STARTING;
	s.m.started = NOW - OUTCOME_SETTLE;
	return s;
}

static void test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct outcome outcome = {rows[i].goal, 5, rows[i].before};
		struct board_service s = record(&rows[i]);
		if ((int)outcome_judge(&outcome, &s, NOW) != rows[i].expected)
			fail_msg("row %zu: %s", i, rows[i].what);
	}
}

/* One that has no readiness of its own must live for a moment first. */
static void test_settling(void **state)
{
	struct outcome outcome = {GOAL_START, 5, STATE_STOPPED};
	struct board_service s = record(&rows[2]);
	(void)state;

	s.m.started = NOW - OUTCOME_SETTLE + 1;
	assert_int_equal(outcome_judge(&outcome, &s, NOW), OUTCOME_PENDING);
	s.probe[PROBE_READINESS].health = HEALTH_PASSING;
	assert_int_equal(outcome_judge(&outcome, &s, NOW), OUTCOME_REACHED);
	s.probe[PROBE_READINESS].health = HEALTH_NONE;
	s.type = TYPE_NOTIFY;
	assert_int_equal(outcome_judge(&outcome, &s, NOW), OUTCOME_REACHED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_table),
	    cmocka_unit_test(test_settling),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
