/* Which events are alerts, and which of those are sent: trouble and recovery, cooldown, and
 * the count of what was kept back. Memory is bounded: of too many services at once those of
 * the longest ago are forgotten, and then an alert comes too soon rather than never.
 *
 * Owns: its two tables, part of the caller's memory; all zero is empty. Pure. */
#ifndef SINIT_PROBES_ALERT_POLICY_H
#define SINIT_PROBES_ALERT_POLICY_H

#include "init/board.h"
#include "init/schema.h"

enum { POLICY_SETS = 512, POLICY_WAYS = 8 };

/* Entries are found by a hash of names, in the set that it points to: so a rule's cooldown
 * goes on when the configuration is read anew. */
struct policy_entry {
	uint64_t key;   /* 0: free */
	int64_t time;   /* ms: when the cooldown is over; of a trouble: when it began */
	uint32_t value; /* alerts kept back; of a trouble: what of it there is */
};

struct policy_table {
	struct policy_entry entry[POLICY_SETS][POLICY_WAYS];
};

struct policy {
	struct policy_table cooldown; /* by rule, service and kind */
	struct policy_table trouble;  /* by service */
};

/* The kinds of alert that an event is, bits of enum alert_kind, 0: none. `critical`: the
 * service's record says so. To be asked once for each event, in their order: what it makes
 * of readiness and health depends on what came before. `now`: CLOCK_MONOTONIC ms. */
unsigned policy_kinds(
    struct policy *policy, const struct board_event *event, bool critical, int64_t now);

/* Of several kinds the gravest, so that one event is one alert. `kinds` is not 0. */
enum alert_kind policy_gravest(unsigned kinds);

/* Whether an alert is to be sent now. If not it is counted; if so, *ret_suppressed is how
 * many were kept back since the last one. `cooldown`: ms. */
bool policy_send(struct policy *policy, const char *rule, const char *service, enum alert_kind kind,
    uint32_t cooldown, int64_t now, uint32_t *ret_suppressed);

#endif
