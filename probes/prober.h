/* The prober's own parts to each other; nobody else includes this.
 *
 * A check is what PID 1 asked for; a probe is one run of it, and a try is one target of a
 * probe: the target, and its fallback if that fails. One process, one thread: everything is
 * owned by struct prober, and nothing waits but its epoll. */
#ifndef SINIT_PROBES_PROBER_H
#define SINIT_PROBES_PROBER_H

#include "init/base.h"
#include "probes/alarms.h"
#include "probes/http_answer.h"
#include "probes/http_request.h"
#include "probes/resolver.h"
#include "probes/verdict.h"

enum try_step {
	TRY_NONE,      /* between probes: the alarm is the next one's due time */
	TRY_RESOLVING, /* the alarm is the end of the try's timeout, here and below */
	TRY_CONNECTING,
	TRY_TALKING, /* connected */
};

struct http_talk {
	size_t sent; /* bytes of the request */
	struct http_answer answer;
};

struct grpc_talk {
	struct nghttp2_session *session;
	uint32_t received;   /* bytes on the connection */
	int32_t http_status; /* 0: none yet */
	int32_t grpc_status; /* -1: none yet */
	uint8_t size;        /* of message */
	bool closed;         /* the call is over */
	uint8_t message[64]; /* the response; one that is longer is none of ours */
};

struct check {
	struct alarm alarm; /* first: an alarm is a check */
	uint32_t number;
	uint32_t serial;            /* of the try; events of earlier ones are passed over */
	struct prober_begin *begin; /* a copy of its own */
	uint16_t *table;            /* to search for the expected text, NULL without one */
	struct verdict verdict;
	int64_t due; /* ms; of the probe that runs or is next */

	/* A verdict that the channel had no room for: in a list of them, oldest first. */
	struct check *next_unsent;
	bool unsent;
	struct prober_verdict message;

	/* The probe and the try that are running. */
	uint8_t step;     /* enum try_step */
	bool fallback;    /* the try is of the fallback */
	int fd;           /* -1: none */
	uint32_t watched; /* events that epoll watches fd for, 0: fd is not in it */
	int64_t started;  /* of the probe, us */
	int64_t deadline; /* of the try, ms */
	struct waiter waiter;
	struct addresses addresses;
	uint32_t address; /* which one is connected to */
	union {
		struct http_talk http;
		struct grpc_talk grpc;
	} talk;
};

struct prober {
	int epoll_fd;
	bool over;            /* PID 1 has closed the channel */
	bool waits_to_send;   /* epoll watches the channel for room */
	struct check **table; /* by number */
	uint32_t capacity, count;
	struct alarms alarms;
	struct check *unsent, **unsent_end;
	struct probe_stats *stats; /* NULL: none */
	uint32_t stats_count;
	struct resolver resolver;
	union {
		char bytes[HTTP_REQUEST_SIZE]; /* for requests, and what is received */
		struct prober_begin message;
	} buffer;
};

/* epoll's data: a check's is its number and serial; others begin with these. */
#define PROBER_TAG_CHANNEL  (UINT64_C(1) << 31)
#define PROBER_TAG_RESOLVER (UINT64_C(1) << 30)

/* --- prober_check.c: the checks, their results -------------------------------------- */

/* A message of PID 1; what is not understood is passed over. */
void prober_take(struct prober *prober, const void *message, size_t size);

/* Sends verdicts that are waiting, as many as there is room for. */
void prober_flush(struct prober *prober);

/* The probe that runs has come to its end. The check's next is set. */
void prober_result(
    struct prober *prober, struct check *check, enum probe_fault fault, int32_t detail);

/* Closes all. */
void prober_clear(struct prober *prober);

/* --- probe.c: one probe ------------------------------------------------------------- */

/* What a probe is waiting for, or was waiting for until now: the alarm, its descriptor. */
void probe_alarm(struct prober *prober, struct check *check);
void probe_ready(struct prober *prober, struct check *check, uint32_t events);
void probe_resolved(void *prober, struct waiter *waiter, const struct addresses *addresses);

/* Ends the probe that runs, if one does, without a result. */
void probe_stop(struct prober *prober, struct check *check);

/* --- one file for each protocol ----------------------------------------------------- */

/* How a try goes on; each answers TALK_GOES_ON, or that the try is over, with the fault in
 * *ret. */
enum talk { TALK_GOES_ON, TALK_OVER };

struct protocol {
	/* Connected. NULL: that is all that was asked for. */
	enum talk (*start)(struct prober *prober, struct check *check, struct probe_outcome *ret);
	/* The descriptor can be read (also: has an error) or written. */
	enum talk (*read)(struct prober *prober, struct check *check, struct probe_outcome *ret);
	enum talk (*write)(struct prober *prober, struct check *check, struct probe_outcome *ret);
	/* Has more to write now. */
	bool (*writes)(const struct check *check);
	void (*stop)(struct check *check);
};

extern const struct protocol http_protocol;
extern const struct protocol grpc_protocol;

/* The target of the try that runs. */
const struct probe_target *probe_target(const struct check *check);

/* Is `error` a lack of ours, so that it tells nothing about the service? */
bool probe_own_fault(int error);

/* A try that is over because of `error` (errno) while the answer was not whole. */
enum talk probe_closed(struct probe_outcome *ret, int error);

#endif
