/* The end of all file systems. */
#include "init/fstab.h"
#include "init/mountinfo.h"
#include "init/mounts.h"
#include "init/path.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/swap.h>
#include <unistd.h>

#define MOUNT_LIST "/proc/self/mountinfo"

enum {
	LIST_SIZE = 256 << 10, /* bytes of mountinfo looked at together: about 2,000 mounts */
	ROUNDS = 32,           /* a bound only: a round that gets rid of nothing is the last one */
	LOOPS = 256,           /* loop devices looked for */
};

/* Bits, since a walk may be about several. */
enum kind {
	STAYS = 1,   /* the kernel's own, and a root that is no more than memory */
	ROOT = 2,    /* made read-only */
	MEMORY = 4,  /* goes if it can; nothing is lost if not */
	LOCAL = 8,   /* on a disk */
	NETWORK = 16 /* on another machine, which may be gone */
};

/* What one walk over the mounts does to each of the wanted kinds. */
struct walk {
	const struct report *report;
	unsigned kinds;
	int (*step)(const struct mountinfo *mount, const struct report *report); /* 1: counts */
};

static bool is_below(const char *path, const char *top)
{
	size_t length = strlen(top);

	return strncmp(path, top, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

static enum kind kind_of(const struct mountinfo *mount)
{
	if (mountinfo_in_memory(mount->type) &&
	    (is_below(mount->target, "/proc") || is_below(mount->target, "/sys") ||
		is_below(mount->target, "/dev")))
		return STAYS;
	if (strcmp(mount->target, "/") == 0)
		return mountinfo_in_memory(mount->type) ? STAYS : ROOT;
	if (mountinfo_in_memory(mount->type))
		return MEMORY;
	return fstab_is_network(mount->type) ? NETWORK : LOCAL;
}

/* The end of the list, if it does not fit: what was mounted last goes first, and then there is
 * room for the others. Only whole lines. */
static size_t read_list(char *list, size_t size)
{
	int fd = open(MOUNT_LIST, O_RDONLY | O_CLOEXEC);
	size_t used = 0;
	ssize_t count;

	if (fd < 0)
		return 0;
	while ((count = read(fd, list + used, size - used - 1)) > 0) {
		used += (size_t)count;
		if (used < size - 1)
			continue;
		char *half = memchr(list + size / 2, '\n', used - size / 2);
		if (!half)
			break;
		used -= (size_t)(half + 1 - list);
		memmove(list, half + 1, used);
	}
	close(fd);
	list[used] = '\0';
	return used;
}

/* Calls the step for each mount of these kinds, the last one first. How many counted. */
static int walk_mounts(const struct walk *walk)
{
	char list[LIST_SIZE];
	size_t end = read_list(list, sizeof(list));
	int done = 0;

	while (end > 0) {
		struct mountinfo mount;
		size_t begin = end - (list[end - 1] == '\n');

		list[begin] = '\0';
		while (begin > 0 && list[begin - 1] != '\n')
			begin--;
		if (mountinfo_parse(list + begin, &mount) == 0 && kind_of(&mount) & walk->kinds)
			done += walk->step(&mount, walk->report);
		end = begin;
	}
	return done;
}

static unsigned long flags_of(const char *options)
{
	struct fstab_options result;
	char rest[1];
	struct text ignored;

	text_init(&ignored, rest, sizeof(rest));
	fstab_options(options, &result, &ignored);
	return result.flags;
}

/* The file system as a whole, wherever it is mounted; this mount keeps its options. */
static int make_read_only(const struct mountinfo *info)
{
	unsigned long flags = MS_REMOUNT | MS_RDONLY | flags_of(info->options);

	if (flags_of(info->super_options) & MS_RDONLY)
		return 0;
	return mount(NULL, info->target, NULL, flags, NULL);
}

/* Read-only first, if it can be: a file system outlives its last mount as long as something else
 * needs it, as an overlay does its layers, and nobody would write its end to the disk. */
static int step_unmount(const struct mountinfo *info, const struct report *report)
{
	(void)report;
	if (kind_of(info) == LOCAL)
		(void)make_read_only(info);
	return umount2(info->target, UMOUNT_NOFOLLOW) == 0;
}

static int step_force(const struct mountinfo *info, const struct report *report)
{
	if (umount2(info->target, MNT_FORCE | UMOUNT_NOFOLLOW) == 0 ||
	    umount2(info->target, MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
		return 1;
	report_line(report, LOG_LEVEL_WARNING, "%s (%s on %s) cannot be unmounted: %s",
	    info->target, info->type, info->source, strerror(errno));
	return 0;
}

static void sync_one(const char *target)
{
	int fd = open(target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0) {
		syncfs(fd);
		close(fd);
	}
}

/* Counts those that stay writable. No MNT_DETACH for what is on a disk: it would only be out of
 * sight, and as writable as before. */
static int step_read_only(const struct mountinfo *info, const struct report *report)
{
	if (make_read_only(info) < 0) {
		report_line(report, LOG_LEVEL_WARNING, "%s (%s on %s) stays writable: %s",
		    info->target, info->type, info->source, strerror(errno));
		sync_one(info->target);
		return 1;
	}
	if (strcmp(info->target, "/") != 0)
		report_line(report, LOG_LEVEL_INFO, "%s (%s on %s) is in use: it is read-only now",
		    info->target, info->type, info->source);
	return 0;
}

/* As long as a round gets rid of one: what was busy may have been below that. */
static void unmount_rounds(const struct report *report, unsigned kinds)
{
	const struct walk walk = {report, kinds, step_unmount};

	for (int round = 0; round < ROUNDS && walk_mounts(&walk) > 0; round++)
		;
}

/* Detaches what is attached. One that is still mounted goes when its mount does. */
static int detach_loops(void)
{
	char path[64];
	int done = 0;

	for (int i = 0; i < LOOPS; i++) {
		snprintf(path, sizeof(path), "/sys/block/loop%d/loop/backing_file", i);
		if (access(path, F_OK) < 0)
			continue;
		snprintf(path, sizeof(path), "/dev/loop%d", i);
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		done += ioctl(fd, LOOP_CLR_FD) == 0;
		close(fd);
	}
	return done;
}

/* Lines of /proc/swaps after its first are "PATH TYPE ...", the path with octal escapes. With
 * a report what cannot be switched off is told. */
static void swap_off(const struct report *report)
{
	char list[4096];

	if (path_read_text("/proc/swaps", list, sizeof(list)) < 0)
		return;
	for (char *line = strchr(list, '\n'); line && line[1];) {
		char *path = line + 1;

		line = strchr(path, '\n');
		path[strcspn(path, " \t\n")] = '\0';
		mountinfo_unescape(path);
		if (swapoff(path) < 0 && report)
			report_line(report, LOG_LEVEL_WARNING,
			    "swap on %s cannot be switched off: %s", path, strerror(errno));
	}
}

/* Without /proc nobody knows what is mounted; the root is there in any case. */
static int end_blindly(const struct report *report)
{
	report_line(report, LOG_LEVEL_WARNING, MOUNT_LIST ": %s: only / is made read-only",
	    strerror(errno));
	sync();
	return mount(NULL, "/", NULL, MS_REMOUNT | MS_RDONLY, NULL) < 0;
}

int mounts_end(const struct report *report)
{
	const struct walk network = {report, NETWORK, step_force};
	const struct walk read_only = {report, LOCAL, step_read_only};
	const struct walk root = {report, ROOT, step_read_only};

	if (chdir("/") < 0 || access(MOUNT_LIST, R_OK) < 0)
		return end_blindly(report);
	/* What lies in swap for a tmpfs that nobody needs any more is not to be read back first. */
	unmount_rounds(report, MEMORY);
	swap_off(NULL);
	unmount_rounds(report, MEMORY | LOCAL);
	if (detach_loops() > 0)
		unmount_rounds(report, MEMORY | LOCAL);
	/* Once more, for what memory was short for before the tmpfs were gone. */
	swap_off(report);
	int writable = walk_mounts(&read_only);
	writable += walk_mounts(&root);
	/* All disks are safe now. What needs a server that may be gone can hang from here on. */
	if (walk_mounts(&network) > 0)
		unmount_rounds(report, MEMORY | LOCAL);
	sync();
	return writable;
}
