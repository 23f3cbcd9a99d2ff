/* PID 1's side of the devices helper: what it is to do, and what it says. */
#include "init/helper_run.h"

#include "init/fds.h"
#include "init/log.h"
#include "init/netaddr.h"
#include "init/sinit.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SETTLE = 3000 }; /* ms that the start waits for interfaces */

static const struct image *newest(const struct sinit *sinit)
{
	return sinit->supervisor.set[sinit->supervisor.current].image;
}

/* --- what it is to do -------------------------------------------------------------------- */

/* What does not parse is left out: image_check() has seen that there is nothing such. */
static unsigned parse_list(
    const struct image *image, ref at, bool has_prefix, struct netaddr *addresses, unsigned room)
{
	const struct image_list *list = image_list(image, at);
	unsigned count = 0;

	for (uint32_t i = 0; i < list->count && count < room; i++)
		if (!netaddr_parse(
			image_string(image, list->item[i]), has_prefix, &addresses[count]))
			count++;
	return count;
}

static int put_net(int fd, const struct image *image, const struct net_settings *settings)
{
	struct devices_net net = {.up = (uint16_t)settings->up};

	strncpy(net.name, image_string(image, settings->name), sizeof(net.name) - 1);
	if (settings->mtu != SETTING_UNSET_INT)
		net.mtu = (uint32_t)settings->mtu;
	net.addresses =
	    (uint16_t)parse_list(image, settings->address, true, net.address, DEVICES_ADDRESSES);
	parse_list(image, settings->gateway, false, net.gateway, NETADDR_GATEWAYS);
	return fds_write_all(fd, &net, sizeof(net));
}

static int put_all(int fd, const struct image *image, uint32_t generation)
{
	const struct image_list *awaited = image_list(image, image->awaited);
	const struct devices_orders orders = {
	    .generation = generation, .items = awaited->count, .nets = image->net_count};
	int error = fds_write_all(fd, &orders, sizeof(orders));

	for (uint32_t i = 0; i < awaited->count && !error; i++) {
		struct devices_item item = {""};

		strncpy(item.name, image_string(image, awaited->item[i]), sizeof(item.name) - 1);
		error = fds_write_all(fd, &item, sizeof(item));
	}
	for (uint32_t i = 0; i < image->net_count && !error; i++)
		error = put_net(fd, image, image_net(image, i));
	return error;
}

int helpers_devices_orders(struct sinit *sinit)
{
	struct devices_state *state = &sinit->helpers.devices;
	int fd = memfd_create("sinit-devices", MFD_CLOEXEC);
	int error;

	state->settled = false;
	if (fd < 0)
		return -errno;
	error = put_all(fd, newest(sinit), ++state->generation);
	if (!error)
		return fd;
	close(fd);
	return error;
}

void helpers_devices_configure(struct sinit *sinit, const struct image *image)
{
	sinit->helpers.helper[HELPER_DEVICES].wanted =
	    image->net_count || image_list(image, image->awaited)->count;
}

void helpers_devices_changed(struct sinit *sinit)
{
	sinit->helpers.devices.generation++;
	sinit->helpers.helper[HELPER_DEVICES].stale = true;
}

/* --- what it says ------------------------------------------------------------------------ */

/* The text of an address of an interface, as it was written. */
static const char *written(const struct image *image, ref at, uint32_t i)
{
	const struct image_list *list = image_list(image, at);

	return i < list->count ? image_string(image, list->item[i]) : "";
}

static void say_net(const struct image *image, const struct devices_message *message)
{
	const struct net_settings *net = image_net(image, message->number);
	const char *name = image_string(image, net->name), *why = strerror(message->error);
	const char *address = written(image, net->address, message->detail);
	bool v6_is_off = strchr(address, ':') && message->error != EINVAL;
	bool unreachable = message->error == ENETUNREACH || message->error == EHOSTUNREACH;

	if (message->error == EPERM) {
		log_warning(NULL,
		    "[net %s]: sinit may not set up interfaces here; give it CAP_NET_ADMIN, or "
		    "leave [net] to who may",
		    name);
		return;
	}
	switch (message->value) {
	case DEVICES_STEP_MTU:
		log_warning(NULL, "[net %s]: mtu = %d: %s; the driver allows no such size", name,
		    (int)net->mtu, why);
		break;
	case DEVICES_STEP_UP:
		log_warning(NULL,
		    "[net %s]: cannot be brought up: %s; the kernel's log may tell more", name,
		    why);
		break;
	case DEVICES_STEP_ADDRESS:
		log_warning(NULL, "[net %s]: address = %s: %s%s", name, address, why,
		    v6_is_off ? "; is IPv6 switched off (/proc/sys/net/ipv6/conf/*/disable_ipv6)?"
			      : "");
		break;
	case DEVICES_STEP_GATEWAY:
		log_warning(NULL, "[net %s]: gateway = %s: %s%s", name,
		    written(image, net->gateway, message->detail), why,
		    unreachable ? "; no address of the interface is in its network, see address"
				: "");
		break;
	}
}

static void say_item(const struct image *image, const struct devices_message *message)
{
	const struct image_list *awaited = image_list(image, image->awaited);
	const char *item;

	if (message->number >= awaited->count)
		return;
	item = image_string(image, awaited->item[message->number]);
	if (message->error == ELOOP)
		log_warning(NULL,
		    "wait_for = %s: links on the way lead back to themselves, or are too many; see "
		    "namei -l %s",
		    item, item);
	else
		log_warning(NULL,
		    "wait_for = %s: sinit cannot look there: %s; its directories must be open to "
		    "sinit's user",
		    item, strerror(message->error));
}

static void say_fault(const struct image *image, const struct devices_message *message)
{
	const char *why = strerror(message->error);

	switch (message->value) {
	case DEVICES_STEP_NETLINK:
		log_warning(NULL,
		    "network interfaces can neither be set up nor waited for: %s; has the "
		    "kernel netlink, and does a filter of system calls allow it?",
		    why);
		break;
	case DEVICES_STEP_UEVENTS:
		log_warning(NULL,
		    "the kernel's uevents cannot be heard: %s; devices are waited for by inotify "
		    "alone",
		    why);
		break;
	case DEVICES_STEP_INOTIFY:
		log_warning(NULL,
		    "directories cannot be watched for what services wait for: %s; raise "
		    "/proc/sys/fs/inotify/max_user_watches and max_user_instances",
		    why);
		break;
	case DEVICES_STEP_LOOK:
		say_item(image, message);
		break;
	default:
		if (message->number < image->net_count)
			say_net(image, message);
		break;
	}
}

void helpers_devices_message(struct sinit *sinit, const struct devices_message *message)
{
	struct devices_state *state = &sinit->helpers.devices;

	if (message->generation != state->generation)
		return;
	switch (message->kind) {
	case DEVICES_ITEM:
		supervisor_device(&sinit->supervisor, message->number, message->value);
		break;
	case DEVICES_SETTLED:
		state->settled = true;
		break;
	case DEVICES_FAULT:
		say_fault(newest(sinit), message);
		break;
	}
}

void devices_settle(struct sinit *sinit)
{
	struct helper *helper = &sinit->helpers.helper[HELPER_DEVICES];
	int64_t until = platform_now() + SETTLE, left;

	if (!helper->wanted)
		return;
	while (!sinit->helpers.devices.settled && helper->channel >= 0 &&
	       (left = until - platform_now()) > 0) {
		struct pollfd channel = {.fd = helper->channel, .events = POLLIN};

		if (poll(&channel, 1, (int)left) > 0)
			helpers_event(sinit, channel.fd, 0);
	}
	supervisor_clock(&sinit->supervisor);
	if (!sinit->helpers.devices.settled)
		log_warning(NULL,
		    "the devices helper has not looked at everything yet; services are started "
		    "all the same, perhaps before the addresses of [net] are there");
}
