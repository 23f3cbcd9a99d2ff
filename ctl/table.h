/* A table of services that fits the terminal: columns as wide as what is in them, and where that
 * is too much, one that is cut and then columns that go, the least important first.
 *
 * Owns nothing. May call: view's looks, format. */
#ifndef SINIT_CTL_TABLE_H
#define SINIT_CTL_TABLE_H

#include "ctl/ctl.h"
#include "init/board.h"

enum { TABLE_COLUMNS = 12 };

struct table_column {
	const char *title;
	bool right; /* its text stands to the right */
	bool free;  /* its text may have more bytes than columns */
	int drop;   /* which goes first when the terminal is too narrow; 0: never */
};

/* What there is to be shown. Columns 0 and 1 are the service's name and its state, which has the
 * state's colour. */
struct table_source {
	const struct table_column *columns;
	unsigned count;
	unsigned flexible; /* the column that is cut before others go, 0: none */
	size_t least;      /* columns that are left of it */
	const struct board_service *(*service)(const void *context, size_t row);
	void (*cell)(const void *context, size_t row, unsigned column, struct text *text);
	const void *context;
	size_t rows;
};

struct table {
	const struct table_source *source;
	const struct style *style;
	size_t width[TABLE_COLUMNS]; /* 0: the column is left out */
};

/* Finds the widths. */
void table_init(struct table *table, const struct table_source *source, const struct style *style);

/* Adds the line of titles, or of a row; without the end of the line. */
void table_head(const struct table *table, struct text *text);
void table_row(const struct table *table, struct text *text, size_t row);

#endif
