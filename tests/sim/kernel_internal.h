/* Between kernel.c and platform.c. */
#ifndef SINIT_TESTS_SIM_KERNEL_INTERNAL_H
#define SINIT_TESTS_SIM_KERNEL_INTERNAL_H

#include "tests/sim/kernel.h"

pid_t kernel_new_pid(void); /* 0: there is none */
void kernel_set_session(pid_t pid, pid_t sid);
void kernel_free(pid_t pid);
void kernel_execute(pid_t pid);
void kernel_end(pid_t pid, uint8_t kind, int code);
void kernel_take_signal(pid_t pid, int sig);

#endif
