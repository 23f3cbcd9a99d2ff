#include "init/format.h"

#include <string.h>
#include <time.h>

void format_number(struct text *text, int64_t number)
{
	char digits[24];
	char *at = digits + sizeof(digits);
	uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;

	do {
		*--at = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest);
	if (number < 0)
		*--at = '-';
	text_add_bytes(text, at, (size_t)(digits + sizeof(digits) - at));
}

/* Adds a number of at least `width` digits. */
static void add_padded(struct text *text, int64_t number, unsigned width)
{
	int64_t limit = 1;

	while (--width)
		limit *= 10;
	for (; limit > 1 && number < limit; limit /= 10)
		text_add(text, "0");
	format_number(text, number);
}

void format_seconds(struct text *text, int64_t ms)
{
	if (ms < 0)
		ms = 0;
	format_number(text, ms / 1000);
	text_add(text, ".");
	add_padded(text, ms % 1000, 3);
}

/* Nanoseconds since 1970 with a fraction of so many digits, which is `fraction`. */
static void add_time(struct text *text, int64_t ns, int64_t fraction, unsigned digits)
{
	time_t seconds = (time_t)(ns / 1000000000);
	struct tm tm;

	if (ns < 0 || !gmtime_r(&seconds, &tm)) {
		add_time(text, 0, 0, digits);
		return;
	}
	const struct {
		int value;
		unsigned width;
		const char *after;
	} parts[] = {{tm.tm_year + 1900, 4, "-"}, {tm.tm_mon + 1, 2, "-"}, {tm.tm_mday, 2, "T"},
	    {tm.tm_hour, 2, ":"}, {tm.tm_min, 2, ":"}, {tm.tm_sec, 2, "."},
	    {(int)fraction, digits, "Z"}};
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		add_padded(text, parts[i].value, parts[i].width);
		text_add(text, parts[i].after);
	}
}

void format_time(struct text *text, int64_t ns)
{
	add_time(text, ns, ns / 1000000 % 1000, 3);
}

void format_time_us(struct text *text, int64_t ns)
{
	add_time(text, ns, ns / 1000 % 1000000, 6);
}

/* Length of the printable character at `at`, where `left` bytes are; 0 if there is none. */
static size_t printable(const unsigned char *at, size_t left)
{
	static const struct {
		unsigned char first, low, high;
	} narrow[] = {          /* what of a second byte is allowed, where it is not 80 to bf */
	    {0xc2, 0xa0, 0xbf}, /* below are the C1 controls, CSI among them */
	    {0xe0, 0xa0, 0xbf}, {0xed, 0x80, 0x9f}, {0xf0, 0x90, 0xbf}, {0xf4, 0x80, 0x8f}};
	size_t length = 0;
	unsigned char low = 0x80;
	unsigned char high = 0xbf;

	if (*at < 0x80)
		return *at >= 0x20 && *at != 0x7f;
	if (*at >= 0xc2 && *at <= 0xdf)
		length = 2;
	else if (*at >= 0xe0 && *at <= 0xef)
		length = 3;
	else if (*at >= 0xf0 && *at <= 0xf4)
		length = 4;
	for (size_t i = 0; i < ARRAY_LEN(narrow); i++)
		if (*at == narrow[i].first) {
			low = narrow[i].low;
			high = narrow[i].high;
		}
	if (length == 0 || length > left || at[1] < low || at[1] > high)
		return 0;
	for (size_t i = 2; i < length; i++)
		if (at[i] < 0x80 || at[i] > 0xbf)
			return 0;
	return length;
}

void format_clean_bytes(struct text *text, const char *bytes, size_t length)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *at = (const unsigned char *)bytes;

	for (size_t left = length; left > 0 && !text->cut;) {
		size_t taken = printable(at, left);
		char escape[5] = {'\\', 'x', digits[*at >> 4], digits[*at & 15]};
		const char *add = *at == '\n' ? "\\n" : *at == '\t' ? "\\t" : escape;
		size_t size = taken ? taken : strlen(add);

		if (size > text->size - text->used - 1)
			text->cut = true;
		text_add_bytes(text, taken ? (const char *)at : add, size);
		at += taken ? taken : 1;
		left -= taken ? taken : 1;
	}
}

void format_clean(struct text *text, const char *string)
{
	format_clean_bytes(text, string, strlen(string));
}

void format_spaces(struct text *text, size_t count)
{
	static const char spaces[] = "                                ";

	for (; count >= sizeof(spaces); count -= sizeof(spaces) - 1)
		text_add_bytes(text, spaces, sizeof(spaces) - 1);
	text_add_bytes(text, spaces, count);
}

size_t format_columns(const char *string)
{
	size_t columns = 0;

	for (; *string; string++)
		columns += ((unsigned char)*string & 0xc0) != 0x80;
	return columns;
}

void format_cut(struct text *text, const char *string, size_t columns, const char *ellipsis)
{
	size_t have = format_columns(string);
	size_t end = 0;

	if (have <= columns) {
		text_add(text, string);
		return;
	}
	if (columns == 0)
		return;
	for (size_t left = columns; string[end]; end++)
		if (((unsigned char)string[end] & 0xc0) != 0x80 && left-- == 1)
			break;
	text_add_bytes(text, string, end);
	text_add(text, ellipsis);
}
