/* The alerter's own parts: what is to be delivered, and the one who delivers it.
 * For probes/alerter*.c. */
#ifndef SINIT_PROBES_ALERTER_H
#define SINIT_PROBES_ALERTER_H

#include "init/board.h"
#include "init/schema.h"
#include "probes/alert_rule.h"

/* A rule, as PID 1 has sent it, for as long as somebody uses it: the list of rules, or an
 * alert that is still on its way when the list is another one already. */
struct rule {
	unsigned users;
	struct alerter_rule message;
};

enum way { WAY_FILE, WAY_WEBHOOK, WAY_COMMAND };
enum { WAYS = WAY_COMMAND + 1 };

/* One alert by one way. */
struct job {
	struct rule *rule;
	enum way way;
	enum alert_kind kind;
	uint32_t suppressed, missed, dropped; /* see struct alert */
	struct board_event event;
	char blocker[BOARD_NAME]; /* name of the service that the event means besides, or "" */
};

/* Delivers an alert, in a process of its own that may take its time. What is wrong it leaves in
 * *why, which is memory shared with the alerter, and its exit code is not 0 then. For
 * WAY_COMMAND the process becomes the command. */
_Noreturn void alerter_deliver(const struct job *job, struct probe_outcome *why);

/* Gives up a share in a rule; NULL is passed over. */
void alerter_release(struct rule *rule);

#endif
