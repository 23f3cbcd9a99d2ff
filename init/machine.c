#include "init/machine.h"

#include "init/schema.h"

enum {
	SPAWN_ERROR_DELAY = 500, /* ms: a missing program is not cured by haste */
	RESOURCE_DELAY = 250,    /* ms: first wait when the system has no process to give */
	KILL_AGAIN = 250,        /* ms between KILLs while something is left */
};

/* What one step is about. */
struct step {
	const struct machine_settings *set;
	struct machine *m;
	struct machine_history *past;
	int64_t now;
};

static unsigned begin(struct step *t);

static void enter(struct step *t, enum state state)
{
	t->m->state = (uint8_t)state;
	t->m->since = t->now;
	t->m->deadline = 0;
	t->m->ready = state == STATE_DONE || (state == STATE_RUNNING && !t->set->has_readiness);
}

static void forget_failures(struct step *t)
{
	if (!t->m->failures)
		return; /* nor is there a past: its memory stays untouched */
	t->m->failures = 0;
	t->past->count = 0;
}

/* To be told when it leaves its state: to have been ready for longer than min_uptime makes
 * up for the failures before. One that never became ready has not been up, however long
 * it took to find out, nor does the time count that it takes to stop. */
static void note_uptime(struct step *t)
{
	if (t->m->state == STATE_RUNNING && t->now - t->m->since > t->set->min_uptime)
		forget_failures(t);
}

/* xorshift32: the jitter needs to be spread, not secret. */
static uint32_t next_random(struct step *t)
{
	uint32_t x = t->m->seed ? t->m->seed : 0x9e3779b9;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	t->m->seed = x;
	return x;
}

uint32_t machine_delay(const struct machine_settings *s, uint32_t n)
{
	uint64_t delay = s->restart_delay;

	for (uint32_t i = 1; i < n && delay && delay < s->max_backoff; i++) {
		uint64_t longer = delay * s->backoff_multiplier / 1000;

		if (longer <= delay)
			break; /* a multiplier of 1, or too little to show: it stays as it is */
		delay = longer;
	}
	return (uint32_t)(delay < s->max_backoff ? delay : s->max_backoff);
}

static uint32_t jittered(struct step *t, uint32_t delay)
{
	uint64_t spread = (uint64_t)delay * t->set->backoff_jitter / 100, result;

	if (!spread)
		return delay;
	result = delay - spread + next_random(t) % (2 * spread + 1);
	return (uint32_t)(result < UINT32_MAX ? result : UINT32_MAX);
}

/* How many restarts lie inside the window that ends now. */
static uint32_t recent_restarts(struct step *t)
{
	uint32_t tenths = (uint32_t)(t->now / 100), window = t->set->restart_window / 100;

	while (t->past->count) {
		uint32_t oldest = (t->past->head - t->past->count) % MACHINE_RESTARTS_MAX;

		if (tenths - t->past->time[oldest] <= window)
			break;
		t->past->count--;
	}
	return t->past->count;
}

static void log_restart(struct step *t)
{
	t->past->time[t->past->head % MACHINE_RESTARTS_MAX] = (uint32_t)(t->now / 100);
	t->past->head = (t->past->head + 1) % MACHINE_RESTARTS_MAX;
	if (t->past->count < MACHINE_RESTARTS_MAX)
		t->past->count++;
}

static unsigned restart_now(struct step *t)
{
	t->m->restarts++;
	return begin(t);
}

/* It has failed: back-off and another life, or the limit. */
static unsigned retry(struct step *t)
{
	if (t->set->max_restarts != UINT32_MAX && recent_restarts(t) >= t->set->max_restarts) {
		enter(t, STATE_FATAL);
		return 0;
	}
	log_restart(t);
	if (t->m->failures < UINT32_MAX)
		t->m->failures++;
	t->m->delay = jittered(t, machine_delay(t->set, t->m->failures));
	if (t->m->cause == CAUSE_SPAWN && t->m->delay < SPAWN_ERROR_DELAY)
		t->m->delay = SPAWN_ERROR_DELAY;
	if (!t->m->delay)
		return restart_now(t);
	enter(t, STATE_BACKOFF);
	t->m->deadline = t->now + t->m->delay;
	return 0;
}

static bool ended_well(const struct step *t)
{
	return t->m->cause == CAUSE_EXIT && t->m->exit_kind == LAST_EXITED &&
	       t->m->exit_code >= 0 && t->m->exit_code < 256 &&
	       (t->set->success[t->m->exit_code / 8] >> (t->m->exit_code % 8) & 1);
}

static unsigned launch(struct step *t)
{
	enter(t, STATE_STARTING);
	t->m->life++;
	t->m->killed = 0;
	t->m->post_done = 0;
	t->m->holding = 0;
	t->m->started = 0;
	if (t->set->start_timeout)
		t->m->deadline = t->now + t->set->start_timeout;
	if (t->set->has_pre_start) {
		t->m->aux = AUX_PRE_START;
		return ACT_RUN_PRE;
	}
	t->m->main_alive = 1;
	return ACT_SPAWN;
}

static unsigned begin(struct step *t)
{
	switch ((enum deps)t->m->deps) {
	case DEPS_READY:
		return launch(t);
	case DEPS_WAIT:
	case DEPS_DOWN:
		enter(t, STATE_WAITING);
		return 0;
	case DEPS_FAILED:
		t->m->cause = CAUSE_DEPENDENCY;
		enter(t, STATE_FAILED);
		return 0;
	}
	return 0;
}

static unsigned wait_resources(struct step *t)
{
	enter(t, STATE_BACKOFF);
	t->m->deadline = t->now + t->m->delay;
	return 0;
}

/* Nothing of the service is left: where does it go from here? */
static unsigned settle(struct step *t)
{
	bool well = ended_well(t);

	if (t->m->want == WANT_DOWN) {
		enter(t, STATE_STOPPED);
		return 0;
	}
	switch ((enum cause)t->m->cause) {
	case CAUSE_OPERATOR:
	case CAUSE_SHUTDOWN:
	case CAUSE_RESTART:
	case CAUSE_RELOAD:
	case CAUSE_REMOVED:
	case CAUSE_RESTART_WITH:
	case CAUSE_DEPENDENCY:
		return begin(t);
	case CAUSE_RESOURCES:
		return wait_resources(t);
	case CAUSE_OOM:
		if (!t->set->oom_stop)
			break;
		enter(t, STATE_FAILED);
		return 0;
	case CAUSE_NONE:
	case CAUSE_EXIT:
	case CAUSE_START_TIMEOUT:
	case CAUSE_PRE_START:
	case CAUSE_SPAWN:
	case CAUSE_STARTUP:
	case CAUSE_LIVENESS:
	case CAUSE_CONFIG:
		break;
	}
	if (t->set->oneshot && well)
		enter(t, STATE_DONE);
	else if (t->set->restart == RESTART_ALWAYS ||
		 (t->set->restart == RESTART_ON_FAILURE && !well))
		return retry(t);
	else
		enter(t, well ? STATE_STOPPED : STATE_FAILED);
	return 0;
}

static unsigned finish(struct step *t)
{
	if (!t->set->has_post_stop || t->m->post_done)
		return settle(t);
	t->m->post_done = 1;
	t->m->aux = AUX_POST_STOP;
	t->m->killed = 0;
	t->m->deadline = t->now + t->set->stop_timeout;
	return ACT_RUN_POST;
}

/* The main process is gone (or never was): end what it left behind. */
static unsigned gone(struct step *t)
{
	bool stopping = t->m->state == STATE_STOPPING && !t->m->holding;
	int64_t deadline = stopping ? t->m->deadline : t->now + t->set->stop_timeout;
	bool told = stopping && t->set->kill_mode == KILL_GROUP && !t->set->has_stop_command;

	enter(t, STATE_CLEANUP);
	t->m->holding = 0;
	if (t->set->kill_mode == KILL_PROCESS)
		return finish(t);
	t->m->deadline = deadline;
	if (t->m->killed)
		return ACT_KILL_ALL | ACT_CHECK_EMPTY;
	return (told ? 0 : ACT_STOP_ALL) | ACT_CHECK_EMPTY;
}

/* Sends the stop on its way. */
static unsigned signal_stop(struct step *t)
{
	t->m->holding = 0;
	t->m->deadline = t->now + t->set->stop_timeout;
	if (t->m->aux == AUX_PRE_START)
		return ACT_STOP_ALL;
	if (!t->m->main_alive)
		return gone(t);
	if (t->set->has_stop_command) {
		t->m->aux = AUX_STOP_COMMAND;
		return ACT_RUN_STOP;
	}
	return t->set->kill_mode == KILL_GROUP ? ACT_STOP_ALL : ACT_STOP_MAIN;
}

/* Dependents go first when the stop means that the service stays away. */
static bool must_hold(enum cause cause)
{
	return cause == CAUSE_OPERATOR || cause == CAUSE_SHUTDOWN || cause == CAUSE_DEPENDENCY ||
	       cause == CAUSE_RELOAD || cause == CAUSE_REMOVED;
}

static unsigned stop(struct step *t, enum cause cause)
{
	note_uptime(t);
	enter(t, STATE_STOPPING);
	t->m->cause = (uint8_t)cause;
	if (!must_hold(cause))
		return signal_stop(t);
	t->m->holding = 1;
	return ACT_HOLD;
}

static unsigned on_want_up(struct step *t, enum cause cause)
{
	t->m->want = WANT_UP;
	switch ((enum state)t->m->state) {
	case STATE_FAILED:
	case STATE_FATAL:
		forget_failures(t);
		return begin(t);
	case STATE_STOPPED:
	case STATE_BACKOFF:
		return begin(t);
	case STATE_STOPPING: /* who asks by hand gets a new life, whatever the policy */
	case STATE_CLEANUP:
		if (cause == CAUSE_OPERATOR)
			t->m->cause = CAUSE_OPERATOR;
		break;
	case STATE_WAITING:
	case STATE_STARTING:
	case STATE_RUNNING:
	case STATE_DONE:
		break;
	}
	return 0;
}

static unsigned on_want_down(struct step *t, enum cause cause)
{
	t->m->want = WANT_DOWN;
	switch ((enum state)t->m->state) {
	case STATE_WAITING:
	case STATE_BACKOFF:
	case STATE_DONE:
		t->m->cause = (uint8_t)cause;
		enter(t, STATE_STOPPED);
		break;
	case STATE_STARTING:
	case STATE_RUNNING:
		return stop(t, cause);
	case STATE_STOPPING:
	case STATE_CLEANUP:
		t->m->cause = (uint8_t)cause;
		break;
	case STATE_STOPPED:
	case STATE_FAILED:
	case STATE_FATAL:
		break;
	}
	return 0;
}

static unsigned on_restart(struct step *t, enum cause cause)
{
	t->m->want = WANT_UP;
	switch ((enum state)t->m->state) {
	case STATE_STARTING:
	case STATE_RUNNING:
		return stop(t, cause);
	case STATE_STOPPING:
		t->m->cause = (uint8_t)cause;
		return t->m->holding ? signal_stop(t) : 0;
	case STATE_CLEANUP:
		t->m->cause = (uint8_t)cause;
		return 0;
	case STATE_STOPPED:
	case STATE_WAITING:
	case STATE_BACKOFF:
	case STATE_DONE:
	case STATE_FAILED:
	case STATE_FATAL:
		break;
	}
	t->m->cause = (uint8_t)cause;
	forget_failures(t);
	return begin(t);
}

static unsigned on_deps(struct step *t, enum deps deps)
{
	t->m->deps = (uint8_t)deps;
	switch ((enum state)t->m->state) {
	case STATE_WAITING:
		if (deps == DEPS_READY || deps == DEPS_FAILED)
			return begin(t);
		break;
	case STATE_STARTING:
	case STATE_RUNNING:
		if (deps == DEPS_DOWN || deps == DEPS_FAILED)
			return stop(t, CAUSE_DEPENDENCY);
		break;
	case STATE_FAILED: /* a failure of the dependency is undone when that comes back */
		if (t->m->cause == CAUSE_DEPENDENCY && t->m->want == WANT_UP && deps != DEPS_FAILED)
			return begin(t);
		break;
	case STATE_STOPPED:
	case STATE_STOPPING:
	case STATE_CLEANUP:
	case STATE_BACKOFF:
	case STATE_DONE:
	case STATE_FATAL:
		break;
	}
	return 0;
}

static unsigned on_spawned(struct step *t)
{
	t->m->started = t->now;
	if (t->m->state == STATE_STARTING && !t->set->oneshot && !t->set->waits_ready)
		enter(t, STATE_RUNNING);
	return 0;
}

static void note_exit(struct step *t, const struct machine_event *e)
{
	t->m->exit_kind = e->exit_kind;
	t->m->exit_code = e->exit_code;
	t->m->exit_core = e->exit_core;
}

static unsigned on_spawn_failed(struct step *t, const struct machine_event *e)
{
	note_exit(t, e);
	t->m->exit_kind = LAST_SPAWN_ERROR;
	t->m->main_alive = 0;
	/* Running: a probe may pass before a slow exec has come to its bad end. */
	if (t->m->state == STATE_STARTING || t->m->state == STATE_RUNNING)
		t->m->cause = CAUSE_SPAWN;
	else if (t->m->state != STATE_STOPPING)
		return 0;
	return t->m->aux == AUX_NONE ? gone(t) : 0;
}

/* Neither a life nor a failure: the system had nothing to make a process of. */
static unsigned on_spawn_later(struct step *t)
{
	bool again = t->m->cause == CAUSE_RESOURCES && t->m->delay;
	uint32_t longest =
	    t->set->max_backoff < RESOURCE_DELAY ? RESOURCE_DELAY : t->set->max_backoff;
	bool prepared = t->set->has_pre_start && t->m->aux == AUX_NONE;

	t->m->main_alive = 0;
	t->m->aux = AUX_NONE;
	if (t->m->state != STATE_STARTING)
		return t->m->state == STATE_STOPPING ? gone(t) : 0;
	if (!again)
		t->m->delay = RESOURCE_DELAY;
	else
		t->m->delay = t->m->delay < longest / 2 ? t->m->delay * 2 : longest;
	t->m->cause = CAUSE_RESOURCES;
	/* What pre_start left behind must not meet the next attempt. */
	return prepared ? gone(t) : wait_resources(t);
}

static unsigned on_exited(struct step *t, const struct machine_event *e)
{
	note_exit(t, e);
	t->m->main_alive = 0;
	note_uptime(t);
	if (t->m->state == STATE_STARTING || t->m->state == STATE_RUNNING)
		t->m->cause = (uint8_t)(e->cause == CAUSE_OOM ? CAUSE_OOM : CAUSE_EXIT);
	else if (t->m->state != STATE_STOPPING)
		return 0;
	return t->m->aux == AUX_NONE ? gone(t) : 0;
}

static bool aux_failed(const struct machine_event *e)
{
	return e->exit_kind != LAST_EXITED || e->exit_code != 0;
}

static unsigned on_aux_exited(struct step *t, const struct machine_event *e)
{
	enum aux aux = (enum aux)t->m->aux;

	t->m->aux = AUX_NONE;
	switch (aux) {
	case AUX_NONE:
		break;
	case AUX_PRE_START:
		if (t->m->state != STATE_STARTING)
			return gone(t);
		if (!aux_failed(e)) {
			t->m->main_alive = 1;
			return ACT_SPAWN;
		}
		note_exit(t, e);
		t->m->cause = (uint8_t)(e->cause == CAUSE_OOM ? CAUSE_OOM : CAUSE_PRE_START);
		return gone(t);
	case AUX_STOP_COMMAND:
		if (!t->m->main_alive)
			return gone(t);
		/* After one that succeeded the service is on its way out by itself. */
		if (!aux_failed(e) || t->m->killed)
			return 0;
		return t->set->kill_mode == KILL_GROUP ? ACT_STOP_ALL : ACT_STOP_MAIN;
	case AUX_POST_STOP:
		if (t->set->kill_mode == KILL_PROCESS)
			return settle(t);
		t->m->deadline = t->now + KILL_AGAIN;
		return ACT_KILL_ALL | ACT_CHECK_EMPTY;
	}
	return 0;
}

static unsigned kill_now(struct step *t)
{
	t->m->killed = 1;
	t->m->holding = 0;
	t->m->deadline = t->now + KILL_AGAIN;
	return ACT_KILL_ALL | (t->m->state == STATE_CLEANUP && !t->m->aux ? ACT_CHECK_EMPTY : 0);
}

static unsigned on_kill(struct step *t)
{
	switch ((enum state)t->m->state) {
	case STATE_STARTING:
	case STATE_RUNNING:
		enter(t, STATE_STOPPING);
		t->m->want = WANT_DOWN;
		t->m->cause = CAUSE_SHUTDOWN;
		t->m->post_done = 1; /* nothing new is begun t->now */
		return kill_now(t);
	case STATE_STOPPING:
	case STATE_CLEANUP:
		t->m->post_done = 1; /* nothing new is begun t->now */
		return kill_now(t);
	case STATE_STOPPED:
	case STATE_WAITING:
	case STATE_BACKOFF:
	case STATE_DONE:
	case STATE_FAILED:
	case STATE_FATAL:
		break;
	}
	return 0;
}

static unsigned on_timer(struct step *t)
{
	if (!t->m->deadline || t->now < t->m->deadline)
		return 0;
	t->m->deadline = 0;
	switch ((enum state)t->m->state) {
	case STATE_BACKOFF:
		return t->m->cause == CAUSE_RESOURCES ? begin(t) : restart_now(t);
	case STATE_STARTING:
		return stop(t, CAUSE_START_TIMEOUT);
	case STATE_STOPPING:
	case STATE_CLEANUP:
		return kill_now(t);
	case STATE_STOPPED:
	case STATE_WAITING:
	case STATE_RUNNING:
	case STATE_DONE:
	case STATE_FAILED:
	case STATE_FATAL:
		break;
	}
	return 0;
}

static unsigned on_reset(struct step *t)
{
	forget_failures(t);
	t->m->restarts = 0;
	if (t->m->state == STATE_FATAL || t->m->state == STATE_FAILED) {
		t->m->want = WANT_DOWN;
		enter(t, STATE_STOPPED);
	}
	return 0;
}

unsigned machine_step(const struct machine_settings *settings, struct machine *m,
    struct machine_history *history, const struct machine_event *e, int64_t now)
{
	struct step *t = &(struct step){settings, m, history, now};

	switch (e->kind) {
	case EVENT_WANT_UP:
		return on_want_up(t, e->cause);
	case EVENT_WANT_DOWN:
		return on_want_down(t, e->cause);
	case EVENT_RESTART:
		return on_restart(t, e->cause);
	case EVENT_DEPS:
		return on_deps(t, e->deps);
	case EVENT_RELEASED:
		return m->state == STATE_STOPPING && m->holding ? signal_stop(t) : 0;
	case EVENT_SPAWNED:
		return on_spawned(t);
	case EVENT_SPAWN_FAILED:
		return on_spawn_failed(t, e);
	case EVENT_SPAWN_LATER:
		return on_spawn_later(t);
	case EVENT_READY:
		if (m->state == STATE_STARTING && m->main_alive && !settings->oneshot)
			enter(t, STATE_RUNNING);
		return 0;
	case EVENT_SERVING:
		m->ready |= m->state == STATE_RUNNING;
		return 0;
	case EVENT_NOT_SERVING:
		if (m->state == STATE_RUNNING && settings->has_readiness)
			m->ready = 0;
		return 0;
	case EVENT_EXITED:
		return on_exited(t, e);
	case EVENT_AUX_EXITED:
		return on_aux_exited(t, e);
	case EVENT_EMPTY:
		return m->state == STATE_CLEANUP && !m->aux ? finish(t) : 0;
	case EVENT_UNHEALTHY:
		return m->main_alive && (m->state == STATE_RUNNING || m->state == STATE_STARTING)
			   ? stop(t, e->cause)
			   : 0;
	case EVENT_KILL:
		return on_kill(t);
	case EVENT_RESET:
		return on_reset(t);
	case EVENT_TIMER:
		return on_timer(t);
	}
	return 0;
}

bool machine_active(const struct machine *m)
{
	return m->main_alive || m->aux != AUX_NONE || m->state == STATE_CLEANUP ||
	       m->state == STATE_STOPPING;
}

bool machine_settled(const struct machine *m)
{
	return m->state == STATE_STOPPED || m->state == STATE_DONE || m->state == STATE_FAILED ||
	       m->state == STATE_FATAL;
}

const char *state_name(enum state state)
{
	static const char names[STATE_COUNT][10] = {"stopped", "waiting", "starting", "running",
	    "stopping", "cleanup", "backoff", "done", "failed", "fatal"};

	return (unsigned)state < STATE_COUNT ? names[state] : "unknown";
}

const char *cause_name(enum cause cause)
{
	static const char names[CAUSE_COUNT][14] = {"none", "exit", "operator", "restart", "reload",
	    "shutdown", "dependency", "restart-with", "start-timeout", "pre-start", "spawn",
	    "resources", "startup", "liveness", "oom", "config", "removed"};

	return (unsigned)cause < CAUSE_COUNT ? names[cause] : "unknown";
}
