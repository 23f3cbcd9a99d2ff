/* Lines to keys of the sections that they stand in. */
#include "init/base.h"
#include "init/ini.h"
#include "init/loader.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(SCHEMA_KEYS <= 192, "struct draft has a bit for each key, an entry a byte");

int loader_add_file(struct loader *loader, const char *name, uint32_t *ret_number)
{
	if (loader->file_count == loader->file_room) {
		uint32_t room = loader->file_room ? loader->file_room * 2 : 16;
		const char **files = arena_get(&loader->arena, room * sizeof(*files));
		if (!files || room > UINT16_MAX + 1u)
			return -ENOMEM;
		if (loader->file_count)
			memcpy(files, loader->files, loader->file_count * sizeof(*files));
		loader->files = files;
		loader->file_room = room;
	}
	char *copy = arena_copy(&loader->arena, name, strlen(name));
	if (!copy)
		return -ENOMEM;
	loader->files[loader->file_count] = copy;
	*ret_number = loader->file_count++;
	return 0;
}

/* The place in the hash table where a name is, or would be. */
static uint32_t *find_slot(struct loader *loader, const char *name, size_t length)
{
	uint32_t mask = loader->slot_count - 1, slot = builder_hash(0, name, length) & mask;

	for (; loader->slots[slot]; slot = (slot + 1) & mask) {
		const char *other = loader->drafts[loader->slots[slot] - 1]->name;
		if (strncmp(other, name, length) == 0 && !other[length])
			break;
	}
	return &loader->slots[slot];
}

/* Fills the (zeroed) hash table with what is in drafts[]. */
static void fill_slots(struct loader *loader)
{
	for (uint32_t i = 0; i < loader->count; i++) {
		const char *name = loader->drafts[i]->name;
		*find_slot(loader, name, strlen(name)) = i + 1;
	}
}

/* Makes the hash table larger; a small one costs few pages when there are few services. */
static bool grow_slots(struct loader *loader)
{
	uint32_t count = loader->slot_count * 4;
	uint32_t *slots = arena_get(&loader->arena, count * sizeof(*slots));

	if (!slots)
		return false;
	loader->slots = slots;
	loader->slot_count = count;
	fill_slots(loader);
	return true;
}

struct draft *loader_find(
    struct loader *loader, const char *name, size_t length, uint32_t *ret_index)
{
	uint32_t slot = *find_slot(loader, name, length);

	if (!slot)
		return NULL;
	if (ret_index)
		*ret_index = slot - 1;
	return loader->drafts[slot - 1];
}

struct draft *loader_add(struct loader *loader, const char *name)
{
	uint32_t slot = *find_slot(loader, name, strlen(name));

	if (slot)
		return loader->drafts[slot - 1];
	if (loader->count == IMAGE_MAX_SERVICES)
		return NULL;
	struct draft *draft = arena_get(&loader->arena, sizeof(*draft));
	if (!draft || (loader->count >= loader->slot_count / 2 && !grow_slots(loader))) {
		loader->no_memory = true;
		return NULL;
	}
	draft->name = name;
	loader->drafts[loader->count++] = draft;
	*find_slot(loader, name, strlen(name)) = loader->count;
	return draft;
}

static int by_name(const void *a, const void *b)
{
	return strcmp((*(struct draft *const *)a)->name, (*(struct draft *const *)b)->name);
}

void loader_sort(struct loader *loader)
{
	if (loader->count)
		qsort(loader->drafts, loader->count, sizeof(*loader->drafts), by_name);
	memset(loader->slots, 0, loader->slot_count * sizeof(*loader->slots));
	fill_slots(loader);
}

const struct entry *loader_effective(
    const struct loader *loader, const struct draft *draft, unsigned key)
{
	const struct draft *from[] = {draft, &loader->defaults};
	size_t count = draft->is_emergency ? 1 : ARRAY_LEN(from);

	for (size_t i = 0; i < count; i++) {
		const struct entry *found = NULL;
		for (const struct entry *e = from[i]->first; e; e = e->next)
			if (e->key == key)
				found = *e->value ? e : NULL;
		if (found)
			return found;
	}
	return NULL;
}

bool loader_has(const struct draft *draft, unsigned key)
{
	const struct entry *entry = draft->first;

	while (entry && entry->key != key)
		entry = entry->next;
	return entry;
}

/* --- Keys --- */

static uint32_t *key_slot(struct loader *loader, enum schema_section section, const char *name)
{
	uint32_t slot = builder_hash(section, name, strlen(name)) % LOADER_KEY_SLOTS;

	for (; loader->key_slots[slot]; slot = (slot + 1) % LOADER_KEY_SLOTS) {
		const struct schema_key *key = schema_at(loader->key_slots[slot] - 1);
		if (key->section == section && strcmp(schema_name(key), name) == 0)
			break;
	}
	return &loader->key_slots[slot];
}

void loader_index_keys(struct loader *loader)
{
	for (unsigned i = 0; i < schema_count(); i++) {
		const struct schema_key *key = schema_at(i);
		*key_slot(loader, (enum schema_section)key->section, schema_name(key)) = i + 1;
	}
}

static const struct schema_key *find_key(struct loader *loader, const char *name)
{
	uint32_t index = *key_slot(loader, loader->section, name);

	return index ? schema_at(index - 1) : NULL;
}

/* A name that is no key of this section: of another one, misspelt, or nonsense. */
static void unknown_key(
    struct loader *loader, struct draft *draft, uint32_t file, uint32_t line, const char *name)
{
	const char *nearest = schema_nearest(loader->section, name);
	const char *other = NULL;

	for (unsigned section = 0; section < SECTION_COUNT && !other; section++)
		if (schema_find((enum schema_section)section, name))
			other = schema_section_title((enum schema_section)section);
	if (nearest == schema_name(schema_at(KEY_SERVICE_command)) ||
	    nearest == schema_name(schema_at(KEY_PROBE_check)))
		draft->misspelt = true;
	if (other)
		loader_error(loader, draft, file, line, "%s: not a key of this section, but of %s",
		    name, other);
	else if (nearest)
		loader_error(loader, draft, file, line, "%s: unknown key; did you mean '%s'?", name,
		    nearest);
	else
		loader_error(loader, draft, file, line,
		    "%s: unknown key; sinit --print-defaults lists all", name);
}

/* A key twice under one header: names the other line. */
static void duplicate_key(struct loader *loader, struct draft *draft, uint32_t file, uint32_t line,
    const struct schema_key *key)
{
	uint32_t other = 0;

	for (const struct entry *e = draft->first; e; e = e->next)
		if (e->file == file && e->key == schema_index(key))
			other = e->line;
	loader_error(loader, draft, file, line, "%s: duplicate key; it is set in line %" PRIu32,
	    schema_name(key), other);
}

/* A key of a later version. What it does without being set may be said aloud for some. */
static void later_key(struct loader *loader, struct draft *draft, uint32_t file, uint32_t line,
    const struct schema_key *key, const char *value)
{
	if (!(key->flags & KEY_DEFAULT_OK))
		loader_error(
		    loader, draft, file, line, "%s: not supported by this build", schema_name(key));
	else if (*value && strcmp(value, schema_default(key)) != 0)
		loader_error(loader, draft, file, line,
		    "%s: not supported by this build; only %s is", schema_name(key),
		    schema_default(key));
}

static void take_key(
    struct loader *loader, uint32_t file, uint32_t line, const char *name, const char *value)
{
	struct draft *draft = loader->current;

	if (!draft)
		return;
	const struct schema_key *key = find_key(loader, name);
	if (!key) {
		unknown_key(loader, draft, file, line, name);
		return;
	}
	if (key->kind == KIND_LATER) {
		later_key(loader, draft, file, line, key, value);
		return;
	}
	unsigned index = schema_index(key);
	uint64_t bit = UINT64_C(1) << index % 64;
	if (draft->seen[index / 64] & bit && !(key->flags & KEY_REPEATS)) {
		duplicate_key(loader, draft, file, line, key);
		return;
	}
	draft->seen[index / 64] |= bit;
	struct entry *entry = arena_get(&loader->arena, sizeof(*entry));
	if (!entry) {
		loader->no_memory = true;
		return;
	}
	*entry = (struct entry){
	    .value = value,
	    .line = line,
	    .file = (uint16_t)file,
	    .key = (uint8_t)index,
	};
	if (draft->last)
		draft->last->next = entry;
	else
		draft->first = entry;
	draft->last = entry;
}

struct place {
	struct loader *loader;
	uint32_t file;
};

static void take_event(
    void *context, enum ini_event event, uint32_t line, const char *name, const char *value)
{
	const struct place *place = context;

	switch (event) {
	case INI_SECTION:
		loader_section(place->loader, place->file, line, name);
		break;
	case INI_KEY:
		take_key(place->loader, place->file, line, name, value);
		break;
	case INI_ERROR:
		loader_error(place->loader, place->loader->current, place->file, line, "%s", name);
		break;
	}
}

void loader_collect(struct loader *loader, uint32_t file, char *text, size_t size)
{
	struct place place = {loader, file};

	loader->current = NULL;
	ini_read(text, size, take_event, &place);
	loader->current = NULL;
}
