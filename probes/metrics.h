/* The board as metrics in Prometheus' text format, version 0.0.4.
 *
 * One table, one row for each family. Counters are those that PID 1 keeps in the board,
 * so they do not fall when the responder begins anew. Pure; owns nothing. May call: base,
 * format, the names of states, events and probes. */
#ifndef SINIT_PROBES_METRICS_H
#define SINIT_PROBES_METRICS_H

#include "init/base.h"
#include "init/board.h"
#include "probes/helper.h"

struct metrics {
	const struct board_header *head;
	const struct board_service *services; /* copies; used == 0: a free slot */
	const struct board_reading *readings; /* of those with SLICE_MEASURED; NULL: of none */
	uint32_t count;
	const struct probe_stats *stats; /* by slot * PROBE_ROLES + role; NULL: none */
	size_t stats_count;
	const struct responder_pong *pong; /* the last one, NULL: none yet */
	bool alive;                        /* PID 1 answers */
	int64_t now;                       /* CLOCK_MONOTONIC ms */
};

/* Adds all families that have a sample. */
void metrics_render(struct text *text, const struct metrics *metrics);

/* The rows, for documentation. */
struct metrics_doc {
	const char *name, *type, *help;
};
bool metrics_document(unsigned row, struct metrics_doc *ret);

#endif
