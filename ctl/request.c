#include "ctl/request.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

static const char version[] = "sinit1";

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* Bytes that stand for themselves in an argument. */
static bool is_plain(char c)
{
	return is_alnum(c) || (c != '\0' && strchr("_@.,:=/*?+-", c));
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

bool request_reply_valid(const char *name, size_t len)
{
	if (len == 0 || len > REQUEST_REPLY || name[0] == '.')
		return false;
	for (size_t i = 0; i < len; i++)
		if (!is_alnum(name[i]) && name[i] != '_' && name[i] != '.' && name[i] != '-')
			return false;
	return true;
}

static bool verb_valid(const char *verb, size_t len)
{
	if (len == 0 || len > REQUEST_VERB)
		return false;
	for (size_t i = 0; i < len; i++)
		if (verb[i] < 'a' || verb[i] > 'z')
			return false;
	return true;
}

/* Decodes one argument in place; field[len] becomes its NUL or lies behind it. */
static int decode(char *field, size_t len, const char **ret_reason)
{
	size_t to = 0;

	if (len == 1 && field[0] == '%') {
		field[0] = '\0';
		return 0;
	}
	for (size_t from = 0; from < len; from++) {
		if (is_plain(field[from])) {
			field[to++] = field[from];
			continue;
		}
		if (field[from] != '%') {
			*ret_reason = "a byte in an argument that must be written as %XX";
			return -EINVAL;
		}
		int high = len - from > 2 ? hex_value(field[from + 1]) : -1;
		int low = high >= 0 ? hex_value(field[from + 2]) : -1;
		if (low < 0) {
			*ret_reason = "a % without two hexadecimal digits after it";
			return -EINVAL;
		}
		if (high == 0 && low == 0) {
			*ret_reason = "a NUL in an argument";
			return -EINVAL;
		}
		field[to++] = (char)(high * 16 + low);
		from += 2;
	}
	field[to] = '\0';
	return 0;
}

/* Takes field number `n` (0 is the version) of the line. */
static int take_field(
    struct request *request, size_t n, char *field, size_t len, const char **ret_reason)
{
	if (n == 0) {
		if (len == sizeof(version) - 1 && memcmp(field, version, len) == 0)
			return 0;
		*ret_reason = "it does not begin with sinit1";
		return -EINVAL;
	}
	if (n == 1) {
		if (len == 1 && field[0] == '-')
			return 0;
		if (request_reply_valid(field, len)) {
			request->reply = field;
			return 0;
		}
		*ret_reason = "the name of the reply FIFO is not valid";
		return -EINVAL;
	}
	if (n == 2) {
		if (verb_valid(field, len)) {
			request->verb = field;
			return 0;
		}
		*ret_reason = "the verb is not a word of small letters";
		return -EINVAL;
	}
	if (request->argc == REQUEST_ARGS) {
		*ret_reason = "more than 64 arguments";
		return -E2BIG;
	}
	if (len == 0) {
		*ret_reason = "an empty argument that is not written as %";
		return -EINVAL;
	}
	int error = decode(field, len, ret_reason);
	if (error)
		return error;
	request->argv[request->argc++] = field;
	return 0;
}

int request_parse(char *line, size_t len, struct request *ret, const char **ret_reason)
{
	struct request request = {0};
	size_t n = 0;

	if (len >= REQUEST_LINE) {
		*ret_reason = "longer than 4096 bytes";
		return -E2BIG;
	}
	for (size_t at = 0; at <= len; n++) {
		char *blank = memchr(line + at, ' ', len - at);
		size_t end = blank ? (size_t)(blank - line) : len;
		int error = take_field(&request, n, line + at, end - at, ret_reason);
		if (error)
			return error;
		line[end] = '\0';
		at = end + 1;
	}
	if (n < 3) {
		*ret_reason = "no verb";
		return -EINVAL;
	}
	*ret = request;
	return 0;
}

/* Where request_format() writes; what does not fit is counted and left out. */
struct out {
	char *data;
	size_t used;
};

static void put(struct out *out, char c)
{
	if (out->used < REQUEST_LINE)
		out->data[out->used] = c;
	out->used++;
}

static void put_string(struct out *out, const char *string)
{
	for (; *string; string++)
		put(out, *string);
}

static void put_argument(struct out *out, const char *argument)
{
	static const char digits[] = "0123456789ABCDEF";

	put(out, ' ');
	if (!*argument)
		put(out, '%');
	for (; *argument; argument++) {
		if (is_plain(*argument)) {
			put(out, *argument);
			continue;
		}
		uint8_t byte = (uint8_t)*argument;
		put(out, '%');
		put(out, digits[byte >> 4]);
		put(out, digits[byte & 15]);
	}
}

int request_format(const struct request *request, char *buffer, size_t *ret_len)
{
	struct out out = {.data = buffer};

	if (!verb_valid(request->verb, strlen(request->verb)))
		return -EINVAL;
	if (request->reply && !request_reply_valid(request->reply, strlen(request->reply)))
		return -EINVAL;
	if (request->argc > REQUEST_ARGS)
		return -E2BIG;
	put_string(&out, version);
	put(&out, ' ');
	put_string(&out, request->reply ? request->reply : "-");
	put(&out, ' ');
	put_string(&out, request->verb);
	for (size_t i = 0; i < request->argc; i++)
		put_argument(&out, request->argv[i]);
	put(&out, '\n');
	if (out.used > REQUEST_LINE)
		return -E2BIG;
	*ret_len = out.used;
	return 0;
}
