/* How much is in a pipe, and its end, for PID 1.
 *
 * Whoever writes into a pipe holds it until all is copied (fs/pipe.c, pipe_write), and where his
 * memory is a file on a dead disk, or is held back at memory.high, that may be long. FIONREAD waits
 * for him, and no signal ends that. So a child that shares PID 1's memory asks, and PID 1 waits for
 * it for some time. May call: libc. */
#ifndef SINIT_INIT_PIPE_H
#define SINIT_INIT_PIPE_H

/* 0 and *ret bytes; -ETIMEDOUT: somebody has held it for half a second; -EBUSY: the child of an
 * earlier question is still held; -errno. From one thread. */
int pipe_left(int fd, int *ret);

/* Closes an end of a pipe (a negative one: nothing), which may wait as long if it is the last one
 * of its kind: soon, by a child that nobody waits for. */
void pipe_close(int fd);

#endif
