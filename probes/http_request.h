/* The request of an http check. Pure; owns nothing. */
#ifndef SINIT_PROBES_HTTP_REQUEST_H
#define SINIT_PROBES_HTTP_REQUEST_H

#include "probes/helper.h"

struct text;

/* The longest request, bytes: four texts of a message, which may be one and the same, and
 * what is added to them. */
enum { HTTP_REQUEST_SIZE = HELPER_MESSAGE * 4 + 512 };

/* Adds to *text, which needs room for HTTP_REQUEST_SIZE bytes, the whole request of a checked
 * message: the given headers, and those of Host, User-Agent, Accept and Connection that
 * are not among them. The port is left out of Host if it is 80, as RFC 9110 asks (7.2). */
void http_request(
    struct text *text, const struct prober_begin *begin, const struct probe_target *target);

#endif
