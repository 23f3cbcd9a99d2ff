/* Which events are alerts, and which of those are sent: cooldown, and the count of what was kept
 * back. Memory is bounded: of too many services at once those of the longest ago are forgotten, and
 * then an alert comes too soon rather than never.
 *
 * Owns: its table, part of the caller's memory; all zero is empty. Pure. */
#ifndef SINIT_PROBES_ALERT_POLICY_H
#define SINIT_PROBES_ALERT_POLICY_H

#include "init/board.h"
#include "init/schema.h"

enum { POLICY_SETS = 512, POLICY_WAYS = 8 };

/* Entries are found by a hash of names, in the set that it points to: so a rule's cooldown
 * goes on when the configuration is read anew. */
struct policy_entry {
	uint64_t key;   /* 0: free */
	int64_t time;   /* ms: when the cooldown is over */
	uint32_t value; /* alerts kept back */
};

struct policy_table {
	struct policy_entry entry[POLICY_SETS][POLICY_WAYS];
};

struct policy {
	struct policy_table cooldown; /* by rule, service and kind */
};

/* The kinds of alert that an event is, bits of enum alert_kind, 0: none. `critical`: the
 * service's record says so. */
unsigned policy_kinds(const struct board_event *event, bool critical);

/* Of several kinds the gravest, so that one event is one alert. `kinds` is not 0. */
enum alert_kind policy_gravest(unsigned kinds);

/* Whether an alert is to be sent now. If not it is counted; if so, *ret_suppressed is how
 * many were kept back since the last one. `cooldown`: ms. */
bool policy_send(struct policy *policy, const char *rule, const char *service, enum alert_kind kind,
    uint32_t cooldown, int64_t now, uint32_t *ret_suppressed);

#endif
