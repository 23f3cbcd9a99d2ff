/* An alert in words: the JSON object, the sentence, the HTTP request and the file's name.
 * Pure; owns nothing. May call: base, text of libc. */
#ifndef SINIT_PROBES_ALERT_TEXT_H
#define SINIT_PROBES_ALERT_TEXT_H

#include "init/base.h"
#include "init/schema.h"
#include "probes/alert_rule.h"

/* Bytes that the texts below fit in, whatever of a message of ALERT_MESSAGE has to be escaped
 * in JSON; a request has the rule's path besides. */
enum {
	ALERT_MESSAGE = 512,
	ALERT_TEXT = 8192,
	ALERT_REQUEST = ALERT_TEXT + HELPER_MESSAGE,
};

struct alert {
	enum alert_kind kind;
	int64_t time;        /* CLOCK_REALTIME ns of the event */
	uint32_t suppressed; /* kept back by the cooldown since the last one */
	uint32_t missed;     /* events that nobody has looked at, since the last alert */
	uint32_t dropped;    /* alerts that there was no room for, since the last one */
	const char *service;
	const char *message; /* what has come about, of explain_event() */
	const char *host;    /* this system's name, at most 64 bytes */
	const char *rule;    /* name of the [alert] */
};

/* "restart" and so on: the word of `events`. */
const char *alert_kind_name(enum alert_kind kind);

/* "info", "warning" or "critical". */
const char *alert_severity(enum alert_kind kind);

/* One sentence: "redis on web1 was restarted: restart 3 (exited 1)". */
void alert_summary(struct text *text, const struct alert *alert);

/* The object, in one line with its end. */
void alert_json(struct text *text, const struct alert *alert);

/* The whole POST to the rule's webhook in the rule's format. */
void alert_request(struct text *text, const struct alert *alert, const struct alerter_rule *rule);

/* "20240501T120000.123Z-redis-fatal.json"; from the second attempt on with "-2" and so on
 * before the dot. */
void alert_file_name(struct text *text, const struct alert *alert, unsigned attempt);

#endif
