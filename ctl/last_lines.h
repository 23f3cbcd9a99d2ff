/* The last lines that a service wrote before it ended, for its exit event.
 *
 * Owns: its mapping of the store. May call: store_read, watch. */
#ifndef SINIT_CTL_LAST_LINES_H
#define SINIT_CTL_LAST_LINES_H

#include "ctl/ctl.h"
#include "init/board.h"
#include "log/store_read.h"

enum {
	LAST_LINES = 10,   /* at most */
	LAST_BYTES = 2048, /* likewise */
};

/* Zero it before use. */
struct last_lines {
	struct store_reader store;
	const char *next; /* line */
	const char *end;
	char bytes[STORE_RING];
};

/* Looks for what service event->name wrote to its standard error in the life that ended with the
 * event. `alive`: sinit is; then the logger, which may not have seen the end yet, has a moment
 * to. False: nothing, or it is not to be seen. */
bool last_lines_find(
    struct last_lines *last, const char *rundir, const struct board_event *event, bool alive);

/* The next line, without its newline: its bytes. NULL: there is none. */
const char *last_lines_next(struct last_lines *last, size_t *ret_size);

void last_lines_close(struct last_lines *last);

#endif
