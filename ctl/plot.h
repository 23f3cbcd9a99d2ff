/* The start of the system as a picture: SVG, made in pieces.
 *
 * plot_init() measures; then plot_head(), plot_row() for each row that is shown, from the first
 * to the last, and plot_foot() each add at most PLOT_ROOM bytes. Pure; owns nothing. May call:
 * startup, base. */
#ifndef SINIT_CTL_PLOT_H
#define SINIT_CTL_PLOT_H

#include "ctl/startup.h"

enum { PLOT_ROOM = 12288 };

struct plot {
	const struct startup *startup;
	const char *host; /* "": unknown */
	const struct board_header *head;
	bool (*shown)(const void *context, const char *name); /* is a row to be drawn? */
	const void *context;
	uint32_t *line_of; /* room for a number for each row */
	/* By plot_init(): */
	uint32_t lines; /* rows that are */
	int64_t range;  /* us from the left edge to the right one */
	unsigned left;  /* px: where the bars begin */
	unsigned height;
};

/* All but the last fields have been filled in. */
void plot_init(struct plot *plot);

void plot_head(struct text *text, const struct plot *plot);

/* Draws row `i`, if it is shown. */
void plot_row(struct text *text, const struct plot *plot, uint32_t i);

void plot_foot(struct text *text, const struct plot *plot);

/* us between two lines of the grid, so that there are at most `most` of them: 1, 2 or 5 of a
 * power of ten. */
int64_t plot_step(int64_t range, unsigned most);

/* Adds a string as XML's text or in an attribute: markup is escaped, what XML cannot have is
 * made visible. */
void plot_xml(struct text *text, const char *string);

/* Adds a name in at most `most` columns, cut in its middle: both its ends tell something. */
void plot_name(struct text *text, const char *name, size_t most);

#endif
