/* Lines about what is done outside of the loop: before it begins, and in a child at the end.
 * Who is told is the caller's business: its log, a pipe, a text.
 *
 * Owns nothing. May call: base. */
#ifndef SINIT_INIT_REPORT_H
#define SINIT_INIT_REPORT_H

#include "init/log.h"

enum { REPORT_LINE = 512 }; /* bytes of a line with its NUL; the rest is cut off */

struct report {
	/* `line` has no newline, and is gone after the call. */
	void (*tell)(void *context, enum log_level level, const char *line);
	void *context;
};

void report_line(const struct report *report, enum log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
