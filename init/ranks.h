/* A set of services by rank (place in the order of starting): a bit map, so that it is
 * walked in that order, either way. Pure; owns the words it was given. */
#ifndef SINIT_INIT_RANKS_H
#define SINIT_INIT_RANKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RANKS_END UINT32_MAX

struct ranks {
	uint64_t *bits;
	uint32_t words; /* of bits[] */
	uint32_t count; /* members */
};

/* Words of 64 bits for ranks below `capacity`. */
static inline uint32_t ranks_words(uint32_t capacity)
{
	return (capacity + 63) / 64;
}

void ranks_clear(struct ranks *ranks);
void ranks_add(struct ranks *ranks, uint32_t rank);
void ranks_remove(struct ranks *ranks, uint32_t rank);
bool ranks_has(const struct ranks *ranks, uint32_t rank);

/* The least member >= `from`, or RANKS_END. */
uint32_t ranks_next(const struct ranks *ranks, uint32_t from);

/* The greatest member < `before`, or RANKS_END. */
uint32_t ranks_previous(const struct ranks *ranks, uint32_t before);

#endif
