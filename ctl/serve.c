/* What the verbs of the control FIFO do: one table, one row a verb. */
#include "init/log.h"
#include "init/render.h"
#include "init/schema.h"
#include "init/sinit.h"
#include "reaper/signals.h"

#include <errno.h>
#include <fnmatch.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { LINE = 8192 };

struct call {
	struct sinit *sinit;
	const struct request *request;
	int reply;
	enum ctl_code code; /* of the answer */
	char message[320];
	bool later; /* the answer comes later */
};

static void fail(struct call *call, enum ctl_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void fail(struct call *call, enum ctl_code code, const char *format, ...)
{
	va_list args;

	call->code = code;
	va_start(args, format);
	vsnprintf(call->message, sizeof(call->message), format, args);
	va_end(args);
}

/* The service's life and state before the request, by which the client sees what came
 * of it. */
static void tell_service(struct call *call, uint32_t slot)
{
	const struct board_service *s = &call->sinit->supervisor.service[slot];
	char buffer[512];
	struct text text;

	text_init(&text, buffer, sizeof(buffer));
	text_add(&text, "{\"service\":");
	text_json(&text, s->name);
	text_addf(&text, ",\"slot\":%u,\"life\":%u,\"state\":\"%s\"}\n", (unsigned)slot,
	    (unsigned)s->m.life, state_name((enum state)s->m.state));
	if (!control_write(call->reply, text.data, text.used))
		call->reply = -1;
}

typedef void on_service(struct call *call, uint32_t slot);

/* Or tells why not. */
static bool can_start(struct call *call, uint32_t slot)
{
	const struct supervisor *sv = &call->sinit->supervisor;
	const char *broken = supervisor_broken(sv, slot);

	if (sv->stopping)
		fail(call, CTL_FAILED, "sinit is stopping: nothing is started any more");
	else if (broken)
		fail(call, CTL_FAILED,
		    "%s: its configuration is broken: %s; put it right, then sinitctl reload",
		    sv->service[slot].name, broken);
	return !sv->stopping && !broken;
}

static void do_start(struct call *call, uint32_t slot)
{
	if (can_start(call, slot))
		supervisor_up(&call->sinit->supervisor, slot);
}

static void do_stop(struct call *call, uint32_t slot)
{
	struct supervisor *sv = &call->sinit->supervisor;
	char buffer[512], sentence[320];
	struct text text;
	int rc = supervisor_stop(sv, slot);

	if (rc == 0)
		return;
	snprintf(sentence, sizeof(sentence),
	    "%s: stopped, but not for the next start of sinit: %s/stopped: %s",
	    sv->service[slot].name, sv->state_dir, strerror(-rc));
	text_init(&text, buffer, sizeof(buffer));
	text_add(&text, "{\"warning\":");
	text_json(&text, sentence);
	text_add(&text, "}\n");
	if (!text.cut && !control_write(call->reply, text.data, text.used))
		call->reply = -1;
}

static void do_restart(struct call *call, uint32_t slot)
{
	if (can_start(call, slot))
		supervisor_restart(&call->sinit->supervisor, slot);
}

static void do_reset(struct call *call, uint32_t slot)
{
	supervisor_reset(&call->sinit->supervisor, slot);
}

static void do_reload(struct call *call, uint32_t slot)
{
	struct supervisor *sv = &call->sinit->supervisor;
	int rc = supervisor_reload_service(sv, slot);

	if (rc < 0)
		fail(call, CTL_FAILED, "%s: %s, so it cannot reload", sv->service[slot].name,
		    rc == -EAGAIN ? "paused" : "not running");
}

/* Who is hidden is meant by its very name only. */
static bool is_meant(const struct board_service *s, const char *pattern)
{
	if (!s->used)
		return false;
	return board_service_hidden(s) ? !strcmp(pattern, s->name) : !fnmatch(pattern, s->name, 0);
}

/* Calls `what` for the services that match any of argv[0..n-1]; each at most once. */
static void each_service(struct call *call, size_t n, on_service *what)
{
	struct supervisor *sv = &call->sinit->supervisor;

	for (size_t i = 0; i < n; i++) {
		bool found = false;

		for (uint32_t slot = 0; slot < sv->count; slot++) {
			if (!is_meant(&sv->service[slot], call->request->argv[i]))
				continue;
			found = true;
			tell_service(call, slot);
			what(call, slot);
		}
		if (!found)
			fail(call, CTL_UNKNOWN, "no such service: %s", call->request->argv[i]);
	}
}

static void verb_start(struct call *call)
{
	each_service(call, call->request->argc, do_start);
}

static void verb_stop(struct call *call)
{
	each_service(call, call->request->argc, do_stop);
}

static void verb_restart(struct call *call)
{
	each_service(call, call->request->argc, do_restart);
}

static void verb_reset(struct call *call)
{
	each_service(call, call->request->argc, do_reset);
}

static void verb_reload(struct call *call)
{
	int rc;

	if (call->request->argc) {
		each_service(call, call->request->argc, do_reload);
		return;
	}
	/* It waits first: a reload that is going on already may have read the old files. */
	if (call->reply >= 0 && !control_wait_reload(&call->sinit->control, call->reply)) {
		fail(call, CTL_FAILED, "too many reloads are waiting; try again");
		return;
	}
	rc = reload_start(call->sinit);
	if (rc == 0) {
		call->later = call->reply >= 0;
		return;
	}
	if (call->reply >= 0)
		call->sinit->control.waiters--;
	fail(call, CTL_FAILED, "reload cannot begin: %s",
	    rc == -ESHUTDOWN ? "sinit is stopping" : strerror(-rc));
}

static void verb_signal(struct call *call)
{
	struct supervisor *sv = &call->sinit->supervisor;
	const char *pattern = call->request->argv[0], *name = call->request->argv[1];
	bool found = false;
	int sig;

	if (signal_parse(name, &sig) < 0) {
		fail(call, CTL_USAGE, "no such signal: %s", name);
		return;
	}
	for (uint32_t slot = 0; slot < sv->count; slot++) {
		int rc;

		if (!is_meant(&sv->service[slot], pattern))
			continue;
		found = true;
		rc = supervisor_signal(sv, slot, sig);
		if (rc < 0)
			fail(call, CTL_FAILED, "%s: %s", sv->service[slot].name,
			    rc == -ESRCH ? "not running" : strerror(-rc));
	}
	if (!found)
		fail(call, CTL_UNKNOWN, "no such service: %s", pattern);
}

static bool is_asked(const struct request *request, const char *key)
{
	for (size_t i = 1; i < request->argc; i++)
		if (!strcmp(request->argv[i], key))
			return true;
	return request->argc < 2;
}

static void show_key(struct call *call, const struct image *image, const void *settings,
    const struct schema_key *key, const char *prefix)
{
	char value[LINE / 4], line[LINE], name[64];
	struct text plain, json, shown;

	text_init(&plain, value, sizeof(value));
	schema_print_value(&plain, image, key, settings);
	text_init(&json, line, sizeof(line));
	text_add(&json, "{\"key\":");
	text_init(&shown, name, sizeof(name));
	text_addf(&shown, "%s%s%s", prefix ? prefix : "", prefix ? "." : "", schema_name(key));
	text_json(&json, name);
	text_add(&json, ",\"value\":");
	text_json(&json, plain.used ? plain.data : NULL);
	text_add(&json, "}\n");
	if (!json.cut && !control_write(call->reply, json.data, json.used))
		call->reply = -1;
}

/* A probe's keys are shown as [liveness NAME] has them, with the role in front. */
static void show_probes(
    struct call *call, const struct image *image, const struct service_settings *service)
{
	for (unsigned role = 0; role < PROBE_ROLES; role++) {
		const struct probe_settings *probe = image_probe(image, service, role);

		for (unsigned i = 0; probe && i < schema_count(); i++)
			if (schema_at(i)->section == SECTION_PROBE &&
			    schema_at(i)->kind != KIND_LATER)
				show_key(call, image, probe, schema_at(i), render_role(role));
	}
}

static void show_service(struct call *call, uint32_t slot)
{
	const struct supervisor *sv = &call->sinit->supervisor;
	struct place place = sv->unit[slot].graph;
	const struct image *image = sv->set[place.set].image;

	for (unsigned i = 0; i < schema_count(); i++) {
		const struct schema_key *key = schema_at(i);

		if (key->section == SECTION_SERVICE && key->kind != KIND_LATER &&
		    is_asked(call->request, schema_name(key)))
			show_key(call, image, image_service(image, place.index), key, NULL);
	}
	if (call->request->argc < 2)
		show_probes(call, image, image_service(image, place.index));
}

static bool keys_are_known(struct call *call)
{
	for (size_t i = 1; i < call->request->argc; i++) {
		const char *key = call->request->argv[i];
		const char *near = schema_nearest(SECTION_SERVICE, key);

		if (schema_find(SECTION_SERVICE, key))
			continue;
		fail(call, CTL_USAGE, "no such key: %s%s%s%s", key, near ? "; did you mean " : "",
		    near ? near : "", near ? "?" : "");
		return false;
	}
	return true;
}

static void verb_show(struct call *call)
{
	if (!keys_are_known(call))
		return;
	each_service(call, 1, show_service);
}

static void do_pause_or_not(struct call *call, uint32_t slot, bool paused)
{
	struct supervisor *sv = &call->sinit->supervisor;
	const char *name = sv->service[slot].name;
	int rc = supervisor_pause(sv, slot, paused);

	if (rc == -ESRCH)
		fail(call, CTL_FAILED, "%s: not running, so it cannot be paused or go on", name);
	else if (rc == -EOPNOTSUPP)
		fail(call, CTL_FAILED, "%s: it has no cgroup of its own: the log of sinit says why",
		    name);
	else if (rc < 0 && rc != -EALREADY) /* what is as it is wished to be is fine */
		fail(call, CTL_FAILED, "%s: its cgroup cannot be %s: %s", name,
		    paused ? "frozen" : "thawed", strerror(-rc));
}

static void do_pause(struct call *call, uint32_t slot)
{
	do_pause_or_not(call, slot, true);
}

static void do_resume(struct call *call, uint32_t slot)
{
	do_pause_or_not(call, slot, false);
}

static void verb_pause(struct call *call)
{
	each_service(call, call->request->argc, do_pause);
}

static void verb_resume(struct call *call)
{
	each_service(call, call->request->argc, do_resume);
}

static void verb_measure(struct call *call)
{
	if (supervisor_measure(&call->sinit->supervisor) || call->reply < 0)
		return;
	call->later = control_wait_measure(&call->sinit->control, call->reply);
	if (!call->later)
		fail(call, CTL_FAILED, "too many wait for a measurement; try again");
}

static void verb_shutdown(struct call *call)
{
	if (call->sinit->boot)
		call->sinit->end = machine_end_of_verb(call->request->verb);
	/* First, since who has asked may be a service. */
	control_result(call->reply, CTL_OK, "");
	call->reply = -1;
	supervisor_shutdown(&call->sinit->supervisor);
}

static void verb_machine(struct call *call)
{
	const char *verb = call->request->verb;

	if (!call->sinit->boot)
		fail(call, CTL_FAILED,
		    "%s: sinit is not the init of this machine; sinitctl shutdown stops it", verb);
	else if (machine_end_of_verb(verb) == END_KEXEC && !machine_end_has_kexec())
		fail(call, CTL_FAILED, "kexec: no kernel is loaded; kexec -l loads one");
	else
		verb_shutdown(call);
}

static void verb_rotate(struct call *call)
{
	helpers_logger_reopen(call->sinit);
}

static void verb_ping(struct call *call)
{
	(void)call;
}

static const struct verb {
	char name[12];
	uint8_t least, most; /* arguments */
	void (*run)(struct call *call);
} verbs[] = {
    {"start", 1, REQUEST_ARGS, verb_start},
    {"stop", 1, REQUEST_ARGS, verb_stop},
    {"restart", 1, REQUEST_ARGS, verb_restart},
    {"reload", 0, REQUEST_ARGS, verb_reload},
    {"signal", 2, 2, verb_signal},
    {"show", 1, REQUEST_ARGS, verb_show},
    {"reset", 1, REQUEST_ARGS, verb_reset},
    {"pause", 1, REQUEST_ARGS, verb_pause},
    {"resume", 1, REQUEST_ARGS, verb_resume},
    {"rotate", 0, 0, verb_rotate},
    {"measure", 0, 0, verb_measure},
    {"shutdown", 0, 0, verb_shutdown},
    {"reboot", 0, 0, verb_machine},
    {"poweroff", 0, 0, verb_machine},
    {"halt", 0, 0, verb_machine},
    {"kexec", 0, 0, verb_machine},
    {"ping", 0, 0, verb_ping},
};

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		if (!strcmp(verbs[i].name, name))
			return &verbs[i];
	return NULL;
}

bool serve(struct sinit *sinit, const struct request *request, int reply_fd)
{
	struct call call = {.sinit = sinit, .request = request, .reply = reply_fd};
	const struct verb *verb = find_verb(request->verb);

	if (!verb)
		fail(&call, CTL_USAGE, "no such verb: %s", request->verb);
	else if (request->argc < verb->least || request->argc > verb->most)
		fail(&call, CTL_USAGE, "%s: wrong number of arguments", verb->name);
	else
		verb->run(&call);
	if (call.later)
		return true;
	control_result(call.reply, call.code, call.message);
	return false;
}
