#include "init/notify.h"

#include <string.h>

/* A decimal number from 0 to INT32_MAX; -1: it is none. */
static int32_t number(const char *text, size_t length)
{
	int64_t value = 0;

	if (length == 0 || length > 10)
		return -1;
	for (size_t i = 0; i < length; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -1;
		value = value * 10 + (text[i] - '0');
	}
	return value <= INT32_MAX ? (int32_t)value : -1;
}

/* The value of a line that begins with `key`, NULL if it does not. */
static const char *value_of(const char *line, size_t length, const char *key, size_t *ret_length)
{
	size_t key_length = strlen(key);

	if (length < key_length || memcmp(line, key, key_length) != 0)
		return NULL;
	*ret_length = length - key_length;
	return line + key_length;
}

static void take_line(const char *datagram, const char *line, size_t length, struct notification *n)
{
	static const struct {
		const char *line;
		size_t at;
	} flags[] = {
	    {"READY=1", offsetof(struct notification, ready)},
	    {"RELOADING=1", offsetof(struct notification, reloading)},
	    {"STOPPING=1", offsetof(struct notification, stopping)},
	    {"WATCHDOG=1", offsetof(struct notification, watchdog)},
	    {"WATCHDOG=trigger", offsetof(struct notification, trigger)},
	};
	const char *value;
	size_t size;

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (strlen(flags[i].line) == length && !memcmp(line, flags[i].line, length))
			*(bool *)((char *)n + flags[i].at) = true;
	if ((value = value_of(line, length, "MAINPID=", &size))) {
		int32_t pid = number(value, size);

		n->main_pid = pid > 1 ? pid : 0;
	} else if ((value = value_of(line, length, "SINIT_DETAIL=", &size))) {
		int32_t detail = number(value, size);

		n->detail = detail > 0 ? detail : 0;
	} else if ((value = value_of(line, length, "SINIT_THIEF=", &size))) {
		n->thief = (size_t)(value - datagram);
		n->thief_length = size;
	} else if ((value = value_of(line, length, "STATUS=", &size))) {
		n->status = (size_t)(value - datagram);
		n->status_length = size;
	}
}

void notify_parse(const char *datagram, size_t size, struct notification *ret)
{
	size_t at = 0;

	*ret = (struct notification){0};
	while (at < size) {
		const char *line = datagram + at, *end = memchr(line, '\n', size - at);
		size_t length = end ? (size_t)(end - line) : size - at;

		take_line(datagram, line, length, ret);
		at += length + 1;
	}
}
