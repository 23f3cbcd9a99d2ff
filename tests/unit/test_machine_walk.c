/* Random walks: a machine with random settings in a small world of one main process, one
 * helper and left-overs, under random events; the invariants hold after every step.
 *
 *     test_machine_walk [SEED [STEPS]]     replays one walk and prints each step */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/machine_script.h"

#include "init/schema.h"

#include <signal.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { WALKS = 1000, STEPS = 4000, RING = 64 };

struct world {
	bool serving; /* the readiness probe passes, in this stay in running */
	uint64_t random;
	bool main_alive, born; /* born: its exec has been told of */
	int aux;
	bool left;     /* something of the service is left besides main and aux */
	bool asked;    /* ACT_CHECK_EMPTY, not yet answered */
	bool held;     /* ACT_HOLD, not yet answered */
	bool wanted;   /* what the operator said last */
	bool patience; /* no EVENT_KILL in this life */
	bool oomed;    /* killed for want of memory, is to stay down */
	int posts;     /* post_stop commands of this life */
	uint32_t life;
	int deps;
	int64_t restarted[RING]; /* of automatic restarts that count */
	unsigned restarts;
};

static struct world w;
static uint64_t seed;
static long step_no;
static bool trace;
static struct machine_event last;
static unsigned did;

static const char *const event_name[EVENT_COUNT] = {"want-up", "want-down", "restart", "deps",
    "released", "spawned", "spawn-failed", "spawn-later", "ready", "serving", "not-serving",
    "exited", "aux-exited", "empty", "unhealthy", "kill", "reset", "timer"};

static uint32_t pick(uint32_t n) /* 0 .. n-1 */
{
	uint64_t z = w.random += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return (uint32_t)((z ^ z >> 31) >> 11) % n;
}

static bool chance(uint32_t percent)
{
	return pick(100) < percent;
}

static void hold(bool truth, const char *what)
{
	if (truth)
		return;
	print_error(
	    "seed %llu step %ld: not so: %s\n  after %s (cause %s) in state %s, actions %#x\n"
	    "  replay: test_machine_walk %llu %ld\n",
	    (unsigned long long)seed, step_no, what, event_name[last.kind], cause_name(last.cause),
	    state_name((enum state)m.state), did, (unsigned long long)seed, step_no + 1);
	fail();
}

/* A restart that the limit counts was decided on. */
static void count_restart(int64_t at)
{
	unsigned inside = 0;

	w.restarted[w.restarts++ % RING] = at;
	for (unsigned i = 0; i < RING && i < w.restarts; i++)
		inside += at - w.restarted[i] < (int64_t)set.restart_window - 100;
	hold(set.max_restarts == UINT32_MAX || inside <= set.max_restarts, "the limit holds");
}

static void check_state(void)
{
	bool serves = !set.has_readiness || w.serving;
	bool runs = m.state == STATE_DONE || (m.state == STATE_RUNNING && serves);
	bool rests = machine_settled(&m);

	hold(m.state < STATE_COUNT && m.cause < CAUSE_COUNT, "values in range");
	hold(m.ready == runs, "ready just in running, if it serves, and done");
	hold(m.main_alive == w.main_alive && m.aux == w.aux, "knows its processes");
	hold(machine_active(&m) || (!w.main_alive && !w.aux), "active while it has processes");
	hold(
	    !m.holding || (m.state == STATE_STOPPING && w.held), "held with the world's knowledge");
	hold(!w.main_alive || m.state == STATE_STARTING || m.state == STATE_RUNNING ||
		 m.state == STATE_STOPPING,
	    "a state that may have a process");
	hold(m.state != STATE_RUNNING || (w.main_alive && !w.aux), "running has its process");
	hold(m.state != STATE_STARTING || w.main_alive != (w.aux == AUX_PRE_START),
	    "starting has one process");
	hold(m.state != STATE_STOPPING || w.main_alive || w.aux, "stopping waits for a process");
	hold(m.state != STATE_CLEANUP || w.aux == AUX_POST_STOP || w.asked,
	    "cleanup waits for an end");
	hold((m.state != STATE_WAITING && m.state != STATE_BACKOFF) || m.want == WANT_UP,
	    "only what is wanted waits");
	hold(!rests || m.deadline == 0, "at rest without a deadline");
	hold(m.state != STATE_WAITING || (m.deadline == 0 && m.deps != DEPS_READY),
	    "waits for a reason");
	hold(
	    (m.state != STATE_BACKOFF && m.state != STATE_CLEANUP) || m.deadline, "has a deadline");
	hold(m.state != STATE_STOPPING || (m.deadline == 0) == (m.holding == 1),
	    "a stop is held or bounded");
	hold(m.state != STATE_STARTING || (m.deadline != 0) == (set.start_timeout != 0),
	    "a start is bounded as set");
	hold(m.want == (w.wanted ? WANT_UP : WANT_DOWN), "wants what was asked");
	hold(past.count <= MACHINE_RESTARTS_MAX && past.head <= MACHINE_RESTARTS_MAX, "the ring");
}

static void begin_life(void)
{
	hold(m.life == w.life + 1, "lives are numbered");
	hold(!w.main_alive && !w.aux, "no two lives");
	hold(!w.left || set.kill_mode == KILL_PROCESS, "nothing of the last life is left");
	hold(w.wanted, "launched only when wanted");
	hold(w.deps == DEPS_READY, "launched only when its dependencies are ready");
	hold(!w.oomed, "stays down after a kill for memory, with oom_policy=stop");
	w.life = m.life;
	w.posts = 0;
	w.patience = true;
	w.held = w.asked = false;
}

static void perform(unsigned actions)
{
	if (actions & (ACT_RUN_PRE | ACT_SPAWN)) {
		if (!((actions & ACT_SPAWN) && m.life == w.life)) /* not the one after pre_start */
			begin_life();
		hold(w.wanted, "spawned only when wanted");
		hold(!w.aux && !w.main_alive, "spawned only when alone");
		hold(m.state == STATE_STARTING, "spawned only in starting");
	}
	if (actions & ACT_RUN_PRE)
		w.aux = AUX_PRE_START;
	if (actions & ACT_SPAWN) {
		w.main_alive = true;
		w.born = false;
	}
	if (actions & ACT_RUN_STOP) {
		hold(w.main_alive && !w.aux && m.state == STATE_STOPPING,
		    "a stop_command has whom to stop");
		w.aux = AUX_STOP_COMMAND;
	}
	if (actions & ACT_RUN_POST) {
		hold(!w.main_alive && !w.aux && m.state == STATE_CLEANUP,
		    "post_stop comes after all");
		hold(++w.posts == 1, "one post_stop a life");
		hold(w.patience, "no post_stop after the end of patience");
		w.aux = AUX_POST_STOP;
	}
	if (actions & (ACT_STOP_MAIN | ACT_STOP_ALL))
		hold(!m.killed, "no milder signal after KILL");
	if (actions & ACT_STOP_MAIN)
		hold(w.main_alive && m.state == STATE_STOPPING, "signals a process it has");
	if (actions & ACT_KILL_ALL)
		hold(m.state == STATE_STOPPING || m.state == STATE_CLEANUP, "kills only in a stop");
	if (actions & ACT_CHECK_EMPTY) {
		hold(!w.main_alive && !w.aux && m.state == STATE_CLEANUP,
		    "looks for left-overs at the end");
		w.asked = true;
	}
	if (actions & ACT_HOLD) {
		hold(m.holding, "holds");
		w.held = true;
	}
}

/* What the world and the operator know before the machine does. */
static void foresee(const struct machine_event *e)
{
	bool good = m.state == STATE_RUNNING && now - m.since > set.min_uptime;
	bool rest = m.state != STATE_STARTING && m.state != STATE_RUNNING &&
		    m.state != STATE_STOPPING && m.state != STATE_CLEANUP;
	bool failed = m.state == STATE_FAILED || m.state == STATE_FATAL;

	w.wanted =
	    (w.wanted || e->kind == EVENT_WANT_UP || e->kind == EVENT_RESTART) &&
	    e->kind != EVENT_WANT_DOWN && !(e->kind == EVENT_RESET && failed) &&
	    !(e->kind == EVENT_KILL && (m.state == STATE_STARTING || m.state == STATE_RUNNING));
	if (e->kind == EVENT_DEPS)
		w.deps = (int)e->deps;
	if (e->kind == EVENT_KILL)
		w.patience = false;
	if (e->kind == EVENT_WANT_UP || e->kind == EVENT_RESTART || e->kind == EVENT_RESET)
		w.oomed = false;
	if (good || e->kind == EVENT_RESET || (e->kind == EVENT_RESTART && rest) ||
	    (e->kind == EVENT_WANT_UP && failed))
		w.restarts = 0;
}

/* A kill for memory ends in FAILED with oom_stop, and else as the policy has it. */
static void check_oom(const struct machine *before)
{
	bool ends = before->state == STATE_CLEANUP && m.state != STATE_CLEANUP;

	if (!ends || before->cause != CAUSE_OOM || !w.wanted)
		return;
	hold(!set.oom_stop || m.state == STATE_FAILED, "oom_policy=stop ends in failed");
	hold(set.oom_stop || set.restart == RESTART_NEVER || m.state != STATE_FAILED ||
		 m.cause == CAUSE_DEPENDENCY,
	    "a kill for memory is a failure to restart after");
	hold(m.state != STATE_DONE && m.state != STATE_STOPPED, "a kill for memory is no good end");
}

static void tell(struct machine_event e)
{
	struct machine before = m;
	bool up = m.state == STATE_STARTING || m.state == STATE_RUNNING;

	last = e;
	foresee(&e);
	if (up && e.cause == CAUSE_OOM && set.oom_stop && m.main_alive)
		w.oomed = true;
	did = machine_step(&set, &m, &past, &e, now);
	if (trace)
		printf("%ld @%lld %s -> %s (%s) %#x deadline %lld\n", step_no, (long long)now,
		    event_name[e.kind], state_name((enum state)m.state),
		    cause_name((enum cause)m.cause), did, (long long)m.deadline);
	if (e.kind == EVENT_SPAWN_FAILED || e.kind == EVENT_SPAWN_LATER || e.kind == EVENT_EXITED)
		hold(!m.main_alive || (did & ACT_SPAWN), "the main process is gone");
	perform(did);
	if (m.state != STATE_RUNNING || before.state != STATE_RUNNING ||
	    e.kind == EVENT_NOT_SERVING)
		w.serving = false;
	else if (e.kind == EVENT_SERVING)
		w.serving = true;
	check_state();
	if (up && e.cause == CAUSE_OOM && e.kind == EVENT_EXITED)
		hold(m.cause == CAUSE_OOM || m.cause == CAUSE_DEPENDENCY, "tells of the kill");
	check_oom(&before);
	hold(m.state == before.state || m.since == now, "since is the time of entering");
	if (m.failures > before.failures) {
		hold(m.failures == before.failures + 1 || w.restarts == 0, "failures grow by one");
		count_restart(now);
	}
	if (e.kind == EVENT_TIMER)
		hold(!m.deadline || m.deadline > now, "a deadline that has passed is dealt with");
}

static void main_ends(void)
{
	struct machine_event e = ev_exit(chance(40) ? 0 : (int)pick(256));

	if (!w.born && chance(30))
		e = ev_no_exec(2);
	else if (!w.born && !w.aux && m.state == STATE_STARTING && chance(20))
		e = ev(EVENT_SPAWN_LATER);
	else if (chance(10))
		e = ev_oom();
	else if (chance(30))
		e = ev_killed(1 + (int)pick(31));
	w.main_alive = false;
	w.left = (chance(30) && e.kind == EVENT_EXITED) || w.left;
	tell(e);
}

static void aux_ends(void)
{
	struct machine_event e = ev_aux(chance(70) ? 0 : 1);

	if (w.aux == AUX_PRE_START && m.state == STATE_STARTING && chance(10))
		e = ev(EVENT_SPAWN_LATER);
	w.left = (chance(10) && e.kind == EVENT_AUX_EXITED) || w.left;
	w.aux = AUX_NONE;
	tell(e);
}

/* Something that happens by itself. False: there is nothing. */
static bool nature(void)
{
	switch (pick(6)) {
	case 0:
		if (!w.main_alive || w.born)
			return false;
		w.born = true;
		tell(ev(EVENT_SPAWNED));
		return true;
	case 1:
		if (!w.main_alive)
			return false;
		main_ends();
		return true;
	case 2:
		if (!w.aux)
			return false;
		aux_ends();
		return true;
	case 3:
		if (!w.asked || w.main_alive || w.aux)
			return false;
		w.asked = w.left = false;
		tell(ev(EVENT_EMPTY));
		return true;
	case 4:
		if (!w.held)
			return false;
		w.held = false;
		tell(ev(EVENT_RELEASED));
		return true;
	default:
		if (!m.deadline)
			return false;
		now = m.deadline > now ? m.deadline + pick(3) : now;
		tell(ev(EVENT_TIMER));
		return true;
	}
}

static void operators(void)
{
	static const enum cause down[] = {CAUSE_OPERATOR, CAUSE_RELOAD, CAUSE_SHUTDOWN};
	static const enum cause again[] = {CAUSE_RESTART, CAUSE_RELOAD, CAUSE_RESTART_WITH};
	static const enum cause sick[] = {CAUSE_STARTUP, CAUSE_LIVENESS, CAUSE_OOM};

	switch (pick(9)) {
	case 0:
	case 1:
		tell(ev(EVENT_WANT_UP));
		break;
	case 2:
		tell(ev_cause(EVENT_WANT_DOWN, down[pick(3)]));
		break;
	case 3:
		tell(ev_cause(EVENT_RESTART, again[pick(3)]));
		break;
	case 4:
		tell(ev_deps(chance(60) ? DEPS_READY : pick(4)));
		break;
	case 5:
		tell(ev(EVENT_READY));
		tell(ev(chance(60) ? EVENT_SERVING : EVENT_NOT_SERVING));
		break;
	case 6:
		tell(ev_cause(EVENT_UNHEALTHY, sick[pick(3)]));
		break;
	case 7:
		if (chance(20))
			tell(ev(EVENT_KILL));
		break;
	default:
		if (chance(20))
			tell(ev(EVENT_RESET));
	}
}

/* However it stands: told to go down, and left to nature, it is down soon; told to go up,
 * it is up soon or has given up. */
static void must_come_to_rest(bool up)
{
	tell(up ? ev(EVENT_WANT_UP) : ev_cause(EVENT_WANT_DOWN, CAUSE_OPERATOR));
	if (up)
		tell(ev_deps(DEPS_READY));
	for (int i = 0; i < 2000 && !machine_settled(&m) && m.state != STATE_RUNNING; i++) {
		while (!nature())
			;
		if (up && m.state == STATE_STARTING && set.waits_ready)
			tell(ev(EVENT_READY));
	}
	hold(up ? machine_settled(&m) || m.state == STATE_RUNNING
		: machine_settled(&m) && !w.main_alive && !w.aux,
	    up ? "comes up or gives up" : "goes down");
}

static void settings(void)
{
	static const uint32_t few[] = {0, 1, 10, 1000};

	fresh();
	set.oneshot = chance(25);
	set.has_pre_start = chance(30);
	set.has_post_stop = chance(30);
	set.has_stop_command = chance(30);
	set.waits_ready = chance(30);
	set.oom_stop = chance(30);
	set.has_readiness = chance(30);
	set.restart = (uint8_t)pick(3);
	set.kill_mode = (uint8_t)pick(3);
	set.start_timeout = chance(20) ? 0 : 1 + pick(20000);
	set.stop_timeout = 1 + pick(20000);
	set.restart_delay = few[pick(4)];
	set.max_backoff = pick(20000);
	set.min_uptime = pick(5000);
	set.restart_window = 1000 + pick(600000);
	set.backoff_multiplier = 1000 + pick(3000);
	set.backoff_jitter = chance(50) ? 0 : pick(101);
	set.max_restarts = chance(30) ? UINT32_MAX : pick(MACHINE_RESTARTS_MAX + 1);
	m.seed = pick(UINT32_MAX);
	m.deps = (uint8_t)pick(4);
	w.deps = m.deps;
}

static void walk(uint64_t with_seed, long steps)
{
	seed = with_seed;
	w = (struct world){.random = seed, .patience = true};
	settings();
	for (step_no = 0; step_no < steps; step_no++) {
		now += chance(70) ? 0 : pick(chance(90) ? 500 : 30000);
		if (chance(12))
			operators();
		else if (chance(1))
			must_come_to_rest(chance(50));
		else
			nature();
	}
}

static void test_walks(void **state)
{
	clock_t began = clock();

	(void)state;
	for (uint64_t i = 0; i < WALKS; i++)
		walk(i, STEPS);
	print_message("%d steps, %.1f million a second\n", WALKS * STEPS,
	    WALKS * STEPS / 1e6 / ((double)(clock() - began) / CLOCKS_PER_SEC));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_walks)};

	if (argc > 1) {
		trace = true;
		walk(strtoull(argv[1], NULL, 10), argc > 2 ? atol(argv[2]) : STEPS);
		return 0;
	}
	return cmocka_run_group_tests_name("machine_walk", tests, NULL, NULL);
}
