/* What the files of wrapper mode share; see reaper/wrapper.h. */
#ifndef SINIT_WRAPPER_IMPL_H
#define SINIT_WRAPPER_IMPL_H

#include "reaper/reap.h"
#include "reaper/status.h"
#include "reaper/wrapper.h"

#include <signal.h>

struct exec_failure;

struct wrapper {
	const struct wrapper_options *options;
	char **argv;
	pid_t self;
	pid_t main;            /* the command's process */
	pid_t group;           /* our process group */
	uint64_t given_mask;   /* signals that were blocked when sinit was started */
	bool ignored_children; /* SIGCHLD was ignored then */
	bool took_terminal;    /* made the command's group the foreground one */
	uint64_t skip_once;    /* bit N-1: the next signal N is not forwarded */
	struct reaper reaper;
	int64_t reap_again; /* ns: when to ask the reaper without a signal; 0: never */
	bool ended;         /* main has, with: */
	struct exit_status status;
};

/* --- wrapper_start.c ---------------------------------------------------------------- */

/* Blocks all signals and has SIGCHLD delivered; the first thing to be done. */
void wrapper_take_signals(struct wrapper *wrapper);

/* Starts the command. 0: wrapper->main is set; else *ret_failure tells why not, or if its
 * kind is EXEC_OK -errno that no process could be made. */
int wrapper_start(struct wrapper *wrapper, struct exec_failure *ret_failure);

/* Gives the terminal back to our own group, if it was taken. */
void wrapper_return_terminal(const struct wrapper *wrapper);

/* Waits for any signal. Its number with *ret_info filled; 0 when `deadline` (ns,
 * reap_clock(); 0: none) has come or the wait was interrupted. */
int wrapper_wait_signal(int64_t deadline, siginfo_t *ret_info);

/* --- wrapper_text.c: one function for each thing it has to say ---------------------- */

void tell_started(const struct wrapper *wrapper);
void tell_received(const struct wrapper *wrapper, int signal);
void tell_skipped(const struct wrapper *wrapper, int signal);
void tell_forwarded(const struct wrapper *wrapper, int signal, int as, int error);
void tell_suspending(const struct wrapper *wrapper);
void tell_detached(const struct wrapper *wrapper, int error, bool leader);
void tell_reaped(const struct wrapper *wrapper, const struct death *death);
void tell_goodbye(const struct wrapper *wrapper, int code);
void tell_grace(const struct wrapper *wrapper);
void tell_killed(const struct wrapper *wrapper);
void tell_no_reaping(const struct wrapper *wrapper);
void tell_exec_failure(const struct wrapper *wrapper, const struct exec_failure *failure);
void tell_no_process(const struct wrapper *wrapper, int error);

#endif
