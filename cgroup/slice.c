#include "cgroup/slice.h"

#include "cgroup/files.h"
#include "cgroup/reading.h"
#include "cgroup/tree.h"
#include "init/raw_syscall.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	DEPTH_MAX = 64, /* cgroups below a slice that are looked into */
	TEXT = 4096,    /* bytes of a file that are read at once */
	NAME = 80, /* "NAME.service" with NUL: a service's name has at most 63 + 1 + 10 bytes */
};

/* --- Files -------------------------------------------------------------------------------- */

static bool is_dots(const char *name)
{
	return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

typedef void below_visit(int dirfd, const char *name, void *context);

/* Calls `what` for each directory directly below. Without opendir(3), which allocates; the
 * records are getdents64(2)'s. */
static void each_below(int dirfd, below_visit *what, void *context)
{
	_Alignas(8) char buffer[1024];
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	long count;

	if (fd < 0)
		return;
	while ((count = raw_syscall3(SYS_getdents64, fd, (long)buffer, sizeof(buffer))) > 0)
		for (long at = 0; at < count;) {
			uint16_t length; /* behind the inode and the offset; then type and name */

			memcpy(&length, buffer + at + 16, sizeof(length));
			const char *name = buffer + at + 19;
			if (buffer[at + 18] == DT_DIR && !is_dots(name))
				what(dirfd, name, context);
			at += length;
		}
	close(fd);
}

/* --- The directory ------------------------------------------------------------------------ */

static void slice_name(char ret[static NAME], const char *service)
{
	snprintf(ret, NAME, "%s" SLICE_SUFFIX, service);
}

/* An inotify watch goes by path. -1: there is none, and emptiness is asked for. */
static int watch(const struct cgroup_tree *tree, const char *name, const char *file)
{
	char path[CGROUP_PATH + NAME + 32];

	if (tree->watch_fd < 0)
		return -1;
	snprintf(path, sizeof(path), "%s/%s/%s", tree->path, name, file);
	return inotify_add_watch(tree->watch_fd, path, IN_MODIFY);
}

int slice_open(struct cgroup_tree *tree, const char *service, struct slice *ret)
{
	char name[NAME];
	bool made;
	int fd;

	if (tree->root_fd < 0)
		return -ENOTSUP;
	slice_name(name, service);
	made = mkdirat(tree->root_fd, name, 0755) == 0;
	if (!made && errno != EEXIST)
		return -errno;
	fd = cgroup_directory(tree->root_fd, name);
	if (fd < 0)
		return -errno;
	*ret = (struct slice){.fd = fd,
	    .killed = !made,
	    .events_wd = -1,
	    .memory_wd =
		tree->enabled & 1u << CGROUP_MEMORY ? watch(tree, name, "memory.events") : -1};
	return 0;
}

bool slice_watch(struct cgroup_tree *tree, const char *service, struct slice *slice)
{
	char name[NAME];

	if (slice->events_wd >= 0)
		return false;
	slice_name(name, service);
	slice->events_wd = watch(tree, name, "cgroup.events");
	return slice->events_wd >= 0;
}

struct removal {
	int depth;
};

static void remove_below(int dirfd, const char *name, void *context)
{
	struct removal *removal = context, below = {removal->depth + 1};
	int fd = below.depth < DEPTH_MAX ? cgroup_directory(dirfd, name) : -1;

	if (fd >= 0) {
		each_below(fd, remove_below, &below);
		close(fd);
	}
	unlinkat(dirfd, name, AT_REMOVEDIR);
}

void slice_tidy(struct slice *slice)
{
	struct removal top = {0};

	slice_freeze(slice, false);
	each_below(slice->fd, remove_below, &top);
	cgroup_take_back(slice->fd);
}

int slice_leaf(const struct slice *slice)
{
	int fd;

	if (mkdirat(slice->fd, SLICE_LEAF, 0755) < 0 && errno != EEXIST)
		return -errno;
	fd = cgroup_directory(slice->fd, SLICE_LEAF);
	return fd < 0 ? -errno : fd;
}

void slice_close_leaf(int fd)
{
	close(fd);
}

int slice_remove(struct cgroup_tree *tree, const char *service, struct slice *slice)
{
	struct removal top = {0};
	char name[NAME];
	int error = 0;

	slice_name(name, service);
	if (unlinkat(tree->root_fd, name, AT_REMOVEDIR) < 0) {
		each_below(slice->fd, remove_below, &top);
		error = unlinkat(tree->root_fd, name, AT_REMOVEDIR) < 0 ? -errno : 0;
	}
	/* They do not go with the directory: each would keep its file in the kernel's memory. */
	if (slice->events_wd >= 0)
		inotify_rm_watch(tree->watch_fd, slice->events_wd);
	if (slice->memory_wd >= 0)
		inotify_rm_watch(tree->watch_fd, slice->memory_wd);
	close(slice->fd);
	*slice = (struct slice){.fd = -1, .events_wd = -1, .memory_wd = -1};
	return error == -ENOENT ? 0 : error;
}

/* --- Processes ------------------------------------------------------------------------------ */

/* "populated 1": processes in it or below it. Where that cannot be read (no descriptors), there
 * may be some; where the slice has been removed, there are none. */
static bool is_populated(int dirfd)
{
	char text[256];
	uint64_t populated;
	int error = cgroup_read(dirfd, "cgroup.events", text, sizeof(text));

	if (error)
		return error != -ENOENT && error != -ENODEV;
	return !reading_keyed(text, "populated", &populated) || populated;
}

static void signal_listed(char *text, int sig)
{
	pid_t self = getpid();

	for (char *at = text; *at; at += *at == '\n') {
		long pid = strtol(at, &at, 10);

		/* 0: one of another PID namespace, which kill(2)
		 * would take for all of our group. */
		if (pid > 1 && pid != self)
			kill((pid_t)pid, sig);
		at += strcspn(at, "\n");
	}
}

struct order {
	int sig, depth;
};

static below_visit signal_below;

/* Signals those in the directory and below it. The file is read whole lines at a time: the
 * kernel gives a list, which a signal does not change under us. */
static void signal_here(int dirfd, const struct order *order)
{
	char text[TEXT];
	int fd = openat(dirfd, "cgroup.procs", O_RDONLY | O_CLOEXEC);
	size_t kept = 0;
	ssize_t count;

	while (fd >= 0 && (count = read(fd, text + kept, sizeof(text) - kept - 1)) > 0) {
		size_t all = kept + (size_t)count;
		text[all] = '\0';
		char *end = strrchr(text, '\n');
		if (!end)
			break;
		*end = '\0';
		signal_listed(text, order->sig);
		kept = all - (size_t)(end + 1 - text);
		memmove(text, end + 1, kept);
	}
	if (fd >= 0)
		close(fd);
	if (order->depth < DEPTH_MAX)
		each_below(dirfd, signal_below, &(struct order){order->sig, order->depth + 1});
}

static void signal_below(int dirfd, const char *name, void *context)
{
	int fd = cgroup_directory(dirfd, name);

	if (fd >= 0) {
		signal_here(fd, context);
		close(fd);
	}
}

int slice_freeze(const struct slice *slice, bool frozen)
{
	return cgroup_write(slice->fd, "cgroup.freeze", frozen ? "1" : "0");
}

bool slice_frozen(const struct slice *slice)
{
	return cgroup_read_number(slice->fd, "cgroup.freeze") == 1;
}

/* For a kernel without cgroup.kill. Frozen ones that are killed die at once
 * (cgroup-v2.rst); who was forking meanwhile is met by the next KILL. */
static void kill_frozen(const struct slice *slice)
{
	slice_freeze(slice, true);
	signal_here(slice->fd, &(struct order){SIGKILL, 0});
	slice_freeze(slice, false);
}

bool slice_signal(struct slice *slice, int sig)
{
	if (!is_populated(slice->fd))
		return false;
	if (sig == 0)
		return true;
	if (sig != SIGKILL)
		signal_here(slice->fd, &(struct order){sig, 0});
	else if (cgroup_write(slice->fd, "cgroup.kill", "1") == 0)
		slice->killed = true;
	else
		kill_frozen(slice);
	return true;
}
