#include "init/board.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LOCK_ATTEMPTS = 8 };

/* Who holds it, as far as can be told: the kernel's number, or what the file says. */
static pid_t lock_holder(int fd, const struct flock *lock)
{
	char text[16];

	if (lock->l_pid > 0)
		return lock->l_pid;
	ssize_t count = pread(fd, text, sizeof(text) - 1, 0);
	text[count > 0 ? count : 0] = '\0';
	return (pid_t)strtol(text, NULL, 10);
}

bool board_is_named(int fd, int dirfd, const char *name)
{
	struct stat held, named;

	return fstat(fd, &held) == 0 && fstatat(dirfd, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       held.st_ino == named.st_ino && held.st_dev == named.st_dev;
}

/* One attempt: the descriptor; -EAGAIN: held (*ret_holder > 0), or to be tried again
 * (*ret_holder is 0); -errno. */
static int try_lock(int dirfd, const char *name, mode_t mode, pid_t *ret_holder)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int fd = openat(dirfd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, mode);

	*ret_holder = 0;
	if (fd < 0)
		return -errno;
	if (fcntl(fd, F_SETLK, &lock) == 0) {
		if (board_is_named(fd, dirfd, name))
			return fd;
		close(fd);
		return -EAGAIN;
	}
	int error = errno == EACCES ? EAGAIN : errno;
	if (error == EAGAIN && fcntl(fd, F_GETLK, &lock) == 0) {
		/* sinit takes write locks. A read lock can be anybody's who may read the file,
		 * and must not keep us from starting: its holder may keep the old file. */
		if (lock.l_type == F_WRLCK)
			*ret_holder = lock_holder(fd, &lock);
		else if (lock.l_type == F_RDLCK)
			unlinkat(dirfd, name, 0);
	}
	close(fd);
	return -error;
}

static int lock_file(int dirfd, const char *name, mode_t mode, pid_t *ret_holder)
{
	int fd = -EAGAIN;
	pid_t holder = 0;

	for (int attempt = 0; fd == -EAGAIN && holder == 0 && attempt < LOCK_ATTEMPTS; attempt++)
		fd = try_lock(dirfd, name, mode, &holder);
	if (fd == -EAGAIN)
		*ret_holder = holder;
	if (fd < 0)
		return fd;
	char text[16];
	int length = snprintf(text, sizeof(text), "%d\n", (int)getpid());
	/* For people; a full file system is no reason not to start. */
	if (ftruncate(fd, 0) == 0 && pwrite(fd, text, (size_t)length, 0) < 0)
		return fd;
	return fd;
}

int board_lock(int dirfd, pid_t *ret_holder)
{
	return lock_file(dirfd, BOARD_LOCK, 0644, ret_holder);
}

int board_lock_turn(int dirfd, pid_t *ret_holder)
{
	return lock_file(dirfd, BOARD_TURN, 0600, ret_holder);
}

bool board_lock_held(int dirfd)
{
	/* Asking for a read lock: one that some user took by reading is no sign of life. */
	struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
	int fd = openat(dirfd, BOARD_LOCK, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0)
		return false;
	bool held = fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
	close(fd);
	return held;
}
