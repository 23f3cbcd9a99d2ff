/* The loopback interface, without which nothing on a machine finds itself at 127.0.0.1.
 * Owns: nothing. May call: libc. */
#ifndef SINIT_INIT_LOOPBACK_H
#define SINIT_INIT_LOOPBACK_H

/* Brings `lo` up, where it is not: SIOCSIFFLAGS of netdevice(7). The kernel then gives it its
 * addresses. 0, or -errno: -ENODEV, there is none; -EPERM, without CAP_NET_ADMIN. */
int net_loopback_up(void);

#endif
