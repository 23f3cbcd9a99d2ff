/* Giving up what a helper has no use for. Owns nothing; for any helper. */
#ifndef SINIT_PROBES_DROP_H
#define SINIT_PROBES_DROP_H

#include <stdint.h>

/* The user that helpers become where sinit is root: "nobody" of every distribution (the
 * kernel's overflow id), which owns no file and needs no line in /etc/passwd. */
enum { HELPER_UID = 65534 };

/* Becomes HELPER_UID if it is root, without groups and capabilities, for good; cannot be
 * looked into; is in "/"; makes files for itself only. What is not allowed here (a user
 * namespace without that id) is left as it is, but the capabilities go in any case: -errno if
 * even those stay, else 0. */
int drop_privileges(void);

/* The same, but capabilities of the set `keep` (bits 1 << CAP_, below 32) stay if it has them. */
int drop_all_but(uint32_t keep);

/* The same without becoming another user: for who has files to make. */
int drop_capabilities_but(uint32_t keep);

#endif
