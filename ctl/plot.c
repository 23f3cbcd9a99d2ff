#include "ctl/plot_internal.h"

#include "init/format.h"

#include <string.h>

enum {
	RANGE_LEAST = 100,         /* us */
	SO_FAR_MOST = 60 * 1000000 /* us that a service on its way may stretch the picture to */
};

/* --- Text ------------------------------------------------------------------------------ */

void plot_xml(struct text *text, const char *string)
{
	static const char *const escapes[][2] = {
	    {"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}, {"'", "&#39;"}};
	char clean[4096];
	struct text piece;

	text_init(&piece, clean, sizeof(clean));
	format_clean(&piece, string);
	for (const char *at = clean; *at; at++) {
		const char *escape = NULL;
		for (size_t i = 0; i < ARRAY_LEN(escapes); i++)
			if (*at == *escapes[i][0])
				escape = escapes[i][1];
		if (escape)
			text_add(text, escape);
		else
			text_add_bytes(text, at, 1);
	}
}

/* The byte where column `column` begins. */
static const char *column_at(const char *string, size_t column)
{
	for (; *string && column; column--)
		for (string++; ((unsigned char)*string & 0xc0) == 0x80;)
			string++;
	return string;
}

void plot_name(struct text *text, const char *name, size_t most)
{
	size_t columns = format_columns(name);
	const char *tail;

	if (columns <= most) {
		text_add(text, name);
		return;
	}
	tail = column_at(name, columns - (most - 1) / 2);
	text_add_bytes(text, name, (size_t)(column_at(name, most / 2) - name));
	text_add(text, "…");
	text_add(text, tail);
}

void plot_px(struct text *text, int64_t tenths)
{
	format_number(text, tenths / 10);
	if (tenths % 10) {
		text_add(text, ".");
		format_number(text, tenths % 10);
	}
}

/* --- Measures -------------------------------------------------------------------------- */

int64_t plot_step(int64_t range, unsigned most)
{
	int64_t power = 1;

	while (range / power / 5 >= most)
		power *= 10;
	if (range / power < most)
		return power;
	return range / (2 * power) < most ? 2 * power : 5 * power;
}

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* The last moment that is to be seen, and a little more, since what runs goes on. */
static int64_t find_range(const struct plot *plot)
{
	const struct startup *startup = plot->startup;
	int64_t last = later(startup->total, startup->wanted);
	int64_t so_far;

	for (uint32_t i = 0; i < startup->rows; i++) {
		const struct startup_row *row = &startup->row[i];
		if (row->late)
			continue;
		last = later(later(last, row->wanted), row->executed);
		if (row->end == STARTUP_FAILED)
			last = later(last, row->failed);
	}
	so_far = later(2 * last, SO_FAR_MOST);
	if (startup->on_way)
		last = later(last, startup->now < so_far ? startup->now : so_far);
	else
		last += last / 16;
	return later(last, RANGE_LEAST);
}

void plot_init(struct plot *plot)
{
	size_t longest = NAME_LEAST;

	plot->lines = 1; /* sinit's own */
	for (uint32_t i = 0; i < plot->startup->rows; i++) {
		const struct startup_row *row = &plot->startup->row[i];
		size_t columns = format_columns(row->name);
		plot->line_of[i] = STARTUP_NONE;
		if (row->late || !plot->shown(plot->context, row->name))
			continue;
		plot->line_of[i] = plot->lines++;
		longest = columns > longest ? columns : longest;
	}
	longest = longest > NAME_MOST ? NAME_MOST : longest;
	plot->left = MARGIN + GAP + (unsigned)longest * COLUMN_TENTHS / 10 + GAP;
	plot->height = TOP + plot->lines * ROW + FOOT;
	plot->range = find_range(plot);
}

int64_t plot_x(const struct plot *plot, int64_t us)
{
	int64_t most = 10 * (RIGHT - (int64_t)plot->left);

	if (us < 0)
		us = 0;
	if (us > plot->range)
		us = plot->range;
	/* Of a range of years the product would be too large. */
	return 10 * (int64_t)plot->left + (plot->range > INT64_MAX / 20000
						  ? us / (plot->range / most)
						  : us * most / plot->range);
}

/* --- Head and foot ----------------------------------------------------------------------- */

static const char style[] =
    "<style>\n"
    "text{font-family:system-ui,'Segoe UI','Helvetica Neue',Arial,'DejaVu Sans',sans-serif;"
    "font-size:12px;fill:#1f2328}\n"
    ".title{font-size:18px;font-weight:600}\n"
    ".small{font-size:11px;fill:#59636e}\n"
    ".name{font-family:ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace}\n"
    ".name,.took,.end{text-anchor:end}\n"
    ".middle{text-anchor:middle}\n"
    ".critical{font-weight:700}\n"
    ".failed{fill:#c21f2c}\n"
    ".waiting{fill:#c3cad2}\n"
    ".starting{fill:#2f6fde}\n"
    ".running{fill:#d5e3fb}\n"
    ".sinit{fill:#59636e}\n"
    ".grid{stroke:#dfe3e8}\n"
    ".ready{stroke:#1a7f37;stroke-dasharray:4 3}\n"
    ".cross{stroke:#c21f2c;stroke-width:2}\n"
    ".path{stroke:#e08700;stroke-width:2;fill:none}\n"
    ".dot{fill:#e08700}\n"
    "</style>\n";

static void add_counts(struct text *text, const struct startup *startup)
{
	text_addf(text, "%u ready", startup->ready);
	if (startup->failed)
		text_addf(text, ", %u failed", startup->failed);
	if (startup->on_way)
		text_addf(text, ", %u still on the way", startup->on_way);
}

static void add_title(struct text *text, const struct plot *plot)
{
	const struct startup *startup = plot->startup;
	bool whole = startup->on_way == 0 && startup->total != STARTUP_NEVER;

	plot_xml(text, *plot->host ? plot->host : "sinit");
	text_add(text, whole ? ": startup took " : ": startup, after ");
	startup_time(text, whole ? startup->total : startup->now);
}

static void add_about(struct text *text, const struct plot *plot)
{
	const struct board_header *head = plot->head;
	char release[sizeof(head->release) + 1] = "";

	memcpy(release, head->release, sizeof(head->release));
	text_add(text, "sinit ");
	plot_xml(text, release);
	text_addf(text, ", %s mode", startup_mode(head));
	if (head->mode == MODE_BOOT) {
		text_add(text, ", kernel ");
		startup_time(text, head->began);
		text_add(text, " before");
	}
	text_add(text, " · ");
	format_time(text, head->started_wall);
	text_add(text, " · ");
	add_counts(text, plot->startup);
}

/* A moment on the axis, in ms or s, with the decimals that the step between them needs. */
static void add_moment(struct text *text, int64_t us, int64_t step)
{
	int64_t unit = step < 100000 ? 1000 : 1000000;
	int64_t rest = us % unit;

	if (us == 0) {
		text_add(text, "0");
		return;
	}
	format_number(text, us / unit);
	if (step < unit) {
		text_add(text, ".");
		for (int64_t part = unit / 10; part * 10 > step; part /= 10)
			format_number(text, rest / part % 10);
	}
	text_add(text, unit == 1000 ? " ms" : " s");
}

static void add_grid(struct text *text, const struct plot *plot)
{
	int64_t step = plot_step(plot->range, LINES_MOST);
	unsigned bottom = TOP + plot->lines * ROW;

	for (int64_t us = 0; us <= plot->range; us += step) {
		int64_t x = plot_x(plot, us);
		text_add(text, "<line class=\"grid\" x1=\"");
		plot_px(text, x);
		text_add(text, "\" x2=\"");
		plot_px(text, x);
		text_addf(text, "\" y1=\"%d\" y2=\"%u\"/><text class=\"small middle\" x=\"",
		    TOP - 6, bottom);
		plot_px(text, x);
		text_addf(text, "\" y=\"%d\">", TOP - 12);
		add_moment(text, us, step);
		text_add(text, "</text>\n");
	}
}

void plot_head(struct text *text, const struct plot *plot)
{
	text_addf(text,
	    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
	    "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%u\" "
	    "viewBox=\"0 0 %d %u\" role=\"img\">\n<title>",
	    WIDTH, plot->height, WIDTH, plot->height);
	add_title(text, plot);
	text_add(text, "</title>\n");
	text_add(text, style);
	text_addf(text,
	    "<defs><pattern id=\"stripes\" y=\"%d\" width=\"%d\" height=\"%d\" "
	    "patternUnits=\"userSpaceOnUse\"><rect width=\"%d\" height=\"%d\" fill=\"#f5f7f9\"/>"
	    "</pattern></defs>\n<rect width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>\n"
	    "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%u\" fill=\"url(#stripes)\"/>\n",
	    TOP, WIDTH, 2 * ROW, WIDTH, ROW, MARGIN, TOP, WIDTH - 2 * MARGIN, plot->lines * ROW);
	text_addf(text, "<text class=\"title\" x=\"%d\" y=\"36\">", MARGIN);
	add_title(text, plot);
	text_addf(text, "</text>\n<text class=\"small\" x=\"%d\" y=\"56\">", MARGIN);
	add_about(text, plot);
	text_addf(text,
	    "</text>\n<text class=\"small end\" x=\"%d\" y=\"%d\">exec to ready</text>\n",
	    WIDTH - MARGIN - GAP / 2, TOP - 12);
	add_grid(text, plot);
}

/* The line at which all were ready. */
static void add_ready(struct text *text, const struct plot *plot)
{
	const struct startup *startup = plot->startup;
	int64_t x = plot_x(plot, startup->total);
	unsigned bottom = TOP + plot->lines * ROW;

	if (startup->total == STARTUP_NEVER)
		return;
	text_add(text, "<line class=\"ready\" x1=\"");
	plot_px(text, x);
	text_add(text, "\" x2=\"");
	plot_px(text, x);
	text_addf(text, "\" y1=\"%d\" y2=\"%u\"/>\n<text class=\"small %s\" x=\"", TOP, bottom + 6,
	    x > 5 * (RIGHT + (int64_t)plot->left) ? "end" : "");
	plot_px(text, x);
	text_addf(text, "\" y=\"%u\">", bottom + 18);
	text_add(text, startup->on_way || startup->failed ? "last one ready at " : "all ready at ");
	startup_time(text, startup->total);
	text_add(text, "</text>\n");
}

static void add_legend(struct text *text, unsigned y)
{
	static const struct {
		const char *class;
		const char *name;
		unsigned width; /* px to the next one */
	} legend[] = {{"waiting", "waiting", 90}, {"starting", "starting", 92},
	    {"running", "running", 90}, {"failed", "failed", 78}};
	unsigned x = MARGIN;

	for (size_t i = 0; i < ARRAY_LEN(legend); i++) {
		bool thin = i == 0;
		text_addf(text,
		    "<rect class=\"%s\" x=\"%u\" y=\"%u\" width=\"16\" height=\"%d\" rx=\"2\"/>"
		    "<text class=\"small\" x=\"%u\" y=\"%u\">%s</text>\n",
		    legend[i].class, x, y - (thin ? 7 : 10), thin ? THIN : BAR, x + 22, y,
		    legend[i].name);
		x += legend[i].width;
	}
	text_addf(text,
	    "<path class=\"path\" d=\"M%u %uh16\"/><circle class=\"dot\" cx=\"%u\" cy=\"%u\" "
	    "r=\"3\"/>"
	    "<text class=\"small\" x=\"%u\" y=\"%u\">critical path: what made the last one as late "
	    "as it was</text>\n",
	    x, y - 4, x + 16, y - 4, x + 26, y);
}

void plot_foot(struct text *text, const struct plot *plot)
{
	add_ready(text, plot);
	add_legend(text, plot->height - 22);
	text_add(text, "</svg>\n");
}
