/* What must be mounted before anything can be said. */
#include "init/mount_basics.h"
#include "init/mountinfo.h"
#include "init/mounts.h"
#include "init/path.h"

#include <errno.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum when {
	NEEDED,   /* a failure is told, whatever it is */
	IF_KNOWN, /* only if the kernel has it, and a place for it */
};

/* Each is mounted after those above it. No debugfs, no tracefs: both show the kernel's inside,
 * and who wants them mounts them. */
static const struct early {
	const char *target;
	const char *type;
	enum when when;
	unsigned long flags;
	const char *data;
} early[] = {
    {"/proc", "proc", NEEDED, MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL},
    {"/sys", "sysfs", NEEDED, MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL},
    {"/dev", "devtmpfs", NEEDED, MS_NOSUID, "mode=755"},
    {"/dev/pts", "devpts", NEEDED, MS_NOSUID | MS_NOEXEC, "gid=5,mode=620,ptmxmode=666"},
    {"/dev/shm", "tmpfs", NEEDED, MS_NOSUID | MS_NODEV, "mode=1777"},
    {"/run", "tmpfs", NEEDED, MS_NOSUID | MS_NODEV, "mode=755"},
    {"/sys/fs/cgroup", "cgroup2", IF_KNOWN, MS_NOSUID | MS_NODEV | MS_NOEXEC, "nsdelegate"},
    {"/sys/kernel/security", "securityfs", IF_KNOWN, MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL},
    {"/sys/kernel/config", "configfs", IF_KNOWN, MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL},
    {"/sys/fs/pstore", "pstore", IF_KNOWN, MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL},
    {"/sys/fs/fuse/connections", "fusectl", IF_KNOWN, MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL},
    {"/sys/firmware/efi/efivars", "efivarfs", IF_KNOWN, MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL},
    {"/dev/mqueue", "mqueue", IF_KNOWN, MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL},
};

/* The numbers are those of the kernel's Documentation/admin-guide/devices.txt. */
static const struct node {
	const char *path;
	mode_t mode;
	unsigned major, minor;
	bool needed;
} nodes[] = {
    {"/dev/console", 0600, 5, 1, true},
    {"/dev/null", 0666, 1, 3, true},
    {"/dev/zero", 0666, 1, 5, false},
    {"/dev/full", 0666, 1, 7, false},
    {"/dev/random", 0666, 1, 8, false},
    {"/dev/urandom", 0666, 1, 9, false},
    {"/dev/kmsg", 0600, 1, 11, false},
    {"/dev/tty", 0666, 5, 0, false},
    {"/dev/ptmx", 0666, 5, 2, false},
};

/* What programs expect and no kernel makes. */
static const char *const links[][2] = {
    {"/dev/fd", "/proc/self/fd"},
    {"/dev/stdin", "/proc/self/fd/0"},
    {"/dev/stdout", "/proc/self/fd/1"},
    {"/dev/stderr", "/proc/self/fd/2"},
};

/* What is not there is made. On a read-only root nothing can be: there only what nobody can do
 * without is told. */
static void fill_dev(struct text *faults)
{
	for (size_t i = 0; i < ARRAY_LEN(nodes); i++)
		if (mknod(nodes[i].path, S_IFCHR | nodes[i].mode,
			makedev(nodes[i].major, nodes[i].minor)) < 0 &&
		    errno != EEXIST && nodes[i].needed)
			text_addf(faults, "%s is missing and cannot be made: %s\n", nodes[i].path,
			    strerror(errno));
	for (size_t i = 0; i < ARRAY_LEN(links); i++)
		(void)symlink(links[i][1], links[i][0]);
}

/* 0 or an errno. An option that this kernel is too old for is left out. */
static int mount_plain(const struct early *row, const char *type)
{
	if (mount(type, row->target, type, row->flags, row->data) == 0)
		return 0;
	if (errno == EINVAL && row->data && mount(type, row->target, type, row->flags, NULL) == 0)
		return 0;
	return errno;
}

/* A kernel without devtmpfs: an empty /dev, which fill_dev() fills. */
static int mount_dev_instead(const struct early *row, struct text *faults)
{
	int error = mount_plain(row, "tmpfs");

	if (error == 0)
		text_add(faults, "/dev: the kernel has no devtmpfs (CONFIG_DEVTMPFS): only the "
				 "most needed nodes are there; let mdev make the others\n");
	return error;
}

static void mount_row(const struct early *row, const char *known, struct text *faults)
{
	if (mount_is_point(row->target))
		return;
	if (row->when == IF_KNOWN && !mountinfo_word_in(known, row->type))
		return;
	int error = path_make_directory(row->target);
	if (error && row->when == IF_KNOWN)
		return;
	if (error) {
		text_addf(faults,
		    "%s: the directory is missing and cannot be made: %s; make it on the root file "
		    "system\n",
		    row->target, strerror(-error));
		return;
	}
	error = mount_plain(row, row->type);
	if (error == ENODEV && strcmp(row->type, "devtmpfs") == 0)
		error = mount_dev_instead(row, faults);
	if (error)
		text_addf(
		    faults, "%s: mounting %s: %s\n", row->target, row->type, mount_error(error));
}

void mounts_early(struct text *faults)
{
	char known[4096] = "";
	mode_t mask = umask(0);

	for (size_t i = 0; i < ARRAY_LEN(early); i++) {
		if (early[i].when == IF_KNOWN && !*known)
			(void)path_read_text("/proc/filesystems", known, sizeof(known));
		mount_row(&early[i], known, faults);
		if (strcmp(early[i].target, "/dev") == 0)
			fill_dev(faults);
	}
	umask(mask);
}
