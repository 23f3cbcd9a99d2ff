/* A process killed at every moment that can be told from the one before, one after the other: at
 * each system call, in the middle of those that move bytes, and at each store into a piece of
 * shared memory in between. By ptrace(2).
 *
 *     for (struct moment m = {0}; !m.over;) {
 *         ...make the world...
 *         moment_kill(&m, work, context, memory, size);
 *         ...what is to be well is well...
 *     } */
#ifndef TESTS_UNIT_MOMENTS_H
#define TESTS_UNIT_MOMENTS_H

#include <stdbool.h>
#include <stddef.h>

struct moment {
	unsigned call;   /* behind that many system calls */
	unsigned part;   /* the last one of them, a write, splice or read, moved only a part */
	unsigned store;  /* behind that many stores into the memory after it */
	bool stores;     /* there are any; before that is known: at the next call */
	bool calls_only; /* to be set before: no stores are looked at, which takes less time */
	bool whole;      /* likewise: no call moves a part only */
	bool over;       /* this one was not killed: it came to its end */
};

/* Runs `work` in a child that is killed at this moment, and goes on to the next one. The child's
 * moments begin where it calls moments_begin(). One that ends in another way fails the test. */
void moment_kill(
    struct moment *moment, void (*work)(void *), void *context, const void *memory, size_t size);
void moments_begin(void);

/* Runs it in a child to its end. */
void moment_none(void (*work)(void *), void *context);

#endif
