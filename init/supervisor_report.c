/* What the supervisor tells: the board's ring of events, and lines of the log. */
#include "init/supervisor_internal.h"

#include "init/explain.h"
#include "init/log.h"

#include <errno.h>
#include <string.h>

enum {
	LINES = 10,        /* log lines that a service may have at once */
	LINE_EVERY = 1000, /* ms after which it may have one more */
	SENTENCE = 320,
};

void sv_event(struct supervisor *sv, const struct board_event *event)
{
	board_event(&sv->board, event, platform_wall());
}

/* A service in a hurry must not fill the log; the ring has it all. What is final is told
 * always. */
bool sv_may_say(struct supervisor *sv, uint32_t slot)
{
	struct unit *u = &sv->unit[slot];
	int64_t more = (sv->now - u->lines_at) / LINE_EVERY;

	if (!u->lines_at || more >= LINES) {
		u->lines = LINES;
		u->lines_at = sv->now;
	} else if (more > 0) {
		u->lines = (uint8_t)(u->lines + more > LINES ? LINES : u->lines + more);
		u->lines_at += more * LINE_EVERY;
	}
	if (!u->lines) {
		u->hushed++;
		return false;
	}
	u->lines--;
	if (u->hushed) {
		log_info(sv->service[slot].name, "(%u lines kept back; sinitctl events has all)",
		    (unsigned)u->hushed);
		u->hushed = 0;
	}
	return true;
}

static const char *blocker_name(const struct supervisor *sv, const struct board_service *s)
{
	return s->blocker >= 0 ? sv->service[s->blocker].name : NULL;
}

static void event_of(struct supervisor *sv, uint32_t slot, enum event_kind kind, uint32_t value)
{
	const struct board_service *s = &sv->service[slot];
	const struct board_probe *probe =
	    s->m.cause == CAUSE_LIVENESS ? &s->probe[PROBE_LIVENESS]
	    : s->m.cause == CAUSE_STARTUP || s->m.cause == CAUSE_START_TIMEOUT
		? &s->probe[PROBE_STARTUP]
		: NULL;
	struct board_event event = {.kind = (uint8_t)kind,
	    .cause = s->m.cause,
	    .exit_kind = s->m.exit_kind,
	    .step = s->error_step,
	    .code = s->m.exit_code,
	    .pid = s->pid,
	    .value = value,
	    .blocker = s->blocker,
	    .fault = probe ? probe->fault : (uint8_t)FAULT_NONE,
	    .detail = probe ? probe->detail : 0};

	memcpy(event.name, s->name, sizeof(event.name));
	sv_event(sv, &event);
	if (kind == EV_RESTART || kind == EV_FAILED || kind == EV_FATAL)
		sv_trouble(sv, slot);
}

/* The exit code that passes on how the main process ended: 0 if it did not, or could not. */
static int code_of(const struct machine *m)
{
	if (m->exit_kind == LAST_KILLED)
		return EXIT_CODE_SIGNAL + m->exit_code;
	return m->exit_kind == LAST_EXITED ? m->exit_code : 0;
}

/* The end of the main process, whose pid the record no longer has. */
static void report_exit(struct supervisor *sv, uint32_t slot, const struct before *before)
{
	const struct board_service *s = &sv->service[slot];
	char buffer[SENTENCE];
	struct text text;
	bool told = before->state == STATE_STOPPING;

	event_of(sv, slot, EV_EXIT, s->m.exit_core);
	sv_capture_ended(sv, slot, sv->board.head->last_event);
	if (slot == sv->main_slot)
		sv->exit_code = code_of(&s->m);
	text_init(&text, buffer, sizeof(buffer));
	explain_exit(&text, (enum last_kind)s->m.exit_kind, s->m.exit_code, s->m.exit_core);
	if (told || (s->m.exit_kind == LAST_EXITED && !s->m.exit_code)) {
		if (log_enabled(LOG_LEVEL_INFO) && sv_may_say(sv, slot))
			log_info(s->name, "%s", text.data);
	} else if (sv_may_say(sv, slot)) {
		log_warning(s->name, "%s", text.data);
	}
}

static void say_reason(struct supervisor *sv, uint32_t slot)
{
	const struct board_service *s = &sv->service[slot];
	struct board_words words;
	char buffer[SENTENCE];
	struct text text;

	text_init(&text, buffer, sizeof(buffer));
	board_read_words(&sv->board, slot, s, &words);
	explain_reason(&text, s, blocker_name(sv, s), &words, sv->now);
	switch ((enum state)s->m.state) {
	case STATE_FAILED:
	case STATE_FATAL:
		log_error(s->name, "%s: %s", state_name((enum state)s->m.state), text.data);
		return;
	case STATE_BACKOFF:
		if (sv_may_say(sv, slot))
			log_warning(s->name, "%s", text.data);
		return;
	case STATE_STOPPED:
	case STATE_WAITING:
	case STATE_STARTING:
	case STATE_RUNNING:
	case STATE_STOPPING:
	case STATE_CLEANUP:
	case STATE_DONE:
		break;
	}
	if (log_enabled(LOG_LEVEL_INFO) && sv_may_say(sv, slot))
		log_info(s->name, "%s%s%s", state_name((enum state)s->m.state),
		    text.used ? ": " : "", text.data);
}

/* A critical service is beyond help: everything goes down, with its code. One that failed
 * with what it requires has none: that it was told to stop is not how it failed. */
static void report_critical(struct supervisor *sv, uint32_t slot)
{
	const struct machine *m = &sv->service[slot].m;
	const struct sinit_settings *settings = image_settings(sv->set[sv->current].image);
	int code = m->cause == CAUSE_DEPENDENCY ? 0 : code_of(m);

	if (sv->stopping)
		return;
	if (sv->machine && settings->critical_action == CRITICAL_ALERT) {
		log_error(sv->service[slot].name,
		    "is critical and down for good; critical_action = alert: going on without it");
		return;
	}
	if (!code)
		code = 1;
	if (sv->machine)
		log_error(sv->service[slot].name,
		    "is critical: stopping everything, then restarting the machine");
	else
		log_error(
		    sv->service[slot].name, "is critical: stopping everything, exit code %d", code);
	sv->critical_down = true;
	sv->exit_code = code;
	supervisor_shutdown(sv);
}

static void report_state(struct supervisor *sv, uint32_t slot, const struct before *before)
{
	const struct board_service *s = &sv->service[slot];
	enum state state = (enum state)s->m.state;

	switch (state) {
	case STATE_STOPPING: /* the line follows when it is told to stop: see sv_report */
		event_of(sv, slot, EV_STOP, 0);
		break;
	case STATE_BACKOFF:
		event_of(sv, slot, EV_BACKOFF, s->m.delay);
		say_reason(sv, slot);
		break;
	case STATE_DONE:
		event_of(sv, slot, EV_DONE, 0);
		break;
	case STATE_FAILED:
		event_of(sv, slot, EV_FAILED, 0);
		say_reason(sv, slot);
		break;
	case STATE_FATAL:
		event_of(sv, slot, EV_FATAL, 0);
		say_reason(sv, slot);
		break;
	case STATE_STOPPED:
		if (before->active && s->m.cause != CAUSE_SHUTDOWN)
			say_reason(sv, slot);
		break;
	case STATE_WAITING:
	case STATE_STARTING:
	case STATE_RUNNING:
	case STATE_CLEANUP:
		break;
	}
}

static bool is_over(const struct machine *m)
{
	return m->life > 0 && machine_settled(m);
}

void sv_report(struct supervisor *sv, uint32_t slot, const struct before *before,
    const struct machine_event *event, unsigned actions)
{
	struct board_service *s = &sv->service[slot];
	struct unit *u = &sv->unit[slot];
	bool changed = s->m.state != before->state;

	if (event->kind == EVENT_EXITED)
		report_exit(sv, slot, before);
	if (actions & ACT_KILL_ALL && !u->told_kill && s->m.state != STATE_CLEANUP) {
		u->told_kill = true;
		log_warning(s->name, "did not stop in time (stop_timeout): sending KILL");
	}
	if (s->m.restarts != before->restarts)
		event_of(sv, slot, EV_RESTART, s->m.restarts);
	if (event->kind == EVENT_SPAWNED) {
		event_of(sv, slot, EV_START, 0);
		if (s->error_step) {
			board_begin(s);
			s->error_step = STEP_NONE;
			s->error = 0;
			board_end(s);
		}
		if (log_enabled(LOG_LEVEL_INFO) && sv_may_say(sv, slot))
			log_info(s->name, "started (pid %d)", (int)s->pid);
	}
	if (changed && before->state == STATE_CLEANUP)
		sv_capture_ended(sv, slot, 0); /* what others of it have said since */
	if (changed)
		report_state(sv, slot, before);
	if (s->m.state == STATE_RUNNING && s->m.ready && !before->ready)
		event_of(sv, slot, EV_READY, 0);
	if (s->m.state == STATE_STOPPING && !s->m.holding &&
	    (changed || event->kind == EVENT_RELEASED))
		say_reason(sv, slot);
	if (changed && (s->m.state == STATE_FAILED || s->m.state == STATE_FATAL) && s->critical)
		report_critical(sv, slot);
	if (slot == sv->main_slot && changed && is_over(&s->m) && !sv->stopping)
		supervisor_shutdown(sv);
}

static const char *role_name(const struct supervisor *sv, uint32_t slot, enum pid_role role)
{
	if (role == PID_RELOAD)
		return "reload_command: ";
	if (role == PID_MAIN)
		return "";
	switch ((enum aux)sv->service[slot].m.aux) {
	case AUX_PRE_START:
		return "pre_start: ";
	case AUX_STOP_COMMAND:
		return "stop_command: ";
	case AUX_POST_STOP:
		return "post_stop: ";
	case AUX_NONE:
		break;
	}
	return "";
}

/* What a shell would say of a command that cannot be run: 127 not found, 126 the rest. */
static int spawn_error_code(const struct spawn_result *result)
{
	if (result->step == STEP_INTERPRETER ||
	    (result->step == STEP_EXEC && result->error == ENOENT))
		return EXIT_CODE_NOT_FOUND;
	return result->step == STEP_EXEC ? EXIT_CODE_NOT_EXECUTABLE : 1;
}

void sv_report_spawn_error(struct supervisor *sv, uint32_t slot, enum pid_role role,
    const char *command, const struct spawn_result *result)
{
	struct board_service *s = &sv->service[slot];
	bool has_detail = result->detail[0] && !(command && !strcmp(command, result->detail));
	char buffer[SENTENCE];
	struct text text;

	board_begin(s);
	s->error_step = result->step;
	s->error = result->error;
	board_end(s);
	if (role == PID_MAIN && slot == sv->main_slot)
		sv->exit_code = spawn_error_code(result);
	if (role != PID_RELOAD) {
		struct board_event event = {.kind = EV_EXIT,
		    .exit_kind = LAST_SPAWN_ERROR,
		    .step = result->step,
		    .code = result->error,
		    .blocker = -1};

		memcpy(event.name, s->name, sizeof(event.name));
		sv_event(sv, &event);
	}
	text_init(&text, buffer, sizeof(buffer));
	explain_spawn_error(&text, (enum spawn_step)result->step, result->error);
	if (sv_may_say(sv, slot))
		log_error(s->name, "%scannot start%s%s: %s%s%s", role_name(sv, slot, role),
		    command ? " " : "", command ? command : "", text.data, has_detail ? ": " : "",
		    has_detail ? result->detail : "");
}

/* The service went away by itself and well, but something of it stayed: most likely it
 * has put itself into the background. */
void sv_report_leftovers(struct supervisor *sv, uint32_t slot)
{
	const struct board_service *s = &sv->service[slot];

	if (s->m.exit_kind == LAST_SPAWN_ERROR) /* it is the very child that is just ending */
		return;
	if (s->m.cause == CAUSE_EXIT && s->m.exit_kind == LAST_EXITED && !s->m.exit_code &&
	    s->type == TYPE_SIMPLE) {
		if (sv_may_say(sv, slot))
			log_warning(s->name,
			    "its main process exited 0 but others of it remain, and are stopped "
			    "now: a service must stay in the foreground (look for an option such "
			    "as --no-daemon)");
	} else if (sv_may_say(sv, slot)) {
		log_info(s->name, "stopping processes that it left behind");
	}
}
