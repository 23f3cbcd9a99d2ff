/* What the kernel says of devices that come and go: NETLINK_KOBJECT_UEVENT, lib/kobject_uevent.c.
 *
 * Pure; owns nothing. */
#ifndef SINIT_PROBES_UEVENT_H
#define SINIT_PROBES_UEVENT_H

#include <stdbool.h>
#include <stddef.h>

/* The texts stand in the message; "" where it does not say. */
struct uevent {
	const char *action;    /* add, remove, change, move, bind and so on */
	const char *subsystem; /* block, tty, net and so on */
	const char *devname;   /* of the node, below /dev */
};

/* Reads "ACTION@DEVPATH", NUL, then texts KEY=VALUE with a NUL behind each. 0; -EINVAL: it is no
 * such message (what udev tells its own friends looks different). */
int uevent_parse(const char *message, size_t size, struct uevent *ret);

/* Whether a node in /dev or a network interface may have come or gone. */
bool uevent_matters(const struct uevent *event);

#endif
