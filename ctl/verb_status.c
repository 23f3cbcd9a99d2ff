/* status: a table for people, or one JSON object. From the board alone, so it works
 * while PID 1 is stopped in a debugger, and tells what a dead one has left. */
#include "ctl/ctl.h"
#include "init/format.h"
#include "init/render.h"
#include "ctl/view.h"
#include "init/explain.h"

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

enum { CELL = 160, GAP = 2, REASON_LEAST = 24 };

/* `drop`: which goes first when the terminal is too narrow; 0: never. */
static const struct {
	const char *title;
	bool right;
	int drop;
} columns[COL_COUNT] = {
    [COL_NAME] = {"NAME", false, 0},
    [COL_STATE] = {"STATE", false, 0},
    [COL_READY] = {"READY", false, 2},
    [COL_PID] = {"PID", true, 4},
    [COL_UPTIME] = {"UPTIME", true, 5},
    [COL_RESTARTS] = {"RESTARTS", true, 3},
    [COL_EXIT] = {"LAST EXIT", false, 1},
    [COL_REASON] = {"REASON", false, 6},
};

struct table {
	const struct view *view;
	const struct style *style;
	size_t width[COL_COUNT]; /* 0: the column is left out */
};

static bool has_run(const struct board_service *s)
{
	return s->m.exit_kind != LAST_NONE;
}

/* Writes one cell's text. Fast where it matters: it is called twice for each. */
static void cell(
    const struct view *view, const struct view_row *row, enum column column, struct text *text)
{
	const struct board_service *s = &row->s;
	const struct machine *m = &s->m;
	bool alive = view->life == BOARD_LIVE;

	switch (column) {
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

static size_t total_width(const struct table *table)
{
	size_t total = 0;

	for (int c = 0; c < COL_COUNT; c++)
		if (table->width[c])
			total += table->width[c] + GAP;
	return total - GAP;
}

/* Makes the table fit the terminal: the reason is cut first, then columns go. */
static void fit(struct table *table)
{
	size_t width = table->style->width;

	if (table->style->utf8)
		width = width > 2 ? width - 2 : 1; /* the marks */
	for (int drop = 1; total_width(table) > width; drop++) {
		size_t over = total_width(table) - width;
		if (table->width[COL_REASON] >= REASON_LEAST + over) {
			table->width[COL_REASON] -= over;
			return;
		}
		int victim = COL_COUNT;
		for (int c = 0; c < COL_COUNT; c++)
			if (columns[c].drop == drop)
				victim = c;
		if (victim == COL_COUNT)
			break;
		table->width[victim] = 0;
	}
	size_t rest = total_width(table) - table->width[COL_NAME];
	if (total_width(table) > width)
		table->width[COL_NAME] = width > rest + 8 ? width - rest : 8;
}

static void measure(struct table *table)
{
	char buffer[CELL];
	struct text text;

	for (int c = 0; c < COL_COUNT; c++)
		table->width[c] = strlen(columns[c].title);
	for (size_t i = 0; i < table->view->count; i++)
		for (int c = 0; c < COL_COUNT; c++) {
			if (c == COL_REASON && !table->style->width)
				continue; /* the last one in a pipe needs no width */
			text_init(&text, buffer, sizeof(buffer));
			cell(table->view, table->view->rows[i], (enum column)c, &text);
			size_t width =
			    c == COL_NAME || c == COL_REASON ? format_columns(buffer) : text.used;
			if (width > table->width[c])
				table->width[c] = width;
		}
	if (table->style->width)
		fit(table);
}

/* One cell with its padding; the last column is followed by nothing. */
static void put_cell(
    const struct table *table, struct text *text, int c, const char *content, const char *colour)
{
	size_t width = table->width[c];
	size_t have = format_columns(content);
	bool cuts = table->style->width && have > width;
	bool last = true;

	for (int next = c + 1; next < COL_COUNT; next++)
		if (table->width[next])
			last = false;
	if (columns[c].right && have < width)
		format_spaces(text, width - have);
	if (colour)
		view_paint(table->style, text, colour, true);
	if (cuts)
		format_cut(text, content, width, table->style->utf8 ? "…" : "~");
	else
		text_add(text, content);
	if (colour)
		view_paint(table->style, text, colour, false);
	if (!last && !columns[c].right && have < width)
		format_spaces(text, width - have);
	if (!last)
		format_spaces(text, GAP);
}

/* Takes back the padding in front of an empty last cell. */
static void trim(struct text *text)
{
	while (text->used > 0 && text->data[text->used - 1] == ' ')
		text->used--;
	text->data[text->used] = '\0';
}

static void put_row(const struct table *table, struct text *text, const struct view_row *row)
{
	const struct board_service *s = &row->s;
	struct look look = view_look((enum state)s->m.state);
	char buffer[1024];
	struct text content;

	if (table->style->utf8) {
		view_paint(table->style, text, look.colour, true);
		text_add(text, look.mark);
		view_paint(table->style, text, look.colour, false);
		text_add(text, " ");
	}
	for (int c = 0; c < COL_COUNT; c++) {
		if (!table->width[c])
			continue;
		text_init(&content, buffer, sizeof(buffer));
		cell(table->view, row, (enum column)c, &content);
		put_cell(table, text, c, buffer, c == COL_STATE ? look.colour : NULL);
	}
	trim(text);
	text_add(text, "\n");
}

static void put_table(struct ctl *ctl, const struct view *view)
{
	struct table table = {.view = view, .style = &ctl->style};
	struct text *text = out_text(ctl->out);

	measure(&table);
	if (ctl->style.utf8)
		text_add(text, "  ");
	for (int c = 0; c < COL_COUNT; c++)
		if (table.width[c])
			put_cell(&table, text, c, columns[c].title, NULL);
	text_add(text, "\n");
	for (size_t i = 0; i < view->count; i++)
		put_row(&table, out_text(ctl->out), view->rows[i]);
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
