/* What a service says through NOTIFY_SOCKET (sd_notify(3)): one datagram to its meaning.
 *
 * Pure: owns nothing, allocates nothing. Lines that are not known are passed over, as the
 * protocol wants it; so are values that make no sense. */
#ifndef SINIT_INIT_NOTIFY_H
#define SINIT_INIT_NOTIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NOTIFY_SIZE = 4096 }; /* the longest datagram that is read, bytes */

struct notification {
	bool ready;       /* READY=1 */
	bool reloading;   /* RELOADING=1 */
	bool stopping;    /* STOPPING=1 */
	bool watchdog;    /* WATCHDOG=1 */
	bool trigger;     /* WATCHDOG=trigger: it says itself that it is not well */
	int32_t main_pid; /* MAINPID=, 0: not said */
	int32_t detail;   /* SINIT_DETAIL= of a check's process, 0: not said */
	size_t status;    /* STATUS=: place in the datagram, and length; 0: not said */
	size_t status_length;
	size_t thief; /* SINIT_THIEF= of a check's process: likewise */
	size_t thief_length;
};

/* Reads a datagram of `size` bytes. */
void notify_parse(const char *datagram, size_t size, struct notification *ret);

#endif
