#include "init/render.h"

#include "init/explain.h"
#include "init/format.h"
#include "init/schema.h"
#include "probes/fault.h"
#include "reaper/signals.h"

#include <string.h>

static void key(struct text *text, const char *name)
{
	text_add(text, ",\"");
	text_add(text, name);
	text_add(text, "\":");
}

/* For words of our own, which need no escapes. */
static void word(struct text *text, const char *name, const char *value)
{
	key(text, name);
	if (!value) {
		text_add(text, "null");
		return;
	}
	text_add(text, "\"");
	text_add(text, value);
	text_add(text, "\"");
}

static void string(struct text *text, const char *name, const char *value)
{
	key(text, name);
	text_json(text, value);
}

static void number(struct text *text, const char *name, int64_t value)
{
	key(text, name);
	format_number(text, value);
}

static void number_or_null(struct text *text, const char *name, int64_t value, bool present)
{
	if (present)
		number(text, name, value);
	else
		word(text, name, NULL);
}

static void boolean(struct text *text, const char *name, bool value)
{
	key(text, name);
	text_add(text, value ? "true" : "false");
}

static void seconds(struct text *text, const char *name, int64_t ms, bool present)
{
	key(text, name);
	if (present)
		format_seconds(text, ms);
	else
		text_add(text, "null");
}

const char *render_phase(const struct board_header *head, enum board_life life)
{
	static const char *const names[] = {"starting", "running", "stopping", "gone"};
	uint32_t phase = head->phase;

	if (life != BOARD_LIVE)
		return phase == PHASE_GONE ? "gone" : "dead";
	return phase < ARRAY_LEN(names) ? names[phase] : "unknown";
}

void render_sinit(
    struct text *text, const struct board_header *head, enum board_life life, int64_t now)
{
	bool alive = life == BOARD_LIVE;
	char version[sizeof(head->release) + 1] = "";

	memcpy(version, head->release, sizeof(head->release));
	text_add(text, "{\"pid\":");
	if (alive)
		format_number(text, head->pid);
	else
		text_add(text, "null");
	string(text, "version", version);
	word(text, "state", render_phase(head, life));
	seconds(text, "uptime_seconds", now - head->started, alive);
	key(text, "started");
	text_add(text, "\"");
	format_time(text, head->started_wall);
	text_add(text, "\"");
	number_or_null(text, "last_pid", head->pid, !alive);
	number(text, "orphans_reaped", (int64_t)head->orphans);
	number(text, "reloads", (int64_t)head->reloads);
	number(text, "reload_errors", (int64_t)head->reload_errors);
	number(text, "requests_refused", (int64_t)head->refused);
	text_add(text, "}");
}

const char *render_health_name(uint8_t value)
{
	switch ((enum health)value) {
	case HEALTH_NONE:
		return NULL;
	case HEALTH_UNKNOWN:
		return "unknown";
	case HEALTH_PASSING:
		return "passing";
	case HEALTH_FAILING:
		return "failing";
	}
	return NULL;
}

const char *render_role(enum probe_role role)
{
	switch (role) {
	case PROBE_STARTUP:
		return "startup";
	case PROBE_LIVENESS:
		return "liveness";
	case PROBE_READINESS:
		return "readiness";
	}
	return "probe";
}

static void probes(struct text *text, const struct board_service *s)
{
	for (unsigned role = 0; role < PROBE_ROLES; role++)
		word(text, render_role((enum probe_role)role),
		    render_health_name(s->probe[role].health));
}

static const char *type_name(uint8_t type)
{
	switch ((enum service_type)type) {
	case TYPE_SIMPLE:
		return "simple";
	case TYPE_ONESHOT:
		return "oneshot";
	case TYPE_NOTIFY:
		return "notify";
	case TYPE_FORKING:
		return "forking";
	}
	return NULL;
}

/* "code":N, or "signal":N with its name. */
static void outcome(struct text *text, enum last_kind kind, int code, bool core)
{
	char name[SIGNAL_NAME_SIZE];

	if (kind == LAST_EXITED) {
		text_add(text, "\"code\":");
		format_number(text, code);
		return;
	}
	text_add(text, "\"signal\":");
	format_number(text, code);
	word(text, "signal_name", signal_name(code, name));
	boolean(text, "core", core);
}

static void last_exit(struct text *text, const struct board_service *s)
{
	enum last_kind kind = (enum last_kind)s->m.exit_kind;

	key(text, "last_exit");
	if (kind != LAST_EXITED && kind != LAST_KILLED) {
		text_add(text, "null");
		return;
	}
	text_add(text, "{");
	outcome(text, kind, s->m.exit_code, s->m.exit_core);
	key(text, "time");
	if (s->exit_time) {
		text_add(text, "\"");
		format_time(text, s->exit_time);
		text_add(text, "\"");
	} else {
		text_add(text, "null");
	}
	text_add(text, "}");
}

static void spawn_error(struct text *text, const struct board_service *s)
{
	char sentence[256];
	struct text message;

	key(text, "error");
	if (s->error_step == STEP_NONE) {
		text_add(text, "null");
		return;
	}
	text_init(&message, sentence, sizeof(sentence));
	explain_spawn_error(&message, (enum spawn_step)s->error_step, s->error);
	text_add(text, "{\"errno\":");
	format_number(text, s->error);
	string(text, "message", sentence);
	word(text, "step", explain_step((enum spawn_step)s->error_step));
	text_add(text, "}");
}

/* What the slice tells of the service. */
static void slice(
    struct text *text, const struct board_service *s, const struct render_about *about)
{
	char path[BOARD_PATH + BOARD_NAME + 16];
	struct text where;

	text_init(&where, path, sizeof(path));
	if (s->slice & SLICE_THERE && *about->cgroup)
		render_slice(&where, about->cgroup, s);
	boolean(text, "paused", s->slice & SLICE_PAUSED);
	number(text, "oom_kills", s->total.oom_kills);
	number(text, "log_dropped", (int64_t)s->log_dropped);
	string(text, "cgroup", *path ? path : NULL);
	key(text, "resources");
	if (about->measured)
		render_resources(text, &about->reading, about->now);
	else
		text_add(text, "null");
}

void render_service(
    struct text *text, const struct board_service *s, const struct render_about *about)
{
	const struct machine *m = &s->m;
	bool alive = about->life == BOARD_LIVE;
	enum cause cause = (enum cause)m->cause;
	int64_t now = about->now;
	char sentence[512];
	struct text reason;

	text_init(&reason, sentence, sizeof(sentence));
	explain_reason(&reason, s, about->blocker, &about->words, now);
	text_add(text, "{\"name\":");
	text_json(text, s->name);
	word(text, "state", state_name((enum state)m->state));
	word(text, "want", m->want == WANT_UP ? "up" : "down");
	word(text, "cause", cause == CAUSE_NONE ? NULL : cause_name(cause));
	string(text, "reason", *sentence ? sentence : NULL);
	number_or_null(text, "pid", s->pid, s->pid > 0);
	seconds(text, "uptime_seconds", now - m->started, alive && m->main_alive && m->started);
	number(text, "restarts", m->restarts);
	last_exit(text, s);
	probes(text, s);
	boolean(text, "ready", board_service_ready(s));
	number(text, "life", m->life);
	seconds(text, "since_seconds", now - m->since, alive);
	word(text, "type", type_name(s->type));
	boolean(text, "enabled", s->enabled);
	boolean(text, "critical", s->critical);
	boolean(text, "stopped_by_hand", s->by_hand);
	number(text, "priority", s->priority);
	number_or_null(text, "backoff_ms", m->delay, m->state == STATE_BACKOFF);
	string(text, "blocker", about->blocker);
	spawn_error(text, s);
	string(text, "status_text", *about->words.status ? about->words.status : NULL);
	slice(text, s, about);
	text_add(text, "}");
}

/* --- Health ------------------------------------------------------------------------ */

void render_why(struct text *text, const struct board_service *s, const char *blocker,
    const struct board_words *words, int64_t now)
{
	size_t before = text->used;

	for (unsigned role = 0; role < PROBE_ROLES; role++) {
		const struct board_probe *probe = &s->probe[role];
		if (probe->health != HEALTH_FAILING)
			continue;
		text_add(text, text->used > before ? "; " : "");
		text_add(text, render_role((enum probe_role)role));
		text_add(text, ": ");
		fault_sentence(text, (enum probe_fault)probe->fault, probe->detail, words->thief);
	}
	if (text->used == before && !board_service_ready(s))
		explain_reason(text, s, blocker, words, now);
}

void render_health(struct text *text, const struct board_service *s, const char *blocker,
    const struct board_words *words, int64_t now)
{
	char sentence[512];
	struct text why;

	text_init(&why, sentence, sizeof(sentence));
	render_why(&why, s, blocker, words, now);
	text_add(text, "{\"name\":");
	text_json(text, s->name);
	word(text, "state", state_name((enum state)s->m.state));
	boolean(text, "healthy", board_service_healthy(s));
	boolean(text, "ready", board_service_ready(s));
	probes(text, s);
	string(text, "why", *sentence ? sentence : NULL);
	text_add(text, "}");
}

/* --- Summary ----------------------------------------------------------------------- */

void render_count(struct render_counts *counts, const struct board_service *s)
{
	counts->all++;
	counts->ready += board_service_ready(s);
	if (s->m.state < STATE_COUNT)
		counts->state[s->m.state]++;
}

void render_summary(struct text *text, const struct board_header *head, enum board_life life,
    const struct render_counts *counts, int64_t now)
{
	text_add(text, "{\"sinit\":");
	render_sinit(text, head, life, now);
	number(text, "services", counts->all);
	number(text, "ready", counts->ready);
	text_add(text, ",\"states\":{");
	for (unsigned i = 0; i < STATE_COUNT; i++)
		text_addf(
		    text, "%s\"%s\":%u", i ? "," : "", state_name((enum state)i), counts->state[i]);
	text_add(text, "}}");
}

/* --- Events ------------------------------------------------------------------------ */

void render_event(struct text *text, const struct board_event *event, const char *blocker)
{
	enum last_kind kind = (enum last_kind)event->exit_kind;
	enum event_kind what = (enum event_kind)event->kind;
	enum cause cause = (enum cause)event->cause;
	char sentence[512];
	struct text message;

	text_init(&message, sentence, sizeof(sentence));
	explain_event(&message, event, blocker);
	text_add(text, "{\"seq\":");
	format_number(text, (int64_t)event->seq);
	key(text, "time");
	text_add(text, "\"");
	format_time(text, event->time);
	text_add(text, "\"");
	string(text, "service", *event->name ? event->name : NULL);
	word(text, "event", event_kind_name(what));
	string(text, "message", sentence);
	word(text, "cause", cause == CAUSE_NONE ? NULL : cause_name(cause));
	number_or_null(text, "pid", event->pid, event->pid > 0);
	if (kind == LAST_EXITED || kind == LAST_KILLED) {
		text_add(text, ",");
		outcome(text, kind, event->code, event->value && what == EV_EXIT);
	} else if (kind == LAST_SPAWN_ERROR) {
		number(text, "errno", event->code);
		word(text, "step", explain_step((enum spawn_step)event->step));
	}
	if (what == EV_BACKOFF)
		number(text, "delay_ms", event->value);
	if (what == EV_ALERT) {
		string(text, "alert", event->alert);
		key(text, "delivered");
		text_add(text, event->fault == FAULT_NONE ? "true" : "false");
	}
	if (what == EV_RESTART)
		number(text, "restart", event->value);
	if (blocker)
		string(text, "blocker", blocker);
	text_add(text, "}");
}
