/* A row of the picture: name, bars, time, and its part of the critical path. */
#include "ctl/plot_internal.h"

#include "init/format.h"

#include <string.h>

static unsigned y_of(uint32_t line)
{
	return TOP + line * ROW;
}

/* A bar from one moment to another; nothing if it is of no width, unless it `happened`. */
static void add_bar(struct text *text, const struct plot *plot, const char *class, uint32_t line,
    int64_t from, int64_t to, bool happened)
{
	bool thin = strcmp(class, "waiting") == 0;
	int64_t x = plot_x(plot, from), width = plot_x(plot, to) - x;

	if (happened && width < SLIVER)
		width = SLIVER;
	if (width <= 0)
		return;
	text_addf(text, "<rect class=\"%s\" x=\"", class);
	plot_px(text, x);
	text_addf(text, "\" y=\"%u\" width=\"", y_of(line) + (thin ? THIN_TOP : BAR_TOP));
	plot_px(text, width);
	text_addf(text, "\" height=\"%d\"%s/>", thin ? THIN : BAR, thin ? "" : " rx=\"1.5\"");
}

static void add_cross(struct text *text, const struct plot *plot, uint32_t line, int64_t us)
{
	if (us == STARTUP_NEVER || us > plot->range)
		return;
	text_add(text, "<path class=\"cross\" d=\"M");
	plot_px(text, plot_x(plot, us) - 10 * MARK);
	text_addf(text, " %ul%d %dm0 -%dl-%d %d\"/>", y_of(line) + BAR_TOP + BAR / 2 - MARK,
	    2 * MARK, 2 * MARK, 2 * MARK, 2 * MARK, 2 * MARK);
}

static void add_bars(
    struct text *text, const struct plot *plot, const struct startup_row *row, uint32_t line)
{
	bool executed = row->executed != STARTUP_NEVER;
	bool failed = row->end == STARTUP_FAILED;
	int64_t until = executed ? row->executed : failed ? row->failed : plot->startup->now;
	int64_t end = row->ended;

	/* When one that was not executed was taken down is not known. */
	if (row->wanted != STARTUP_NEVER && (executed || row->end != STARTUP_STOPPED))
		add_bar(text, plot, "waiting", line, row->wanted, until, false);
	if (executed)
		until = row->executed + startup_took(plot->startup, row);
	/* What runs first, so that a short start is not hidden by it. */
	if (row->ready != STARTUP_NEVER && !row->oneshot)
		add_bar(text, plot, "running", line, row->ready,
		    end == STARTUP_NEVER ? plot->range : end, false);
	if (executed)
		add_bar(
		    text, plot, failed ? "failed" : "starting", line, row->executed, until, true);
	add_cross(text, plot, line, row->failed);
}

/* The line from what had let it go, down to this row and on until it was ready. */
static void add_path(
    struct text *text, const struct plot *plot, const struct startup_row *row, uint32_t line)
{
	bool first = row->waited == STARTUP_NONE;
	uint32_t above = first ? 0 : plot->line_of[row->waited];
	int64_t ready = plot_x(plot, row->ready);

	if (!row->critical)
		return;
	text_add(text, "<path class=\"path\" d=\"M");
	if (above == STARTUP_NONE) { /* it is not shown */
		plot_px(text, plot_x(plot, row->executed));
		text_addf(text, " %uH", y_of(line) + PATH);
	} else {
		plot_px(text, first ? plot_x(plot, 0) : plot_x(plot, row->let_go));
		text_addf(text, " %u", y_of(above) + PATH);
		if (first) {
			text_add(text, "H");
			plot_px(text, plot_x(plot, plot->startup->wanted));
		}
		text_addf(text, "V%uH", y_of(line) + PATH);
	}
	plot_px(text, ready);
	text_add(text, "\"/><circle class=\"dot\" cx=\"");
	plot_px(text, ready);
	text_addf(text, "\" cy=\"%u\" r=\"3\"/>", y_of(line) + PATH);
}

static void add_moment_of(struct text *text, const char *what, int64_t us)
{
	if (us == STARTUP_NEVER)
		return;
	text_addf(text, ", %s at ", what);
	startup_time(text, us);
}

/* What a browser shows under the mouse, and who reads the file. */
static void add_tip(struct text *text, const struct plot *plot, const struct startup_row *row)
{
	char raw[512];
	struct text note;

	text_init(&note, raw, sizeof(raw));
	startup_note(&note, plot->startup, row);
	text_add(text, "<title>");
	plot_xml(text, row->name);
	add_moment_of(text, "wanted", row->wanted);
	add_moment_of(text, "executed", row->executed);
	add_moment_of(text, row->oneshot ? "done" : "ready", row->ready);
	add_moment_of(text, "failed", row->failed);
	add_moment_of(text, "ended", row->ended);
	if (*raw) {
		text_add(text, "; ");
		plot_xml(text, raw);
	}
	if (row->critical)
		text_add(text, "; on the critical path");
	text_add(text, "</title>");
}

static void add_texts(
    struct text *text, const struct plot *plot, const struct startup_row *row, uint32_t line)
{
	const char *class = row->end == STARTUP_FAILED ? " failed" : "";
	int64_t took = startup_took(plot->startup, row);
	unsigned y = y_of(line) + BASELINE;
	char name[256];
	struct text cut;

	text_init(&cut, name, sizeof(name));
	plot_name(&cut, row->name, NAME_MOST);
	text_addf(text, "<text class=\"name%s%s\" x=\"%u\" y=\"%u\">", class,
	    row->critical ? " critical" : "", plot->left - GAP, y);
	plot_xml(text, name);
	text_addf(text, "</text><text class=\"took%s\" x=\"%d\" y=\"%u\">", class,
	    WIDTH - MARGIN - GAP / 2, y);
	if (row->end == STARTUP_FAILED)
		text_add(text, "failed");
	else if (row->end == STARTUP_STOPPED)
		text_add(text, "stopped");
	else if (took == STARTUP_NEVER)
		text_add(text, "waiting");
	else
		startup_time(text, took);
	text_add(text, row->end == STARTUP_ON_WAY && took >= 0 ? " so far</text>" : "</text>");
}

/* Until the first service was wanted sinit itself was at work. */
static void add_own(struct text *text, const struct plot *plot)
{
	int64_t wanted = plot->startup->wanted;

	if (wanted == STARTUP_NEVER)
		wanted = plot->startup->now;
	text_add(text, "<g><title>sinit itself: read its configuration and prepared all for ");
	startup_time(text, wanted);
	text_add(text, "</title>");
	add_bar(text, plot, "sinit", 0, 0, wanted, true);
	text_addf(text,
	    "<text class=\"name\" x=\"%u\" y=\"%u\" font-style=\"italic\">sinit</text>"
	    "<text class=\"took\" x=\"%d\" y=\"%u\">",
	    plot->left - GAP, y_of(0) + BASELINE, WIDTH - MARGIN - GAP / 2, y_of(0) + BASELINE);
	startup_time(text, wanted);
	text_add(text, "</text></g>\n");
}

void plot_row(struct text *text, const struct plot *plot, uint32_t i)
{
	const struct startup_row *row = &plot->startup->row[i];
	uint32_t line = plot->line_of[i];

	if (i == 0)
		add_own(text, plot);
	if (line == STARTUP_NONE)
		return;
	text_add(text, "<g>");
	add_tip(text, plot, row);
	add_bars(text, plot, row, line);
	add_texts(text, plot, row, line);
	add_path(text, plot, row, line);
	text_add(text, "</g>\n");
}
