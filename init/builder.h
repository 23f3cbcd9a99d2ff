/* Builds an image: fixed parts first, then texts and lists, each stored once.
 *
 * Owns the image until builder_finish() hands it over. Calls mmap(2), mremap(2), munmap(2).
 * Out of memory (or 4 GiB) is remembered: everything then returns 0, and builder_finish()
 * fails, so callers need not look at each result.
 */
#ifndef SINIT_INIT_BUILDER_H
#define SINIT_INIT_BUILDER_H

#include "init/image.h"

struct builder_entry;

struct builder {
	char *base;
	size_t used;
	size_t size;
	struct builder_entry *table; /* what is stored already, by its hash */
	uint32_t table_size;         /* a power of two */
	uint32_t entries;
	bool failed;
};

/* Begins an image with room for `services` services, all zero. 0 or -ENOMEM. */
int builder_start(struct builder *builder, uint32_t services);

/* The parts; the pointers are good until the next call that adds something. */
struct image *builder_image(const struct builder *builder);
struct sinit_settings *builder_settings(const struct builder *builder);
struct service_settings *builder_service(const struct builder *builder, uint32_t index);

/* Adds a text of `length` bytes without NULs. */
ref builder_text(struct builder *builder, const char *bytes, size_t length);

/* Adds a list; an empty one is 0. */
ref builder_list(struct builder *builder, const struct image_list *list);

/* Adds a block of bytes (at least one) at an address that is a multiple of `align`. */
ref builder_block(struct builder *builder, const void *bytes, size_t length, size_t align);

/* Adds those limits whose bits are in `set`; limit[] has a place for each resource. None is 0. */
ref builder_limits(
    struct builder *builder, uint64_t set, const struct image_limit limit[static IMAGE_LIMITS]);

/* Ends the image and hands it to the caller, for config_free(). 0 or -ENOMEM. */
int builder_finish(struct builder *builder, struct image **ret_image);

/* Gives up whatever is still owned. */
void builder_free(struct builder *builder);

/* A 32-bit hash (of good spread, not for enemies), continuing from `seed`. */
uint32_t builder_hash(uint32_t seed, const void *bytes, size_t length);

#endif
