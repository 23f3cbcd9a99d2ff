/* Stops: kill modes, stop_command, escalation to KILL, holding, and what may come between. */
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

static void hold_and_release(enum cause cause, unsigned actions)
{
	IS(ev_cause(EVENT_WANT_DOWN, cause), STATE_STOPPING, ACT_HOLD);
	assert_int_equal(m.deadline, 0); /* the dependents' own timeouts end the wait */
	now += 3000;
	IS(ev(EVENT_TIMER), STATE_STOPPING, 0);
	IS(ev(EVENT_RELEASED), STATE_STOPPING, actions);
	assert_int_equal(m.deadline, now + 10000);
}

/* main: first the main process; what is left then gets the rest of the grace. */
static void test_kill_main(void **state)
{
	(void)state;
	run();
	hold_and_release(CAUSE_OPERATOR, ACT_STOP_MAIN);
	now += 4000;
	IS(ev_killed(SIGTERM), STATE_CLEANUP, LEFTOVERS);
	DUE(6000, STATE_CLEANUP, KILL_LEFT);
	DUE(250, STATE_CLEANUP, KILL_LEFT);
	EMPTY(STATE_STOPPED, 0);
}

/* group: everyone has been told already. */
static void test_kill_group(void **state)
{
	(void)state;
	set.kill_mode = KILL_GROUP;
	run();
	hold_and_release(CAUSE_OPERATOR, ACT_STOP_ALL);
	now += 4000;
	IS(ev_killed(SIGTERM), STATE_CLEANUP, ACT_CHECK_EMPTY);
	DUE(6000, STATE_CLEANUP, KILL_LEFT);
	EMPTY(STATE_STOPPED, 0);
}

/* After a crash nobody has been told, whatever the mode, and the grace is whole. */
static void test_kill_group_after_crash(void **state)
{
	(void)state;
	set.kill_mode = KILL_GROUP;
	run();
	IS(ev_exit(1), STATE_CLEANUP, LEFTOVERS);
	DUE(10000, STATE_CLEANUP, KILL_LEFT);
	EMPTY(STATE_BACKOFF, 0);
}

/* process: what is left is left alone. */
static void test_kill_process(void **state)
{
	(void)state;
	set.kill_mode = KILL_PROCESS;
	run();
	hold_and_release(CAUSE_OPERATOR, ACT_STOP_MAIN);
	IS(ev_killed(SIGTERM), STATE_STOPPED, 0);
	IS(ev(EVENT_WANT_UP), STATE_STARTING, ACT_SPAWN);
	IS(ev(EVENT_SPAWNED), STATE_RUNNING, 0);
	IS(ev_exit(1), STATE_BACKOFF, 0);
	IS(ev(EVENT_WANT_UP), STATE_STARTING, ACT_SPAWN);
	IS(ev(EVENT_SPAWNED), STATE_RUNNING, 0);
	hold_and_release(CAUSE_OPERATOR, ACT_STOP_MAIN);
	DUE(10000, STATE_STOPPING, ACT_KILL_ALL);
	IS(ev_killed(SIGKILL), STATE_STOPPED, 0);
}

static void test_kill_process_post_stop(void **state)
{
	(void)state;
	set.kill_mode = KILL_PROCESS;
	set.has_post_stop = true;
	run();
	IS(ev_exit(0), STATE_CLEANUP, ACT_RUN_POST);
	IS(ev_aux(0), STATE_STOPPED, 0);
}

/* P29: one that ignores its signal, and whose children do too. */
static void test_escalation(void **state)
{
	(void)state;
	run();
	hold_and_release(CAUSE_SHUTDOWN, ACT_STOP_MAIN);
	DUE(10000, STATE_STOPPING, ACT_KILL_ALL);
	assert_true(m.killed);
	DUE(250, STATE_STOPPING, ACT_KILL_ALL); /* one may have been born just then */
	now += 10;
	IS(ev_killed(SIGKILL), STATE_CLEANUP, KILL_LEFT);
	DUE(240, STATE_CLEANUP, KILL_LEFT);
	EMPTY(STATE_STOPPED, 0);
	IS(ev(EVENT_WANT_UP), STATE_STARTING, ACT_SPAWN);
	assert_false(m.killed);
}

static void test_stop_command(void **state)
{
	(void)state;
	set.has_stop_command = true;
	run();
	hold_and_release(CAUSE_OPERATOR, ACT_RUN_STOP);
	assert_int_equal(m.aux, AUX_STOP_COMMAND);
	now += 1000;
	IS(ev_aux(0), STATE_STOPPING, 0); /* it is on its way out by itself */
	assert_int_equal(m.aux, AUX_NONE);
	assert_int_equal(m.deadline, now + 9000);
	IS(ev_exit(0), STATE_CLEANUP, LEFTOVERS);
	EMPTY(STATE_STOPPED, 0);
}

static void test_stop_command_ends_last(void **state)
{
	(void)state;
	set.has_stop_command = true;
	run();
	hold_and_release(CAUSE_OPERATOR, ACT_RUN_STOP);
	IS(ev_exit(0), STATE_STOPPING, 0);
	assert_true(machine_active(&m));
	IS(ev_aux(0), STATE_CLEANUP, LEFTOVERS);
	EMPTY(STATE_STOPPED, 0);
}

static void test_stop_command_fails(void **state)
{
	(void)state;
	set.has_stop_command = true;
	run();
	hold_and_release(CAUSE_OPERATOR, ACT_RUN_STOP);
	IS(ev_aux(1), STATE_STOPPING, ACT_STOP_MAIN);
	IS(ev_killed(SIGTERM), STATE_CLEANUP, LEFTOVERS);
	EMPTY(STATE_STOPPED, 0);
	set.kill_mode = KILL_GROUP;
	run();
	hold_and_release(CAUSE_OPERATOR, ACT_RUN_STOP);
	IS(ev_aux(1), STATE_STOPPING, ACT_STOP_ALL);
}

/* With kill_mode=group a stop_command that worked has told only whom it told: what the
 * main process leaves behind must get the signal, not a KILL at the end of the grace. */
static void test_stop_command_group_leftovers(void **state)
{
	(void)state;
	set.has_stop_command = true;
	set.kill_mode = KILL_GROUP;
	run();
	hold_and_release(CAUSE_OPERATOR, ACT_RUN_STOP);
	IS(ev_aux(0), STATE_STOPPING, 0);
	IS(ev_exit(0), STATE_CLEANUP, LEFTOVERS);
	EMPTY(STATE_STOPPED, 0);
}

static void test_stop_command_hangs(void **state)
{
	(void)state;
	set.has_stop_command = true;
	run();
	hold_and_release(CAUSE_OPERATOR, ACT_RUN_STOP);
	DUE(10000, STATE_STOPPING, ACT_KILL_ALL);
	IS(ev_aux(1), STATE_STOPPING, 0); /* KILL has been sent: no milder signal after it */
	IS(ev_killed(SIGKILL), STATE_CLEANUP, KILL_LEFT);
	EMPTY(STATE_STOPPED, 0);
}

static void test_stop_in_pre_start(void **state)
{
	(void)state;
	set.has_pre_start = true;
	set.has_stop_command = true; /* not for a process that is no service yet */
	IS(ev(EVENT_WANT_UP), STATE_STARTING, ACT_RUN_PRE);
	IS(ev_cause(EVENT_WANT_DOWN, CAUSE_OPERATOR), STATE_STOPPING, ACT_HOLD);
	IS(ev(EVENT_RELEASED), STATE_STOPPING, ACT_STOP_ALL);
	assert_int_equal(m.deadline, now + 10000);
	IS(ev_aux(0), STATE_CLEANUP, LEFTOVERS); /* it ended well, and nothing follows it */
	EMPTY(STATE_STOPPED, 0);
	IS(ev(EVENT_WANT_UP), STATE_STARTING, ACT_RUN_PRE);
	IS(ev_cause(EVENT_WANT_DOWN, CAUSE_OPERATOR), STATE_STOPPING, ACT_HOLD);
	IS(ev_aux(0), STATE_CLEANUP, LEFTOVERS); /* while held */
	assert_false(m.holding);
	EMPTY(STATE_STOPPED, 0);
}

/* It ends by itself while it waits for its dependents: nobody has been told yet. */
static void test_exit_while_holding(void **state)
{
	(void)state;
	set.kill_mode = KILL_GROUP;
	run();
	IS(ev_cause(EVENT_WANT_DOWN, CAUSE_OPERATOR), STATE_STOPPING, ACT_HOLD);
	now += 500;
	IS(ev_exit(1), STATE_CLEANUP, LEFTOVERS);
	assert_false(m.holding);
	IS(ev(EVENT_RELEASED), STATE_CLEANUP, 0);
	DUE(10000, STATE_CLEANUP, KILL_LEFT);
	EMPTY(STATE_STOPPED, 0);
}

static void test_released_twice(void **state)
{
	(void)state;
	run();
	hold_and_release(CAUSE_OPERATOR, ACT_STOP_MAIN);
	IS(ev(EVENT_RELEASED), STATE_STOPPING, 0);
}

/* Only a stop that means to stay away waits for the dependents. */
static void test_who_is_held(void **state)
{
	static const enum cause held[] = {CAUSE_OPERATOR, CAUSE_SHUTDOWN, CAUSE_RELOAD};

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		fresh();
		run();
		IS(ev_cause(EVENT_WANT_DOWN, held[i]), STATE_STOPPING, ACT_HOLD);
	}
	fresh();
	run();
	IS(ev_cause(EVENT_RESTART, CAUSE_RELOAD), STATE_STOPPING, ACT_HOLD);
	fresh();
	run();
	IS(ev_cause(EVENT_RESTART, CAUSE_RESTART), STATE_STOPPING, ACT_STOP_MAIN);
	fresh();
	run();
	IS(ev_cause(EVENT_RESTART, CAUSE_RESTART_WITH), STATE_STOPPING, ACT_STOP_MAIN);
	fresh();
	run();
	IS(ev_cause(EVENT_UNHEALTHY, CAUSE_LIVENESS), STATE_STOPPING, ACT_STOP_MAIN);
}

/* The operator changes their mind: it comes back, at once and without a count. */
static void test_start_during_stop(void **state)
{
	(void)state;
	run();
	hold_and_release(CAUSE_OPERATOR, ACT_STOP_MAIN);
	IS(ev(EVENT_WANT_UP), STATE_STOPPING, 0);
	IS(ev_killed(SIGTERM), STATE_CLEANUP, LEFTOVERS);
	EMPTY(STATE_STARTING, ACT_SPAWN);
	assert_int_equal(m.restarts, 0);
	assert_int_equal(m.failures, 0);
	IS(ev(EVENT_SPAWNED), STATE_RUNNING, 0);
	hold_and_release(CAUSE_OPERATOR, ACT_STOP_MAIN);
	IS(ev_killed(SIGTERM), STATE_CLEANUP, LEFTOVERS);
	IS(ev(EVENT_WANT_UP), STATE_CLEANUP, 0);
	EMPTY(STATE_STARTING, ACT_SPAWN);
	IS(ev(EVENT_SPAWNED), STATE_RUNNING, 0);
	IS(ev_cause(EVENT_WANT_DOWN, CAUSE_OPERATOR), STATE_STOPPING, ACT_HOLD);
	IS(ev(EVENT_WANT_UP), STATE_STOPPING, 0);
	IS(ev_cause(EVENT_WANT_DOWN, CAUSE_SHUTDOWN), STATE_STOPPING, 0); /* and again */
	assert_int_equal(m.cause, CAUSE_SHUTDOWN);
	IS(ev(EVENT_RELEASED), STATE_STOPPING, ACT_STOP_MAIN);
	IS(ev_killed(SIGTERM), STATE_CLEANUP, LEFTOVERS);
	EMPTY(STATE_STOPPED, 0);
}

/* Its policy would leave it down: a start by hand that comes while its left-overs are being
 * ended is not lost. */
static void test_start_by_hand_during_cleanup(void **state)
{
	(void)state;
	set.restart = RESTART_NEVER;
	run();
	IS(ev_exit(3), STATE_CLEANUP, LEFTOVERS);
	IS(ev_cause(EVENT_WANT_UP, CAUSE_OPERATOR), STATE_CLEANUP, 0);
	EMPTY(STATE_STARTING, ACT_SPAWN);
	IS(ev(EVENT_SPAWNED), STATE_RUNNING, 0);
	IS(ev_exit(3), STATE_CLEANUP, LEFTOVERS);
	IS(ev(EVENT_WANT_UP), STATE_CLEANUP, 0); /* not by hand: what it needs, at boot */
	EMPTY(STATE_FAILED, 0);
}

/* P50: never more than one life, however many restarts are asked for. */
static void test_restart_during_stop(void **state)
{
	(void)state;
	run();
	IS(ev_cause(EVENT_RESTART, CAUSE_RESTART), STATE_STOPPING, ACT_STOP_MAIN);
	for (int i = 0; i < 20; i++)
		IS(ev_cause(EVENT_RESTART, CAUSE_RESTART), STATE_STOPPING, 0);
	IS(ev_killed(SIGTERM), STATE_CLEANUP, LEFTOVERS);
	IS(ev_cause(EVENT_RESTART, CAUSE_RESTART), STATE_CLEANUP, 0);
	EMPTY(STATE_STARTING, ACT_SPAWN);
	assert_int_equal(m.life, 2);
	assert_int_equal(m.restarts, 0);
	IS(ev(EVENT_SPAWNED), STATE_RUNNING, 0);
	hold_and_release(CAUSE_OPERATOR, ACT_STOP_MAIN);
	IS(ev_cause(EVENT_RESTART, CAUSE_RESTART), STATE_STOPPING, 0);
	assert_int_equal(m.want, WANT_UP);
	IS(ev_killed(SIGTERM), STATE_CLEANUP, LEFTOVERS);
	EMPTY(STATE_STARTING, ACT_SPAWN);
	IS(ev(EVENT_SPAWNED), STATE_RUNNING, 0);
	IS(ev_exit(1), STATE_CLEANUP, LEFTOVERS);
	IS(ev_cause(EVENT_RESTART, CAUSE_RESTART), STATE_CLEANUP, 0); /* it crashed just before */
	EMPTY(STATE_STARTING, ACT_SPAWN);
}

/* After a stop that somebody asked for no policy is asked, whatever the code and however
 * often: the service goes where it is wanted. */
static void test_asked_for_is_no_failure(void **state)
{
	static const enum cause down[] = {CAUSE_OPERATOR, CAUSE_SHUTDOWN, CAUSE_RELOAD};
	static const enum cause again[] = {CAUSE_RESTART, CAUSE_RELOAD, CAUSE_RESTART_WITH};

	(void)state;
	for (int code = 0; code < 2; code++) {
		for (unsigned i = 0; i < 3; i++) {
			fresh();
			set.restart = RESTART_NEVER;
			run();
			hold_and_release(down[i], ACT_STOP_MAIN);
			IS(ev(EVENT_WANT_UP), STATE_STOPPING, 0);
			IS(ev_exit(code), STATE_CLEANUP, LEFTOVERS);
			EMPTY(STATE_STARTING, ACT_SPAWN);
			IS(ev(EVENT_SPAWNED), STATE_RUNNING, 0);
			machine_step(&set, &m, &past,
			    &(struct machine_event){.kind = EVENT_RESTART, .cause = again[i]}, now);
			IS(ev(EVENT_RELEASED), STATE_STOPPING, m.holding ? ACT_STOP_MAIN : 0);
			IS(ev_exit(code), STATE_CLEANUP, LEFTOVERS);
			EMPTY(STATE_STARTING, ACT_SPAWN);
			assert_int_equal(m.cause, again[i]);
		}
	}
}

/* A held stop turned into a restart: the dependents need not go. */
static void test_restart_while_holding(void **state)
{
	(void)state;
	run();
	IS(ev_cause(EVENT_WANT_DOWN, CAUSE_OPERATOR), STATE_STOPPING, ACT_HOLD);
	IS(ev_cause(EVENT_RESTART, CAUSE_RESTART), STATE_STOPPING, ACT_STOP_MAIN);
	assert_int_equal(m.deadline, now + 10000);
	IS(ev_killed(SIGTERM), STATE_CLEANUP, LEFTOVERS);
	EMPTY(STATE_STARTING, ACT_SPAWN);
}

static void test_restart_while_waiting(void **state)
{
	(void)state;
	m.deps = DEPS_WAIT;
	IS(ev(EVENT_WANT_UP), STATE_WAITING, 0);
	for (int i = 0; i < 20; i++)
		IS(ev_cause(EVENT_RESTART, CAUSE_RESTART), STATE_WAITING, 0);
	IS(ev_deps(DEPS_READY), STATE_STARTING, ACT_SPAWN);
	assert_int_equal(m.life, 1);
}

/* P34: told to stop while it waits for its next start. */
static void test_stop_in_backoff(void **state)
{
	(void)state;
	run();
	CRASH(1, STATE_BACKOFF, 0);
	IS(ev_cause(EVENT_WANT_DOWN, CAUSE_OPERATOR), STATE_STOPPED, 0);
	assert_int_equal(m.cause, CAUSE_OPERATOR);
	assert_int_equal(m.deadline, 0);
	now += 100000;
	IS(ev(EVENT_TIMER), STATE_STOPPED, 0);
	IS(ev_deps(DEPS_WAIT), STATE_STOPPED, 0);
	IS(ev_deps(DEPS_READY), STATE_STOPPED, 0);
}

static void test_stop_in_waiting(void **state)
{
	(void)state;
	m.deps = DEPS_WAIT;
	IS(ev(EVENT_WANT_UP), STATE_WAITING, 0);
	IS(ev_cause(EVENT_WANT_DOWN, CAUSE_SHUTDOWN), STATE_STOPPED, 0);
	IS(ev_deps(DEPS_READY), STATE_STOPPED, 0);
}

/* A stop that arrives when a crash is being cleaned up after. */
static void test_stop_in_cleanup(void **state)
{
	(void)state;
	run();
	IS(ev_exit(1), STATE_CLEANUP, LEFTOVERS);
	IS(ev_cause(EVENT_WANT_DOWN, CAUSE_OPERATOR), STATE_CLEANUP, 0);
	EMPTY(STATE_STOPPED, 0);
	assert_int_equal(m.cause, CAUSE_OPERATOR);
	assert_int_equal(m.exit_code, 1);
	assert_int_equal(m.restarts, 0);
}

static void test_stop_of_what_has_failed(void **state)
{
	(void)state;
	set.max_restarts = 0;
	run();
	CRASH(1, STATE_FATAL, 0);
	IS(ev_cause(EVENT_WANT_DOWN, CAUSE_OPERATOR), STATE_FATAL, 0);
	assert_int_equal(m.want, WANT_DOWN);
	assert_int_equal(m.cause, CAUSE_EXIT); /* why it is there is still to be seen */
}

/* Stopped before its exec is through: the signal waits in the kernel. */
static void test_stop_while_spawning(void **state)
{
	(void)state;
	IS(ev(EVENT_WANT_UP), STATE_STARTING, ACT_SPAWN);
	hold_and_release(CAUSE_OPERATOR, ACT_STOP_MAIN);
	IS(ev(EVENT_SPAWNED), STATE_STOPPING, 0);
	assert_int_equal(m.started, now);
	IS(ev_killed(SIGTERM), STATE_CLEANUP, LEFTOVERS);
	EMPTY(STATE_STOPPED, 0);
	IS(ev(EVENT_WANT_UP), STATE_STARTING, ACT_SPAWN);
	hold_and_release(CAUSE_OPERATOR, ACT_STOP_MAIN);
	IS(ev_no_exec(ENOENT), STATE_CLEANUP, LEFTOVERS);
	assert_int_equal(m.exit_kind, LAST_SPAWN_ERROR);
	assert_int_equal(m.cause, CAUSE_OPERATOR);
	EMPTY(STATE_STOPPED, 0);
	/* No process after all. */
	IS(ev(EVENT_WANT_UP), STATE_STARTING, ACT_SPAWN);
	hold_and_release(CAUSE_OPERATOR, ACT_STOP_MAIN);
	IS(ev(EVENT_SPAWN_LATER), STATE_CLEANUP, LEFTOVERS);
	assert_false(m.main_alive);
	EMPTY(STATE_STOPPED, 0);
}

static void test_start_timeout(void **state)
{
	(void)state;
	set.waits_ready = true;
	run();
	DUE(60000, STATE_STOPPING, ACT_STOP_MAIN);
	assert_int_equal(m.cause, CAUSE_START_TIMEOUT);
	assert_int_equal(m.deadline, now + 10000);
	IS(ev_exit(0), STATE_CLEANUP, LEFTOVERS); /* its good code does not make it a success */
	EMPTY(STATE_BACKOFF, 0);
	assert_int_equal(m.cause, CAUSE_START_TIMEOUT);
	set.start_timeout = 0;
	DUE(1000, STATE_STARTING, ACT_SPAWN);
	assert_int_equal(m.deadline, 0);
}

/* P58: the time counts from the beginning, pre_start included. */
static void test_start_timeout_in_pre_start(void **state)
{
	(void)state;
	set.has_pre_start = true;
	IS(ev(EVENT_WANT_UP), STATE_STARTING, ACT_RUN_PRE);
	DUE(60000, STATE_STOPPING, ACT_STOP_ALL);
	DUE(10000, STATE_STOPPING, ACT_KILL_ALL);
	IS(ev_aux(0), STATE_CLEANUP, KILL_LEFT);
	EMPTY(STATE_BACKOFF, 0);
	DUE(1000, STATE_STARTING, ACT_RUN_PRE);
	now += 20000;
	IS(ev_aux(0), STATE_STARTING, ACT_SPAWN);
	assert_int_equal(m.deadline, now + 40000);
}

static void test_kill(void **state)
{
	(void)state;
	run();
	IS(ev(EVENT_KILL), STATE_STOPPING, ACT_KILL_ALL);
	assert_int_equal(m.want, WANT_DOWN);
	assert_int_equal(m.cause, CAUSE_SHUTDOWN);
	assert_false(m.ready);
	DUE(250, STATE_STOPPING, ACT_KILL_ALL);
	IS(ev_killed(SIGKILL), STATE_CLEANUP, KILL_LEFT);
	IS(ev(EVENT_KILL), STATE_CLEANUP, KILL_LEFT);
	EMPTY(STATE_STOPPED, 0);
	set.has_pre_start = true;
	IS(ev(EVENT_WANT_UP), STATE_STARTING, ACT_RUN_PRE);
	IS(ev(EVENT_KILL), STATE_STOPPING, ACT_KILL_ALL);
	IS(ev_aux(0), STATE_CLEANUP, KILL_LEFT);
	EMPTY(STATE_STOPPED, 0);
}

static void test_kill_while_holding(void **state)
{
	(void)state;
	run();
	IS(ev_cause(EVENT_WANT_DOWN, CAUSE_SHUTDOWN), STATE_STOPPING, ACT_HOLD);
	IS(ev(EVENT_KILL), STATE_STOPPING, ACT_KILL_ALL);
	assert_false(m.holding);
	assert_int_equal(m.deadline, now + 250);
	IS(ev(EVENT_RELEASED), STATE_STOPPING, 0);
	IS(ev_killed(SIGKILL), STATE_CLEANUP, KILL_LEFT);
	EMPTY(STATE_STOPPED, 0);
}

/* No more patience: nothing new is begun either. */
static void test_kill_ends_post_stop(void **state)
{
	(void)state;
	set.has_post_stop = true;
	run();
	IS(ev_cause(EVENT_WANT_DOWN, CAUSE_SHUTDOWN), STATE_STOPPING, ACT_HOLD);
	IS(ev(EVENT_KILL), STATE_STOPPING, ACT_KILL_ALL);
	IS(ev_killed(SIGKILL), STATE_CLEANUP, KILL_LEFT);
	EMPTY(STATE_STOPPED, 0);
	run();
	IS(ev_cause(EVENT_WANT_DOWN, CAUSE_SHUTDOWN), STATE_STOPPING, ACT_HOLD);
	IS(ev(EVENT_RELEASED), STATE_STOPPING, ACT_STOP_MAIN);
	IS(ev_killed(SIGTERM), STATE_CLEANUP, LEFTOVERS);
	EMPTY(STATE_CLEANUP, ACT_RUN_POST);
	IS(ev(EVENT_KILL), STATE_CLEANUP, ACT_KILL_ALL);
	assert_int_equal(m.deadline, now + 250);
	IS(ev_aux(0), STATE_CLEANUP, KILL_LEFT);
	EMPTY(STATE_STOPPED, 0);
}

/* A KILL at the end of stop_timeout is an ordinary stop: post_stop follows it. */
static void test_post_stop_after_escalation(void **state)
{
	(void)state;
	set.has_post_stop = true;
	run();
	hold_and_release(CAUSE_OPERATOR, ACT_STOP_MAIN);
	DUE(10000, STATE_STOPPING, ACT_KILL_ALL);
	IS(ev_killed(SIGKILL), STATE_CLEANUP, KILL_LEFT);
	EMPTY(STATE_CLEANUP, ACT_RUN_POST);
	assert_false(m.killed);
	assert_int_equal(m.deadline, now + 10000);
	IS(ev_aux(0), STATE_CLEANUP, KILL_LEFT);
	EMPTY(STATE_STOPPED, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_kill_main, setup),
	    cmocka_unit_test_setup(test_kill_group, setup),
	    cmocka_unit_test_setup(test_kill_group_after_crash, setup),
	    cmocka_unit_test_setup(test_kill_process, setup),
	    cmocka_unit_test_setup(test_kill_process_post_stop, setup),
	    cmocka_unit_test_setup(test_escalation, setup),
	    cmocka_unit_test_setup(test_stop_command, setup),
	    cmocka_unit_test_setup(test_stop_command_ends_last, setup),
	    cmocka_unit_test_setup(test_stop_command_fails, setup),
	    cmocka_unit_test_setup(test_stop_command_group_leftovers, setup),
	    cmocka_unit_test_setup(test_stop_command_hangs, setup),
	    cmocka_unit_test_setup(test_stop_in_pre_start, setup),
	    cmocka_unit_test_setup(test_exit_while_holding, setup),
	    cmocka_unit_test_setup(test_released_twice, setup),
	    cmocka_unit_test_setup(test_who_is_held, setup),
	    cmocka_unit_test_setup(test_start_during_stop, setup),
	    cmocka_unit_test_setup(test_start_by_hand_during_cleanup, setup),
	    cmocka_unit_test_setup(test_restart_during_stop, setup),
	    cmocka_unit_test_setup(test_asked_for_is_no_failure, setup),
	    cmocka_unit_test_setup(test_restart_while_holding, setup),
	    cmocka_unit_test_setup(test_restart_while_waiting, setup),
	    cmocka_unit_test_setup(test_stop_in_backoff, setup),
	    cmocka_unit_test_setup(test_stop_in_waiting, setup),
	    cmocka_unit_test_setup(test_stop_in_cleanup, setup),
	    cmocka_unit_test_setup(test_stop_of_what_has_failed, setup),
	    cmocka_unit_test_setup(test_stop_while_spawning, setup),
	    cmocka_unit_test_setup(test_start_timeout, setup),
	    cmocka_unit_test_setup(test_start_timeout_in_pre_start, setup),
	    cmocka_unit_test_setup(test_kill, setup),
	    cmocka_unit_test_setup(test_kill_while_holding, setup),
	    cmocka_unit_test_setup(test_kill_ends_post_stop, setup),
	    cmocka_unit_test_setup(test_post_stop_after_escalation, setup),
	};

	return cmocka_run_group_tests_name("machine_stop", tests, NULL, NULL);
}
