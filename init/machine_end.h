/* How a machine ends: what asks for it (signals, verbs), and what it is in the kernel.
 *
 * Tables; pure but for machine_end_now(). */
#ifndef SINIT_INIT_MACHINE_END_H
#define SINIT_INIT_MACHINE_END_H

#include <stdbool.h>

enum machine_end { END_NONE, END_REBOOT, END_POWEROFF, END_HALT, END_KEXEC };

/* What a signal to the init of a machine asks for: as busybox and sysvinit have it, and the
 * real-time signals as systemd has them. Ctrl-Alt-Del comes as INT, reboot(2). */
enum machine_end machine_end_of_signal(int signal);

/* What a verb asks for: reboot, poweroff, halt, kexec; shutdown is poweroff. */
enum machine_end machine_end_of_verb(const char *verb);

/* Whether a kernel is loaded that END_KEXEC could start, kexec_load(2). */
bool machine_end_has_kexec(void);

/* Has ctrl-alt-del come as a signal instead of an instant reset, reboot(2). 0 or -errno. */
int machine_end_catch_keys(void);

/* reboot(2), by a child: where the kernel cannot do what is asked, its caller may not come
 * back, and an init that ends is a panic. Does not return: what could not be is told on the
 * console, and the machine stands still. */
_Noreturn void machine_end_now(enum machine_end end);

#endif
