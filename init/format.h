/* Pieces of output: numbers, times, columns, and text that a terminal can be shown.
 *
 * Owns nothing; adds to a caller's text. Pure. May call: base, libc's string functions. */
#ifndef SINIT_INIT_FORMAT_H
#define SINIT_INIT_FORMAT_H

#include "init/base.h"

/* Adds a decimal number; much faster than text_addf(), which counts for 1,000 services. */
void format_number(struct text *text, int64_t number);

/* Adds milliseconds as seconds with three decimals: "12.345". */
void format_seconds(struct text *text, int64_t ms);

/* Adds nanoseconds since 1970 as RFC 3339 in UTC with milliseconds:
 * "2024-05-01T12:00:00.123Z". */
void format_time(struct text *text, int64_t ns);

/* The same with microseconds. */
void format_time_us(struct text *text, int64_t ns);

/* Adds a string so that it cannot move a terminal's cursor or forge a line: control
 * characters (C1 too) and what is no UTF-8 become \n, \t or \xNN. */
void format_clean(struct text *text, const char *string);

/* The same for `length` bytes which may hold NULs. What is cut ends with a whole character. */
void format_clean_bytes(struct text *text, const char *bytes, size_t length);

void format_spaces(struct text *text, size_t count);

/* Columns that a string takes on a terminal: one for each code point. */
size_t format_columns(const char *string);

/* Adds the first `columns` columns of a string, the last one of them as `ellipsis` if
 * something had to go. */
void format_cut(struct text *text, const char *string, size_t columns, const char *ellipsis);

#endif
