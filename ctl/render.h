/* The board's records as JSON, as sinitctl prints them (and the responder will).
 *
 * Fields may be added, never renamed; what is absent is null. Owns nothing; adds to a
 * caller's text, at most OUT_ROOM bytes a call. Pure. May call: base, board's names,
 * explain, format. */
#ifndef SINIT_CTL_RENDER_H
#define SINIT_CTL_RENDER_H

#include "init/base.h"
#include "init/board.h"

/* {"pid","version","state","uptime_seconds",...} of sinit itself. `now`: CLOCK_MONOTONIC. */
void render_sinit(
    struct text *text, const struct board_header *head, enum board_life life, int64_t now);

/* {"name","state",...} of a service. `blocker` and `reason` may be NULL. */
void render_service(struct text *text, const struct board_service *s, enum board_life life,
    const char *blocker, const char *reason, int64_t now);

/* {"seq","time","service","event","message",...}. */
void render_event(struct text *text, const struct board_event *event, const char *blocker);

/* "starting", "running", "stopping", "gone"; "dead" if no sinit lives there any more. */
const char *render_phase(const struct board_header *head, enum board_life life);

#endif
