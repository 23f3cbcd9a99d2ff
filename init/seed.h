/* The random seed that outlives a reboot (random(4)): without one, a board with no hardware
 * generator has the same empty pool at each boot, and what needs random numbers waits.
 *
 * STATE_DIR/random-seed, mode 0600: eight bytes that say whether it was made by a generator that
 * was ready, then 32 to 504 bytes of seed. A file of anybody else's make is used, but never
 * counted as entropy.
 *
 * Owns nothing. Blocks as the disk does; allocates nothing. May call:
 * base, report, mount_basics. */
#ifndef SINIT_INIT_SEED_H
#define SINIT_INIT_SEED_H

#include "init/report.h"

/* Gives the file's seed to the kernel, and writes a new one at once. The old one is removed
 * from the disk before it is used, so that no seed counts twice, whatever happens in between;
 * where it cannot be (a read-only file system) the kernel gets it without counting it.
 * No file: the first boot; only a new one is written. What fails is told and survived. */
void seed_restore(const char *state_dir, const struct report *report);

/* Writes a new seed in place of the old one, which stays whole until the new one is on the disk.
 * For the end, before the file systems go. What fails is told. */
void seed_save(const char *state_dir, const struct report *report);

#endif
