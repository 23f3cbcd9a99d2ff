#include "log/store_make.h"

#include "init/base.h"
#include "init/clock.h"
#include "init/pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define TEMPORARY ".logs.new"

enum {
	FILE_MODE = 0640,
	PATIENCE = 20,  /* ms in which the logger is to be found not just moving something */
	PAUSE = 200000, /* ns between attempts */
};

static int fill(int fd, uint32_t capacity)
{
	const struct store_head head = {.magic = STORE_MAGIC,
	    .version = STORE_VERSION,
	    .capacity = capacity,
	    .rings = (uint32_t)store_rings(capacity)};
	off_t size = (off_t)(store_rings(capacity) + (uint64_t)capacity * STORE_RING);
	int error;

	if (ftruncate(fd, size) < 0)
		return -errno;
	error = posix_fallocate(fd, 0, (off_t)head.rings);
	if (error)
		return -error;
	return pwrite(fd, &head, sizeof(head), 0) == (ssize_t)sizeof(head) ? 0 : -EIO;
}

static int make_file(int dirfd, uint32_t capacity, gid_t group)
{
	int fd, error;

	unlinkat(dirfd, TEMPORARY, 0);
	fd = openat(dirfd, TEMPORARY, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	error = fill(fd, capacity);
	/* Before others can see it. A group that it may not have leaves it to its owner. */
	if (!error && (group == (gid_t)-1 || fchown(fd, (uid_t)-1, group) == 0) &&
	    fchmod(fd, FILE_MODE) < 0)
		error = -errno;
	if (!error && renameat(dirfd, TEMPORARY, dirfd, STORE_FILE) < 0)
		error = -errno;
	if (!error)
		return fd;
	unlinkat(dirfd, TEMPORARY, 0);
	close(fd);
	return error;
}

int store_make(int dirfd, uint32_t capacity, gid_t group, bool *ret_file)
{
	int fd = dirfd < 0 ? -EBADF : make_file(dirfd, capacity, group), error;

	*ret_file = fd >= 0;
	if (fd >= 0)
		return fd;
	fd = memfd_create("sinit-logs", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	error = fill(fd, capacity);
	if (!error)
		return fd;
	close(fd);
	return error;
}

/* What was never written is passed over (lseek(2), SEEK_DATA). */
int store_copy(int from, int to, uint32_t capacity)
{
	static char bytes[STORE_RING];
	off_t end = (off_t)(store_rings(capacity) + (uint64_t)capacity * STORE_RING), at = 0;

	while (at < end && (at = lseek(from, at, SEEK_DATA)) >= 0 && at < end) {
		ssize_t size = pread(from, bytes, sizeof(bytes), at);

		if (size <= 0)
			return size < 0 ? -errno : 0;
		if (pwrite(to, bytes, (size_t)size, at) != size)
			return -errno;
		at += size;
	}
	return 0;
}

static off_t place(uint32_t capacity, uint32_t index)
{
	return (off_t)(store_rings(capacity) + (uint64_t)index * STORE_RING);
}

static off_t record(uint32_t index)
{
	return (off_t)(sizeof(struct store_head) + index * sizeof(struct store_stream));
}

/* What the logger has taken, also what is in the pipe in between by now. -EAGAIN: it is moving some
 * there. */
static int read_taken(int fd, uint32_t index, uint64_t *ret)
{
	struct store_take take[2];

	if (pread(fd, take, sizeof(take), offsetof(struct store_head, take)) != sizeof(take) ||
	    pread(fd, ret, sizeof(*ret),
		record(index) + (off_t)offsetof(struct store_stream, head)) != sizeof(*ret))
		return -EIO;
	for (unsigned i = 0; i < ARRAY_LEN(take); i++)
		if (take[i].stream == index + 1) {
			*ret = take[i].head + take[i].size;
			return take[i].size ? 0 : -EAGAIN;
		}
	return 0;
}

int store_written(int fd, uint32_t index, int pipe, uint64_t *ret_bytes)
{
	const struct timespec pause = {.tv_nsec = PAUSE};
	int64_t until = clock_ms() + PATIENCE;

	do {
		uint64_t before, after;
		int left = 0, error = read_taken(fd, index, &before);

		if (!error && (error = pipe_left(pipe, &left)) < 0)
			return error;
		if (!error && read_taken(fd, index, &after) == 0 && before == after) {
			*ret_bytes = before + (uint64_t)left;
			return 0;
		}
		nanosleep(&pause, NULL);
	} while (clock_ms() < until);
	return -EAGAIN;
}

/* The record is another stream's from now on. */
int store_allocate(int fd, uint32_t capacity, uint32_t index)
{
	static const struct store_stream nothing;

	if (pwrite(fd, &nothing, sizeof(nothing), record(index)) != (ssize_t)sizeof(nothing))
		return -EIO;
	return -posix_fallocate(fd, place(capacity, index), STORE_RING);
}

/* First nobody is to look there any more: no other logger may ever come that would say so. */
void store_release(int fd, uint32_t capacity, uint32_t index)
{
	static const uint32_t unused;

	if (pwrite(fd, &unused, sizeof(unused),
		record(index) + (off_t)offsetof(struct store_stream, used)) !=
	    (ssize_t)sizeof(unused))
		return;
	fallocate(
	    fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, place(capacity, index), STORE_RING);
}
