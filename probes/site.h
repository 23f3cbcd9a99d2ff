/* What the responder answers: one row for each endpoint, out of the board and the probes'
 * numbers. It knows HTTP's words but no sockets; whoever calls it sends what it writes.
 *
 * No answer has an environment or a command line in it, for the board has none. Owns
 * nothing but its caller's struct. May call: base, render, board's reader, metrics. */
#ifndef SINIT_PROBES_SITE_H
#define SINIT_PROBES_SITE_H

#include "init/board.h"
#include "probes/helper.h"
#include "probes/web_answer.h"
#include "probes/web_request.h"

enum pulse {
	PULSE_UNKNOWN, /* PID 1 has not been asked within the last second */
	PULSE_ALIVE,   /* it has answered within the last second */
	PULSE_NONE,    /* it was asked and does not answer */
};

struct site {
	struct board board;
	const struct probe_stats *stats; /* NULL: none */
	size_t stats_count;
	bool dashboard, control;
	struct board_service *copies;   /* room for every slot of the board */
	struct board_reading *readings; /* likewise */

	/* Set by the caller before each call. */
	enum pulse pulse;
	bool measured;              /* the readings on the board are as new as can be had */
	struct responder_pong pong; /* the last one; kind 0: none yet */
	int64_t now;                /* CLOCK_MONOTONIC ms */
	int64_t wall;               /* CLOCK_REALTIME ns */
};

enum site_verdict {
	SITE_ANSWERED,       /* *answer is complete */
	SITE_NEEDS_PULSE,    /* call again when `pulse` is known */
	SITE_NEEDS_READINGS, /* call again when `measured` is true */
	SITE_ORDERED,        /* *order, but for kind and number, is to be sent to PID 1 */
};

/* Answers a request. `answer->body` must be an empty text with room for site_room(). */
enum site_verdict site_answer(struct site *site, const struct http_request *request,
    struct http_answer *answer, struct responder_order *order);

/* An answer to a request that cannot be carried out: {"error":...}. */
void site_refuse(struct http_answer *answer, unsigned status, const char *why);

/* The answer to an order. `status` of HTTP. */
void site_ordered(struct http_answer *answer, unsigned status, const char *message);

/* Bytes that the longest answer may take with this board. */
size_t site_room(const struct board *board);

/* The rows, for documentation. */
struct site_route_doc {
	const char *method, *pattern, *doc;
};
bool site_document(unsigned row, struct site_route_doc *ret);

/* --- dashboard.c --------------------------------------------------------------- */

extern const char dashboard_page[];
extern const char dashboard_headers[]; /* Content-Security-Policy and its like */

#endif
