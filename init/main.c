/* Where sinit begins: reads the command line and chooses between wrapper mode and the
 * supervisor; by another name it is one of PID 1's helpers (probes/helper.h). In wrapper
 * mode nothing of the supervisor is touched and nothing is allocated. */
#include "init/base.h"
#include "init/boot.h"
#include "init/fds.h"
#include "init/options.h"
#include "init/raw_syscall.h"
#include "init/supervisor_main.h"
#include "probes/helpers.h"
#include "reaper/wrapper.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

/* Prints to descriptor 1 or 2. A failure cannot be told to anybody. */
static void print(int fd, const struct text *text)
{
	fds_write_all(fd, text->data, text->used);
}

/* --- Is there a configuration? ------------------------------------------------------ */

static bool is_drop_in(const char *name)
{
	size_t length = strlen(name);

	return length > 4 && strcmp(name + length - 4, ".ini") == 0;
}

/* Whether the directory has a *.ini file. One that is there but cannot be read counts as
 * well: the supervisor will say what is wrong with it. */
static bool has_drop_in(const char *path)
{
	_Alignas(struct directory_entry) char buffer[1024];
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool found = false;
	long count;

	if (fd < 0)
		return errno != ENOENT && errno != ENOTDIR;
	while (!found &&
	       (count = raw_syscall3(SYS_getdents64, fd, (long)buffer, sizeof(buffer))) > 0) {
		for (long at = 0; at < count && !found;) {
			const struct directory_entry *entry = (const void *)(buffer + at);
			found = is_drop_in(entry->name);
			at += entry->length;
		}
	}
	close(fd);
	return found;
}

static bool has_configuration(const char *directory)
{
	char buffer[1024];
	struct text path;

	text_init(&path, buffer, sizeof(buffer));
	text_add(&path, directory);
	size_t length = path.used;
	text_add(&path, "/sinit.ini");
	if (path.cut)
		return true;
	if (access(path.data, F_OK) == 0 || (errno != ENOENT && errno != ENOTDIR))
		return true;
	path.used = length; /* back to the directory */
	text_add(&path, "/conf.d");
	return has_drop_in(path.data);
}

/* --- What is done ------------------------------------------------------------------- */

static int tell(const struct options *options)
{
	char buffer[4096];
	struct text text;

	text_init(&text, buffer, sizeof(buffer));
	if (options->action == ACTION_HELP)
		options_help(options, &text);
	else if (options->action == ACTION_VERSION)
		options_version(options, &text);
	else
		options_license(&text);
	print(options_to_stderr(options) ? STDERR_FILENO : STDOUT_FILENO, &text);
	return EXIT_CODE_OK;
}

static int refuse_nothing(const struct options *options)
{
	char buffer[1024];
	struct text text;

	text_init(&text, buffer, sizeof(buffer));
	text_addf(&text,
	    "%s: nothing to do: there is no %s/sinit.ini, no %s/conf.d/*.ini and no COMMAND; write "
	    "one, name another directory with -c, or give a COMMAND\n",
	    options->name, options->config, options->config);
	print(STDERR_FILENO, &text);
	return EXIT_CODE_CONFIG;
}

static int run(const struct options *options)
{
	bool plain = options->personality != PERSONALITY_SINIT;

	if (options->action == ACTION_CHECK || options->action == ACTION_PRINT_DEFAULTS)
		return supervisor_main(options, NULL);
	if (options->action != ACTION_RUN)
		return tell(options);
	if (!plain && has_configuration(options->config))
		return supervisor_main(options, NULL);
	if (!options->command)
		return refuse_nothing(options);
	return wrapper_run(&options->wrapper, options->command);
}

static const char *lookup(const char *name)
{
	return getenv(name);
}

/* In a function of its own: its buffer is not on the stack while the command runs. */
static __attribute__((noinline)) int parse(char **argv, struct options *ret_options)
{
	char buffer[4096];
	struct text error;

	text_init(&error, buffer, sizeof(buffer));
	if (options_parse(argv, lookup, ret_options, &error) == 0)
		return 0;
	text_add(&error, "\n");
	print(STDERR_FILENO, &error);
	return options_usage_code(options_personality(argv[0]));
}

int main(int argc, char **argv)
{
	struct options options;

	(void)argc;
	fds_fill_standard();
	helper_main *helper = helper_find(argv[0]);
	if (helper)
		return helper(argv);
	if (strcmp(argv[0] ? argv[0] : "", EMERGENCY_NAME) == 0)
		return emergency_main(argv);
	if (boot_is_ours())
		boot_main(argv);
	int code = parse(argv, &options);
	return code != 0 ? code : run(&options);
}
