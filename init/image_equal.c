/* Whether services are the same in two images, and one number that tells it quickly. */
#include "init/builder.h"
#include "init/image.h"

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
		} else if (kind == KIND_CODES) {
			if (x != y)
				return false;
		} else if (!equal_text(a, x, b, y)) {
			return false;
		}
	}
	return true;
}

static bool equal_limit(const struct image *a, ref at_a, const struct image *b, ref at_b)
{
	if (!at_a || !at_b)
		return at_a == at_b;
	return memcmp((const char *)a + at_a, (const char *)b + at_b, sizeof(struct image_limit)) ==
	       0;
}

static bool equal_value(const struct image *a, const void *settings_a, const struct image *b,
    const void *settings_b, const struct schema_key *key)
{
	uint32_t x = member(settings_a, key);
	uint32_t y = member(settings_b, key);

	switch ((enum schema_kind)key->kind) {
	case KIND_TEXT:
	case KIND_PATH:
	case KIND_ACCOUNT:
		return equal_text(a, x, b, y);
	case KIND_COMMAND:
	case KIND_ENVIRONMENT:
	case KIND_PATHS:
	case KIND_ACCOUNTS:
	case KIND_NAMES:
	case KIND_CODES:
		return equal_list(a, x, b, y, (enum schema_kind)key->kind);
	case KIND_LIMIT:
		return equal_limit(a, x, b, y);
	case KIND_BOOL:
	case KIND_ENUM:
	case KIND_COUNT:
	case KIND_OCTAL:
	case KIND_PERCENT:
	case KIND_FACTOR:
	case KIND_DURATION:
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

bool image_service_equal(const struct image *a, uint32_t ia, const struct image *b, uint32_t ib)
{
	return image_service(a, ia)->digest == image_service(b, ib)->digest &&
	       equal_service(a, ia, b, ib, 0);
}

bool image_service_same_process(
    const struct image *a, uint32_t ia, const struct image *b, uint32_t ib)
{
	return equal_service(a, ia, b, ib, KEY_SPAWN);
}

/* Each value is hashed with its length, so that no two sequences look the same. */
static uint32_t hash_text(uint32_t hash, const struct image *image, ref at)
{
	const char *string = at ? image_string(image, at) : "";

	return builder_hash(hash, string, strlen(string));
}

static uint32_t hash_number(uint32_t hash, uint32_t value)
{
	return builder_hash(hash, &value, sizeof(value));
}

static uint32_t hash_list(uint32_t hash, const struct image *image, ref at, enum schema_kind kind)
{
	const struct image_list *list = image_list(image, at);

	hash = hash_number(hash, list->count);
	for (uint32_t i = 0; i < list->count; i++) {
		if (kind == KIND_NAMES)
			hash = hash_text(hash, image, image_service(image, list->item[i])->name);
		else if (kind == KIND_CODES)
			hash = hash_number(hash, list->item[i]);
		else
			hash = hash_text(hash, image, list->item[i]);
	}
	return hash;
}

static uint32_t hash_value(
    uint32_t hash, const struct image *image, const void *settings, const struct schema_key *key)
{
	uint32_t value = member(settings, key);

	switch ((enum schema_kind)key->kind) {
	case KIND_TEXT:
	case KIND_PATH:
	case KIND_ACCOUNT:
		return hash_text(hash, image, value);
	case KIND_COMMAND:
	case KIND_ENVIRONMENT:
	case KIND_ACCOUNTS:
	case KIND_NAMES:
	case KIND_CODES:
		return hash_list(hash, image, value, (enum schema_kind)key->kind);
	case KIND_LIMIT:
		return value ? builder_hash(
				   hash, (const char *)image + value, sizeof(struct image_limit))
			     : hash_number(hash, 0);
	case KIND_BOOL:
	case KIND_ENUM:
	case KIND_COUNT:
	case KIND_OCTAL:
	case KIND_PERCENT:
	case KIND_FACTOR:
	case KIND_DURATION:
	case KIND_INT:
	case KIND_SIGNAL:
		return hash_number(hash, value);
	case KIND_PATHS:
	case KIND_LATER:
		break;
	}
	return hash;
}

uint32_t image_service_digest(const struct image *image, uint32_t index)
{
	const struct service_settings *service = image_service(image, index);
	uint32_t hash = hash_text(service->flags, image, service->name);

	hash = hash_number(hash, service->broken ? 1 : 0);
	hash = hash_number(hash, service->uid);
	hash = hash_number(hash, service->gid);
	hash = hash_list(hash, image, service->group_ids, KIND_CODES);
	hash = hash_text(hash, image, service->user_name);
	hash = hash_text(hash, image, service->home);
	hash = hash_text(hash, image, service->shell);
	for (unsigned i = 0; i < schema_count(); i++) {
		const struct schema_key *key = schema_at(i);
		if (key->section == SECTION_SERVICE)
			hash = hash_value(hash, image, service, key);
	}
	return hash;
}

bool image_settings_equal(const struct image *a, const struct image *b)
{
	const struct sinit_settings *x = image_settings(a);
	const struct sinit_settings *y = image_settings(b);

	return x->control_gid == y->control_gid && equal_keys(a, x, b, y, SECTION_SINIT, 0);
}
