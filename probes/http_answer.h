/* The answer of an http check, read as it comes: nothing of it is kept, and no more of it is
 * looked at than the check needs. Owns nothing. May call: http-parser, memory functions. */
#ifndef SINIT_PROBES_HTTP_ANSWER_H
#define SINIT_PROBES_HTTP_ANSWER_H

#include "probes/helper.h"

#include <http_parser.h>
#include <stdbool.h>
#include <stddef.h>

enum {
	HTTP_ANSWER_HEAD = 16384, /* longest head, bytes, with those of interim answers */
	HTTP_ANSWER_BODY = 65536, /* what of the body is searched, bytes */
};

struct http_answer {
	struct http_parser parser;
	const struct prober_begin *begin; /* status ranges and expected text; the caller's */
	const uint16_t *table;            /* of the expected text (probes/search.h) */
	size_t matched;
	uint32_t head, body; /* bytes so far */
	bool in_body;
	bool done;
	uint8_t fault; /* enum probe_fault, when it is done */
	int32_t detail;
};

/* Begins. `table` is that of the expected text, and may be NULL without one. */
void http_answer_init(
    struct http_answer *answer, const struct prober_begin *begin, const uint16_t *table);

/* Takes in `size` more bytes. True when the result is there: `fault` (FAULT_NONE: passed)
 * and `detail`; what comes after need not be read. */
bool http_answer_feed(struct http_answer *answer, const char *bytes, size_t size);

/* The connection has come to its end: there is a result now. `error` is its errno, or 0. */
void http_answer_end(struct http_answer *answer, int error);

#endif
