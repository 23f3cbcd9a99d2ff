/* start, stop, restart: ask PID 1, then watch the board for the outcome. wait: only
 * watch. */
#include "ctl/client.h"
#include "ctl/ctl.h"
#include "ctl/watch.h"

#include <string.h>

struct operation {
	struct ctl *ctl;
	enum goal goal;
	struct watch watch;
	bool failed;
};

static enum state state_of(const char *name)
{
	for (int i = 0; name && i < STATE_COUNT; i++)
		if (strcmp(state_name((enum state)i), name) == 0)
			return (enum state)i;
	return STATE_STOPPED;
}

/* {"service","slot","life","state"}: as it was before the request was carried out. */
static void take_service(void *context, const char *line, const struct reply *reply)
{
	struct operation *operation = context;
	struct ctl *ctl = operation->ctl;
	const char *name = reply_get(reply, "service");
	const char *slot = reply_get(reply, "slot");
	const char *life = reply_get(reply, "life");
	const char *warning = reply_get(reply, "warning");
	struct outcome outcome = {.goal = operation->goal};
	uint32_t number;

	if (warning)
		ctl_error("%s", warning);
	if (!name)
		return;
	outcome.state = state_of(reply_get(reply, "state"));
	if (ctl_has(ctl, OPT_NO_WAIT) && ctl_has(ctl, OPT_JSON)) {
		out_add(ctl->out, line);
		out_add(ctl->out, "\n");
	}
	if (ctl_has(ctl, OPT_NO_WAIT))
		return;
	if (!slot || !life || parse_u32(slot, &number) != 0 ||
	    parse_u32(life, &outcome.life) != 0 ||
	    !watch_add(&operation->watch, name, number, &outcome))
		operation->failed = true;
}

int ctl_operate(struct ctl *ctl)
{
	struct operation operation = {.ctl = ctl};
	const char *verb = ctl->verb->name;
	struct view view;
	int code = CTL_OK;

	operation.goal = strcmp(verb, "stop") == 0    ? GOAL_STOP
			 : strcmp(verb, "start") == 0 ? GOAL_START
						      : GOAL_RESTART;
	for (size_t at = 0; at < ctl->argc;) {
		size_t count = client_fits(verb, ctl->argv + at, ctl->argc - at);
		count += count == 0; /* too long a name: the call says so */
		int answer =
		    client_call(ctl, verb, ctl->argv + at, count, take_service, &operation);
		code = code == CTL_OK ? answer : code;
		at += count;
		if (answer == CTL_NOT_RUNNING || answer == CTL_TIMED_OUT)
			break;
	}
	if (operation.watch.count && view_open(&view, ctl) == CTL_OK) {
		int outcome = watch_run(&operation.watch, ctl, &view, watch_limit(ctl));
		code = view_close(&view, code == CTL_OK ? outcome : code);
	} else if (operation.watch.count) {
		ctl_error("so the outcome of %s cannot be watched; --no-wait does without", verb);
		operation.failed = true;
	}
	watch_free(&operation.watch);
	return code == CTL_OK && operation.failed ? CTL_FAILED : code;
}

int ctl_wait(struct ctl *ctl)
{
	struct outcome outcome = {ctl_has(ctl, OPT_STOPPED) ? GOAL_STOPPED : GOAL_READY, 0, 0};
	struct watch watch = {0};
	struct view view;
	int code = view_open(&view, ctl);

	if (code != CTL_OK)
		return code;
	code = view_load(&view, ctl->argv, ctl->argc);
	if (code == CTL_OK && view.life != BOARD_LIVE) {
		ctl_error("sinit is not running on %s any more", ctl->rundir);
		code = CTL_NOT_RUNNING;
	}
	for (size_t i = 0; code == CTL_OK && i < view.count; i++)
		if (!watch_add(&watch, view.rows[i]->s.name, view.rows[i]->slot, &outcome))
			code = CTL_FAILED;
	if (code == CTL_OK)
		code = watch_run(&watch, ctl, &view, watch_limit(ctl));
	watch_free(&watch);
	return view_close(&view, code);
}
