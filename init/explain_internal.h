/* What explain's own files share; nobody else includes this. Pure; owns nothing. */
#ifndef SINIT_INIT_EXPLAIN_INTERNAL_H
#define SINIT_INIT_EXPLAIN_INTERNAL_H

#include "init/explain.h"

/* What records and events have in common. */
struct why {
	enum cause cause;
	enum last_kind kind;
	int code; /* of the end; errno for a spawn error */
	bool core;
	enum spawn_step step;
	const char *blocker;
	const char *thief;            /* who has its port, "": not known */
	struct board_probe probe;     /* of the probe that failed, if the cause is one */
	uint32_t limit;               /* start_timeout in ms, 0: not known */
	uint64_t oom_used, oom_limit; /* bytes, as in the record; used 0: not known */
};

/* ": " and why the probe failed, if that is known. */
void explain_fault(struct text *text, const struct board_probe *probe, const char *thief);

/* How it ended, or why it could not begin. */
void explain_end(struct text *text, const struct why *why);

/* Bytes as people say them: "512M", "1.5G". */
void explain_size(struct text *text, uint64_t bytes);

/* What the kernel has killed for; as in struct board_service. */
void explain_oom(struct text *text, uint64_t used, uint64_t limit);

/* What went wrong, as it stands after "after" or "limit reached:". */
void explain_why(struct text *text, const struct why *why);

#endif
