/* The head of an HTTP/1.1 request (RFC 9112), as much of it as the responder needs.
 *
 * Strict where laxness would let two readers disagree about where a request ends: no
 * obs-fold, no blank before a colon, no bare CR, no Transfer-Encoding, one Host.
 * Pure; owns nothing: the pieces point into the caller's bytes. May call: base. */
#ifndef SINIT_PROBES_WEB_REQUEST_H
#define SINIT_PROBES_WEB_REQUEST_H

#include "init/base.h"

enum {
	HTTP_HEAD_MAX = 8192, /* bytes of the request line and all header lines */
	HTTP_BODY_MAX = 4096, /* bytes of a body, which is passed over */
};

enum http_method { HTTP_GET = 1, HTTP_HEAD = 2, HTTP_POST = 4, HTTP_OTHER = 8 };

struct http_piece {
	const char *at;
	size_t length;
};

struct http_request {
	enum http_method method;
	struct http_piece path;  /* as sent: not decoded; begins with '/', or is "*" */
	struct http_piece query; /* after '?', without it */
	struct http_piece token; /* of "Authorization: Bearer", empty without */
	uint32_t body;           /* Content-Length, at most HTTP_BODY_MAX */
	bool http11;             /* else HTTP/1.0 */
	bool keep_alive;         /* the client wants the connection to stay */
	bool expects;            /* Expect: 100-continue */
	bool origin;             /* it has an Origin: a web page makes it */
};

/* Reads a request's head. 0: it is whole, *ret_length has its bytes and the body follows;
 * -EAGAIN: it goes on beyond `size` bytes, and is good so far; else the status of HTTP
 * with which it is to be refused (400, 411, 413, 417, 505), after which nothing on this
 * connection can be made sense of. */
int http_parse(const char *data, size_t size, struct http_request *ret_request, size_t *ret_length);

/* Decodes %XX of a piece into `buffer` as a string. -EINVAL: a bad escape or a control
 * character, -E2BIG. */
int http_decode(struct http_piece piece, char *buffer, size_t size);

/* The number of `name`=N in the query. -ENOENT, -EINVAL, -ERANGE. */
int http_query_number(struct http_piece query, const char *name, uint32_t *ret_number);

/* True if the piece is just this string; the second in any case of its letters. */
bool http_is(struct http_piece piece, const char *string);
bool http_is_word(struct http_piece piece, const char *string);

#endif
