/* Cgroups of the simulated kernel: cgroup/slice.h over the processes of kernel.c.
 *
 * A slice is known by the number of its service. What happens to it by itself: the kernel kills
 * in it for want of memory, memory.high is passed, and now and then it says that it is empty
 * only some moments after its last process was reaped. Events of that come by way of a queue,
 * which may overflow, or there is no watch at all. */
#ifndef SINIT_TESTS_SIM_SLICES_H
#define SINIT_TESTS_SIM_SLICES_H

#include "cgroup/tree.h"
#include "tests/sim/kernel.h"

/* What the checks want to know of one. */
struct sim_slice {
	bool there; /* its directory */
	bool left;  /* given back with processes in it */
	bool frozen;
	bool killed;   /* by cgroup.kill: who is not moved into it is killed at birth */
	bool capped;   /* memory_max is set: only then is it killed for memory */
	bool together; /* memory.oom.group */
	int fd;        /* while it is open, else -1 */
	int events_wd, memory_wd;
	uint32_t live;      /* processes in it */
	int64_t full_until; /* it seems to have processes until then, 0: it says how it is */
	int64_t oom_at;     /* the kernel kills in it then, 0: it does not */
	int64_t late_at;    /* it has counted `late` then, and tells; 0: it has */
	int64_t high_at;    /* memory.high is passed then, 0: never */
	int64_t slow_since; /* it was, and is still in force, 0: no */
	uint64_t wire;      /* memory.high, UINT64_MAX: none */
	uint64_t used, cache;
	uint64_t high, oom, oom_kill, group; /* of memory.events */
	uint64_t late; /* kills that are counted then, or when those killed have gone */
};
extern struct sim_slice slices[KERNEL_SERVICES];

void slices_reset(void);

/* Fills *ret: slices can be had, with the memory controller or without. */
void slices_tree(struct cgroup_tree *ret, bool memory);

/* By number + 1 as in struct process. */
void slices_enter(pid_t pid, uint8_t slice);
void slices_leave(pid_t pid);

/* That of a descriptor, as in struct process; 0: fails the test. */
uint8_t slices_of(int fd);

/* What happens by itself: when next (0: never); and lets it happen. */
int64_t slices_next(void);
void slices_run(void);

/* Whether there are events; and tells the supervisor of them. */
bool slices_have_events(void);
void slices_tell(void (*event)(int wd));

/* Descriptors that are open, slices that are frozen. */
uint32_t slices_open_count(void);
uint32_t slices_frozen_count(void);

/* While slice_signal() is at work: that the signal comes from there. */
bool slices_signalling(void);

#endif
