/* The board's records as JSON, as sinitctl and the responder give them.
 *
 * Fields may be added, never renamed; what is absent is null. Owns nothing; adds to a
 * caller's text, at most RENDER_ROOM bytes a call. Pure. May call: base, board's names,
 * explain, format, fault. */
#ifndef SINIT_INIT_RENDER_H
#define SINIT_INIT_RENDER_H

#include "init/base.h"
#include "init/board.h"

enum { RENDER_ROOM = 12288 };

/* {"pid","version","state","uptime_seconds",...} of sinit itself. `now`: CLOCK_MONOTONIC. */
void render_sinit(
    struct text *text, const struct board_header *head, enum board_life life, int64_t now);

/* What else of the board belongs to a service. */
struct render_about {
	enum board_life life;
	int64_t now;         /* CLOCK_MONOTONIC ms */
	const char *blocker; /* name of the one in s->blocker, or NULL */
	const char *cgroup;  /* directory of the slices, "": there are none */
	struct board_words words;
	struct board_reading reading;
	bool measured; /* `reading` is there */
};

/* {"name","state",...} of a service. */
void render_service(
    struct text *text, const struct board_service *s, const struct render_about *about);

/* {"measured_seconds_ago","memory","cpu","pids","io","pressure"}, of which what the kernel does
 * not have and what is not limited is null. */
void render_resources(struct text *text, const struct board_reading *reading, int64_t now);

/* Adds the path of a service's slice. `cgroup`: directory of the slices. */
void render_slice(struct text *text, const char *cgroup, const struct board_service *s);

/* {"name","state","healthy","ready","startup","liveness","readiness","why"}: its probes, and
 * a sentence if not all is well. */
void render_health(struct text *text, const struct board_service *s, const char *blocker,
    const struct board_words *words, int64_t now);

/* That sentence: what the failing probes say, else why the service is not ready; else
 * nothing. */
void render_why(struct text *text, const struct board_service *s, const char *blocker,
    const struct board_words *words, int64_t now);

/* Counts of services by state. */
struct render_counts {
	unsigned state[STATE_COUNT];
	unsigned ready, all;
};
void render_count(struct render_counts *counts, const struct board_service *s);

/* {"sinit","services","ready","states"}. */
void render_summary(struct text *text, const struct board_header *head, enum board_life life,
    const struct render_counts *counts, int64_t now);

/* {"seq","time","service","event","message",...}. */
void render_event(struct text *text, const struct board_event *event, const char *blocker);

/* "unknown", "passing", "failing"; NULL where there is no such probe. */
const char *render_health_name(uint8_t health);

/* "startup", "liveness", "readiness". */
const char *render_role(enum probe_role role);

/* "starting", "running", "stopping", "gone"; "dead" if no sinit lives there any more. */
const char *render_phase(const struct board_header *head, enum board_life life);

#endif
