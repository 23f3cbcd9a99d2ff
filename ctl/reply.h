/* One line of PID 1's answer: a flat JSON object.
 *
 * Pure, owns nothing: the strings lie in the line that was parsed. May call: string
 * functions. */
#ifndef SINIT_CTL_REPLY_H
#define SINIT_CTL_REPLY_H

#include <stddef.h>

enum { REPLY_FIELDS = 16 };

struct reply {
	size_t count;
	struct {
		const char *key;
		const char *value; /* decoded; numbers, true, false as written; NULL: null */
	} field[REPLY_FIELDS];
};

/* Parses a line (NUL-terminated, no newline), which is overwritten. Values are strings,
 * numbers, true, false or null; fields beyond REPLY_FIELDS are left out. A NUL or half of
 * a surrogate pair in a string becomes U+FFFD. 0, or -EINVAL. */
int reply_parse(char *line, struct reply *ret);

/* The value of a key, NULL if it is absent or null. */
const char *reply_get(const struct reply *reply, const char *key);

#endif
