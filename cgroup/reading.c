#include "cgroup/reading.h"

#include <string.h>

/* The digits at *at, which is moved behind them. False: there is none, or the number is too
 * large. */
static bool digits(const char **at, uint64_t *ret)
{
	const char *start = *at;
	uint64_t value = 0;

	for (; **at >= '0' && **at <= '9'; (*at)++) {
		unsigned digit = (unsigned)(**at - '0');

		if (value > (UINT64_MAX - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	if (*at == start)
		return false;
	*ret = value;
	return true;
}

bool reading_number(const char *text, uint64_t *ret)
{
	uint64_t value = UINT64_MAX;

	if (!strncmp(text, "max", 3))
		text += 3;
	else if (!digits(&text, &value))
		return false;
	if (*text == '\n')
		text++;
	if (*text)
		return false;
	*ret = value;
	return true;
}

bool reading_keyed(const char *text, const char *key, uint64_t *ret)
{
	size_t length = strlen(key);

	while (*text) {
		const char *end = strchrnul(text, '\n');

		if (!strncmp(text, key, length) && text[length] == ' ') {
			uint64_t value;

			text += length + 1;
			if (!digits(&text, &value) || text != end)
				return false;
			*ret = value;
			return true;
		}
		text = *end ? end + 1 : end;
	}
	return false;
}

/* "12.34" is 1234; the kernel writes two digits after the point. */
static bool percentage(const char *text, uint32_t *ret)
{
	uint64_t whole, part;

	if (!digits(&text, &whole) || *text++ != '.')
		return false;
	const char *point = text;
	if (!digits(&text, &part) || text - point != 2 || whole > 100)
		return false;
	*ret = (uint32_t)(whole * 100 + part);
	return true;
}

/* What stands behind `key` in the blank-separated words of a line, NULL: it has none. */
static const char *word_value(const char *line, const char *key)
{
	size_t length = strlen(key);

	for (;;) {
		line += strspn(line, " ");
		if (!strncmp(line, key, length))
			return line + length;
		line += strcspn(line, " \n");
		if (*line != ' ')
			return NULL;
	}
}

bool reading_pressure(const char *text, uint32_t *ret_avg10, uint64_t *ret_total)
{
	while (*text) {
		const char *end = strchrnul(text, '\n');

		if (!strncmp(text, "some ", 5)) {
			const char *average = word_value(text, "avg10=");
			const char *total = word_value(text, "total=");
			uint32_t share;
			uint64_t sum;

			if (!average || !total || !percentage(average, &share) ||
			    !digits(&total, &sum))
				return false;
			*ret_avg10 = share;
			*ret_total = sum;
			return true;
		}
		text = *end ? end + 1 : end;
	}
	return false;
}

/* By words and not by lines: Linux 5.13 to 5.15 end no line of a device that has been idle. */
void reading_io(const char *text, uint64_t *ret_read, uint64_t *ret_written)
{
	uint64_t sums[2] = {0}, value;

	for (;;) {
		text += strspn(text, " \n");
		if (!*text)
			break;
		const char *number = text + strlen("rbytes=");
		if (!strncmp(text, "rbytes=", 7) && digits(&number, &value))
			sums[0] += value;
		else if (!strncmp(text, "wbytes=", 7) && digits(&number, &value))
			sums[1] += value;
		text += strcspn(text, " \n");
	}
	*ret_read = sums[0];
	*ret_written = sums[1];
}
