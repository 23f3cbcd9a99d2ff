/* What a service has written, as lines of a log: where a line ends, and how it is shown.
 *
 * A line ends with a newline. One that is longer than LINES_PIECE bytes is cut into pieces, each
 * shown as a line; so a line with all that is put before it is never longer than LINES_MOST,
 * which a pipe takes in one go (PIPE_BUF of pipe(7)), and those of several services do not mix.
 * Raw lines have nothing added, also no newline.
 * Owns nothing, pure. May call: base. */
#ifndef SINIT_LOG_LINES_H
#define SINIT_LOG_LINES_H

#include "init/base.h"

enum {
	LINES_PIECE = 4000, /* bytes of a line that are shown together; JSON: as many as fit */
	LINES_MOST = 4096,  /* bytes of what is shown of them, newline included */
	LINES_TIME = 27,    /* bytes of a time: 2026-11-26T22:11:32.123456Z */
};

enum lines_format { LINES_RAW, LINES_TIMESTAMPS, LINES_JSON };

struct lines_style {
	uint8_t format;   /* enum lines_format */
	bool prefix;      /* "NAME | " */
	bool colour;      /* for a terminal: of the prefix; bytes that could write over other lines
			     become question marks */
	const char *name; /* of the service */
	const char *stream; /* JSON: "stdout", "stderr", NULL: not said */
};

/* What is shown: a buffer of the caller's. */
struct lines_text {
	char *data;
	size_t size, used;
};

/* A time as text, made anew only when it is another one. */
struct lines_clock {
	int64_t time; /* CLOCK_REALTIME us */
	char text[LINES_TIME + 1];
};

/* Whether nothing is added to its lines. */
bool lines_are_bare(const struct lines_style *style);

/* How long the line at the beginning of [0 .. size-1], or the piece that is shown of it, is, its
 * newline included. 0: its end has not come yet. `ended`: nothing will follow, what there is is a
 * line. */
size_t lines_next(const struct lines_style *style, const char *bytes, size_t size, bool ended);

/* Adds a line that lines_next() has found, taken at `time` (CLOCK_REALTIME us). `more`: the line
 * goes on behind it. False: it does not fit; nothing is added. */
bool lines_add(struct lines_text *text, const struct lines_style *style, struct lines_clock *clock,
    int64_t time, const char *bytes, size_t length, bool more);

#endif
