/* Whether a block from elsewhere is an image that can be used without looking again. */
#include "init/image.h"

#include "init/netaddr.h"
#include "probes/check.h"

#include <errno.h>
#include <string.h>

/* Texts lie in the block, whose last byte is a NUL: so each of them ends inside. */
static bool good_text(const struct image *image, ref at)
{
	return at < image->size;
}

static bool good_block(const struct image *image, ref at, uint64_t length, uint32_t align)
{
	return at % align == 0 && (uint64_t)at + length <= image->size;
}

enum item { ITEM_TEXT, ITEM_SERVICE, ITEM_NUMBER };

static bool good_list(const struct image *image, ref at, enum item item)
{
	if (!at)
		return true;
	if (!good_block(image, at, sizeof(struct image_list), _Alignof(struct image_list)))
		return false;
	const struct image_list *list = image_list(image, at);
	if (!good_block(image, at, sizeof(*list) + (uint64_t)list->count * sizeof(uint32_t), 1))
		return false;
	for (uint32_t i = 0; i < list->count; i++) {
		uint32_t value = list->item[i];
		if (item == ITEM_TEXT && (!value || !good_text(image, value)))
			return false;
		if (item == ITEM_SERVICE && value >= image->service_count)
			return false;
	}
	return true;
}

static bool good_limits(const struct image *image, ref at)
{
	const struct image_limits *limits = (const void *)((const char *)image + at);
	uint64_t count = 0;

	if (!at)
		return true;
	if (!good_block(image, at, sizeof(*limits), _Alignof(struct image_limits)) ||
	    limits->set >> IMAGE_LIMITS)
		return false;
	for (unsigned i = 0; i < IMAGE_LIMITS; i++)
		count += limits->set >> i & 1;
	return good_block(image, at, sizeof(*limits) + count * sizeof(limits->limit[0]), 1);
}

static bool good_value(
    const struct image *image, const void *settings, const struct schema_key *key)
{
	uint32_t value;

	memcpy(&value, (const char *)settings + key->offset, sizeof(value));
	switch ((enum schema_kind)key->kind) {
	case KIND_TEXT:
	case KIND_PATH:
	case KIND_WORD:
	case KIND_CGROUP:
	case KIND_WARN:
	case KIND_CHECK:
	case KIND_URL:
	case KIND_FORWARD:
	case KIND_ACCOUNT:
		return good_text(image, value);
	case KIND_COMMAND:
	case KIND_ENVIRONMENT:
	case KIND_PATHS:
	case KIND_ACCOUNTS:
	case KIND_HEADERS:
	case KIND_LISTEN:
	case KIND_PATTERNS:
	case KIND_AWAITED:
	case KIND_ADDRESSES:
	case KIND_GATEWAYS:
		return good_list(image, value, ITEM_TEXT);
	case KIND_NAMES:
		return good_list(image, value, ITEM_SERVICE);
	case KIND_CODES:
	case KIND_RANGES:
		return good_list(image, value, ITEM_NUMBER);
	case KIND_LIMIT:
		return good_limits(image, value);
	case KIND_BOOL:
		return value <= 1;
	case KIND_ENUM:
		return schema_word_supported(key, value);
	case KIND_MASK:
		return value && value <= schema_mask_all(key);
	case KIND_COUNT:
	case KIND_PERCENT:
	case KIND_FACTOR:
	case KIND_DURATION:
		return (value >= (uint32_t)key->least && value <= key->most) ||
		       (value == SETTING_UNLIMITED && key->flags & KEY_UNLIMITED) ||
		       (!value && !*schema_default(key));
	case KIND_SIZE:
		return (value >= (uint32_t)key->least && value <= key->most) ||
		       value == SETTING_UNLIMITED;
	case KIND_OCTAL:
		return value <= key->most || value == SETTING_UNSET;
	case KIND_INT:
		return (int32_t)value == SETTING_UNSET_INT ||
		       ((int32_t)value >= key->least && (int32_t)value <= (int32_t)key->most);
	case KIND_SIGNAL:
		return value >= 1 && value <= 64;
	case KIND_LATER:
		break;
	}
	return true;
}

static bool good_keys(const struct image *image, const void *settings, enum schema_section section)
{
	for (unsigned i = 0; i < schema_count(); i++) {
		const struct schema_key *key = schema_at(i);
		if (key->section == section && !good_value(image, settings, key))
			return false;
	}
	return true;
}

/* --- Probes, alerts --- */

enum need { NEED_HOST = 1, NEED_PORT = 2, NEED_PATH = 4, NEED_COMMAND = 8 };

static const uint8_t needs[CHECK_KINDS] = {
    [CHECK_HTTP] = NEED_HOST | NEED_PORT | NEED_PATH,
    [CHECK_TCP] = NEED_HOST | NEED_PORT,
    [CHECK_UNIX] = NEED_PATH,
    [CHECK_GRPC] = NEED_HOST | NEED_PORT,
    [CHECK_FILE] = NEED_PATH,
    [CHECK_EXEC] = NEED_COMMAND,
    [CHECK_LISTEN] = NEED_PORT,
};

static bool good_target(const struct image *image, const struct image_target *target)
{
	if (target->kind >= CHECK_KINDS || target->port > UINT16_MAX || target->udp > 1 ||
	    !good_text(image, target->host) || !good_text(image, target->path) ||
	    !good_text(image, target->service) || !good_list(image, target->command, ITEM_TEXT))
		return false;
	uint8_t need = needs[target->kind];
	return (target->host || !(need & NEED_HOST)) && (target->port || !(need & NEED_PORT)) &&
	       (target->path || !(need & NEED_PATH)) &&
	       (image_list(image, target->command)->count || !(need & NEED_COMMAND));
}

static bool good_ranges(const struct image *image, ref at)
{
	const struct image_list *list = image_list(image, at);

	for (uint32_t i = 0; i < list->count; i++)
		if (IMAGE_RANGE_LEAST(list->item[i]) > IMAGE_RANGE_MOST(list->item[i]))
			return false;
	return list->count && list->count <= PROBE_RANGES;
}

static bool good_probe(const struct image *image, ref at, const struct service_settings *service)
{
	const struct probe_settings *probe = (const void *)((const char *)image + at);

	if (!at)
		return true;
	return good_block(image, at, sizeof(*probe), _Alignof(struct probe_settings)) &&
	       good_keys(image, probe, SECTION_PROBE) && probe->name == service->name &&
	       good_target(image, &probe->target) && probe->target.kind != CHECK_NONE &&
	       good_target(image, &probe->fallback_target) &&
	       good_ranges(image, probe->expect_status) && probe->timeout <= probe->interval &&
	       probe->method && image_probe_text(image, probe) <= IMAGE_PROBE_TEXT;
}

static bool good_http(const struct image *image)
{
	if (!image->http)
		return true;
	return good_block(image, image->http, sizeof(struct http_settings),
		   _Alignof(struct http_settings)) &&
	       good_keys(image, image_http(image), SECTION_HTTP) &&
	       image_list(image, image_http(image)->listen)->count &&
	       image_list(image, image_http(image)->listen)->count <= IMAGE_MAX_LISTEN;
}

static bool good_syslog(const struct image *image)
{
	const struct syslog_settings *syslog = image_syslog(image);

	if (!syslog)
		return true;
	if (!good_block(image, image->syslog, sizeof(*syslog), _Alignof(struct syslog_settings)) ||
	    !good_keys(image, syslog, SECTION_SYSLOG) || !good_target(image, &syslog->target) ||
	    !syslog->socket)
		return false;
	const char *socket = image_string(image, syslog->socket);
	return syslog->target.kind == (syslog->forward ? CHECK_TCP : CHECK_NONE) &&
	       (syslog->listen || syslog->forward) && *socket == '/' &&
	       strlen(socket) <= CHECK_SOCKET;
}

static bool good_name(const struct image *image, ref at)
{
	return at && good_text(image, at) &&
	       image_good_name(image_string(image, at), strlen(image_string(image, at)));
}

static bool good_alert(const struct image *image, const struct alert_settings *alert)
{
	return good_keys(image, alert, SECTION_ALERT) && good_name(image, alert->name) &&
	       good_target(image, &alert->target) &&
	       alert->target.kind == (alert->webhook ? CHECK_HTTP : CHECK_NONE) &&
	       (alert->webhook || alert->file || image_list(image, alert->command)->count) &&
	       image_alert_text(image, alert) <= IMAGE_ALERT_TEXT;
}

static bool good_alerts(const struct image *image)
{
	if (!image->alert_count)
		return true;
	if (image->alert_count > IMAGE_MAX_ALERTS || !image->alerts ||
	    !good_block(image, image->alerts,
		image->alert_count * (uint64_t)sizeof(struct alert_settings),
		_Alignof(struct alert_settings)))
		return false;
	for (uint32_t i = 0; i < image->alert_count; i++)
		if (!good_alert(image, image_alert(image, i)))
			return false;
	return true;
}

/* --- Interfaces, what is waited for --- */

static bool good_net(const struct image *image, const struct net_settings *net)
{
	const struct image_list *lists[] = {
	    image_list(image, net->address), image_list(image, net->gateway)};
	struct netaddr parsed;

	if (!net->name || !good_text(image, net->name) ||
	    !netaddr_good_interface(image_string(image, net->name)) ||
	    lists[0]->count > NETADDR_ADDRESSES || lists[1]->count > NETADDR_GATEWAYS)
		return false;
	for (unsigned gateway = 0; gateway < 2; gateway++)
		for (uint32_t i = 0; i < lists[gateway]->count; i++)
			if (netaddr_parse(image_string(image, lists[gateway]->item[i]), !gateway,
				&parsed) < 0)
				return false;
	return true;
}

static bool good_nets(const struct image *image)
{
	if (!image->net_count)
		return true;
	if (image->net_count > IMAGE_MAX_NETS || !image->nets ||
	    !good_block(image, image->nets,
		image->net_count * (uint64_t)sizeof(struct net_settings),
		_Alignof(struct net_settings)))
		return false;
	for (uint32_t i = 0; i < image->net_count; i++)
		if (!good_keys(image, image_net(image, i), SECTION_NET) ||
		    !good_net(image, image_net(image, i)))
			return false;
	return true;
}

static bool good_awaited(const struct image *image)
{
	if (!good_list(image, image->awaited, ITEM_TEXT))
		return false;
	const struct image_list *list = image_list(image, image->awaited);
	if (list->count > IMAGE_MAX_AWAITED)
		return false;
	for (uint32_t i = 0; i < list->count; i++)
		if (!netaddr_good_awaited(image_string(image, list->item[i])))
			return false;
	return true;
}

static bool good_wait_for(const struct image *image, ref at)
{
	const struct image_list *list = image_list(image, at);

	if (list->count > IMAGE_MAX_WAIT_FOR)
		return false;
	for (uint32_t i = 0; i < list->count; i++)
		if (image_awaited(image, list->item[i]) == IMAGE_NONE)
			return false;
	return true;
}

static bool good_machine(const struct image *image, const struct service_settings *service)
{
	struct machine_settings settings;

	if (!service->machine || !good_block(image, service->machine, sizeof(settings),
				     _Alignof(struct machine_settings)))
		return false;
	image_fill_machine(image, service, &settings);
	return memcmp(image_machine(image, service), &settings, sizeof(settings)) == 0;
}

static bool good_service(const struct image *image, uint32_t index)
{
	const struct service_settings *service = image_service(image, index);

	if (!good_name(image, service->name) || !good_text(image, service->where) ||
	    !good_text(image, service->broken) || !good_text(image, service->user_name) ||
	    !good_text(image, service->home) || !good_text(image, service->shell))
		return false;
	if (index && strcmp(image_name(image, index - 1), image_name(image, index)) >= 0)
		return false;
	if (!good_list(image, service->group_ids, ITEM_NUMBER) ||
	    !good_list(image, service->order_after, ITEM_SERVICE) ||
	    !good_list(image, service->dependents, ITEM_SERVICE) ||
	    !good_list(image, service->restarts, ITEM_SERVICE) ||
	    !good_keys(image, service, SECTION_SERVICE) || !good_wait_for(image, service->wait_for))
		return false;
	if (!good_probe(image, service->startup, service) ||
	    !good_probe(image, service->liveness, service) ||
	    !good_probe(image, service->readiness, service))
		return false;
	if (!good_machine(image, service))
		return false;
	return service->broken || image_list(image, service->command)->count;
}

int image_check(const void *block, size_t size)
{
	const struct image *image = block;

	if (size < sizeof(*image) || size > UINT32_MAX || image->magic != IMAGE_MAGIC ||
	    image->version != IMAGE_VERSION || image->size != size || size % 8)
		return -EINVAL;
	if (((const char *)block)[size - 1] != '\0')
		return -EINVAL;
	if (image->service_count > IMAGE_MAX_SERVICES ||
	    !good_block(image, image->settings, sizeof(struct sinit_settings), 8) ||
	    !good_block(image, image->services,
		(uint64_t)image->service_count * sizeof(struct service_settings), 8))
		return -EINVAL;
	if (image->main_service != IMAGE_NONE && image->main_service >= image->service_count)
		return -EINVAL;
	if (!image->settings || !image->services ||
	    !good_keys(image, image_settings(image), SECTION_SINIT) || !good_awaited(image))
		return -EINVAL;
	for (uint32_t i = 0; i < image->service_count; i++)
		if (!good_service(image, i))
			return -EINVAL;
	if (!good_http(image) || !good_alerts(image) || !good_nets(image) || !good_syslog(image))
		return -EINVAL;
	return 0;
}
