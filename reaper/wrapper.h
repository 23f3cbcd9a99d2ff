/* Wrapper mode: one command, without configuration, as tini and dumb-init do it.
 *
 * Blocks every signal before anything else, starts the command with exactly the signal
 * mask and dispositions that sinit was given, forwards the signals it gets, reaps
 * whatever becomes its child, and leaves with the command's code. When the command has
 * ended and other processes remain they get TERM and some time (options: grace_ms).
 *
 * Owns the process's signal mask, its working directory (/) and, while the command runs,
 * the terminal's foreground group. Allocates nothing. Calls reaper/exec, reaper/reap,
 * init/platform. Files: wrapper.c the loop, wrapper_start.c the birth, wrapper_text.c
 * what it says.
 */
#ifndef SINIT_WRAPPER_H
#define SINIT_WRAPPER_H

#include "init/options.h"

/* Runs argv (NULL-terminated, argv[0] looked up in PATH) to its end. Descriptors 0-2 must
 * be open. Returns the exit code for sinit: the command's, 128+N when signal N killed it,
 * 127 or 126 if it could not be executed, 70 if no process could be made. */
int wrapper_run(const struct wrapper_options *options, char **argv);

#endif
