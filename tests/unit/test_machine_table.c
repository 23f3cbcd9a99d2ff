/* Every situation of a service against every event: a table, complete by construction,
 * since what is not in it must change nothing and ask for nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/machine_script.h"

#include "init/schema.h"

#include <signal.h>

#include <stdio.h>
#include <string.h>

enum situation {
	S_STOPPED,
	S_WAITING,
	S_PRE_START, /* starting, pre_start runs */
	S_SPAWNING,  /* starting, the command not yet executed */
	S_STARTING,  /* starting, executed, not ready */
	S_RUNNING,
	S_HOLDING,  /* stopping, held for its dependents */
	S_PRE_HELD, /* the same while pre_start runs */
	S_STOPPING, /* stop signal sent */
	S_COMMAND,  /* stopping, stop_command runs */
	S_OUTLIVED, /* the same, the main process gone */
	S_PRE_STOP, /* stopping, pre_start runs */
	S_CLEANUP,
	S_POST_STOP, /* cleanup, post_stop runs */
	S_BACKOFF,
	S_RESOURCES, /* back-off for want of resources */
	S_DONE,
	S_FAILED,
	S_LOST, /* failed for a dependency */
	S_FATAL,
	S_COUNT
};

static const char *const situation_name[S_COUNT] = {"stopped", "waiting", "pre-start", "spawning",
    "starting", "running", "holding", "pre-start held", "stopping", "stop command", "outlived",
    "pre-start stopping", "cleanup", "post-stop", "back-off", "resources", "done", "failed", "lost",
    "fatal"};

enum happening {
	H_UP,
	H_DOWN,
	H_RESTART,
	H_DEPS_WAIT,
	H_DEPS_READY,
	H_DEPS_DOWN,
	H_DEPS_FAILED,
	H_RELEASED,
	H_SPAWNED,
	H_NO_EXEC,
	H_LATER,
	H_READY,
	H_SERVING,
	H_NOT_SERVING,
	H_EXITED,
	H_OOMED,
	H_AUX_GOOD,
	H_AUX_BAD,
	H_EMPTY,
	H_UNHEALTHY,
	H_OOM,
	H_KILL,
	H_RESET,
	H_TIMER,
	H_COUNT
};

static const char *const happening_name[H_COUNT] = {"want up", "want down", "restart", "deps wait",
    "deps ready", "deps down", "deps failed", "released", "spawned", "no exec", "later", "ready",
    "serving", "not serving", "exited", "killed for memory", "aux good", "aux bad", "empty",
    "unhealthy", "out of memory", "kill", "reset", "timer"};

static const struct machine_event event_of[H_COUNT] = {
    [H_UP] = {.kind = EVENT_WANT_UP},
    [H_DOWN] = {.kind = EVENT_WANT_DOWN, .cause = CAUSE_OPERATOR},
    [H_RESTART] = {.kind = EVENT_RESTART, .cause = CAUSE_RESTART},
    [H_DEPS_WAIT] = {.kind = EVENT_DEPS, .deps = DEPS_WAIT},
    [H_DEPS_READY] = {.kind = EVENT_DEPS, .deps = DEPS_READY},
    [H_DEPS_DOWN] = {.kind = EVENT_DEPS, .deps = DEPS_DOWN},
    [H_DEPS_FAILED] = {.kind = EVENT_DEPS, .deps = DEPS_FAILED},
    [H_RELEASED] = {.kind = EVENT_RELEASED},
    [H_SPAWNED] = {.kind = EVENT_SPAWNED},
    [H_NO_EXEC] = {.kind = EVENT_SPAWN_FAILED, .exit_code = 2},
    [H_LATER] = {.kind = EVENT_SPAWN_LATER},
    [H_READY] = {.kind = EVENT_READY},
    [H_SERVING] = {.kind = EVENT_SERVING},
    [H_NOT_SERVING] = {.kind = EVENT_NOT_SERVING},
    [H_EXITED] = {.kind = EVENT_EXITED, .exit_kind = LAST_EXITED, .exit_code = 1},
    [H_OOMED] = {.kind = EVENT_EXITED,
	.cause = CAUSE_OOM,
	.exit_kind = LAST_KILLED,
	.exit_code = 9},
    [H_AUX_GOOD] = {.kind = EVENT_AUX_EXITED, .exit_kind = LAST_EXITED},
    [H_AUX_BAD] = {.kind = EVENT_AUX_EXITED, .exit_kind = LAST_KILLED, .exit_code = 9},
    [H_EMPTY] = {.kind = EVENT_EMPTY},
    [H_UNHEALTHY] = {.kind = EVENT_UNHEALTHY, .cause = CAUSE_LIVENESS},
    [H_OOM] = {.kind = EVENT_UNHEALTHY, .cause = CAUSE_OOM},
    [H_KILL] = {.kind = EVENT_KILL},
    [H_RESET] = {.kind = EVENT_RESET},
    [H_TIMER] = {.kind = EVENT_TIMER},
};

/* What changes, and to what. `cause`: -1 keeps it. */
struct cell {
	enum situation from;
	enum happening event;
	enum state to;
	unsigned actions;
	int cause;
};

enum { KEEP = -1 };

static const struct cell cells[] = {
    {S_STOPPED, H_UP, STATE_STARTING, ACT_SPAWN, KEEP},
    {S_STOPPED, H_RESTART, STATE_STARTING, ACT_SPAWN, CAUSE_RESTART},

    {S_WAITING, H_DOWN, STATE_STOPPED, 0, CAUSE_OPERATOR},
    {S_WAITING, H_RESTART, STATE_WAITING, 0, CAUSE_RESTART},
    {S_WAITING, H_DEPS_READY, STATE_STARTING, ACT_SPAWN, KEEP},
    {S_WAITING, H_DEPS_FAILED, STATE_FAILED, 0, CAUSE_DEPENDENCY},

    {S_PRE_START, H_DOWN, STATE_STOPPING, ACT_HOLD, CAUSE_OPERATOR},
    {S_PRE_START, H_RESTART, STATE_STOPPING, ACT_STOP_ALL, CAUSE_RESTART},
    {S_PRE_START, H_DEPS_DOWN, STATE_STOPPING, ACT_HOLD, CAUSE_DEPENDENCY},
    {S_PRE_START, H_DEPS_FAILED, STATE_STOPPING, ACT_HOLD, CAUSE_DEPENDENCY},
    {S_PRE_START, H_LATER, STATE_BACKOFF, 0, CAUSE_RESOURCES},
    {S_PRE_START, H_AUX_GOOD, STATE_STARTING, ACT_SPAWN, KEEP},
    {S_PRE_START, H_AUX_BAD, STATE_CLEANUP, LEFTOVERS, CAUSE_PRE_START},
    {S_PRE_START, H_KILL, STATE_STOPPING, ACT_KILL_ALL, CAUSE_SHUTDOWN},
    {S_PRE_START, H_TIMER, STATE_STOPPING, ACT_STOP_ALL, CAUSE_START_TIMEOUT},

    {S_SPAWNING, H_DOWN, STATE_STOPPING, ACT_HOLD, CAUSE_OPERATOR},
    {S_SPAWNING, H_RESTART, STATE_STOPPING, ACT_STOP_MAIN, CAUSE_RESTART},
    {S_SPAWNING, H_DEPS_DOWN, STATE_STOPPING, ACT_HOLD, CAUSE_DEPENDENCY},
    {S_SPAWNING, H_DEPS_FAILED, STATE_STOPPING, ACT_HOLD, CAUSE_DEPENDENCY},
    {S_SPAWNING, H_SPAWNED, STATE_STARTING, 0, KEEP},
    {S_SPAWNING, H_NO_EXEC, STATE_CLEANUP, LEFTOVERS, CAUSE_SPAWN},
    {S_SPAWNING, H_LATER, STATE_BACKOFF, 0, CAUSE_RESOURCES},
    {S_SPAWNING, H_READY, STATE_RUNNING, 0, KEEP},
    {S_SPAWNING, H_EXITED, STATE_CLEANUP, LEFTOVERS, CAUSE_EXIT},
    {S_SPAWNING, H_OOMED, STATE_CLEANUP, LEFTOVERS, CAUSE_OOM},
    {S_SPAWNING, H_UNHEALTHY, STATE_STOPPING, ACT_STOP_MAIN, CAUSE_LIVENESS},
    {S_SPAWNING, H_OOM, STATE_STOPPING, ACT_STOP_MAIN, CAUSE_OOM},
    {S_SPAWNING, H_KILL, STATE_STOPPING, ACT_KILL_ALL, CAUSE_SHUTDOWN},
    {S_SPAWNING, H_TIMER, STATE_STOPPING, ACT_STOP_MAIN, CAUSE_START_TIMEOUT},

    {S_STARTING, H_DOWN, STATE_STOPPING, ACT_HOLD, CAUSE_OPERATOR},
    {S_STARTING, H_RESTART, STATE_STOPPING, ACT_STOP_MAIN, CAUSE_RESTART},
    {S_STARTING, H_DEPS_DOWN, STATE_STOPPING, ACT_HOLD, CAUSE_DEPENDENCY},
    {S_STARTING, H_DEPS_FAILED, STATE_STOPPING, ACT_HOLD, CAUSE_DEPENDENCY},
    {S_STARTING, H_READY, STATE_RUNNING, 0, KEEP},
    {S_STARTING, H_EXITED, STATE_CLEANUP, LEFTOVERS, CAUSE_EXIT},
    {S_STARTING, H_OOMED, STATE_CLEANUP, LEFTOVERS, CAUSE_OOM},
    {S_STARTING, H_UNHEALTHY, STATE_STOPPING, ACT_STOP_MAIN, CAUSE_LIVENESS},
    {S_STARTING, H_OOM, STATE_STOPPING, ACT_STOP_MAIN, CAUSE_OOM},
    {S_STARTING, H_KILL, STATE_STOPPING, ACT_KILL_ALL, CAUSE_SHUTDOWN},
    {S_STARTING, H_TIMER, STATE_STOPPING, ACT_STOP_MAIN, CAUSE_START_TIMEOUT},

    {S_RUNNING, H_DOWN, STATE_STOPPING, ACT_HOLD, CAUSE_OPERATOR},
    {S_RUNNING, H_RESTART, STATE_STOPPING, ACT_STOP_MAIN, CAUSE_RESTART},
    {S_RUNNING, H_DEPS_DOWN, STATE_STOPPING, ACT_HOLD, CAUSE_DEPENDENCY},
    {S_RUNNING, H_DEPS_FAILED, STATE_STOPPING, ACT_HOLD, CAUSE_DEPENDENCY},
    {S_RUNNING, H_EXITED, STATE_CLEANUP, LEFTOVERS, CAUSE_EXIT},
    {S_RUNNING, H_OOMED, STATE_CLEANUP, LEFTOVERS, CAUSE_OOM},
    {S_RUNNING, H_UNHEALTHY, STATE_STOPPING, ACT_STOP_MAIN, CAUSE_LIVENESS},
    {S_RUNNING, H_OOM, STATE_STOPPING, ACT_STOP_MAIN, CAUSE_OOM},
    {S_RUNNING, H_KILL, STATE_STOPPING, ACT_KILL_ALL, CAUSE_SHUTDOWN},

    {S_HOLDING, H_DOWN, STATE_STOPPING, 0, CAUSE_OPERATOR},
    {S_HOLDING, H_RESTART, STATE_STOPPING, ACT_STOP_MAIN, CAUSE_RESTART},
    {S_HOLDING, H_RELEASED, STATE_STOPPING, ACT_STOP_MAIN, KEEP},
    {S_HOLDING, H_NO_EXEC, STATE_CLEANUP, LEFTOVERS, KEEP},
    {S_HOLDING, H_LATER, STATE_CLEANUP, LEFTOVERS, KEEP},
    {S_HOLDING, H_EXITED, STATE_CLEANUP, LEFTOVERS, KEEP},
    {S_HOLDING, H_OOMED, STATE_CLEANUP, LEFTOVERS, KEEP},
    {S_HOLDING, H_KILL, STATE_STOPPING, ACT_KILL_ALL, KEEP},

    {S_PRE_HELD, H_DOWN, STATE_STOPPING, 0, CAUSE_OPERATOR},
    {S_PRE_HELD, H_RESTART, STATE_STOPPING, ACT_STOP_ALL, CAUSE_RESTART},
    {S_PRE_HELD, H_RELEASED, STATE_STOPPING, ACT_STOP_ALL, KEEP},
    {S_PRE_HELD, H_AUX_GOOD, STATE_CLEANUP, LEFTOVERS, KEEP},
    {S_PRE_HELD, H_AUX_BAD, STATE_CLEANUP, LEFTOVERS, KEEP},
    {S_PRE_HELD, H_KILL, STATE_STOPPING, ACT_KILL_ALL, KEEP},

    {S_STOPPING, H_DOWN, STATE_STOPPING, 0, CAUSE_OPERATOR},
    {S_STOPPING, H_RESTART, STATE_STOPPING, 0, CAUSE_RESTART},
    {S_STOPPING, H_NO_EXEC, STATE_CLEANUP, LEFTOVERS, KEEP},
    {S_STOPPING, H_LATER, STATE_CLEANUP, LEFTOVERS, KEEP},
    {S_STOPPING, H_EXITED, STATE_CLEANUP, LEFTOVERS, KEEP},
    {S_STOPPING, H_OOMED, STATE_CLEANUP, LEFTOVERS, KEEP},
    {S_STOPPING, H_KILL, STATE_STOPPING, ACT_KILL_ALL, KEEP},
    {S_STOPPING, H_TIMER, STATE_STOPPING, ACT_KILL_ALL, KEEP},

    {S_COMMAND, H_DOWN, STATE_STOPPING, 0, CAUSE_OPERATOR},
    {S_COMMAND, H_RESTART, STATE_STOPPING, 0, CAUSE_RESTART},
    {S_COMMAND, H_NO_EXEC, STATE_STOPPING, 0, KEEP},
    {S_COMMAND, H_EXITED, STATE_STOPPING, 0, KEEP},
    {S_COMMAND, H_OOMED, STATE_STOPPING, 0, KEEP},
    {S_COMMAND, H_AUX_GOOD, STATE_STOPPING, 0, KEEP},
    {S_COMMAND, H_AUX_BAD, STATE_STOPPING, ACT_STOP_MAIN, KEEP},
    {S_COMMAND, H_KILL, STATE_STOPPING, ACT_KILL_ALL, KEEP},
    {S_COMMAND, H_TIMER, STATE_STOPPING, ACT_KILL_ALL, KEEP},

    {S_OUTLIVED, H_DOWN, STATE_STOPPING, 0, CAUSE_OPERATOR},
    {S_OUTLIVED, H_RESTART, STATE_STOPPING, 0, CAUSE_RESTART},
    {S_OUTLIVED, H_AUX_GOOD, STATE_CLEANUP, LEFTOVERS, KEEP},
    {S_OUTLIVED, H_AUX_BAD, STATE_CLEANUP, LEFTOVERS, KEEP},
    {S_OUTLIVED, H_KILL, STATE_STOPPING, ACT_KILL_ALL, KEEP},
    {S_OUTLIVED, H_TIMER, STATE_STOPPING, ACT_KILL_ALL, KEEP},

    {S_PRE_STOP, H_DOWN, STATE_STOPPING, 0, CAUSE_OPERATOR},
    {S_PRE_STOP, H_RESTART, STATE_STOPPING, 0, CAUSE_RESTART},
    {S_PRE_STOP, H_AUX_GOOD, STATE_CLEANUP, LEFTOVERS, KEEP},
    {S_PRE_STOP, H_AUX_BAD, STATE_CLEANUP, LEFTOVERS, KEEP},
    {S_PRE_STOP, H_KILL, STATE_STOPPING, ACT_KILL_ALL, KEEP},
    {S_PRE_STOP, H_TIMER, STATE_STOPPING, ACT_KILL_ALL, KEEP},

    {S_CLEANUP, H_DOWN, STATE_CLEANUP, 0, CAUSE_OPERATOR},
    {S_CLEANUP, H_RESTART, STATE_CLEANUP, 0, CAUSE_RESTART},
    {S_CLEANUP, H_EMPTY, STATE_BACKOFF, 0, KEEP},
    {S_CLEANUP, H_KILL, STATE_CLEANUP, KILL_LEFT, KEEP},
    {S_CLEANUP, H_TIMER, STATE_CLEANUP, KILL_LEFT, KEEP},

    {S_POST_STOP, H_DOWN, STATE_CLEANUP, 0, CAUSE_OPERATOR},
    {S_POST_STOP, H_RESTART, STATE_CLEANUP, 0, CAUSE_RESTART},
    {S_POST_STOP, H_AUX_GOOD, STATE_CLEANUP, KILL_LEFT, KEEP},
    {S_POST_STOP, H_AUX_BAD, STATE_CLEANUP, KILL_LEFT, KEEP},
    {S_POST_STOP, H_KILL, STATE_CLEANUP, ACT_KILL_ALL, KEEP},
    {S_POST_STOP, H_TIMER, STATE_CLEANUP, ACT_KILL_ALL, KEEP},

    {S_BACKOFF, H_UP, STATE_STARTING, ACT_SPAWN, KEEP},
    {S_BACKOFF, H_DOWN, STATE_STOPPED, 0, CAUSE_OPERATOR},
    {S_BACKOFF, H_RESTART, STATE_STARTING, ACT_SPAWN, CAUSE_RESTART},
    {S_BACKOFF, H_TIMER, STATE_STARTING, ACT_SPAWN, KEEP},

    {S_RESOURCES, H_UP, STATE_STARTING, ACT_SPAWN, KEEP},
    {S_RESOURCES, H_DOWN, STATE_STOPPED, 0, CAUSE_OPERATOR},
    {S_RESOURCES, H_RESTART, STATE_STARTING, ACT_SPAWN, CAUSE_RESTART},
    {S_RESOURCES, H_TIMER, STATE_STARTING, ACT_SPAWN, KEEP},

    {S_DONE, H_DOWN, STATE_STOPPED, 0, CAUSE_OPERATOR},
    {S_DONE, H_RESTART, STATE_STARTING, ACT_SPAWN, CAUSE_RESTART},

    {S_FAILED, H_UP, STATE_STARTING, ACT_SPAWN, KEEP},
    {S_FAILED, H_RESTART, STATE_STARTING, ACT_SPAWN, CAUSE_RESTART},
    {S_FAILED, H_RESET, STATE_STOPPED, 0, KEEP},

    {S_LOST, H_UP, STATE_FAILED, 0, KEEP}, /* the dependency is still failed */
    {S_LOST, H_RESTART, STATE_FAILED, 0, KEEP},
    {S_LOST, H_DEPS_WAIT, STATE_WAITING, 0, KEEP},
    {S_LOST, H_DEPS_READY, STATE_STARTING, ACT_SPAWN, KEEP},
    {S_LOST, H_DEPS_DOWN, STATE_WAITING, 0, KEEP},
    {S_LOST, H_RESET, STATE_STOPPED, 0, KEEP},

    {S_FATAL, H_UP, STATE_STARTING, ACT_SPAWN, KEEP},
    {S_FATAL, H_RESTART, STATE_STARTING, ACT_SPAWN, CAUSE_RESTART},
    {S_FATAL, H_RESET, STATE_STOPPED, 0, KEEP},
};

/* Events that cannot happen since there is no such process: without a main process, its
 * birth; with an aux that is not its first, a fork that failed. */
static bool possible(enum situation from, enum happening event)
{
	bool birth = event == H_SPAWNED || event == H_NO_EXEC || event == H_LATER;
	bool main_there = from >= S_SPAWNING && from <= S_COMMAND && from != S_PRE_HELD;
	bool aux_there = from == S_PRE_START || from == S_PRE_HELD || from == S_COMMAND ||
			 from == S_OUTLIVED || from == S_PRE_STOP || from == S_POST_STOP;

	if (event == H_LATER && from == S_PRE_START)
		return true;
	if (event == H_LATER && from == S_COMMAND)
		return false;
	if (birth && (from == S_STARTING || from == S_RUNNING))
		return false;
	if (event == H_EXITED || event == H_OOMED || birth)
		return main_there;
	return (event != H_AUX_GOOD && event != H_AUX_BAD) || aux_there;
}

static void to_state(struct machine_event event)
{
	machine_step(&set, &m, &past, &event, now);
}

/* Brings a new service into the situation by events alone. */
static void arrange(enum situation s)
{
	fresh();
	set.has_pre_start = s == S_PRE_START || s == S_PRE_HELD || s == S_PRE_STOP;
	set.has_stop_command = s == S_COMMAND || s == S_OUTLIVED;
	set.has_post_stop = s == S_POST_STOP;
	set.waits_ready = s == S_SPAWNING || s == S_STARTING;
	set.oneshot = s == S_DONE;
	set.max_restarts = s == S_FATAL ? 0 : 10;
	set.restart = s == S_FAILED ? RESTART_NEVER : RESTART_ON_FAILURE;
	if (s == S_WAITING)
		m.deps = DEPS_WAIT;
	if (s == S_LOST)
		m.deps = DEPS_FAILED;
	if (s == S_STOPPED)
		return;
	to_state(ev(EVENT_WANT_UP));
	if (s == S_WAITING || s == S_LOST || s == S_PRE_START || s == S_SPAWNING)
		return;
	if (s == S_RESOURCES) {
		to_state(ev(EVENT_SPAWN_LATER));
		return;
	}
	if (!set.has_pre_start)
		to_state(ev(EVENT_SPAWNED));
	if (s == S_STARTING || s == S_RUNNING)
		return;
	if (s >= S_HOLDING && s <= S_PRE_STOP) {
		to_state(ev_cause(EVENT_WANT_DOWN, CAUSE_RELOAD));
		if (s != S_HOLDING && s != S_PRE_HELD)
			to_state(ev(EVENT_RELEASED));
		if (s == S_OUTLIVED)
			to_state(ev_exit(0));
		return;
	}
	to_state(ev_exit(s == S_DONE ? 0 : 1));
	if (s != S_CLEANUP)
		to_state(ev(EVENT_EMPTY));
	if (s == S_FAILED || s == S_FATAL || s == S_DONE || s == S_BACKOFF)
		assert_false(m.main_alive);
}

static const struct cell *find(enum situation from, enum happening event)
{
	for (unsigned i = 0; i < sizeof(cells) / sizeof(cells[0]); i++) {
		if (cells[i].from == from && cells[i].event == event)
			return &cells[i];
	}
	return NULL;
}

static int want_after(const struct machine *before, enum happening event)
{
	bool failed = before->state == STATE_FAILED || before->state == STATE_FATAL;

	if (event == H_UP || event == H_RESTART)
		return WANT_UP;
	if (event == H_DOWN || (event == H_RESET && failed))
		return WANT_DOWN;
	if (event == H_KILL && (before->state == STATE_STARTING || before->state == STATE_RUNNING))
		return WANT_DOWN;
	return before->want;
}

static bool agrees(const struct machine *before, const struct cell *cell, unsigned actions)
{
	bool quiet = m.state == before->state && m.deadline == before->deadline &&
		     m.since == before->since && m.ready == before->ready && m.aux == before->aux &&
		     m.holding == before->holding && m.life == before->life &&
		     m.cause == before->cause && m.killed == before->killed && actions == 0;

	if (!cell)
		return quiet;
	return m.state == cell->to && actions == cell->actions &&
	       m.cause == (cell->cause == KEEP ? before->cause : cell->cause);
}

static void test_table(void **state)
{
	unsigned wrong = 0;

	(void)state;
	for (unsigned from = 0; from < S_COUNT; from++) {
		for (unsigned event = 0; event < H_COUNT; event++) {
			const struct cell *cell = find(from, event);
			struct machine before;

			if (!possible(from, event)) {
				assert_null(cell);
				continue;
			}
			arrange(from);
			now += 100;
			if (event == H_TIMER && m.deadline)
				now = m.deadline;
			before = m;
			unsigned actions = machine_step(&set, &m, &past, &event_of[event], now);

			if (agrees(&before, cell, actions) && m.want == want_after(&before, event))
				continue;
			print_error("%s + %s: %s, cause %s, actions %#x, want %d\n",
			    situation_name[from], happening_name[event],
			    state_name((enum state)m.state), cause_name((enum cause)m.cause),
			    actions, m.want);
			wrong++;
		}
	}
	assert_int_equal(wrong, 0);
}

/* Before its time a timer means nothing, in any situation. */
static void test_early_timer(void **state)
{
	(void)state;
	for (unsigned from = 0; from < S_COUNT; from++) {
		arrange(from);
		if (m.deadline)
			now = m.deadline - 1;
		struct machine before = m;

		assert_int_equal(machine_step(&set, &m, &past, &event_of[H_TIMER], now), 0);
		assert_memory_equal(&before, &m, sizeof(m));
	}
}

/* machine_active and machine_settled, by situation. */
static void test_predicates(void **state)
{
	(void)state;
	for (unsigned from = 0; from < S_COUNT; from++) {
		bool rest = from == S_STOPPED || from == S_DONE || from == S_FAILED ||
			    from == S_LOST || from == S_FATAL;
		bool wait = from == S_WAITING || from == S_BACKOFF || from == S_RESOURCES;

		arrange(from);
		assert_int_equal(machine_settled(&m), rest);
		assert_int_equal(machine_active(&m), !rest && !wait);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_table),
	    cmocka_unit_test(test_early_timer),
	    cmocka_unit_test(test_predicates),
	};

	return cmocka_run_group_tests_name("machine_table", tests, NULL, NULL);
}
