/* What PID 1 and its helpers agree on: descriptors, names, and the messages of the two
 * channels. A helper is sinit's own program, re-executed under another argv[0]; it is an
 * ordinary supervised child, and PID 1 outlives whatever it does.
 *
 * Every message is one datagram of a SOCK_SEQPACKET pair (unix(7)) and begins with its
 * kind. Both sides check the size of what they receive, and pass over what they do not
 * understand. PID 1 never waits for a helper: a channel that is full is tried again when
 * it can be written.
 * Owns: nothing. May call: nothing. */
#ifndef SINIT_PROBES_HELPER_H
#define SINIT_PROBES_HELPER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Open in a helper; everything else is closed. */
enum helper_fd {
	HELPER_CHANNEL = 3, /* to PID 1 */
	HELPER_BOARD = 4,   /* read only; not in the prober */
	HELPER_ORDERS = 4,  /* devices, logger: struct devices_orders, logger_orders and more */
	HELPER_STATS = 5,   /* struct probe_stats[]; writable in the prober, read only elsewhere */
	HELPER_STORE = 5,   /* logger: the file of log/store.h. Pipes keep the numbers of PID 1's */
	HELPER_LOGGER_BOARD = 6, /* logger: the board, read only */
	HELPER_SOCKETS = 6,      /* responder: listening sockets, one after the other */
};

/* argv[0] of the helpers, and what runs them. Each returns the exit code. When the channel
 * is closed by PID 1 a helper ends by itself with 0; the logger when its services have ended, too.
 *   sinit: prober
 *   sinit: responder SOCKETS dashboard|no-dashboard control|no-control
 *   sinit: alerter
 *   sinit: devices
 *   sinit: logger */
#define HELPER_NAME_PROBER    "sinit: prober"
#define HELPER_NAME_RESPONDER "sinit: responder"
#define HELPER_NAME_ALERTER   "sinit: alerter"
#define HELPER_NAME_DEVICES   "sinit: devices"
#define HELPER_NAME_LOGGER    "sinit: logger"
int prober_main(void);
int responder_main(char **argv);
int alerter_main(void);
int devices_main(void);
int logger_main(void);

enum { HELPER_MESSAGE = 16384 }; /* the longest message, bytes */

/* --- checks -------------------------------------------------------------------- */

/* Which of a service's probes: also its place in the service's record. */
enum probe_role { PROBE_STARTUP, PROBE_LIVENESS, PROBE_READINESS };
enum { PROBE_ROLES = PROBE_READINESS + 1 };

enum check_kind {
	CHECK_NONE,      /* no fallback */
	CHECK_HTTP,      /* http://HOST[:PORT]/PATH */
	CHECK_TCP,       /* tcp://HOST:PORT */
	CHECK_GRPC,      /* grpc://HOST:PORT[/SERVICE] */
	CHECK_UNIX,      /* unix:PATH: a stream socket accepts a connection. By PID 1, not by the
			    prober, as are those below */
	CHECK_FILE,      /* file:PATH, not older than max_age */
	CHECK_EXEC,      /* exec:COMMAND */
	CHECK_LISTEN,    /* listen:[tcp:|udp:]PORT */
	CHECK_PROCESS,   /* process: the main process is alive */
	CHECK_HEARTBEAT, /* heartbeat: WATCHDOG=1 not longer ago than max_age */
};
enum { CHECK_KINDS = CHECK_HEARTBEAT + 1 };

/* Why a check did not pass, or an alert could not be delivered; `detail` as said. A sentence for
 * each is in probes/fault.h. */
enum probe_fault {
	FAULT_NONE,
	FAULT_TIMEOUT,       /* `timeout` has passed; detail: ms */
	FAULT_CONNECT,       /* connect(2) failed; errno */
	FAULT_RESOLVE,       /* the host's name has no address; EAI_ number of getaddrinfo(3) */
	FAULT_CLOSED,        /* the connection ended before the answer was whole; errno or 0 */
	FAULT_PROTOCOL,      /* not an answer of this protocol */
	FAULT_TOO_LONG,      /* the answer's head is longer than the prober reads; bytes */
	FAULT_STATUS,        /* http: a status outside of expect_status; the status */
	FAULT_BODY,          /* http: expect_body is not in the (first 64 KiB of the) body */
	FAULT_GRPC_STATUS,   /* grpc: the call failed; grpc-status number */
	FAULT_GRPC_SERVING,  /* grpc: not SERVING; the number of the ServingStatus */
	FAULT_ABSENT,        /* file: cannot be looked at; errno */
	FAULT_OLD,           /* file: older than max_age; its age in s */
	FAULT_EXIT,          /* exec: exit code */
	FAULT_KILLED,        /* exec: signal */
	FAULT_SPAWN,         /* exec: could not be run; errno */
	FAULT_NOT_LISTENING, /* listen: nothing listens there */
	FAULT_STOLEN,        /* listen: another program does; its pid, 0: cannot be told */
	FAULT_NO_PROCESS,    /* process */
	FAULT_ASKED,         /* it said so itself: WATCHDOG=trigger */
	FAULT_SILENT,        /* heartbeat: the last one is older than max_age; its age in ms */
	FAULT_INTERNAL,      /* the check could not be made (descriptors, memory); errno */
	FAULT_WRITE,         /* an alert's file: could not be written; errno */
	FAULT_LATE,          /* an alert's delivery: killed after so many s */
};
enum { FAULT_COUNT = FAULT_LATE + 1 };

/* --- prober ---------------------------------------------------------------------- */

enum prober_kind {
	PROBER_BEGIN = 1, /* PID 1 -> prober: make this check from now on */
	PROBER_END,       /* PID 1 -> prober: no more */
	PROBER_VERDICT,   /* prober -> PID 1: it has passed or failed often enough */
	PROBER_PING,      /* PID 1 -> prober: the kind alone; it comes back as it is */
};

/* A target's texts are offsets into prober_begin.text, 0: none; text[0] is always NUL. */
struct probe_target {
	uint16_t kind; /* enum check_kind, CHECK_HTTP to CHECK_GRPC or CHECK_NONE */
	uint16_t port;
	uint16_t host;    /* http, tcp, grpc: name or numeric address, without [] */
	uint16_t path;    /* http: what is asked for */
	uint16_t service; /* grpc: name of the service asked for */
	uint16_t spare;
};

enum { PROBE_RANGES = 8 };

struct prober_begin {
	uint32_t kind;       /* PROBER_BEGIN */
	uint32_t check;      /* slot * PROBE_ROLES + role: its number in all messages */
	uint32_t ticket;     /* comes back in the verdicts: each life of the service, and each
				change of the probe's settings, has another one */
	uint32_t generation; /* of the slot: another one means another service, stats anew */
	uint32_t seed;       /* of its phase: the first probe comes after initial_delay plus
				seed % min(interval, 1000) */
	uint32_t interval, timeout, initial_delay; /* ms; timeout is the whole check's */
	uint32_t failures, successes;
	uint8_t role;   /* enum probe_role */
	uint8_t health; /* enum health (init/board.h): what is known already */
	uint8_t ranges; /* of expect_status in use */
	uint8_t once;   /* one probe, at once, and its result is the verdict */
	struct {
		uint16_t least, most;
	} status[PROBE_RANGES];
	struct probe_target target, fallback;
	uint16_t method;  /* http */
	uint16_t headers; /* http: "Name: value\r\n"... */
	uint16_t body;    /* http: text that the body must have */
	uint16_t size;    /* bytes of text[], the last one is NUL */
	char text[];
};

struct prober_end {
	uint32_t kind; /* PROBER_END */
	uint32_t check;
};

/* Sent when the first verdict of a beginning is found, and whenever it changes. */
struct prober_verdict {
	uint32_t kind; /* PROBER_VERDICT */
	uint32_t check;
	uint32_t ticket;
	uint8_t passing;
	uint8_t fault; /* enum probe_fault of the last check */
	uint8_t spare[2];
	int32_t detail;
};

/* What a check has been like, for metrics: at index `check` of a mapping of its own. The
 * prober writes those of its kinds, PID 1 the others. Readers only add them up: a number
 * may be of the check before or after. */
enum { PROBE_BUCKETS = 10 };

/* Upper edges of the latency buckets in microseconds; a further one is without end. */
#define PROBE_BUCKET_EDGES 500, 1000, 2500, 5000, 10000, 25000, 100000, 500000, 1000000, 5000000

struct probe_stats {
	_Atomic uint32_t generation; /* of the slot; 0: none yet */
	uint8_t fault;               /* of the last check */
	uint8_t kind;                /* enum check_kind of the last check */
	uint8_t spare[2];
	int32_t detail;
	uint32_t last_latency; /* us */
	_Atomic uint64_t passed, failed, timeouts;
	_Atomic uint64_t latency_sum;               /* us, of all checks */
	_Atomic uint64_t bucket[PROBE_BUCKETS + 1]; /* checks by latency, not cumulative */
	int64_t last_time;                          /* CLOCK_MONOTONIC ms */
};

/* --- responder --------------------------------------------------------------------- */

enum responder_kind {
	RESPONDER_PING = 1, /* responder -> PID 1: are you alive? At most once a second */
	RESPONDER_PONG,     /* PID 1 -> responder */
	RESPONDER_ORDER,    /* responder -> PID 1: a POST */
	RESPONDER_ANSWER,   /* PID 1 -> responder */
	RESPONDER_MEASURE,  /* responder -> PID 1, the kind alone: what do the services use? */
	RESPONDER_MEASURED, /* PID 1 -> responder, the kind alone: that is on the board now */
};

struct responder_ping {
	uint32_t kind;
	uint32_t number;
};

struct responder_pong {
	uint32_t kind;
	uint32_t number;       /* of the ping */
	uint32_t open_files;   /* descriptors of PID 1 */
	uint32_t resident_kib; /* memory of PID 1 */
	uint64_t loop_lag_us;  /* the longest that a turn of the loop came late or took, since
				  the last pong */
	uint64_t turns;        /* of the loop so far */
};

enum { RESPONDER_TOKEN = 256, RESPONDER_NAME = 72, RESPONDER_TEXT = 1024 };

struct responder_order {
	uint32_t kind;
	uint32_t number;             /* comes back in the answer */
	char verb[16];               /* start, stop, restart, reload */
	char name[RESPONDER_NAME];   /* of the service; "" for reload */
	char token[RESPONDER_TOKEN]; /* as given by the client, "" without */
};

struct responder_answer {
	uint32_t kind;
	uint32_t number;
	uint32_t status;              /* of HTTP: 200, 401, 404, 409, 503 */
	char message[RESPONDER_TEXT]; /* for people */
};

/* --- alerter ----------------------------------------------------------------------- */

enum alerter_message {
	ALERTER_RULE = 1, /* PID 1 -> alerter: one [alert NAME]; number 0 forgets those before */
	ALERTER_EVENTS,   /* PID 1 -> alerter: events up to this one may be for it */
	ALERTER_SENT,     /* alerter -> PID 1: an alert has been delivered, or could not be */
	ALERTER_BEGIN,    /* PID 1 -> alerter: events after this one are for it; the first
			     message, and after an ALERTER_END */
	ALERTER_END,      /* PID 1 -> alerter: the rules hold for events up to this one, and for
			     no more; it ends when its deliveries have, unless there is another
			     beginning */
	ALERTER_SEEN,     /* alerter -> PID 1: as alerter_sent.seen, where no alert has told it
			     for long */
};

struct alerter_number {
	uint32_t kind; /* of those above that speak of one event */
	uint32_t spare;
	uint64_t event;
};

/* Texts are offsets into text[], 0: none; lists are texts one after the other. */
struct alerter_rule {
	uint32_t kind;     /* ALERTER_RULE */
	uint32_t number;   /* of the rule, from 0 */
	uint32_t events;   /* bits of enum alert_kind (init/schema.h) */
	uint32_t cooldown; /* ms, for each service and kind */
	uint32_t format;   /* enum alert_format (init/schema.h) of the webhook */
	uint16_t port;     /* of the webhook */
	uint16_t host;     /* 0: no webhook */
	uint16_t path;
	uint16_t file; /* directory of one file an alert, 0: none */
	uint16_t name;
	uint16_t command;  /* first word, 0: none */
	uint16_t words;    /* of the command */
	uint16_t services; /* first shell pattern, 0: all services */
	uint16_t patterns;
	uint16_t size; /* bytes of text[], the last one is NUL */
	char text[];
};

enum { ALERTER_WHERE = 128 };

struct alerter_sent {
	uint32_t kind;
	int32_t detail; /* of the fault */
	uint64_t seen;  /* events up to this one are dealt with: what was to be delivered of them
			   has been, or could not be. The next alerter begins after it */
	char service[RESPONDER_NAME];
	char alert[RESPONDER_NAME]; /* name of the rule */
	char where[ALERTER_WHERE];  /* the directory, host or command; cut where it is longer */
	uint8_t fault;              /* enum probe_fault: why it could not be, NONE: it has been */
	uint8_t spare[7];
};

/* --- devices ----------------------------------------------------------------------- */

enum {
	DEVICES_NAME = 256,     /* bytes of an item that is waited for, with its NUL */
	DEVICES_INTERFACE = 16, /* bytes of an interface's name, with its NUL: IFNAMSIZ */
	DEVICES_ADDRESSES = 32, /* of one interface */
};

/* An address as the kernel has it. */
struct netaddr {
	uint8_t family;    /* AF_INET, AF_INET6; 0: none */
	uint8_t prefix;    /* bits of the network */
	uint8_t bytes[16]; /* IPv4: the first four */
};

/* What the devices helper is to do: a file that PID 1 has written before, which has this head,
 * then the items that are waited for, then the interfaces. */
struct devices_orders {
	uint32_t generation; /* comes back in all messages */
	uint32_t items;
	uint32_t nets;
};

/* A path, or the name of an interface. */
struct devices_item {
	char name[DEVICES_NAME];
};

/* A section [net INTERFACE]. */
struct devices_net {
	char name[DEVICES_INTERFACE];
	uint32_t mtu; /* 0: as it is */
	uint16_t up;  /* to be brought up */
	uint16_t addresses;
	struct netaddr address[DEVICES_ADDRESSES];
	struct netaddr gateway[2];
};

enum devices_kind {
	DEVICES_ITEM = 1, /* an item is there (value 1) or not (0): all of them at first, then
			     those that have changed */
	DEVICES_SETTLED,  /* all items have been told, and the
			     interfaces that are there are set up */
	DEVICES_FAULT,    /* something could not be done */
	DEVICES_PING,     /* PID 1 -> devices helper: the kind alone; it comes back as it is */
};

enum devices_step {
	DEVICES_STEP_NETLINK, /* asking the kernel to set up interfaces at all */
	DEVICES_STEP_UEVENTS, /* hearing of devices */
	DEVICES_STEP_INOTIFY, /* watching directories */
	DEVICES_STEP_LOOK,    /* looking for an item, whose number is `number` */
	/* Those of an interface, which is section `number` */
	DEVICES_STEP_MTU,
	DEVICES_STEP_UP,
	DEVICES_STEP_ADDRESS, /* number `detail` */
	DEVICES_STEP_GATEWAY, /* likewise */
};
enum { DEVICES_STEPS = DEVICES_STEP_GATEWAY + 1 };

/* Devices helper -> PID 1; the other way there are pings alone. */
struct devices_message {
	uint32_t kind;
	uint32_t generation;
	uint32_t number; /* of the item, or of the interface in [net] */
	uint32_t value;  /* ITEM: 1, 0; FAULT: enum devices_step */
	uint32_t detail;
	int32_t error; /* FAULT: errno */
};

/* --- logger ------------------------------------------------------------------------- */

/* What the logger is to do: a file that PID 1 has written before, which has this head, then the
 * streams, each followed by its path. */
struct logger_orders {
	_Alignas(8) uint32_t streams; /* since what follows is, too */
	int32_t take[2][2]; /* descriptors of the pipes in between for what is taken: read, write;
			       0: there is none so far. One that hangs may have had the other one */
	int32_t put[2];     /* and of that for what is written */
	int32_t syslog;     /* socket of /dev/log, -1: none */
	uint32_t syslog_stream; /* index of the stream of its messages that are no service's */
	uint16_t forward_port;  /* 0: nothing is forwarded */
	uint8_t forward_tcp;
	uint8_t turn;  /* which of take[] is used */
	uint8_t hangs; /* the logger before hangs in the kernel, in what store_head.doing says */
	char forward_host[256];
};

enum logger_sink {
	LOGGER_NOWHERE, /* the ring alone */
	LOGGER_STDOUT,  /* sinit's own */
	LOGGER_STDERR,
	LOGGER_FILE, /* the path */
};

enum { LOGGER_ENDS = 8 };

/* Where a life of a service has ended. */
struct logger_end {
	uint64_t event; /* number of the event that says so */
	uint64_t at;    /* bytes of the stream by then, LOGGER_UNKNOWN: nobody can tell */
};

/* One captured stream. */
struct logger_stream {
	uint32_t size;  /* bytes to the next one: this, the path and its NUL, a multiple of 8 */
	uint32_t index; /* in the store, and in all messages */
	int32_t fd;     /* its pipe, -1: none (messages of /dev/log only) */
	uint8_t kind;   /* enum store_kind (log/store.h) */
	uint8_t sink;   /* enum logger_sink */
	uint8_t prefix; /* "NAME | " before each line */
	uint8_t format; /* enum log_lines (init/schema.h) */
	uint8_t gzip;
	uint8_t apart;   /* the service has another stream */
	uint8_t retired; /* no service has it any more: to be emptied */
	uint8_t spare;
	uint32_t keep;
	uint32_t max_size; /* bytes, UINT32_MAX: no limit */
	uint32_t uid, gid; /* of new files, UINT32_MAX: sinit's own */
	int32_t error; /* as LOGGER_FAULT: what PID 1 was told last, by a logger before this one */
	struct logger_end ended[LOGGER_ENDS]; /* its last ones, oldest first; event 0: no more */
	uint64_t end; /* bytes of the stream when last nobody of the service was there */
	char name[RESPONDER_NAME]; /* of the service */
	char path[];
};

enum logger_kind {
	LOGGER_PING = 1, /* PID 1 -> logger: the kind alone; it comes back as it is */
	LOGGER_ENDED,  /* PID 1 -> logger: the service has ended; as event `event` says when `count`
			  bytes had been written to the stream, and
			  with all its processes at `end` */
	LOGGER_LEAVE,  /* PID 1 -> logger: it ends at once; another one goes on */
	LOGGER_FINISH, /* PID 1 -> logger: nothing is written any more; it ends when all is out */
	LOGGER_REOPEN, /* PID 1 -> logger: files are to be opened anew */
	LOGGER_FAULT,  /* logger -> PID 1: cannot write, `error` says why; 0: it can again */
	LOGGER_DROPPED, /* logger -> PID 1: lines lost so far, in `count` */
	LOGGER_EMPTY,   /* logger -> PID 1: a retired stream has nothing left */
	LOGGER_UNGIVEN, /* logger -> PID 1: a new file could not be given to its user, `error` says
			   why */
	LOGGER_UNROTATED, /* logger -> PID 1: a file could not be rotated, `error` says why;
			     EWOULDBLOCK: somebody else holds it */
	LOGGER_FORWARD,   /* logger -> PID 1: as FAULT, of what is sent to another machine; `count`:
			     lines   lost so far */
};

#define LOGGER_UNKNOWN UINT64_MAX

struct logger_message {
	uint32_t kind;
	uint32_t stream; /* its index; of a target that several have any of them */
	int32_t error;   /* errno */
	uint32_t spare;
	uint64_t event, count, end;
};

/* --- one check in a process of its own ------------------------------------------------ */

/* How one check has ended. */
struct probe_outcome {
	enum probe_fault fault;
	int32_t detail;
};

/* argv[0] of the process that makes one check with the rights of the service's user, and what
 * follows it. It waits where it has to: PID 1 kills it when its time is up.
 *   sinit: check NOTIFY_SOCKET unix PATH
 *   sinit: check NOTIFY_SOCKET file PATH MAX_AGE      ms, 0: any age
 *   sinit: check NOTIFY_SOCKET listen tcp|udp PORT PID
 * PID is the service's main process, of whose session and descent the listener must be.
 * The exit code is 0, or CHECKER_FAULT and the enum probe_fault. What the fault's detail is, if
 * not 0, is sent before to the notification socket, if there is one ("-": none), as
 * "SINIT_DETAIL=N", for FAULT_STOLEN with "SINIT_THIEF=NAME" in a second line. */
#define HELPER_NAME_CHECKER "sinit: check"
int checker_main(char **argv);
enum { CHECKER_FAULT = 100 };

#endif
