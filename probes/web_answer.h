/* The head of an HTTP/1.1 answer. Pure; owns nothing. May call: base. */
#ifndef SINIT_PROBES_WEB_ANSWER_H
#define SINIT_PROBES_WEB_ANSWER_H

#include "init/base.h"

enum {
	HTTP_ANSWER_HEAD = 1024, /* bytes that a head takes at most */
	HTTP_DATE = 30,          /* "Sun, 06 Nov 1994 08:49:37 GMT" */
};

struct http_answer {
	unsigned status;
	const char *type; /* Content-Type */
	const char *more; /* further header lines, each with its CR LF; NULL: none */
	struct text body; /* never NULs */
};

/* Adds the head. `keep`: the connection stays; `http11`: the request's version, which has
 * to be told what is not its default. */
void http_answer_head(
    struct text *text, const struct http_answer *answer, const char *date, bool http11, bool keep);

/* "OK" of 200. */
const char *http_reason(unsigned status);

/* Seconds since 1970 as the Date of RFC 9110, 5.6.7. */
void http_date(char date[static HTTP_DATE], int64_t seconds);

#endif
