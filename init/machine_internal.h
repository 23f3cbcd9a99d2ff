/* What the two files of the machine share with each other and with nobody else: machine.c says what
 * an event means, machine_life.c how a service goes from one state to the next.
 *
 * Pure. May call: backoff. */
#ifndef SINIT_INIT_MACHINE_INTERNAL_H
#define SINIT_INIT_MACHINE_INTERNAL_H

#include "init/machine.h"

/* What one step is about. */
struct step {
	const struct machine_settings *set;
	struct machine *m;
	struct machine_history *past;
	int64_t now;
};

/* --- machine_life.c: each returns actions, as machine_step() does --- */

/* The one place where a state is written. It has no deadline at first. */
void life_enter(struct step *t, enum state state);

void life_forget_failures(struct step *t);

/* To be told when it leaves its state: to have been ready for longer than min_uptime makes
 * up for the failures before. One that never became ready has not been up, however long
 * it took to find out, nor does the time count that it takes to stop. */
void life_note_uptime(struct step *t);

/* A new life, if what it depends on is ready. */
unsigned life_begin(struct step *t);

/* Likewise, after a failure. */
unsigned life_restart(struct step *t);

/* Waits for `delay`. */
unsigned life_back_off(struct step *t);

/* A stop, with its dependents before it where they are to go first. */
unsigned life_stop(struct step *t, enum cause cause);

/* Sends the stop on its way. */
unsigned life_signal_stop(struct step *t);

/* The main process is gone (or never was): end what it left behind. */
unsigned life_gone(struct step *t);

/* Nothing is left of it but post_stop, if that has not run yet. */
unsigned life_finish(struct step *t);

/* Nothing of the service is left: where does it go from here? */
unsigned life_settle(struct step *t);

#endif
