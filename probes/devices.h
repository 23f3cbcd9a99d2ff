/* Inside of the devices helper (probes/helper.h): what its files share.
 *
 *     devices.c        the loop, what PID 1 is told
 *     devices_paths.c  paths that are waited for
 *     devices_net.c    interfaces that are set up
 */
#ifndef SINIT_PROBES_DEVICES_H
#define SINIT_PROBES_DEVICES_H

#include "probes/helper.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nl_sock;

enum { DEVICES_LINKS = 16, DEVICES_STEPS_MAX = DEVICES_LINKS + 1 };

/* A directory that is watched (its number in inotify(7)) for a name (a hash of it). */
struct step {
	int watch;
	uint32_t name;
};

/* The directories of the links that a path goes through, at most DEVICES_LINKS of them, and the
 * nearest one that exists of where it leads. */
struct trail {
	unsigned count;
	struct step step[DEVICES_STEPS_MAX];
};

/* An item that is waited for. */
struct await {
	const char *name;   /* a path, or an interface */
	bool there;         /* as PID 1 knows it, */
	bool told;          /* if it does */
	bool complained;    /* PID 1 knows that it cannot be looked at */
	struct trail trail; /* path: what is watched for it */
};

/* An interface of [net]. */
struct wire {
	const struct devices_net *net;
	unsigned index; /* the kernel's number of the one that was set up last; 0: none */
};

struct devices {
	const struct devices_orders *orders;
	struct await *items;
	struct wire *nets;
	int inotify;           /* -1: none */
	struct nl_sock *route; /* for requests, NULL: none */
	int error;             /* of the last request, -errno as the kernel gave it */
	bool may_not;          /* there is no CAP_NET_ADMIN, and PID 1 knows */
	bool over;             /* PID 1 has closed the channel */
};

/* Tells PID 1; waits until there is room. */
void devices_say(struct devices *devices, struct devices_message message);
void devices_fault(
    struct devices *devices, enum devices_step step, uint32_t number, uint32_t detail, int error);

/* --- devices_paths.c --- */

/* Whether the item, a path, is there; from then on inotify tells when that may have changed. */
bool paths_look(struct devices *devices, uint32_t number);

/* Takes what inotify says. True: it is about one of the items. */
bool paths_news(struct devices *devices);

/* --- devices_net.c --- */

/* 0 or -errno. */
int net_open(struct devices *devices);

/* Sets up the interface with the kernel's number `index` as section `number` says. */
void net_set_up(struct devices *devices, uint32_t number, unsigned index);

#endif
