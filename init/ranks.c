#include "init/ranks.h"

#include <string.h>

void ranks_clear(struct ranks *ranks)
{
	memset(ranks->bits, 0, ranks->words * sizeof(*ranks->bits));
	ranks->count = 0;
}

bool ranks_has(const struct ranks *ranks, uint32_t rank)
{
	return ranks->bits[rank / 64] >> rank % 64 & 1;
}

void ranks_add(struct ranks *ranks, uint32_t rank)
{
	ranks->count += !ranks_has(ranks, rank);
	ranks->bits[rank / 64] |= UINT64_C(1) << rank % 64;
}

void ranks_remove(struct ranks *ranks, uint32_t rank)
{
	ranks->count -= ranks_has(ranks, rank);
	ranks->bits[rank / 64] &= ~(UINT64_C(1) << rank % 64);
}

uint32_t ranks_next(const struct ranks *ranks, uint32_t from)
{
	uint32_t word = from / 64;
	uint64_t bits;

	if (!ranks->count || word >= ranks->words)
		return RANKS_END;
	bits = ranks->bits[word] & ~UINT64_C(0) << from % 64;
	while (!bits) {
		if (++word == ranks->words)
			return RANKS_END;
		bits = ranks->bits[word];
	}
	return word * 64 + (uint32_t)__builtin_ctzll(bits);
}

uint32_t ranks_previous(const struct ranks *ranks, uint32_t before)
{
	uint32_t word;
	uint64_t bits;

	if (!ranks->count || !before)
		return RANKS_END;
	word = (before - 1) / 64;
	if (word >= ranks->words)
		return ranks_previous(ranks, ranks->words * 64);
	bits = ranks->bits[word] & ~UINT64_C(0) >> (63 - (before - 1) % 64);
	while (!bits) {
		if (!word--)
			return RANKS_END;
		bits = ranks->bits[word];
	}
	return word * 64 + 63 - (uint32_t)__builtin_clzll(bits);
}
