/* plot and blame: how the start went. The times are the board's, so they can be had from a dead
 * sinit, too; what needs what only from one that lives. */
#include "ctl/edges.h"
#include "ctl/match.h"
#include "ctl/plot.h"
#include "ctl/view.h"
#include "init/format.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct look_back {
	struct ctl *ctl;
	struct view view;
	struct startup startup; /* its rows are in the view's arena */
	char host[256];
};

static bool is_asked(const void *context, const char *name)
{
	const struct ctl *ctl = context;

	for (size_t i = 0; i < ctl->argc; i++)
		if (match_service(ctl->argv[i], name))
			return true;
	return ctl->argc == 0;
}

/* --- What is known ------------------------------------------------------------------------ */

/* Of one that was not executed the board knows what it waits for. */
static void take_blockers(struct startup *startup)
{
	for (uint32_t i = 0; i < startup->rows; i++)
		for (uint32_t to = 0;
		     to < startup->rows && startup->row[i].executed == STARTUP_NEVER; to++)
			startup_edge(startup, i, to, NULL, false);
}

static int join_edges(struct look_back *back, const struct edges *edges)
{
	struct startup *startup = &back->startup;
	uint32_t *row_of = arena_get(&back->view.arena, (edges->names + 1) * sizeof(*row_of));

	if (!row_of) {
		ctl_error("out of memory");
		return CTL_FAILED;
	}
	for (uint32_t i = 0; i < edges->names; i++)
		row_of[i] = STARTUP_NONE;
	for (uint32_t i = 0; i < startup->rows; i++) {
		uint32_t name = edges_find(edges, startup->row[i].name);
		if (name != EDGE_NONE)
			row_of[name] = i;
	}
	for (uint32_t i = 0; i < edges->edges; i++) {
		const struct edge *edge = &edges->edge[i];
		uint32_t from = row_of[edge->from], to = row_of[edge->to];
		if (from != STARTUP_NONE && to != STARTUP_NONE && edge->kind < EDGE_RESTART_WITH)
			startup_edge(
			    startup, from, to, edge_names[edge->kind], edge->kind == EDGE_REQUIRES);
	}
	return CTL_OK;
}

/* Who may not ask, or finds nobody to ask, sees the times all the same. */
static void take_edges(struct look_back *back)
{
	struct edges edges = {0};
	int code = CTL_NOT_RUNNING;

	if (back->view.life == BOARD_LIVE) {
		code = edges_of_sinit(&edges, back->ctl);
		code = code == CTL_OK ? edges_sort(&edges) : code;
		code = code == CTL_OK ? join_edges(back, &edges) : code;
	}
	if (code == CTL_NOT_RUNNING)
		ctl_error(
		    "sinit is not running on %s: only the times are known, not what needed what",
		    back->ctl->rundir);
	else if (code != CTL_OK)
		ctl_error("only the times are shown, without what needed what");
	edges_free(&edges);
	take_blockers(&back->startup);
}

static int take_rows(struct look_back *back)
{
	const struct view *view = &back->view;
	struct startup *startup = &back->startup;

	startup->row = arena_get(&back->view.arena, (view->count + 1) * sizeof(*startup->row));
	if (!startup->row) {
		ctl_error("out of memory");
		return CTL_FAILED;
	}
	for (size_t i = 0; i < view->count; i++)
		startup->rows += startup_take(&startup->row[startup->rows], view->rows[i]->slot,
		    &view->rows[i]->s, view->board.head);
	startup->now = view->now * 1000 - view->board.head->began;
	startup_sort(startup);
	return CTL_OK;
}

/* Opens back->view. CTL_OK or CTL_UNKNOWN (some of the names mean nothing): it is to be closed;
 * else it is. */
static int look_back(struct look_back *back)
{
	struct ctl *ctl = back->ctl;
	int code = view_open(&back->view, ctl);

	if (code != CTL_OK)
		return code;
	code = view_load(&back->view, ctl->argv, ctl->argc);
	bool empty = code == CTL_UNKNOWN && back->view.count == 0;
	/* All of them, whoever was asked for: what one waited for is perhaps another. */
	back->view.count = 0;
	int rest = empty || code == CTL_FAILED ? code : view_load(&back->view, NULL, 0);
	if (rest == CTL_OK)
		rest = take_rows(back);
	if (rest != CTL_OK)
		return view_close(&back->view, rest);
	out_flush(ctl->out);
	take_edges(back);
	startup_finish(&back->startup);
	if (gethostname(back->host, sizeof(back->host) - 1) != 0)
		back->host[0] = '\0';
	return code;
}

/* --- JSON ----------------------------------------------------------------------------------- */

static void put_us(struct text *text, const char *key, int64_t us)
{
	text_addf(text, ",\"%s\":", key);
	if (us == STARTUP_NEVER)
		text_add(text, "null");
	else
		format_number(text, us);
}

static void put_row(struct text *text, const struct startup *startup, const struct startup_row *row)
{
	static const char *const ends[] = {"ready", "failed", "stopped", "starting"};
	const struct startup_row *waited =
	    row->waited == STARTUP_NONE ? NULL : &startup->row[row->waited];

	text_add(text, "{\"name\":");
	text_json(text, row->name);
	text_addf(text, ",\"result\":\"%s\"", ends[row->end]);
	put_us(text, "wanted_us", row->wanted);
	put_us(text, "executed_us", row->executed);
	put_us(text, "ready_us", row->ready);
	put_us(text, "failed_us", row->failed);
	put_us(text, "ended_us", row->ended);
	put_us(text, "took_us", startup_took(startup, row));
	text_add(text, ",\"waited_for\":");
	text_json(text, waited ? waited->name : NULL);
	text_add(text, ",\"by\":");
	text_json(text, row->how);
	text_addf(text, ",\"critical\":%s,\"later\":%s}", row->critical ? "true" : "false",
	    row->late ? "true" : "false");
}

/* Names from the first to the last: the chain is found backwards. */
static void put_path(struct out *out, const struct startup *startup)
{
	const char *comma = "";

	out_add(out, ",\"critical_path\":[");
	for (uint32_t i = 0; i < startup->rows; i++) {
		struct text *text = out_text(out);
		if (!startup->row[i].critical)
			continue;
		text_add(text, comma);
		text_json(text, startup->row[i].name);
		comma = ",";
	}
	out_add(out, "]");
}

static void put_json(
    const struct look_back *back, const struct startup_row *const *rows, size_t count)
{
	const struct board_header *head = back->view.board.head;
	const struct startup *startup = &back->startup;
	struct text *text = out_text(back->ctl->out);

	text_add(text, "{\"host\":");
	text_json(text, back->host);
	text_add(text, ",\"version\":");
	text_json_bytes(text, head->release, strnlen(head->release, sizeof(head->release)));
	text_addf(text, ",\"mode\":\"%s\",\"started\":\"", startup_mode(head));
	format_time(text, head->started_wall);
	text_add(text, "\"");
	put_us(text, "kernel_us", head->mode == MODE_BOOT ? head->began : STARTUP_NEVER);
	put_us(text, "own_us", startup->wanted);
	put_us(text, "took_us", startup->total);
	text_addf(text, ",\"finished\":%s", startup->on_way ? "false" : "true");
	put_path(back->ctl->out, startup);
	out_add(back->ctl->out, ",\"services\":[");
	for (size_t i = 0; i < count; i++) {
		text = out_text(back->ctl->out);
		text_add(text, i ? "," : "");
		put_row(text, startup, rows[i]);
	}
	out_add(back->ctl->out, "]}\n");
}

/* The rows that were asked for; *ret_count: how many. NULL: no memory, which was said. */
static const struct startup_row **choose(struct look_back *back, size_t *ret_count)
{
	const struct startup *startup = &back->startup;
	const struct startup_row **rows =
	    arena_get(&back->view.arena, (startup->rows + 1) * sizeof(*rows));

	*ret_count = 0;
	for (uint32_t i = 0; rows && i < startup->rows; i++)
		if (is_asked(back->ctl, startup->row[i].name))
			rows[(*ret_count)++] = &startup->row[i];
	if (!rows)
		ctl_error("out of memory");
	return rows;
}

/* --- blame ------------------------------------------------------------------------------------ */

/* qsort(3) hands on nothing else, so the time stands in front of what is sorted. */
struct blame {
	int64_t took;
	const struct startup_row *row;
};

static int by_took(const void *a, const void *b)
{
	const struct blame *left = a;
	const struct blame *right = b;

	if (left->took != right->took)
		return left->took > right->took ? -1 : 1;
	return strcmp(left->row->name, right->row->name);
}

static int sort_by_took(struct look_back *back, const struct startup_row **rows, size_t count)
{
	struct blame *blame = arena_get(&back->view.arena, (count + 1) * sizeof(*blame));

	if (!blame) {
		ctl_error("out of memory");
		return CTL_FAILED;
	}
	for (size_t i = 0; i < count; i++)
		blame[i] = (struct blame){startup_took(&back->startup, rows[i]), rows[i]};
	qsort(blame, count, sizeof(*blame), by_took);
	for (size_t i = 0; i < count; i++)
		rows[i] = blame[i].row;
	return CTL_OK;
}

enum { TIME_COLUMNS = 10, NAME_COLUMNS = 32 };

static void put_line(const struct look_back *back, const struct startup_row *row, size_t widest)
{
	struct text *text = out_text(back->ctl->out);
	int64_t took = startup_took(&back->startup, row);
	char raw[512];
	struct text piece;

	text_init(&piece, raw, sizeof(raw));
	if (took == STARTUP_NEVER)
		text_add(&piece, "-");
	else
		startup_time(&piece, took);
	format_spaces(text, piece.used < TIME_COLUMNS ? TIME_COLUMNS - piece.used : 0);
	text_add(text, raw);
	text_add(text, "  ");
	format_clean(text, row->name);
	text_init(&piece, raw, sizeof(raw));
	startup_note(&piece, &back->startup, row);
	if (piece.used) {
		size_t columns = format_columns(row->name);
		format_spaces(text, 2 + (columns < widest ? widest - columns : 0));
		text_add(text, raw);
	}
	text_add(text, "\n");
}

/* Who was not ready, and how that came. */
static void put_late_ones(const struct look_back *back)
{
	static const char *const ends[] = {"", " (failed)", " (stopped)", " (starting)"};
	const struct startup *startup = &back->startup;
	struct out *out = back->ctl->out;
	const char *before = startup->on_way ? "; not ready yet: " : "; never ready: ";

	for (uint32_t i = 0; i < startup->rows; i++) {
		const struct startup_row *row = &startup->row[i];
		bool waits = row->end == STARTUP_ON_WAY && row->executed == STARTUP_NEVER;
		if (row->late || row->end == STARTUP_READY)
			continue;
		out_add(out, before);
		out_clean(out, row->name);
		out_add(out, waits ? " (waiting)" : ends[row->end]);
		before = ", ";
	}
}

static void put_total(const struct look_back *back)
{
	const struct board_header *head = back->view.board.head;
	const struct startup *startup = &back->startup;
	struct text *text = out_text(back->ctl->out);

	if (startup->on_way) {
		text_add(text, "startup has taken ");
		startup_time(text, startup->now);
		text_add(text, " so far");
	} else if (startup->total == STARTUP_NEVER) {
		text_add(text, startup->failed ? "startup failed" : "nothing was started");
	} else {
		text_add(text, "startup took ");
		startup_time(text, startup->total);
	}
	if (head->mode == MODE_BOOT) {
		text_add(text, ", kernel ");
		startup_time(text, head->began);
		text_add(text, " before it");
	}
	put_late_ones(back);
	out_add(back->ctl->out, "\n");
}

static void put_blame(
    const struct look_back *back, const struct startup_row *const *rows, size_t count)
{
	size_t widest = 0;

	for (size_t i = 0; i < count; i++) {
		size_t columns = format_columns(rows[i]->name);
		if (columns > widest && columns <= NAME_COLUMNS)
			widest = columns;
	}
	for (size_t i = 0; i < count; i++)
		put_line(back, rows[i], widest);
	put_total(back);
}

int ctl_blame(struct ctl *ctl)
{
	struct look_back back = {.ctl = ctl};
	int code = look_back(&back);
	size_t count;

	if (!back.startup.row)
		return code;
	const struct startup_row **rows = choose(&back, &count);
	if (!rows || sort_by_took(&back, rows, count) != CTL_OK)
		return view_close(&back.view, CTL_FAILED);
	if (ctl_has(ctl, OPT_JSON))
		put_json(&back, rows, count);
	else
		put_blame(&back, rows, count);
	return view_close(&back.view, code);
}

/* --- plot ------------------------------------------------------------------------------------ */

static int put_plot(struct look_back *back)
{
	struct plot plot = {.startup = &back->startup,
	    .host = back->host,
	    .head = back->view.board.head,
	    .shown = is_asked,
	    .context = back->ctl};

	plot.line_of =
	    arena_get(&back->view.arena, (back->startup.rows + 1) * sizeof(*plot.line_of));
	if (!plot.line_of) {
		ctl_error("out of memory");
		return CTL_FAILED;
	}
	plot_init(&plot);
	plot_head(out_text(back->ctl->out), &plot);
	for (uint32_t i = 0; i < back->startup.rows; i++)
		plot_row(out_text(back->ctl->out), &plot, i);
	plot_foot(out_text(back->ctl->out), &plot);
	return CTL_OK;
}

int ctl_plot(struct ctl *ctl)
{
	struct look_back back = {.ctl = ctl};
	int code = look_back(&back), drawn = CTL_OK;
	size_t count;

	if (!back.startup.row)
		return code;
	if (ctl_has(ctl, OPT_JSON)) {
		const struct startup_row **rows = choose(&back, &count);
		if (rows)
			put_json(&back, rows, count);
		else
			drawn = CTL_FAILED;
	} else {
		drawn = put_plot(&back);
	}
	return view_close(&back.view, drawn == CTL_OK ? code : drawn);
}
