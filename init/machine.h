/* The life of one service as a pure function.
 *
 *     machine_step(settings, record, history, event, now) -> record changed, actions
 *
 * It owns nothing, makes no system call and knows no clock: time is an argument
 * and every deadline is data in the record. It is the only place in the program
 * that writes a service's state. The supervisor turns what happens in the world
 * into events, and actions into system calls. May call: backoff. */
#ifndef SINIT_INIT_MACHINE_H
#define SINIT_INIT_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

/* The values are part of the board's layout: add at the end only. */
enum state {
	STATE_STOPPED,  /* not running: never started, told to stop, or ended well by itself */
	STATE_WAITING,  /* wanted, but something it needs is not ready */
	STATE_STARTING, /* spawned, not ready yet (a oneshot: until it has ended) */
	STATE_RUNNING,  /* started; ready, unless its readiness probe says otherwise */
	STATE_STOPPING, /* told to stop, or holding until its dependents have */
	STATE_CLEANUP,  /* the main process is gone, what it left behind is being ended */
	STATE_BACKOFF,  /* waits for its next start after a failure */
	STATE_DONE,     /* a oneshot that ended well */
	STATE_FAILED,   /* not to be restarted: policy, dependency, configuration */
	STATE_FATAL,    /* failed once more often than max_restarts allows */
};
enum { STATE_COUNT = STATE_FATAL + 1 };

enum want { WANT_DOWN, WANT_UP };

/* Why the last (or the present) stop, wait or failure came about. */
enum cause {
	CAUSE_NONE,
	CAUSE_EXIT,          /* it ended by itself */
	CAUSE_OPERATOR,      /* sinitctl stop */
	CAUSE_RESTART,       /* sinitctl restart */
	CAUSE_RELOAD,        /* its settings changed, or are gone */
	CAUSE_SHUTDOWN,      /* sinit itself is stopping */
	CAUSE_DEPENDENCY,    /* what it requires was stopped or has failed */
	CAUSE_RESTART_WITH,  /* a service named in restart_with was restarted */
	CAUSE_START_TIMEOUT, /* not ready within start_timeout */
	CAUSE_PRE_START,     /* its pre_start command failed */
	CAUSE_SPAWN,         /* the command could not be run: see error and step */
	CAUSE_RESOURCES,     /* fork failed for want of memory, processes, descriptors */
	CAUSE_STARTUP,       /* startup probe */
	CAUSE_LIVENESS,      /* liveness probe */
	CAUSE_OOM,           /* the kernel killed it for memory */
	CAUSE_CONFIG,        /* its configuration is broken (boot mode) */
	CAUSE_REMOVED,       /* it is no longer configured */
};
enum { CAUSE_COUNT = CAUSE_REMOVED + 1 };

/* Which process of the service the record's aux_pid is. */
enum aux { AUX_NONE, AUX_PRE_START, AUX_STOP_COMMAND, AUX_POST_STOP };

enum last_kind { LAST_NONE, LAST_EXITED, LAST_KILLED, LAST_SPAWN_ERROR };

enum { MACHINE_RESTARTS_MAX = 32 }; /* the greatest max_restarts but "unlimited" */

/* Times are CLOCK_MONOTONIC milliseconds; 0 means never. */
struct machine {
	uint8_t state;      /* enum state */
	uint8_t want;       /* enum want */
	uint8_t cause;      /* enum cause */
	uint8_t aux;        /* enum aux: what aux_pid is */
	uint8_t ready;      /* dependents may go on */
	uint8_t main_alive; /* the main process was spawned and not yet reaped */
	uint8_t killed;     /* KILL was sent in this stop: nothing more to escalate */
	uint8_t post_done;  /* post_stop has run in this stop */
	uint8_t deps;       /* enum deps: as last told by the supervisor */
	uint8_t holding;    /* STOPPING, but the stop signal waits for dependents */
	uint8_t exit_kind;  /* enum last_kind: how the main process last ended */
	uint8_t exit_core;  /* it dumped core */
	int32_t exit_code;  /* exit code or signal number; errno for a spawn error */
	uint32_t life;      /* number of this life; 0: never started */
	uint32_t restarts;  /* automatic restarts since the last reset, for people */
	uint32_t failures;  /* in a row: the exponent of the back-off */
	uint32_t delay;     /* ms: the back-off now being waited, or the last one */
	uint32_t seed;      /* of the jitter; different for each service */
	int64_t deadline;   /* the next EVENT_TIMER is due then */
	int64_t since;      /* when the state was entered */
	int64_t started;    /* when the main process of this life was spawned */
};

/* The times of a service's last restarts, for max_restarts. Apart from the record, since
 * as long as `failures` is 0 it is empty, and its memory need not be there. */
struct machine_history {
	uint32_t head, count;                /* of the ring */
	uint32_t time[MACHINE_RESTARTS_MAX]; /* in tenths of a second */
};

/* What the supervisor has found about a service's dependencies. */
enum deps {
	DEPS_WAIT,   /* something is not ready yet */
	DEPS_READY,  /* may start */
	DEPS_DOWN,   /* a required service is held down or being stopped */
	DEPS_FAILED, /* a required service has finally failed */
};

enum event {
	EVENT_WANT_UP,      /* start, please */
	EVENT_WANT_DOWN,    /* stop, please; cause: OPERATOR, RELOAD, SHUTDOWN */
	EVENT_RESTART,      /* stop if it runs, then start; cause: RESTART, RELOAD, RESTART_WITH */
	EVENT_DEPS,         /* dependencies have changed; deps */
	EVENT_RELEASED,     /* the dependents are down: a stop may go on */
	EVENT_SPAWNED,      /* the main process has executed its command */
	EVENT_SPAWN_FAILED, /* it could not; exit_code: errno, lasting: no use in haste */
	EVENT_SPAWN_LATER,  /* no memory, processes, descriptors: not the service's fault */
	EVENT_READY,        /* the start is over (startup probe, READY=1), with waits_ready */
	EVENT_SERVING,      /* the readiness probe passes */
	EVENT_NOT_SERVING,  /* it fails */
	EVENT_EXITED,       /* the main process has ended; exit_*; cause: OOM or NONE */
	EVENT_AUX_EXITED,   /* the process in aux has ended (or could not start); exit_*; cause: OOM
			       or NONE */
	EVENT_EMPTY,        /* nothing of the service is left */
	EVENT_UNHEALTHY,    /* stop and restart it; cause: STARTUP, LIVENESS, OOM */
	EVENT_KILL,         /* no more patience: KILL now (second signal, shutdown timeout) */
	EVENT_RESET,        /* forget failures and limits (sinitctl reset) */
	EVENT_TIMER,        /* the deadline has passed */
};
enum { EVENT_COUNT = EVENT_TIMER + 1 };

struct machine_event {
	enum event kind;
	enum cause cause;
	enum deps deps;
	uint8_t exit_kind;
	uint8_t exit_core;
	int32_t exit_code;
};

/* Bits of the answer, carried out by the supervisor from low to high. */
enum action {
	ACT_KILL_ALL = 1 << 0,    /* KILL every process of the service */
	ACT_STOP_MAIN = 1 << 1,   /* stop_signal to the main process */
	ACT_STOP_ALL = 1 << 2,    /* stop_signal to every process of the service */
	ACT_HOLD = 1 << 3,        /* tell EVENT_RELEASED as soon as the dependents are down */
	ACT_RUN_STOP = 1 << 4,    /* spawn stop_command; EVENT_AUX_EXITED follows */
	ACT_RUN_POST = 1 << 5,    /* spawn post_stop; EVENT_AUX_EXITED follows */
	ACT_RUN_PRE = 1 << 6,     /* spawn pre_start; EVENT_AUX_EXITED follows */
	ACT_SPAWN = 1 << 7,       /* spawn the command; EVENT_SPAWNED, _FAILED or _LATER follows */
	ACT_CHECK_EMPTY = 1 << 8, /* tell EVENT_EMPTY as soon as nothing is left */
};

/* The settings the machine needs; ms. */
struct machine_settings {
	bool oneshot;
	bool has_pre_start, has_post_stop, has_stop_command;
	bool waits_ready;    /* the start is over at EVENT_READY, not once it is spawned */
	bool oom_stop;       /* killed for want of memory it stays down */
	bool has_readiness;  /* running is not ready: that is told by EVENT_SERVING */
	uint8_t restart;     /* enum restart of schema.h */
	uint8_t kill_mode;   /* enum kill_mode of schema.h */
	uint8_t stop_signal; /* not the machine's business: kept here for the supervisor */
	uint32_t start_timeout, stop_timeout; /* UINT32_MAX: 49 days, as good as none */
	uint32_t restart_delay, max_backoff, min_uptime, restart_window;
	uint32_t backoff_multiplier; /* thousandths */
	uint32_t backoff_jitter;     /* percent */
	uint32_t max_restarts;       /* UINT32_MAX: unlimited */
	uint8_t success[32];         /* bit map of success_exit_codes */
};

/* Steps the machine and returns the actions. `now` never goes back. */
unsigned machine_step(const struct machine_settings *settings, struct machine *m,
    struct machine_history *history, const struct machine_event *event, int64_t now);

/* The delay before restart number `n` (1 is the first), without jitter; ms. */
uint32_t machine_delay(const struct machine_settings *settings, uint32_t n);

/* True while any process of the service may exist. */
bool machine_active(const struct machine *m);

/* True if nothing more will happen to it without an operator. */
bool machine_settled(const struct machine *m);

const char *state_name(enum state state);
const char *cause_name(enum cause cause);

#endif
