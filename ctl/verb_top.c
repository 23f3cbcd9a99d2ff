/* top: what services use, again and again. PID 1 is asked to read it, and puts it on the board. */
#include "ctl/client.h"
#include "ctl/screen.h"
#include "ctl/top.h"
#include "ctl/watch.h"
#include "init/clock.h"
#include "init/explain.h"
#include "init/format.h"
#include "init/render.h"

#include <stdlib.h>

enum { OLD = 3 /* intervals after which a reading is called old */ };

struct top {
	struct ctl *ctl;
	struct style style;
	uint32_t interval;     /* ms */
	int64_t ask_at;        /* when PID 1 is asked for new readings again, INT64_MAX: never */
	int64_t started;       /* of the sinit that `last` is of */
	struct top_last *last; /* by slot */
	uint32_t slots;
	struct view view;     /* the present look */
	struct top_row *rows; /* in the view's arena */
	struct top_totals totals;
	int64_t newest; /* time of the newest reading, 0: none */
};

/* --- A look -------------------------------------------------------------------------- */

/* Room for every slot, empty if it is another sinit than before. */
static int keep_last(struct top *top)
{
	const struct board_header *head = top->view.board.head;

	if (top->last && top->started == head->started && top->slots == head->capacity)
		return CTL_OK;
	free(top->last);
	top->last = calloc((size_t)head->capacity + 1, sizeof(*top->last));
	top->started = head->started;
	top->slots = head->capacity;
	if (top->last)
		return CTL_OK;
	ctl_error("out of memory");
	return CTL_FAILED;
}

/* Asks PID 1; who may not ask sees what others have asked for. One that does not answer is left
 * alone for a while, in which keys are read. */
static int measure(struct top *top)
{
	if (!*top->view.board.head->cgroup || clock_ms() < top->ask_at)
		return CTL_OK;
	int code = client_call(top->ctl, "measure", NULL, 0, NULL, NULL);
	if (code == CTL_TIMED_OUT)
		top->ask_at = clock_ms() + 2 * CTL_ANSWER_MS;
	else if (code == CTL_FAILED || code == CTL_USAGE)
		top->ask_at = INT64_MAX;
	return code == CTL_NOT_RUNNING ? code : CTL_OK;
}

static int fill_rows(struct top *top)
{
	struct view *view = &top->view;

	top->newest = 0;
	top->rows = arena_get(&view->arena, (view->count + 1) * sizeof(*top->rows));
	if (!top->rows) {
		ctl_error("out of memory");
		return CTL_FAILED;
	}
	for (size_t i = 0; i < view->count; i++) {
		struct top_row *row = &top->rows[i];
		const struct view_row *from = view->rows[i];

		*row = (struct top_row){.row = from, .cpu = TOP_UNKNOWN};
		if (from->slot >= top->slots ||
		    !board_read_reading(&view->board, from->slot, &from->s, &row->reading)) {
			row->reading = (struct board_reading){.have = 0};
			continue;
		}
		row->cpu = top_cpu(&top->last[from->slot], &from->s, &row->reading);
		if (row->reading.time > top->newest)
			top->newest = row->reading.time;
	}
	top_sort(top->rows, view->count);
	top_sum(top->rows, view->count, &top->totals);
	return CTL_OK;
}

/* Opens top->view, which stays open only with CTL_OK. */
static int look(struct top *top)
{
	struct view *view = &top->view;
	int code = view_open(view, top->ctl);

	if (code != CTL_OK)
		return code;
	if (view->life != BOARD_LIVE) {
		ctl_error("sinit is not running on %s; sinitctl status tells what it left",
		    top->ctl->rundir);
		return view_close(view, CTL_NOT_RUNNING);
	}
	code = measure(top);
	if (code == CTL_OK)
		code = keep_last(top);
	if (code == CTL_OK)
		code = view_load(view, top->ctl->argv, top->ctl->argc);
	view->now = clock_ms();
	if (code == CTL_OK)
		code = fill_rows(top);
	return code == CTL_OK ? CTL_OK : view_close(view, code);
}

/* --- Showing it ------------------------------------------------------------------------ */

/* A line of its own; what is painted on a screen is cut at its edge, and ends what stood there. */
static void put_line(const struct top *top, const char *line, bool painted)
{
	struct text *text = out_text(top->ctl->out);

	if (top->style.width)
		format_cut(text, line, top->style.width, top->style.utf8 ? "…" : "~");
	else
		text_add(text, line);
	text_add(text, painted ? "\033[K\n" : "\n");
}

static void add_head(const struct top *top, struct text *text)
{
	const struct board_header *head = top->view.board.head;
	const struct top_totals *t = &top->totals;

	text_addf(text, "sinit, pid %d, up ", (int)head->pid);
	explain_duration(text, top->view.now - head->started);
	text_addf(
	    text, ": %u service%s, %u ready", t->services, t->services == 1 ? "" : "s", t->ready);
	if (t->failed)
		text_addf(text, ", %u failed", t->failed);
}

static void add_totals(const struct top *top, struct text *text)
{
	int64_t age = top->view.now - top->newest;

	if (!*top->view.board.head->cgroup) {
		text_add(text, "no cgroups: resources are not known; see the log of sinit");
		return;
	}
	text_add(text, "cpu ");
	top_tenths(text, top->totals.cpu, "-");
	text_add(text, " %, memory ");
	top_bytes(text, top->totals.memory);
	text_addf(text, ", %llu processes", (unsigned long long)top->totals.pids);
	if (!top->newest) {
		text_add(text, "; nothing has been read yet");
	} else if (age > (int64_t)OLD * top->interval) {
		text_add(text, "; read ");
		explain_duration(text, age);
		text_add(text, " ago");
	}
}

/* `most`: lines that there is room for. */
static void put_table(const struct top *top, bool painted, size_t most)
{
	struct table_source source;
	struct table table;
	char line[512];
	struct text text;

	text_init(&text, line, sizeof(line));
	add_head(top, &text);
	put_line(top, line, painted);
	text_init(&text, line, sizeof(line));
	add_totals(top, &text);
	text_add(&text, painted ? "; q: quit" : "");
	put_line(top, line, painted);
	top_source(&source, top->rows, top->view.count);
	table_init(&table, &source, &top->style);
	struct text *out = out_text(top->ctl->out);
	view_paint(&top->style, out, "7", true);
	table_head(&table, out);
	view_paint(&top->style, out, "7", false);
	text_add(out, painted ? "\033[K\n" : "\n");
	for (size_t i = 0; i < top->view.count && i + 3 < most; i++) {
		out = out_text(top->ctl->out);
		table_row(&table, out, i);
		text_add(out, painted ? "\033[K\n" : "\n");
	}
}

static void put_service(const struct top *top, const struct top_row *row, struct text *text)
{
	const struct board *board = &top->view.board;
	const struct board_service *s = &row->row->s;
	struct render_about about = {.life = BOARD_LIVE,
	    .now = top->view.now,
	    .cgroup = board->head->cgroup,
	    .reading = row->reading,
	    .measured = row->reading.have};
	char blocker[BOARD_NAME];

	about.blocker = board_slot_name(board, s->blocker, blocker);
	board_read_words(board, row->row->slot, s, &about.words);
	render_service(text, s, &about);
	text->used--; /* its last brace, for one more field */
	text_add(text, ",\"cpu_percent\":");
	top_tenths(text, row->cpu, "null");
	text_add(text, "}");
}

static void put_json(const struct top *top)
{
	struct text *text = out_text(top->ctl->out);

	text_add(text, "{\"sinit\":");
	render_sinit(text, top->view.board.head, BOARD_LIVE, top->view.now);
	text_add(text, ",\"cpu_percent\":");
	top_tenths(text, top->totals.cpu, "null");
	text_addf(text, ",\"memory_bytes\":%llu,\"pids\":%llu,\"services\":[",
	    (unsigned long long)top->totals.memory, (unsigned long long)top->totals.pids);
	for (size_t i = 0; i < top->view.count; i++) {
		text = out_text(top->ctl->out);
		text_add(text, i ? "," : "");
		put_service(top, &top->rows[i], text);
	}
	text_add(out_text(top->ctl->out), "]}\n");
}

/* --- Again and again ------------------------------------------------------------------- */

/* `count` tables one after the other; 0: without an end. The first look only begins to count. */
static int run_plain(struct top *top, uint32_t count)
{
	int code = look(top);

	for (uint32_t done = 0; code == CTL_OK && !(count && done == count); done++) {
		view_close(&top->view, CTL_OK);
		watch_sleep(top->interval);
		code = look(top);
		if (code != CTL_OK)
			return code;
		if (ctl_has(top->ctl, OPT_JSON)) {
			put_json(top);
		} else {
			text_add(out_text(top->ctl->out), done ? "\n" : "");
			put_table(top, false, SIZE_MAX);
		}
		if (out_flush(top->ctl->out) != 0)
			break;
	}
	return code == CTL_OK ? view_close(&top->view, CTL_OK) : code;
}

static void paint(struct top *top, const struct screen *screen)
{
	unsigned rows;

	screen_size(screen, &rows, &top->style.width);
	text_add(out_text(top->ctl->out), "\033[H");
	put_table(top, true, rows - 1);
	text_add(out_text(top->ctl->out), "\033[J");
	out_flush(top->ctl->out);
}

/* The first look is made while messages can still be read. */
static int run_screen(struct top *top)
{
	enum screen_event event = SCREEN_CHANGE;
	struct screen screen;
	int code = look(top);

	if (code != CTL_OK)
		return code;
	if (screen_enter(&screen, top->ctl->out->fd) != 0) {
		ctl_error("the terminal cannot be used as a screen");
		return view_close(&top->view, CTL_FAILED);
	}
	int64_t due = clock_ms() + top->interval;
	while (event != SCREEN_QUIT && !top->ctl->out->error) {
		if (event == SCREEN_TIME || clock_ms() >= due) {
			view_close(&top->view, CTL_OK);
			code = look(top);
			if (code != CTL_OK)
				break;
			due = clock_ms() + top->interval;
		}
		paint(top, &screen);
		event = screen_wait(&screen, due - clock_ms());
	}
	screen_leave(&screen);
	if (code != CTL_OK) /* what was said of it is gone with the screen */
		code = look(top);
	return code == CTL_OK ? view_close(&top->view, CTL_OK) : code;
}

int ctl_top(struct ctl *ctl)
{
	struct top top = {.ctl = ctl, .style = ctl->style, .interval = CTL_DELAY_MS};
	bool terminal = screen_can(ctl->out->fd);
	int code;

	if (ctl_has(ctl, OPT_DELAY))
		top.interval = ctl->delay;
	if (terminal && !ctl_has(ctl, OPT_JSON) && !ctl_has(ctl, OPT_LINES))
		code = run_screen(&top);
	else
		code = run_plain(&top, ctl_has(ctl, OPT_LINES) ? ctl->lines : !terminal);
	free(top.last);
	return code;
}
