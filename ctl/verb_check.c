/* check: the same as sinit --check, for a directory that no sinit runs with. */
#include "ctl/ctl.h"
#include "init/config.h"
#include "init/options.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHECK_BAD = 78 }; /* EX_CONFIG of sysexits.h, as sinit --check has it */

static void put_line(void *context, const char *line)
{
	out_clean(context, line);
	out_add(context, "\n");
}

int ctl_check(struct ctl *ctl)
{
	struct config_input input = {.environ = environ};
	struct config_errors errors = {0};
	struct image *image = NULL;
	struct out messages;
	struct stat info;
	const char *directory = ctl->argc ? ctl->argv[0] : OPTIONS_DEFAULT_CONFIG;

	/* sinit may do without a directory; whoever names one here means it. */
	if (stat(directory, &info) != 0 || !S_ISDIR(info.st_mode)) {
		ctl_error("%s: no such directory", directory);
		return CTL_USAGE;
	}
	int error = config_load(directory, &input, &errors, &image);
	out_init(&messages, STDERR_FILENO);
	config_errors_write(&errors, put_line, &messages);
	config_warnings_write(&errors, put_line, &messages);
	out_flush(&messages);
	config_errors_free(&errors);
	if (!error) {
		error = config_write_order(image, put_line, ctl->out);
		config_free(image);
	}
	if (error == -ENOMEM) {
		ctl_error("out of memory");
		return CTL_FAILED;
	}
	return error ? CHECK_BAD : CTL_OK;
}
