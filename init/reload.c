/* Reload: a child reads the configuration, since that allocates, and may meet a file system
 * that hangs or text that nobody has checked; PID 1 takes the finished image from a memfd. */
#include "init/config.h"
#include "init/fds.h"
#include "init/log.h"
#include "init/sinit.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	PATIENCE = 30000, /* ms for reading the configuration */
	MESSAGE = 1024,
	LOGGED = 8, /* errors that go into the log */
};

struct messages {
	int fd;
	const char *kind;
};

static void write_message(void *context, const char *line)
{
	const struct messages *messages = context;
	char buffer[MESSAGE + 64];
	struct text text;

	text_init(&text, buffer, sizeof(buffer) - 2);
	text_addf(&text, "{\"%s\":", messages->kind);
	text_json(&text, line);
	if (text.cut)
		return;
	strcpy(text.data + text.used, "}\n");
	fds_write_all(messages->fd, text.data, text.used + 2);
}

/* In the child. */
static int load(void *context)
{
	struct sinit *sinit = context;
	struct config_errors errors = {0};
	struct config_input input = {.environ = sinit->supervisor.environ,
	    .main_argv = sinit->options.command,
	    .flags = sinit->mode == MODE_BOOT ? CONFIG_MACHINE : 0};
	struct messages sink = {.fd = sinit->reload.messages_fd, .kind = "error"};
	struct image *image;
	int rc;

	cgroup_tree_forget(
	    &sinit->cgroups); /* else its lock would outlive a sinit that is killed */
	rc = config_load(sinit->options.config, &input, &errors, &image);
	config_errors_write(&errors, write_message, &sink);
	sink.kind = "warning";
	config_warnings_write(&errors, write_message, &sink);
	if (rc == -EINVAL)
		return EXIT_CODE_CONFIG;
	if (rc == 0 && image->service_count == 0) {
		sink.kind = "error";
		write_message(
		    &sink, "no service is configured any more; sinitctl shutdown stops all");
		return EXIT_CODE_CONFIG;
	}
	if (rc < 0 || fds_write_all(sinit->reload.image_fd, image, image->size) < 0)
		return EXIT_CODE_INTERNAL;
	return EXIT_CODE_OK;
}

static void close_both(struct reload *reload)
{
	if (reload->image_fd >= 0)
		close(reload->image_fd);
	if (reload->messages_fd >= 0)
		close(reload->messages_fd);
	reload->image_fd = reload->messages_fd = -1;
}

int reload_start(struct sinit *sinit)
{
	struct reload *reload = &sinit->reload;
	struct supervisor *sv = &sinit->supervisor;
	pid_t pid;

	if (sv->stopping)
		return -ESHUTDOWN;
	if (reload->image_fd >= 0) {
		reload->again = true;
		return 0;
	}
	reload->image_fd = memfd_create("sinit-image", MFD_CLOEXEC);
	reload->messages_fd = memfd_create("sinit-messages", MFD_CLOEXEC);
	if (reload->image_fd < 0 || reload->messages_fd < 0) {
		int error = -errno;

		close_both(reload);
		return error;
	}
	pid = platform_fork(load, sinit);
	if (pid < 0) {
		close_both(reload);
		return pid;
	}
	pidmap_put(&sv->pids, pid, 0, PID_LOADER);
	sv->loader = pid;
	sv->loader_done = false;
	reload->deadline = sv->now + PATIENCE;
	return 0;
}

void reload_give_up(struct sinit *sinit)
{
	log_error(NULL,
	    "reload: reading %s takes more than %d s (a file system that hangs?); given up, the "
	    "old configuration stays",
	    sinit->options.config, PATIENCE / 1000);
	sinit->reload.deadline = 0;
	if (sinit->supervisor.loader)
		platform_kill(sinit->supervisor.loader, SIGKILL);
}

/* The child's image in our memory, checked; it is as untrusted as what it was made from. */
static int map_image(int fd, struct image **ret, size_t *ret_size)
{
	struct stat st;
	void *map;
	int rc;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size < (off_t)sizeof(struct image))
		return -EINVAL;
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	rc = image_check(map, (size_t)st.st_size);
	if (rc < 0) {
		munmap(map, (size_t)st.st_size);
		return rc;
	}
	*ret = map;
	*ret_size = (size_t)st.st_size;
	return 0;
}

static const char *refusal(int rc)
{
	switch (rc) {
	case -EBUSY:
		return "services of earlier configurations are still being stopped; try again";
	case -ENOSPC:
		return "there are more new services than a running sinit has room for; restart it";
	default:
		return strerror(-rc);
	}
}

/* Takes the image over. NULL, or why not. */
static const char *take_over(struct sinit *sinit, struct reload_counts *counts)
{
	struct supervisor *sv = &sinit->supervisor;
	struct image *image = NULL;
	size_t size = 0;
	bool same, same_devices;
	int rc;

	if (sv->loader_status.kind != EXIT_EXITED || sv->loader_status.code == EXIT_CODE_INTERNAL)
		return "the configuration could not be read to its end";
	if (sv->loader_status.code)
		return "the configuration has errors; the old one stays";
	rc = map_image(sinit->reload.image_fd, &image, &size);
	if (rc < 0)
		return refusal(rc);
	if (sv->cgroups_required && !cgroups_hold(sinit, image)) {
		munmap(image, size);
		return "a limit cannot be set, and cgroups = required; the old configuration stays";
	}
	same = image_settings_equal(sv->set[sv->current].image, image);
	same_devices = image_devices_equal(sv->set[sv->current].image, image);
	rc = supervisor_adopt(sv, image, size, counts);
	if (rc < 0) {
		munmap(image, size);
		return refusal(rc);
	}
	if (!same_devices)
		helpers_devices_changed(sinit);
	if (!same)
		sinit_open_log(sinit, image);
	helpers_configure(sinit);
	if (!same) {
		log_info(NULL,
		    "reload: [sinit] has changed: log_* and shutdown_timeout hold from now "
		    "on, the rest from the next start of sinit");
	}
	return NULL;
}

/* {"error":"..."} is for programs; in the log it is read by people. */
static void log_message(char *line)
{
	char *text = strstr(line, "\":\""), *end;

	text = text ? text + 3 : line;
	end = strrchr(text, '"');
	if (end)
		*end = '\0';
	log_error(NULL, "reload: %s", text);
}

/* The first ones; whoever asked with sinitctl gets them all. */
static void log_messages(int fd)
{
	char line[MESSAGE + 64];
	off_t at = 0;
	ssize_t count;

	for (unsigned n = 0; n < LOGGED && (count = pread(fd, line, sizeof(line) - 1, at)) > 0;
	     n++) {
		line[count] = '\0';
		line[strcspn(line, "\n")] = '\0';
		at += (off_t)strlen(line) + 1;
		log_message(line);
	}
	if (at && pread(fd, line, 1, at) > 0)
		log_error(NULL, "reload: there are more errors; sinitctl reload tells them all");
}

void reload_finish(struct sinit *sinit)
{
	struct supervisor *sv = &sinit->supervisor;
	struct reload *reload = &sinit->reload;
	struct reload_counts counts = {0};
	const char *error = take_over(sinit, &counts);
	struct board_event event = {.kind = error ? EV_CONFIG : EV_RELOAD,
	    .value = counts.added + counts.removed + counts.restarted + counts.changed,
	    .blocker = -1};

	sv->loader_done = false;
	if (sv->stopping) {
		log_info(NULL, "reload: dropped, sinit is stopping");
		control_answer_reload(&sinit->control, reload->messages_fd, "sinit is stopping");
		helpers_reloaded(sinit, "sinit is stopping");
		close_both(reload);
		return;
	}
	board_event(&sv->board, &event, platform_wall());
	if (error) {
		atomic_fetch_add(&sv->board.head->reload_errors, 1);
		log_messages(reload->messages_fd);
		log_error(NULL, "reload: %s", error);
	} else {
		atomic_fetch_add(&sv->board.head->reloads, 1);
		log_info(NULL,
		    "reload: %u added, %u removed, %u restarted, %u changed in place, %u as before",
		    counts.added, counts.removed, counts.restarted, counts.changed, counts.same);
	}
	control_answer_reload(&sinit->control, reload->messages_fd, error);
	helpers_reloaded(sinit, error);
	close_both(reload);
	if (reload->again) {
		reload->again = false;
		reload_start(sinit);
	}
}
