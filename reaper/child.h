/* The child's side of a birth: everything between clone(2) and execve(2).
 *
 * The code behind child_main() runs while it shares sinit's memory, so it makes raw
 * system calls only, touches neither errno nor any global, and takes no lock. What it is
 * told and what it answers is one record in memory shared with the parent.
 * Owns nothing. May call: reaper/exec, raw system calls. */
#ifndef SINIT_REAPER_CHILD_H
#define SINIT_REAPER_CHILD_H

#include "reaper/spawn.h"

#include <stdatomic.h>
#include <stdint.h>

struct birth {
	_Atomic uint32_t word; /* 1 until the child has left this memory (exec or exit) */
	uint8_t step;          /* the answer: enum spawn_step that failed */
	int error;
	char detail[SPAWN_DETAIL];

	struct spawn what; /* the order; `limits` points to the copy below */
	struct spawn_limit limits[SPAWN_LIMITS];
	char oom_score_adj[16]; /* as text; "": unchanged */
	bool begun;             /* the child has come to life */
	bool moves;             /* it has to move itself to its slice */
	bool shares_memory;     /* born with CLONE_VM: tell the kernel of `word` */
	int null_fd;            /* an open /dev/null, or -1 */
	uint64_t reset_signals; /* bit n-1: signal n is not at its default here */
};

/* Becomes the command. Every signal must be blocked. Never returns: on failure it fills
 * step, error and detail, and exits with 127. `birth` is a struct birth. */
int child_main(void *birth);

#endif
