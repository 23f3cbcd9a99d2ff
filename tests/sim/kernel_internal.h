/* Between kernel.c, platform.c and slices.c. */
#ifndef SINIT_TESTS_SIM_KERNEL_INTERNAL_H
#define SINIT_TESTS_SIM_KERNEL_INTERNAL_H

#include "tests/sim/kernel.h"

static inline bool kernel_lives(const struct process *p)
{
	return p->state == PROCESS_ALIVE || p->state == PROCESS_PENDING;
}

pid_t kernel_new_pid(void); /* 0: there is none */
void kernel_set_session(pid_t pid, pid_t sid);
void kernel_free(pid_t pid);
void kernel_execute(pid_t pid);
void kernel_end(pid_t pid, uint8_t kind, int code);
void kernel_take_signal(pid_t pid, int sig);
void kernel_take_stop(pid_t pid); /* the signal that ends it */
/* From `least` to `most` ms, short ones as likely as long ones by order of magnitude. */
uint32_t kernel_spread(uint32_t least, uint32_t most);

#endif
