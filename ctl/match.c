#include "ctl/match.h"

#include <fnmatch.h>
#include <stddef.h>

bool match_is_pattern(const char *pattern)
{
	for (; *pattern; pattern++)
		if (*pattern == '*' || *pattern == '?' || *pattern == '[')
			return true;
	return false;
}

/* Called for each name of a thousand: most differ early, and no name has a character of a
 * pattern in it. */
bool match_service(const char *pattern, const char *name)
{
	size_t same = 0;

	while (pattern[same] && pattern[same] == name[same])
		same++;
	if (!pattern[same])
		return same > 0 && (name[same] == '\0' || name[same] == '@');
	return match_is_pattern(pattern + same) && fnmatch(pattern, name, 0) == 0;
}
