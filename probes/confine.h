/* How a helper that meets strangers gives up what it does not need. Calls the kernel only. */
#ifndef SINIT_PROBES_CONFINE_H
#define SINIT_PROBES_CONFINE_H

/* From here on only the system calls that a responder makes: reading, writing, accepting,
 * waiting, closing, memory that is not to be executed. Any other fails with EPERM: it has
 * no effect, which is all that is wanted, and a C library that tries something of its own
 * does not make the responder die again and again; foreign calling conventions kill.
 * 0, -ENOTSUP (a machine that has no row, or sanitizers), or -errno (a kernel without). */
int confine_calls(void);

#endif
