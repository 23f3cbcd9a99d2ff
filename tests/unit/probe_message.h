/* Makes the message by which PID 1 asks for a check. */
#ifndef SINIT_TESTS_PROBE_MESSAGE_H
#define SINIT_TESTS_PROBE_MESSAGE_H

#include "probes/helper.h"

#include <stddef.h>

/* A PROBER_BEGIN of an http check of http://host:8080/path; more is added with
 * probe_message_text. In a static buffer. */
struct prober_begin *probe_message(void);

/* Adds a text; returns its offset. */
uint16_t probe_message_text(struct prober_begin *begin, const char *text);

/* Bytes of the whole message. */
size_t probe_message_size(const struct prober_begin *begin);

#endif
