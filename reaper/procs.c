#include "reaper/procs.h"

#include "init/raw_syscall.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- Lists of processes ------------------------------------------------------------ */

bool procs_ours(void)
{
	char link[16];
	ssize_t length = readlink("/proc/self", link, sizeof(link) - 1);

	if (length <= 0)
		return false;
	link[length] = '\0';
	return strtol(link, NULL, 10) == getpid();
}

int procs_open(struct procs *procs, const char *path, bool directory)
{
	procs->fd = open(path, O_RDONLY | O_CLOEXEC | (directory ? O_DIRECTORY : 0));
	procs->directory = directory;
	procs->used = procs->count = 0;
	return procs->fd < 0 ? -errno : 0;
}

/* Next entry of the directory that is a number; 0 at the end. */
static pid_t next_in_directory(struct procs *procs)
{
	for (;;) {
		if (procs->used >= procs->count) {
			long count = syscall(
			    SYS_getdents64, procs->fd, procs->buffer, sizeof(procs->buffer));
			if (count <= 0)
				return 0;
			procs->count = (size_t)count;
			procs->used = 0;
		}
		const struct directory_entry *entry = (const void *)(procs->buffer + procs->used);
		procs->used += entry->length;
		if (entry->name[0] >= '1' && entry->name[0] <= '9')
			return (pid_t)strtol(entry->name, NULL, 10);
	}
}

static int next_byte(struct procs *procs)
{
	if (procs->used == procs->count) {
		ssize_t count = read(procs->fd, procs->buffer, sizeof(procs->buffer));
		if (count <= 0)
			return -1;
		procs->count = (size_t)count;
		procs->used = 0;
	}
	return procs->buffer[procs->used++];
}

/* Next number of the file; 0 at the end. */
static pid_t next_in_file(struct procs *procs)
{
	pid_t pid = 0;
	int byte = next_byte(procs);

	for (; byte >= '0' && byte <= '9'; byte = next_byte(procs))
		pid = pid * 10 + (byte - '0');
	return pid;
}

pid_t procs_next(struct procs *procs)
{
	return procs->directory ? next_in_directory(procs) : next_in_file(procs);
}

void procs_close(struct procs *procs)
{
	close(procs->fd);
}

/* --- Single processes -------------------------------------------------------------- */

bool procs_stat(pid_t pid, char *ret_state, pid_t *ret_parent)
{
	char path[32], text[256], *end;
	long parent;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ssize_t count = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (count <= 0)
		return false;
	text[count] = '\0';
	/* "12 (name) S 1 ...": the name may hold anything, brackets as well. By hand, since
	 * sscanf(3) alone is 7 KiB of the binary. */
	const char *rest = strrchr(text, ')');
	if (!rest || rest[1] != ' ' || rest[2] == '\0' || rest[3] != ' ')
		return false;
	parent = strtol(rest + 4, &end, 10);
	if (end == rest + 4)
		return false;
	*ret_state = rest[2];
	*ret_parent = (pid_t)parent;
	return true;
}

bool procs_alive(pid_t pid)
{
	siginfo_t info = {0};
	char state;
	pid_t parent;

	if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0)
		return info.si_pid == 0;
	return procs_stat(pid, &state, &parent) && state != 'Z' && state != 'X';
}
