/* The loopback interface. */
#ifndef SINIT_INIT_NET_LOOPBACK_H
#define SINIT_INIT_NET_LOOPBACK_H

/* Brings `lo` up; the kernel gives it its addresses (netdevice(7)). 0 or -errno. */
int net_loopback_up(void);

#endif
