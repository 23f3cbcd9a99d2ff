/* A simulated kernel: everything of init/platform.h over a virtual clock.
 *
 * A command's words tell how its process behaves: "/sim/main s07 4" is the main process of
 * service 7 with behaviour 4, "/sim/shell4" the shell of last resort. What happens by chance comes
 * from the seed, so that a run can be repeated. There are few process numbers, so that they are
 * used again soon. Owns: `kernel`, the one world of the test (platform.h hands no context down). */
#ifndef SINIT_TESTS_SIM_KERNEL_H
#define SINIT_TESTS_SIM_KERNEL_H

#include "reaper/status.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { KERNEL_PIDS = 192, KERNEL_SERVICES = 32, MINUTE = 60000, HOUR = 60 * MINUTE };

/* Services are known by numbers: that of `s07` is 7, that of `emergency` is this one. */
enum { KERNEL_EMERGENCY = KERNEL_SERVICES - 1 };

enum behaviour {
	STEADY,    /* lives long, ends at once when told to */
	FLAKY,     /* lives from a second to hours */
	CRASHING,  /* ends within moments, most often badly */
	DEAF,      /* lives long, knows no signal but KILL */
	SLOW,      /* lives long, takes its time to stop */
	FAMILY,    /* has children, which may outlive it, be slow, or deaf */
	MISSING,   /* cannot be executed */
	SOMETIMES, /* now and then cannot be executed */
	HANGING,   /* its exec takes its time, and may fail in the end */
	BRIEF,     /* ends well after a while */
	QUICK,     /* ends well at once, seldom badly: for oneshots and helpers */
	BEHAVIOURS
};

enum role { ROLE_MAIN, ROLE_PRE, ROLE_STOP, ROLE_POST, ROLE_RELOAD, ROLE_CHILD, ROLE_LIMITS };

enum process_state { PROCESS_FREE, PROCESS_PENDING, PROCESS_ALIVE, PROCESS_ZOMBIE };

struct process {
	pid_t parent; /* 1: sinit */
	pid_t sid;    /* 1: sinit's own */
	uint8_t state, role, behaviour;
	bool ours; /* started by platform_spawn */
	bool exec_fails;
	bool executed;
	bool deaf;
	bool shell;     /* HUP ends it, and TERM does not */
	bool told;      /* a stop signal is working in it */
	bool abandoned; /* kill_mode=process: its service has ended without it */
	bool frozen;    /* with its slice: it does nothing, and takes no signal but KILL */
	bool waiting;   /* frozen: a stop signal waits for it */
	bool oomed;     /* killed for want of memory */
	uint8_t slice;  /* the number of its slice's service + 1, 0: it is in none */
	int service;
	uint64_t life;      /* which life of the service it belongs to */
	uint32_t stop_time; /* ms from the signal to the end */
	struct exit_status how;
};

struct kernel {
	int64_t now; /* ms */
	uint64_t random;
	struct process process[KERNEL_PIDS]; /* by pid; 0 and 1 are never used */
	int64_t at[KERNEL_PIDS];             /* when the process does something next, 0: never */
	uint32_t session[KERNEL_PIDS];       /* processes in it: its number is taken */
	pid_t last;
	uint32_t pendings;
	bool chld;           /* SIGCHLD is pending */
	pid_t chld_pid;      /* what it names */
	bool rested;         /* the last look for deaths was put off */
	bool calm;           /* from now on everything works */
	int64_t short_until; /* fork fails until then */
	bool marker[KERNEL_SERVICES];
	uint64_t exits[KERNEL_SERVICES]; /* deaths of main processes that were reaped */
	uint64_t reaped, spawned;
};

extern struct kernel kernel;

/* Told of what sinit does; the checks are behind these. */
struct kernel_watch {
	/* A process is about to be made. Returns the number of the life it belongs to. */
	uint64_t (*spawn)(int service, enum role role);
	/* A process gets a signal. `named`: by its own number, not as part of a session. */
	void (*signal)(pid_t pid, int sig, bool named);
	/* A process that was killed for want of memory is about to be reaped. */
	void (*oom)(pid_t pid);
	/* A slice is about to be given back. */
	void (*leave)(int service);
};
extern struct kernel_watch kernel_watch;

/* The number of a service, by its name. */
int kernel_service(const char *name);

void kernel_reset(uint64_t seed, int64_t now);

/* Lets everything happen that is due at kernel.now. */
void kernel_run(void);

/* When something happens next, 0: never. */
int64_t kernel_next(void);

uint32_t kernel_pick(uint32_t n); /* 0 .. n-1 */
bool kernel_chance(uint32_t percent);

/* Whether a service has living processes (not zombies); helpers of reloads do not count unless
 * they are in its slice. */
bool kernel_is_living(int service);

/* Something is wrong: tells it with the seed, and ends the program. */
void sim_fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
/* With --trace. */
void sim_trace(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
