/* The hardware's watchdog: a device that resets the machine unless somebody writes to it in
 * time (the kernel's Documentation/watchdog/watchdog-api.rst).
 *
 * Owns: its descriptor, which is close-on-exec: whoever takes sinit's place does not feed it.
 * May call: base, log. Never waits. */
#ifndef SINIT_INIT_WATCHDOG_H
#define SINIT_INIT_WATCHDOG_H

#include <stdbool.h>
#include <stdint.h>

struct watchdog {
	char path[128];   /* "": none is configured */
	uint32_t timeout; /* ms until the reset, as asked for; then as the device has it */
	int fd;           /* -1: not open (yet) */
	int64_t due;      /* CLOCK_MONOTONIC ms of the next feeding or try to open; 0: nothing */
	bool told;        /* that it cannot be opened has been logged */
	bool sick;        /* that it is not fed has been logged */
};

/* `path` NULL or "": there is none, and the others do nothing. */
void watchdog_init(struct watchdog *watchdog, const char *path, uint32_t timeout);

/* Opens or feeds it where that is due. `unwell`: why it must not be fed, NULL: all is well. A
 * device that is not there yet is looked for again: its module may be loaded by a service. */
void watchdog_turn(struct watchdog *watchdog, int64_t now, const char *unwell);

/* The clean end: the device is told that nobody will feed it any more (a V, "magic close"). */
void watchdog_close(struct watchdog *watchdog);

#endif
