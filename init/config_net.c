/* [net], and all that services wait for. */
#include "init/base.h"
#include "init/loader.h"
#include "init/netaddr.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* --- [net] --- */

/* What is wrong with an address. */
static void explain(struct text *why, bool is_gateway, const char *shown, int error, int family)
{
	if (error == -EINVAL)
		text_addf(why, "%s is no address; write one such as %s", shown,
		    is_gateway ? "192.168.1.1" : "192.168.1.2/24");
	else if (is_gateway)
		text_addf(why, "%s: a gateway has no prefix", shown);
	else
		text_addf(
		    why, "%s needs a prefix from /0 to /%d", shown, family == AF_INET ? 32 : 128);
}

static bool check_address(struct loader *loader, struct draft *draft, const struct entry *entry,
    const char *word, struct netaddr *ret)
{
	bool is_gateway = entry->key == KEY_NET_gateway;
	char shown[LOADER_SHOWN], buffer[LOADER_SHOWN + 80];
	int error = netaddr_parse(word, !is_gateway, ret);
	struct text why;

	if (!error)
		return true;
	text_init(&why, buffer, sizeof(buffer));
	explain(&why, is_gateway, loader_show(word, shown), error, ret->family);
	loader_fault(loader, draft, entry, buffer);
	return false;
}

static bool is_listed(const struct loader *loader, ref text)
{
	for (uint32_t i = 0; i < loader->list->count; i++)
		if (loader->list->item[i] == text)
			return true;
	return false;
}

/* Adds the addresses of one line to loader->list. */
static void take_addresses(struct loader *loader, struct draft *draft, const struct entry *entry)
{
	struct words words;
	struct netaddr parsed;

	if (!loader_split(loader, draft, entry, entry->value, NULL, &words))
		return;
	const char *word = words.data;
	for (uint32_t i = 0; i < words.count; i++, word += strlen(word) + 1) {
		if (!check_address(loader, draft, entry, word, &parsed))
			return;
		ref text = builder_text(&loader->builder, word, strlen(word));
		if (is_listed(loader, text))
			loader_fault(loader, draft, entry, "it stands there twice");
		else if (loader->list->count == NETADDR_ADDRESSES)
			loader_fault(loader, draft, entry, "too many addresses for one interface");
		else
			loader->list->item[loader->list->count++] = text;
	}
}

/* The interfaces that have a gateway so far. */
struct owners {
	const char *v4, *v6;
};

/* Two of them are no error: one may be there when the other is not. */
static void note_owner(struct loader *loader, const struct draft *draft, const struct entry *entry,
    struct owners *owners, int family)
{
	const char **owner = family == AF_INET6 ? &owners->v6 : &owners->v4;

	if (*owner)
		loader_warning(loader, entry->file, entry->line,
		    "gateway = %s: [net %s] has one as well; the default route is by the interface "
		    "that comes last",
		    entry->value, *owner);
	*owner = draft->name;
}

static ref take_gateways(struct loader *loader, struct draft *draft, bool up, struct owners *owners)
{
	const struct entry *entry = loader_effective(loader, draft, KEY_NET_gateway);
	struct words words;
	struct netaddr parsed;
	bool seen[2] = {false, false};

	loader->list->count = 0;
	if (!entry || !loader_split(loader, draft, entry, entry->value, NULL, &words))
		return 0;
	if (!up)
		loader_fault(loader, draft, entry,
		    "the kernel takes no route over an interface that is down; write up = yes, or "
		    "leave it out");
	const char *word = words.data;
	for (uint32_t i = 0; i < words.count; i++, word += strlen(word) + 1) {
		if (!check_address(loader, draft, entry, word, &parsed))
			return 0;
		bool *has = &seen[parsed.family == AF_INET6];
		if (*has) {
			loader_fault(loader, draft, entry,
			    "more than one of a family; there is one default route for IPv4, and "
			    "one for IPv6");
			return 0;
		}
		*has = true;
		note_owner(loader, draft, entry, owners, parsed.family);
		loader->list->item[loader->list->count++] =
		    builder_text(&loader->builder, word, strlen(word));
	}
	return builder_list(&loader->builder, loader->list);
}

static void make_net(struct loader *loader, struct draft *draft, const struct net_settings *base,
    struct owners *owners, struct net_settings *net)
{
	*net = *base;
	loader_apply(loader, draft, net, base);
	net->name = builder_text(&loader->builder, draft->name, strlen(draft->name));
	loader->list->count = 0;
	for (const struct entry *e = NULL; (e = loader_next_line(draft, KEY_NET_address, e));)
		take_addresses(loader, draft, e);
	net->address = builder_list(&loader->builder, loader->list);
	net->gateway = take_gateways(loader, draft, net->up, owners);
}

void loader_nets(struct loader *loader)
{
	struct net_settings *nets =
	    arena_get(&loader->arena, (loader->net_count + 1) * sizeof(*nets));
	struct net_settings base = {0};
	struct owners owners = {NULL, NULL};
	uint32_t count = 0;

	if (!nets) {
		loader->no_memory = true;
		return;
	}
	loader_defaults(loader, SECTION_NET, &base);
	for (struct draft *draft = loader->nets; draft; draft = draft->next) {
		make_net(loader, draft, &base, &owners, &nets[count]);
		if (!draft->broken)
			count++;
	}
	if (!count || loader->builder.failed)
		return;
	ref at = builder_block(
	    &loader->builder, nets, count * sizeof(*nets), _Alignof(struct net_settings));
	builder_image(&loader->builder)->nets = at;
	builder_image(&loader->builder)->net_count = count;
}

/* --- wait_for --- */

/* Adds a service's to loader->list. The builder's memory stays where it is meanwhile. */
static void add_awaited(struct loader *loader, uint32_t index)
{
	struct draft *draft = loader->drafts[index];
	const struct image_list *items = image_list(
	    builder_image(&loader->builder), builder_service(&loader->builder, index)->wait_for);

	for (uint32_t i = 0; i < items->count; i++) {
		if (is_listed(loader, items->item[i]))
			continue;
		if (loader->list->count < IMAGE_MAX_AWAITED) {
			loader->list->item[loader->list->count++] = items->item[i];
			continue;
		}
		const struct entry *entry = loader_effective(loader, draft, KEY_SERVICE_wait_for);
		loader_error(loader, draft, entry ? entry->file : draft->file,
		    entry ? entry->line : draft->line,
		    "wait_for: services wait for more than %u things", IMAGE_MAX_AWAITED);
		/* A service that is broken is not started; nor may it name what is not listed. */
		builder_service(&loader->builder, index)->wait_for = 0;
		return;
	}
}

void loader_awaited(struct loader *loader)
{
	if (loader->no_memory || loader->builder.failed)
		return;
	loader->list->count = 0;
	for (uint32_t i = 0; i < loader->count; i++)
		add_awaited(loader, i);
	ref at = builder_list(&loader->builder, loader->list);
	builder_image(&loader->builder)->awaited = at;
}
