#include "init/machine.h"

#include "init/schema.h"

enum {
	SPAWN_ERROR_DELAY = 500, /* ms: a missing program is not cured by haste */
	RESOURCE_DELAY = 250,    /* ms: first wait when the system has no process to give */
	KILL_AGAIN = 250,        /* ms between KILLs while something is left */
};

static unsigned begin(const struct machine_settings *s, struct machine *m, int64_t now);

static void enter(struct machine *m, enum state state, int64_t now)
{
	m->state = (uint8_t)state;
	m->since = now;
	m->deadline = 0;
	m->ready = state == STATE_RUNNING || state == STATE_DONE;
}

static void forget_failures(struct machine *m)
{
	m->failures = 0;
	m->restart_count = 0;
}

/* To be told when it leaves its state: to have been ready for longer than min_uptime makes
 * up for the failures before. One that never became ready has not been up, however long
 * it took to find out, nor does the time count that it takes to stop. */
static void note_uptime(const struct machine_settings *s, struct machine *m, int64_t now)
{
	if (m->state == STATE_RUNNING && now - m->since > s->min_uptime)
		forget_failures(m);
}

/* xorshift32: the jitter needs to be spread, not secret. */
static uint32_t next_random(struct machine *m)
{
	uint32_t x = m->seed ? m->seed : 0x9e3779b9;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	m->seed = x;
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

static uint32_t jittered(const struct machine_settings *s, struct machine *m, uint32_t delay)
{
	uint64_t spread = (uint64_t)delay * s->backoff_jitter / 100, result;

	if (!spread)
		return delay;
	result = delay - spread + next_random(m) % (2 * spread + 1);
	return (uint32_t)(result < UINT32_MAX ? result : UINT32_MAX);
}

/* How many restarts lie inside the window that ends now. */
static uint32_t recent_restarts(const struct machine_settings *s, struct machine *m, int64_t now)
{
	uint32_t tenths = (uint32_t)(now / 100), window = s->restart_window / 100;

	while (m->restart_count) {
		uint32_t oldest = (m->restart_head - m->restart_count) % MACHINE_RESTARTS_MAX;

		if (tenths - m->restart_log[oldest] <= window)
			break;
		m->restart_count--;
	}
	return m->restart_count;
}

static void log_restart(struct machine *m, int64_t now)
{
	m->restart_log[m->restart_head % MACHINE_RESTARTS_MAX] = (uint32_t)(now / 100);
	m->restart_head = (m->restart_head + 1) % MACHINE_RESTARTS_MAX;
	if (m->restart_count < MACHINE_RESTARTS_MAX)
		m->restart_count++;
}

static unsigned restart_now(const struct machine_settings *s, struct machine *m, int64_t now)
{
	m->restarts++;
	return begin(s, m, now);
}

/* It has failed: back-off and another life, or the limit. */
static unsigned retry(const struct machine_settings *s, struct machine *m, int64_t now)
{
	if (s->max_restarts != UINT32_MAX && recent_restarts(s, m, now) >= s->max_restarts) {
		enter(m, STATE_FATAL, now);
		return 0;
	}
	log_restart(m, now);
	if (m->failures < UINT32_MAX)
		m->failures++;
	m->delay = jittered(s, m, machine_delay(s, m->failures));
	if (m->cause == CAUSE_SPAWN && m->delay < SPAWN_ERROR_DELAY)
		m->delay = SPAWN_ERROR_DELAY;
	if (!m->delay)
		return restart_now(s, m, now);
	enter(m, STATE_BACKOFF, now);
	m->deadline = now + m->delay;
	return 0;
}

static bool ended_well(const struct machine_settings *s, const struct machine *m)
{
	return m->cause == CAUSE_EXIT && m->exit_kind == LAST_EXITED && m->exit_code >= 0 &&
	       m->exit_code < 256 && (s->success[m->exit_code / 8] >> (m->exit_code % 8) & 1);
}

static unsigned launch(const struct machine_settings *s, struct machine *m, int64_t now)
{
	enter(m, STATE_STARTING, now);
	m->life++;
	m->killed = 0;
	m->post_done = 0;
	m->holding = 0;
	m->started = 0;
	if (s->start_timeout)
		m->deadline = now + s->start_timeout;
	if (s->has_pre_start) {
		m->aux = AUX_PRE_START;
		return ACT_RUN_PRE;
	}
	m->main_alive = 1;
	return ACT_SPAWN;
}

static unsigned begin(const struct machine_settings *s, struct machine *m, int64_t now)
{
	switch ((enum deps)m->deps) {
	case DEPS_READY:
		return launch(s, m, now);
	case DEPS_WAIT:
	case DEPS_DOWN:
		enter(m, STATE_WAITING, now);
		return 0;
	case DEPS_FAILED:
		m->cause = CAUSE_DEPENDENCY;
		enter(m, STATE_FAILED, now);
		return 0;
	}
	return 0;
}

static unsigned wait_resources(struct machine *m, int64_t now)
{
	enter(m, STATE_BACKOFF, now);
	m->deadline = now + m->delay;
	return 0;
}

/* Nothing of the service is left: where does it go from here? */
static unsigned settle(const struct machine_settings *s, struct machine *m, int64_t now)
{
	bool well = ended_well(s, m);

	if (m->want == WANT_DOWN) {
		enter(m, STATE_STOPPED, now);
		return 0;
	}
	switch ((enum cause)m->cause) {
	case CAUSE_OPERATOR:
	case CAUSE_SHUTDOWN:
	case CAUSE_RESTART:
	case CAUSE_RELOAD:
	case CAUSE_RESTART_WITH:
	case CAUSE_DEPENDENCY:
		return begin(s, m, now);
	case CAUSE_RESOURCES:
		return wait_resources(m, now);
	case CAUSE_NONE:
	case CAUSE_EXIT:
	case CAUSE_START_TIMEOUT:
	case CAUSE_PRE_START:
	case CAUSE_SPAWN:
	case CAUSE_STARTUP:
	case CAUSE_LIVENESS:
	case CAUSE_OOM:
	case CAUSE_CONFIG:
		break;
	}
	if (s->oneshot && well)
		enter(m, STATE_DONE, now);
	else if (s->restart == RESTART_ALWAYS || (s->restart == RESTART_ON_FAILURE && !well))
		return retry(s, m, now);
	else
		enter(m, well ? STATE_STOPPED : STATE_FAILED, now);
	return 0;
}

static unsigned finish(const struct machine_settings *s, struct machine *m, int64_t now)
{
	if (!s->has_post_stop || m->post_done)
		return settle(s, m, now);
	m->post_done = 1;
	m->aux = AUX_POST_STOP;
	m->killed = 0;
	m->deadline = now + s->stop_timeout;
	return ACT_RUN_POST;
}

/* The main process is gone (or never was): end what it left behind. */
static unsigned gone(const struct machine_settings *s, struct machine *m, int64_t now)
{
	bool stopping = m->state == STATE_STOPPING && !m->holding;
	int64_t deadline = stopping ? m->deadline : now + s->stop_timeout;
	bool told = stopping && s->kill_mode == KILL_GROUP && !s->has_stop_command;

	enter(m, STATE_CLEANUP, now);
	m->holding = 0;
	if (s->kill_mode == KILL_PROCESS)
		return finish(s, m, now);
	m->deadline = deadline;
	if (m->killed)
		return ACT_KILL_ALL | ACT_CHECK_EMPTY;
	return (told ? 0 : ACT_STOP_ALL) | ACT_CHECK_EMPTY;
}

/* Sends the stop on its way. */
static unsigned signal_stop(const struct machine_settings *s, struct machine *m, int64_t now)
{
	m->holding = 0;
	m->deadline = now + s->stop_timeout;
	if (m->aux == AUX_PRE_START)
		return ACT_STOP_ALL;
	if (!m->main_alive)
		return gone(s, m, now);
	if (s->has_stop_command) {
		m->aux = AUX_STOP_COMMAND;
		return ACT_RUN_STOP;
	}
	return s->kill_mode == KILL_GROUP ? ACT_STOP_ALL : ACT_STOP_MAIN;
}

/* Dependents go first when the stop means that the service stays away. */
static bool must_hold(enum cause cause)
{
	return cause == CAUSE_OPERATOR || cause == CAUSE_SHUTDOWN || cause == CAUSE_DEPENDENCY ||
	       cause == CAUSE_RELOAD;
}

static unsigned stop(
    const struct machine_settings *s, struct machine *m, enum cause cause, int64_t now)
{
	note_uptime(s, m, now);
	enter(m, STATE_STOPPING, now);
	m->cause = (uint8_t)cause;
	if (!must_hold(cause))
		return signal_stop(s, m, now);
	m->holding = 1;
	return ACT_HOLD;
}

static unsigned on_want_up(const struct machine_settings *s, struct machine *m, int64_t now)
{
	m->want = WANT_UP;
	switch ((enum state)m->state) {
	case STATE_FAILED:
	case STATE_FATAL:
		forget_failures(m);
		return begin(s, m, now);
	case STATE_STOPPED:
	case STATE_BACKOFF:
		return begin(s, m, now);
	case STATE_WAITING:
	case STATE_STARTING:
	case STATE_RUNNING:
	case STATE_STOPPING:
	case STATE_CLEANUP:
	case STATE_DONE:
		break;
	}
	return 0;
}

static unsigned on_want_down(
    const struct machine_settings *s, struct machine *m, enum cause cause, int64_t now)
{
	m->want = WANT_DOWN;
	switch ((enum state)m->state) {
	case STATE_WAITING:
	case STATE_BACKOFF:
	case STATE_DONE:
		m->cause = (uint8_t)cause;
		enter(m, STATE_STOPPED, now);
		break;
	case STATE_STARTING:
	case STATE_RUNNING:
		return stop(s, m, cause, now);
	case STATE_STOPPING:
	case STATE_CLEANUP:
		m->cause = (uint8_t)cause;
		break;
	case STATE_STOPPED:
	case STATE_FAILED:
	case STATE_FATAL:
		break;
	}
	return 0;
}

static unsigned on_restart(
    const struct machine_settings *s, struct machine *m, enum cause cause, int64_t now)
{
	m->want = WANT_UP;
	switch ((enum state)m->state) {
	case STATE_STARTING:
	case STATE_RUNNING:
		return stop(s, m, cause, now);
	case STATE_STOPPING:
		m->cause = (uint8_t)cause;
		return m->holding ? signal_stop(s, m, now) : 0;
	case STATE_CLEANUP:
		m->cause = (uint8_t)cause;
		return 0;
	case STATE_STOPPED:
	case STATE_WAITING:
	case STATE_BACKOFF:
	case STATE_DONE:
	case STATE_FAILED:
	case STATE_FATAL:
		break;
	}
	m->cause = (uint8_t)cause;
	forget_failures(m);
	return begin(s, m, now);
}

static unsigned on_deps(
    const struct machine_settings *s, struct machine *m, enum deps deps, int64_t now)
{
	m->deps = (uint8_t)deps;
	switch ((enum state)m->state) {
	case STATE_WAITING:
		if (deps == DEPS_READY || deps == DEPS_FAILED)
			return begin(s, m, now);
		break;
	case STATE_STARTING:
	case STATE_RUNNING:
		if (deps == DEPS_DOWN || deps == DEPS_FAILED)
			return stop(s, m, CAUSE_DEPENDENCY, now);
		break;
	case STATE_FAILED: /* a failure of the dependency is undone when that comes back */
		if (m->cause == CAUSE_DEPENDENCY && m->want == WANT_UP && deps != DEPS_FAILED)
			return begin(s, m, now);
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

static unsigned on_spawned(const struct machine_settings *s, struct machine *m, int64_t now)
{
	m->started = now;
	if (m->state == STATE_STARTING && !s->oneshot && !s->waits_ready)
		enter(m, STATE_RUNNING, now);
	return 0;
}

static void note_exit(struct machine *m, const struct machine_event *e)
{
	m->exit_kind = e->exit_kind;
	m->exit_code = e->exit_code;
	m->exit_core = e->exit_core;
}

static unsigned on_spawn_failed(
    const struct machine_settings *s, struct machine *m, const struct machine_event *e, int64_t now)
{
	note_exit(m, e);
	m->exit_kind = LAST_SPAWN_ERROR;
	m->main_alive = 0;
	/* Running: a probe may pass before a slow exec has come to its bad end. */
	if (m->state == STATE_STARTING || m->state == STATE_RUNNING)
		m->cause = CAUSE_SPAWN;
	else if (m->state != STATE_STOPPING)
		return 0;
	return m->aux == AUX_NONE ? gone(s, m, now) : 0;
}

/* Neither a life nor a failure: the system had nothing to make a process of. */
static unsigned on_spawn_later(const struct machine_settings *s, struct machine *m, int64_t now)
{
	bool again = m->cause == CAUSE_RESOURCES && m->delay;
	uint32_t longest = s->max_backoff < RESOURCE_DELAY ? RESOURCE_DELAY : s->max_backoff;
	bool prepared = s->has_pre_start && m->aux == AUX_NONE;

	m->main_alive = 0;
	m->aux = AUX_NONE;
	if (m->state != STATE_STARTING)
		return m->state == STATE_STOPPING ? gone(s, m, now) : 0;
	if (!again)
		m->delay = RESOURCE_DELAY;
	else
		m->delay = m->delay < longest / 2 ? m->delay * 2 : longest;
	m->cause = CAUSE_RESOURCES;
	/* What pre_start left behind must not meet the next attempt. */
	return prepared ? gone(s, m, now) : wait_resources(m, now);
}

static unsigned on_exited(
    const struct machine_settings *s, struct machine *m, const struct machine_event *e, int64_t now)
{
	note_exit(m, e);
	m->main_alive = 0;
	note_uptime(s, m, now);
	if (m->state == STATE_STARTING || m->state == STATE_RUNNING)
		m->cause = CAUSE_EXIT;
	else if (m->state != STATE_STOPPING)
		return 0;
	return m->aux == AUX_NONE ? gone(s, m, now) : 0;
}

static bool aux_failed(const struct machine_event *e)
{
	return e->exit_kind != LAST_EXITED || e->exit_code != 0;
}

static unsigned on_aux_exited(
    const struct machine_settings *s, struct machine *m, const struct machine_event *e, int64_t now)
{
	enum aux aux = (enum aux)m->aux;

	m->aux = AUX_NONE;
	switch (aux) {
	case AUX_NONE:
		break;
	case AUX_PRE_START:
		if (m->state != STATE_STARTING)
			return gone(s, m, now);
		if (!aux_failed(e)) {
			m->main_alive = 1;
			return ACT_SPAWN;
		}
		note_exit(m, e);
		m->cause = CAUSE_PRE_START;
		return gone(s, m, now);
	case AUX_STOP_COMMAND:
		if (!m->main_alive)
			return gone(s, m, now);
		/* After one that succeeded the service is on its way out by itself. */
		if (!aux_failed(e) || m->killed)
			return 0;
		return s->kill_mode == KILL_GROUP ? ACT_STOP_ALL : ACT_STOP_MAIN;
	case AUX_POST_STOP:
		if (s->kill_mode == KILL_PROCESS)
			return settle(s, m, now);
		m->deadline = now + KILL_AGAIN;
		return ACT_KILL_ALL | ACT_CHECK_EMPTY;
	}
	return 0;
}

static unsigned kill_now(struct machine *m, int64_t now)
{
	m->killed = 1;
	m->holding = 0;
	m->deadline = now + KILL_AGAIN;
	return ACT_KILL_ALL | (m->state == STATE_CLEANUP && !m->aux ? ACT_CHECK_EMPTY : 0);
}

static unsigned on_kill(struct machine *m, int64_t now)
{
	switch ((enum state)m->state) {
	case STATE_STARTING:
	case STATE_RUNNING:
		enter(m, STATE_STOPPING, now);
		m->want = WANT_DOWN;
		m->cause = CAUSE_SHUTDOWN;
		m->post_done = 1; /* nothing new is begun now */
		return kill_now(m, now);
	case STATE_STOPPING:
	case STATE_CLEANUP:
		m->post_done = 1; /* nothing new is begun now */
		return kill_now(m, now);
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

static unsigned on_timer(const struct machine_settings *s, struct machine *m, int64_t now)
{
	if (!m->deadline || now < m->deadline)
		return 0;
	m->deadline = 0;
	switch ((enum state)m->state) {
	case STATE_BACKOFF:
		return m->cause == CAUSE_RESOURCES ? begin(s, m, now) : restart_now(s, m, now);
	case STATE_STARTING:
		return stop(s, m, CAUSE_START_TIMEOUT, now);
	case STATE_STOPPING:
	case STATE_CLEANUP:
		return kill_now(m, now);
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

static unsigned on_reset(struct machine *m, int64_t now)
{
	forget_failures(m);
	m->restarts = 0;
	if (m->state == STATE_FATAL || m->state == STATE_FAILED) {
		m->want = WANT_DOWN;
		enter(m, STATE_STOPPED, now);
	}
	return 0;
}

unsigned machine_step(
    const struct machine_settings *s, struct machine *m, const struct machine_event *e, int64_t now)
{
	switch (e->kind) {
	case EVENT_WANT_UP:
		return on_want_up(s, m, now);
	case EVENT_WANT_DOWN:
		return on_want_down(s, m, e->cause, now);
	case EVENT_RESTART:
		return on_restart(s, m, e->cause, now);
	case EVENT_DEPS:
		return on_deps(s, m, e->deps, now);
	case EVENT_RELEASED:
		return m->state == STATE_STOPPING && m->holding ? signal_stop(s, m, now) : 0;
	case EVENT_SPAWNED:
		return on_spawned(s, m, now);
	case EVENT_SPAWN_FAILED:
		return on_spawn_failed(s, m, e, now);
	case EVENT_SPAWN_LATER:
		return on_spawn_later(s, m, now);
	case EVENT_READY:
		if (m->state == STATE_STARTING && m->main_alive && !s->oneshot)
			enter(m, STATE_RUNNING, now);
		return 0;
	case EVENT_EXITED:
		return on_exited(s, m, e, now);
	case EVENT_AUX_EXITED:
		return on_aux_exited(s, m, e, now);
	case EVENT_EMPTY:
		return m->state == STATE_CLEANUP && !m->aux ? finish(s, m, now) : 0;
	case EVENT_UNHEALTHY:
		return m->main_alive && (m->state == STATE_RUNNING || m->state == STATE_STARTING)
			   ? stop(s, m, e->cause, now)
			   : 0;
	case EVENT_KILL:
		return on_kill(m, now);
	case EVENT_RESET:
		return on_reset(m, now);
	case EVENT_TIMER:
		return on_timer(s, m, now);
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
	    "resources", "startup", "liveness", "oom", "config"};

	return (unsigned)cause < CAUSE_COUNT ? names[cause] : "unknown";
}
