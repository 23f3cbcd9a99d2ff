/* Whether a block from elsewhere is an image that can be used without looking again. */
#include "init/image.h"

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
	case KIND_ACCOUNT:
		return good_text(image, value);
	case KIND_COMMAND:
	case KIND_ENVIRONMENT:
	case KIND_PATHS:
	case KIND_ACCOUNTS:
		return good_list(image, value, ITEM_TEXT);
	case KIND_NAMES:
		return good_list(image, value, ITEM_SERVICE);
	case KIND_CODES:
		return good_list(image, value, ITEM_NUMBER);
	case KIND_LIMIT:
		return good_limits(image, value);
	case KIND_BOOL:
		return value <= 1;
	case KIND_ENUM:
		return schema_word_supported(key, value);
	case KIND_COUNT:
	case KIND_PERCENT:
	case KIND_FACTOR:
	case KIND_DURATION:
		return (value >= (uint32_t)key->least && value <= key->most) ||
		       (value == SETTING_UNLIMITED && key->flags & KEY_UNLIMITED);
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

static bool good_service(const struct image *image, uint32_t index)
{
	const struct service_settings *service = image_service(image, index);

	if (!service->name || !good_text(image, service->name) ||
	    !image_good_name(image_name(image, index), strlen(image_name(image, index))) ||
	    !good_text(image, service->where) || !good_text(image, service->broken) ||
	    !good_text(image, service->user_name) || !good_text(image, service->home) ||
	    !good_text(image, service->shell))
		return false;
	if (index && strcmp(image_name(image, index - 1), image_name(image, index)) >= 0)
		return false;
	if (!good_list(image, service->group_ids, ITEM_NUMBER) ||
	    !good_list(image, service->order_after, ITEM_SERVICE) ||
	    !good_list(image, service->dependents, ITEM_SERVICE) ||
	    !good_list(image, service->restarts, ITEM_SERVICE) ||
	    !good_keys(image, service, SECTION_SERVICE))
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
	    !good_keys(image, image_settings(image), SECTION_SINIT))
		return -EINVAL;
	for (uint32_t i = 0; i < image->service_count; i++)
		if (!good_service(image, i))
			return -EINVAL;
	return 0;
}
