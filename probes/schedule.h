/* When a check's probes are due. All times in ms of CLOCK_MONOTONIC.
 * Pure; owns nothing, calls nothing. */
#ifndef SINIT_PROBES_SCHEDULE_H
#define SINIT_PROBES_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

/* The first probe of a check that begins at `now`: after `delay` and a phase, which spreads
 * checks evenly and is the same whenever the seed is: seed % min(interval, 1000). So a service
 * that is well is known to be so within a second. */
int64_t schedule_first(int64_t now, uint32_t delay, uint32_t interval, uint32_t seed);

/* The probe after the one that was due at `due` and has ended by `now`: `interval` later, so
 * that no lateness adds up. If that has passed already it is the last of the times missed,
 * which is at once; the others are left out, so that nothing is ever caught up in a burst. */
int64_t schedule_next(int64_t due, uint32_t interval, int64_t now);

#endif
