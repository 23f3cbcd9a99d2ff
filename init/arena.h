/* Memory that is given back all at once: for the loader, which runs before anything is
 * started or in a child of its own.
 *
 * Owns its chunks. Calls mmap(2) and munmap(2) only.
 */
#ifndef SINIT_INIT_ARENA_H
#define SINIT_INIT_ARENA_H

#include <stddef.h>

struct arena_chunk;

/* Zero it before use. */
struct arena {
	struct arena_chunk *chunks;
	size_t used; /* bytes of the newest chunk */
};

/* `size` zeroed bytes, aligned for any type; NULL: out of memory. */
void *arena_get(struct arena *arena, size_t size);

/* A copy of [0 .. length-1] with a NUL after it; NULL: out of memory. */
char *arena_copy(struct arena *arena, const char *bytes, size_t length);

/* Gives everything back; the arena is empty then. */
void arena_free(struct arena *arena);

#endif
