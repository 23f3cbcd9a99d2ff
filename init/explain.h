/* Sentences for people out of the board's numbers: used by PID 1's log, by sinitctl
 * and later by the responder, so that all three say the same. Pure; owns nothing.
 * May call: base, machine's names, signal names. */
#ifndef SINIT_INIT_EXPLAIN_H
#define SINIT_INIT_EXPLAIN_H

#include "init/base.h"
#include "init/board.h"

/* How a process ended: "exited 3", "killed by KILL (core dumped)". */
void explain_exit(struct text *text, enum last_kind kind, int code, bool core);

/* Which step of a spawn failed and why, and what to try next:
 * "command: No such file or directory". */
void explain_spawn_error(struct text *text, enum spawn_step step, int error);

/* The step in a word or two: the name of the key that it carries out, where there is one. */
const char *explain_step(enum spawn_step step);

/* Why the service is in the state it is in, one sentence. `blocker` is the name of
 * the service in s->blocker, or NULL; `words` are its own. `now`: CLOCK_MONOTONIC ms. */
void explain_reason(struct text *text, const struct board_service *s, const char *blocker,
    const struct board_words *words, int64_t now);

/* Why it came to a restart, in the words that stand behind "failed: ". `blocker` as above. */
void explain_cause(struct text *text, const struct board_event *event, const char *blocker);

/* The message of an event. `blocker` as above. */
void explain_event(struct text *text, const struct board_event *event, const char *blocker);

/* Milliseconds as people say it: "350ms", "12s", "4m 3s", "2h 5m", "3d 4h". */
void explain_duration(struct text *text, int64_t ms);

#endif
