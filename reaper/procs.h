/* Lists of processes out of /proc, and what it says of one of them.
 *
 * Owns: nothing but the open list. May call: libc. */
#ifndef SINIT_REAPER_PROCS_H
#define SINIT_REAPER_PROCS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* A list of pids in decimal, from a file of blank-separated numbers or a directory. */
struct procs {
	int fd;
	bool directory;
	size_t used, count;
	_Alignas(8) char buffer[4096];
};

/* Whether /proc is there and speaks of our own PID namespace. */
bool procs_ours(void);

/* Opens such a file or directory. 0 or -errno. */
int procs_open(struct procs *procs, const char *path, bool directory);

/* The next number; 0 at the end. */
pid_t procs_next(struct procs *procs);

void procs_close(struct procs *procs);

/* State letter and parent of a process as /proc/PID/stat (proc_pid_stat(5)) has them.
 * False if it cannot be read. */
bool procs_stat(pid_t pid, char *ret_state, pid_t *ret_parent);

/* Whether there is such a process and it is no zombie. Of a child it is known without
 * /proc. */
bool procs_alive(pid_t pid);

#endif
