/* Deaths: which process has ended, at a steady and small price.
 *
 * Why it is not a loop of waitid(P_ALL): that call walks the list of children until it
 * meets a zombie (kernel/exit.c, do_wait), 4 ns a child that is warm in the cache, 130 ns
 * one that is cold, and one SIGCHLD can stand for many deaths, so asking "anyone else?"
 * cannot be left out. An init with 20,000 living children was measured to pay 2.6 ms for
 * each death behind them, under a lock that the dying need; with 1,000, 20 µs; with few,
 * 2.2 µs, which is the price of releasing a zombie. In one and the same storm the price
 * varied from 2.6 to 80 µs by luck of the order.
 *
 * So:
 *  1. The process that a SIGCHLD names (si_pid) is waited for by its number, a hash
 *     lookup, whose price does not depend on who else lives.
 *  2. A scan, waitid(P_ALL) until it says "none", finds those whose signals were merged.
 *     What it takes beyond a fair price of the deaths it finds is waste; after a waste of
 *     T there is no scan for 49 T (at most REAP_REST_MAX_NS), so that walking takes 2 % of
 *     a CPU. Until then reaper_next() says when to ask again. With few children nearly
 *     nothing is wasted and nothing noticeably put off.
 *  3. Who dies together was mostly born together. Where walks are costly, the numbers
 *     after each dead one are tried as well, by hash lookup, until some in a row are
 *     no zombies of ours. That finds nearly all that a scan would have to walk for.
 *  4. A process whose death must be seen at once whatever happens (wrapper mode's
 *     command) is the caller's to ask for by number with reap_wait().
 *
 * No death is lost: a scan stays due until one that began after the last notice has said
 * "none", and the kernel makes a process a zombie before it sends the SIGCHLD.
 *
 * Owns nothing but the struct. Calls only the functions at its end, which are in a file
 * of their own so that tests put a simulated kernel in their place.
 */
#ifndef SINIT_REAP_H
#define SINIT_REAP_H

#include "reaper/status.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define REAP_REST_MAX_NS INT64_C(100000000)

/* What a walk may take for one death without counting as waste: releasing a zombie takes
 * 2.2 µs where this was measured, some hundred living children before it double that. */
#define REAP_FAIR_NS 10000

/* A single long walk proves nothing: another process may have had the CPU. The first one
 * counts as no more than this; from then on, until one is cheap, walks are measured in CPU
 * time, which costs a system call. */
#define REAP_DOUBT_NS 50000

struct death {
	pid_t pid;
	struct exit_status status;
};

/* All zero is a reaper that knows nothing; reaper_init() makes a scan due besides. */
struct reaper {
	pid_t named;        /* by the last notice, not yet asked for; 0: none */
	pid_t near;         /* the next number to try after a dead one; 0: none */
	uint8_t misses;     /* how far the tries since the last hit have failed */
	bool scan_due;      /* there may be deaths that nobody named */
	bool costly;        /* the last walk was */
	int64_t waste_ns;   /* of the scan that is going on */
	int64_t rest_until; /* no scan before this; ns, reap_clock() */
};

void reaper_init(struct reaper *reaper);

/* A SIGCHLD has come, naming `pid` (si_pid, ssi_pid), or 0 if that is not known. If a
 * process was named before and not yet asked for, the scan will find it. */
void reaper_notice(struct reaper *reaper, pid_t pid);

/* The next death.
 * 1: *ret_death has ended and been reaped; ask again.
 * 0: no more for now. *ret_again is 0 if there is nothing to do before the next notice,
 *    else the time (ns, reap_clock()) at which to ask again though none came.
 * -ECHILD: the same as 0, and there is no child left at all. */
int reaper_next(struct reaper *reaper, struct death *ret_death, int64_t *ret_again);

/* --- The kernel's side: reap_kernel.c, or a test ------------------------------------ */

/* Reaps a process that has ended: `pid`, or any child if 0.
 * 1: done; 0: it (or every child) lives; -ECHILD: no such child. waitid(2), WNOHANG. */
int reap_wait(pid_t pid, struct death *ret_death);

/* The same without reaping: the process stays a zombie and its number stays taken
 * (WNOWAIT), so its process group can still be signalled without meeting a stranger. */
int reap_look(pid_t pid, struct death *ret_death);

/* CLOCK_MONOTONIC and CLOCK_THREAD_CPUTIME_ID in ns. */
int64_t reap_clock(void);
int64_t reap_cpu_clock(void);

#endif
