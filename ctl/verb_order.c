/* Verbs that are carried out at once: reload, signal, reset, pause, resume, rotate, ping; and the
 * ends of it all: shutdown, reboot, poweroff. */
#include "ctl/client.h"
#include "ctl/ctl.h"
#include "ctl/watch.h"
#include "init/clock.h"
#include "init/explain.h"

#include <string.h>
#include <unistd.h>

/* "FILE:LINE: message" as --check prints it, so that editors find the place. */
static void put_message(struct ctl *ctl, const char *message)
{
	struct out errors;

	out_flush(ctl->out);
	out_init(&errors, STDERR_FILENO);
	out_clean(&errors, message);
	out_add(&errors, "\n");
	out_flush(&errors);
}

static void put_fields(struct out *out, const struct reply *reply)
{
	for (size_t i = 0; i < reply->count; i++) {
		out_add(out, i ? ", " : "");
		out_clean(out, reply->field[i].key);
		out_add(out, " ");
		out_clean(out, reply->field[i].value ? reply->field[i].value : "-");
	}
	out_add(out, "\n");
}

static void put_line(void *context, const char *line, const struct reply *reply)
{
	struct ctl *ctl = context;
	const char *error = reply_get(reply, "error");
	const char *warning = reply_get(reply, "warning");
	const char *service = reply_get(reply, "service");
	const char *state = reply_get(reply, "state");

	if (error || warning)
		put_message(ctl, error ? error : warning);
	if (ctl_has(ctl, OPT_JSON)) {
		out_add(ctl->out, line);
		out_add(ctl->out, "\n");
	} else if (service) {
		out_clean(ctl->out, service);
		out_add(ctl->out, ": ");
		out_clean(ctl->out, state ? state : "done");
		out_add(ctl->out, "\n");
	} else if (!error && !warning) {
		put_fields(ctl->out, reply);
	}
}

int ctl_order(struct ctl *ctl)
{
	const char *verb = ctl->verb->name;
	int code = CTL_OK;
	size_t at = 0;

	do {
		size_t count = client_fits(verb, ctl->argv + at, ctl->argc - at);
		count += count == 0 && ctl->argc > 0;
		int answer = client_call(ctl, verb, ctl->argv + at, count, put_line, ctl);
		code = code == CTL_OK ? answer : code;
		at += count;
		if (answer == CTL_NOT_RUNNING || answer == CTL_TIMED_OUT)
			break;
	} while (at < ctl->argc);
	if (code != CTL_OK)
		return code;
	struct text *text = out_text(ctl->out);
	if (ctl_has(ctl, OPT_JSON))
		text_add(text, "{\"result\":\"ok\"}\n");
	else if (strcmp(verb, "ping") == 0)
		text_add(text, "sinit answers\n");
	else if (strcmp(verb, "reload") == 0 && ctl->argc == 0)
		text_add(text, "configuration reloaded\n");
	return CTL_OK;
}

int ctl_shutdown(struct ctl *ctl)
{
	int code = client_call(ctl, ctl->verb->name, NULL, 0, put_line, ctl);
	int64_t limit = watch_limit(ctl);
	int64_t end = clock_ms() + limit;
	char time[32];
	struct text text;
	int32_t pid;

	out_flush(ctl->out);
	if (code != CTL_OK || ctl_has(ctl, OPT_NO_WAIT))
		return code;
	while (view_life(ctl->rundir, &pid) == BOARD_LIVE) {
		int64_t left = end - clock_ms();
		if (left <= 0) {
			text_init(&text, time, sizeof(time));
			explain_duration(&text, limit);
			ctl_error(
			    "sinit (pid %d) is still stopping after %s; sinitctl status tells "
			    "what it waits for",
			    (int)pid, time);
			return CTL_TIMED_OUT;
		}
		watch_sleep(left < CTL_POLL_MS ? left : CTL_POLL_MS);
	}
	if (ctl_has(ctl, OPT_JSON))
		text_add(out_text(ctl->out), "{\"result\":\"ok\"}\n");
	return CTL_OK;
}
