/* Addresses and names of network interfaces, as [net] and wait_for have them.
 *
 * Owns nothing. Pure. */
#ifndef SINIT_INIT_NETADDR_H
#define SINIT_INIT_NETADDR_H

#include "probes/helper.h"

enum {
	NETADDR_INTERFACE = DEVICES_INTERFACE, /* bytes of an interface's name, with its NUL */
	NETADDR_AWAITED = DEVICES_NAME,        /* bytes of an item of wait_for, with its NUL */
	NETADDR_ADDRESSES = DEVICES_ADDRESSES, /* of one interface */
	NETADDR_GATEWAYS = 2,                  /* one for each family */
};

/* Parses "ADDRESS/PREFIX", or with `has_prefix` false "ADDRESS", of IPv4 or IPv6. 0; -EINVAL: it
 * is none; -ERANGE: the prefix is missing or too long, or is there where there is to be none. */
int netaddr_parse(const char *text, bool has_prefix, struct netaddr *ret);

/* Whether it can be the name of an interface: dev_valid_name() of the kernel. */
bool netaddr_good_interface(const char *name);

/* Whether it can be waited for: an absolute path, or the name of an interface. */
bool netaddr_good_awaited(const char *name);

#endif
