/* When has what was asked for a service come about, or become impossible?
 *
 * Pure: looks at one board record. Owns nothing. May call: machine's questions. */
#ifndef SINIT_CTL_OUTCOME_H
#define SINIT_CTL_OUTCOME_H

#include "init/board.h"

enum goal {
	GOAL_START,   /* ready, after a start */
	GOAL_RESTART, /* ready, in a later life */
	GOAL_STOP,    /* nothing of it runs, after a stop */
	GOAL_READY,   /* ready, whoever asked for it */
	GOAL_STOPPED, /* nothing of it runs, whoever asked for it */
};

enum verdict { OUTCOME_PENDING, OUTCOME_REACHED, OUTCOME_MISSED };

enum {
	/* ms that a service without a readiness of its own must have lived before its start
	 * is taken for a success: one that dies at once has not been started. */
	OUTCOME_SETTLE = 200,
};

/* `life` and `state`: the service's before the request was carried out, as PID 1's answer
 * has them; not used for GOAL_READY and GOAL_STOPPED. */
struct outcome {
	enum goal goal;
	uint32_t life;
	enum state state;
};

/* `now`: CLOCK_MONOTONIC ms. */
enum verdict outcome_judge(
    const struct outcome *outcome, const struct board_service *s, int64_t now);

/* True if the life that the start made has ended already and another one is there: then
 * the state alone does not tell what went wrong. */
bool outcome_died(const struct outcome *outcome, const struct board_service *s);

#endif
