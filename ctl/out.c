#include "ctl/ctl.h"
#include "init/fds.h"
#include "init/format.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { PIECE = 1024 }; /* bytes that are made harmless at a time */

void out_init(struct out *out, int fd)
{
	text_init(&out->text, out->buffer, sizeof(out->buffer));
	out->fd = fd;
	out->error = 0;
}

int out_flush(struct out *out)
{
	if (!out->error)
		out->error = -fds_write_all(out->fd, out->buffer, out->text.used);
	text_init(&out->text, out->buffer, sizeof(out->buffer));
	return -out->error;
}

struct text *out_text(struct out *out)
{
	if (out->text.size - out->text.used < OUT_ROOM)
		out_flush(out);
	return &out->text;
}

void out_add_bytes(struct out *out, const char *bytes, size_t size)
{
	while (size > 0) {
		size_t piece = size < OUT_ROOM - 1 ? size : OUT_ROOM - 1;
		text_add_bytes(out_text(out), bytes, piece);
		bytes += piece;
		size -= piece;
	}
}

void out_add(struct out *out, const char *string)
{
	out_add_bytes(out, string, strlen(string));
}

/* How many of `size` bytes, at most PIECE, can go ahead: not through the middle of a character,
 * unless it is longer than any is. */
static size_t piece_of(const char *bytes, size_t size)
{
	size_t take = size < PIECE ? size : PIECE;

	for (size_t back = 0; take < size && back < 3; back++)
		if (((unsigned char)bytes[take] & 0xc0) == 0x80)
			take--;
	return take;
}

/* Bytes without a NUL. */
static void clean(struct out *out, const char *bytes, size_t size)
{
	char string[PIECE + 1];

	while (size > 0) {
		size_t piece = piece_of(bytes, size);
		memcpy(string, bytes, piece);
		string[piece] = '\0';
		format_clean(out_text(out), string); /* at most four times as long */
		bytes += piece;
		size -= piece;
	}
}

void out_clean(struct out *out, const char *string)
{
	clean(out, string, strlen(string));
}

/* Length of the sequence there that sets colours; 0: there is none. */
static size_t colour_length(const char *bytes, size_t size)
{
	size_t at = 2;

	if (size < 3 || bytes[0] != '\033' || bytes[1] != '[')
		return 0;
	while (at < size && bytes[at] && strchr("0123456789;:", bytes[at]))
		at++;
	return at < size && bytes[at] == 'm' ? at + 1 : 0;
}

void out_clean_bytes(struct out *out, const char *bytes, size_t size, bool colour)
{
	bool coloured = false;
	size_t step;

	for (size_t at = 0; at < size; at += step) {
		size_t sequence = colour ? colour_length(bytes + at, size - at) : 0;
		coloured |= sequence > 0;
		step = sequence ? sequence : 1;
		if (sequence || bytes[at] == '\t') {
			out_add_bytes(out, bytes + at, step);
		} else if (bytes[at] == '\0') {
			out_add(out, "\\x00");
		} else {
			while (at + step < size && bytes[at + step] &&
			       !strchr("\t\033", bytes[at + step]))
				step++;
			clean(out, bytes + at, step);
		}
	}
	if (coloured)
		out_add(out, "\033[0m");
}

void out_json_bytes(struct out *out, const char *bytes, size_t size)
{
	char string[PIECE * 6 + 3]; /* six for a byte at most, and quotes */
	struct text text;

	out_add(out, "\"");
	while (size > 0) {
		size_t piece = piece_of(bytes, size);
		text_init(&text, string, sizeof(string));
		text_json_bytes(&text, bytes, piece);
		out_add_bytes(out, string + 1, text.used - 2);
		bytes += piece;
		size -= piece;
	}
	out_add(out, "\"");
}

static bool utf8_locale(void)
{
	static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
	const char *value = NULL;

	for (size_t i = 0; i < ARRAY_LEN(names) && (!value || !*value); i++)
		value = getenv(names[i]);
	return value && (strstr(value, "UTF-8") || strstr(value, "utf8") || strstr(value, "UTF8") ||
			    strstr(value, "utf-8"));
}

struct style style_of(int fd)
{
	struct style style = {0};
	const char *term = getenv("TERM");
	const char *no_color = getenv("NO_COLOR");
	struct winsize size;

	if (!isatty(fd))
		return style;
	style.width = ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col ? size.ws_col : 80;
	style.colour = term && strcmp(term, "dumb") != 0 && !(no_color && *no_color);
	style.utf8 = utf8_locale();
	return style;
}

void ctl_error(const char *format, ...)
{
	char raw[2048];
	char line[4096];
	struct text text;
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(raw, sizeof(raw), format, arguments);
	va_end(arguments);
	text_init(&text, line, sizeof(line) - 1);
	text_add(&text, "sinitctl: ");
	format_clean(&text, raw);
	line[text.used] = '\n';
	/* Nobody is left to tell if this fails. */
	ssize_t n = write(STDERR_FILENO, line, text.used + 1);
	(void)n;
}
