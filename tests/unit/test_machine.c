/* Normal lives: starts, readiness, oneshots, the commands before and after, dependencies. */
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

static void test_simple_life(void **state)
{
	(void)state;
	assert_false(machine_active(&m));
	assert_true(machine_settled(&m));
	IS(ev(EVENT_WANT_UP), STATE_STARTING, ACT_SPAWN);
	assert_int_equal(m.want, WANT_UP);
	assert_int_equal(m.life, 1);
	assert_true(m.main_alive);
	assert_false(m.ready);
	assert_int_equal(m.deadline, now + 60000);
	assert_true(machine_active(&m));
	assert_false(machine_settled(&m));
	now += 3;
	IS(ev(EVENT_SPAWNED), STATE_RUNNING, 0);
	assert_true(m.ready);
	assert_int_equal(m.started, now);
	assert_int_equal(m.since, now);
	assert_int_equal(m.deadline, 0);
	now += 100;
	IS(ev_cause(EVENT_WANT_DOWN, CAUSE_OPERATOR), STATE_STOPPING, ACT_HOLD);
	assert_int_equal(m.want, WANT_DOWN);
	assert_int_equal(m.cause, CAUSE_OPERATOR);
	assert_false(m.ready);
	assert_true(m.holding);
	assert_int_equal(m.since, now);
	now += 5;
	IS(ev(EVENT_RELEASED), STATE_STOPPING, ACT_STOP_MAIN);
	assert_false(m.holding);
	now += 7;
	IS(ev_killed(SIGTERM), STATE_CLEANUP, LEFTOVERS);
	assert_false(m.main_alive);
	assert_true(machine_active(&m));
	assert_int_equal(m.exit_kind, LAST_KILLED);
	assert_int_equal(m.exit_code, SIGTERM);
	assert_int_equal(m.cause, CAUSE_OPERATOR);
	EMPTY(STATE_STOPPED, 0);
	assert_false(machine_active(&m));
	assert_true(machine_settled(&m));
	assert_int_equal(m.deadline, 0);
	assert_int_equal(m.restarts, 0);
}

static void test_exit_record(void **state)
{
	struct machine_event e = ev_killed(SIGSEGV);

	(void)state;
	e.exit_core = 1;
	run();
	IS(e, STATE_CLEANUP, LEFTOVERS);
	assert_int_equal(m.exit_core, 1);
	assert_int_equal(m.cause, CAUSE_EXIT);
	EMPTY(STATE_BACKOFF, 0);
	DUE(1000, STATE_STARTING, ACT_SPAWN);
	assert_int_equal(m.started, 0); /* that of the last life is no news of this one */
	IS(ev(EVENT_SPAWNED), STATE_RUNNING, 0);
	IS(ev_exit(3), STATE_CLEANUP, LEFTOVERS);
	assert_int_equal(m.exit_kind, LAST_EXITED);
	assert_int_equal(m.exit_code, 3);
	assert_int_equal(m.exit_core, 0);
	assert_int_equal(m.life, 2);
}

/* It may end before it is known to have been executed. */
static void test_exit_while_starting(void **state)
{
	(void)state;
	IS(ev(EVENT_WANT_UP), STATE_STARTING, ACT_SPAWN);
	IS(ev_exit(0), STATE_CLEANUP, LEFTOVERS);
	assert_int_equal(m.cause, CAUSE_EXIT);
	EMPTY(STATE_STOPPED, 0);
	assert_int_equal(m.want, WANT_UP);
}

static void test_readiness(void **state)
{
	(void)state;
	set.waits_ready = true;
	IS(ev(EVENT_WANT_UP), STATE_STARTING, ACT_SPAWN);
	now += 10;
	IS(ev(EVENT_SPAWNED), STATE_STARTING, 0);
	assert_int_equal(m.started, now);
	assert_false(m.ready);
	assert_int_equal(m.deadline, now + 60000 - 10);
	now += 10;
	IS(ev(EVENT_READY), STATE_RUNNING, 0);
	assert_true(m.ready);
	assert_int_equal(m.deadline, 0);
	assert_int_equal(m.since, now);
	IS(ev(EVENT_READY), STATE_RUNNING, 0);
}

/* A readiness probe: running is not yet ready, and it goes to and fro without a restart. */
static void test_readiness_probe(void **state)
{
	(void)state;
	set.has_readiness = true;
	run();
	assert_false(m.ready);
	assert_int_equal(m.deadline, 0); /* start_timeout is not about it */
	IS(ev(EVENT_SERVING), STATE_RUNNING, 0);
	assert_true(m.ready);
	IS(ev(EVENT_NOT_SERVING), STATE_RUNNING, 0);
	assert_false(m.ready);
	IS(ev(EVENT_SERVING), STATE_RUNNING, 0);
	IS(ev_cause(EVENT_WANT_DOWN, CAUSE_OPERATOR), STATE_STOPPING, ACT_HOLD);
	assert_false(m.ready); /* at once, not when the probe notices */
	IS(ev(EVENT_SERVING), STATE_STOPPING, 0);
	assert_false(m.ready);
}

/* A reload has taken the probe away: what says that it fails means nothing any more. */
static void test_readiness_without_a_probe(void **state)
{
	(void)state;
	run();
	assert_true(m.ready);
	IS(ev(EVENT_NOT_SERVING), STATE_RUNNING, 0);
	assert_true(m.ready);
	m.ready = 0;
	IS(ev(EVENT_SERVING), STATE_RUNNING, 0);
	assert_true(m.ready);
}

static void test_ready_means_nothing_elsewhere(void **state)
{
	(void)state;
	IS(ev(EVENT_READY), STATE_STOPPED, 0);
	set.has_pre_start = true;
	set.waits_ready = true;
	IS(ev(EVENT_WANT_UP), STATE_STARTING, ACT_RUN_PRE);
	IS(ev(EVENT_READY), STATE_STARTING, 0);
	assert_false(m.ready);
	IS(ev_aux(0), STATE_STARTING, ACT_SPAWN);
	IS(ev_cause(EVENT_RESTART, CAUSE_RESTART), STATE_STOPPING, ACT_STOP_MAIN);
	IS(ev(EVENT_READY), STATE_STOPPING, 0);
}

static void test_oneshot(void **state)
{
	(void)state;
	set.oneshot = true;
	run();
	assert_false(m.ready);
	assert_int_equal(m.deadline, now + 60000);
	IS(ev(EVENT_READY), STATE_STARTING, 0);
	IS(ev_exit(0), STATE_CLEANUP, LEFTOVERS);
	assert_false(m.ready);
	now += 4;
	EMPTY(STATE_DONE, 0);
	assert_true(m.ready);
	assert_int_equal(m.since, now);
	assert_false(machine_active(&m));
	assert_true(machine_settled(&m));
	IS(ev(EVENT_WANT_UP), STATE_DONE, 0);
	IS(ev_deps(DEPS_DOWN), STATE_DONE, 0);
	IS(ev_deps(DEPS_READY), STATE_DONE, 0);
	IS(ev_cause(EVENT_WANT_DOWN, CAUSE_SHUTDOWN), STATE_STOPPED, 0);
	assert_int_equal(m.cause, CAUSE_SHUTDOWN);
	assert_false(m.ready);
}

static void test_oneshot_again(void **state)
{
	(void)state;
	set.oneshot = true;
	set.restart = RESTART_ALWAYS; /* one that ended well is done all the same */
	run();
	CRASH(0, STATE_DONE, 0);
	IS(ev_cause(EVENT_RESTART, CAUSE_RESTART_WITH), STATE_STARTING, ACT_SPAWN);
	assert_int_equal(m.cause, CAUSE_RESTART_WITH);
	assert_false(m.ready);
	IS(ev(EVENT_SPAWNED), STATE_STARTING, 0);
	CRASH(1, STATE_BACKOFF, 0);
	set.restart = RESTART_NEVER;
	DUE(1000, STATE_STARTING, ACT_SPAWN);
	IS(ev(EVENT_SPAWNED), STATE_STARTING, 0);
	CRASH(1, STATE_FAILED, 0);
	assert_int_equal(m.cause, CAUSE_EXIT);
}

static void test_success_codes(void **state)
{
	(void)state;
	set.oneshot = true;
	set.restart = RESTART_NEVER;
	for (int code = 0; code < 256; code++)
		set.success[code / 8] = 0;
	set.success[7 / 8] |= 1 << (7 % 8);
	set.success[255 / 8] |= (uint8_t)(1 << (255 % 8));
	for (int code = 0; code < 256; code++) {
		m = (struct machine){.deps = DEPS_READY};
		run();
		CRASH(code, code == 7 || code == 255 ? STATE_DONE : STATE_FAILED, 0);
	}
	/* A signal is no exit code, nor is a number that none can have. */
	m = (struct machine){.deps = DEPS_READY};
	run();
	IS(ev_killed(7), STATE_CLEANUP, LEFTOVERS);
	EMPTY(STATE_FAILED, 0);
	m = (struct machine){.deps = DEPS_READY};
	run();
	CRASH(256 + 7, STATE_FAILED, 0);
	m = (struct machine){.deps = DEPS_READY};
	run();
	CRASH(-1, STATE_FAILED, 0);
}

static void test_pre_start(void **state)
{
	(void)state;
	set.has_pre_start = true;
	IS(ev(EVENT_WANT_UP), STATE_STARTING, ACT_RUN_PRE);
	assert_int_equal(m.aux, AUX_PRE_START);
	assert_false(m.main_alive);
	assert_true(machine_active(&m));
	assert_int_equal(m.deadline, now + 60000);
	now += 50;
	IS(ev_aux(0), STATE_STARTING, ACT_SPAWN);
	assert_int_equal(m.aux, AUX_NONE);
	assert_true(m.main_alive);
	assert_int_equal(m.life, 1);
	IS(ev(EVENT_SPAWNED), STATE_RUNNING, 0);
}

static void test_pre_start_fails(void **state)
{
	struct machine_event e = ev_aux(0);

	(void)state;
	set.has_pre_start = true;
	IS(ev(EVENT_WANT_UP), STATE_STARTING, ACT_RUN_PRE);
	IS(ev_aux(4), STATE_CLEANUP, LEFTOVERS);
	assert_int_equal(m.cause, CAUSE_PRE_START);
	assert_int_equal(m.exit_code, 4);
	EMPTY(STATE_BACKOFF, 0);
	assert_int_equal(m.failures, 1);
	DUE(1000, STATE_STARTING, ACT_RUN_PRE);
	e.exit_kind = LAST_KILLED; /* killed is failed, whatever the number */
	IS(e, STATE_CLEANUP, LEFTOVERS);
	EMPTY(STATE_BACKOFF, 0);
	DUE(2000, STATE_STARTING, ACT_RUN_PRE);
	e.exit_kind = LAST_SPAWN_ERROR;
	IS(e, STATE_CLEANUP, LEFTOVERS);
	set.restart = RESTART_NEVER;
	EMPTY(STATE_FAILED, 0);
	assert_int_equal(m.cause, CAUSE_PRE_START);
}

static void test_post_stop(void **state)
{
	(void)state;
	set.has_post_stop = true;
	run();
	IS(ev_exit(1), STATE_CLEANUP, LEFTOVERS);
	now += 20;
	EMPTY(STATE_CLEANUP, ACT_RUN_POST);
	assert_int_equal(m.aux, AUX_POST_STOP);
	assert_int_equal(m.deadline, now + 10000);
	assert_true(machine_active(&m));
	EMPTY(STATE_CLEANUP, 0); /* while it runs, "empty" is no news */
	now += 20;
	IS(ev_aux(9), STATE_CLEANUP, KILL_LEFT); /* how it ended does not matter */
	assert_int_equal(m.deadline, now + 250);
	assert_int_equal(m.exit_code, 1);
	assert_int_equal(m.aux, AUX_NONE);
	EMPTY(STATE_BACKOFF, 0);
	DUE(1000, STATE_STARTING, ACT_SPAWN); /* and once more in the next life */
	IS(ev(EVENT_SPAWNED), STATE_RUNNING, 0);
	IS(ev_exit(1), STATE_CLEANUP, LEFTOVERS);
	EMPTY(STATE_CLEANUP, ACT_RUN_POST);
}

static void test_post_stop_hangs(void **state)
{
	(void)state;
	set.has_post_stop = true;
	run();
	IS(ev_exit(0), STATE_CLEANUP, LEFTOVERS);
	EMPTY(STATE_CLEANUP, ACT_RUN_POST);
	DUE(10000, STATE_CLEANUP, ACT_KILL_ALL);
	DUE(250, STATE_CLEANUP, ACT_KILL_ALL);
	IS(ev_aux(0), STATE_CLEANUP, KILL_LEFT);
	DUE(250, STATE_CLEANUP, KILL_LEFT);
	DUE(250, STATE_CLEANUP, KILL_LEFT);
	EMPTY(STATE_STOPPED, 0);
}

static void test_waits_for_dependencies(void **state)
{
	(void)state;
	m.deps = DEPS_WAIT;
	IS(ev(EVENT_WANT_UP), STATE_WAITING, 0);
	assert_int_equal(m.deadline, 0);
	assert_int_equal(m.life, 0);
	assert_false(machine_active(&m));
	assert_false(machine_settled(&m));
	IS(ev(EVENT_WANT_UP), STATE_WAITING, 0);
	IS(ev_deps(DEPS_DOWN), STATE_WAITING, 0);
	IS(ev_deps(DEPS_WAIT), STATE_WAITING, 0);
	IS(ev_deps(DEPS_READY), STATE_STARTING, ACT_SPAWN);
	IS(ev_deps(DEPS_WAIT), STATE_STARTING, 0); /* it crashed: that is recovered alone */
	IS(ev(EVENT_SPAWNED), STATE_RUNNING, 0);
	IS(ev_deps(DEPS_WAIT), STATE_RUNNING, 0);
	IS(ev_deps(DEPS_READY), STATE_RUNNING, 0);
}

/* P52: it is given up only when its dependency is. */
static void test_dependency_fails(void **state)
{
	(void)state;
	m.deps = DEPS_WAIT;
	IS(ev(EVENT_WANT_UP), STATE_WAITING, 0);
	IS(ev_deps(DEPS_FAILED), STATE_FAILED, 0);
	assert_int_equal(m.cause, CAUSE_DEPENDENCY);
	assert_int_equal(m.want, WANT_UP);
	assert_true(machine_settled(&m));
	IS(ev_deps(DEPS_FAILED), STATE_FAILED, 0);
	IS(ev(EVENT_WANT_UP), STATE_FAILED, 0);
	IS(ev_cause(EVENT_RESTART, CAUSE_RESTART), STATE_FAILED, 0);
	assert_int_equal(m.cause, CAUSE_DEPENDENCY);
	IS(ev_deps(DEPS_WAIT), STATE_WAITING, 0); /* back: so is this one */
	IS(ev_deps(DEPS_FAILED), STATE_FAILED, 0);
	IS(ev_deps(DEPS_READY), STATE_STARTING, ACT_SPAWN);
}

static void test_dependency_back_but_not_wanted(void **state)
{
	(void)state;
	m.deps = DEPS_WAIT;
	IS(ev(EVENT_WANT_UP), STATE_WAITING, 0);
	IS(ev_deps(DEPS_FAILED), STATE_FAILED, 0);
	IS(ev_cause(EVENT_WANT_DOWN, CAUSE_OPERATOR), STATE_FAILED, 0);
	IS(ev_deps(DEPS_READY), STATE_FAILED, 0);
	IS(ev(EVENT_WANT_UP), STATE_STARTING, ACT_SPAWN);
}

/* A failure of its own is not undone by what happens to a dependency. */
static void test_own_failure_stays(void **state)
{
	(void)state;
	set.restart = RESTART_NEVER;
	run();
	CRASH(1, STATE_FAILED, 0);
	IS(ev_deps(DEPS_FAILED), STATE_FAILED, 0);
	IS(ev_deps(DEPS_READY), STATE_FAILED, 0);
	assert_int_equal(m.cause, CAUSE_EXIT);
}

static void test_dependency_lost(void **state)
{
	(void)state;
	run();
	IS(ev_deps(DEPS_DOWN), STATE_STOPPING, ACT_HOLD);
	assert_int_equal(m.cause, CAUSE_DEPENDENCY);
	assert_int_equal(m.want, WANT_UP);
	IS(ev(EVENT_RELEASED), STATE_STOPPING, ACT_STOP_MAIN);
	IS(ev_exit(0), STATE_CLEANUP, LEFTOVERS);
	EMPTY(STATE_WAITING, 0);
	assert_int_equal(m.failures, 0);
	IS(ev_deps(DEPS_READY), STATE_STARTING, ACT_SPAWN);
	IS(ev_deps(DEPS_FAILED), STATE_STOPPING, ACT_HOLD); /* not yet executed */
	IS(ev(EVENT_RELEASED), STATE_STOPPING, ACT_STOP_MAIN);
	IS(ev(EVENT_SPAWNED), STATE_STOPPING, 0);
	IS(ev_killed(SIGTERM), STATE_CLEANUP, LEFTOVERS);
	EMPTY(STATE_FAILED, 0);
	assert_int_equal(m.cause, CAUSE_DEPENDENCY);
}

/* It came back while this one was still on its way down. */
static void test_dependency_back_at_once(void **state)
{
	(void)state;
	run();
	IS(ev_deps(DEPS_DOWN), STATE_STOPPING, ACT_HOLD);
	IS(ev_deps(DEPS_READY), STATE_STOPPING, 0);
	IS(ev(EVENT_RELEASED), STATE_STOPPING, ACT_STOP_MAIN);
	IS(ev_killed(SIGTERM), STATE_CLEANUP, LEFTOVERS);
	IS(ev_deps(DEPS_WAIT), STATE_CLEANUP, 0);
	IS(ev_deps(DEPS_READY), STATE_CLEANUP, 0);
	EMPTY(STATE_STARTING, ACT_SPAWN);
	assert_int_equal(m.restarts, 0);
}

static void test_dependency_lost_in_backoff(void **state)
{
	(void)state;
	run();
	CRASH(1, STATE_BACKOFF, 0);
	IS(ev_deps(DEPS_FAILED), STATE_BACKOFF, 0);
	DUE(1000, STATE_FAILED, 0);
	assert_int_equal(m.cause, CAUSE_DEPENDENCY);
	IS(ev_deps(DEPS_READY), STATE_STARTING, ACT_SPAWN);
	CRASH(1, STATE_BACKOFF, 0);
	IS(ev_deps(DEPS_DOWN), STATE_BACKOFF, 0);
	DUE(2000, STATE_WAITING, 0);
}

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(state_name(STATE_STOPPED), "stopped");
	assert_string_equal(state_name(STATE_CLEANUP), "cleanup");
	assert_string_equal(state_name(STATE_FATAL), "fatal");
	assert_string_equal(state_name((enum state)STATE_COUNT), "unknown");
	assert_string_equal(cause_name(CAUSE_NONE), "none");
	assert_string_equal(cause_name(CAUSE_RESTART_WITH), "restart-with");
	assert_string_equal(cause_name(CAUSE_START_TIMEOUT), "start-timeout");
	assert_string_equal(cause_name(CAUSE_CONFIG), "config");
	assert_string_equal(cause_name((enum cause)CAUSE_COUNT), "unknown");
	for (int i = 0; i < STATE_COUNT; i++)
		assert_string_not_equal(state_name((enum state)i), "");
	for (int i = 0; i < CAUSE_COUNT; i++)
		assert_string_not_equal(cause_name((enum cause)i), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_simple_life, setup),
	    cmocka_unit_test_setup(test_exit_record, setup),
	    cmocka_unit_test_setup(test_exit_while_starting, setup),
	    cmocka_unit_test_setup(test_readiness, setup),
	    cmocka_unit_test_setup(test_readiness_probe, setup),
	    cmocka_unit_test_setup(test_readiness_without_a_probe, setup),
	    cmocka_unit_test_setup(test_ready_means_nothing_elsewhere, setup),
	    cmocka_unit_test_setup(test_oneshot, setup),
	    cmocka_unit_test_setup(test_oneshot_again, setup),
	    cmocka_unit_test_setup(test_success_codes, setup),
	    cmocka_unit_test_setup(test_pre_start, setup),
	    cmocka_unit_test_setup(test_pre_start_fails, setup),
	    cmocka_unit_test_setup(test_post_stop, setup),
	    cmocka_unit_test_setup(test_post_stop_hangs, setup),
	    cmocka_unit_test_setup(test_waits_for_dependencies, setup),
	    cmocka_unit_test_setup(test_dependency_fails, setup),
	    cmocka_unit_test_setup(test_dependency_back_but_not_wanted, setup),
	    cmocka_unit_test_setup(test_own_failure_stays, setup),
	    cmocka_unit_test_setup(test_dependency_lost, setup),
	    cmocka_unit_test_setup(test_dependency_back_at_once, setup),
	    cmocka_unit_test_setup(test_dependency_lost_in_backoff, setup),
	    cmocka_unit_test_setup(test_names, setup),
	};

	return cmocka_run_group_tests_name("machine", tests, NULL, NULL);
}
