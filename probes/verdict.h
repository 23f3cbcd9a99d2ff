/* When a probe's results make a verdict: thresholds on both edges, one machine for the
 * prober and for the checks that PID 1 makes itself. Pure; owns nothing, calls nothing. */
#ifndef SINIT_PROBES_VERDICT_H
#define SINIT_PROBES_VERDICT_H

#include <stdbool.h>
#include <stdint.h>

struct verdict {
	uint8_t health; /* enum health (init/board.h): UNKNOWN until the first verdict */
	uint8_t passed; /* the last result */
	uint32_t run;   /* equal results in a row, the last one included */
};

/* Begins with what is known already: HEALTH_UNKNOWN (HEALTH_NONE is taken for it),
 * HEALTH_PASSING or HEALTH_FAILING. */
void verdict_init(struct verdict *verdict, uint8_t health);

/* Takes in one result. `failures` in a row make it failing, `successes` in a row passing; 0
 * counts as 1. True if verdict->health has changed by it. A check that could not be made
 * (FAULT_INTERNAL) is no result: leave it out. */
bool verdict_step(struct verdict *verdict, bool passed, uint32_t failures, uint32_t successes);

#endif
