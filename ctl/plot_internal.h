/* What the two files of the picture share: its measures. */
#ifndef SINIT_CTL_PLOT_INTERNAL_H
#define SINIT_CTL_PLOT_INTERNAL_H

#include "ctl/plot.h"

/* px. A row has its bar in the middle, and the line of the critical path below that. */
enum {
	WIDTH = 1160,
	MARGIN = 24,
	TOP = 100, /* of the first row */
	ROW = 22,
	BAR_TOP = 5,
	BAR = 12,
	THIN_TOP = 8, /* of the bar of waiting */
	THIN = 6,
	BASELINE = 15,
	PATH = 19,
	RIGHT_COLUMN = 112,
	RIGHT = WIDTH - MARGIN - RIGHT_COLUMN,
	GAP = 12, /* between a name and its bar */
	FOOT = 66,
	NAME_LEAST = 8,
	NAME_MOST = 36,     /* columns of a name, the rest is left out */
	COLUMN_TENTHS = 73, /* of one column of it, in tenths of px */
	LINES_MOST = 10,    /* of the grid */
	MARK = 4,           /* half of a failure's cross */
	SLIVER = 20,        /* tenths of px: the least width of what happened */
};

/* Adds a length in tenths of px. */
void plot_px(struct text *text, int64_t tenths);

/* Tenths of px from the left for a moment; what is beyond the edge is at the edge. */
int64_t plot_x(const struct plot *plot, int64_t us);

#endif
