#include "init/builder.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { TABLE_FIRST = 1024, POOL_FIRST = 32 << 10 };

struct builder_entry {
	uint32_t hash;
	uint32_t at;  /* 0: free */
	uint32_t tag; /* twice the length, plus 1 for a text */
};

static size_t round_up(size_t size, size_t unit)
{
	return (size + unit - 1) & ~(unit - 1);
}

static void *get_pages(size_t size)
{
	void *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return pages == MAP_FAILED ? NULL : pages;
}

static size_t table_bytes(uint32_t size)
{
	return (size_t)size * sizeof(struct builder_entry);
}

int builder_start(struct builder *builder, uint32_t services)
{
	size_t settings = round_up(sizeof(struct image), 8);
	size_t first = round_up(settings + sizeof(struct sinit_settings), 8);
	size_t used = round_up(first + (size_t)services * sizeof(struct service_settings), 8);

	*builder = (struct builder){.used = used, .table_size = TABLE_FIRST};
	/* Texts and lists of a service take about as much as its settings. */
	builder->size = round_up(used * 2 + POOL_FIRST, 4096);
	builder->base = get_pages(builder->size);
	while (builder->table_size < services * 16)
		builder->table_size *= 2;
	builder->table = get_pages(table_bytes(builder->table_size));
	if (!builder->base || !builder->table) {
		builder_free(builder);
		return -ENOMEM;
	}
	*builder_image(builder) = (struct image){
	    .magic = IMAGE_MAGIC,
	    .version = IMAGE_VERSION,
	    .service_count = services,
	    .settings = (ref)settings,
	    .services = (ref)first,
	    .main_service = IMAGE_NONE,
	};
	return 0;
}

struct image *builder_image(const struct builder *builder)
{
	return (struct image *)(void *)builder->base;
}

struct sinit_settings *builder_settings(const struct builder *builder)
{
	return (struct sinit_settings *)(void *)(builder->base + builder_image(builder)->settings);
}

struct service_settings *builder_service(const struct builder *builder, uint32_t index)
{
	return (struct service_settings *)(void *)(builder->base +
						   builder_image(builder)->services) +
	       index;
}

uint32_t builder_hash(uint32_t seed, const void *bytes, size_t length)
{
	const unsigned char *at = bytes;
	uint64_t hash = seed ^ (uint64_t)length << 32;
	uint64_t part;

	for (; length >= sizeof(part); at += sizeof(part), length -= sizeof(part)) {
		memcpy(&part, at, sizeof(part));
		hash = (hash ^ part) * 0x9e3779b97f4a7c15u;
		hash ^= hash >> 29;
	}
	part = 0;
	if (length)
		memcpy(&part, at, length);
	hash = (hash ^ part) * 0x9e3779b97f4a7c15u;
	return (uint32_t)(hash ^ hash >> 32);
}

static int grow_table(struct builder *builder)
{
	uint32_t size = builder->table_size * 2;
	struct builder_entry *table = get_pages(table_bytes(size));

	if (!table)
		return -ENOMEM;
	for (uint32_t i = 0; i < builder->table_size; i++) {
		const struct builder_entry *entry = &builder->table[i];
		if (!entry->at)
			continue;
		uint32_t slot = entry->hash & (size - 1);
		while (table[slot].at)
			slot = (slot + 1) & (size - 1);
		table[slot] = *entry;
	}
	munmap(builder->table, table_bytes(builder->table_size));
	builder->table = table;
	builder->table_size = size;
	return 0;
}

/* Makes room for `length` more bytes and the end of the image. */
static int grow_image(struct builder *builder, size_t length)
{
	size_t need = builder->used + length + 32;
	size_t size = builder->size;

	if (need <= size)
		return 0;
	while (size < need)
		size *= 2;
	if (need > UINT32_MAX)
		return -ENOMEM;
	char *base = mremap(builder->base, builder->size, size, MREMAP_MAYMOVE);
	if (base == MAP_FAILED)
		return -ENOMEM;
	builder->base = base;
	builder->size = size;
	return 0;
}

/* Stores a block, or finds the same one. `end` 1: a text, which gets a NUL behind it. */
static ref store(
    struct builder *builder, const void *bytes, size_t length, size_t align, unsigned end)
{
	if (builder->failed || length > UINT32_MAX / 4)
		goto fail;
	if (builder->entries * 4 >= builder->table_size * 3 && grow_table(builder) < 0)
		goto fail;
	uint32_t hash = builder_hash(end, bytes, length);
	uint32_t tag = (uint32_t)length << 1 | end;
	uint32_t slot = hash & (builder->table_size - 1);
	for (; builder->table[slot].at; slot = (slot + 1) & (builder->table_size - 1)) {
		const struct builder_entry *entry = &builder->table[slot];
		if (entry->hash == hash && entry->tag == tag && entry->at % align == 0 &&
		    memcmp(builder->base + entry->at, bytes, length) == 0)
			return entry->at;
	}
	if (grow_image(builder, length + align + end) < 0)
		goto fail;
	size_t at = round_up(builder->used, align);
	if (length)
		memcpy(builder->base + at, bytes, length);
	/* The pages were zero, so the NUL is there already. */
	builder->used = at + length + end;
	builder->table[slot] = (struct builder_entry){hash, (uint32_t)at, tag};
	builder->entries++;
	return (ref)at;
fail:
	builder->failed = true;
	return 0;
}

ref builder_text(struct builder *builder, const char *bytes, size_t length)
{
	return store(builder, bytes, length, 1, 1);
}

ref builder_list(struct builder *builder, const struct image_list *list)
{
	if (!list->count)
		return 0;
	return store(builder, list, sizeof(*list) + list->count * sizeof(list->item[0]),
	    _Alignof(struct image_list), 0);
}

ref builder_block(struct builder *builder, const void *bytes, size_t length, size_t align)
{
	return store(builder, bytes, length, align, 0);
}

ref builder_limits(
    struct builder *builder, uint64_t set, const struct image_limit limit[static IMAGE_LIMITS])
{
	_Alignas(struct image_limits) char
	    bytes[sizeof(struct image_limits) + IMAGE_LIMITS * sizeof(struct image_limit)];
	struct image_limits *limits = (void *)bytes;
	size_t count = 0;

	if (!set)
		return 0;
	limits->set = set;
	for (unsigned i = 0; i < IMAGE_LIMITS; i++)
		if (set >> i & 1)
			limits->limit[count++] = limit[i];
	return store(builder, limits, sizeof(*limits) + count * sizeof(limits->limit[0]),
	    _Alignof(struct image_limits), 0);
}

int builder_finish(struct builder *builder, struct image **ret_image)
{
	if (builder->failed || grow_image(builder, 8) < 0)
		return -ENOMEM;
	size_t size = round_up(builder->used + 1, 8);
	builder_image(builder)->size = (uint32_t)size;
	/* What is behind the end was never used: give it back. */
	size_t keep = round_up(size, (size_t)sysconf(_SC_PAGESIZE));
	if (keep < builder->size)
		munmap(builder->base + keep, builder->size - keep);
	*ret_image = builder_image(builder);
	builder->base = NULL;
	return 0;
}

void builder_free(struct builder *builder)
{
	if (builder->base)
		munmap(builder->base, builder->size);
	if (builder->table)
		munmap(builder->table, table_bytes(builder->table_size));
	builder->base = NULL;
	builder->table = NULL;
}
