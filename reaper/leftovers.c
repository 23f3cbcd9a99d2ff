#include "reaper/leftovers.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DEPTH_MAX = 64 }; /* generations that are walked up to find out a descent */

/* --- Lists of processes ------------------------------------------------------------ */

/* A list of pids in decimal, from a file of blank-separated numbers or a directory. */
struct pids {
	int fd;
	bool directory;
	size_t used, count;
	_Alignas(8) char buffer[4096];
};

struct entry { /* struct linux_dirent64 of getdents64(2) */
	uint64_t inode;
	int64_t offset;
	uint16_t length;
	uint8_t type;
	char name[];
};

/* Whether /proc is there and speaks of our own PID namespace. */
static bool proc_is_ours(void)
{
	char link[16];
	ssize_t length = readlink("/proc/self", link, sizeof(link) - 1);

	if (length <= 0)
		return false;
	link[length] = '\0';
	return strtol(link, NULL, 10) == getpid();
}

static int pids_open(struct pids *pids, const char *path, bool directory)
{
	pids->fd = open(path, O_RDONLY | O_CLOEXEC | (directory ? O_DIRECTORY : 0));
	pids->directory = directory;
	pids->used = pids->count = 0;
	return pids->fd < 0 ? -errno : 0;
}

/* Next entry of the directory that is a number; 0 at the end. */
static pid_t next_in_directory(struct pids *pids)
{
	for (;;) {
		if (pids->used >= pids->count) {
			long count =
			    syscall(SYS_getdents64, pids->fd, pids->buffer, sizeof(pids->buffer));
			if (count <= 0)
				return 0;
			pids->count = (size_t)count;
			pids->used = 0;
		}
		const struct entry *entry = (const void *)(pids->buffer + pids->used);
		pids->used += entry->length;
		if (entry->name[0] >= '1' && entry->name[0] <= '9')
			return (pid_t)strtol(entry->name, NULL, 10);
	}
}

static int next_byte(struct pids *pids)
{
	if (pids->used == pids->count) {
		ssize_t count = read(pids->fd, pids->buffer, sizeof(pids->buffer));
		if (count <= 0)
			return -1;
		pids->count = (size_t)count;
		pids->used = 0;
	}
	return pids->buffer[pids->used++];
}

/* Next number of the file; 0 at the end. */
static pid_t next_in_file(struct pids *pids)
{
	pid_t pid = 0;
	int byte = next_byte(pids);

	for (; byte >= '0' && byte <= '9'; byte = next_byte(pids))
		pid = pid * 10 + (byte - '0');
	return pid;
}

static pid_t pids_next(struct pids *pids)
{
	return pids->directory ? next_in_directory(pids) : next_in_file(pids);
}

/* --- Single processes -------------------------------------------------------------- */

/* State letter and parent of a process as /proc/PID/stat (proc_pid_stat(5)) has them. */
static bool read_stat(pid_t pid, char *ret_state, pid_t *ret_parent)
{
	char path[32], text[256];
	int parent;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ssize_t count = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (count <= 0)
		return false;
	text[count] = '\0';
	/* The name in brackets may hold anything, brackets as well. */
	const char *rest = strrchr(text, ')');
	if (!rest || sscanf(rest, ") %c %d", ret_state, &parent) != 2)
		return false;
	*ret_parent = parent;
	return true;
}

static bool is_alive(pid_t pid)
{
	siginfo_t info = {0};
	char state;
	pid_t parent;

	if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0)
		return info.si_pid == 0;
	return read_stat(pid, &state, &parent) && state != 'Z' && state != 'X';
}

/* False if no process, not even a zombie, is of this session or group. True may be wrong:
 * the number is a stranger's by now, or the kernel (before 4.13) does not tell. */
static bool may_exist(int fd, pid_t sid)
{
	return fcntl(fd, F_SETOWN, sid) == 0 || errno != ESRCH;
}

/* Some descriptor to ask may_exist() by; never one that others share. */
static int asking_open(void)
{
	return eventfd(0, EFD_CLOEXEC);
}

/* --- Children of ours -------------------------------------------------------------- */

/* Our children, or, on a kernel that does not list them, all processes. */
static int children_open(struct pids *pids)
{
	int error = pids_open(pids, "/proc/thread-self/children", false);

	if (error == -ENOENT)
		error = pids_open(pids, "/proc", true);
	return error;
}

/* Signals all of the session outside of its first group, wherever they stand in the tree.
 * Returns whether there were any. */
static bool signal_everywhere(pid_t sid, int sig)
{
	struct pids pids;
	bool any = false;

	if (pids_open(&pids, "/proc", true) < 0)
		return false;
	for (pid_t pid; (pid = pids_next(&pids)) > 0;) {
		if (pid == sid || getsid(pid) != sid || getpgid(pid) == sid || !is_alive(pid))
			continue;
		if (sig != 0)
			kill(pid, sig);
		any = true;
	}
	close(pids.fd);
	return any;
}

/* Whether a live orphan of ours is in the session, outside of its first group. */
static bool has_orphan(pid_t sid)
{
	struct pids pids;
	bool found = false;

	if (children_open(&pids) < 0)
		return false;
	for (pid_t pid; !found && (pid = pids_next(&pids)) > 0;)
		found = pid != sid && getsid(pid) == sid && getpgid(pid) != sid && is_alive(pid);
	close(pids.fd);
	return found;
}

int leftovers_signal(pid_t sid, int sig)
{
	if (sid <= 1)
		return -EINVAL;
	bool group = kill(-sid, sig) == 0;
	if (!group && errno != ESRCH)
		return -errno;

	int fd = asking_open();
	bool maybe = fd < 0 || may_exist(fd, sid);
	if (fd >= 0)
		close(fd);
	if (!maybe || !proc_is_ours() || !has_orphan(sid))
		return group;
	return signal_everywhere(sid, sig) || group;
}

/* --- Many sessions at once --------------------------------------------------------- */

/* How many of the sessions may have anybody left. */
static size_t count_possible(const pid_t *sid, size_t n)
{
	size_t maybe = 0;
	int fd = asking_open();

	for (size_t i = 0; i < n; i++)
		maybe += fd < 0 || may_exist(fd, sid[i]);
	if (fd >= 0)
		close(fd);
	return maybe;
}

/* Whether there are more children than `known`; true if that cannot be told. */
static bool has_unknown(size_t known)
{
	struct pids pids;
	size_t count = 0;

	if (children_open(&pids) < 0)
		return false;
	if (pids.directory)
		count = known + 1;
	while (count <= known && pids_next(&pids) > 0)
		count++;
	close(pids.fd);
	return count > known;
}

int leftovers_find(const pid_t *sid, bool *left, size_t n, size_t known)
{
	struct pids pids;
	if (n == 0)
		return 0;
	size_t maybe = count_possible(sid, n);
	size_t found = 0;
	bool ours = maybe > 0 && proc_is_ours() && has_unknown(known);
	int error = ours ? children_open(&pids) : 0;
	memset(left, 0, n * sizeof(*left));
	if (!ours || error)
		return error;
	for (pid_t pid; found < maybe && (pid = pids_next(&pids)) > 0;) {
		pid_t session = getsid(pid);
		if (session <= 0 || session == pid)
			continue; /* started by us, or out of reach */
		for (size_t i = 0; i < n; i++) {
			if (sid[i] != session || left[i] || !is_alive(pid))
				continue;
			left[i] = true;
			found++;
		}
	}
	close(pids.fd);
	return 0;
}

/* --- Everybody --------------------------------------------------------------------- */

static bool is_descendant(pid_t pid)
{
	pid_t self = getpid();
	char state;

	for (int depth = 0; depth < DEPTH_MAX && pid > 1; depth++) {
		if (!read_stat(pid, &state, &pid))
			return false;
		if (pid == self)
			return true;
	}
	return false;
}

int leftovers_signal_descendants(int sig)
{
	struct pids pids;

	if (!proc_is_ours())
		return -ENOENT;
	int error = pids_open(&pids, "/proc", true);
	if (error)
		return error;
	for (pid_t pid; (pid = pids_next(&pids)) > 0;)
		if (is_descendant(pid))
			kill(pid, sig);
	close(pids.fd);
	return 0;
}
