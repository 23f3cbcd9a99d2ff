/* Interfaces that are set up as [net] says. What is there already is left as it is. */
#include "probes/devices.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/addr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <string.h>
#include <sys/socket.h>

static int note_error(struct sockaddr_nl *from, struct nlmsgerr *message, void *context)
{
	struct devices *devices = context;

	(void)from;
	devices->error = message->error;
	return NL_STOP;
}

int net_open(struct devices *devices)
{
	struct nl_sock *sock = nl_socket_alloc();

	if (!sock)
		return -ENOMEM;
	if (nl_connect(sock, NETLINK_ROUTE) < 0) {
		int error = errno;

		nl_socket_free(sock);
		return error ? -error : -EIO;
	}
	nl_socket_modify_err_cb(sock, NL_CB_CUSTOM, note_error, devices);
	devices->route = sock;
	return 0;
}

/* Sends a request and waits for the answer, which the kernel has at once. 0 or -errno. Without a
 * message there was no memory for it. */
static int ask(struct devices *devices, struct nl_msg *message)
{
	int rc;

	if (!message)
		return -ENOMEM;
	devices->error = 0;
	rc = nl_send_auto(devices->route, message);
	nlmsg_free(message);
	if (rc >= 0)
		rc = nl_wait_for_ack(devices->route);
	if (rc >= 0)
		return 0;
	return devices->error ? devices->error : -EIO;
}

/* --- what is asked for ------------------------------------------------------------------- */

/* `up` or `mtu`, not both: one may be refused without the other. */
static int change_link(struct devices *devices, unsigned index, uint32_t mtu)
{
	struct rtnl_link *link = rtnl_link_alloc(), *changes = rtnl_link_alloc();
	struct nl_msg *message = NULL;

	if (link && changes) {
		rtnl_link_set_ifindex(link, (int)index);
		if (mtu)
			rtnl_link_set_mtu(changes, mtu);
		else
			rtnl_link_set_flags(changes, IFF_UP);
		if (rtnl_link_build_change_request(link, changes, 0, &message) < 0)
			message = NULL;
	}
	rtnl_link_put(link);
	rtnl_link_put(changes);
	return ask(devices, message);
}

static struct nl_addr *make_address(const struct netaddr *from, const uint8_t *bytes)
{
	size_t size = from->family == AF_INET ? 4 : 16;
	struct nl_addr *address = nl_addr_build(from->family, bytes, size);

	if (address)
		nl_addr_set_prefixlen(address, from->prefix);
	return address;
}

/* The last address of the network. False: it has none, since it is too small or loopback's. */
static bool broadcast_of(const struct netaddr *from, uint8_t bytes[4])
{
	if (from->family != AF_INET || from->prefix > 30 || from->bytes[0] == 127)
		return false;
	for (unsigned i = 0; i < 4; i++) {
		unsigned bits = from->prefix > i * 8 ? from->prefix - i * 8 : 0;

		bytes[i] = (uint8_t)(from->bytes[i] | (bits < 8 ? 0xff >> bits : 0));
	}
	return true;
}

static int add_address(struct devices *devices, unsigned index, const struct netaddr *from)
{
	struct rtnl_addr *address = rtnl_addr_alloc();
	struct nl_addr *local = make_address(from, from->bytes), *broadcast = NULL;
	struct nl_msg *message = NULL;
	uint8_t last[4];
	int error;

	if (broadcast_of(from, last))
		broadcast = make_address(from, last);
	if (address && local) {
		rtnl_addr_set_ifindex(address, (int)index);
		rtnl_addr_set_local(address, local);
		if (broadcast)
			rtnl_addr_set_broadcast(address, broadcast);
		if (rtnl_addr_build_add_request(address, NLM_F_CREATE | NLM_F_EXCL, &message) < 0)
			message = NULL;
	}
	nl_addr_put(local);
	nl_addr_put(broadcast);
	rtnl_addr_put(address);
	error = ask(devices, message);
	return error == -EEXIST ? 0 : error;
}

/* The default route, in the place of one that is there. Written by hand: libnl-route's objects
 * for routes would have every sinit allocate memory before main(). */
static int set_gateway(struct devices *devices, unsigned index, const struct netaddr *gateway)
{
	struct rtmsg route = {
	    .rtm_family = gateway->family,
	    .rtm_table = RT_TABLE_MAIN,
	    .rtm_protocol = RTPROT_STATIC,
	    .rtm_scope = RT_SCOPE_UNIVERSE,
	    .rtm_type = RTN_UNICAST,
	};
	struct nl_msg *message = nlmsg_alloc_simple(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE);
	int size = gateway->family == AF_INET ? 4 : 16;

	if (!message || nlmsg_append(message, &route, sizeof(route), NLMSG_ALIGNTO) < 0 ||
	    nla_put(message, RTA_GATEWAY, size, gateway->bytes) < 0 ||
	    nla_put_u32(message, RTA_OIF, index) < 0) {
		nlmsg_free(message);
		return -ENOMEM;
	}
	return ask(devices, message);
}

/* --- one interface ------------------------------------------------------------------------ */

/* Whether to go on. Without the right to, nothing will ever go; and one that has gone in the
 * meantime is set up when it is back. */
static bool check(
    struct devices *devices, enum devices_step step, uint32_t number, uint32_t detail, int error)
{
	devices->may_not = error == -EPERM;
	if (error && error != -ENODEV)
		devices_fault(devices, step, number, detail, -error);
	return error != -EPERM && error != -ENODEV;
}

void net_set_up(struct devices *devices, uint32_t number, unsigned index)
{
	const struct devices_net *net = devices->nets[number].net;
	bool go_on = devices->route && !devices->may_not;

	if (go_on && net->mtu)
		go_on = check(
		    devices, DEVICES_STEP_MTU, number, 0, change_link(devices, index, net->mtu));
	if (go_on && net->up)
		go_on = check(devices, DEVICES_STEP_UP, number, 0, change_link(devices, index, 0));
	for (uint32_t i = 0; i < net->addresses && go_on; i++)
		go_on = check(devices, DEVICES_STEP_ADDRESS, number, i,
		    add_address(devices, index, &net->address[i]));
	for (uint32_t i = 0; i < 2 && go_on; i++)
		if (net->gateway[i].family)
			go_on = check(devices, DEVICES_STEP_GATEWAY, number, i,
			    set_gateway(devices, index, &net->gateway[i]));
}
