#include "ctl/ctl.h"
#include "init/format.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

void out_init(struct out *out, int fd)
{
	text_init(&out->text, out->buffer, sizeof(out->buffer));
	out->fd = fd;
	out->error = 0;
}

int out_flush(struct out *out)
{
	size_t at = 0;

	while (at < out->text.used && !out->error) {
		ssize_t n = write(out->fd, out->buffer + at, out->text.used - at);
		if (n >= 0)
			at += (size_t)n;
		else if (errno != EINTR)
			out->error = errno;
	}
	text_init(&out->text, out->buffer, sizeof(out->buffer));
	return -out->error;
}

struct text *out_text(struct out *out)
{
	if (out->text.size - out->text.used < OUT_ROOM)
		out_flush(out);
	return &out->text;
}

void out_add(struct out *out, const char *string)
{
	size_t left = strlen(string);

	while (left > 0) {
		size_t piece = left < OUT_ROOM - 1 ? left : OUT_ROOM - 1;
		text_add_bytes(out_text(out), string, piece);
		string += piece;
		left -= piece;
	}
}

void out_clean(struct out *out, const char *string)
{
	char piece[1024];
	size_t left = strlen(string);

	while (left > 0) {
		size_t take = left < sizeof(piece) - 1 ? left : sizeof(piece) - 1;
		/* Not through the middle of a character, unless it is longer than any is. */
		for (size_t back = 0; take < left && back < 3; back++)
			if (((unsigned char)string[take] & 0xc0) == 0x80)
				take--;
		memcpy(piece, string, take);
		piece[take] = '\0';
		format_clean(out_text(out), piece); /* at most four times as long */
		string += take;
		left -= take;
	}
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
