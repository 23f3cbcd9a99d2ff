/* Names of signals.
 *
 * Pure: no system calls, no state; calls init/base only.
 */
#ifndef SINIT_SIGNALS_H
#define SINIT_SIGNALS_H

/* The real-time signals that people mean by RTMIN and RTMAX. The kernel has 32 to 64
 * (signal(7)); glibc keeps two of them, musl three, so <signal.h> of musl says
 * SIGRTMIN = 35 where every other program's SIGRTMIN+3 (systemd's and podman's stop
 * signal) is 34 + 3. A fixed number keeps "RTMIN+3" the same signal for all. */
#define SIGNAL_RTMIN 34
#define SIGNAL_RTMAX 64
#define SIGNAL_MAX   64

/* Room for the longest name, "SIGRTMIN+30", and its NUL. */
#define SIGNAL_NAME_SIZE 16

/* A signal by name ("TERM", "SIGTERM", "term", "RTMIN", "RTMIN+3", "RTMAX-1") or decimal
 * number ("15"). -EINVAL if there is none such. */
int signal_parse(const char *name, int *ret_signal);

/* The name with SIG, "SIGTERM" or "SIGRTMIN+3", or the bare number if it has none.
 * Writes to `buffer` and returns it. */
const char *signal_name(int signal, char buffer[static SIGNAL_NAME_SIZE]);

#endif
