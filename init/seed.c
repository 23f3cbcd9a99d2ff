#include "init/seed.h"

#include "init/base.h"
#include "init/fds.h"
#include "init/path.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/random.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME     "random-seed"
#define NEW_NAME "random-seed.new"

/* Of equal length. Whoever changes what the file means changes these. */
#define HEAD_READY "sinit1R\n"
#define HEAD_EARLY "sinit1E\n"

#ifndef GRND_INSECURE /* Linux 5.6 */
#define GRND_INSECURE 4
#endif

_Static_assert(offsetof(struct rand_pool_info, buf) == sizeof(struct rand_pool_info),
    "the bytes come right after it");

enum {
	HEAD = sizeof(HEAD_READY) - 1,
	SEED = 32, /* bytes: the kernel's pool holds no more */
	SEED_MIN = 32,
	FILE_MAX = 512,
};

/* As RNDADDENTROPY takes it, so that no copy has to be wiped. */
struct seed {
	struct rand_pool_info pool;
	unsigned char bytes[FILE_MAX];
	bool ready; /* made by a generator that was ready, and kept where only root could see it */
};

static int open_directory(const char *state_dir)
{
	int error = path_make_directory(state_dir);

	if (error)
		return error;
	int fd = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int read_fd(int fd, struct seed *seed)
{
	struct stat info;

	if (fstat(fd, &info) < 0)
		return -errno;
	if (!S_ISREG(info.st_mode))
		return -EINVAL;
	ssize_t count = read(fd, seed->bytes, sizeof(seed->bytes));
	if (count < 0)
		return -errno;
	seed->pool.buf_size = (int)count;
	seed->ready = count >= HEAD + SEED_MIN && memcmp(seed->bytes, HEAD_READY, HEAD) == 0 &&
		      info.st_uid == geteuid() && !(info.st_mode & 077);
	return 0;
}

/* 0 or -errno; -ENOENT: there is none. */
static int read_seed(int directory, struct seed *seed)
{
	int fd = openat(directory, NAME, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	int error = read_fd(fd, seed);
	close(fd);
	return error;
}

/* Only when this has returned 0 the file is gone even if the power fails now. */
static int forget_seed(int directory)
{
	if (unlinkat(directory, NAME, 0) < 0 || fsync(directory) < 0)
		return -errno;
	return 0;
}

/* Into the kernel's pool, with or without being counted. The head goes in as well: it does no
 * harm, and a file of others' make has none. */
static int give_to_kernel(struct seed *seed, bool count)
{
	int fd = open("/dev/urandom", O_RDWR | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return -errno;
	seed->pool.entropy_count = count ? SEED * 8 : 0;
	int error = ioctl(fd, RNDADDENTROPY, &seed->pool) < 0 ? -errno : 0;
	/* What is drawn from now on depends on it, also where the generator was ready before. An
	 * error says that it is not ready yet, and then it is drawn from the pool anyway. */
	(void)ioctl(fd, RNDRESEEDCRNG);
	close(fd);
	return error;
}

/* Random bytes; *ret_ready: whether they count. */
static int draw(unsigned char *bytes, bool *ret_ready)
{
	*ret_ready = getrandom(bytes, SEED, GRND_NONBLOCK) == SEED;
	if (*ret_ready || getrandom(bytes, SEED, GRND_INSECURE) == SEED)
		return 0;
	int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return -errno;
	ssize_t count = read(fd, bytes, SEED);
	close(fd);
	return count == SEED ? 0 : -EIO;
}

static int write_new(int directory, const unsigned char *file, size_t size)
{
	unlinkat(directory, NEW_NAME, 0);
	int fd =
	    openat(directory, NEW_NAME, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	int error = fds_write_all(fd, file, size);
	if (!error && (fchmod(fd, 0600) < 0 || fsync(fd) < 0))
		error = -errno;
	close(fd);
	if (!error && (renameat(directory, NEW_NAME, directory, NAME) < 0 || fsync(directory) < 0))
		error = -errno;
	if (error)
		unlinkat(directory, NEW_NAME, 0);
	return error;
}

static int write_seed(int directory)
{
	unsigned char file[HEAD + SEED];
	bool ready;
	int error = draw(file + HEAD, &ready);

	if (error)
		return error;
	memcpy(file, ready ? HEAD_READY : HEAD_EARLY, HEAD);
	error = write_new(directory, file, sizeof(file));
	explicit_bzero(file, sizeof(file));
	return error;
}

static void tell(const struct report *report, const char *state_dir, const char *what, int error)
{
	enum log_level level = error == -EROFS ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING;

	report_line(report, level, "%s/" NAME ": %s: %s", state_dir, what, strerror(-error));
}

/* 0, or the error of removing it from the disk. */
static int use_seed(int directory, const char *state_dir, const struct report *report)
{
	struct seed seed;
	int error = read_seed(directory, &seed);

	if (error == -ENOENT)
		return 0;
	if (error) {
		tell(report, state_dir, "the random seed cannot be read", error);
		return 0;
	}
	int kept = forget_seed(directory);
	error = give_to_kernel(&seed, seed.ready && !kept);
	explicit_bzero(&seed, sizeof(seed));
	if (kept)
		tell(report, state_dir,
		    "the random seed cannot be removed, so it is used without being counted", kept);
	if (error)
		tell(report, state_dir, "the kernel does not take the random seed", error);
	return kept;
}

void seed_restore(const char *state_dir, const struct report *report)
{
	int directory = open_directory(state_dir);

	if (directory < 0) {
		tell(report, state_dir, "no random seed is kept", directory);
		return;
	}
	/* Read-only: that has been told, and nothing can be written either. */
	if (use_seed(directory, state_dir, report) != -EROFS) {
		int error = write_seed(directory);
		if (error)
			tell(report, state_dir, "no random seed is kept", error);
	}
	close(directory);
}

void seed_save(const char *state_dir, const struct report *report)
{
	int directory = open_directory(state_dir);
	int error = directory < 0 ? directory : write_seed(directory);

	if (error)
		tell(report, state_dir, "the random seed cannot be saved", error);
	if (directory >= 0)
		close(directory);
}
