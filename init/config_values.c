/* Keys to settings, as far as their values do not depend on the service. */
#include "init/base.h"
#include "init/loader.h"
#include "init/users.h"
#include "init/value.h"

#include <errno.h>
#include <string.h>

/* Items of a list of numbers. */
enum { CODES_MAX = 256 };

void loader_bad_value(struct loader *loader, struct draft *draft, const struct entry *entry)
{
	const struct schema_key *key = schema_at(entry->key);
	char shown[LOADER_SHOWN];
	char buffer[256];
	struct text expected;

	text_init(&expected, buffer, sizeof(buffer));
	schema_expected(key, &expected);
	loader_error(loader, draft, entry->file, entry->line, "%s = %s: expected %s",
	    schema_name(key), loader_show(entry->value, shown), buffer);
}

/* Text that is looked at here already: a path, a name of a user or group. */
static int parse_text(
    struct loader *loader, const struct schema_key *key, const char *value, ref *ret_value)
{
	uint32_t word;

	if (key->kind == KIND_PATH && *value != '/') {
		int error = schema_parse_word(key, value, &word);
		if (error)
			return error;
	}
	if (key->kind == KIND_ACCOUNT && !users_good_name(value))
		return -EINVAL;
	*ret_value = builder_text(&loader->builder, value, strlen(value));
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

static int parse_limit(struct loader *loader, const char *value, ref *ret_value)
{
	uint64_t soft;
	uint64_t hard;
	int error = value_limit(value, &soft, &hard);

	if (!error)
		*ret_value = builder_limit(&loader->builder, soft, hard);
	return error;
}

/* A value that is not empty. -ENOENT: it is parsed later, with the service. */
static int parse(
    struct loader *loader, const struct schema_key *key, const char *value, uint32_t *ret_value)
{
	switch ((enum schema_kind)key->kind) {
	case KIND_TEXT:
	case KIND_PATH:
	case KIND_ACCOUNT:
		return parse_text(loader, key, value, ret_value);
	case KIND_ACCOUNTS:
		return parse_accounts(loader, value, ret_value);
	case KIND_CODES:
		return parse_codes(loader, key, value, ret_value);
	case KIND_LIMIT:
		return parse_limit(loader, value, ret_value);
	case KIND_COMMAND:
	case KIND_ENVIRONMENT:
	case KIND_PATHS:
	case KIND_NAMES:
	case KIND_LATER:
		return -ENOENT;
	case KIND_BOOL:
	case KIND_ENUM:
	case KIND_COUNT:
	case KIND_OCTAL:
	case KIND_PERCENT:
	case KIND_FACTOR:
	case KIND_DURATION:
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

void loader_apply(struct loader *loader, struct draft *draft, void *settings, const void *base)
{
	for (const struct entry *entry = draft->first; entry; entry = entry->next) {
		const struct schema_key *key = schema_at(entry->key);
		uint32_t value;
		if (!*entry->value) {
			memcpy(&value, (const char *)base + key->offset, sizeof(value));
			set_member(settings, key, value);
			continue;
		}
		int error = parse(loader, key, entry->value, &value);
		if (!error)
			set_member(settings, key, value);
		else if (error == -EOPNOTSUPP) {
			char shown[LOADER_SHOWN];
			loader_error(loader, draft, entry->file, entry->line,
			    "%s = %s: not supported by this build", schema_name(key),
			    loader_show(entry->value, shown));
		} else if (error == -EDOM) {
			char shown[LOADER_SHOWN];
			loader_error(loader, draft, entry->file, entry->line,
			    "%s = %s: the soft limit is above the hard one", schema_name(key),
			    loader_show(entry->value, shown));
		} else if (error != -ENOENT) {
			loader_bad_value(loader, draft, entry);
		}
	}
}

/* The table's defaults for the keys of one section. */
static void apply_defaults(struct loader *loader, enum schema_section section, void *settings)
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

	apply_defaults(loader, SECTION_SINIT, &base);
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
	apply_defaults(loader, SECTION_SERVICE, &loader->builtin);
	loader->template = loader->builtin;
	loader_apply(loader, &loader->defaults, &loader->template, &loader->builtin);
}
