/* Finding a text in bytes that come in pieces, none of which is kept (Knuth, Morris, Pratt).
 * Pure; the table belongs to the caller. */
#ifndef SINIT_PROBES_SEARCH_H
#define SINIT_PROBES_SEARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* table[i]: how many bytes before text[i] are also those that the text begins with, at most
 * i - 1. `length` entries; length is below 65536. */
void search_table(const char *text, size_t length, uint16_t *table);

/* Goes on with `size` more bytes. *matched, 0 at first, is how much of the text the bytes so
 * far end with. True when all of it was found; *matched is then `length`. */
bool search_feed(const char *text, size_t length, const uint16_t *table, size_t *matched,
    const char *bytes, size_t size);

#endif
