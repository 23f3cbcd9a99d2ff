#include "log/lines.h"

#include <string.h>
#include <time.h>

enum {
	JSON_FRAME = 224, /* bytes of an object at most, without its message: the name has 63 */
	COLOURS = 5,
	COLOUR_BYTES = sizeof("\x1b[30m\x1b[0m") - 1,
};

bool lines_are_bare(const struct lines_style *style)
{
	return style->format == LINES_RAW && !style->prefix;
}

size_t lines_next(const struct lines_style *style, const char *bytes, size_t size, bool ended)
{
	size_t most = lines_are_bare(style) ? LINES_MOST - 1 : LINES_PIECE;
	size_t look = size < most + 1 ? size : most + 1;
	const char *newline = memchr(bytes, '\n', look);
	size_t length = newline ? (size_t)(newline - bytes) : look;

	/* Until one byte more is there it may be the newline of a line that just fits. */
	if (!newline && size <= most && !ended)
		return 0;
	if (length > most)
		length = most;
	if (style->format == LINES_JSON) {
		size_t fit = text_json_fit(bytes, length, LINES_MOST - JSON_FRAME);
		if (fit < length)
			return fit;
	}
	return newline && (size_t)(newline - bytes) == length ? length + 1 : length;
}

static void put(struct lines_text *text, const char *bytes, size_t length)
{
	memcpy(text->data + text->used, bytes, length);
	text->used += length;
}

static void put_string(struct lines_text *text, const char *string)
{
	put(text, string, strlen(string));
}

static void put_number(char *at, int digits, int64_t number)
{
	for (; digits > 0; number /= 10)
		at[--digits] = (char)('0' + number % 10);
}

/* Length of a sequence that sets colours, at `at`; 0: it is none. */
static size_t colour_length(const char *at, const char *end)
{
	const char *from = at + 2;

	if (end - at < 3 || at[0] != '\x1b' || at[1] != '[')
		return 0;
	while (from < end && ((*from >= '0' && *from <= '9') || *from == ';'))
		from++;
	return from < end && *from == 'm' ? (size_t)(from - at) + 1 : 0;
}

/* Whether there is one of the control characters of ISO 6429 as UTF-8 has them: U+009B does what
 * ESC [ does. */
static bool is_second_control(const char *at, const char *end)
{
	return end - at > 1 && at[0] == '\xc2' && ((unsigned char)at[1] & 0xe0) == 0x80;
}

/* What moves the cursor could write over another service's line: on a terminal only colours and
 * tabs go through. */
static void make_harmless(char *from, const char *end)
{
	while (from < end) {
		size_t colour = colour_length(from, end);

		if (is_second_control(from, end)) {
			*from++ = '?';
			*from = '?';
		}

		if (colour) {
			from += colour;
			continue;
		}
		if ((unsigned char)*from < ' ' && *from != '\t' && *from != '\n')
			*from = from + 1 < end && *from == '\r' && from[1] == '\n' ? ' ' : '?';
		if (*from == 0x7f)
			*from = '?';
		from++;
	}
}

static const char *clock_text(struct lines_clock *clock, int64_t time)
{
	time_t second = (time_t)(time / 1000000);
	struct tm parts;

	if (clock->time == time && clock->text[0])
		return clock->text;
	if (clock->time / 1000000 != second || !clock->text[0]) {
		memcpy(clock->text, "0000-00-00T00:00:00.000000Z", LINES_TIME + 1);
		if (gmtime_r(&second, &parts)) {
			put_number(clock->text, 4, parts.tm_year + 1900);
			put_number(clock->text + 5, 2, parts.tm_mon + 1);
			put_number(clock->text + 8, 2, parts.tm_mday);
			put_number(clock->text + 11, 2, parts.tm_hour);
			put_number(clock->text + 14, 2, parts.tm_min);
			put_number(clock->text + 17, 2, parts.tm_sec);
		}
	}
	put_number(clock->text + 20, 6, time % 1000000);
	clock->time = time;
	return clock->text;
}

/* Always the same for a name; neither black nor white, and not red, which is for errors. */
static unsigned colour_of(const char *name)
{
	unsigned hash = 0;

	for (; *name; name++)
		hash = hash * 31 + (unsigned char)*name;
	return 2 + hash % COLOURS;
}

static void put_prefix(struct lines_text *text, const struct lines_style *style)
{
	char colour[] = "\x1b[30m";

	if (!style->prefix)
		return;
	colour[3] = (char)('0' + colour_of(style->name));
	if (style->colour)
		put_string(text, colour);
	put_string(text, style->name);
	put_string(text, style->colour ? " |\x1b[0m " : " | ");
}

static void put_object(struct lines_text *text, const struct lines_style *style, const char *time,
    const char *bytes, size_t length, bool more)
{
	struct text json;

	/* The NUL at its end takes the place of the newline. */
	text_init(&json, text->data + text->used, LINES_MOST);
	text_addf(&json, "{\"time\":\"%s\",\"service\":\"%s\"", time, style->name);
	if (style->stream)
		text_addf(&json, ",\"stream\":\"%s\"", style->stream);
	text_add(&json, ",\"message\":");
	text_json_bytes(&json, bytes, length);
	text_add(&json, more ? ",\"partial\":true}" : "}");
	text->used += json.used;
}

/* Bytes that a line takes. An object may take all that there may be. */
static size_t shown_size(const struct lines_style *style, size_t length, bool newline)
{
	size_t size = length;

	if (style->format == LINES_JSON)
		return LINES_MOST;
	if (style->prefix)
		size +=
		    strlen(style->name) + sizeof(" | ") - 1 + (style->colour ? COLOUR_BYTES : 0);
	if (style->format == LINES_TIMESTAMPS)
		size += LINES_TIME + 1;
	return size + (!newline && !lines_are_bare(style));
}

bool lines_add(struct lines_text *text, const struct lines_style *style, struct lines_clock *clock,
    int64_t time, const char *bytes, size_t length, bool more)
{
	bool newline = length && bytes[length - 1] == '\n';

	if (text->size - text->used < shown_size(style, length, newline))
		return false;
	if (style->format == LINES_JSON) {
		put_object(text, style, clock_text(clock, time), bytes, length - newline, more);
		put(text, "\n", 1);
		return true;
	}
	put_prefix(text, style);
	if (style->format == LINES_TIMESTAMPS) {
		put(text, clock_text(clock, time), LINES_TIME);
		put(text, " ", 1);
	}
	put(text, bytes, length);
	if (style->colour)
		make_harmless(text->data + text->used - length, text->data + text->used);
	if (!newline && !lines_are_bare(style))
		put(text, "\n", 1);
	return true;
}
