#include "init/image.h"

#include <string.h>

static const struct image_list empty_list;

const struct image_list *image_list(const struct image *image, ref at)
{
	return at ? (const struct image_list *)(const void *)((const char *)image + at)
		  : &empty_list;
}

bool image_good_name(const char *name, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		char c = name[i];
		if ((c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') &&
		    c != '_' && c != '-' && c != '.' && c != '@')
			return false;
	}
	if (name[0] == '.' && (length == 1 || (length == 2 && name[1] == '.')))
		return false;
	return length > 0 && length <= IMAGE_MAX_NAME;
}

uint32_t image_find(const struct image *image, const char *name)
{
	uint32_t low = 0;
	uint32_t high = image->service_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		int order = strcmp(name, image_name(image, middle));
		if (order == 0)
			return middle;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return IMAGE_NONE;
}

const struct image_limit *image_limit(
    const struct image *image, const struct service_settings *service, unsigned resource)
{
	const struct image_limits *limits = (const void *)((const char *)image + service->limits);
	unsigned place = 0;

	if (!service->limits || !(limits->set >> resource & 1))
		return NULL;
	for (unsigned i = 0; i < resource; i++)
		place += (unsigned)(limits->set >> i & 1);
	return &limits->limit[place];
}

static void fill_success(
    const struct image *image, const struct service_settings *s, uint8_t success[32])
{
	const struct image_list *codes = image_list(image, s->success_exit_codes);

	for (uint32_t i = 0; i < codes->count; i++)
		success[codes->item[i] / 8 % 32] |= (uint8_t)(1 << codes->item[i] % 8);
}

void image_fill_machine(
    const struct image *image, const struct service_settings *service, struct machine_settings *ret)
{
	const struct service_settings *s = service;

	memset(ret, 0, sizeof(*ret));
	ret->oneshot = s->type == TYPE_ONESHOT;
	ret->has_pre_start = s->pre_start;
	ret->has_post_stop = s->post_stop;
	ret->has_stop_command = s->stop_command;
	ret->waits_ready = s->type == TYPE_NOTIFY || s->startup;
	ret->has_readiness = s->readiness;
	ret->restart = (uint8_t)s->restart;
	ret->kill_mode = (uint8_t)s->kill_mode;
	ret->oom_stop = s->oom_policy == OOM_STOP;
	ret->stop_signal = (uint8_t)s->stop_signal;
	ret->start_timeout = s->start_timeout;
	ret->stop_timeout = s->stop_timeout;
	ret->restart_delay = s->restart_delay;
	ret->max_backoff = s->max_backoff;
	ret->min_uptime = s->min_uptime;
	ret->restart_window = s->restart_window;
	ret->backoff_multiplier = s->backoff_multiplier;
	ret->backoff_jitter = s->backoff_jitter;
	ret->max_restarts = s->max_restarts;
	fill_success(image, s, ret->success);
}

_Static_assert(KEY_SERVICE_limit_rttime == KEY_SERVICE_limit_cpu + IMAGE_LIMITS - 1,
    "the limits stand in the order of their numbers");

const struct probe_settings *image_probe(
    const struct image *image, const struct service_settings *service, enum probe_role role)
{
	ref at;

	memcpy(&at,
	    (const char *)service + offsetof(struct service_settings, startup) + role * sizeof(at),
	    sizeof(at));
	return at ? (const void *)((const char *)image + at) : NULL;
}

_Static_assert(offsetof(struct service_settings, readiness) ==
		   offsetof(struct service_settings, startup) + PROBE_READINESS * sizeof(ref),
    "the probes stand in the order of their roles");

const char *image_cgroup(
    const struct image *image, const struct service_settings *service, enum cgroup_limit limit)
{
	ref at;

	memcpy(&at,
	    (const char *)service + offsetof(struct service_settings, memory_max) +
		limit * sizeof(at),
	    sizeof(at));
	return image_string(image, at);
}

_Static_assert(
    offsetof(struct service_settings, cpuset_cpus) ==
	offsetof(struct service_settings, memory_max) + (CGROUP_LIMITS - 1) * sizeof(ref),
    "the limits stand in the order of enum cgroup_limit");

bool image_probe_has(const struct probe_settings *probe, enum check_kind kind)
{
	return probe->target.kind == kind || probe->fallback_target.kind == kind;
}

bool image_is_network(const struct image_target *target)
{
	return target->kind != CHECK_NONE && target->kind <= CHECK_GRPC;
}

bool image_by_prober(const struct probe_settings *probe)
{
	const struct image_target *fallback = &probe->fallback_target;

	return image_is_network(&probe->target) &&
	       (fallback->kind == CHECK_NONE || image_is_network(fallback));
}

uint32_t image_awaited(const struct image *image, ref item)
{
	const struct image_list *list = image_list(image, image->awaited);

	for (uint32_t i = 0; i < list->count; i++)
		if (list->item[i] == item)
			return i;
	return IMAGE_NONE;
}

static size_t text_size(const struct image *image, ref at)
{
	return at ? strlen(image_string(image, at)) + 1 : 0;
}

size_t image_probe_text(const struct image *image, const struct probe_settings *probe)
{
	const struct image_list *headers = image_list(image, probe->header);
	const ref texts[] = {probe->target.host, probe->target.path, probe->target.service,
	    probe->fallback_target.host, probe->fallback_target.path,
	    probe->fallback_target.service, probe->expect_body, probe->method};
	size_t size = 2; /* text[0], and the NUL behind the headers */

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		size += text_size(image, texts[i]);
	for (uint32_t i = 0; i < headers->count && size <= HELPER_MESSAGE; i++)
		size += text_size(image, headers->item[i]) + 1;
	return size;
}

size_t image_alert_text(const struct image *image, const struct alert_settings *alert)
{
	const ref texts[] = {alert->target.host, alert->target.path, alert->file, alert->name};
	const struct image_list *lists[] = {
	    image_list(image, alert->command), image_list(image, alert->services)};
	size_t size = 1 + sizeof("/"); /* text[0], and the path that a webhook may lack */

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		size += text_size(image, texts[i]);
	for (size_t k = 0; k < sizeof(lists) / sizeof(lists[0]); k++)
		for (uint32_t i = 0; i < lists[k]->count && size <= HELPER_MESSAGE; i++)
			size += text_size(image, lists[k]->item[i]);
	return size;
}
