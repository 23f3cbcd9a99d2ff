/* How the start of the system went: what each service waited for, how long it took, and which
 * chain of them made it as long as it was.
 *
 * startup_take() fills a row from a record, startup_sort() puts the rows in order; then
 * startup_edge() is told of each edge, and startup_finish() finds the rest. The rows are the
 * caller's. Pure. May call: base, board's types. */
#ifndef SINIT_CTL_STARTUP_H
#define SINIT_CTL_STARTUP_H

#include "init/base.h"
#include "init/board.h"

enum { STARTUP_NEVER = -1 };        /* of a time */
enum { STARTUP_NONE = UINT32_MAX }; /* no row */

enum startup_end {
	STARTUP_READY,   /* it became ready (a oneshot: done), perhaps not in its first life */
	STARTUP_FAILED,  /* it failed, and was never ready */
	STARTUP_STOPPED, /* it was taken down before it was ready */
	STARTUP_ON_WAY,  /* it is still to become ready */
};

struct startup_row {
	char name[BOARD_NAME];
	uint32_t slot;
	/* us since sinit's first line, or STARTUP_NEVER; see struct board_start. */
	int64_t wanted, executed, ready, failed, ended;
	enum startup_end end;
	bool oneshot;
	bool again;       /* it failed, and is tried again */
	bool late;        /* wanted after the start of the system, of which it is no part */
	bool critical;    /* on the critical path */
	uint32_t blocker; /* slot of what it waits for or failed with, or STARTUP_NONE */
	int64_t let_go;   /* when `waited` let it go; STARTUP_NEVER: nothing held it */
	uint32_t waited;  /* row that let it go last, or that it still waits for; STARTUP_NONE */
	const char *how;  /* "requires" and so on; NULL: not known */
};

struct startup {
	struct startup_row *row; /* by the time of execution */
	uint32_t rows;
	int64_t now;    /* us since sinit's first line */
	int64_t total;  /* until the last one was ready; STARTUP_NEVER: none was */
	int64_t wanted; /* when the first service was: until then, sinit itself was busy */
	uint32_t last;  /* row of the one that was ready last, or STARTUP_NONE */
	uint32_t ready, failed, on_way; /* numbers of services, without late ones */
};

/* Fills a row. False: the service has not been wanted so far. */
bool startup_take(struct startup_row *ret, uint32_t slot, const struct board_service *s,
    const struct board_header *head);

void startup_sort(struct startup *startup);

/* Row `from` needs row `to`. `binds`: it needs it well, so that a failure lets nobody go. */
void startup_edge(struct startup *startup, uint32_t from, uint32_t to, const char *how, bool binds);

/* Finds the totals and the critical path: from the last one to become ready back to what had let
 * it go, and so on. */
void startup_finish(struct startup *startup);

/* us from execution until it was ready, or failed, or until now; STARTUP_NEVER: not executed. */
int64_t startup_took(const struct startup *startup, const struct startup_row *row);

/* Adds a time: "0.25 ms", "12.3 ms", "1.234 s". */
void startup_time(struct text *text, int64_t us);

/* Adds what there is to be said of a row behind its time, such as "failed, after db (requires)";
 * perhaps nothing. */
void startup_note(struct text *text, const struct startup *startup, const struct startup_row *row);

/* "container", "boot", "foreground". */
const char *startup_mode(const struct board_header *head);

#endif
