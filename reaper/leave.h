/* When a child that was born with CLONE_VM has left our memory.
 * Owns: nothing. Makes system calls. May call: kernel, libc. */
#ifndef SINIT_REAPER_LEAVE_H
#define SINIT_REAPER_LEAVE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Waits, at most `timeout` ms (below 1000), until the word is 0: what the child has given to
 * set_tid_address(2) the kernel clears at its exec or exit, and tells by FUTEX_WAKE. False: it is
 * not. */
bool leave_wait(const _Atomic uint32_t *word, int64_t timeout);

#endif
