#include "log/place.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	FILE_MODE = 0640,
	DIRECTORY_MODE = 0755,
	OTHERS_WRITE = 022,
	LINKS = 16,
	WAY = 2 * PATH_MAX
};

static const int open_flags = O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | O_NOFOLLOW;

struct walk {
	int directory;
	bool make;
	unsigned links;
	char rest[WAY]; /* what is still to be walked */
};

static bool is_trusted(const struct stat *info)
{
	return info->st_uid == 0 || info->st_uid == geteuid();
}

/* Goes on in the directory `fd`. */
static void enter(struct walk *walk, int fd)
{
	close(walk->directory);
	walk->directory = fd;
}

static int begin_at_root(struct walk *walk)
{
	int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (walk->directory >= 0)
		close(walk->directory);
	walk->directory = fd;
	return 0;
}

/* The link that is open as `fd` stands for what comes first in the rest of the way. Its owner is
 * looked at on the link itself, so that it cannot be exchanged in between; another name of it
 * somebody else may have made. */
static int follow(struct walk *walk, int fd, const struct stat *info, size_t length)
{
	char way[WAY];
	size_t rest = strlen(walk->rest + length);
	ssize_t size;

	if (!is_trusted(info) || info->st_nlink != 1 || ++walk->links > LINKS)
		return -ELOOP;
	size = readlinkat(fd, "", way, PATH_MAX);
	if (size < 0)
		return -errno;
	if ((size_t)size + rest >= sizeof(way))
		return -ENAMETOOLONG;
	memcpy(way + size, walk->rest + length, rest + 1);
	memcpy(walk->rest, way, (size_t)size + rest + 1);
	return way[0] == '/' ? begin_at_root(walk) : 0;
}

static int look(struct walk *walk, const char *name, bool last, int *ret_fd, struct stat *ret)
{
	int fd = openat(walk->directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT && walk->make && !last &&
	    (mkdirat(walk->directory, name, DIRECTORY_MODE) == 0 || errno == EEXIST))
		fd = openat(walk->directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, ret) < 0) {
		int error = -errno;

		close(fd);
		return error;
	}
	*ret_fd = fd;
	return 0;
}

/* One name of the way. 1: it was the last one, and is in `name`; 0; -errno. */
static int step(struct walk *walk, char name[static NAME_MAX + 1])
{
	const char *from = walk->rest + strspn(walk->rest, "/");
	size_t length = strcspn(from, "/"), after;
	bool last = !from[length];
	struct stat info;
	int fd = -1, error;

	if (!length)
		return -EISDIR;
	if (length > NAME_MAX)
		return -ENAMETOOLONG;
	memcpy(name, from, length);
	name[length] = '\0';
	after = (size_t)(from - walk->rest) + length;
	error = look(walk, name, last, &fd, &info);
	if (error == -ENOENT && last)
		return 1;
	if (error)
		return error;
	if (S_ISLNK(info.st_mode)) {
		error = follow(walk, fd, &info, after);
		close(fd);
		return error;
	}
	if (last) {
		close(fd);
		return 1;
	}
	memmove(walk->rest, walk->rest + after, strlen(walk->rest + after) + 1);
	if (!S_ISDIR(info.st_mode)) {
		close(fd);
		return -ENOTDIR;
	}
	enter(walk, fd);
	return 0;
}

static int find(struct place *ret, const char *path, bool make)
{
	struct walk walk = {.directory = -1, .make = make};
	struct stat info;
	int rc;

	if (strlen(path) >= PATH_MAX)
		return -ENAMETOOLONG;
	strcpy(walk.rest, path);
	rc = begin_at_root(&walk);
	while (rc == 0)
		rc = step(&walk, ret->name);
	if (rc < 0) {
		if (walk.directory >= 0)
			close(walk.directory);
		return rc;
	}
	ret->directory = walk.directory;
	ret->shared =
	    fstat(walk.directory, &info) < 0 || !is_trusted(&info) || info.st_mode & OTHERS_WRITE;
	ret->sticky = ret->shared && info.st_mode & S_ISVTX;
	return 0;
}

int place_find(struct place *ret, const char *path)
{
	return find(ret, path, true);
}

void place_close(struct place *place)
{
	if (place->directory >= 0)
		close(place->directory);
	place->directory = -1;
}

/* What somebody else has made in between is left to them: -EEXIST. */
static int make_file(struct place *place, uint32_t uid, uint32_t gid)
{
	int fd = openat(place->directory, place->name, open_flags | O_CREAT | O_EXCL, FILE_MODE);

	if (fd < 0)
		return -errno;
	place->not_given =
	    (uid != UINT32_MAX || gid != UINT32_MAX) && fchown(fd, (uid_t)uid, (gid_t)gid) < 0
		? errno
		: 0;
	return fd;
}

/* Whether a file that was there may be written. */
static int look_at(const struct place *place, int fd, uint32_t uid)
{
	struct stat info;

	if (fstat(fd, &info) < 0)
		return -errno;
	if (S_ISREG(info.st_mode) && place->shared && info.st_nlink > 1)
		return -EMLINK;
	return place->sticky && !is_trusted(&info) && info.st_uid != uid ? -EACCES : 0;
}

int place_open(struct place *place, uint32_t uid, uint32_t gid)
{
	int fd = openat(place->directory, place->name, open_flags), error;

	if (fd < 0 && errno == ENOENT)
		return make_file(place, uid, gid);
	if (fd < 0)
		return -errno;
	error = look_at(place, fd, uid);
	if (!error)
		return fd;
	close(fd);
	return error;
}

int place_lock(int fd, bool alone)
{
	int rc;

	do
		rc = flock(fd, (alone ? LOCK_EX : LOCK_SH) | LOCK_NB);
	while (rc < 0 && errno == EINTR);
	return rc < 0 && errno == EWOULDBLOCK ? -EWOULDBLOCK : 0;
}

/* What the path leads to. */
static bool look_up(const char *path, struct stat *ret)
{
	struct place place;
	bool found;

	if (find(&place, path, false) < 0)
		return false;
	found = fstatat(place.directory, place.name, ret, AT_SYMLINK_NOFOLLOW) == 0;
	place_close(&place);
	return found;
}

bool place_is(const char *path, uint64_t device, uint64_t inode, uint64_t *ret_size)
{
	struct stat info;

	if (!look_up(path, &info) || info.st_dev != device || info.st_ino != inode)
		return false;
	*ret_size = (uint64_t)info.st_size;
	return true;
}

bool place_has_file(const char *path)
{
	struct stat info;

	return look_up(path, &info) && S_ISREG(info.st_mode);
}
