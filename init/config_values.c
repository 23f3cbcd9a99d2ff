/* Keys to settings, as far as their values do not depend on the service. */
#include "init/base.h"
#include "init/loader.h"
#include "init/netaddr.h"
#include "init/users.h"
#include "init/value.h"

#include <errno.h>
#include <string.h>

/* Items of a list of numbers. */
enum { CODES_MAX = 256 };

void loader_fault(
    struct loader *loader, struct draft *draft, const struct entry *entry, const char *reason)
{
	char shown[LOADER_SHOWN];

	loader_error(loader, draft, entry->file, entry->line, "%s = %s: %s",
	    schema_name(schema_at(entry->key)), loader_show(entry->value, shown), reason);
}

void loader_bad_value(struct loader *loader, struct draft *draft, const struct entry *entry)
{
	char buffer[320];
	struct text expected;

	text_init(&expected, buffer, sizeof(buffer));
	text_add(&expected, "expected ");
	schema_expected(schema_at(entry->key), &expected);
	loader_fault(loader, draft, entry, buffer);
}

/* Text that is looked at here already: a path, a name of a user or group. */
static int parse_text(
    struct loader *loader, const struct schema_key *key, const char *value, ref *ret_value)
{
	uint32_t word;
	uint64_t bytes;
	char words[CGROUP_VALUE];
	size_t length = strlen(value);

	if (key->kind == KIND_WORD || (key->kind == KIND_PATH && *value != '/')) {
		int error = schema_parse_word(key, value, &word);
		if (error)
			return error;
	}
	if (key->flags & KEY_FILE && value[length - 1] == '/')
		return -EISDIR;
	if (key->kind == KIND_ACCOUNT && !users_good_name(value))
		return -EINVAL;
	if (key->kind == KIND_CGROUP && cgroup_limit_value(schema_limit(key), value, words) < 0)
		return -EINVAL;
	if (key->kind == KIND_WARN && cgroup_warn_value(value, 0, &bytes) < 0)
		return -EINVAL;
	*ret_value = builder_text(&loader->builder, value, length);
	return 0;
}

/* Takes the next of the words in *at, which are separated by blanks. */
static size_t next_item(const char **at, const char **ret_item)
{
	const char *item = *at + strspn(*at, " \t");
	size_t length = strcspn(item, " \t");

	*ret_item = item;
	*at = item + length;
	return length;
}

static int parse_accounts(struct loader *loader, const char *value, ref *ret_value)
{
	const char *item;
	size_t length;
	char name[256];

	loader->list->count = 0;
	while ((length = next_item(&value, &item)) > 0) {
		if (length >= sizeof(name) || loader->list->count == LOADER_ITEMS)
			return -EINVAL;
		memcpy(name, item, length);
		name[length] = '\0';
		if (!users_good_name(name))
			return -EINVAL;
		loader->list->item[loader->list->count++] =
		    builder_text(&loader->builder, name, length);
	}
	*ret_value = builder_list(&loader->builder, loader->list);
	return 0;
}

static int parse_awaited(struct loader *loader, const char *value, ref *ret_value)
{
	const char *item;
	size_t length;
	char name[NETADDR_AWAITED];

	loader->list->count = 0;
	while ((length = next_item(&value, &item)) > 0) {
		if (length >= sizeof(name) || loader->list->count == IMAGE_MAX_WAIT_FOR)
			return -EINVAL;
		memcpy(name, item, length);
		name[length] = '\0';
		if (!netaddr_good_awaited(name))
			return -EINVAL;
		loader->list->item[loader->list->count++] =
		    builder_text(&loader->builder, name, length);
	}
	*ret_value = builder_list(&loader->builder, loader->list);
	return 0;
}

static int parse_codes(
    struct loader *loader, const struct schema_key *key, const char *value, ref *ret_value)
{
	const char *item;
	size_t length;
	char number[12];
	uint32_t code;

	loader->list->count = 0;
	while ((length = next_item(&value, &item)) > 0) {
		if (length >= sizeof(number) || loader->list->count == CODES_MAX)
			return -EINVAL;
		memcpy(number, item, length);
		number[length] = '\0';
		if (parse_u32(number, &code) || code > key->most)
			return -EINVAL;
		loader->list->item[loader->list->count++] = code;
	}
	*ret_value = builder_list(&loader->builder, loader->list);
	return 0;
}

/* "200" or "200-399" in item[0 .. length-1]. */
static int parse_range(
    const struct schema_key *key, const char *item, size_t length, uint32_t *ret_range)
{
	char text[12];
	uint32_t least;
	uint32_t most;

	if (length >= sizeof(text))
		return -EINVAL;
	memcpy(text, item, length);
	text[length] = '\0';
	char *dash = strchr(text, '-');
	if (dash)
		*dash = '\0';
	if (parse_u32(text, &least) || parse_u32(dash ? dash + 1 : text, &most) || least > most ||
	    least < (uint32_t)key->least || most > key->most)
		return -EINVAL;
	*ret_range = IMAGE_RANGE(least, most);
	return 0;
}

static int parse_ranges(
    struct loader *loader, const struct schema_key *key, const char *value, ref *ret_value)
{
	const char *item;
	size_t length;

	loader->list->count = 0;
	while ((length = next_item(&value, &item)) > 0) {
		uint32_t *range = &loader->list->item[loader->list->count++];
		if (loader->list->count > PROBE_RANGES || parse_range(key, item, length, range) < 0)
			return -EINVAL;
	}
	*ret_value = builder_list(&loader->builder, loader->list);
	return 0;
}

/* A value that is not empty. -ENOENT: it is parsed later, with the service. */
static int parse(
    struct loader *loader, const struct schema_key *key, const char *value, uint32_t *ret_value)
{
	switch ((enum schema_kind)key->kind) {
	case KIND_TEXT:
	case KIND_PATH:
	case KIND_WORD:
	case KIND_CGROUP:
	case KIND_WARN:
	case KIND_ACCOUNT:
		return parse_text(loader, key, value, ret_value);
	case KIND_ACCOUNTS:
		return parse_accounts(loader, value, ret_value);
	case KIND_AWAITED:
		return parse_awaited(loader, value, ret_value);
	case KIND_CODES:
		return parse_codes(loader, key, value, ret_value);
	case KIND_RANGES:
		return parse_ranges(loader, key, value, ret_value);
	case KIND_CHECK:
	case KIND_URL:
	case KIND_FORWARD:
	case KIND_COMMAND:
	case KIND_ENVIRONMENT:
	case KIND_PATHS:
	case KIND_HEADERS:
	case KIND_LISTEN:
	case KIND_PATTERNS:
	case KIND_ADDRESSES:
	case KIND_GATEWAYS:
	case KIND_NAMES:
	case KIND_LIMIT:
	case KIND_LATER:
		return -ENOENT;
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
		break;
	}
	return schema_parse_number(key, value, ret_value);
}

static void set_member(void *settings, const struct schema_key *key, uint32_t value)
{
	memcpy((char *)settings + key->offset, &value, sizeof(value));
}

/* What is wrong with a value that could not be parsed. */
static void parse_fault(
    struct loader *loader, struct draft *draft, const struct entry *entry, int error)
{
	if (error == -EOPNOTSUPP)
		loader_fault(loader, draft, entry, "not supported by this build");
	else if (error == -EISDIR)
		loader_fault(loader, draft, entry, "it ends in /; write the path of a file");
	else if (error == -EDOM)
		loader_fault(loader, draft, entry, "the soft limit is above the hard one");
	else
		loader_bad_value(loader, draft, entry);
}

void loader_apply(struct loader *loader, struct draft *draft, void *settings, const void *base)
{
	for (const struct entry *entry = draft->first; entry; entry = entry->next) {
		const struct schema_key *key = schema_at(entry->key);
		uint32_t value;
		int error = 0;
		if (*entry->value)
			error = parse(loader, key, entry->value, &value);
		else
			memcpy(&value, (const char *)base + key->offset, sizeof(value));
		if (!error)
			set_member(settings, key, value);
		else if (error != -ENOENT)
			parse_fault(loader, draft, entry, error);
	}
}

/* The limits of a service, a place for each resource. */
struct limits {
	uint64_t set;
	struct image_limit limit[IMAGE_LIMITS];
};

static struct limits limits_of(const struct image *image, const struct service_settings *service)
{
	struct limits limits = {0};

	for (unsigned i = 0; i < IMAGE_LIMITS; i++) {
		const struct image_limit *given = image_limit(image, service, i);
		if (!given)
			continue;
		limits.set |= UINT64_C(1) << i;
		limits.limit[i] = *given;
	}
	return limits;
}

void loader_limits(struct loader *loader, struct draft *draft, struct service_settings *service,
    const struct service_settings *base)
{
	struct limits preset = limits_of(builder_image(&loader->builder), base);
	struct limits limits = preset;

	for (const struct entry *entry = draft->first; entry; entry = entry->next) {
		unsigned i = entry->key - (unsigned)KEY_SERVICE_limit_cpu;
		uint64_t bit = UINT64_C(1) << i % IMAGE_LIMITS;
		int error = 0;
		if (i >= IMAGE_LIMITS)
			continue;
		struct image_limit *limit = &limits.limit[i];
		limits.set |= bit;
		if (*entry->value) {
			error = value_limit(entry->value, &limit->soft, &limit->hard);
		} else {
			*limit = preset.limit[i];
			limits.set &= ~bit | preset.set;
		}
		if (error)
			parse_fault(loader, draft, entry, error);
	}
	service->limits = builder_limits(&loader->builder, limits.set, limits.limit);
}

void loader_defaults(struct loader *loader, enum schema_section section, void *settings)
{
	for (unsigned i = 0; i < schema_count(); i++) {
		const struct schema_key *key = schema_at(i);
		const char *preset = schema_default(key);
		uint32_t value = 0;
		if (key->section != section || key->kind == KIND_LATER)
			continue;
		if (*preset)
			parse(loader, key, preset, &value);
		else if (key->kind == KIND_INT)
			value = (uint32_t)SETTING_UNSET_INT;
		else if (key->kind == KIND_OCTAL)
			value = SETTING_UNSET;
		set_member(settings, key, value);
	}
}

static void sinit_settings(struct loader *loader)
{
	struct sinit_settings base = {.control_gid = SETTING_UNSET};

	loader_defaults(loader, SECTION_SINIT, &base);
	struct sinit_settings settings = base;
	loader_apply(loader, &loader->sinit, &settings, &base);
	if (settings.control_group) {
		const char *name =
		    image_string(builder_image(&loader->builder), settings.control_group);
		const struct entry *entry =
		    loader_effective(loader, &loader->sinit, KEY_SINIT_control_group);
		if (!loader_group(loader, name, &settings.control_gid))
			loader_warning(loader, entry->file, entry->line,
			    "control_group = %s: no such group; only root controls sinit", name);
	}
	*builder_settings(&loader->builder) = settings;
}

void loader_fixed_settings(struct loader *loader)
{
	sinit_settings(loader);
	loader_defaults(loader, SECTION_SERVICE, &loader->builtin);
	loader->builtin.log_uid = loader->builtin.log_gid = SETTING_UNSET;
	loader->template = loader->builtin;
	loader_apply(loader, &loader->defaults, &loader->template, &loader->builtin);
	loader_limits(loader, &loader->defaults, &loader->template, &loader->builtin);
	loader_log_user(loader, &loader->defaults, &loader->template, &loader->builtin);
	loader_defaults(loader, SECTION_PROBE, &loader->probe);
}
