/* Work that may hang (a disk, a dead server), done by a child within a limit: before PID 1's loop
 * and after it, never in it.
 *
 * Owns nothing. May call: platform, watchdog, log. */
#ifndef SINIT_INIT_ERRAND_H
#define SINIT_INIT_ERRAND_H

#include "init/watchdog.h"

struct errand {
	int (*work)(void *context);
	void *context;
	int limit;    /* ms */
	bool patient; /* the limit is from the last sign that a disk still works; 10 min in all */
};

/* Its exit code; -ECANCELED: somebody has killed it; -ETIMEDOUT: it has not ended, and is left
 * alone (it sits in the kernel); -errno: there is no child. SIGCHLD must be blocked. The watchdog
 * (NULL: none) is fed meanwhile. */
int errand_run(struct watchdog *watchdog, const struct errand *errand);

#endif
