/* What each event means in each state. */
#include "init/machine_internal.h"

#include "init/schema.h"

enum {
	RESOURCE_DELAY = 250, /* ms: first wait when the system has no process to give */
	KILL_AGAIN = 250,     /* ms between KILLs while something is left */
};

static unsigned on_want_up(struct step *t, enum cause cause)
{
	t->m->want = WANT_UP;
	switch ((enum state)t->m->state) {
	case STATE_FAILED:
	case STATE_FATAL:
		life_forget_failures(t);
		return life_begin(t);
	case STATE_STOPPED:
	case STATE_BACKOFF:
		return life_begin(t);
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
		life_enter(t, STATE_STOPPED);
		break;
	case STATE_STARTING:
	case STATE_RUNNING:
		return life_stop(t, cause);
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
		return life_stop(t, cause);
	case STATE_STOPPING:
		t->m->cause = (uint8_t)cause;
		return t->m->holding ? life_signal_stop(t) : 0;
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
	life_forget_failures(t);
	return life_begin(t);
}

static unsigned on_deps(struct step *t, enum deps deps)
{
	t->m->deps = (uint8_t)deps;
	switch ((enum state)t->m->state) {
	case STATE_WAITING:
		if (deps == DEPS_READY || deps == DEPS_FAILED)
			return life_begin(t);
		break;
	case STATE_STARTING:
	case STATE_RUNNING:
		if (deps == DEPS_DOWN || deps == DEPS_FAILED)
			return life_stop(t, CAUSE_DEPENDENCY);
		break;
	case STATE_FAILED: /* a failure of the dependency is undone when that comes back */
		if (t->m->cause == CAUSE_DEPENDENCY && t->m->want == WANT_UP && deps != DEPS_FAILED)
			return life_begin(t);
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
		life_enter(t, STATE_RUNNING);
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
	return t->m->aux == AUX_NONE ? life_gone(t) : 0;
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
		return t->m->state == STATE_STOPPING ? life_gone(t) : 0;
	if (!again)
		t->m->delay = RESOURCE_DELAY;
	else
		t->m->delay = t->m->delay < longest / 2 ? t->m->delay * 2 : longest;
	t->m->cause = CAUSE_RESOURCES;
	/* What pre_start left behind must not meet the next attempt. */
	return prepared ? life_gone(t) : life_back_off(t);
}

static unsigned on_exited(struct step *t, const struct machine_event *e)
{
	note_exit(t, e);
	t->m->main_alive = 0;
	life_note_uptime(t);
	if (t->m->state == STATE_STARTING || t->m->state == STATE_RUNNING)
		t->m->cause = (uint8_t)(e->cause == CAUSE_OOM ? CAUSE_OOM : CAUSE_EXIT);
	else if (t->m->state != STATE_STOPPING)
		return 0;
	return t->m->aux == AUX_NONE ? life_gone(t) : 0;
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
			return life_gone(t);
		if (!aux_failed(e)) {
			t->m->main_alive = 1;
			return ACT_SPAWN;
		}
		note_exit(t, e);
		t->m->cause = (uint8_t)(e->cause == CAUSE_OOM ? CAUSE_OOM : CAUSE_PRE_START);
		return life_gone(t);
	case AUX_STOP_COMMAND:
		if (!t->m->main_alive)
			return life_gone(t);
		/* After one that succeeded the service is on its way out by itself. */
		if (!aux_failed(e) || t->m->killed)
			return 0;
		return t->set->kill_mode == KILL_GROUP ? ACT_STOP_ALL : ACT_STOP_MAIN;
	case AUX_POST_STOP:
		if (t->set->kill_mode == KILL_PROCESS)
			return life_settle(t);
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
		life_enter(t, STATE_STOPPING);
		t->m->want = WANT_DOWN;
		t->m->cause = CAUSE_SHUTDOWN;
		t->m->post_done = 1; /* nothing new is begun */
		return kill_now(t);
	case STATE_STOPPING:
	case STATE_CLEANUP:
		t->m->post_done = 1; /* nothing new is begun */
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
		return t->m->cause == CAUSE_RESOURCES ? life_begin(t) : life_restart(t);
	case STATE_STARTING:
		return life_stop(t, CAUSE_START_TIMEOUT);
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
	life_forget_failures(t);
	t->m->restarts = 0;
	if (t->m->state == STATE_FATAL || t->m->state == STATE_FAILED) {
		t->m->want = WANT_DOWN;
		life_enter(t, STATE_STOPPED);
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
		return m->state == STATE_STOPPING && m->holding ? life_signal_stop(t) : 0;
	case EVENT_SPAWNED:
		return on_spawned(t);
	case EVENT_SPAWN_FAILED:
		return on_spawn_failed(t, e);
	case EVENT_SPAWN_LATER:
		return on_spawn_later(t);
	case EVENT_READY:
		if (m->state == STATE_STARTING && m->main_alive && !settings->oneshot)
			life_enter(t, STATE_RUNNING);
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
		return m->state == STATE_CLEANUP && !m->aux ? life_finish(t) : 0;
	case EVENT_UNHEALTHY:
		return m->main_alive && (m->state == STATE_RUNNING || m->state == STATE_STARTING)
			   ? life_stop(t, e->cause)
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
