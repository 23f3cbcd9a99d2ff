#include "ctl/reply.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

static void skip_blanks(char **at)
{
	*at += strspn(*at, " \t");
}

/* The number of four hexadecimal digits, -1 if they are not that. */
static int hex4(const char *at)
{
	int value = 0;

	for (int i = 0; i < 4; i++) {
		char c = at[i];
		int digit = c >= '0' && c <= '9'   ? c - '0'
			    : c >= 'a' && c <= 'f' ? c - 'a' + 10
			    : c >= 'A' && c <= 'F' ? c - 'A' + 10
						   : -1;
		if (digit < 0)
			return -1;
		value = value * 16 + digit;
	}
	return value;
}

/* Writes a code point as UTF-8; never longer than the escape it came from. */
static char *put_utf8(char *to, uint32_t code)
{
	if (code < 0x80) {
		*to++ = (char)code;
		return to;
	}
	if (code < 0x800) {
		*to++ = (char)(0xc0 | code >> 6);
	} else {
		if (code < 0x10000) {
			*to++ = (char)(0xe0 | code >> 12);
		} else {
			*to++ = (char)(0xf0 | code >> 18);
			*to++ = (char)(0x80 | (code >> 12 & 0x3f));
		}
		*to++ = (char)(0x80 | (code >> 6 & 0x3f));
	}
	*to++ = (char)(0x80 | (code & 0x3f));
	return to;
}

/* Reads what follows \u; *at is behind the u. */
static int take_unicode(char **at, char **to)
{
	int code = hex4(*at);
	int low;

	if (code < 0)
		return -EINVAL;
	*at += 4;
	uint32_t point = (uint32_t)code;
	if (point >= 0xd800 && point < 0xe000) {
		low = point < 0xdc00 && (*at)[0] == '\\' && (*at)[1] == 'u' ? hex4(*at + 2) : -1;
		if (low >= 0xdc00 && low < 0xe000) {
			point = 0x10000 + ((point & 0x3ff) << 10) + ((uint32_t)low & 0x3ff);
			*at += 6;
		} else {
			point = 0xfffd;
		}
	}
	*to = put_utf8(*to, point ? point : 0xfffd);
	return 0;
}

static int take_string(char **at, const char **ret)
{
	static const char letters[] = "\"\"\\\\//b\bf\fn\nr\rt\t";
	char *to = *at;

	*ret = to;
	while (**at != '"') {
		char c = *(*at)++;
		if ((unsigned char)c < 0x20)
			return -EINVAL; /* the NUL at the end, too */
		if (c != '\\') {
			*to++ = c;
			continue;
		}
		c = *(*at)++;
		if (c == 'u') {
			if (take_unicode(at, &to) != 0)
				return -EINVAL;
			continue;
		}
		size_t i = 0;
		while (i + 1 < sizeof(letters) && letters[i] != c)
			i += 2;
		if (!c || i + 1 >= sizeof(letters))
			return -EINVAL;
		*to++ = letters[i + 1];
	}
	*to = '\0'; /* at the quote, or before it */
	(*at)++;
	return 0;
}

/* A number, true, false or null. `end` is where its NUL has to go later. */
static int take_word(char **at, const char **ret, char **ret_end)
{
	size_t length = strspn(*at, "0123456789+-.eEabcdflnrstu");

	if (length == 0)
		return -EINVAL;
	*ret = length == 4 && memcmp(*at, "null", 4) == 0 ? NULL : *at;
	*at += length;
	*ret_end = *at;
	return 0;
}

static int take_field(char **at, struct reply *reply, char **ret_end)
{
	const char *name;
	const char *value;

	*ret_end = NULL;
	skip_blanks(at);
	if (*(*at)++ != '"' || take_string(at, &name) != 0)
		return -EINVAL;
	skip_blanks(at);
	if (*(*at)++ != ':')
		return -EINVAL;
	skip_blanks(at);
	int error;
	if (**at == '"') {
		(*at)++;
		error = take_string(at, &value);
	} else {
		error = take_word(at, &value, ret_end);
	}
	if (error || reply->count == REPLY_FIELDS)
		return error;
	reply->field[reply->count].key = name;
	reply->field[reply->count++].value = value;
	return 0;
}

int reply_parse(char *line, struct reply *ret)
{
	struct reply reply = {0};
	char *at = line;
	char *end;
	char next;

	skip_blanks(&at);
	if (*at++ != '{')
		return -EINVAL;
	skip_blanks(&at);
	if (*at == '}')
		next = *at++;
	else
		do {
			if (take_field(&at, &reply, &end) != 0)
				return -EINVAL;
			skip_blanks(&at);
			next = *at;
			if (next)
				at++;
			if (end)
				*end = '\0';
		} while (next == ',');
	if (next != '}')
		return -EINVAL;
	skip_blanks(&at);
	if (*at)
		return -EINVAL;
	*ret = reply;
	return 0;
}

const char *reply_get(const struct reply *reply, const char *key)
{
	for (size_t i = 0; i < reply->count; i++)
		if (strcmp(reply->field[i].key, key) == 0)
			return reply->field[i].value;
	return NULL;
}
