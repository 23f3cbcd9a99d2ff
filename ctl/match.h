/* Which services a NAME on sinitctl's command line means; both sides use it.
 *
 * Pure, owns nothing. May call: fnmatch(3), string functions. */
#ifndef SINIT_CTL_MATCH_H
#define SINIT_CTL_MATCH_H

#include <stdbool.h>

/* True if `name` is meant by `pattern`: it is equal, or an instance of it (web means
 * web@1 too), or a shell pattern (fnmatch(3)) that matches. */
bool match_service(const char *pattern, const char *name);

/* True if `pattern` has a character that makes it a shell pattern. */
bool match_is_pattern(const char *pattern);

#endif
