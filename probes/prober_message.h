/* Looking at what PID 1 sends to the prober before it is believed, and the texts in it.
 * Pure; owns nothing. May call: memory and string functions. */
#ifndef SINIT_PROBES_PROBER_MESSAGE_H
#define SINIT_PROBES_PROBER_MESSAGE_H

#include "probes/helper.h"

#include <stddef.h>

/* No message may ask for a table larger than this: the most services, three probes each. */
enum { PROBER_CHECKS = 1 << 18 };

/* A PROBER_BEGIN of `size` bytes at an address good for the struct. 0: every number in it is
 * one that the prober can work with, and every text lies in it and has an end. -EINVAL. */
int prober_begin_check(const struct prober_begin *begin, size_t size);

/* One of its texts; "" if there is none. */
const char *prober_text(const struct prober_begin *begin, uint16_t offset);

#endif
