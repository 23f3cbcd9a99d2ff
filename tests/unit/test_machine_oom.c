/* A kill for want of memory: how it is told from other ends, and what oom_policy makes of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/machine_script.h"

#include "init/schema.h"

#include <signal.h>

static int setup(void **state)
{
	(void)state;
	fresh();
	return 0;
}

/* oom_policy=restart: a failure like another one, so that the restart policy decides. */
static void test_restart_by_policy(void **state)
{
	static const enum state after[] = {
	    [RESTART_ALWAYS] = STATE_BACKOFF,
	    [RESTART_ON_FAILURE] = STATE_BACKOFF,
	    [RESTART_NEVER] = STATE_FAILED,
	};

	(void)state;
	for (unsigned policy = 0; policy < 3; policy++) {
		fresh();
		set.restart = (uint8_t)policy;
		run();
		IS(ev_oom(), STATE_CLEANUP, LEFTOVERS);
		assert_int_equal(m.cause, CAUSE_OOM);
		assert_int_equal(m.exit_kind, LAST_KILLED);
		assert_int_equal(m.exit_code, SIGKILL);
		EMPTY(after[policy], 0);
		assert_int_equal(m.cause, CAUSE_OOM);
		assert_int_equal(m.failures, after[policy] == STATE_BACKOFF);
	}
}

static void test_counts_for_the_limit(void **state)
{
	(void)state;
	set.max_restarts = 1;
	run();
	IS(ev_oom(), STATE_CLEANUP, LEFTOVERS);
	EMPTY(STATE_BACKOFF, 0);
	DUE(1000, STATE_STARTING, ACT_SPAWN);
	IS(ev(EVENT_SPAWNED), STATE_RUNNING, 0);
	IS(ev_oom(), STATE_CLEANUP, LEFTOVERS);
	EMPTY(STATE_FATAL, 0);
	assert_int_equal(m.cause, CAUSE_OOM);
}

static void test_stop(void **state)
{
	(void)state;
	for (unsigned policy = 0; policy < 3; policy++) {
		fresh();
		set.oom_stop = true;
		set.restart = (uint8_t)policy;
		run();
		IS(ev_oom(), STATE_CLEANUP, LEFTOVERS);
		EMPTY(STATE_FAILED, 0);
		assert_int_equal(m.cause, CAUSE_OOM);
		assert_int_equal(m.want, WANT_UP);
		assert_int_equal(m.deadline, 0);
		assert_int_equal(m.restarts, 0);
		assert_int_equal(m.failures, 0);
		/* Nor does anything but an operator bring it back. */
		IS(ev_deps(DEPS_WAIT), STATE_FAILED, 0);
		IS(ev_deps(DEPS_READY), STATE_FAILED, 0);
		IS(ev(EVENT_WANT_UP), STATE_STARTING, ACT_SPAWN);
	}
}

/* It is about kills for memory alone. */
static void test_stop_and_other_ends(void **state)
{
	(void)state;
	set.oom_stop = true;
	run();
	IS(ev_killed(SIGKILL), STATE_CLEANUP, LEFTOVERS);
	assert_int_equal(m.cause, CAUSE_EXIT);
	EMPTY(STATE_BACKOFF, 0);
}

/* By one of its children, or a kernel that does not kill all together: the rest is stopped. */
static void test_unhealthy(void **state)
{
	(void)state;
	for (unsigned stop = 0; stop < 2; stop++) {
		fresh();
		set.oom_stop = stop;
		set.restart = RESTART_ALWAYS;
		run();
		IS(ev_cause(EVENT_UNHEALTHY, CAUSE_OOM), STATE_STOPPING, ACT_STOP_MAIN);
		IS(ev_cause(EVENT_UNHEALTHY, CAUSE_OOM), STATE_STOPPING, 0);
		IS(ev_exit(0), STATE_CLEANUP, LEFTOVERS); /* that is not ending well */
		assert_int_equal(m.cause, CAUSE_OOM);
		EMPTY(stop ? STATE_FAILED : STATE_BACKOFF, 0);
		assert_int_equal(m.cause, CAUSE_OOM);
	}
}

static void test_during_a_start(void **state)
{
	(void)state;
	set.waits_ready = true;
	run();
	IS(ev_oom(), STATE_CLEANUP, LEFTOVERS);
	assert_int_equal(m.cause, CAUSE_OOM);
	EMPTY(STATE_BACKOFF, 0);
	fresh();
	set.oneshot = set.oom_stop = true;
	run();
	IS(ev_oom(), STATE_CLEANUP, LEFTOVERS);
	EMPTY(STATE_FAILED, 0);
	/* Before there is a main process it is a pre_start that has failed. */
	fresh();
	set.has_pre_start = set.oom_stop = true;
	IS(ev(EVENT_WANT_UP), STATE_STARTING, ACT_RUN_PRE);
	IS(ev_cause(EVENT_UNHEALTHY, CAUSE_OOM), STATE_STARTING, 0);
	IS(ev_aux(1), STATE_CLEANUP, LEFTOVERS);
	EMPTY(STATE_BACKOFF, 0);
	assert_int_equal(m.cause, CAUSE_PRE_START);
}

/* It was on its way down for another reason: that stays. */
static void test_during_a_stop(void **state)
{
	(void)state;
	set.oom_stop = true;
	run();
	IS(ev_cause(EVENT_RESTART, CAUSE_RESTART), STATE_STOPPING, ACT_STOP_MAIN);
	IS(ev_cause(EVENT_UNHEALTHY, CAUSE_OOM), STATE_STOPPING, 0);
	IS(ev_oom(), STATE_CLEANUP, LEFTOVERS);
	assert_int_equal(m.cause, CAUSE_RESTART);
	EMPTY(STATE_STARTING, ACT_SPAWN);
}

/* Who asks by hand while it goes down gets what was asked for. */
static void test_operators_come_first(void **state)
{
	(void)state;
	set.oom_stop = true;
	run();
	IS(ev_oom(), STATE_CLEANUP, LEFTOVERS);
	IS(ev_cause(EVENT_WANT_UP, CAUSE_OPERATOR), STATE_CLEANUP, 0);
	EMPTY(STATE_STARTING, ACT_SPAWN);
	IS(ev(EVENT_SPAWNED), STATE_RUNNING, 0);
	IS(ev_oom(), STATE_CLEANUP, LEFTOVERS);
	IS(ev(EVENT_WANT_UP), STATE_CLEANUP, 0); /* nobody by hand */
	EMPTY(STATE_FAILED, 0);
	IS(ev_cause(EVENT_RESTART, CAUSE_RESTART), STATE_STARTING, ACT_SPAWN);
	IS(ev(EVENT_SPAWNED), STATE_RUNNING, 0);
	IS(ev_oom(), STATE_CLEANUP, LEFTOVERS);
	IS(ev_cause(EVENT_WANT_DOWN, CAUSE_OPERATOR), STATE_CLEANUP, 0);
	EMPTY(STATE_STOPPED, 0);
}

static void test_left_overs_and_post_stop(void **state)
{
	(void)state;
	set.oom_stop = set.has_post_stop = true;
	run();
	IS(ev_oom(), STATE_CLEANUP, LEFTOVERS);
	DUE(10000, STATE_CLEANUP, KILL_LEFT);
	EMPTY(STATE_CLEANUP, ACT_RUN_POST);
	IS(ev_aux(0), STATE_CLEANUP, KILL_LEFT);
	EMPTY(STATE_FAILED, 0);
	assert_int_equal(m.cause, CAUSE_OOM);
	fresh();
	set.oom_stop = true;
	set.kill_mode = KILL_PROCESS; /* nothing is looked for */
	run();
	IS(ev_oom(), STATE_FAILED, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_restart_by_policy, setup),
	    cmocka_unit_test_setup(test_counts_for_the_limit, setup),
	    cmocka_unit_test_setup(test_stop, setup),
	    cmocka_unit_test_setup(test_stop_and_other_ends, setup),
	    cmocka_unit_test_setup(test_unhealthy, setup),
	    cmocka_unit_test_setup(test_during_a_start, setup),
	    cmocka_unit_test_setup(test_during_a_stop, setup),
	    cmocka_unit_test_setup(test_operators_come_first, setup),
	    cmocka_unit_test_setup(test_left_overs_and_post_stop, setup),
	};

	return cmocka_run_group_tests_name("machine_oom", tests, NULL, NULL);
}
