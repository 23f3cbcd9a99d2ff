#include "init/netaddr.h"

#include "init/base.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

/* None of them looks further into a text than what can be good in it: it may be of any length. */
enum { LONGEST = INET6_ADDRSTRLEN + 4 };

static int parse_address(const char *text, size_t length, struct netaddr *ret)
{
	char address[INET6_ADDRSTRLEN];

	*ret = (struct netaddr){.family = 0};
	if (length >= sizeof(address))
		return -EINVAL;
	memcpy(address, text, length);
	address[length] = '\0';
	*ret = (struct netaddr){.family = strchr(address, ':') ? AF_INET6 : AF_INET};
	return inet_pton(ret->family, address, ret->bytes) == 1 ? 0 : -EINVAL;
}

int netaddr_parse(const char *text, bool has_prefix, struct netaddr *ret)
{
	size_t length = strnlen(text, LONGEST);
	const char *slash = memchr(text, '/', length);
	uint32_t prefix;
	int error = parse_address(text, slash ? (size_t)(slash - text) : length, ret);

	if (error)
		return error;
	if (length == LONGEST)
		return -ERANGE;
	if (!has_prefix)
		return slash ? -ERANGE : 0;
	if (!slash || parse_u32(slash + 1, &prefix) < 0 ||
	    prefix > (ret->family == AF_INET ? 32 : 128))
		return -ERANGE;
	ret->prefix = (uint8_t)prefix;
	return 0;
}

bool netaddr_good_interface(const char *name)
{
	size_t length = strnlen(name, NETADDR_INTERFACE);

	return length > 0 && length < NETADDR_INTERFACE && !name[strcspn(name, "/: \t\n\v\f\r")] &&
	       strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

bool netaddr_good_awaited(const char *name)
{
	if (*name == '/')
		return strnlen(name, NETADDR_AWAITED) < NETADDR_AWAITED;
	return netaddr_good_interface(name);
}
