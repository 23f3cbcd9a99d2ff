/* The tree of cgroups at sinit's start and end, and what the kernel says of it meanwhile. */
#include "init/image.h"
#include "init/image_log.h"
#include "init/log.h"
#include "init/sinit.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum {
	GRACE = 1000,     /* ms between the TERM and the KILL of what an earlier sinit left */
	KILL_WAIT = 2000, /* ms for what was killed to be gone */
	PAUSE = 5,        /* ms between looks at what is to go */
	FILES_OF_CAPTURE = 3,
	OWN_FILES = 128,    /* descriptors of sinit's beside those of the slices */
	EVENTS_SIZE = 4096, /* bytes of inotify events read at once */
};

/* A limit that a service has and that cannot be set, CGROUP_LIMITS: there is none. */
static unsigned missing(
    const struct image *image, const struct service_settings *s, uint8_t enabled)
{
	unsigned i = 0;

	while (
	    i < CGROUP_LIMITS && (!image_cgroup(image, s, (enum cgroup_limit)i) ||
				     enabled & 1u << cgroup_limit_controller((enum cgroup_limit)i)))
		i++;
	return i;
}

static bool any_limit(const struct image *image)
{
	for (uint32_t i = 0; i < image->service_count; i++)
		if (missing(image, image_service(image, i), 0) < CGROUP_LIMITS)
			return true;
	return false;
}

static rlim_t captures_of(const struct image *image)
{
	rlim_t count = 0;

	for (uint32_t i = 0; i < image->service_count; i++)
		for (unsigned stream = 0; stream < 2; stream++) {
			struct image_log log;

			image_log(image, image_service(image, i), (enum image_stream)stream, &log);
			count += log.way == WAY_CAPTURED;
		}
	return count;
}

/* Slices cost a descriptor each; captured streams three, in the logger: the pipe, the file and its
 * directory. Services keep the limit that sinit was given. */
static void raise_files(struct sinit *sinit, const struct image *image, bool slices)
{
	rlim_t captures = FILES_OF_CAPTURE * captures_of(image);
	rlim_t own = OWN_FILES + captures + captures / 2; /* some are for a reload */
	rlim_t wanted = own + (slices ? supervisor_capacity(image->service_count) : 0);
	struct rlimit limit, raised;

	sinit->slices_max = sinit->captures_max = 2 * IMAGE_MAX_SERVICES;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	raised = limit;
	raised.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
	if (raised.rlim_cur > limit.rlim_cur && setrlimit(RLIMIT_NOFILE, &raised) == 0)
		sinit->nofile = (struct spawn_limit){
		    .resource = RLIMIT_NOFILE, .soft = limit.rlim_cur, .hard = limit.rlim_max};
	else
		raised = limit;
	if (raised.rlim_cur < wanted)
		sinit->captures_max =
		    raised.rlim_cur > OWN_FILES
			? (uint32_t)(raised.rlim_cur - OWN_FILES) / FILES_OF_CAPTURE
			: 0;
	if (raised.rlim_cur < wanted)
		sinit->slices_max = raised.rlim_cur > 2 * own ? (uint32_t)(raised.rlim_cur - own)
							      : (uint32_t)raised.rlim_cur / 2;
}

struct left {
	const struct image *image;
	int sig;
	bool any; /* somebody was there */
};

static void signal_left(struct cgroup_tree *tree, const char *service, void *context)
{
	struct left *left = context;
	bool known = image_find(left->image, service) != IMAGE_NONE;

	if (!cgroup_tree_left(tree, service, known ? left->sig : 0))
		return;
	if (!known) {
		if (left->sig == SIGTERM)
			log_warning(NULL,
			    "%s/%s.service has processes, and is no service's: left alone",
			    tree->path, service);
		return;
	}
	left->any = true;
	if (left->sig == SIGTERM)
		log_warning(
		    service, "ending the processes that an earlier sinit has left in its cgroup");
}

static bool any_left(struct cgroup_tree *tree, const struct image *image, int sig)
{
	struct left left = {.image = image, .sig = sig};

	cgroup_tree_each(tree, signal_left, &left);
	return left.any;
}

/* False if somebody is left after so many ms. */
static bool wait_gone(struct cgroup_tree *tree, const struct image *image, int64_t ms)
{
	const struct timespec pause = {.tv_nsec = PAUSE * 1000000};
	int64_t end = platform_now() + ms;

	while (any_left(tree, image, 0)) {
		if (platform_now() >= end)
			return false;
		nanosleep(&pause, NULL);
	}
	return true;
}

static void drop(struct cgroup_tree *tree, const char *service, void *context)
{
	(void)context;
	cgroup_tree_drop(tree, service);
}

/* Nothing of an earlier sinit's services meets the new ones. All have the same grace at once;
 * who is in a slice that is no service's any more is left alone. */
static void clear(struct cgroup_tree *tree, const struct image *image)
{
	if (any_left(tree, image, SIGTERM) && !wait_gone(tree, image, GRACE)) {
		any_left(tree, image, SIGKILL);
		if (!wait_gone(tree, image, KILL_WAIT))
			log_error(
			    NULL, "processes that an earlier sinit has left do not end after KILL");
	}
	cgroup_tree_each(tree, drop, NULL);
}

bool cgroups_hold(const struct sinit *sinit, const struct image *image)
{
	const struct cgroup_tree *tree = &sinit->cgroups;
	char buffer[512];
	struct text text;

	for (uint32_t i = 0; i < image->service_count; i++) {
		const struct service_settings *s = image_service(image, i);
		unsigned limit = missing(image, s, tree->enabled);

		if (limit == CGROUP_LIMITS)
			continue;
		text_init(&text, buffer, sizeof(buffer));
		cgroup_tree_explain_controller(
		    tree, cgroup_limit_controller((enum cgroup_limit)limit), &text);
		log_error(image_name(image, i), "cgroups = required, but %s cannot be set: %s",
		    cgroup_limit_key((enum cgroup_limit)limit), text.data);
		return false;
	}
	return true;
}

static bool none(const struct cgroup_tree *tree, const struct image *image, uint32_t use)
{
	char buffer[1024];
	struct text text;

	text_init(&text, buffer, sizeof(buffer));
	cgroup_tree_explain(tree, &text);
	if (use == CGROUPS_REQUIRED)
		log_error(NULL, "cgroups = required, but there are none: %s", text.data);
	else if (use == CGROUPS_AUTO && any_limit(image))
		log_warning(NULL, "no cgroups, services run without their limits: %s", text.data);
	else if (use == CGROUPS_AUTO)
		log_info(NULL, "no cgroups: %s", text.data);
	return use != CGROUPS_REQUIRED;
}

bool cgroups_open(struct sinit *sinit, const struct image *image)
{
	const struct sinit_settings *settings = image_settings(image);
	const char *root = image_string(image, settings->cgroup_root);
	struct cgroup_options options = {.root = root && *root == '/' ? root : NULL,
	    .off = settings->cgroups == CGROUPS_OFF,
	    .pid1 = sinit->mode != MODE_FOREGROUND,
	    .machine = sinit->mode == MODE_BOOT};

	if (cgroup_tree_open(&sinit->cgroups, &options) < 0) {
		raise_files(sinit, image, false);
		return none(&sinit->cgroups, image, settings->cgroups);
	}
	if (settings->cgroups == CGROUPS_REQUIRED && !cgroups_hold(sinit, image))
		return false;
	clear(&sinit->cgroups, image);
	raise_files(sinit, image, true);
	return true;
}

void cgroups_show(struct sinit *sinit)
{
	struct board_header *head = sinit->supervisor.board.head;

	if (sinit->cgroups.root_fd >= 0)
		snprintf(head->cgroup, sizeof(head->cgroup), "%s", sinit->cgroups.path);
}

/* In a child. The helpers are older than the move. */
static int leave_root(void *context)
{
	const struct sinit *sinit = context;
	int rc = cgroup_tree_move(&sinit->cgroups, getppid());

	for (unsigned kind = 0; kind < HELPER_KINDS; kind++)
		if (sinit->helpers.helper[kind].pid)
			cgroup_tree_move(&sinit->cgroups, sinit->helpers.helper[kind].pid);
	if (rc < 0) {
		log_warning(
		    NULL, "moving to the cgroup init: %s; staying in the root", strerror(-rc));
		log_flush();
	}
	return 0;
}

void cgroups_leave_root(struct sinit *sinit)
{
	if (sinit->cgroups.leaf_fd < 0 || platform_fork(leave_root, sinit) < 0)
		return;
	close(sinit->cgroups.leaf_fd);
	sinit->cgroups.leaf_fd = -1;
}

void cgroups_event(struct sinit *sinit)
{
	_Alignas(struct inotify_event) char buffer[EVENTS_SIZE];
	ssize_t size = read(sinit->cgroups.watch_fd, buffer, sizeof(buffer));

	for (ssize_t at = 0; at < size;) {
		const struct inotify_event *event = (const void *)(buffer + at);

		/* An overflow names none: then all may have changed. */
		if (event->mask & (IN_MODIFY | IN_Q_OVERFLOW))
			supervisor_slice_event(&sinit->supervisor, event->wd);
		at += (ssize_t)(sizeof(*event) + event->len);
	}
}

void cgroups_close(struct sinit *sinit)
{
	if (sinit->cgroups.root_fd < 0)
		return;
	cgroup_tree_each(&sinit->cgroups, drop, NULL);
	cgroup_tree_close(&sinit->cgroups);
}
