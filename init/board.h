/* The board: one shared-memory record of everything about every service.
 *
 * PID 1 is its only writer; sinitctl the responder (and later a new image of
 * PID 1) read it without asking. It lives in RUNDIR/board, whose space is allocated
 * before it is mapped, so that a full tmpfs cannot kill PID 1, or in a memfd where
 * RUNDIR cannot be written. It holds no environment and no command lines.
 * The layout is fixed and versioned; all numbers are in host byte order.
 *
 * Readers and the writer meet in sequence locks: `seq` is odd while a record is
 * being written. A reader that meets an odd one tries again a few times, and then
 * takes what is there (the writer may be stopped in a debugger).
 * Owns: its mapping and descriptor. May call: base, platform. */
#ifndef SINIT_INIT_BOARD_H
#define SINIT_INIT_BOARD_H

#include "init/machine.h"
#include "probes/helper.h"

#include <stdatomic.h>
#include <stddef.h>
#include <sys/types.h>

enum {
	BOARD_MAGIC = 0x53694264, /* "SiBd" */
	BOARD_VERSION = 7,
	BOARD_NAME = 72,     /* bytes of a name: 63, "@" and an instance, NUL */
	BOARD_EVENTS = 1024, /* ring */
	BOARD_ERRORS = 160,  /* bytes of the last reload's first error */
};

#define BOARD_FILE "board" /* names in RUNDIR */
#define BOARD_LOCK "lock"
#define BOARD_TURN ".lock"

enum event_kind { /* what `sinitctl events` and alerts speak of */
	EV_START,
	EV_READY,
	EV_EXIT,
	EV_BACKOFF,
	EV_RESTART,
	EV_STOP,
	EV_DONE,
	EV_FAILED,
	EV_FATAL,
	EV_HEALTHY,
	EV_UNHEALTHY,
	EV_OOM,
	EV_RELOAD,
	EV_SHUTDOWN,
	EV_ALERT,
	EV_CONFIG,
	EV_RECOVERED,
	EV_MEMORY, /* memory_warn has been passed */
};
enum { EV_KIND_COUNT = EV_MEMORY + 1 };

/* The steps of a spawn, for "what failed". See reaper/spawn.h for the sentences. */
enum spawn_step {
	STEP_NONE,
	STEP_FORK,
	STEP_SESSION,
	STEP_LIMITS,
	STEP_PRIORITY,
	STEP_OOM_SCORE,
	STEP_TTY,
	STEP_STDIN,
	STEP_STDOUT,
	STEP_GROUPS,
	STEP_USER,
	STEP_DIRECTORY,
	STEP_EXEC,
	STEP_INTERPRETER,
	STEP_CGROUP,
};
enum { STEP_COUNT = STEP_CGROUP + 1 };

enum health { HEALTH_NONE, HEALTH_UNKNOWN, HEALTH_PASSING, HEALTH_FAILING };

struct board_probe {
	uint8_t health; /* enum health; NONE: no such probe is configured */
	uint8_t fault;  /* enum probe_fault of the last verdict; UNKNOWN: of a check, if known */
	uint8_t spare[2];
	int32_t detail;
};

enum restart_reason {
	RESTARTED_EXIT,    /* it ended by itself */
	RESTARTED_SPAWN,   /* its command could not be run, or pre_start failed */
	RESTARTED_STARTUP, /* start_timeout, startup probe */
	RESTARTED_LIVENESS,
	RESTARTED_OOM,
	RESTARTED_ASKED, /* by an operator, a reload, restart_with, a dependency */
};
enum { RESTART_REASONS = RESTARTED_ASKED + 1 };

/* What has come about since sinit's start: never falls, not over a reset or a reload
 * either. */
struct board_totals {
	uint32_t restarts[RESTART_REASONS]; /* by enum restart_reason */
	uint32_t failures;   /* ends that were failures: exits, spawn errors, probes */
	uint32_t recoveries; /* ready again after a failure */
	uint32_t oom_kills;  /* processes of it that the kernel has killed for memory */
	uint64_t ready_ms;   /* time in which it was ready, without the present one */
	uint64_t repair_ms;  /* time from a failure until it was ready again, summed up */
	int64_t failed_at;   /* CLOCK_MONOTONIC ms of the failure not yet recovered, 0: none */
};

/* The first start of a service, each time once: what later lives do changes nothing.
 * CLOCK_MONOTONIC us; 0: not so far. */
struct board_start {
	int64_t wanted;   /* it was to go up */
	int64_t executed; /* the first time that its command was */
	int64_t ready;    /* the first time that it was ready; a oneshot: done */
	int64_t failed;   /* its first failure, before that or later */
	int64_t ended;    /* the first time that its main process ended after it was ready, or
			     since it was to go down */
};

/* What a service has said of itself (sd_notify(3)), and what stands in its words. */
enum board_said {
	SAID_STATUS = 1,    /* STATUS=, in board_words.status */
	SAID_RELOADING = 2, /* RELOADING=1, and no READY=1 since */
	SAID_STOPPING = 4,  /* STOPPING=1 */
	SAID_THIEF = 8,     /* not by the service: board_words.thief is set */
	SAID_AWAITED = 16,  /* nor this: board_words.awaited is set */
};

/* What of its cgroup a service has. */
enum board_slice {
	SLICE_THERE = 1,    /* a slice: resources can be read */
	SLICE_PAUSED = 2,   /* frozen by sinitctl pause */
	SLICE_MEASURED = 4, /* a struct board_reading is there, of this slice */
};

/* Which numbers of a reading there are; the kernel has those of the controllers that are on. */
enum reading_part {
	READING_MEMORY = 1,     /* memory_current, memory_max */
	READING_PEAK = 2,       /* memory_peak: Linux 5.19 */
	READING_SWAP = 4,       /* swap_current */
	READING_CPU = 8,        /* cpu_usage; also without the controller */
	READING_THROTTLED = 16, /* cpu_throttled */
	READING_PIDS = 32,      /* pids_current, pids_max */
	READING_IO = 64,        /* io_read, io_written */
	READING_PRESSURE = 128, /* pressure, stalled: a kernel with PSI */
};

enum pressure_kind { PRESSURE_MEMORY, PRESSURE_CPU, PRESSURE_IO };
enum { PRESSURES = PRESSURE_IO + 1 };

/* What a service uses, read when somebody has asked. Behind the records, like board_words. */
struct board_reading {
	int64_t time;  /* CLOCK_MONOTONIC ms of the reading */
	uint32_t have; /* bits of enum reading_part */
	uint32_t pids_current;
	uint32_t pids_max;            /* UINT32_MAX: no limit */
	uint32_t pressure[PRESSURES]; /* by enum pressure_kind: share of the last 10 s in which some
				     process waited, hundredths of a percent */
	uint64_t stalled[PRESSURES];  /* us of such waiting so far */
	uint64_t memory_current, memory_peak, swap_current; /* bytes */
	uint64_t memory_max;                                /* bytes; UINT64_MAX: no limit */
	uint64_t cpu_usage, cpu_throttled;                  /* us so far */
	uint64_t io_read, io_written;                       /* bytes so far */
};

/* Texts of a service. They are behind the records in the board's file, and not mapped: most
 * services have none, and then they take no space. */
struct board_words {
	char status[112];  /* STATUS=, cut to fit */
	char thief[16];    /* comm of the program that has the port of its listen check */
	char awaited[128]; /* waiting: what of wait_for is not there, cut to fit */
};

struct board_service {
	_Atomic uint32_t seq;
	uint32_t used; /* 0: a free slot; else the generation of the slot */
	char name[BOARD_NAME];
	struct machine m;
	int32_t pid;     /* main process, 0: none */
	int32_t aux_pid; /* pre_start, stop_command or post_stop, 0: none */
	uint8_t type;    /* enum service_type */
	uint8_t enabled;
	uint8_t critical;
	uint8_t by_hand;     /* stopped by hand: stays down until sinitctl start */
	uint8_t error_step;  /* enum spawn_step of the last spawn error, 0: none */
	uint8_t held;        /* waiting: for a service that is to stay down, see `blocker` */
	uint8_t said;        /* bits of enum board_said, of this life */
	uint8_t slice;       /* bits of enum board_slice */
	uint8_t last_resort; /* the emergency shell that sinit has added by itself */
	uint8_t spare[3];
	int32_t error;                         /* its errno */
	struct board_probe probe[PROBE_ROLES]; /* by enum probe_role */
	int32_t priority;
	uint32_t start_timeout; /* ms, UINT32_MAX: unlimited */
	int32_t blocker;        /* slot of the dependency it waits for or failed with, -1: none */
	uint32_t starts;        /* lives so far */
	uint32_t exits;         /* deaths of the main process recorded */
	int64_t ready_at;       /* CLOCK_MONOTONIC ms, 0: not ready */
	int64_t exit_time;      /* CLOCK_REALTIME ns of the last exit, 0: none */
	uint64_t oom_used;      /* bytes in use when the kernel last killed for memory, 0: never */
	uint64_t oom_limit;     /* its limit then; UINT64_MAX: it was not its
				   own limit, 0: that of a cgroup below */
	uint64_t log_dropped;   /* lines of its output lost since sinit's start */
	struct board_totals total;
	struct board_start start;
};

struct board_event {
	_Atomic uint64_t seq;  /* number from 1, written last; 0: empty or being written */
	int64_t time;          /* CLOCK_REALTIME ns */
	char name[BOARD_NAME]; /* "": sinit itself */
	uint8_t kind;          /* enum event_kind */
	uint8_t cause;         /* enum cause */
	uint8_t exit_kind;     /* enum last_kind */
	uint8_t step;          /* enum spawn_step */
	int32_t code;          /* exit code, signal, or errno of a spawn error */
	int32_t pid;
	uint32_t value;  /* BACKOFF: delay ms; RESTART: its number; EXIT: 1 core dumped;
			    RECOVERED: ms that it has been well; OOM, MEMORY: KiB in use */
	int32_t blocker; /* slot of the dependency meant, -1: none */
	int32_t detail;  /* of the fault; OOM: limit in KiB, -1: not its own, 0: of one below;
			    MEMORY: memory_warn  in KiB */
	uint8_t fault;   /* enum probe_fault: of the probe, if the cause or the event is
			    one; ALERT: why it could not be delivered, NONE: it was */
	uint8_t spare[3];
	char alert[BOARD_NAME]; /* ALERT: name of the [alert] */
};

enum { BOARD_PATH = 1024 };

/* What sinit is: PID 1 of a container, of the machine, or not PID 1. */
enum mode { MODE_CONTAINER, MODE_BOOT, MODE_FOREGROUND };

enum board_phase { PHASE_STARTING, PHASE_RUNNING, PHASE_STOPPING, PHASE_GONE };

struct board_header {
	uint32_t magic, version;
	uint32_t size;                     /* bytes of the whole board */
	uint32_t service_size, event_size; /* bytes of one record */
	uint32_t services;                 /* offset of the services */
	uint32_t capacity;                 /* slots */
	uint32_t events;                   /* offset of the ring */
	_Atomic uint32_t count;            /* slots 0..count-1 may be in use */
	int32_t pid;                       /* of PID 1 as it sees itself */
	char release[16];                  /* sinit's version */
	_Atomic uint32_t phase;            /* enum board_phase */
	_Atomic uint32_t all_started; /* every enabled service was ready, or its startup probe had
					 passed, at one time; stays */
	_Atomic uint64_t last_event;  /* greatest seq written */
	int64_t started;              /* CLOCK_MONOTONIC ms */
	int64_t started_wall;         /* CLOCK_REALTIME ns */
	int64_t began;         /* CLOCK_MONOTONIC us of sinit's first line; in boot mode this is
				  what the kernel has taken before */
	_Atomic int64_t asked; /* CLOCK_MONOTONIC us: by then every service that is part of the
				  start had been asked to go up; 0: not all so far */
	uint32_t mode;         /* enum mode */
	uint32_t spare;
	_Atomic int64_t measured; /* CLOCK_MONOTONIC ms: when all slices had last been read */
	char cgroup[BOARD_PATH];  /* directory of the slices, "": there are none; never changes */
	_Atomic uint64_t orphans; /* processes reaped that were no service's */
	_Atomic uint64_t reloads, reload_errors;
	_Atomic uint64_t refused;                   /* control lines refused */
	_Atomic uint64_t kind_count[EV_KIND_COUNT]; /* events so far, by enum event_kind */
};

struct board {
	struct board_header *head;
	struct board_service *services;
	struct board_event *ring;
	size_t size;
	int fd;
	bool file; /* in RUNDIR, so that others can see it */
};

/* --- writer ---------------------------------------------------------------- */

/* Makes a board for `capacity` services in directory `dirfd` (or a memfd if dirfd
 * is -1 or cannot be written: then ret->file is false and the return value still 0).
 * An older file of that name is replaced, not overwritten. 0 or -errno. */
int board_create(struct board *ret, int dirfd, uint32_t capacity);
void board_close(struct board *board);

/* Takes the lock RUNDIR/lock (`dirfd`: RUNDIR; fcntl(2) F_SETLK, so that it is gone the
 * moment its holder is) and writes this process's pid into it. Returns its descriptor,
 * which must stay open as long as this sinit lives (close-on-exec); closing any other
 * descriptor of that file in this process gives the lock up, so nothing else here opens
 * it. -EAGAIN: another live sinit holds it, *ret_holder is its pid as this process sees
 * it (0: it lives in another PID namespace, then what it wrote); else -errno. */
int board_lock(int dirfd, pid_t *ret_holder);

/* The same of RUNDIR/.lock, for the time in which a sinit that begins looks whether another one
 * lives, removes what a dead one has left, and takes the lock: not before, since whoever sees that
 * takes the board that is there for the living one's. The caller closes it and removes the file. */
int board_lock_turn(int dirfd, pid_t *ret_holder);

/* Whether `name` in the directory still means the file that is open as `fd`. */
bool board_is_named(int fd, int dirfd, const char *name);

/* Whether another process holds that lock. Not for the holder itself: looking costs it
 * the lock. */
bool board_lock_held(int dirfd);

/* Every change of a service's record stands between these two. */
void board_begin(struct board_service *service);
void board_end(struct board_service *service);

/* Writes a service's words. 0 or -errno: there is no room for them (or no file). */
int board_write_words(const struct board *board, uint32_t slot, const struct board_words *words);

/* Writes what a service uses; between board_begin() and board_end(). 0 or -errno, as above. */
int board_write_reading(
    const struct board *board, uint32_t slot, const struct board_reading *reading);

/* Copies all of `from` to `to`, which has the same capacity. */
void board_copy(struct board *to, const struct board *from);

/* Appends an event; `event->seq` and `time` are filled in here. `wall`: ns. */
void board_event(struct board *board, const struct board_event *event, int64_t wall);

/* --- reader ---------------------------------------------------------------- */

enum board_life { BOARD_ABSENT, BOARD_DEAD, BOARD_LIVE };

/* Maps RUNDIR/board for reading. *ret_life tells whether its sinit lives: it holds
 * a lock (fcntl F_SETLK on RUNDIR/lock) as long as it does. 0, -ENOENT (no board),
 * -EPROTO (another layout), -errno. *ret_life is set in any case: a sinit that could not
 * put its board into RUNDIR may be LIVE with -ENOENT. Not for the sinit of that RUNDIR
 * itself (see board_lock). */
int board_open(struct board *ret, const char *rundir, enum board_life *ret_life);

/* Maps the board behind `fd`, which stays the caller's: for a helper, which has been given
 * it. 0, -EPROTO (no board of this layout), -errno. */
int board_map(struct board *ret, int fd);

/* Copies slot `i` consistently. False if it is free, or hidden (below). The numbers in it are
 * another process's: not to be used as an index unchecked. */
bool board_read(const struct board *board, uint32_t i, struct board_service *ret);

/* Copies the words of the service in slot `i`, whose record is `s`; empty if it has none. */
void board_read_words(
    const struct board *board, uint32_t i, const struct board_service *s, struct board_words *ret);

/* Copies what the service in slot `i`, whose record is `s`, uses. False: it was not read. */
bool board_read_reading(const struct board *board, uint32_t i, const struct board_service *s,
    struct board_reading *ret);

/* Copies event number `seq`. False if it is gone (overwritten) or not yet there. */
bool board_read_event(const struct board *board, uint64_t seq, struct board_event *ret);

/* Name of the service in a slot, written to `buffer`; NULL for -1 or a free one. */
const char *board_slot_name(
    const struct board *board, int32_t slot, char buffer[static BOARD_NAME]);

/* Nobody asks about the shell of last resort as long as it is not needed. */
static inline bool board_service_hidden(const struct board_service *s)
{
	return s->last_resort && s->m.state == STATE_STOPPED;
}

/* Is it as it should be? It has become ready, its readiness probe does not fail, it has not
 * said that it is stopping, and it is not paused. */
static inline bool board_service_ready(const struct board_service *s)
{
	return s->m.ready && s->probe[PROBE_READINESS].health != HEALTH_FAILING &&
	       !(s->said & SAID_STOPPING) && !(s->slice & SLICE_PAUSED);
}

/* Is its start over, and well? Not "has it ever been": a simple service that crashes at once was
 * ready for a moment, too. */
static inline bool board_service_started(const struct board_service *s)
{
	return s->m.ready || s->probe[PROBE_STARTUP].health == HEALTH_PASSING;
}

/* Need nobody worry about it? It runs or starts with no probe of its life failing, or it
 * is a oneshot that is done. */
static inline bool board_service_healthy(const struct board_service *s)
{
	return s->m.state == STATE_DONE ||
	       ((s->m.state == STATE_RUNNING || s->m.state == STATE_STARTING) &&
		   s->probe[PROBE_STARTUP].health != HEALTH_FAILING &&
		   s->probe[PROBE_LIVENESS].health != HEALTH_FAILING);
}

const char *event_kind_name(enum event_kind kind);

#endif
