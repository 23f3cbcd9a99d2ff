/* status: a table for people, or one JSON object. From the board alone, so it works
 * while PID 1 is stopped in a debugger, and tells what a dead one has left. */
#include "ctl/ctl.h"
#include "ctl/table.h"
#include "ctl/view.h"
#include "init/explain.h"
#include "init/format.h"
#include "init/render.h"

#include <stdlib.h>
#include <string.h>

enum column {
	COL_NAME,
	COL_STATE,
	COL_READY,
	COL_PID,
	COL_UPTIME,
	COL_RESTARTS,
	COL_EXIT,
	COL_REASON,
	COL_COUNT
};

enum { REASON_LEAST = 24 };

static const struct table_column columns[COL_COUNT] = {
    [COL_NAME] = {"NAME", .free = true},
    [COL_STATE] = {"STATE"},
    [COL_READY] = {"READY", .drop = 2},
    [COL_PID] = {"PID", .right = true, .drop = 4},
    [COL_UPTIME] = {"UPTIME", .right = true, .drop = 5},
    [COL_RESTARTS] = {"RESTARTS", .right = true, .drop = 3},
    [COL_EXIT] = {"LAST EXIT", .drop = 1},
    [COL_REASON] = {"REASON", .free = true, .drop = 6},
};

static bool has_run(const struct board_service *s)
{
	return s->m.exit_kind != LAST_NONE;
}

static const struct board_service *service(const void *context, size_t row)
{
	const struct view *view = context;

	return &view->rows[row]->s;
}

/* Writes one cell's text. Fast where it matters: it is called twice for each. */
static void cell(const void *context, size_t number, unsigned column, struct text *text)
{
	const struct view *view = context;
	const struct view_row *row = view->rows[number];
	const struct board_service *s = &row->s;
	const struct machine *m = &s->m;
	bool alive = view->life == BOARD_LIVE;

	switch ((enum column)column) {
	case COL_NAME:
		format_clean(text, s->name);
		break;
	case COL_STATE:
		text_add(text, state_name((enum state)m->state));
		text_add(text, s->slice & SLICE_PAUSED ? " (paused)" : "");
		break;
	case COL_READY:
		text_add(text, board_service_ready(s) ? "yes" : m->want == WANT_UP ? "no" : "-");
		break;
	case COL_PID:
		if (s->pid > 0)
			format_number(text, s->pid);
		else
			text_add(text, "-");
		break;
	case COL_UPTIME:
		if (alive && m->main_alive && m->started)
			explain_duration(text, view->now - m->started);
		else
			text_add(text, "-");
		break;
	case COL_RESTARTS:
		format_number(text, m->restarts);
		break;
	case COL_EXIT:
		if (has_run(s) && m->exit_kind != LAST_SPAWN_ERROR)
			explain_exit(
			    text, (enum last_kind)m->exit_kind, m->exit_code, m->exit_core);
		else
			text_add(text, has_run(s) ? "not run" : "-");
		break;
	case COL_REASON:
		view_reason(view, row->slot, s, text);
		break;
	case COL_COUNT:
		break;
	}
}

static void put_table(struct ctl *ctl, const struct view *view)
{
	const struct table_source source = {.columns = columns,
	    .count = COL_COUNT,
	    .flexible = COL_REASON,
	    .least = REASON_LEAST,
	    .service = service,
	    .cell = cell,
	    .context = view,
	    .rows = view->count};
	struct text *text = out_text(ctl->out);
	struct table table;

	table_init(&table, &source, &ctl->style);
	table_head(&table, text);
	text_add(text, "\n");
	for (size_t i = 0; i < view->count; i++) {
		text = out_text(ctl->out);
		table_row(&table, text, i);
		text_add(text, "\n");
	}
}

static void put_service(const struct view *view, const struct view_row *row, struct text *text)
{
	const struct board *board = &view->board;
	struct render_about about = {
	    .life = view->life, .now = view->now, .cgroup = board->head->cgroup};
	char blocker[BOARD_NAME];

	about.blocker = board_slot_name(board, row->s.blocker, blocker);
	about.measured = board_read_reading(board, row->slot, &row->s, &about.reading);
	board_read_words(board, row->slot, &row->s, &about.words);
	render_service(text, &row->s, &about);
}

static void put_json(struct ctl *ctl, const struct view *view)
{
	struct text *text = out_text(ctl->out);

	text_add(text, "{\"sinit\":");
	render_sinit(text, view->board.head, view->life, view->now);
	text_add(text, ",\"services\":[");
	for (size_t i = 0; i < view->count; i++) {
		text = out_text(ctl->out);
		text_add(text, i ? "," : "");
		put_service(view, view->rows[i], text);
	}
	text_add(out_text(ctl->out), "]}\n");
}

/* LSB 5.0, 20.8: 0 running, 3 not running, 4 unknown. */
static int exit_code(const struct ctl *ctl, const struct view *view)
{
	if (view->life != BOARD_LIVE)
		return CTL_NOT_RUNNING;
	for (size_t i = 0; ctl->argc && i < view->count; i++) {
		uint8_t state = view->rows[i]->s.m.state;
		if (state != STATE_RUNNING && state != STATE_DONE)
			return CTL_NOT_RUNNING;
	}
	return CTL_OK;
}

int ctl_status(struct ctl *ctl)
{
	struct view view;
	int code = view_open(&view, ctl);

	if (code != CTL_OK)
		return code;
	code = view_load(&view, ctl->argv, ctl->argc);
	if (code == CTL_FAILED)
		return view_close(&view, code);
	if (ctl_has(ctl, OPT_JSON)) {
		put_json(ctl, &view);
	} else {
		if (view.life != BOARD_LIVE)
			text_addf(out_text(ctl->out),
			    "sinit is not running (this is what pid %d left)\n",
			    (int)view.board.head->pid);
		if (view.count || !ctl->argc)
			put_table(ctl, &view);
	}
	if (code == CTL_OK || view.life != BOARD_LIVE)
		code = exit_code(ctl, &view);
	return view_close(&view, code);
}
