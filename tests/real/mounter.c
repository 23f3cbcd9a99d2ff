/* Calls one of the functions of boot mode as sinit would, in the world that it is started in;
 * prints what they report, a line "LEVEL: TEXT" each, and at the end "= RESULT".
 *     mounter early | configured | end | restore DIR | save DIR */
#include "init/mounts.h"
#include "init/seed.h"

#include <stdio.h>
#include <string.h>

static void tell(void *context, enum log_level level, const char *line)
{
	static const char *const names[] = {"debug", "info", "warning", "error"};

	(void)context;
	printf("%s: %s\n", names[level], line);
	fflush(stdout);
}

int main(int count, char **words)
{
	const struct report report = {tell, NULL};
	const char *what = count > 1 ? words[1] : "";
	int result = 0;

	if (strcmp(what, "early") == 0) {
		char buffer[4096];
		struct text faults;

		text_init(&faults, buffer, sizeof(buffer));
		mounts_early(&faults);
		fputs(faults.data, stdout);
#ifndef EARLY_ONLY
	} else if (strcmp(what, "configured") == 0) {
		mounts_configured(&report);
	} else if (strcmp(what, "end") == 0) {
		result = mounts_end(&report);
	} else if (strcmp(what, "restore") == 0 && count == 3) {
		seed_restore(words[2], &report);
	} else if (strcmp(what, "save") == 0 && count == 3) {
		seed_save(words[2], &report);
#endif
	} else {
		return 2;
	}
	printf("= %d\n", result);
	return 0;
}
