/* Making RUNDIR/logs (log/store.h): PID 1's part of it. It does not map it.
 * Owns: nothing. May call: store, pipe, libc. */
#ifndef SINIT_LOG_STORE_MAKE_H
#define SINIT_LOG_STORE_MAKE_H

#include "log/store.h"

#include <sys/types.h>

/* Makes the file in directory `dirfd` in place of an older one, readable for `group` ((gid_t)-1:
 * for its owner's group), with its space allocated, so that no later write meets a full file
 * system; where that cannot be, in memory (memfd_create(2)), where sinitctl does not see it, and
 * *ret_file is false. A descriptor, close-on-exec, or -errno. */
int store_make(int dirfd, uint32_t capacity, gid_t group, bool *ret_file);

/* Copies all that a store has to a new one of the same capacity. 0 or -errno. */
int store_copy(int from, int to, uint32_t capacity);

/* Allocates a stream's ring. 0 or -errno: it may not be used. */
int store_allocate(int fd, uint32_t capacity, uint32_t index);

/* How many bytes have been written to a stream so far: what is taken, and what is in its pipe. 0;
 * -EAGAIN: the logger is just moving some, for 20 ms or more, and nobody can tell; or what
 * pipe_left() answers. */
int store_written(int fd, uint32_t index, int pipe, uint64_t *ret_bytes);

/* The stream is none's any more: gives the space of its ring back. */
void store_release(int fd, uint32_t capacity, uint32_t index);

#endif
