/* Waiting for services by watching the board.
 *
 * Owns its list of services. May call: view, outcome. */
#ifndef SINIT_CTL_WATCH_H
#define SINIT_CTL_WATCH_H

#include "ctl/outcome.h"
#include "ctl/view.h"

struct target {
	char name[BOARD_NAME];
	uint32_t slot;
	struct outcome outcome;
	bool over;
};

struct watch {
	struct target *target;
	size_t count, room;
};

/* Adds a service to wait for. False: out of memory, said. */
bool watch_add(struct watch *watch, const char *name, uint32_t slot, const struct outcome *outcome);

/* Waits for all of them, at most `limit` ms, and tells the outcome of each: on the output
 * if it was reached, on standard error if not. CTL_OK if all were; CTL_FAILED if one
 * cannot be any more; CTL_TIMED_OUT; CTL_NOT_RUNNING if sinit has ended. */
int watch_run(struct watch *watch, struct ctl *ctl, struct view *view, int64_t limit);

void watch_free(struct watch *watch);

/* The limit of --timeout, or the usual one; ms. */
int64_t watch_limit(const struct ctl *ctl);

/* Sleeps. */
void watch_sleep(int64_t ms);

#endif
