/* Counts what a check has been like, in the numbers that the metrics are made of.
 *
 * Each check has one writer: the prober for the kinds it makes, PID 1 for the others.
 * Owns nothing. Pure. May call: nothing. */
#ifndef SINIT_PROBES_STATS_H
#define SINIT_PROBES_STATS_H

#include "probes/helper.h"

/* One check has ended. `us`: how long it took; `now`: CLOCK_MONOTONIC ms. With
 * FAULT_INTERNAL no check was made: that is kept as the last fault, and not counted. */
void stats_count(struct probe_stats *stats, enum check_kind kind, enum probe_fault fault,
    int32_t detail, uint64_t us, int64_t now);

#endif
