#include "probes/search.h"

/* The number matched after `byte`, of `matched` before it. */
static size_t step(const char *text, const uint16_t *table, size_t matched, char byte)
{
	while (matched > 0 && text[matched] != byte)
		matched = table[matched];
	return text[matched] == byte ? matched + 1 : 0;
}

void search_table(const char *text, size_t length, uint16_t *table)
{
	size_t matched = 0;

	for (size_t i = 0; i < length; i++) {
		table[i] = (uint16_t)matched;
		if (i > 0)
			matched = step(text, table, matched, text[i]);
	}
}

bool search_feed(const char *text, size_t length, const uint16_t *table, size_t *matched,
    const char *bytes, size_t size)
{
	size_t now = *matched;

	for (size_t i = 0; i < size && now < length; i++)
		now = step(text, table, now, bytes[i]);
	*matched = now;
	return now == length;
}
