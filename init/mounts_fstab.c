/* What /etc/fstab says. */
#include "init/clock.h"
#include "init/fstab.h"
#include "init/mount_basics.h"
#include "init/mount_source.h"
#include "init/mountinfo.h"
#include "init/mounts.h"
#include "init/path.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/swap.h>

enum {
	FSTAB_SIZE = 64 << 10,
	LONG = 1000, /* ms: after that a child is no longer new */
};

/* One entry on its way. */
struct job {
	const struct report *report;
	unsigned line;
	struct fstab_entry entry;
	struct fstab_options options;
	const char *data; /* NULL: none */
	const char *device;
};

static void tell(const struct job *job, enum log_level level, const char *what, const char *why)
{
	report_line(job->report, level, MOUNTS_FSTAB ":%u: %s: %s%s%s", job->line,
	    job->entry.target, what, *why ? ": " : "", why);
}

static void fail(const struct job *job, const char *what, const char *why)
{
	bool calm = job->options.marks & FSTAB_NOFAIL;

	tell(job, calm ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING, what, why);
}

/* `device` may be no device at all ("tmpfs"), and then it is not what is missing. */
static const char *why_not(const char *device, int error)
{
	if (error == ENOENT && *device == '/')
		return "it is not there (yet)";
	if (error == EINVAL)
		return "it holds no such file system, or an option is wrong";
	return mount_error(error);
}

static void fail_mount(const struct job *job, int error)
{
	char text[256];
	struct text what;

	text_init(&what, text, sizeof(text));
	text_addf(&what, "mounting %s (%s)", job->device, job->entry.type);
	fail(job, text, why_not(job->device, error));
}

/* 0 or an errno. A device that cannot be written to is mounted read-only. */
static int mount_type(const struct job *job, const char *type)
{
	unsigned long flags = job->options.flags;

	if (mount(job->device, job->entry.target, type, flags, job->data) == 0)
		return 0;
	if ((errno != EACCES && errno != EROFS) || flags & (MS_RDONLY | MS_REMOUNT))
		return errno;
	if (mount(job->device, job->entry.target, type, flags | MS_RDONLY, job->data) < 0)
		return errno;
	tell(job, LOG_LEVEL_INFO, "mounted read-only: the device is write-protected", "");
	return 0;
}

/* Each type of the kernel's list, until one fits. */
static int mount_any(const struct job *job)
{
	char list[4096], type[64];
	const char *at = list;
	int error = path_read_text("/proc/filesystems", list, sizeof(list));

	if (error)
		return -error;
	error = EINVAL;
	while (error == EINVAL && filesystems_next(&at, type, sizeof(type)))
		error = mount_type(job, type);
	return error;
}

/* A bind mount takes its other options in a second call; without them it must not stay. */
static int mount_bind(const struct job *job)
{
	const char *target = job->entry.target;
	unsigned long flags = job->options.flags;
	unsigned long others = flags & ~(unsigned long)(MS_BIND | MS_REC);

	if (mount(job->device, target, NULL, flags & (MS_BIND | MS_REC), NULL) < 0)
		return errno;
	if (!others || mount(NULL, target, NULL, MS_REMOUNT | MS_BIND | others, NULL) == 0)
		return 0;
	int error = errno;
	umount2(target, MNT_DETACH);
	return error;
}

static int mount_entry(const struct job *job)
{
	if ((job->options.flags & (MS_BIND | MS_REMOUNT)) == MS_BIND)
		return mount_bind(job);
	if (strcmp(job->entry.type, "auto") == 0 && !(job->options.flags & MS_REMOUNT))
		return mount_any(job);
	return mount_type(job, job->entry.type);
}

static bool find_device(struct job *job, struct text *path)
{
	if (mount_source(job->entry.source, path) == 0) {
		job->device = path->data;
		return true;
	}
	fail(job, job->entry.source,
	    "no such device is there, or nobody made its link in "
	    "/dev/disk; name the device itself (/dev/...)");
	return false;
}

static void swap_on(struct job *job, struct text *path)
{
	job->entry.target = "swap";
	if (!find_device(job, path))
		return;
	if (swapon(job->device, fstab_swap_flags(job->data ? job->data : "")) == 0 ||
	    errno == EBUSY)
		return;
	fail(job, job->device,
	    errno == EINVAL ? "it holds no swap area (mkswap)" : why_not(job->device, errno));
}

/* What is mounted already is left alone, but for / and for what the kernel keeps in memory: sinit
 * itself has mounted that, and the entry tells what it is to be like. False: nothing to do. */
static bool decide_remount(struct job *job)
{
	bool root = strcmp(job->entry.target, "/") == 0;

	if (root || (mount_is_point(job->entry.target) && mountinfo_in_memory(job->entry.type) &&
			(job->options.flags || job->data)))
		job->options.flags |= MS_REMOUNT;
	return job->options.flags & MS_REMOUNT || !mount_is_point(job->entry.target);
}

static void mount_job(struct job *job, struct text *path)
{
	const char *target = job->entry.target;

	if (fstab_is_network(job->entry.type) || job->options.marks & FSTAB_NETWORK) {
		tell(job, LOG_LEVEL_INFO,
		    "skipped: it needs the network; mount it by a service that comes after the "
		    "network",
		    "");
		return;
	}
	if (job->options.marks & FSTAB_LOOP) {
		fail(job, "the option loop is not understood; mount it by a oneshot service", "");
		return;
	}
	if (!decide_remount(job))
		return;
	/* Of a root that is mounted the kernel asks for no device, and / has often a name that
	 * nobody can find (/dev/root). */
	job->device = job->entry.source;
	if (!(job->options.flags & MS_REMOUNT) && !find_device(job, path))
		return;
	int error = path_make_directory(target);
	if (error) {
		fail(job, "the directory is missing and cannot be made", strerror(-error));
		return;
	}
	error = mount_entry(job);
	if (error)
		fail_mount(job, error);
	else if (job->options.propagation &&
		 mount(NULL, target, NULL, job->options.propagation, NULL) < 0)
		fail(job, "shared, private or slave", strerror(errno));
}

/* Says what is done now: it may hang, and who waits is to name it. */
static void begin(struct mounts_progress *progress, const struct fstab_entry *entry)
{
	bool is_swap = strcmp(entry->type, "swap") == 0;

	snprintf(progress->entry, sizeof(progress->entry), "%s: mounting %s (%s)",
	    is_swap ? "swap" : entry->target, entry->source, entry->type);
}

static void do_line(const struct report *report, struct mounts_progress *progress, char *line)
{
	unsigned number = progress->line;
	char options[FSTAB_LINE], device[FSTAB_LINE];
	struct text data, path;
	struct job job = {.report = report, .line = number};
	const char *fault;

	if (strlen(line) >= FSTAB_LINE) {
		report_line(report, LOG_LEVEL_WARNING,
		    MOUNTS_FSTAB ":%u: skipped: longer than %d bytes", number, FSTAB_LINE - 1);
		return;
	}
	int rc = fstab_parse(line, &job.entry, &fault);
	if (rc < 0)
		report_line(report, LOG_LEVEL_WARNING, MOUNTS_FSTAB ":%u: %s", number, fault);
	if (rc <= 0)
		return;
	text_init(&data, options, sizeof(options));
	text_init(&path, device, sizeof(device));
	fstab_options(job.entry.options, &job.options, &data);
	job.data = data.used ? options : NULL;
	if (job.options.marks & FSTAB_NOAUTO)
		return;
	begin(progress, &job.entry);
	if (strcmp(job.entry.type, "swap") == 0)
		swap_on(&job, &path);
	else
		mount_job(&job, &path);
	progress->entry[0] = '\0';
}

/* The lines of `text` behind progress->line, at least one, the last one only if it is whole. False:
 * it ended early, since it took long. */
static bool do_lines(
    const struct report *report, struct mounts_progress *progress, char *text, bool whole)
{
	unsigned number = 0, first = progress->line + 1;
	int64_t until = clock_ms() + LONG;

	for (char *line = text; *line;) {
		size_t length = strcspn(line, "\n");
		bool last = line[length] == '\0';

		line[length] = '\0';
		if (++number >= first && (!last || whole)) {
			if (number > first && clock_ms() > until)
				return false;
			progress->line = number;
			do_line(report, progress, line);
		}
		line += length + !last;
	}
	return true;
}

void mounts_configured(const struct report *report, struct mounts_progress *progress)
{
	char text[FSTAB_SIZE];
	int error = path_read_text(MOUNTS_FSTAB, text, sizeof(text));

	if (error && error != -ENOENT)
		report_line(report, LOG_LEVEL_WARNING,
		    MOUNTS_FSTAB ": %s; nothing of it is mounted", strerror(-error));
	progress->done = error;
	if (error)
		return;
	bool whole = strlen(text) < sizeof(text) - 1;
	progress->done = do_lines(report, progress, text, whole);
	if (progress->done && !whole)
		report_line(report, LOG_LEVEL_WARNING,
		    MOUNTS_FSTAB ": only its first %d bytes are read; make it shorter",
		    FSTAB_SIZE - 1);
}
