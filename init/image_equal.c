/* Whether services are the same in two images. */
#include "init/image.h"
#include "init/image_log.h"

#include <string.h>

static uint32_t member(const void *settings, const struct schema_key *key)
{
	uint32_t value;

	memcpy(&value, (const char *)settings + key->offset, sizeof(value));
	return value;
}

static bool equal_text(const struct image *a, ref at_a, const struct image *b, ref at_b)
{
	if (!at_a || !at_b)
		return at_a == at_b;
	return strcmp(image_string(a, at_a), image_string(b, at_b)) == 0;
}

/* Items of a list: texts, names of services, or plain numbers. */
static bool equal_list(
    const struct image *a, ref at_a, const struct image *b, ref at_b, enum schema_kind kind)
{
	const struct image_list *list_a = image_list(a, at_a);
	const struct image_list *list_b = image_list(b, at_b);

	if (list_a->count != list_b->count)
		return false;
	for (uint32_t i = 0; i < list_a->count; i++) {
		uint32_t x = list_a->item[i];
		uint32_t y = list_b->item[i];
		if (kind == KIND_NAMES) {
			if (strcmp(image_name(a, x), image_name(b, y)) != 0)
				return false;
		} else if (kind == KIND_CODES || kind == KIND_RANGES) {
			if (x != y)
				return false;
		} else if (!equal_text(a, x, b, y)) {
			return false;
		}
	}
	return true;
}

/* All limits at once: equal ones have equal bytes. */
static bool equal_limits(const struct image *a, ref at_a, const struct image *b, ref at_b)
{
	const struct image_limits *x = (const void *)((const char *)a + at_a);
	const struct image_limits *y = (const void *)((const char *)b + at_b);
	size_t count = 0;

	if (!at_a || !at_b)
		return at_a == at_b;
	for (unsigned i = 0; i < IMAGE_LIMITS; i++)
		count += x->set >> i & 1;
	return x->set == y->set && memcmp(x->limit, y->limit, count * sizeof(x->limit[0])) == 0;
}

static bool equal_value(const struct image *a, const void *settings_a, const struct image *b,
    const void *settings_b, const struct schema_key *key)
{
	uint32_t x = member(settings_a, key);
	uint32_t y = member(settings_b, key);

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
		return equal_text(a, x, b, y);
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
	case KIND_NAMES:
	case KIND_CODES:
	case KIND_RANGES:
		return equal_list(a, x, b, y, (enum schema_kind)key->kind);
	case KIND_LIMIT:
		return equal_limits(a, x, b, y);
	case KIND_BOOL:
	case KIND_ENUM:
	case KIND_MASK:
	case KIND_COUNT:
	case KIND_OCTAL:
	case KIND_PERCENT:
	case KIND_FACTOR:
	case KIND_DURATION:
	case KIND_SIZE:
	case KIND_INT:
	case KIND_SIGNAL:
		return x == y;
	case KIND_LATER:
		break;
	}
	return true;
}

static bool equal_keys(const struct image *a, const void *settings_a, const struct image *b,
    const void *settings_b, enum schema_section section, unsigned flags)
{
	for (unsigned i = 0; i < schema_count(); i++) {
		const struct schema_key *key = schema_at(i);
		if (key->section != section || key->kind == KIND_LATER ||
		    (key->flags & flags) != flags)
			continue;
		/* The files' contents are in `environment`; which files does not matter. */
		if (key->kind == KIND_PATHS)
			continue;
		if (!equal_value(a, settings_a, b, settings_b, key))
			return false;
	}
	return true;
}

static bool equal_service(
    const struct image *a, uint32_t ia, const struct image *b, uint32_t ib, unsigned flags)
{
	const struct service_settings *x = image_service(a, ia);
	const struct service_settings *y = image_service(b, ib);

	return equal_text(a, x->name, b, y->name) && !x->broken == !y->broken &&
	       x->flags == y->flags && x->uid == y->uid && x->gid == y->gid &&
	       equal_list(a, x->group_ids, b, y->group_ids, KIND_CODES) &&
	       equal_text(a, x->user_name, b, y->user_name) && equal_text(a, x->home, b, y->home) &&
	       equal_text(a, x->shell, b, y->shell) &&
	       equal_keys(a, x, b, y, SECTION_SERVICE, flags);
}

/* What is parsed from keys is the same where the keys are; but a command has variables of its
 * surroundings in it. */
static bool equal_probe(const struct image *a, const struct probe_settings *x,
    const struct image *b, const struct probe_settings *y)
{
	if (!x || !y)
		return x == y;
	return equal_keys(a, x, b, y, SECTION_PROBE, 0) &&
	       equal_list(a, x->target.command, b, y->target.command, KIND_COMMAND) &&
	       equal_list(
		   a, x->fallback_target.command, b, y->fallback_target.command, KIND_COMMAND);
}

bool image_probe_equal(
    const struct image *a, uint32_t ia, const struct image *b, uint32_t ib, enum probe_role role)
{
	return equal_probe(a, image_probe(a, image_service(a, ia), role), b,
	    image_probe(b, image_service(b, ib), role));
}

bool image_http_equal(const struct image *a, const struct image *b)
{
	const struct http_settings *x = image_http(a);
	const struct http_settings *y = image_http(b);

	return x && y ? equal_keys(a, x, b, y, SECTION_HTTP, 0) : x == y;
}

bool image_alerts_equal(const struct image *a, const struct image *b)
{
	if (a->alert_count != b->alert_count)
		return false;
	for (uint32_t i = 0; i < a->alert_count; i++) {
		const struct alert_settings *x = image_alert(a, i);
		const struct alert_settings *y = image_alert(b, i);
		if (!equal_text(a, x->name, b, y->name) ||
		    !equal_keys(a, x, b, y, SECTION_ALERT, 0))
			return false;
	}
	return true;
}

bool image_devices_equal(const struct image *a, const struct image *b)
{
	if (a->net_count != b->net_count || !equal_list(a, a->awaited, b, b->awaited, KIND_AWAITED))
		return false;
	for (uint32_t i = 0; i < a->net_count; i++) {
		const struct net_settings *x = image_net(a, i);
		const struct net_settings *y = image_net(b, i);
		if (!equal_text(a, x->name, b, y->name) || !equal_keys(a, x, b, y, SECTION_NET, 0))
			return false;
	}
	return true;
}

bool image_service_equal(const struct image *a, uint32_t ia, const struct image *b, uint32_t ib)
{
	for (unsigned role = 0; role < PROBE_ROLES; role++)
		if (!image_probe_equal(a, ia, b, ib, (enum probe_role)role))
			return false;
	const struct service_settings *x = image_service(a, ia);
	const struct service_settings *y = image_service(b, ib);
	return x->log_uid == y->log_uid && x->log_gid == y->log_gid &&
	       equal_service(a, ia, b, ib, 0);
}

/* What comes out of a captured stream may go elsewhere at any time; but a process keeps the
 * descriptors that it was born with. */
static bool equal_ways(const struct image *a, uint32_t ia, const struct image *b, uint32_t ib,
    enum image_stream stream)
{
	struct image_log x, y;

	image_log(a, image_service(a, ia), stream, &x);
	image_log(b, image_service(b, ib), stream, &y);
	return x.way == y.way;
}

bool image_service_same_process(
    const struct image *a, uint32_t ia, const struct image *b, uint32_t ib)
{
	return equal_service(a, ia, b, ib, KEY_SPAWN) && equal_ways(a, ia, b, ib, STREAM_STDOUT) &&
	       equal_ways(a, ia, b, ib, STREAM_STDERR);
}

bool image_syslog_equal(const struct image *a, const struct image *b)
{
	const struct syslog_settings *x = image_syslog(a);
	const struct syslog_settings *y = image_syslog(b);

	if (!x || !y)
		return x == y;
	return x->log_uid == y->log_uid && x->log_gid == y->log_gid &&
	       equal_keys(a, x, b, y, SECTION_SYSLOG, 0);
}

bool image_settings_equal(const struct image *a, const struct image *b)
{
	const struct sinit_settings *x = image_settings(a);
	const struct sinit_settings *y = image_settings(b);

	return x->control_gid == y->control_gid && equal_keys(a, x, b, y, SECTION_SINIT, 0);
}
