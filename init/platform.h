/* The seam: every system call of the supervisor. Thin wrappers, 0 or -errno;
 * tests/sim has another platform.c behind the same declarations, a simulated kernel.
 * Owns: nothing. May call: libc. */
#ifndef SINIT_INIT_PLATFORM_H
#define SINIT_INIT_PLATFORM_H

#include "reaper/spawn.h"
#include "reaper/status.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

int64_t platform_now(void);    /* CLOCK_MONOTONIC, ms: clock_gettime(2) */
int64_t platform_now_us(void); /* the same clock, us: for what is shorter than a turn */
int64_t platform_wall(void);   /* CLOCK_REALTIME, ns */

/* Opens what stays open for good, once, at load. 0 or -errno: it is tried again when needed. */
int platform_prepare(void);

/* Starts a process; see reaper/spawn.h. */
int platform_spawn(struct spawner *spawner, const struct spawn *spawn, struct spawn_result *ret);

/* See spawn_pending(): has a spawn that answered "pending" come to an end? */
int platform_spawn_poll(struct spawner *spawner, pid_t pid, struct spawn_result *ret);

/* Forks (a copy of this process), running `main_of_child(arg)` there and leaving with
 * its result. For work that may block or allocate. Returns the pid, or -errno. */
pid_t platform_fork(int (*main_of_child)(void *), void *arg);

/* The next death. 1: *ret_pid has died; 0: none now, *ret_again (ms, 0: at the next
 * SIGCHLD) tells when to ask again; -ECHILD: there are no children. `hint` is the pid
 * named by the last SIGCHLD, or 0. See reaper/reap.h. */
int platform_reap(pid_t hint, pid_t *ret_pid, struct exit_status *ret, int64_t *ret_again);

/* Parent of a process, by proc_pid_stat(5); 0: it cannot be told. */
pid_t platform_parent(pid_t pid);

/* Session of a process, getsid(2); 0: it cannot be told. */
pid_t platform_session(pid_t pid);

/* Whether it is an unreaped child of ours: waitid(2) with WNOWAIT. */
bool platform_is_child(pid_t pid);

/* Sends a datagram on a channel without waiting. 0; -EAGAIN: there is no room now; -errno. */
int platform_send(int fd, const void *message, size_t size);

/* kill(2) of one process; 0 or -errno. A child that has not been reaped keeps its
 * number, so this never meets a stranger: only pids not yet reaped may be given. */
int platform_kill(pid_t pid, int sig);

/* Signals every process of the session (and process group) `sid`: those in the group
 * by kill(-sid), and with it every orphan of ours in session `sid`. sig 0 asks only.
 * Returns 1 if there were any, 0 if none, -errno. */
int platform_kill_session(pid_t sid, int sig);

/* Remembers in STATE_DIR/stopped/NAME that a service was stopped by hand (or forgets
 * it). The directory is made when first needed. 0 or -errno. */
int platform_marker_set(const char *state_dir, const char *name, bool stopped);
bool platform_marker_get(const char *state_dir, const char *name);

/* Ends every process but this one (PID 1 of its own namespace: kill(-1, sig) from a
 * forked child since it can block; else every descendant found in /proc). 0 or -errno. */
int platform_kill_everything(int sig);

/* A pipe for the output of a service: to read from without waiting, to write to. 0 or -errno. */
int platform_capture(int ret_pipe[static 2]);
void platform_capture_close(int pipe[static 2]);
/* Gives its end for writing up. Whether nobody else has one. */
bool platform_capture_alone(int pipe[static 2]);
/* What a life before has made of its end, O_NONBLOCK and O_DIRECT
 * (fcntl(2)), the next one has not. */
void platform_capture_renew(const int pipe[static 2]);
/* Whoever writes into it as that user may open it by its path, /dev/stderr. */
void platform_capture_owner(const int pipe[static 2], uint32_t uid, uint32_t gid);

/* The logger's store: see log/store_make.h. */
int platform_store(int dirfd, uint32_t capacity, uint32_t group, bool *ret_file);
int platform_store_written(int fd, uint32_t number, int pipe, uint64_t *ret_bytes);
int platform_store_copy(int from, int to, uint32_t capacity);
int platform_store_allocate(int fd, uint32_t capacity, uint32_t number);
void platform_store_release(int fd, uint32_t capacity, uint32_t number);

/* Closes a descriptor; -1 is passed over. */
void platform_close(int fd);

/* Gives back memory that was mapped, munmap(2). */
void platform_unmap(void *memory, size_t size);

/* True if this process is PID 1 of its PID namespace. */
bool platform_is_pid1(void);

#endif
