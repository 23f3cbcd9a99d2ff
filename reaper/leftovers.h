/* What a service left behind: processes of its session after its main process has ended.
 *
 * A service is a session (setsid(2)) and, at first, one process group in it. Whoever made
 * a group of its own (a shell with job control, setpgid(2)) is still in the session; when
 * its parent dies it becomes a child of ours and is found here. A process that made a
 * *session* of its own is out of reach: it is the cgroup's business.
 *
 * The common case, nothing is left, costs two system calls and reads no file: kill(2) says
 * that the group is empty, and fcntl(2) F_SETOWN answers ESRCH if a number is used neither
 * as a process's, a group's nor a session's. Only if that is not so is the list of our
 * children (/proc/thread-self/children, or all of /proc on a kernel without it) read.
 * Without /proc, or with that of another PID namespace, only the group counts.
 * Session numbers must be those of services whose main process is alive, unreaped or was
 * reaped just now: the number of an empty session may be given to a stranger later.
 * Owns: what the last look at the children found, and a descriptor. May call: libc. */
#ifndef SINIT_REAPER_LEFTOVERS_H
#define SINIT_REAPER_LEFTOVERS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Opens the descriptor by which sessions are asked about, if it is not open yet; it stays
 * open. 0 or -errno: without it the answers are the same, but cost more. */
int leftovers_open(void);

/* Signals all of session `sid` that can be found: its first group and the children of ours
 * that are in it, with everything of the session below them. Sig 0 asks only. 1 if there
 * were any (zombies apart; a group's count as long as they are unreaped), 0 if none, -errno.
 * What became our child only after it was looked for (its parent died of this very signal)
 * is missed: while asking (sig 0) still finds something, KILL must be sent again. */
int leftovers_signal(pid_t sid, int sig);

/* Signals every descendant of this process, found by the parents in /proc.
 * -ENOENT: there is no /proc to find them in. */
int leftovers_signal_descendants(int sig);

#endif
