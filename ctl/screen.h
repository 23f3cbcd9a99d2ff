/* The terminal as a whole screen that is painted again and again: the alternate screen, keys as
 * they are typed, no cursor. Whatever ends it, the terminal is put right again first.
 *
 * Owns: the terminal's settings, the signals that end or stop a program, while it is entered.
 * May call: libc. */
#ifndef SINIT_CTL_SCREEN_H
#define SINIT_CTL_SCREEN_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <termios.h>

struct screen {
	int fd;        /* of the output, a terminal */
	int signals;   /* signalfd(2) */
	bool typed;    /* the standard input is a terminal: `settings` are to be put back */
	bool keys;     /* and somebody may still type there */
	sigset_t mask; /* as it was */
	struct termios settings; /* likewise */
};

enum screen_event {
	SCREEN_TIME,   /* the time is up */
	SCREEN_CHANGE, /* its size may be another one; paint again */
	SCREEN_QUIT,   /* q, Ctrl-C, or a signal that ends programs */
};

/* Whether that can be on `fd`: a terminal which knows the usual sequences. */
bool screen_can(int fd);

/* 0 or -errno. */
int screen_enter(struct screen *screen, int fd);
void screen_leave(struct screen *screen);

/* Waits for so many ms, or for something to happen. */
enum screen_event screen_wait(struct screen *screen, int64_t ms);

/* Lines and columns. */
void screen_size(const struct screen *screen, unsigned *ret_rows, unsigned *ret_columns);

#endif
