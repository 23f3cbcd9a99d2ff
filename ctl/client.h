/* The client's side of the control FIFO: one request, one answer.
 *
 * Owns the reply FIFO for as long as the call lasts: it is gone afterwards, also when a
 * signal ends the program. May call: request, reply, view (is sinit alive?). */
#ifndef SINIT_CTL_CLIENT_H
#define SINIT_CTL_CLIENT_H

#include "ctl/ctl.h"
#include "ctl/reply.h"

/* Is given each line of the answer but the last. `line` is as it came, without newline;
 * `reply` is what it says. */
typedef void client_line(void *context, const char *line, const struct reply *reply);

/* Sends the verb with its arguments and hands out the answer. CTL_OK, or the exit code
 * after the reason has been said on standard error: what PID 1 said, CTL_USAGE if the
 * request is too long for one line, CTL_NOT_RUNNING, CTL_TIMED_OUT after CTL_ANSWER_MS
 * of silence. */
int client_call(const struct ctl *ctl, const char *verb, const char *const *argv, size_t argc,
    client_line *each, void *context);

/* How many of the arguments fit into one request. */
size_t client_fits(const char *verb, const char *const *argv, size_t argc);

#endif
