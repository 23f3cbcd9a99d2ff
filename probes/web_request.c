#include "probes/web_request.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

enum {
	BAD_REQUEST = 400,
	LENGTH_REQUIRED = 411,
	CONTENT_TOO_LARGE = 413,
	EXPECTATION_FAILED = 417,
	VERSION_NOT_SUPPORTED = 505,
	NUMBER_SIZE = 12,
};

bool http_is(struct http_piece piece, const char *string)
{
	return strlen(string) == piece.length && memcmp(piece.at, string, piece.length) == 0;
}

bool http_is_word(struct http_piece piece, const char *string)
{
	return strlen(string) == piece.length && strncasecmp(piece.at, string, piece.length) == 0;
}

/* --- Pieces ------------------------------------------------------------------------ */

/* tchar of RFC 9110, 5.6.2. */
static bool is_token(struct http_piece piece)
{
	for (size_t i = 0; i < piece.length; i++) {
		char c = piece.at[i];
		bool letter = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
		if (!letter && (c == '\0' || !strchr("!#$%&'*+-.^_`|~", c)))
			return false;
	}
	return piece.length > 0;
}

static bool is_visible(struct http_piece piece)
{
	for (size_t i = 0; i < piece.length; i++)
		if (piece.at[i] < 0x21 || piece.at[i] > 0x7e || piece.at[i] == '#')
			return false;
	return piece.length > 0;
}

/* Takes what is before the first `mark` off *rest, and the mark. Without one: all. */
static struct http_piece cut(struct http_piece *rest, char mark)
{
	const char *found = rest->length ? memchr(rest->at, mark, rest->length) : NULL;
	struct http_piece piece = *rest;

	if (found)
		piece.length = (size_t)(found - rest->at);
	size_t gone = piece.length + (found != NULL);
	rest->at += gone;
	rest->length -= gone;
	return piece;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static struct http_piece trim(struct http_piece piece)
{
	while (piece.length && is_blank(piece.at[0])) {
		piece.at++;
		piece.length--;
	}
	while (piece.length && is_blank(piece.at[piece.length - 1]))
		piece.length--;
	return piece;
}

/* The next line without its end, from data[*at]. -EAGAIN, or 400 for a byte that no head
 * may have: so binary garbage is refused at once, and not when its time is up. */
static int next_line(const char *data, size_t size, size_t *at, struct http_piece *ret)
{
	size_t start = *at;

	for (size_t i = start; i < size; i++) {
		unsigned char c = (unsigned char)data[i];
		if (c == '\n') {
			size_t end = i > start && data[i - 1] == '\r' ? i - 1 : i;
			*ret = (struct http_piece){data + start, end - start};
			*at = i + 1;
			return 0;
		}
		bool end = c == '\r' && (i + 1 == size || data[i + 1] == '\n');
		if ((c < 0x20 && c != '\t' && !end) || c == 0x7f)
			return BAD_REQUEST;
	}
	return -EAGAIN;
}

/* --- Request line ------------------------------------------------------------------ */

/* http://HOST/PATH: only the path counts (RFC 9112, 3.2.2). */
static int take_authority(struct http_piece *target)
{
	static const char *const schemes[] = {"http://", "https://"};

	for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
		size_t length = strlen(schemes[i]);
		if (target->length <= length || strncasecmp(target->at, schemes[i], length) != 0)
			continue;
		target->at += length;
		target->length -= length;
		size_t host = 0;
		while (host < target->length && target->at[host] != '/' && target->at[host] != '?')
			host++;
		target->at += host;
		target->length -= host;
		return host ? 0 : BAD_REQUEST;
	}
	return BAD_REQUEST;
}

static int set_target(struct http_request *request, struct http_piece target)
{
	if (!is_visible(target))
		return BAD_REQUEST;
	if (target.at[0] != '/' && !http_is(target, "*")) {
		int error = take_authority(&target);
		if (error)
			return error;
	}
	request->path = cut(&target, '?');
	request->query = target;
	if (!request->path.length)
		request->path = (struct http_piece){"/", 1};
	return 0;
}

static int set_version(struct http_request *request, struct http_piece version)
{
	const char *at = version.at;

	if (version.length != 8 || memcmp(at, "HTTP/", 5) != 0 || at[5] < '0' || at[5] > '9' ||
	    at[6] != '.' || at[7] < '0' || at[7] > '9')
		return BAD_REQUEST;
	if (at[5] != '1')
		return VERSION_NOT_SUPPORTED;
	request->http11 = request->keep_alive = at[7] != '0';
	return 0;
}

static int request_line(struct http_request *request, struct http_piece line)
{
	struct http_piece method = cut(&line, ' ');
	struct http_piece target = cut(&line, ' ');

	if (!is_token(method))
		return BAD_REQUEST;
	request->method = http_is(method, "GET")    ? HTTP_GET
			  : http_is(method, "HEAD") ? HTTP_HEAD
			  : http_is(method, "POST") ? HTTP_POST
						    : HTTP_OTHER;
	int error = set_target(request, target);
	return error ? error : set_version(request, line);
}

/* --- Header lines ------------------------------------------------------------------ */

static int on_host(struct http_request *request, struct http_piece value)
{
	(void)request;
	(void)value;
	return 0;
}

static int on_connection(struct http_request *request, struct http_piece value)
{
	while (value.length) {
		struct http_piece word = trim(cut(&value, ','));
		if (http_is_word(word, "close"))
			request->keep_alive = false;
		else if (http_is_word(word, "keep-alive") && !request->http11)
			request->keep_alive = true;
	}
	return 0;
}

static int on_length(struct http_request *request, struct http_piece value)
{
	if (!value.length)
		return BAD_REQUEST;
	for (size_t i = 0; i < value.length; i++) {
		if (value.at[i] < '0' || value.at[i] > '9')
			return BAD_REQUEST;
		/* Stops growing where it is too large anyhow, so that it cannot overflow. */
		if (request->body <= HTTP_BODY_MAX)
			request->body = request->body * 10 + (uint32_t)(value.at[i] - '0');
	}
	return 0;
}

/* No request here has a use for it, and it is what smuggling is made of. */
static int on_encoding(struct http_request *request, struct http_piece value)
{
	(void)value;
	return request->http11 ? LENGTH_REQUIRED : BAD_REQUEST;
}

static int on_expect(struct http_request *request, struct http_piece value)
{
	if (!http_is_word(value, "100-continue"))
		return EXPECTATION_FAILED;
	request->expects = request->http11;
	return 0;
}

static int on_authorization(struct http_request *request, struct http_piece value)
{
	if (http_is_word(cut(&value, ' '), "Bearer"))
		request->token = trim(value);
	return 0;
}

static int on_origin(struct http_request *request, struct http_piece value)
{
	(void)value;
	request->origin = true;
	return 0;
}

static const struct {
	char name[20];
	bool once; /* a second one is an error */
	int (*set)(struct http_request *request, struct http_piece value); /* 0 or a status */
} fields[] = {
    {"Host", true, on_host}, /* the first: see below */
    {"Connection", false, on_connection},
    {"Content-Length", true, on_length},
    {"Transfer-Encoding", false, on_encoding},
    {"Expect", true, on_expect},
    {"Authorization", true, on_authorization},
    {"Origin", false, on_origin},
};

static int header_line(struct http_request *request, struct http_piece line, unsigned *seen)
{
	struct http_piece name = cut(&line, ':');

	/* Without a colon `name` is all of the line and ends where it does. */
	if (!is_token(name) || (!line.length && line.at[-1] != ':'))
		return BAD_REQUEST;
	for (unsigned i = 0; i < ARRAY_LEN(fields); i++) {
		if (!http_is_word(name, fields[i].name))
			continue;
		if (fields[i].once && *seen & 1u << i)
			return BAD_REQUEST;
		*seen |= 1u << i;
		return fields[i].set(request, trim(line));
	}
	return 0;
}

int http_parse(const char *data, size_t size, struct http_request *ret_request, size_t *ret_length)
{
	struct http_request request = {0};
	struct http_piece line;
	unsigned seen = 0;
	size_t at = 0;
	int error;

	/* Empty lines before it are passed over (RFC 9112, 2.2). */
	do
		error = next_line(data, size, &at, &line);
	while (!error && !line.length);
	if (!error)
		error = request_line(&request, line);
	while (!error) {
		error = next_line(data, size, &at, &line);
		if (!error && !line.length)
			break;
		if (!error)
			error = header_line(&request, line, &seen);
	}
	if (error)
		return error;
	if (request.http11 && !(seen & 1))
		return BAD_REQUEST;
	if (request.body > HTTP_BODY_MAX)
		return CONTENT_TOO_LARGE;
	*ret_request = request;
	*ret_length = at;
	return 0;
}

/* --- Names and numbers ------------------------------------------------------------- */

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int http_decode(struct http_piece piece, char *buffer, size_t size)
{
	size_t used = 0;

	for (size_t i = 0; i < piece.length; i++) {
		int c = (unsigned char)piece.at[i];
		if (c == '%') {
			int high = i + 1 < piece.length ? hex(piece.at[i + 1]) : -1;
			int low = i + 2 < piece.length ? hex(piece.at[i + 2]) : -1;
			if (high < 0 || low < 0)
				return -EINVAL;
			c = high * 16 + low;
			i += 2;
		}
		if (c < 0x20 || c == 0x7f)
			return -EINVAL;
		if (used + 1 >= size)
			return -E2BIG;
		buffer[used++] = (char)c;
	}
	if (size == 0)
		return -E2BIG;
	buffer[used] = '\0';
	return 0;
}

int http_query_number(struct http_piece query, const char *name, uint32_t *ret_number)
{
	char digits[NUMBER_SIZE];

	while (query.length) {
		struct http_piece value = cut(&query, '&');
		if (!http_is(cut(&value, '='), name))
			continue;
		if (value.length >= sizeof(digits))
			return -ERANGE;
		memcpy(digits, value.at, value.length);
		digits[value.length] = '\0';
		return parse_u32(digits, ret_number);
	}
	return -ENOENT;
}
