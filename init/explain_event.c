/* The message of an event. */
#include "init/explain_internal.h"

#include "reaper/signals.h"

static void add_stop_event(struct text *text, const struct why *why)
{
	text_add(text, "stopped");
	if (why->cause == CAUSE_OPERATOR) {
		text_add(text, " by hand");
	} else if (why->cause != CAUSE_NONE) {
		text_add(text, ": ");
		explain_why(text, why);
	}
}

static void add_health(struct text *text, const struct board_event *event, bool good)
{
	const char *probe = event->cause == CAUSE_STARTUP    ? "startup"
			    : event->cause == CAUSE_LIVENESS ? "liveness"
							     : "readiness";

	text_addf(text, "%s probe %s", probe, good ? "passes again" : "fails");
	if (!good)
		explain_fault(text,
		    &(struct board_probe){.fault = event->fault, .detail = event->detail}, "");
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
	explain_fault(
	    text, &(struct board_probe){.fault = event->fault, .detail = event->detail}, "");
}

static void add_oom(struct text *text, const struct board_event *event)
{
	text_add(text, "out of memory: ");
	explain_oom(text, (uint64_t)event->value * 1024,
	    event->detail < 0 ? UINT64_MAX : (uint64_t)event->detail * 1024);
}

static void add_memory(struct text *text, const struct board_event *event)
{
	text_add(text, "uses ");
	explain_size(text, (uint64_t)event->value * 1024);
	text_add(text, ", above memory_warn ");
	explain_size(text, (uint64_t)event->detail * 1024);
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

	explain_why(text, &why);
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
		explain_end(text, &why);
		if (event->pid > 0 && why.kind != LAST_SPAWN_ERROR)
			text_addf(text, " (pid %d)", event->pid);
		break;
	case EV_BACKOFF:
		text_add(text, why.cause == CAUSE_RESOURCES ? "starting in " : "restarting in ");
		explain_duration(text, event->value);
		text_add(text, why.cause == CAUSE_RESOURCES ? ": " : " after ");
		explain_why(text, &why);
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
		explain_why(text, &why);
		break;
	case EV_FATAL:
		text_add(text, "restart limit reached: ");
		explain_why(text, &why);
		if (event->name[0])
			text_addf(text, "; sinitctl start %s starts it again", event->name);
		break;
	case EV_HEALTHY:
	case EV_UNHEALTHY:
		add_health(text, event, event->kind == EV_HEALTHY);
		break;
	case EV_OOM:
		add_oom(text, event);
		break;
	case EV_MEMORY:
		add_memory(text, event);
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
		text_add(
		    text, event->name[0]
			      ? "its configuration is broken; see sinitctl check"
			      : "configuration refused, the old one stays; see sinitctl check");
		break;
	}
}
