/* The prober of the simulated world: it takes what it is told, and finds verdicts by chance. */
#ifndef SINIT_TESTS_SIM_PROBER_H
#define SINIT_TESTS_SIM_PROBER_H

#include <stddef.h>
#include <stdint.h>

enum { PROBER_FD = 7 };

/* A new world; then the supervisor may be given PROBER_FD. */
void prober_reset(void);

/* A message of the supervisor's. 0, -EAGAIN: the channel is full, -EPIPE: there is none. */
int prober_take(const void *message, size_t size);

/* When it does something next, 0: never; and does it. */
int64_t prober_next(void);
void prober_run(void);

/* It dies, and there is a new one soon. */
void prober_die(void);

/* What it makes is just what the services' states ask for. */
void prober_check(void);

#endif
