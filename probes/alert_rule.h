/* Looking at a rule that PID 1 sends to the alerter before it is believed, and the texts in
 * it. Pure; owns nothing. May call: memory and string functions. */
#ifndef SINIT_PROBES_ALERT_RULE_H
#define SINIT_PROBES_ALERT_RULE_H

#include "probes/helper.h"

#include <stddef.h>

/* Most rules, and most words of a command: no more fit into a message. */
enum { ALERT_RULES = 64, ALERT_WORDS = HELPER_MESSAGE / 2 };

/* An ALERTER_RULE of `size` bytes at an address good for the struct. 0: every number in it
 * means something, every text and every list lies in it and has an end, and it has a name
 * and somebody to tell. -EINVAL. */
int alert_rule_check(const struct alerter_rule *rule, size_t size);

/* One of its texts; "" if there is none. */
const char *alert_rule_text(const struct alerter_rule *rule, uint16_t offset);

/* What follows `text` in a list that holds one more. */
const char *alert_rule_next(const char *text);

#endif
