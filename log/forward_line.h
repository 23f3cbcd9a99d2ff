/* Lines for another machine: what is captured, in the form of RFC 5424. Owns nothing. May call:
 * pending, take, syslog_message. */
#ifndef SINIT_LOG_FORWARD_LINE_H
#define SINIT_LOG_FORWARD_LINE_H

#include "log/logger.h"

/* Adds the next line of a stream, and `forwarding` goes on behind it. `hostname`: of this machine.
 * False: there is none that is whole. */
bool forward_line(struct stream *stream, const char *hostname, struct text *line);

#endif
