/* How processes end, and why things come about, for explain.c and explain_event.c. */
#include "init/explain_internal.h"

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

void explain_fault(struct text *text, const struct board_probe *probe, const char *thief)
{
	if (probe->fault == FAULT_NONE)
		return;
	text_add(text, ": ");
	fault_sentence(text, probe->fault, probe->detail, thief);
}

void explain_end(struct text *text, const struct why *why)
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
		if (why->limit % 1000)
			text_addf(text, "%ums", (unsigned)why->limit);
		else
			explain_duration(text, why->limit);
		text_add(text, ")");
	}
	if (why->probe.fault == FAULT_NONE)
		return;
	text_add(text, "; its startup probe fails");
	explain_fault(text, &why->probe, why->thief);
}

void explain_size(struct text *text, uint64_t bytes)
{
	static const char units[] = "KMGT";
	unsigned unit = 0;

	while (unit < sizeof(units) - 2 && bytes >= UINT64_C(1024) << 10 * (unit + 1))
		unit++;
	/* Tenths where they say something: 1.5G, but 512M. */
	uint64_t tenths = bytes * 10 / (UINT64_C(1024) << 10 * unit);
	if (tenths % 10 && tenths < 1000)
		text_addf(
		    text, "%u.%u%c", (unsigned)(tenths / 10), (unsigned)(tenths % 10), units[unit]);
	else
		text_addf(text, "%u%c", (unsigned)(tenths / 10), units[unit]);
}

void explain_oom(struct text *text, uint64_t used, uint64_t limit)
{
	if (limit == 0) {
		text_add(text, "at a limit that it has set itself, in a cgroup below its own");
		return;
	}
	if (limit == UINT64_MAX) {
		text_add(text, "not at a limit of its own, but the machine's or the container's");
		return;
	}
	explain_size(text, used);
	text_add(text, " in use at memory_max ");
	explain_size(text, limit);
}

/* What went wrong, as it stands after "after" or "limit reached:". */
void explain_why(struct text *text, const struct why *why)
{
	switch (why->cause) {
	case CAUSE_NONE:
	case CAUSE_EXIT:
		explain_end(text, why);
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
		explain_end(text, why);
		break;
	case CAUSE_STARTUP:
		text_add(text, "its startup probe failed");
		explain_fault(text, &why->probe, why->thief);
		break;
	case CAUSE_LIVENESS:
		text_add(text, "its liveness probe failed");
		explain_fault(text, &why->probe, why->thief);
		break;
	case CAUSE_OOM:
		text_add(text, "killed for want of memory");
		if (why->oom_used) {
			text_add(text, ": ");
			explain_oom(text, why->oom_used, why->oom_limit);
		}
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
