#include "init/explain.h"

#include "probes/fault.h"

#include "reaper/signals.h"

#include <string.h>

/* --- Durations --------------------------------------------------------------------- */

void explain_duration(struct text *text, int64_t ms)
{
	static const struct {
		int64_t ms;
		char name[3];
	} units[] = {{86400000, "d"}, {3600000, "h"}, {60000, "m"}, {1000, "s"}, {1, "ms"}};
	size_t i = 0;

	if (ms < 0)
		ms = 0;
	while (i < ARRAY_LEN(units) - 1 && ms < units[i].ms)
		i++;
	text_addf(text, "%lld%s", (long long)(ms / units[i].ms), units[i].name);
	/* Two units at most, and never milliseconds beside seconds. */
	if (i + 2 >= ARRAY_LEN(units))
		return;
	int64_t rest = ms % units[i].ms / units[i + 1].ms;
	if (rest > 0)
		text_addf(text, " %lld%s", (long long)rest, units[i + 1].name);
}

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

/* --- Ends -------------------------------------------------------------------------- */

void explain_exit(struct text *text, enum last_kind kind, int code, bool core)
{
	char buffer[SIGNAL_NAME_SIZE];
	const char *name;

	switch (kind) {
	case LAST_NONE:
		text_add(text, "not ended yet");
		return;
	case LAST_EXITED:
		text_addf(text, "exited %d", code);
		return;
	case LAST_KILLED:
		name = signal_name(code, buffer);
		text_addf(text, "killed by %s%s", strncmp(name, "SIG", 3) ? name : name + 3,
		    core ? " (core dumped)" : "");
		return;
	case LAST_SPAWN_ERROR:
		text_addf(text, "could not be started: %s", strerror(code));
		return;
	}
}

/* --- Causes ------------------------------------------------------------------------ */

/* What records and events have in common. */
struct why {
	enum cause cause;
	enum last_kind kind;
	int code; /* of the end; errno for a spawn error */
	bool core;
	enum spawn_step step;
	const char *blocker;
	const char *thief;        /* who has its port, "": not known */
	struct board_probe probe; /* of the probe that failed, if the cause is one */
	uint32_t limit;           /* start_timeout in ms, 0: not known */
};

static void add_fault(struct text *text, const struct board_probe *probe, const char *thief)
{
	if (probe->fault == FAULT_NONE)
		return;
	text_add(text, ": ");
	fault_sentence(text, probe->fault, probe->detail, thief);
}

static void add_end(struct text *text, const struct why *why)
{
	if (why->kind == LAST_SPAWN_ERROR)
		explain_spawn_error(text, why->step, why->code);
	else
		explain_exit(text, why->kind, why->code, why->core);
}

static void add_late(struct text *text, const struct why *why)
{
	text_add(text, "not ready within start_timeout");
	if (why->limit && why->limit != UINT32_MAX) {
		text_add(text, " (");
		explain_duration(text, why->limit);
		text_add(text, ")");
	}
	if (why->probe.fault == FAULT_NONE)
		return;
	text_add(text, "; its startup probe fails");
	add_fault(text, &why->probe, why->thief);
}

/* What went wrong, as it stands after "after" or "limit reached:". */
static void add_cause(struct text *text, const struct why *why)
{
	switch (why->cause) {
	case CAUSE_NONE:
	case CAUSE_EXIT:
		add_end(text, why);
		break;
	case CAUSE_SPAWN:
		explain_spawn_error(text, why->step, why->code);
		break;
	case CAUSE_RESOURCES:
		text_add(text, "the system had no process, memory or descriptor to give");
		break;
	case CAUSE_START_TIMEOUT:
		add_late(text, why);
		break;
	case CAUSE_PRE_START:
		text_add(text, "pre_start ");
		add_end(text, why);
		break;
	case CAUSE_STARTUP:
		text_add(text, "its startup probe failed");
		add_fault(text, &why->probe, why->thief);
		break;
	case CAUSE_LIVENESS:
		text_add(text, "its liveness probe failed");
		add_fault(text, &why->probe, why->thief);
		break;
	case CAUSE_OOM:
		text_add(text, "killed for want of memory; see memory_max");
		break;
	case CAUSE_DEPENDENCY:
		if (why->blocker)
			text_addf(text, "required service %s has failed or ended", why->blocker);
		else
			text_add(text, "a service it requires has failed or ended");
		break;
	case CAUSE_CONFIG:
		text_add(text, "its configuration is broken; see sinitctl check");
		break;
	case CAUSE_OPERATOR:
		text_add(text, "stopped by hand");
		break;
	case CAUSE_RESTART:
		text_add(text, "restarted by hand");
		break;
	case CAUSE_RELOAD:
		text_add(text, "its configuration has changed");
		break;
	case CAUSE_RESTART_WITH:
		if (why->blocker)
			text_addf(text, "%s was restarted", why->blocker);
		else
			text_add(text, "a service it is restarted with was restarted");
		break;
	case CAUSE_SHUTDOWN:
		text_add(text, "sinit shuts down");
		break;
	case CAUSE_REMOVED:
		text_add(text, "removed from the configuration");
		break;
	}
}

/* --- States ------------------------------------------------------------------------ */

static void add_stopped(struct text *text, const struct board_service *s, const struct why *why)
{
	if (s->by_hand || why->cause == CAUSE_OPERATOR) {
		text_addf(text, "stopped by hand: sinitctl start %s starts it again", s->name);
	} else if (why->cause == CAUSE_SHUTDOWN || why->cause == CAUSE_RELOAD ||
		   why->cause == CAUSE_REMOVED) {
		add_cause(text, why);
	} else if (s->m.life == 0 && why->kind == LAST_NONE) {
		text_addf(text, "%s: sinitctl start %s starts it",
		    s->enabled ? "not started yet" : "not enabled", s->name);
	} else {
		add_cause(text, why);
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
		add_fault(text, startup, why->thief);
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
		add_fault(text, &s->probe[PROBE_LIVENESS], why->thief);
	} else if (s->probe[PROBE_READINESS].health == HEALTH_FAILING) {
		text_add(text, "its readiness probe fails");
		add_fault(text, &s->probe[PROBE_READINESS], why->thief);
	} else if (s->said & SAID_STOPPING) {
		text_add(text, "it is stopping by itself (STOPPING=1)");
	} else if (s->said & SAID_RELOADING) {
		text_add(text, "it is reloading (RELOADING=1)");
	} else if (s->m.restarts > 0 && why->cause != CAUSE_NONE) {
		text_addf(text, "restarted %u time%s", s->m.restarts, s->m.restarts == 1 ? "" : "s");
		if (is_failure(why->cause)) {
			text_add(text, ", last: ");
			add_cause(text, why);
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
		if (why->blocker)
			text_addf(text, ": %s", why->blocker);
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
		add_cause(text, why);
	}
}

static void add_cleanup(
    struct text *text, const struct board_service *s, const struct why *why, int64_t now)
{
	if (s->m.aux == AUX_POST_STOP) {
		text_add(text, "post_stop is running");
		return;
	}
	add_end(text, why);
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
	add_cause(text, why);
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
	};

	switch ((enum state)s->m.state) {
	case STATE_STOPPED:
		add_stopped(text, s, &why);
		break;
	case STATE_WAITING:
		text_addf(text, "waiting for %s", blocker ? blocker : "what it needs");
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
		add_end(text, &why);
		break;
	case STATE_FAILED:
		add_cause(text, &why);
		if (why.cause == CAUSE_EXIT)
			text_addf(text, "; restart policy: not again; sinitctl start %s starts it again", s->name);
		break;
	case STATE_FATAL:
		text_add(text, "restart limit reached: ");
		add_cause(text, &why);
		text_addf(text, "; sinitctl start %s starts it again", s->name);
		break;
	}
	add_status(text, s, words, before);
}

/* --- Events ------------------------------------------------------------------------ */

static void add_stop_event(struct text *text, const struct why *why)
{
	text_add(text, "stopped");
	if (why->cause == CAUSE_OPERATOR) {
		text_add(text, " by hand");
	} else if (why->cause != CAUSE_NONE) {
		text_add(text, ": ");
		add_cause(text, why);
	}
}

static void add_health(struct text *text, const struct board_event *event, bool good)
{
	const char *probe = event->cause == CAUSE_STARTUP    ? "startup"
			    : event->cause == CAUSE_LIVENESS ? "liveness"
							     : "readiness";

	text_addf(text, "%s probe %s", probe, good ? "passes again" : "fails");
	if (!good)
		add_fault(text, &(struct board_probe){.fault = event->fault, .detail = event->detail}, "");
}

/* `value`: services that it touched. */
static void add_reload(struct text *text, const struct board_event *event)
{
	text_addf(text, "configuration loaded, %u service%s changed", event->value,
	    event->value == 1 ? "" : "s");
}

static void add_alert(struct text *text, const struct board_event *event)
{
	text_addf(text, "alert %s %s", event->alert,
	    event->fault == FAULT_NONE ? "delivered" : "could not be delivered");
	add_fault(text, &(struct board_probe){.fault = event->fault, .detail = event->detail}, "");
}

static void add_recovered(struct text *text, const struct board_event *event)
{
	text_add(text, event->exit_kind == LAST_NONE ? "ready" : "done");
	if (event->value) {
		text_add(text, " for ");
		explain_duration(text, event->value);
	}
}

static struct why why_of(const struct board_event *event, const char *blocker)
{
	return (struct why){
	    .cause = (enum cause)event->cause,
	    .kind = (enum last_kind)event->exit_kind,
	    .code = event->code,
	    .core = event->exit_kind == LAST_KILLED && event->kind == EV_EXIT && event->value == 1,
	    .step = (enum spawn_step)event->step,
	    .blocker = blocker,
	    .probe = {.fault = event->fault, .detail = event->detail},
	    .thief = "",
	};
}

void explain_cause(struct text *text, const struct board_event *event, const char *blocker)
{
	struct why why = why_of(event, blocker);

	add_cause(text, &why);
}

void explain_event(struct text *text, const struct board_event *event, const char *blocker)
{
	struct why why = why_of(event, blocker);
	char name[SIGNAL_NAME_SIZE];

	switch ((enum event_kind)event->kind) {
	case EV_START:
		text_add(text, "started");
		if (event->pid > 0)
			text_addf(text, " (pid %d)", event->pid);
		break;
	case EV_READY:
		text_add(text, "ready");
		break;
	case EV_EXIT:
		add_end(text, &why);
		if (event->pid > 0 && why.kind != LAST_SPAWN_ERROR)
			text_addf(text, " (pid %d)", event->pid);
		break;
	case EV_BACKOFF:
		text_add(text, why.cause == CAUSE_RESOURCES ? "starting in " : "restarting in ");
		explain_duration(text, event->value);
		text_add(text, why.cause == CAUSE_RESOURCES ? ": " : " after ");
		add_cause(text, &why);
		break;
	case EV_RESTART:
		text_addf(text, "restart %u", event->value);
		break;
	case EV_STOP:
		add_stop_event(text, &why);
		break;
	case EV_DONE:
		text_add(text, "done");
		break;
	case EV_FAILED:
		text_add(text, "failed: ");
		add_cause(text, &why);
		break;
	case EV_FATAL:
		text_add(text, "restart limit reached: ");
		add_cause(text, &why);
		if (event->name[0])
			text_addf(text, "; sinitctl start %s starts it again", event->name);
		break;
	case EV_HEALTHY:
	case EV_UNHEALTHY:
		add_health(text, event, event->kind == EV_HEALTHY);
		break;
	case EV_OOM:
		text_add(text, "out of memory; see memory_max");
		break;
	case EV_RELOAD:
		add_reload(text, event);
		break;
	case EV_SHUTDOWN:
		text_add(text, "shutting down");
		if (event->code > 0)
			text_addf(text, " (%s)", signal_name(event->code, name));
		break;
	case EV_ALERT:
		add_alert(text, event);
		break;
	case EV_RECOVERED:
		add_recovered(text, event);
		break;
	case EV_CONFIG:
		text_add(text, event->name[0]
				   ? "its configuration is broken; see sinitctl check"
				   : "configuration refused, the old one stays; see sinitctl check");
		break;
	}
}
