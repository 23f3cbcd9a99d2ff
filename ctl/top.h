/* What sinitctl top shows: rows with what services use, and what of it is reckoned from two
 * readings. verb_top.c fetches it and puts it on the screen.
 *
 * Owns nothing. Pure: no system call, no clock. May call: view's types, format. */
#ifndef SINIT_CTL_TOP_H
#define SINIT_CTL_TOP_H

#include "ctl/table.h"
#include "ctl/view.h"

enum { TOP_UNKNOWN = -1 };

/* The last reading of the service in a slot, and what came of it. */
struct top_last {
	uint32_t used, life; /* of whom; 0: of nobody */
	int64_t time;
	uint64_t usage;
	int32_t cpu;
};

struct top_row {
	const struct view_row *row;
	struct board_reading reading; /* `have` is 0 without one */
	int32_t cpu;                  /* tenths of a percent of one CPU, TOP_UNKNOWN */
};

struct top_totals {
	unsigned services, ready, failed;
	int64_t cpu;     /* tenths of a percent, TOP_UNKNOWN: of none of them */
	uint64_t memory; /* bytes */
	uint64_t pids;
};

/* The share of the time between two readings that the service has used; TOP_UNKNOWN for the first
 * one of a life. A reading that has been seen before gives what it gave then. */
int32_t top_cpu(
    struct top_last *last, const struct board_service *s, const struct board_reading *reading);

/* By CPU, then memory, then name. */
void top_sort(struct top_row *rows, size_t count);

void top_sum(const struct top_row *rows, size_t count, struct top_totals *ret);

/* The table. `context` of the source is struct top_row[]. */
void top_source(struct table_source *ret, const struct top_row *rows, size_t count);

/* "512", "1.5K", "64.0M": powers of 1024. */
void top_bytes(struct text *text, uint64_t bytes);

/* "12.3" of tenths; `unknown` for TOP_UNKNOWN. */
void top_tenths(struct text *text, int64_t tenths, const char *unknown);

#endif
