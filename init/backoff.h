/* Delays that grow with each failure. Pure, owns nothing. */
#ifndef SINIT_INIT_BACKOFF_H
#define SINIT_INIT_BACKOFF_H

#include <stdint.h>

enum { BACKOFF_DOUBLE = 2000 };

/* The delay after failure number `n` in a row (1 is the first): `first`, and then each time the one
 * before times `multiplier` (in thousandths), but no more than `most`. In the unit of `first`. */
uint32_t backoff_delay(uint32_t first, uint32_t multiplier, uint32_t most, uint32_t n);

#endif
