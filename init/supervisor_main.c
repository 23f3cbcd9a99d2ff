/* Service mode: sets everything up, runs the loop, and takes it down again. */
#include "init/supervisor_main.h"
#include "init/boot.h"
#include "init/config.h"
#include "init/log.h"
#include "init/sinit.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

enum { PATIENCE = 3000 }; /* ms for a standard error that takes nothing */

static void print_line(void *context, const char *line)
{
	dprintf(*(int *)context, "%s\n", line);
}

/* A line for a standard error that may be a pipe which nobody reads: PID 1 waits for it, but
 * not for ever (all in all until `until`, CLOCK_MONOTONIC ms). Up to PIPE_BUF bytes go in
 * whole once there is room, pipe(7). */
struct patient {
	int fd;
	int64_t until;
};

static void print_patiently(void *context, const char *line)
{
	const struct patient *patient = context;
	struct pollfd out = {.fd = patient->fd, .events = POLLOUT};
	int64_t left = patient->until - platform_now();

	if (poll(&out, 1, left > 0 ? (int)left : 0) > 0)
		dprintf(patient->fd, "%.*s\n", PIPE_BUF - 1, line);
}

static void print_piece(void *context, const char *piece)
{
	dprintf(*(int *)context, "%s", piece);
}

static void log_line(void *context, const char *line)
{
	(void)context;
	log_warning(NULL, "%s", line);
}

static void log_fault(void *context, const char *line)
{
	(void)context;
	log_error(NULL, "%s", line);
	log_flush();
}

/* --check: every error, or the order of starting. */
static int check(const struct options *options)
{
	struct config_errors errors = {0};
	struct config_input input = {.environ = environ, .main_argv = options->command};
	struct image *image;
	int out = STDOUT_FILENO, err = STDERR_FILENO;
	int rc = config_load(options->config, &input, &errors, &image);

	config_warnings_write(&errors, print_line, &err);
	if (rc < 0) {
		config_errors_write(&errors, print_line, &err);
		if (rc != -EINVAL)
			dprintf(err, "sinit: %s: %s\n", options->config, strerror(-rc));
		return EXIT_CODE_CONFIG;
	}
	config_write_order(image, print_line, &out);
	config_free(image);
	config_errors_free(&errors);
	return EXIT_CODE_OK;
}

void sinit_open_log(const struct sinit *sinit, const struct image *image)
{
	const struct sinit_settings *settings = image_settings(image);
	const char *target = image_string(image, settings->log_target);
	int rc;

	if (!sinit->boot || !sinit->boot->cmdline.debug)
		log_set_level((enum log_level)settings->log_level);
	/* Where nobody would see it the kernel keeps it. */
	if (sinit->boot && !sinit->boot->console && (!target || !strcmp(target, "stderr")))
		target = "kmsg";
	rc = log_open(target ? target : "stderr", (enum log_format)settings->log_format);
	if (rc == 0)
		return;
	log_open("stderr", (enum log_format)settings->log_format);
	log_warning(NULL, "log_target %s: %s; messages go to stderr", target, strerror(-rc));
}

/* Every signal is read from a descriptor (those of sinit's own crashes never come to it); services
 * get an empty mask of their own. The dispositions are the defaults, so that SIGCHLD is not ignored
 * (then there would be no exit status to have, waitpid(2)). */
static int open_signals(struct sinit *sinit)
{
	sigset_t all;

	sigfillset(&all);
	sinit->signal_fd = signalfd(-1, &all, SFD_NONBLOCK | SFD_CLOEXEC);
	sinit->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	return sinit->signal_fd < 0 || sinit->epoll_fd < 0 ? -errno : 0;
}

static void block_signals(const struct boot *boot)
{
	sigset_t all;

	sigfillset(&all);
	if (boot)
		emergency_spare(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	signal(SIGCHLD, SIG_DFL);
}

/* Both directories are named again later, from another working directory. */
static const char *make_absolute(
    const struct sinit *sinit, const char *path, char *buffer, size_t size)
{
	struct text text;

	if (path[0] == '/' || !sinit->directory[0])
		return path;
	text_init(&text, buffer, size);
	text_addf(&text, "%s/%s", sinit->directory, path);
	return text.cut ? path : buffer;
}

/* The errors are for whoever looks at the console, and for the log where that is another place. */
static int start_machine(
    struct sinit *sinit, const struct image *image, struct config_errors *errors)
{
	const char *target = image_string(image, image_settings(image)->log_target);

	config_errors_write(errors, log_fault, NULL);
	if (errors->errors.count)
		log_error(NULL,
		    "what has errors is left out; sinit.single on the kernel's command line "
		    "gives a shell, if there is no other way in");
	boot_configured(sinit, image);
	if (target && strcmp(target, "stderr") != 0)
		config_errors_write(errors, log_fault, NULL);
	config_warnings_write(errors, log_line, NULL);
	config_errors_free(errors);
	return 0;
}

static int load(struct sinit *sinit, struct image **ret)
{
	struct config_errors errors = {0};
	struct config_input input = {.environ = environ,
	    .main_argv = sinit->options.command,
	    .flags = sinit->boot ? CONFIG_TOLERANT | CONFIG_MACHINE : 0};
	struct patient err = {STDERR_FILENO, platform_now() + PATIENCE};
	char reason[256];
	int rc;

	rc = config_load(sinit->options.config, &input, &errors, ret);
	if (sinit->boot && rc == 0)
		return start_machine(sinit, *ret, &errors);
	config_errors_write(&errors, print_patiently, &err);
	if (rc < 0) {
		snprintf(
		    reason, sizeof(reason), "sinit: %s: %s", sinit->options.config, strerror(-rc));
		if (rc != -EINVAL)
			print_patiently(&err, reason);
		config_errors_free(&errors);
		return rc;
	}
	sinit_open_log(sinit, *ret);
	config_warnings_write(&errors, log_line, NULL);
	config_errors_free(&errors);
	return 0;
}

/* A copy, since a reload gives the image back. The directory stays the same until the next
 * start: what it remembers would be forgotten in between. NULL: none. */
static const char *copy_state_dir(const struct image *image)
{
	const char *path = image_string(image, image_settings(image)->state_dir);

	return path ? strdup(path) : NULL;
}

/* The exit code; anything but EXIT_CODE_OK: sinit cannot start. */
static int set_up(struct sinit *sinit, struct image *image)
{
	struct supervisor_input input = {.image = image,
	    .image_size = image->size,
	    .environ = environ,
	    .state_dir = copy_state_dir(image),
	    .uid = getuid(),
	    .gid = getgid(),
	    .mode = sinit->mode,
	    .began = sinit->began,
	    .main_directory = sinit->directory[0] ? sinit->directory : NULL};
	int rc;

	if (sinit->mode == MODE_FOREGROUND && prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)
		log_info(NULL, "not PID 1: running in the foreground, as subreaper");
	if (rundir_take(sinit) < 0)
		return EXIT_CODE_INTERNAL;
	/* First, so that sinit's own children are born beside it. */
	if (!cgroups_open(sinit, image))
		return EXIT_CODE_CONFIG;
	input.cgroups = &sinit->cgroups;
	input.nofile = sinit->nofile;
	input.slices_max = sinit->slices_max;
	input.captures_max = sinit->captures_max;
	helpers_prepare(sinit, image);
	input.rundir = sinit->rundir_fd;
	input.notify = sinit->helpers.notify[0] ? sinit->helpers.notify : NULL;
	input.stats = sinit->helpers.stats;
	rc = supervisor_new(&sinit->supervisor, &input);
	if (rc == 0)
		rc = open_signals(sinit);
	if (rc < 0) {
		log_error(NULL, "cannot start: %s", strerror(-rc));
		return EXIT_CODE_INTERNAL;
	}
	cgroups_show(sinit);
	rundir_control(sinit);
	helpers_configure(sinit);
	return EXIT_CODE_OK;
}

/* The services from the first to the last. */
static void run(struct sinit *sinit)
{
	struct supervisor *sv = &sinit->supervisor;

	/* First, so that they see the services start. */
	helpers_turn(sinit);
	devices_settle(sinit);
	if (sinit->boot && sinit->boot->cmdline.single)
		supervisor_start_single(sv);
	else
		supervisor_start(sv);
	loop_run(sinit);
	helpers_close(sinit);
	loop_end_all(sinit);
	cgroups_close(sinit);
	control_close(&sinit->control);
	atomic_store(&sv->board.head->phase, PHASE_GONE);
}

int supervisor_main(const struct options *options, const struct boot *boot)
{
	static struct sinit sinit;
	struct image *image;
	int out = STDOUT_FILENO, code;

	if (options->action == ACTION_CHECK)
		return check(options);
	if (options->action == ACTION_PRINT_DEFAULTS) {
		schema_write_defaults(print_piece, &out);
		return EXIT_CODE_OK;
	}
	sinit.began = boot ? boot->began : platform_now_us();
	sinit.options = *options;
	sinit.reload.image_fd = sinit.reload.messages_fd = -1;
	sinit.boot = boot;
	block_signals(boot);
	sinit.mode = boot ? MODE_BOOT : platform_is_pid1() ? MODE_CONTAINER : MODE_FOREGROUND;
	if (!getcwd(sinit.directory, sizeof(sinit.directory)))
		sinit.directory[0] = '\0';
	sinit.options.config =
	    make_absolute(&sinit, options->config, sinit.config_path, sizeof(sinit.config_path));
	sinit.options.run_dir =
	    make_absolute(&sinit, options->run_dir, sinit.run_path, sizeof(sinit.run_path));
	if (load(&sinit, &image) < 0)
		return EXIT_CODE_CONFIG;
	code = set_up(&sinit, image);
	if (code != EXIT_CODE_OK) {
		watchdog_close(&sinit.watchdog); /* somebody is to have the time to put it right */
		log_flush();
		return code;
	}
	/* sinit keeps no directory busy. */
	if (chdir("/") < 0)
		log_warning(NULL, "cannot change to /: %s", strerror(errno));
	if (image->service_count == 0)
		log_warning(NULL, "no service is configured in %s: waiting for a reload",
		    sinit.options.config);
	run(&sinit);
	if (boot)
		boot_end(&sinit);
	log_info(NULL, "stopped, exit code %d", sinit.supervisor.exit_code);
	loop_last_lines(&sinit);
	return sinit.supervisor.exit_code;
}
