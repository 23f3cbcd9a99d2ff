#include "ctl/match.h"

#include <fnmatch.h>
#include <string.h>

bool match_is_pattern(const char *pattern)
{
	return strpbrk(pattern, "*?[");
}

bool match_service(const char *pattern, const char *name)
{
	if (match_is_pattern(pattern))
		return fnmatch(pattern, name, 0) == 0;
	size_t length = strlen(pattern);
	return strncmp(pattern, name, length) == 0 &&
	       (name[length] == '\0' || name[length] == '@') && length > 0;
}
