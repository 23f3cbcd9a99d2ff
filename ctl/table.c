#include "ctl/table.h"

#include "ctl/view.h"
#include "init/format.h"

#include <string.h>

enum { CELL = 160, GAP = 2, NAME = 0, STATE = 1, NAME_LEAST = 8 };

static size_t total_width(const struct table *table)
{
	size_t total = 0;

	for (unsigned c = 0; c < table->source->count; c++)
		if (table->width[c])
			total += table->width[c] + GAP;
	return total - GAP;
}

/* The column that goes as number `drop`; the count of columns: none does. */
static unsigned victim(const struct table_source *source, int drop)
{
	for (unsigned c = 0; c < source->count; c++)
		if (source->columns[c].drop == drop)
			return c;
	return source->count;
}

/* Makes the table fit the terminal: the flexible column is cut first, then columns go. */
static void fit(struct table *table)
{
	const struct table_source *source = table->source;
	size_t width = table->style->width;

	if (table->style->utf8)
		width = width > 2 ? width - 2 : 1; /* the marks */
	for (int drop = 1; total_width(table) > width; drop++) {
		size_t over = total_width(table) - width;
		if (source->flexible && table->width[source->flexible] >= source->least + over) {
			table->width[source->flexible] -= over;
			return;
		}
		unsigned c = victim(source, drop);
		if (c == source->count)
			break;
		table->width[c] = 0;
	}
	size_t rest = total_width(table) - table->width[NAME];
	size_t left = width > rest + NAME_LEAST ? width - rest : NAME_LEAST;
	if (table->width[NAME] > left)
		table->width[NAME] = left;
}

void table_init(struct table *table, const struct table_source *source, const struct style *style)
{
	char buffer[CELL];
	struct text text;

	*table = (struct table){.source = source, .style = style};
	for (unsigned c = 0; c < source->count; c++)
		table->width[c] = strlen(source->columns[c].title);
	for (size_t i = 0; i < source->rows; i++)
		for (unsigned c = 0; c < source->count; c++) {
			if (c == source->flexible && c && !style->width)
				continue; /* the last one in a pipe needs no width */
			text_init(&text, buffer, sizeof(buffer));
			source->cell(source->context, i, c, &text);
			size_t width = source->columns[c].free ? format_columns(buffer) : text.used;
			if (width > table->width[c])
				table->width[c] = width;
		}
	if (style->width)
		fit(table);
}

/* One cell with its padding; the last column is followed by nothing. */
static void put_cell(const struct table *table, struct text *text, unsigned c, const char *content,
    const char *colour)
{
	bool right = table->source->columns[c].right, last = true;
	size_t width = table->width[c];
	size_t have = format_columns(content);
	bool cuts = table->style->width && have > width;

	for (unsigned next = c + 1; next < table->source->count; next++)
		if (table->width[next])
			last = false;
	if (right && have < width)
		format_spaces(text, width - have);
	if (colour)
		view_paint(table->style, text, colour, true);
	if (cuts)
		format_cut(text, content, width, table->style->utf8 ? "…" : "~");
	else
		text_add(text, content);
	if (colour)
		view_paint(table->style, text, colour, false);
	if (!last && !right && have < width)
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

void table_head(const struct table *table, struct text *text)
{
	if (table->style->utf8)
		text_add(text, "  ");
	for (unsigned c = 0; c < table->source->count; c++)
		if (table->width[c])
			put_cell(table, text, c, table->source->columns[c].title, NULL);
}

void table_row(const struct table *table, struct text *text, size_t row)
{
	const struct table_source *source = table->source;
	struct look look = view_look((enum state)source->service(source->context, row)->m.state);
	char buffer[1024];
	struct text content;

	if (table->style->utf8) {
		view_paint(table->style, text, look.colour, true);
		text_add(text, look.mark);
		view_paint(table->style, text, look.colour, false);
		text_add(text, " ");
	}
	for (unsigned c = 0; c < source->count; c++) {
		if (!table->width[c])
			continue;
		text_init(&content, buffer, sizeof(buffer));
		source->cell(source->context, row, c, &content);
		put_cell(table, text, c, buffer, c == STATE ? look.colour : NULL);
	}
	trim(text);
}
