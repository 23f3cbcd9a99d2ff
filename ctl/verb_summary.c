/* summary: counts by state. health: is everything ready that should be? */
#include "ctl/ctl.h"
#include "init/format.h"
#include "init/render.h"
#include "ctl/view.h"
#include "init/explain.h"

#include <string.h>

static void summary_text(struct text *text, const struct view *view, const struct render_counts *counts)
{
	const struct board_header *head = view->board.head;

	text_addf(text, "%u service%s: %u ready", counts->all, counts->all == 1 ? "" : "s",
	    counts->ready);
	for (unsigned i = 0; i < STATE_COUNT; i++)
		if (counts->state[i])
			text_addf(text, ", %u %s", counts->state[i], state_name((enum state)i));
	text_addf(text, "; sinit %.*s ", (int)sizeof(head->release), head->release);
	if (view->life != BOARD_LIVE) {
		text_addf(text, "is not running (this is what pid %d left)\n", (int)head->pid);
		return;
	}
	text_addf(text, "%s, pid %d, up ", render_phase(head, view->life), (int)head->pid);
	explain_duration(text, view->now - head->started);
	text_add(text, "\n");
}

int ctl_summary(struct ctl *ctl)
{
	struct render_counts counts = {0};
	struct view view;
	int code = view_open(&view, ctl);

	if (code != CTL_OK)
		return code;
	code = view_load(&view, NULL, 0);
	for (size_t i = 0; i < view.count; i++)
		render_count(&counts, &view.rows[i]->s);
	struct text *text = out_text(ctl->out);
	if (ctl_has(ctl, OPT_JSON)) {
		render_summary(text, view.board.head, view.life, &counts, view.now);
		text_add(text, "\n");
	} else {
		summary_text(text, &view, &counts);
	}
	if (code == CTL_OK && view.life != BOARD_LIVE)
		code = CTL_NOT_RUNNING;
	return view_close(&view, code);
}

/* What is off, or was stopped by hand, is not expected to be ready. */
static bool expected(const struct board_service *s)
{
	return s->m.want == WANT_UP || (s->enabled && !s->by_hand);
}

int ctl_health(struct ctl *ctl)
{
	bool json = ctl_has(ctl, OPT_JSON);
	bool ready = true;
	unsigned shown = 0;
	struct view view;
	int code = view_open(&view, ctl);

	if (code != CTL_OK)
		return code;
	code = view_load(&view, ctl->argv, ctl->argc);
	for (size_t i = 0; i < view.count; i++)
		if (!view.rows[i]->s.m.ready && (ctl->argc || expected(&view.rows[i]->s)))
			ready = false;
	if (view.life != BOARD_LIVE || view.board.head->phase >= PHASE_STOPPING)
		ready = false;
	struct text *text = out_text(ctl->out);
	text_add(text, json ? "{\"ready\":" : ready ? "ready" : "not ready");
	if (json)
		text_add(text, ready ? "true,\"checks\":{" : "false,\"checks\":{");
	for (size_t i = 0; i < view.count; i++) {
		const struct board_service *s = &view.rows[i]->s;
		text = out_text(ctl->out);
		if (!ctl->argc && !expected(s))
			continue;
		if (!json && s->m.ready)
			continue;
		text_add(text, shown++ ? "," : json ? "" : ":");
		if (json) {
			text_json(text, s->name);
			text_add(text, s->m.ready ? ":true" : ":false");
		} else {
			text_add(text, " ");
			format_clean(text, s->name);
			text_addf(text, " (%s)", state_name((enum state)s->m.state));
		}
	}
	text_add(out_text(ctl->out), json ? "}}\n" : "\n");
	if (view.life != BOARD_LIVE) {
		ctl_error("sinit is not running on %s any more", ctl->rundir);
		return view_close(&view, CTL_NOT_RUNNING);
	}
	if (code == CTL_OK && !ready)
		code = CTL_FAILED;
	return view_close(&view, code);
}
