/* Scripts for the machine: one service, one clock, and a check of the state and of
 * every action after each event.
 *
 * Owns: the record, its settings and the clock of the running test. */
#ifndef SINIT_TESTS_UNIT_MACHINE_SCRIPT_H
#define SINIT_TESTS_UNIT_MACHINE_SCRIPT_H

#include "init/machine.h"

extern struct machine_settings set;
extern struct machine m;
extern struct machine_history past;
extern int64_t now; /* ms */

/* A new service with settings like the configuration's defaults: stopped, its
 * dependencies ready. The clock starts at 1000 s. */
void fresh(void);

struct machine_event ev(enum event kind);
struct machine_event ev_cause(enum event kind, enum cause cause);
struct machine_event ev_deps(enum deps deps);
struct machine_event ev_exit(int code);     /* the main process exited */
struct machine_event ev_killed(int sig);    /* it was killed by a signal */
struct machine_event ev_oom(void);          /* the kernel killed it for want of memory */
struct machine_event ev_aux(int code);      /* the process in aux exited */
struct machine_event ev_no_exec(int error); /* the command could not be run */

/* Steps the machine and fails the test unless it is then in `state` and has asked for
 * exactly `actions`. */
void is_at(
    const char *file, int line, struct machine_event event, enum state state, unsigned actions);
#define IS(event, state, actions) is_at(__FILE__, __LINE__, event, state, actions)

/* Goes to the deadline, checks that nothing happens a millisecond earlier and that it is
 * `wait` ms from now, and steps EVENT_TIMER there. */
void due_at(const char *file, int line, int64_t wait, enum state state, unsigned actions);
#define DUE(wait, state, actions) due_at(__FILE__, __LINE__, wait, state, actions)

/* Starts a service of the present settings and brings it to RUNNING (a oneshot, or one
 * that waits for readiness: to STARTING with its process alive). */
void run(void);

/* What is left is gone: from CLEANUP to whatever follows. */
#define EMPTY(state, actions) IS(ev(EVENT_EMPTY), state, actions)

/* Actions that every end of a main process asks for, unless it has been told before. */
enum { LEFTOVERS = ACT_STOP_ALL | ACT_CHECK_EMPTY, KILL_LEFT = ACT_KILL_ALL | ACT_CHECK_EMPTY };

/* One crash: exits with `code`, nothing left behind, then `state`. */
void crash_at(const char *file, int line, int code, enum state state, unsigned actions);
#define CRASH(code, state, actions) crash_at(__FILE__, __LINE__, code, state, actions)

#endif
