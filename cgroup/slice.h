/* One service's slice: its directory, opened once; everything else by openat(2).
 *
 * Nothing here blocks or allocates, with one exception that is said where it is.
 * Owns: the descriptor and the watches in a struct slice. May call: tree, limits, libc. */
#ifndef SINIT_CGROUP_SLICE_H
#define SINIT_CGROUP_SLICE_H

#include "cgroup/limits.h"
#include "init/board.h"

#include <stdbool.h>
#include <stdint.h>

struct cgroup_tree;

#define SLICE_SUFFIX ".service" /* of its directory's name, behind the service's */

struct slice {
	int fd;        /* -1: there is none */
	int events_wd; /* watch of cgroup.events, -1: none (yet) */
	int memory_wd; /* watch of memory.events, -1: none */
	bool killed;   /* by cgroup.kill, or may have been: births must move into it. Linux 6.18
			  and others take a child of CLONE_INTO_CGROUP for one that was forked
			  while the kill went on, for ever after it, and kill it at birth */
};

/* memory.events, of the slice and all below it. */
struct slice_memory {
	uint64_t high;     /* times that memory.high was passed */
	uint64_t oom;      /* times that an allocation would have failed at a limit */
	uint64_t own_oom;  /* those at the limit of the slice itself */
	uint64_t oom_kill; /* processes killed */
	uint64_t group;    /* times that all were killed together */
};

/* Makes the slice of a service or takes the one that is there, and has the kernel tell of its
 * memory. 0 or -errno. */
int slice_open(struct cgroup_tree *tree, const char *service, struct slice *ret);

/* Has the kernel tell when it gets its first process and loses its last: not from the start, as
 * each birth would be told of. True: from now on; false: it does already, or cannot. */
bool slice_watch(struct cgroup_tree *tree, const char *service, struct slice *slice);

/* For another life in it: not frozen, and without the cgroups that the last one made below. */
void slice_tidy(struct slice *slice);

/* A service that makes cgroups below its slice and gives them its controllers must have no
 * processes in the slice itself. Then what sinit starts beside it (checks, commands) goes to
 * this leaf. Returns its descriptor, or -errno. */
#define SLICE_LEAF "sinit"
int slice_leaf(const struct slice *slice);
void slice_close_leaf(int fd);

/* Whether it has as many processes and threads as pids_max allows. */
bool slice_full(const struct slice *slice);

/* Closes it and removes the directory, with empty ones below it. 0; -EBUSY: processes are
 * in it, and the directory stays; -errno. It is closed in any case. */
int slice_remove(struct cgroup_tree *tree, const char *service, struct slice *slice);

/* Writes a limit; NULL takes it away. 0; -EINVAL, -errno of the write. On a slice that is in
 * use the kernel first reclaims memory for memory_max and memory_high, which takes time: then
 * it is for a child, not for PID 1. */
int slice_limit(const struct slice *slice, enum cgroup_limit limit, const char *value);

/* Whether the limit is set so already; false if that cannot be told. */
bool slice_has_limit(const struct slice *slice, enum cgroup_limit limit, const char *value);

/* memory.oom.group: whether all of the slice are killed together. 0 or -errno. */
int slice_oom_group(const struct slice *slice, bool together);

/* Sets memory.high alone, for memory_warn; UINT64_MAX: none. 0 or -errno. */
int slice_high(const struct slice *slice, uint64_t bytes);
bool slice_high_is(const struct slice *slice, uint64_t bytes);

/* Signals all of the slice and below it. KILL is done by cgroup.kill (Linux 5.14), else while
 * they are frozen, so that none escapes by forking. Sig 0 asks only: then zombies do not
 * count. True if there was anybody, or that cannot be known now. */
bool slice_signal(struct slice *slice, int sig);

/* Writes cgroup.freeze; it takes effect in a while. 0 or -errno. */
int slice_freeze(const struct slice *slice, bool frozen);

/* Whether somebody has it frozen, or is about to. */
bool slice_frozen(const struct slice *slice);

/* Reads memory.events. 0 or -errno (-ENOENT: no memory controller). */
int slice_memory(const struct slice *slice, struct slice_memory *ret);

/* memory.current, bytes; 0 if it cannot be read. */
uint64_t slice_memory_used(const struct slice *slice);

/* memory.peak, bytes; 0 if there is none (Linux before 5.19). */
uint64_t slice_memory_peak(const struct slice *slice);

/* memory.current less what can be dropped (the cache of files in memory.stat): what memory_warn
 * is about. */
uint64_t slice_memory_needed(const struct slice *slice);

/* Everything for the board, with the time; what the kernel does not have stays 0 in
 * ret->have. Some 14 small files are opened, read and closed. */
void slice_read(const struct slice *slice, struct board_reading *ret);

#endif
