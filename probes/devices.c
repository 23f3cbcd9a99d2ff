/* The devices helper: tells PID 1 what services wait for is there or gone, and sets up the
 * interfaces of [net]. It hears of changes from the kernel, and only then looks: uevents (device
 * nodes), rtnetlink's group of links (interfaces), inotify (paths), the table of mounts. What
 * comes there is only a reason to look, so that a message that was lost does no harm as long as
 * the loss is noticed. */
#include "probes/devices.h"

#include "init/base.h"
#include "probes/drop.h"
#include "probes/uevent.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	UEVENT_SIZE = 8192, /* a message has 2 KiB and its head at most */
	QUEUE = 256 * 1024, /* bytes that may wait in the kernel */
};

/* What is to be looked at. */
enum news { NEWS_LINKS = 1, NEWS_PATHS = 2 };

/* What is waited for. */
enum source { FROM_PID1, FROM_UEVENTS, FROM_LINKS, FROM_INOTIFY, FROM_MOUNTS };
enum { SOURCES = FROM_MOUNTS + 1 };

/* --- PID 1 ------------------------------------------------------------------------------ */

void devices_say(struct devices *devices, struct devices_message message)
{
	struct pollfd room = {.fd = HELPER_CHANNEL, .events = POLLOUT};

	message.generation = devices->orders->generation;
	while (
	    !devices->over && send(HELPER_CHANNEL, &message, sizeof(message), MSG_NOSIGNAL) < 0) {
		if (errno == EAGAIN || errno == ENOBUFS)
			poll(&room, 1, -1);
		else if (errno != EINTR)
			devices->over = true;
	}
}

void devices_fault(
    struct devices *devices, enum devices_step step, uint32_t number, uint32_t detail, int error)
{
	devices_say(devices, (struct devices_message){
				 .kind = DEVICES_FAULT,
				 .number = number,
				 .value = step,
				 .detail = detail,
				 .error = error,
			     });
}

/* PID 1 asks whether this helper lives, or has closed its end. */
static void answer(struct devices *devices)
{
	uint32_t kind;
	ssize_t size = recv(HELPER_CHANNEL, &kind, sizeof(kind), MSG_DONTWAIT);

	if (size == sizeof(kind) && kind == DEVICES_PING)
		send(HELPER_CHANNEL, &kind, sizeof(kind), MSG_DONTWAIT | MSG_NOSIGNAL);
	else
		devices->over |= size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR);
}

/* --- looking ---------------------------------------------------------------------------- */

static void look_at_nets(struct devices *devices)
{
	for (uint32_t i = 0; i < devices->orders->nets; i++) {
		struct wire *wire = &devices->nets[i];
		unsigned index = if_nametoindex(wire->net->name);

		if (index == wire->index)
			continue;
		wire->index = index;
		if (index)
			net_set_up(devices, i, index);
	}
}

static void look_at_items(struct devices *devices, unsigned news)
{
	for (uint32_t i = 0; i < devices->orders->items; i++) {
		struct await *item = &devices->items[i];
		bool is_path = item->name[0] == '/', there;

		if (!(news & (is_path ? NEWS_PATHS : NEWS_LINKS)))
			continue;
		there = is_path ? paths_look(devices, i) : if_nametoindex(item->name) != 0;
		if (item->told && there == item->there)
			continue;
		item->told = true;
		item->there = there;
		devices_say(devices,
		    (struct devices_message){.kind = DEVICES_ITEM, .number = i, .value = there});
	}
}

/* Interfaces first: who waits for one finds it set up. */
static void look(struct devices *devices, unsigned news)
{
	if (news & NEWS_LINKS)
		look_at_nets(devices);
	look_at_items(devices, news);
}

/* --- listening -------------------------------------------------------------------------- */

/* Netlink messages of one group; only the kernel's count. */
static int open_group(int protocol, int group)
{
	struct nl_sock *sock = nl_socket_alloc();

	if (!sock)
		return -ENOMEM;
	errno = EIO;
	if (nl_connect(sock, protocol) < 0 || nl_socket_add_membership(sock, group) < 0) {
		int error = -errno;

		nl_socket_free(sock);
		return error;
	}
	/* The socket is kept for good: it is its descriptor that is needed. */
	nl_socket_set_buffer_size(sock, QUEUE, 0);
	nl_socket_set_nonblocking(sock);
	return nl_socket_get_fd(sock);
}

/* The next message of the kernel. Its size; 0: no more; -ENOBUFS: some were lost. */
static ssize_t receive(int fd, char *buffer, size_t room)
{
	for (;;) {
		struct sockaddr_nl from = {0};
		socklen_t length = sizeof(from);
		ssize_t size =
		    recvfrom(fd, buffer, room, MSG_DONTWAIT, (struct sockaddr *)&from, &length);

		if (size < 0 && errno == EINTR)
			continue;
		if (size < 0)
			return errno == ENOBUFS ? -ENOBUFS : 0;
		if (size > 0 && from.nl_pid == 0)
			return size;
	}
}

static unsigned read_uevents(int fd)
{
	char buffer[UEVENT_SIZE];
	unsigned news = 0;
	ssize_t size;

	while ((size = receive(fd, buffer, sizeof(buffer)))) {
		struct uevent event;

		if (size < 0 ||
		    (uevent_parse(buffer, (size_t)size, &event) == 0 && uevent_matters(&event)))
			news = NEWS_LINKS | NEWS_PATHS;
	}
	return news;
}

/* That there was one is enough: which interface it is about is found by looking. */
static unsigned read_links(int fd)
{
	char buffer[UEVENT_SIZE];

	while (receive(fd, buffer, sizeof(buffer)))
		;
	return NEWS_LINKS;
}

static unsigned read_source(struct devices *devices, enum source source, int fd)
{
	switch (source) {
	case FROM_PID1:
		answer(devices);
		return 0;
	case FROM_UEVENTS:
		return read_uevents(fd);
	case FROM_LINKS:
		return read_links(fd);
	case FROM_INOTIFY:
		return paths_news(devices) ? NEWS_PATHS : 0;
	case FROM_MOUNTS:
		return NEWS_PATHS;
	}
	return 0;
}

static void turn(struct devices *devices, struct pollfd fds[SOURCES])
{
	unsigned news = 0;

	if (poll(fds, SOURCES, -1) <= 0)
		return;
	for (unsigned i = 0; i < SOURCES; i++)
		if (fds[i].revents)
			news |= read_source(devices, (enum source)i, fds[i].fd);
	if (!devices->over)
		look(devices, news);
}

/* --- beginning -------------------------------------------------------------------------- */

/* 0, or -errno: these are no orders. */
static int read_orders(struct devices *devices)
{
	const struct devices_item *items;
	const struct devices_net *nets;
	struct stat st;
	void *map;

	if (fstat(HELPER_ORDERS, &st) < 0)
		return -errno;
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, HELPER_ORDERS, 0);
	if (map == MAP_FAILED)
		return -errno;
	devices->orders = map;
	items = (const void *)(devices->orders + 1);
	nets = (const void *)(items + devices->orders->items);
	if ((const char *)(nets + devices->orders->nets) != (const char *)map + st.st_size)
		return -EPROTO;
	devices->items = calloc(devices->orders->items + 1, sizeof(*devices->items));
	devices->nets = calloc(devices->orders->nets + 1, sizeof(*devices->nets));
	if (!devices->items || !devices->nets)
		return -ENOMEM;
	for (uint32_t i = 0; i < devices->orders->items; i++)
		devices->items[i] = (struct await){.name = items[i].name};
	for (uint32_t i = 0; i < devices->orders->nets; i++)
		devices->nets[i].net = &nets[i];
	return 0;
}

/* What cannot be listened to is told, and done without. */
static int told(struct devices *devices, enum devices_step step, int fd)
{
	if (fd < 0)
		devices_fault(devices, step, 0, 0, -fd);
	return fd < 0 ? -1 : fd;
}

static void listen_to_all(struct devices *devices, struct pollfd fds[SOURCES])
{
	int inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK), uevents, links;

	devices->inotify = told(devices, DEVICES_STEP_INOTIFY, inotify < 0 ? -errno : inotify);
	fds[FROM_PID1] = (struct pollfd){HELPER_CHANNEL, POLLIN, 0};
	fds[FROM_INOTIFY] = (struct pollfd){devices->inotify, POLLIN, 0};
	uevents = told(devices, DEVICES_STEP_UEVENTS, open_group(NETLINK_KOBJECT_UEVENT, 1));
	fds[FROM_UEVENTS] = (struct pollfd){uevents, POLLIN, 0};
	links = told(devices, DEVICES_STEP_NETLINK, open_group(NETLINK_ROUTE, RTNLGRP_LINK));
	fds[FROM_LINKS] = (struct pollfd){links, POLLIN, 0};
	/* A mount brings paths without any of them being made; see proc_pid_mounts(5). */
	fds[FROM_MOUNTS] =
	    (struct pollfd){open("/proc/self/mounts", O_RDONLY | O_CLOEXEC), POLLPRI, 0};
	if (devices->orders->nets)
		told(devices, DEVICES_STEP_NETLINK, net_open(devices));
}

/* What the helper, which parses nothing but the kernel's messages, cannot do without: to set up
 * interfaces, and to see paths below directories that are closed to nobody. */
static uint32_t needed(const struct devices *devices)
{
	uint32_t keep = devices->orders->nets ? 1u << CAP_NET_ADMIN : 0;

	for (uint32_t i = 0; i < devices->orders->items; i++)
		if (devices->items[i].name[0] == '/')
			keep |= 1u << CAP_DAC_READ_SEARCH;
	return keep;
}

int devices_main(void)
{
	static struct devices devices;
	struct pollfd fds[SOURCES];
	int error;

	prctl(PR_SET_NAME, "sinit-devices");
	error = read_orders(&devices);
	if (error) {
		fprintf(stderr, "sinit: devices: orders: %s\n", strerror(-error));
		return EXIT_CODE_INTERNAL;
	}
	drop_all_but(needed(&devices));
	/* Listens first, then looks: what comes in between is heard. */
	listen_to_all(&devices, fds);
	look(&devices, NEWS_LINKS | NEWS_PATHS);
	devices_say(&devices, (struct devices_message){.kind = DEVICES_SETTLED});
	while (!devices.over)
		turn(&devices, fds);
	return EXIT_CODE_OK;
}
