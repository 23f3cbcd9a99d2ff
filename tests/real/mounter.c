/* Calls one of the functions of boot mode as sinit would, in the world that it is started in;
 * prints what they report, a line "LEVEL: TEXT" each, and at the end "= RESULT".
 *     mounter early | configured [LINE] | end | restore DIR | save DIR
 * Of `configured` the result is the line behind which it is to be called again, 0: none. A file
 * system of type "slow" takes more than a second, and cannot be mounted; what is known of it
 * meanwhile is printed.
 * Of the seed it prints what matters for its safety, in order: "fsync", "reseed", and "add BYTES
 * COUNTED" with "there" or "gone" for the file at that moment. With EARLY in the environment the
 * kernel's generator is not ready; with `old` it is a kernel whose statx(2) knows no mounts, and
 * whose cgroup2 has no options; with `stubborn` nothing can be remounted. There never is a
 * devtmpfs: it would be this machine's own /dev, whatever the namespace.
 *
 * Linked with --wrap for the functions below. */
#include "init/mounts.h"
#include "init/seed.h"

#include <errno.h>
#include <linux/random.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

int __real_ioctl(int fd, unsigned long request, void *argument);
int __wrap_ioctl(int fd, unsigned long request, void *argument);
int __real_fsync(int fd);
int __wrap_fsync(int fd);
ssize_t __real_getrandom(void *bytes, size_t size, unsigned flags);
ssize_t __wrap_getrandom(void *bytes, size_t size, unsigned flags);

int __real_mount(const char *source, const char *target, const char *type, unsigned long flags,
    const void *data);
int __wrap_mount(const char *source, const char *target, const char *type, unsigned long flags,
    const void *data);
int __real_statx(int at, const char *path, int flags, unsigned mask, struct statx *info);
int __wrap_statx(int at, const char *path, int flags, unsigned mask, struct statx *info);

static char seed_file[512];
static struct mounts_progress progress;

int __wrap_ioctl(int fd, unsigned long request, void *argument)
{
	const struct rand_pool_info *pool = argument;

	if (request == RNDADDENTROPY)
		printf("add %d %d %s\n", pool->buf_size, pool->entropy_count,
		    access(seed_file, F_OK) == 0 ? "there" : "gone");
	if (request == RNDRESEEDCRNG)
		puts("reseed");
	return __real_ioctl(fd, request, argument);
}

int __wrap_fsync(int fd)
{
	puts("fsync");
	return __real_fsync(fd);
}

ssize_t __wrap_getrandom(void *bytes, size_t size, unsigned flags)
{
	if (flags & GRND_NONBLOCK && getenv("EARLY")) {
		errno = EAGAIN;
		return -1;
	}
	return __real_getrandom(bytes, size, flags);
}

int __wrap_statx(int at, const char *path, int flags, unsigned mask, struct statx *info)
{
	int result = __real_statx(at, path, flags, mask, info);

	if (getenv("old"))
		info->stx_attributes_mask = 0;
	return result;
}

int __wrap_mount(
    const char *source, const char *target, const char *type, unsigned long flags, const void *data)
{
	bool missing = type && strcmp(type, "devtmpfs") == 0;
	bool unknown = getenv("old") && type && strcmp(type, "cgroup2") == 0 && data;

	bool refused = getenv("stubborn") && (flags & MS_REMOUNT);

	if (type && strcmp(type, "slow") == 0) {
		printf("%u: %s\n", progress.line, progress.entry);
		usleep(1100000);
		missing = true;
	}
	errno = missing ? ENODEV : unknown ? EINVAL : EPERM;
	return missing || unknown || refused ? -1 : __real_mount(source, target, type, flags, data);
}

static void tell(void *context, enum log_level level, const char *line)
{
	static const char *const names[] = {"debug", "info", "warning", "error"};

	(void)context;
	printf("%s: %s\n", names[level], line);
}

static void early(void)
{
	char buffer[4096];
	struct text faults;

	text_init(&faults, buffer, sizeof(buffer));
	mounts_early(&faults);
	fputs(faults.data, stdout);
}

static int configured(const struct report *report, const char *line)
{
	progress.line = (unsigned)atoi(line);
	mounts_configured(report, &progress);
	return progress.done ? 0 : (int)progress.line;
}

int main(int count, char **words)
{
	const struct report report = {tell, NULL};
	const char *what = count > 1 ? words[1] : "";
	int result = 0;

	if (count > 2)
		snprintf(seed_file, sizeof(seed_file), "%s/random-seed", words[2]);
	if (strcmp(what, "early") == 0)
		early();
	else if (strcmp(what, "configured") == 0)
		result = configured(&report, count > 2 ? words[2] : "0");
	else if (strcmp(what, "end") == 0)
		result = mounts_end(&report);
	else if (strcmp(what, "restore") == 0 && count > 2)
		seed_restore(words[2], &report);
	else if (strcmp(what, "save") == 0 && count > 2)
		seed_save(words[2], &report);
	else
		return 2;
	printf("= %d\n", result);
	return 0;
}
