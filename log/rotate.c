/* Old files: PATH.1 is the youngest. Each step leaves a state from which the next rotation goes on,
 * so a logger that is killed here loses none: where a number is missing, all below it move up. */
#include "log/gzip.h"
#include "log/logger.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	NAME = NAME_MAX + 24,
	NICENESS = 10,   /* of the child that compresses */
	LOCKS = 100,     /* attempts to hold a file alone */
	LOCK = 10000000, /* ns between them */
	MUCH = 1 << 20,  /* bytes that a file may be larger than it should be */
	MANY = 100000,   /* files of a greater number than `keep` that are looked for */
};

static const char *const endings[] = {"", ".gz"};

/* The name of old file `number`; 0: of the file itself. */
static const char *name_of(
    const struct sink *sink, uint32_t number, const char *ending, char name[static NAME])
{
	if (number)
		snprintf(name, NAME, "%s.%u%s", sink->place.name, number, ending);
	else
		snprintf(name, NAME, "%s%s", sink->place.name, ending);
	return name;
}

static bool is_there(const struct sink *sink, uint32_t number)
{
	char name[NAME];
	struct stat info;

	for (unsigned i = 0; i < ARRAY_LEN(endings); i++)
		if (fstatat(sink->place.directory, name_of(sink, number, endings[i], name), &info,
			AT_SYMLINK_NOFOLLOW) == 0)
			return true;
	return false;
}

static int remove_number(const struct sink *sink, uint32_t number)
{
	char name[NAME];
	int error = 0;

	for (unsigned i = 0; i < ARRAY_LEN(endings) && !error; i++)
		if (unlinkat(sink->place.directory, name_of(sink, number, endings[i], name), 0) <
			0 &&
		    errno != ENOENT)
			error = -errno;
	return error;
}

static int move_up(const struct sink *sink, uint32_t number)
{
	char from[NAME], to[NAME];

	/* What was copied when a logger was killed: only its copy moves. */
	if (number &&
	    faccessat(sink->place.directory, name_of(sink, number, ".gz", from), F_OK, 0) == 0 &&
	    unlinkat(sink->place.directory, name_of(sink, number, "", from), 0) < 0 &&
	    errno != ENOENT)
		return -errno;
	for (unsigned i = 0; i < (number ? ARRAY_LEN(endings) : 1); i++)
		if (renameat(sink->place.directory, name_of(sink, number, endings[i], from),
			sink->place.directory, name_of(sink, number + 1, endings[i], to)) < 0 &&
		    errno != ENOENT)
			return -errno;
	return 0;
}

/* `keep` may have been greater once. The oldest first, so that the next one finds them all if this
 * is killed; of those one number may be missing, since a rotation was killed, too. */
static int remove_more(const struct sink *sink)
{
	uint32_t last = sink->keep;
	int error = 0;

	while (last < MANY && (is_there(sink, last + 1) || is_there(sink, last + 2)))
		last++;
	for (; last > sink->keep && !error; last--)
		error = remove_number(sink, last);
	return error;
}

int rotate(const struct sink *sink)
{
	uint32_t gap = 1;
	int error = remove_more(sink);

	if (error)
		return error;
	if (sink->keep == 0)
		return unlinkat(sink->place.directory, sink->place.name, 0) < 0 && errno != ENOENT
			   ? -errno
			   : 0;
	while (gap < sink->keep && is_there(sink, gap))
		gap++;
	error = remove_number(sink, gap); /* only the oldest can be there */
	while (gap-- > 0 && !error)
		error = move_up(sink, gap);
	return error;
}

/* --- compression ----------------------------------------------------------------------------- */

/* Whether it can be one of ours. What somebody has put there instead may have no end. */
static bool is_ours(const struct sink *sink, const struct stat *info)
{
	return S_ISREG(info->st_mode) && (info->st_uid == geteuid() || info->st_uid == sink->uid) &&
	       (uint64_t)info->st_size <= 2 * ((uint64_t)sink->max_size + MUCH);
}

/* The oldest of the files that are not compressed, 0: none is. */
static uint32_t oldest_plain(const struct sink *sink)
{
	char name[NAME];
	struct stat info;

	for (uint32_t number = sink->keep; number > 0; number--)
		if (fstatat(sink->place.directory, name_of(sink, number, "", name), &info,
			AT_SYMLINK_NOFOLLOW) == 0 &&
		    is_ours(sink, &info))
			return number;
	return 0;
}

static const char *packed_name(const struct sink *sink, char name[static NAME])
{
	return name_of(sink, 0, ".gz.new", name);
}

void rotate_clean(const struct sink *sink)
{
	char name[NAME];

	unlinkat(sink->place.directory, packed_name(sink, name), 0);
}

/* In the child: it may block, and allocates. It never outlives its logger, whose successor has a
 * child of its own that writes a file of this name. */
static int pack(const struct logger *logger, const struct sink *sink, int from, pid_t parent)
{
	const struct timespec pause = {.tv_nsec = LOCK};
	char name[NAME];
	struct stat info;
	int64_t size;
	int to;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		return 1;
	/* What a descriptor holds is held as long as there is a copy of it. */
	for (uint32_t i = 0; i < logger->sinks; i++)
		if (logger->sink[i].kind == SINK_FILE && logger->sink[i].own)
			close(logger->sink[i].fd);
	/* Another logger may still write to it; or the child of one that was killed just now is not
	 * gone yet. */
	for (int i = 0; place_lock(from, true) < 0; i++) {
		if (i == LOCKS)
			return 1;
		nanosleep(&pause, NULL);
	}
	setpriority(PRIO_PROCESS, 0, NICENESS);
	unlinkat(sink->place.directory, packed_name(sink, name), 0);
	to = openat(sink->place.directory, name,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (to < 0 || fstat(from, &info) < 0)
		return 1;
	if (fchown(to, info.st_uid, info.st_gid) < 0 || fchmod(to, info.st_mode & 07777) < 0 ||
	    gzip_file(from, to, &size) < 0) {
		unlinkat(sink->place.directory, name, 0);
		return 1;
	}
	/* Its name may be another file's now. */
	return fstat(to, &info) < 0 || info.st_nlink == 0;
}

/* One file; false: there is none. */
static bool pack_next(struct logger *logger, struct sink *sink)
{
	uint32_t index = oldest_plain(sink);
	char name[NAME], other[NAME];
	struct stat info;
	int from, pair[2];
	pid_t self = getpid();

	if (!index)
		return false;
	/* Its copy was complete when a logger was killed. */
	if (fstatat(sink->place.directory, name_of(sink, index, ".gz", other), &info,
		AT_SYMLINK_NOFOLLOW) == 0)
		return unlinkat(sink->place.directory, name_of(sink, index, "", name), 0) == 0;
	from = openat(sink->place.directory, name_of(sink, index, "", name),
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (from < 0 || fstat(from, &info) < 0 || !is_ours(sink, &info) ||
	    pipe2(pair, O_CLOEXEC) < 0) {
		if (from >= 0)
			close(from);
		return false;
	}
	logger->packer = fork();
	if (logger->packer == 0)
		_exit(pack(logger, sink, from, self));
	close(pair[1]);
	logger->packer_fd = pair[0];
	if (logger->packer < 0 || logger_watch(logger, pair[0], EPOLLIN, TAG_PACKER, 0) < 0) {
		close(from);
		close(pair[0]);
		logger->packer =
		    0; /* one that runs all the same is reaped by nobody who waits for it */
		return false;
	}
	logger->packing = sink;
	logger->packed_fd = from;
	return true;
}

void rotate_pack(struct logger *logger)
{
	for (uint32_t i = 0; i < logger->sinks && !logger->packer; i++) {
		struct sink *sink = &logger->sink[i];

		while (sink->compress && sink->place.directory >= 0 && !logger->packer)
			sink->compress = pack_next(logger, sink);
	}
}

/* The number that the file has by now, 0: it is too old for any. */
static uint32_t find_number(const struct sink *sink, int fd)
{
	char name[NAME];
	struct stat info, other;

	if (fstat(fd, &info) < 0)
		return 0;
	for (uint32_t number = 1; number <= sink->keep; number++)
		if (fstatat(sink->place.directory, name_of(sink, number, "", name), &other,
			AT_SYMLINK_NOFOLLOW) == 0 &&
		    other.st_ino == info.st_ino && other.st_dev == info.st_dev)
			return number;
	return 0;
}

/* In the place of the file that it was made from. */
static void place_packed(const struct sink *sink, int from)
{
	char name[NAME], plain[NAME], packed[NAME];
	uint32_t number = find_number(sink, from);

	packed_name(sink, name);
	if (!number)
		unlinkat(sink->place.directory, name, 0);
	else if (renameat(sink->place.directory, name, sink->place.directory,
		     name_of(sink, number, ".gz", packed)) == 0)
		unlinkat(sink->place.directory, name_of(sink, number, "", plain), 0);
}

void rotate_packed(struct logger *logger)
{
	int status = 1;

	logger_watch(logger, logger->packer_fd, 0, TAG_PACKER, 0);
	close(logger->packer_fd);
	while (waitpid(logger->packer, &status, 0) < 0 && errno == EINTR)
		;
	logger->packer = 0;
	if (status == 0 && !logger->orphaned) /* else its name may be another one's file now */
		place_packed(logger->packing, logger->packed_fd);
	else
		logger->packing->compress = false; /* with the next rotation */
	close(logger->packed_fd);
}

void rotate_pack_no_more(struct logger *logger)
{
	if (logger->packer)
		kill(logger->packer, SIGKILL);
}
