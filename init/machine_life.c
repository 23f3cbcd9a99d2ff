/* The ways of a service from one state to the next, and what follows for its failures. */
#include "init/machine_internal.h"

#include "init/backoff.h"
#include "init/schema.h"

enum { SPAWN_ERROR_DELAY = 500 }; /* ms: a missing program is not cured by haste */

void life_enter(struct step *t, enum state state)
{
	t->m->state = (uint8_t)state;
	t->m->since = t->now;
	t->m->deadline = 0;
	t->m->ready = state == STATE_DONE || (state == STATE_RUNNING && !t->set->has_readiness);
}

void life_forget_failures(struct step *t)
{
	if (!t->m->failures)
		return; /* nor is there a past: its memory stays untouched */
	t->m->failures = 0;
	t->past->count = 0;
}

void life_note_uptime(struct step *t)
{
	if (t->m->state == STATE_RUNNING && t->now - t->m->since > t->set->min_uptime)
		life_forget_failures(t);
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
	return backoff_delay(s->restart_delay, s->backoff_multiplier, s->max_backoff, n);
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

unsigned life_restart(struct step *t)
{
	t->m->restarts++;
	return life_begin(t);
}

unsigned life_back_off(struct step *t)
{
	life_enter(t, STATE_BACKOFF);
	t->m->deadline = t->now + t->m->delay;
	return 0;
}

/* It has failed: back-off and another life, or the limit. */
static unsigned retry(struct step *t)
{
	if (t->set->max_restarts != UINT32_MAX && recent_restarts(t) >= t->set->max_restarts) {
		life_enter(t, STATE_FATAL);
		return 0;
	}
	log_restart(t);
	if (t->m->failures < UINT32_MAX)
		t->m->failures++;
	t->m->delay = jittered(t, machine_delay(t->set, t->m->failures));
	if (t->m->cause == CAUSE_SPAWN && t->m->delay < SPAWN_ERROR_DELAY)
		t->m->delay = SPAWN_ERROR_DELAY;
	if (!t->m->delay)
		return life_restart(t);
	return life_back_off(t);
}

static bool ended_well(const struct step *t)
{
	return t->m->cause == CAUSE_EXIT && t->m->exit_kind == LAST_EXITED &&
	       t->m->exit_code >= 0 && t->m->exit_code < 256 &&
	       (t->set->success[t->m->exit_code / 8] >> (t->m->exit_code % 8) & 1);
}

static unsigned launch(struct step *t)
{
	life_enter(t, STATE_STARTING);
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

unsigned life_begin(struct step *t)
{
	switch ((enum deps)t->m->deps) {
	case DEPS_READY:
		return launch(t);
	case DEPS_WAIT:
	case DEPS_DOWN:
		life_enter(t, STATE_WAITING);
		return 0;
	case DEPS_FAILED:
		t->m->cause = CAUSE_DEPENDENCY;
		life_enter(t, STATE_FAILED);
		return 0;
	}
	return 0;
}

unsigned life_settle(struct step *t)
{
	bool well = ended_well(t);

	if (t->m->want == WANT_DOWN) {
		life_enter(t, STATE_STOPPED);
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
		return life_begin(t);
	case CAUSE_RESOURCES:
		return life_back_off(t);
	case CAUSE_OOM:
		if (!t->set->oom_stop)
			break;
		life_enter(t, STATE_FAILED);
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
		life_enter(t, STATE_DONE);
	else if (t->set->restart == RESTART_ALWAYS ||
		 (t->set->restart == RESTART_ON_FAILURE && !well))
		return retry(t);
	else
		life_enter(t, well ? STATE_STOPPED : STATE_FAILED);
	return 0;
}

unsigned life_finish(struct step *t)
{
	if (!t->set->has_post_stop || t->m->post_done)
		return life_settle(t);
	t->m->post_done = 1;
	t->m->aux = AUX_POST_STOP;
	t->m->killed = 0;
	t->m->deadline = t->now + t->set->stop_timeout;
	return ACT_RUN_POST;
}

unsigned life_gone(struct step *t)
{
	bool stopping = t->m->state == STATE_STOPPING && !t->m->holding;
	int64_t deadline = stopping ? t->m->deadline : t->now + t->set->stop_timeout;
	bool told = stopping && t->set->kill_mode == KILL_GROUP && !t->set->has_stop_command;

	life_enter(t, STATE_CLEANUP);
	t->m->holding = 0;
	if (t->set->kill_mode == KILL_PROCESS)
		return life_finish(t);
	t->m->deadline = deadline;
	if (t->m->killed)
		return ACT_KILL_ALL | ACT_CHECK_EMPTY;
	return (told ? 0 : ACT_STOP_ALL) | ACT_CHECK_EMPTY;
}

unsigned life_signal_stop(struct step *t)
{
	t->m->holding = 0;
	t->m->deadline = t->now + t->set->stop_timeout;
	if (t->m->aux == AUX_PRE_START)
		return ACT_STOP_ALL;
	if (!t->m->main_alive)
		return life_gone(t);
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

unsigned life_stop(struct step *t, enum cause cause)
{
	life_note_uptime(t);
	life_enter(t, STATE_STOPPING);
	t->m->cause = (uint8_t)cause;
	if (!must_hold(cause))
		return life_signal_stop(t);
	t->m->holding = 1;
	return ACT_HOLD;
}
