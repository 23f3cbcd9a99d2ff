/* The console of a machine: standard input, output and error of its init. */
#ifndef SINIT_INIT_CONSOLE_H
#define SINIT_INIT_CONSOLE_H

#include <stdbool.h>

#define CONSOLE_PATH "/dev/console"

/* Makes a terminal that people see descriptor 0, 1 and 2: what the kernel has opened already,
 * else /dev/console, else the terminal that the kernel names as its console. False: there is
 * none of these; the three are some terminal that boards have, or /dev/null, and what is written
 * there may be seen by nobody.
 * O_NOCTTY: it is to be the controlling terminal of a service (tty_ioctl(4)), not of init. */
bool console_open(void);

/* Waits until what was written to descriptor 2 has come out: a hangup, or the machine's end, throws
 * away what has not. Not for ever, since a terminal may have been stopped (Ctrl-S). */
void console_drain(void);

#endif
