/* Births: starting one process of a service.
 *
 * The child shares sinit's memory until it executes its command (CLONE_VM without
 * CLONE_VFORK): no page tables are copied and no pipe is needed to learn of a failure,
 * which the child writes into its slot. The kernel tells the end of the sharing by
 * clearing a word and waking its futex (set_tid_address(2)), for which sinit waits a
 * bounded time: an exec that hangs on a dead file system does not hang PID 1, it is
 * "pending" and asked again by deadline.
 * A child of a slice is born there by CLONE_INTO_CGROUP; where that is refused (an old kernel,
 * a seccomp filter that knows no clone3), or would kill the child (see struct slice), it moves
 * itself, as its first step.
 * Two kinds of child are a plain fork instead, with a memory of its own: one with an
 * oom_score_adj, since the kernel gives that value to everybody who shares the memory; and one
 * in a slice in which the kernel may kill for want of memory, since it kills everybody who
 * shares the victim's memory (mm/oom_kill.c, __oom_kill_process). Both would be sinit.
 * Owns: the child's stacks and slots. May call: reaper/child, raw system calls. */
#ifndef SINIT_REAPER_SPAWN_H
#define SINIT_REAPER_SPAWN_H

#include "init/base.h"
#include "init/board.h"

#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

enum { SPAWN_SLOTS = 4, SPAWN_DETAIL = 64, SPAWN_LIMITS = 16 };

struct spawn_limit {
	int resource; /* RLIMIT_* */
	uint64_t soft, hard;
};

enum spawn_stdio { STDIO_INHERIT, STDIO_NULL, STDIO_PATH, STDIO_PIPE };

/* What its stdout or stderr is. */
struct spawn_output {
	uint8_t kind; /* STDIO_INHERIT, STDIO_NULL or STDIO_PIPE */
	int fd;       /* for STDIO_PIPE */
};

/* Everything about a process to be. Pointers are borrowed until spawn returns, and if
 * it answers "pending" until that ends. */
struct spawn {
	char *const *argv;
	const char *program; /* absolute path to execute instead of argv[0], or NULL */
	char *const *envp;
	const char *path;       /* PATH to look argv[0] up in */
	const char *directory;  /* NULL: "/" */
	const char *tty;        /* NULL, or a terminal: stdin, stdout, stderr, controlling */
	const char *stdin_path; /* for STDIO_PATH */
	uint8_t in;             /* enum spawn_stdio */
	struct spawn_output out, err;
	bool in_slice; /* born in the cgroup of which slice_fd is the directory */
	int slice_fd;
	bool may_oom;      /* that cgroup, or one below it, may have a limit of memory */
	bool walks_in;     /* it moves there itself, since it would be killed at birth */
	bool foreground;   /* not a session of its own but a process group, made the
			      terminal's foreground group if stdin is a terminal */
	bool set_ids;      /* change to uid, gid, groups */
	bool unknown_user; /* the user or group was not found when loading: STEP_USER, ENOENT */
	uid_t uid;
	gid_t gid;
	const gid_t *groups;
	size_t group_count;
	int umask;         /* -1: unchanged */
	int nice;          /* INT_MIN: unchanged */
	int oom_score_adj; /* INT_MIN: unchanged */
	const struct spawn_limit *limits;
	size_t limit_count;
};

struct spawn_result {
	pid_t pid;      /* > 0 if a process was made (it must be reaped even after a failure) */
	bool stillborn; /* one that was to be born in the slice was killed at birth, and is to be
			   reaped; `pid` is another one, which has moved there: cgroup.kill was once
			   written to the slice, or to sinit's cgroup, and the kernel has not
			   forgotten */
	bool pending;   /* its exec has neither succeeded nor failed yet */
	uint8_t step;   /* enum spawn_step that failed, STEP_NONE: success */
	int error;      /* errno of that step */
	char detail[SPAWN_DETAIL]; /* the interpreter's name and the like; may be "" */
};

struct spawner;

/* Allocates the stacks; once, at load, when sinit's own signal dispositions are as they
 * will stay: which of them a child must reset is found out here. NULL: out of memory. */
struct spawner *spawner_new(void);

/* For tests. No spawn may be pending. */
void spawner_free(struct spawner *spawner);

/* Starts a process; every signal must be blocked. 0: *ret is filled (look at step and pending;
 * with STEP_CGROUP there may be no process); -errno: no process was made (-EAGAIN, -ENOMEM: the
 * system has none to give; -EBUSY: all slots pending). */
int spawn_start(struct spawner *spawner, const struct spawn *spawn, struct spawn_result *ret);

/* Asks for a pending spawn's end: fills *ret as spawn_start does. -ENOENT: no such.
 * A child that was killed before its exec counts as having succeeded: its death tells.
 * To be asked after the death of a pending child too, since that frees its slot. */
int spawn_poll(struct spawner *spawner, pid_t pid, struct spawn_result *ret);

#endif
