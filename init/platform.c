#include "init/platform.h"
#include "init/clock.h"
#include "init/fds.h"
#include "init/pipe.h"
#include "init/raw_syscall.h"
#include "log/store_make.h"

#include "reaper/leftovers.h"
#include "reaper/procs.h"
#include "reaper/reap.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	NS_PER_MS = 1000000,
	MARKER_DIRECTORY_MODE = 0755,
	MARKER_MODE = 0644,
	MARKER_PATIENCE = 500, /* ms for a marker to be written */
	PIPE_MODE = 0622,      /* also for a process that has given up its user */
	MARKER_PAUSE = 60000,  /* ms until that is tried again where it was not */
};

/* --- Time -------------------------------------------------------------------------- */

int64_t platform_now(void)
{
	return clock_ms();
}

int64_t platform_now_us(void)
{
	return clock_us();
}

int64_t platform_wall(void)
{
	return clock_wall();
}

/* --- Processes --------------------------------------------------------------------- */

int platform_prepare(void)
{
	return leftovers_open();
}

int platform_spawn(struct spawner *spawner, const struct spawn *spawn, struct spawn_result *ret)
{
	return spawn_start(spawner, spawn, ret);
}

int platform_spawn_poll(struct spawner *spawner, pid_t pid, struct spawn_result *ret)
{
	return spawn_poll(spawner, pid, ret);
}

pid_t platform_fork(int (*main_of_child)(void *), void *arg)
{
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (pid > 0)
		return pid;
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	_exit(main_of_child(arg));
}

int platform_reap(pid_t hint, pid_t *ret_pid, struct exit_status *ret, int64_t *ret_again)
{
	/* The kernel's queue of deaths is one per process, and so is this. */
	static struct reaper reaper;
	static pid_t noticed; /* the hint of this round; -1: a round begins */
	static bool begun;
	struct death death;
	int64_t again = 0;

	if (!begun) {
		reaper_init(&reaper);
		noticed = -1;
		begun = true;
	}
	/* The same hint may come with each call of a round: it is one notice. */
	if (noticed == -1 || (hint != 0 && hint != noticed)) {
		reaper_notice(&reaper, hint);
		noticed = hint;
	}
	int result = reaper_next(&reaper, &death, &again);
	*ret_again = 0;
	if (result == 1) {
		*ret_pid = death.pid;
		*ret = death.status;
		return 1;
	}
	noticed = -1;
	*ret_again = (again + NS_PER_MS - 1) / NS_PER_MS;
	return result;
}

int platform_kill(pid_t pid, int sig)
{
	if (pid <= 0)
		return -EINVAL; /* a group, or everybody: never by mistake */
	return kill(pid, sig) < 0 ? -errno : 0;
}

int platform_kill_session(pid_t sid, int sig)
{
	return leftovers_signal(sid, sig);
}

pid_t platform_parent(pid_t pid)
{
	char state;
	pid_t parent;

	return procs_ours() && procs_stat(pid, &state, &parent) ? parent : 0;
}

pid_t platform_session(pid_t pid)
{
	pid_t sid = getsid(pid);

	return sid > 0 ? sid : 0;
}

bool platform_is_child(pid_t pid)
{
	siginfo_t info;

	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) == 0;
}

int platform_send(int fd, const void *message, size_t size)
{
	return send(fd, message, size, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

void platform_unmap(void *memory, size_t size)
{
	munmap(memory, size);
}

bool platform_is_pid1(void)
{
	return getpid() == 1;
}

/* Who is stopped is to hear it, too; and by this process, for another one would be hit itself. */
static int kill_all(void *sig)
{
	int rc = kill(-1, *(const int *)sig) == 0 || errno == ESRCH ? 0 : 1;

	kill(-1, SIGCONT);
	return rc;
}

int platform_kill_everything(int sig)
{
	if (!platform_is_pid1())
		return leftovers_signal_descendants(sig);
	if (platform_fork(kill_all, &sig) > 0)
		return 0;
	/* No process to be had, perhaps since there are too many: then PID 1 does it itself.
	 * The kernel leaves out the caller and PID 1 (kill(2)). */
	return kill_all(&sig) == 0 ? 0 : -errno;
}

/* --- Stopped by hand --------------------------------------------------------------- */

static bool name_is_plain(const char *name)
{
	return name[0] != '\0' && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
	       !strchr(name, '/');
}

/* STATE_DIR/stopped as a descriptor. */
static int marker_directory(const char *state_dir)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/stopped", state_dir) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* mkdir -p STATE_DIR/stopped. What is there already is no error. */
static int marker_directory_make(const char *state_dir)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/stopped", state_dir) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		int result = mkdir(path, MARKER_DIRECTORY_MODE);
		int error = errno;
		*slash = '/';
		/* EROFS, EACCES: of a directory above, which may be there all the same. */
		if (result < 0 && error != EEXIST && error != EROFS && error != EACCES)
			return -error;
	}
	return mkdir(path, MARKER_DIRECTORY_MODE) < 0 && errno != EEXIST ? -errno : 0;
}

static int marker_make(const char *state_dir, const char *name)
{
	int directory = marker_directory(state_dir);

	if (directory == -ENOENT) {
		int error = marker_directory_make(state_dir);
		if (error)
			return error;
		directory = marker_directory(state_dir);
	}
	if (directory < 0)
		return directory;
	int fd = openat(directory, name,
	    O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, MARKER_MODE);
	int error = fd < 0 ? -errno : 0;
	if (fd >= 0)
		close(fd);
	close(directory);
	return error;
}

static int marker_remove(const char *state_dir, const char *name)
{
	int directory = marker_directory(state_dir);

	if (directory < 0)
		return directory == -ENOENT ? 0 : directory;
	int error = unlinkat(directory, name, 0) < 0 && errno != ENOENT ? -errno : 0;
	close(directory);
	return error;
}

/* 1, 0, or -errno: it cannot be told. Only looks, which a frozen file system does not mind. */
static int marker_is_there(const char *state_dir, const char *name)
{
	struct stat info;
	int directory = marker_directory(state_dir);

	if (directory < 0)
		return directory == -ENOENT ? 0 : directory;
	int there = fstatat(directory, name, &info, AT_SYMLINK_NOFOLLOW) == 0 ? 1
		    : errno == ENOENT                                         ? 0
									      : -errno;
	close(directory);
	return there;
}

struct marker {
	const char *state_dir, *name;
	bool stopped;
};

/* In a child, with none of PID 1's descriptors: should it hang they are not to live on with it. */
static int marker_write(void *context)
{
	const struct marker *marker = context;

	raw_syscall3(SYS_close_range, 3, -1L, 0);
	return -(marker->stopped ? marker_make(marker->state_dir, marker->name)
				 : marker_remove(marker->state_dir, marker->name));
}

/* Waits for the end of a child for at most `limit` ms. Its exit code, or -ETIMEDOUT. */
static int wait_briefly(pid_t pid, int limit)
{
	struct pollfd end = {.fd = (int)raw_syscall3(SYS_pidfd_open, pid, 0, 0), .events = POLLIN};
	int64_t until = platform_now() + limit, left;
	int status = 0, code = -ETIMEDOUT;

	while ((left = until - platform_now()) > 0 && code == -ETIMEDOUT) {
		poll(&end, 1, end.fd < 0 ? 1 : (int)left); /* no pidfd before Linux 5.3 */
		if (waitpid(pid, &status, WNOHANG) != 0)
			code = WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
	}
	if (end.fd >= 0)
		close(end.fd);
	return code; /* one that has not ended is reaped like any orphan, if it ever does */
}

/* A file system that is frozen, or a dead disk, would hold whoever writes to it: never PID 1. */
int platform_marker_set(const char *state_dir, const char *name, bool stopped)
{
	static int64_t not_before; /* ms: so long a file system that hung is left alone */
	struct marker marker = {state_dir, name, stopped};
	int code;

	if (!name_is_plain(name))
		return -EINVAL;
	if (!stopped && marker_is_there(state_dir, name) == 0)
		return 0;
	if (platform_now() < not_before)
		return -ETIMEDOUT;
	pid_t pid = platform_fork(marker_write, &marker);
	if (pid < 0)
		return pid;
	code = wait_briefly(pid, MARKER_PATIENCE);
	if (code == -ETIMEDOUT)
		not_before = platform_now() + MARKER_PAUSE;
	return code < 0 ? code : -code;
}

bool platform_marker_get(const char *state_dir, const char *name)
{
	return name_is_plain(name) && marker_is_there(state_dir, name) == 1;
}

/* --- Captured output --------------------------------------------------------------- */

int platform_capture(int ret_pipe[static 2])
{
	int pipe[2], up;

	if (pipe2(pipe, O_CLOEXEC) < 0)
		return -errno;
	up = fds_copy_up(pipe[0]);
	if (up < 0) {
		close(pipe[0]);
		close(pipe[1]);
		return up;
	}
	close(pipe[0]);
	fcntl(up, F_SETFL, O_NONBLOCK);
	ret_pipe[0] = up;
	ret_pipe[1] = pipe[1];
	return 0;
}

void platform_capture_close(int pipe[static 2])
{
	pipe_close(pipe[0]);
	pipe_close(pipe[1]);
}

bool platform_capture_alone(int pipe[static 2])
{
	struct pollfd reading = {.fd = pipe[0]};

	pipe_close(pipe[1]);
	pipe[1] = -1;
	return poll(&reading, 1, 0) > 0 && reading.revents & POLLHUP;
}

/* Of O_ASYNC the pipe itself would have to hear, and whoever writes may hold it. */
void platform_capture_renew(const int pipe[static 2])
{
	fcntl(pipe[1], F_SETFL, fcntl(pipe[1], F_GETFL) & O_ASYNC);
}

void platform_capture_owner(const int pipe[static 2], uint32_t uid, uint32_t gid)
{
	if (fchown(pipe[1], uid, gid) == 0)
		fchmod(pipe[1], PIPE_MODE);
}

int platform_store(int dirfd, uint32_t capacity, uint32_t group, bool *ret_file)
{
	return store_make(dirfd, capacity, (gid_t)group, ret_file);
}

int platform_store_written(int fd, uint32_t number, int pipe, uint64_t *ret_bytes)
{
	return store_written(fd, number, pipe, ret_bytes);
}

int platform_store_copy(int from, int to, uint32_t capacity)
{
	return store_copy(from, to, capacity);
}

int platform_store_allocate(int fd, uint32_t capacity, uint32_t number)
{
	return store_allocate(fd, capacity, number);
}

void platform_store_release(int fd, uint32_t capacity, uint32_t number)
{
	store_release(fd, capacity, number);
}

void platform_close(int fd)
{
	if (fd >= 0)
		close(fd);
}
