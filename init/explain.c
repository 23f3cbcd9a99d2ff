/* Why a service is in its state. */
#include "init/explain_internal.h"

/* " in 4s", or " now": full seconds are rounded up, since 3.99 s are 4 s to people. */
static void add_wait(struct text *text, int64_t deadline, int64_t now)
{
	if (deadline <= now) {
		text_add(text, " now");
		return;
	}
	int64_t ms = deadline - now;
	text_add(text, " in ");
	if (ms > 1000 && ms < INT64_MAX - 1000)
		ms = (ms + 999) / 1000 * 1000;
	explain_duration(text, ms);
}

static void add_stopped(struct text *text, const struct board_service *s, const struct why *why)
{
	if (s->by_hand || why->cause == CAUSE_OPERATOR) {
		text_addf(text, "stopped by hand: sinitctl start %s starts it again", s->name);
	} else if (why->cause == CAUSE_SHUTDOWN || why->cause == CAUSE_RELOAD ||
		   why->cause == CAUSE_REMOVED) {
		explain_why(text, why);
	} else if (s->m.life == 0 && why->kind == LAST_NONE) {
		text_addf(text, "%s: sinitctl start %s starts it",
		    s->enabled ? "not started yet" : "not enabled", s->name);
	} else {
		explain_why(text, why);
		text_addf(text, "; sinitctl start %s starts it again", s->name);
	}
}

static void add_starting(struct text *text, const struct board_service *s, const struct why *why)
{
	const struct board_probe *startup = &s->probe[PROBE_STARTUP];

	if (s->m.aux == AUX_PRE_START) {
		text_add(text, "pre_start is running");
	} else if (s->m.started == 0) {
		text_add(text, "its command is being executed");
	} else if (startup->health == HEALTH_UNKNOWN || startup->health == HEALTH_FAILING) {
		text_add(text, "its startup probe has not passed yet");
		explain_fault(text, startup, why->thief);
	} else {
		text_add(text, "not ready yet");
	}
}

/* A stop that somebody wished is not what it was last restarted for. */
static bool is_failure(enum cause cause)
{
	return cause != CAUSE_OPERATOR && cause != CAUSE_RESTART && cause != CAUSE_RELOAD &&
	       cause != CAUSE_REMOVED && cause != CAUSE_RESTART_WITH && cause != CAUSE_SHUTDOWN;
}

static void add_running(struct text *text, const struct board_service *s, const struct why *why)
{
	if (s->probe[PROBE_LIVENESS].health == HEALTH_FAILING) {
		text_add(text, "its liveness probe fails");
		explain_fault(text, &s->probe[PROBE_LIVENESS], why->thief);
	} else if (s->probe[PROBE_READINESS].health == HEALTH_FAILING) {
		text_add(text, "its readiness probe fails");
		explain_fault(text, &s->probe[PROBE_READINESS], why->thief);
	} else if (s->said & SAID_STOPPING) {
		text_add(text, "it is stopping by itself (STOPPING=1)");
	} else if (s->said & SAID_RELOADING) {
		text_add(text, "it is reloading (RELOADING=1)");
	} else if (s->m.restarts > 0 && why->cause != CAUSE_NONE) {
		text_addf(
		    text, "restarted %u time%s", s->m.restarts, s->m.restarts == 1 ? "" : "s");
		if (is_failure(why->cause)) {
			text_add(text, ", last: ");
			explain_why(text, why);
		}
	}
}

/* `unlimited` is 49 days to the machine; shutdown_timeout comes long before. */
static bool is_bounded(const struct board_service *s, int64_t now)
{
	return s->m.deadline > 0 && s->m.deadline - now < INT64_C(30) * 24 * 3600 * 1000;
}

static void add_stopping(
    struct text *text, const struct board_service *s, const struct why *why, int64_t now)
{
	if (s->m.holding) {
		text_add(text, "waits for its dependents to stop");
		return;
	}
	if (s->m.killed) {
		text_add(text, "KILL was sent, it has not gone yet");
		return;
	}
	text_add(text, s->m.aux == AUX_STOP_COMMAND ? "stop_command is running" : "told to stop");
	if (is_bounded(s, now)) {
		text_add(text, ", KILL");
		add_wait(text, s->m.deadline, now);
	}
	/* Why it stops is known to who stopped it; else it is worth telling. */
	if (why->cause != CAUSE_OPERATOR && why->cause != CAUSE_NONE) {
		text_add(text, ": ");
		explain_why(text, why);
	}
}

static void add_cleanup(
    struct text *text, const struct board_service *s, const struct why *why, int64_t now)
{
	if (s->m.aux == AUX_POST_STOP) {
		text_add(text, "post_stop is running");
		return;
	}
	explain_end(text, why);
	text_add(text, "; processes it left are being ended");
	if (s->m.killed) {
		text_add(text, " (KILL was sent)");
	} else if (is_bounded(s, now)) {
		text_add(text, ", KILL");
		add_wait(text, s->m.deadline, now);
	}
}

static void add_backoff(
    struct text *text, const struct board_service *s, const struct why *why, int64_t now)
{
	text_add(text, why->cause == CAUSE_RESOURCES ? "starting" : "restarting");
	add_wait(text, s->m.deadline, now);
	text_add(text, why->cause == CAUSE_RESOURCES ? ": " : " after ");
	explain_why(text, why);
	if (why->cause != CAUSE_RESOURCES && s->m.failures > 1)
		text_addf(text, " (%u in a row)", s->m.failures);
}

/* What it says of itself is worth a place where there is nothing else to say, or as well. */
static void add_status(struct text *text, const struct board_service *s,
    const struct board_words *words, size_t before)
{
	if (!words->status[0] || (s->m.state != STATE_STARTING && s->m.state != STATE_RUNNING))
		return;
	text_add(text, text->used > before ? "; \"" : "\"");
	text_add(text, words->status);
	text_add(text, "\"");
}

/* In any other state there is more to say of it. */
static bool is_paused(const struct board_service *s)
{
	return s->slice & SLICE_PAUSED &&
	       (s->m.state == STATE_STARTING || s->m.state == STATE_RUNNING);
}

void explain_reason(struct text *text, const struct board_service *s, const char *blocker,
    const struct board_words *words, int64_t now)
{
	size_t before = text->used;
	struct why why = {
	    .cause = (enum cause)s->m.cause,
	    .kind = (enum last_kind)s->m.exit_kind,
	    .code = s->m.exit_code,
	    .core = s->m.exit_core,
	    .step = (enum spawn_step)s->error_step,
	    .blocker = blocker,
	    .thief = words->thief,
	    .probe = s->probe[s->m.cause == CAUSE_LIVENESS ? PROBE_LIVENESS : PROBE_STARTUP],
	    .limit = s->start_timeout,
	    .oom_used = s->oom_used,
	    .oom_limit = s->oom_limit,
	};

	if (is_paused(s)) {
		text_addf(text, "paused by hand; sinitctl resume %s lets it go on", s->name);
		return;
	}
	switch ((enum state)s->m.state) {
	case STATE_STOPPED:
		add_stopped(text, s, &why);
		break;
	case STATE_WAITING:
		text_addf(text, "waiting for %s",
		    blocker           ? blocker
		    : *words->awaited ? words->awaited
				      : "what it needs");
		if (blocker && s->held)
			text_addf(text, ", which is stopped: sinitctl start %s", blocker);
		break;
	case STATE_STARTING:
		add_starting(text, s, &why);
		break;
	case STATE_RUNNING:
		add_running(text, s, &why);
		break;
	case STATE_STOPPING:
		add_stopping(text, s, &why, now);
		break;
	case STATE_CLEANUP:
		add_cleanup(text, s, &why, now);
		break;
	case STATE_BACKOFF:
		add_backoff(text, s, &why, now);
		break;
	case STATE_DONE:
		explain_end(text, &why);
		break;
	case STATE_FAILED:
		explain_why(text, &why);
		if (why.cause == CAUSE_EXIT)
			text_addf(text,
			    "; restart policy: not again; sinitctl start %s starts it again",
			    s->name);
		break;
	case STATE_FATAL:
		text_add(text, "restart limit reached: ");
		explain_why(text, &why);
		text_addf(text, "; sinitctl start %s starts it again", s->name);
		break;
	}
	add_status(text, s, words, before);
}
