/* How a process ended. The only place in the program that decodes a wait status.
 *
 * Pure: no system calls, no state. May call
 * init/base and reaper/signals. */
#ifndef SINIT_STATUS_H
#define SINIT_STATUS_H

#include <stdbool.h>
#include <stdint.h>

struct text;

enum exit_kind {
	EXIT_NONE,   /* it has not ended */
	EXIT_EXITED, /* by exit(3): code is its exit code, 0..255 */
	EXIT_KILLED, /* by a signal: code is the signal's number */
};

struct exit_status {
	uint8_t kind; /* enum exit_kind */
	bool core;    /* killed, and a core was dumped */
	int code;
};

/* Decodes a death: `why` and `value` are si_code and si_status of a siginfo_t as waitid(2) or
 * SIGCHLD gives them. What is no death (CLD_STOPPED, CLD_CONTINUED,
 * CLD_TRAPPED) gives EXIT_NONE. */
struct exit_status exit_status_decode(int why, int value);

/* The code with which to pass the end on: the exit code, or 128 + signal as shells do;
 * 0 for EXIT_NONE. Never more than 255. */
int exit_status_code(const struct exit_status *status);

/* Adds a sentence part for people: "exited with code 3", "killed by SIGKILL",
 * "killed by SIGSEGV (core dumped)", "has not ended". */
void exit_status_text(const struct exit_status *status, struct text *text);

#endif
