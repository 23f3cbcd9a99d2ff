/* How a helper that meets strangers gives up what it does not need. Calls the kernel only. */
#ifndef SINIT_PROBES_CONFINE_H
#define SINIT_PROBES_CONFINE_H

/* The user and group of helpers where sinit is root. 65534 is what the kernel itself uses
 * for "nobody" (/proc/sys/kernel/overflowuid): it owns no files, needs no entry in
 * /etc/passwd, and is the same in every image. */
enum { CONFINE_USER = 65534 };

/* No new privileges, no capabilities, nobody's user and groups (if root), not to be traced
 * or dumped. What the surroundings do not let it give up (a user namespace without that
 * uid) it keeps; 0, or -errno if even the capabilities stay. */
int confine_privileges(void);

/* From here on only the system calls that a responder makes: reading, writing, accepting,
 * waiting, closing, memory that is not to be executed. Any other fails with EPERM: it has
 * no effect, which is all that is wanted, and a C library that tries something of its own
 * does not make the responder die again and again; foreign calling conventions kill.
 * 0, -ENOTSUP (a machine that has no row, or sanitizers), or -errno (a kernel without). */
int confine_calls(void);

#endif
