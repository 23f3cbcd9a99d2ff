/* The board as sinitctl reads it: opened with a plain sentence for every way in which
 * that can fail, and copied once, so that a table and its widths are of one moment.
 *
 * Owns the board's mapping and the copies. May call: board, explain, match. */
#ifndef SINIT_CTL_VIEW_H
#define SINIT_CTL_VIEW_H

#include "ctl/ctl.h"
#include "init/arena.h"
#include "init/board.h"

struct view_row {
	struct board_service s;
	uint32_t slot;
};

struct view {
	struct board board;
	enum board_life life;
	int64_t now; /* CLOCK_MONOTONIC ms, of the copies; for a dead sinit: of its last words */
	struct view_row **rows; /* by name */
	size_t count;
	struct arena arena; /* of the rows */
};

/* Opens the board of ctl->rundir. CTL_OK, or an exit code after saying why. */
int view_open(struct view *view, const struct ctl *ctl);

/* Fills view->rows with the services that the names mean (all if there are none), each
 * once. CTL_OK; CTL_UNKNOWN if a name means none: said on standard error with the nearest
 * name, and the rows of the others are there all the same. */
int view_load(struct view *view, const char *const *names, size_t count);

/* Has the sinit whose board this is ended? Another one that has taken its place has a board of
 * its own. */
bool view_is_over(const struct view *view, const struct ctl *ctl);

/* Gives everything back, and returns `code`. */
int view_close(struct view *view, int code);

/* Adds why the service in `slot`, with this record, is as it is (explain_reason), in clean text. */
void view_reason(
    const struct view *view, uint32_t slot, const struct board_service *s, struct text *text);

/* How a state looks on a terminal. */
struct look {
	const char *colour; /* SGR parameters */
	const char *mark;   /* UTF-8: ✓ well, ↻ on its way, ✗ failed, ○ down */
};
struct look view_look(enum state state);

/* Begins or ends a colour, where the terminal has any. */
void view_paint(const struct style *style, struct text *text, const char *colour, bool on);

/* Whether a sinit lives there now, and its pid as far as it is known (0: not). */
enum board_life view_life(const char *rundir, int32_t *ret_pid);

#endif
