/* summary: counts by state. */
#include "ctl/ctl.h"
#include "ctl/view.h"
#include "init/explain.h"
#include "init/format.h"
#include "init/render.h"

#include <string.h>

static void summary_text(
    struct text *text, const struct view *view, const struct render_counts *counts)
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
