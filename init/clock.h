/* The kernel's clocks, for every process of the program. Owns nothing.
 * Calls clock_gettime(2) only. */
#ifndef SINIT_INIT_CLOCK_H
#define SINIT_INIT_CLOCK_H

#include <stdint.h>

/* CLOCK_MONOTONIC. */
int64_t clock_ms(void);
int64_t clock_us(void);

/* CLOCK_REALTIME: ns since 1970. */
int64_t clock_wall(void);

#endif
