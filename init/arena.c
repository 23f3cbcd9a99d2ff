#include "init/arena.h"

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

enum { CHUNK_FIRST = 64 << 10, CHUNK_MOST = 1 << 20, ALIGN = 16 };

struct arena_chunk {
	struct arena_chunk *next;
	size_t size; /* with this header */
};

static size_t round_up(size_t size, size_t unit)
{
	return (size + unit - 1) & ~(unit - 1);
}

static int add_chunk(struct arena *arena, size_t least)
{
	size_t header = round_up(sizeof(struct arena_chunk), ALIGN);
	size_t size = arena->chunks ? arena->chunks->size * 2 : CHUNK_FIRST;

	if (size > CHUNK_MOST)
		size = CHUNK_MOST;
	if (size < least + header)
		size = round_up(least + header, 4096);
	struct arena_chunk *chunk =
	    mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (chunk == MAP_FAILED)
		return -1;
	chunk->next = arena->chunks;
	chunk->size = size;
	arena->chunks = chunk;
	arena->used = header;
	return 0;
}

void *arena_get(struct arena *arena, size_t size)
{
	if (size > SIZE_MAX / 2)
		return NULL;
	size = round_up(size, ALIGN);
	if (!arena->chunks || size > arena->chunks->size - arena->used)
		if (add_chunk(arena, size) < 0)
			return NULL;
	void *result = (char *)arena->chunks + arena->used;
	arena->used += size;
	return result;
}

char *arena_copy(struct arena *arena, const char *bytes, size_t length)
{
	char *copy = arena_get(arena, length + 1);

	if (copy && length)
		memcpy(copy, bytes, length);
	return copy;
}

void arena_free(struct arena *arena)
{
	while (arena->chunks) {
		struct arena_chunk *chunk = arena->chunks;
		arena->chunks = chunk->next;
		munmap(chunk, chunk->size);
	}
	arena->used = 0;
}
