/* The supervisor: the only code that knows both the machine and the world.
 *
 * It turns deaths, deadlines and requests into events of the machine, carries out the
 * machine's actions, watches the dependencies between services, and writes the board.
 * All its system calls go through platform.h, so that tests link it against a simulated
 * kernel. It allocates in supervisor_new() only; nothing here blocks.
 * Owns: the units, the process table, the images of the configuration.
 * May call: machine, image, board, log, explain, platform. */
#ifndef SINIT_INIT_SUPERVISOR_H
#define SINIT_INIT_SUPERVISOR_H

#include "cgroup/slice.h"
#include "init/board.h"
#include "init/image.h"
#include "init/machine.h"
#include "init/pidmap.h"
#include "init/platform.h"
#include "init/ranks.h"
#include "probes/verdict.h"

enum {
	SUPERVISOR_SETS = 4,          /* configurations that may be in use at once */
	SUPERVISOR_NONE = UINT32_MAX, /* no slot */
	SUPERVISOR_SESSIONS = 3,      /* of main, of pre_start or post_stop, of stop_command */
	SUPERVISOR_HELPERS = 6,       /* numbers of helper processes */
	SUPERVISOR_MEASURES = 16,     /* slices read in one turn */
	SUPERVISOR_MEASURE_AGE = 200, /* ms that a reading may serve */
	SUPERVISOR_STARTS = 16,       /* most launches in one turn, so that deaths and
					 requests are never far away */
};

/* One loaded configuration. An old one lives until the last service that was started
 * under it, or whose removal is still going on, has gone. */
struct config_set {
	struct image *image; /* NULL: free */
	size_t size;
	uint32_t users;    /* references from units */
	uint32_t *slot_of; /* by index in the image */
};

/* A service's place in one of the sets. */
struct place {
	uint8_t set;
	uint32_t index;
};

/* The pipe of a captured stream. Its number is its place, in the logger's store, too. */
struct capture {
	bool used;
	bool retired;  /* no service has it any more: it is freed when the logger has emptied it */
	bool untold;   /* the logger is to be told of `end` */
	bool freed;    /* not used, but the logger that runs does not know that yet */
	uint8_t kind;  /* enum store_kind (log/store.h) */
	uint32_t slot; /* of the service, SUPERVISOR_NONE: of none */
	int pipe[2];   /* to read from, to write to */
	/* The last ends of its service; number n is at n % LOGGER_ENDS. */
	struct logger_end ended[LOGGER_ENDS];
	uint32_t ends;         /* so far */
	uint32_t ends_told;    /* of which the logger has been told */
	uint64_t end;          /* bytes when last nobody of the service was there; LOGGER_UNKNOWN */
	uint64_t dropped;      /* lines that the logger could not write, so far */
	uint64_t told;         /* of which the log has told */
	int fault;             /* errno with which its target cannot be written, 0: it can */
	bool moved;            /* it could not when a reload has given it another one */
	char name[BOARD_NAME]; /* of the service */
};

/* What PID 1 alone needs to know of a service; the rest is in the board's record. */
struct unit {
	struct place life;  /* settings of the processes that are there */
	struct place graph; /* newest settings: edges to other services */
	uint32_t rank;      /* place in order[] */
	bool removed;       /* no longer configured: its slot is freed once it is down */
	bool renew;         /* reload: takes the newest settings once it is down */
	bool again;         /* renew: and is to be started then */
	bool visited;       /* by a walk over the services */
	bool fresh;         /* reload: it is new */
	bool lagging;       /* reload: unchanged, but still tied to the old image by its exec */
	bool changed;       /* reload: its settings differ */
	bool was_enabled;   /* reload: before it */
	bool told_kill;     /* the log has told that it had to be killed in this stop */
	uint8_t lines;      /* log lines still allowed; see supervisor_report.c */
	uint32_t hushed;    /* log lines kept back */
	int64_t lines_at;   /* when `lines` was last refilled */
	int64_t wave;       /* start of the service whose restart brought about this life */
	pid_t sid[SUPERVISOR_SESSIONS]; /* that have processes; 0: none. See sv_session_left() */
	uint32_t capture[2]; /* of stdout (and stderr with it), of stderr: number + 1, 0: none */
	bool pending[2];     /* their exec has neither been done nor failed */
	uint8_t probing;     /* bits 1 << role: probes that are to run now */
	uint8_t told;        /* those that the prober has been told to make */
	uint8_t moved;       /* those that a reload has changed */
	bool telling;        /* the prober is to be told: it is in `tell` */
	bool notified;       /* READY=1 has come in this life */
	pid_t next_main;     /* MAINPID: takes over when the main process ends, 0: none */
	bool trouble;        /* it has failed or was unhealthy, and is not well again yet */
	int64_t recovers;    /* ms: then it is, if it stays as it is, 0: it is not on its way */
	int64_t beat;        /* ms: the last WATCHDOG=1, 0: none in this life */
	struct slice slice;  /* only if `sliced` */
	bool sliced;         /* it has a cgroup of its own */
	bool slice_told;     /* that it cannot have one has been logged */
	bool limits_stale;   /* the slice has limits of older settings */
	bool warned;         /* it is above memory_warn, and that was told */
	bool wire;           /* memory.high is set to memory_warn */
	uint64_t warn;       /* memory_warn in bytes, 0: none */
	int64_t warn_at;     /* ms: when to look how much it needs, 0: the wire tells */
	int64_t warn_seen;   /* ms: when that was last looked at */
	pid_t changing;      /* child that changes limits, 0: none */
	bool change_again;   /* they have changed once more meanwhile */
	uint64_t oom, oom_below, oom_kills, high; /* of memory.events, as last seen */
	uint64_t killed;                          /* for memory in this slice, as last seen */
	int64_t oom_due;  /* ms: when to look whether the main process has survived, 0: no */
	int64_t oom_at;   /* ms: the last kill for memory in this life, 0: none */
	int64_t oom_told; /* ms: the last one in any life, 0: none */
};

/* A check that PID 1 makes itself, or asks the prober for once, see image_by_prober(). */
struct check {
	struct verdict verdict;
	bool active;      /* to be made, in this stay in the state */
	bool fallback;    /* the next, or the present one, is the fallback */
	bool late;        /* its process was killed since its time was up */
	bool dropped;     /* its process was killed since nobody asks any more: says nothing */
	bool asked;       /* the prober's answer to one probe is awaited */
	uint32_t ticket;  /* of what the prober was told or asked last */
	int error;        /* errno of an exec that failed, 0: none */
	int32_t detail;   /* what its process has said of its fault */
	pid_t pid;        /* its process, 0: none */
	pid_t sid;        /* the session of that, until it is empty */
	int64_t due;      /* ms: when the next one begins */
	int64_t began;    /* ms */
	int64_t deadline; /* ms: its time is up; later, when to KILL again */
};

/* Room for the pointers of one spawn, in use until its exec is done. */
struct spawn_room {
	pid_t pid;    /* of a pending spawn, 0: free */
	char **words; /* argv, NULL, envp, NULL */
	struct spawn_limit limits[SPAWN_LIMITS];
	char user[1024];                /* HOME=, SHELL=, USER=, LOGNAME= */
	char notify[160], watchdog[48]; /* NOTIFY_SOCKET=, WATCHDOG_USEC= */
	char numbers[24];               /* of a check's words */
};

struct notification;
struct cgroup_tree;
struct image_log;

struct supervisor {
	struct board board;
	struct board_service *service;   /* board.services */
	struct unit *unit;               /* by slot */
	struct machine_history *history; /* by slot; untouched as long as all is well */
	int64_t *deadline;               /* by slot: the machine's. Apart, since the loop looks
					    at all of them in each turn */
	uint32_t *order;                 /* slots in the order of starting; `count` of them */
	uint32_t *work;                  /* lists for walks over services */
	uint32_t count, capacity;        /* slots in use or freed (a prefix), and in all */
	struct ranks dirty;              /* their dependencies are to be looked at */
	struct ranks hold;               /* wait for their dependents to be down */
	struct ranks check;              /* wait until nothing of them is left */
	struct ranks tell;               /* the prober is to be told about them */
	struct check *check_state;       /* by slot * PROBE_ROLES + role; untouched unless needed */
	int64_t *check_due;              /* by slot: when one of its checks is due, 0: none */
	uint32_t checks;                 /* checks that are active or have a process */
	int prober_fd;                   /* channel, -1: there is no prober */
	bool prober_full;                /* nothing fits into it until it can be written */
	struct probe_stats *stats;       /* by slot * PROBE_ROLES + role, NULL: none */
	struct cgroup_tree *cgroups;     /* NULL: none */
	struct spawn_limit nofile;       /* what services get; hard 0: as sinit has it */
	bool cgroups_required;           /* no service without a slice */
	bool watch_told;                 /* that the kernel has no watches has been logged */
	bool room_told;                  /* that there are no descriptors for more slices */
	uint32_t slices, slices_max;     /* open, and at most */
	bool measuring;                  /* slices are being read, from measure_next on */
	uint8_t controllers_told;        /* bits: that a limit has no effect has been logged */
	uint32_t measure_next;
	int64_t slices_due; /* the first of the units' warn_at and oom_due or before,
			       0: none */
	const char *notify; /* NOTIFY_SOCKET for those who notify, NULL: none */
	bool loose;         /* some session has outlived its first process */
	bool recheck;       /* a death or a signal may have emptied one of `check` */
	bool rehold;        /* a change may have released one of `hold` */
	struct config_set set[SUPERVISOR_SETS];
	uint8_t current; /* newest set */
	struct pidmap pids;
	struct spawner *spawner;
	struct spawn_room room[SPAWN_SLOTS + 1];
	size_t words;                           /* pointers in a room */
	uint64_t there[IMAGE_MAX_AWAITED / 64]; /* bits: what services wait for is there, by its
					  place in the newest image's list */
	uint32_t pendings;                      /* spawns that are pending */
	char *const *environ;                   /* sinit's own, for the services */
	uid_t uid; /* sinit's own, for services that set only one of them */
	gid_t gid;
	const char *main_directory; /* where the service main runs; NULL: as configured */
	const char *state_dir;
	int64_t now;           /* CLOCK_MONOTONIC ms of this turn */
	uint32_t active;       /* services of which a process may exist */
	uint32_t starts;       /* launches still allowed in this turn */
	uint32_t generation;   /* of slots */
	uint32_t helds;        /* services of which `held` is set */
	uint32_t late;         /* slot of a service whose start was not over when last seen */
	int64_t stranger_at;   /* when the log was last told of a stranger's notification */
	uint32_t ticket;       /* the last one given out, see probes/helper.h */
	int64_t reap_again;    /* when to ask for deaths without a signal, 0: no */
	int64_t recovery;      /* the first of the units' `recovers` or before, 0: none */
	int64_t poll_at;       /* when to ask for pending spawns, 0: no */
	int64_t poll_wait;     /* ms from then to the next time; grows */
	bool reloading;        /* some are to be removed or renewed once down */
	bool no_children;      /* the last look for deaths met no child at all */
	bool stopping;         /* shutdown has begun */
	bool killing;          /* its patience has ended */
	int64_t stop_deadline; /* then it ends, or (killing) is given up */
	bool machine;          /* sinit is the init of a machine */
	bool single;           /* only the emergency shell was started */
	bool critical_down;    /* the shutdown began since a critical service was down */
	uint32_t emergency;    /* slot of the service of that name, machine only */
	int64_t emergency_at;  /* when it is to start again, 0: not by itself */
	int exit_code;         /* of sinit, as far as known */
	uint32_t main_slot;    /* service main, or SUPERVISOR_NONE */
	pid_t loader;          /* child that reads the configuration, 0: none */
	bool loader_done;      /* it has ended; see loader_status */
	struct exit_status loader_status;
	struct capture *capture; /* `captures` of them, captures_max at most */
	uint32_t captures, captures_max;
	uint32_t captures_files; /* so many there are descriptors for */
	bool captures_told;      /* that there are no more has been logged */
	bool captures_changed;   /* the logger is to be told anew of all of them */
	bool captures_untold;    /* some of them are untold */
	int store_fd;            /* the logger's store, -1: not made yet */
	bool store_broken;       /* what is in it cannot be used */
	bool store_gone;         /* it is to be made anew in RUNDIR */
	bool store_file;         /* it is RUNDIR/logs, so that others can see it */
	int rundir;              /* its descriptor, -1: none */
	uint32_t helpers_ended;  /* bits 1 << number: helpers that have ended */
	struct exit_status helper_status[SUPERVISOR_HELPERS];
};

/* What supervisor_new() needs. The image is taken over (platform_unmap() when it is replaced). */
struct supervisor_input {
	struct image *image;
	size_t image_size;
	char *const *environ;
	const char *state_dir;       /* NULL: stops by hand are not remembered */
	const char *notify;          /* path of the notification socket, NULL: none; borrowed */
	uint32_t captures_max;       /* captured streams that descriptors are left for */
	uint32_t slices_max;         /* slices that descriptors are left for */
	struct spawn_limit nofile;   /* for services that set none; hard 0: as sinit has it */
	struct cgroup_tree *cgroups; /* opened or not, NULL: none; borrowed */
	struct probe_stats *stats;   /* for each check of the board's slots, NULL: none; borrowed */
	const char *main_directory;  /* directory that sinit was started in; NULL: unknown */
	int rundir;                  /* descriptor, or -1 */
	uid_t uid;                   /* sinit's own */
	gid_t gid;
	enum mode mode; /* for readers of the board */
	int64_t began;  /* likewise: CLOCK_MONOTONIC us of sinit's first line */
};

/* What the machine knows of a service, in its present life. */
static inline const struct machine_settings *supervisor_settings(
    const struct supervisor *sv, uint32_t slot)
{
	struct place place = sv->unit[slot].life;
	const struct image *image = sv->set[place.set].image;

	return image_machine(image, image_service(image, place.index));
}

/* Slots that supervisor_new() makes for so many services. */
uint32_t supervisor_capacity(uint32_t services);

/* 0 or -errno. */
int supervisor_new(struct supervisor *ret, const struct supervisor_input *input);

/* Asks for every enabled service (and what it needs) to go up. */
void supervisor_start(struct supervisor *sv);

/* Asks for the emergency shell instead; what else there is starts when it is asked for. */
void supervisor_start_single(struct supervisor *sv);

/* The critical service that is down for good, NULL: none is. */
const char *supervisor_critical_down(const struct supervisor *sv);

/* --- one turn of the loop, in this order ------------------------------------- */

void supervisor_clock(struct supervisor *sv); /* reads the time */
/* Which pending spawns have come to their end; the timers ask too, but a request is to meet what
 * is. */
void supervisor_births(struct supervisor *sv);
void supervisor_deaths(struct supervisor *sv, pid_t hint); /* SIGCHLD came, or reap_again */
void supervisor_timers(struct supervisor *sv);             /* deadlines that have passed */
void supervisor_settle(struct supervisor *sv);             /* neighbours, left-overs, starts */

/* CLOCK_MONOTONIC ms of the next thing to do by itself; 0: nothing. At or before now:
 * settle has more to do, after a look at signals and requests. */
int64_t supervisor_deadline(const struct supervisor *sv);

/* True when the shutdown is through: nothing of any service is left, or killed long ago. */
bool supervisor_done(const struct supervisor *sv);

/* --- what operators want ------------------------------------------------------ */

uint32_t supervisor_find(const struct supervisor *sv, const char *name);

/* What is wrong with its configuration (boot mode), so that it cannot be started; NULL: nothing. */
const char *supervisor_broken(const struct supervisor *sv, uint32_t slot);

/* Up, with all it needs; clears a stop by hand of this service (not of others). */
void supervisor_up(struct supervisor *sv, uint32_t slot);

/* Down, after what requires it; remembered as a stop by hand. -errno: it goes down, but
 * that could not be written to the state directory. */
int supervisor_down(struct supervisor *sv, uint32_t slot);

/* The same; that it could not be written is logged, too. */
int supervisor_stop(struct supervisor *sv, uint32_t slot);

void supervisor_restart(struct supervisor *sv, uint32_t slot);
void supervisor_reset(struct supervisor *sv, uint32_t slot);

/* Sends a signal to the main process. 0, -ESRCH: it has none, -errno. */
int supervisor_signal(struct supervisor *sv, uint32_t slot, int sig);

/* reload_command or reload_signal. 0; -ESRCH: not running; -EAGAIN: paused; -errno. */
int supervisor_reload_service(struct supervisor *sv, uint32_t slot);

/* Stops everything. Called again, or at the end of shutdown_timeout: KILL. */
void supervisor_shutdown(struct supervisor *sv);

/* --- probes -------------------------------------------------------------------- */

/* The prober has said something. What is about another life is passed over. */
void supervisor_verdict(struct supervisor *sv, const struct prober_verdict *verdict);

/* There is a new prober behind `fd`, or none (-1): it is told everything from the start. */
void supervisor_prober(struct supervisor *sv, int fd);

/* Its channel can be written again. */
void supervisor_prober_room(struct supervisor *sv);

/* Whether the configuration has a check that needs the prober. */
bool supervisor_has_network_probes(const struct supervisor *sv);

/* A notification (init/notify.h) of process `pid`, as the kernel says. */
void supervisor_notify(
    struct supervisor *sv, pid_t pid, const char *datagram, const struct notification *n);

/* --- devices ------------------------------------------------------------------- */

/* What is number `number` of all that services wait for (struct image) is there, or gone. */
void supervisor_device(struct supervisor *sv, uint32_t number, bool there);

/* --- cgroups ------------------------------------------------------------------- */

/* Somebody wants to know what the services use. Their slices are read in the following turns,
 * SUPERVISOR_MEASURES of them in each, and not oftener than once in SUPERVISOR_MEASURE_AGE ms:
 * what is that new is answered with. True: it is done already; else supervisor_measuring() is
 * true until it is. */
bool supervisor_measure(struct supervisor *sv);
bool supervisor_measuring(const struct supervisor *sv);

/* Something has happened to the slices: the kernel's watch `wd` of inotify(7) says so; -1: to
 * any of them, since events were lost. */
void supervisor_slice_event(struct supervisor *sv, int wd);

/* Freezes a service, or lets it go on. 0; -ESRCH: it is not running; -EALREADY;
 * -EOPNOTSUPP: it has no slice; -errno. */
int supervisor_pause(struct supervisor *sv, uint32_t slot, bool paused);

/* --- captured output ----------------------------------------------------------- */

/* A stream that is no service's. NULL: it cannot be, which was logged. */
struct capture *supervisor_capture(struct supervisor *sv, uint8_t kind, const char *name);

/* The logger has emptied one that was retired: it is freed if nobody can write into it any more. */
void supervisor_capture_empty(struct supervisor *sv, struct capture *capture);

/* Nobody writes into it any more: it is freed when the logger has emptied it. */
void supervisor_capture_retire(struct supervisor *sv, struct capture *capture);

/* RUNDIR is another directory, `rundir`, or the store's file is gone from it: with the next logger
 * the store moves there. */
void supervisor_store_gone(struct supervisor *sv, int rundir);
/* What is in the store cannot be used: the next logger begins with an empty one. */
void supervisor_store_broken(struct supervisor *sv);
/* No logger runs: now it does. */
void supervisor_store_move(struct supervisor *sv);

/* Where the lines of a stream, which is a service's, are to go. */
void supervisor_capture_where(
    const struct supervisor *sv, const struct capture *capture, struct image_log *ret);

/* The logger has dropped so many lines of a stream so far. */
void supervisor_capture_dropped(struct supervisor *sv, struct capture *capture, uint64_t lines);

/* --- reload -------------------------------------------------------------------- */

struct reload_counts {
	uint32_t added, removed, restarted, changed, same;
};

/* False while so many earlier configurations are still in use (services of theirs are being
 * stopped) that supervisor_adopt() would answer -EBUSY. It ends by itself. */
bool supervisor_can_adopt(struct supervisor *sv);

/* Takes over a new configuration, which has passed image_check(). 0: the image is owned
 * by the supervisor; -EBUSY: services of earlier configurations are still being stopped;
 * -ENOSPC: more new services than the board has room for; then the old one stays. */
int supervisor_adopt(
    struct supervisor *sv, struct image *image, size_t size, struct reload_counts *ret_counts);

#endif
