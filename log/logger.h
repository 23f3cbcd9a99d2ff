/* The logger: takes what captured services write out of their pipes into the store (log/store.h),
 * and writes it from there to files and to sinit's own output.
 *
 * One process, one thread, one epoll; pipes of services tell by SIGIO, see pace.c. PID 1 holds both
 * ends of every pipe and the store, so that nothing is lost with this process: the next one goes on
 * where it was, see take.c and put.c.
 * A target that takes nothing holds its services up for STALL ms at most; then what is oldest is
 * dropped, counted and told. Nothing here waits but epoll.
 * Owns: its mapping of the store, the files. May call: base, lines, gzip, libc. */
#ifndef SINIT_LOG_LOGGER_H
#define SINIT_LOG_LOGGER_H

#include "log/lines.h"
#include "log/place.h"
#include "log/store.h"
#include "probes/helper.h"

#include <stdbool.h>
#include <sys/types.h>

enum {
	LOGGER_STALL = 1000, /* ms without any progress after which lines are dropped */
	LOGGER_RETRY = 1000, /* ms until what could not be opened or written is tried again */
	LOGGER_CHECK = 1000, /* ms after which a file is looked for under its name again */
	LOGGER_BUFFER = 65536 + LINES_MOST, /* bytes of formatted lines */
	PACE_LEAST = 20000,   /* ns between looks at a pipe that is followed by the clock */
	PACE_EACH = 60000,    /* ns more for each further one */
	PACE_CALM = 2000000,  /* ns at most if there are few of them */
	PACE_MOST = 40000000, /* ns at most */
	PACE_FULL = 40960,    /* of STORE_RING: a pipe that is so full is not kept waiting */
};

struct stream;

enum sink_kind {
	SINK_CLOSED,
	SINK_FILE,  /* regular: never waits, and tells how long it is */
	SINK_PIPE,  /* splice(2) moves a piece into it whole or not at all */
	SINK_OTHER, /* a terminal, a socket, a device */
};

/* Where lines go. Streams with the same target have one together. */
struct sink {
	uint8_t where; /* enum logger_sink */
	uint8_t kind;  /* enum sink_kind */
	bool own;      /* its descriptor is ours, and does not wait */
	bool socket;   /* other: send(2) does not wait */
	bool append;   /* file: every write goes to its end */
	bool gzip;
	bool held;        /* file: nobody rotates it meanwhile, see place_lock() */
	bool compress;    /* there may be old files to compress */
	bool full;        /* it took nothing, and has taken nothing since */
	bool dropping;    /* for so long that lines are dropped */
	bool doubtful;    /* a file that could not be written to: only a write tells that it can be
			     again */
	bool watched;     /* epoll tells when it takes something */
	bool hangs;       /* a logger sits in the kernel with it: nothing is to touch it */
	const char *path; /* as configured */
	struct place place; /* of the file */
	int fd;
	int error;        /* errno with which it cannot be written, 0: all is well */
	int told;         /* of which PID 1 was told */
	uint32_t streams; /* that have it */
	bool not_given_told;
	bool written;                   /* by this logger: open_line says how its last line ends */
	const struct stream *open_line; /* whose last line has no end so far, NULL: nobody's */
	uint32_t index;                 /* of one of them, for messages */
	struct stream *broken; /* the one of which a part of a line is written, NULL: none */
	uint32_t max_size, keep, uid, gid;
	uint64_t size; /* file: where the next write goes */
	dev_t device;
	ino_t inode;
	int64_t since;    /* ms: full since then */
	int64_t retry;    /* ms: when it is tried again, 0: any time */
	int64_t counted;  /* ms: when PID 1 was last told how much was dropped */
	int64_t checked;  /* ms: when it was last looked for under its name */
	int64_t stranger; /* ms: somebody held it alone for longer than a rotation takes, 0: nobody
			     did */
	int64_t rotate;   /* ms: not rotated before then, since that has failed */
	int64_t busy;     /* ms: since then a stranger keeps it from being rotated, 0: nobody */
};

/* What makes the logger look at a stream's pipe. */
enum stream_wake {
	WAKE_NEVER,  /* nothing: its ring is full */
	WAKE_SIGNAL, /* it is armed: SIGIO comes when something is written */
	WAKE_CLOCK,  /* there is something again and again: it is followed */
};

/* An end of the service that is to be noted. */
struct ending {
	uint64_t event;
	uint64_t at; /* position by which all that was written before it is taken */
	bool exact;
};

struct stream {
	struct store_stream *s; /* its record */
	char *ring;             /* mapped twice, one behind the other, so that it has no seam */
	struct sink *sink;      /* NULL: the ring alone */
	struct lines_style style;
	uint32_t index;
	int fd;        /* its pipe, -1: none */
	uint8_t wake;  /* enum stream_wake */
	uint8_t burst; /* times that it had something, soon one after the other */
	bool due;      /* to be looked at whatever wakes it */
	bool more;     /* put() has stopped though its target takes more */
	bool idle;     /* the pipe was empty when last looked at */
	bool cut;      /* its ring was filled when last taken from: perhaps within a line */
	bool closed;   /* and nobody could write into it any more */
	bool retired, emptied;
	bool held; /* somebody holds its pipe, and a logger hangs in
		      it: it is as if there was none */
	bool full; /* followed: when it was last taken from, its pipe had much, or no slot left */
	int64_t said_at; /* ms: when it last had something */
	uint8_t endings;
	struct ending ending[STORE_MARKS]; /* oldest first: lives may be short, its target slow */
	uint64_t forwarding; /* bytes that are on their way to another machine, or there */
};

/* When the pipes of all streams are looked at. */
struct pace {
	int signal;        /* signalfd(2) of SIGIO */
	bool signalled;    /* it has come: all that are armed are to be looked at */
	bool looked;       /* that was done in this turn */
	bool blind;        /* somewhere no signal can be had: all are looked at by and by */
	bool due;          /* some stream is */
	uint32_t followed; /* streams, by the clock */
	uint32_t pause;    /* ns between looks at those that are followed */
	size_t most;       /* STORE_RINGths of the fullest of their pipes in this turn */
	int64_t all_at;    /* ms: not before then all that are armed are looked at again */
};

struct forward;

struct logger {
	struct store_head *head;
	struct board board;      /* of PID 1; head NULL: none */
	struct forward *forward; /* NULL: nothing is forwarded */
	int64_t syslog_at;       /* ms: /dev/log is looked at again then, 0: it is watched */
	const struct logger_orders *orders;
	struct stream *stream;    /* `streams` of them */
	struct stream **by_index; /* capacity of the store; NULL: no such stream */
	uint32_t streams;
	struct sink *sink; /* `sinks` of them */
	uint32_t sinks;
	int epoll;
	struct pace pace;
	int64_t now; /* CLOCK_MONOTONIC ms */
	struct lines_clock clock;
	struct stream *moving; /* what is in the pipe in between is this one's, NULL: it is empty */
	pid_t packer;          /* child that compresses an old file, 0: none */
	int packer_fd;         /* its end is the child's */
	struct sink *packing;
	int packed_fd;  /* the file that it compresses: open, so that no other gets its inode's
			   number */
	bool more;      /* of some stream */
	bool leaving;   /* another one is to go on */
	bool orphaned;  /* PID 1 is gone: it ends with the last of the services; files are another's
			   to rotate */
	bool finishing; /* nobody writes any more: it ends when everything is out */
	int64_t finish_by; /* ms: or else then */
	char buffer[LOGGER_BUFFER];
};

/* epoll's data: what a descriptor is, and the number of the stream or sink. */
enum logger_tag {
	TAG_CHANNEL,
	TAG_SIGNAL,
	TAG_SINK,
	TAG_PACKER,
	TAG_SYSLOG,
	TAG_FORWARD,
	TAG_RESOLVER,
};

/* --- logger.c --- */

/* False: PID 1 has not read what it was told for long. */
bool logger_tell(const struct logger_message *message);
/* Watches a descriptor, or does so no longer (events 0). 0 or -errno. */
int logger_watch(
    struct logger *logger, int fd, uint32_t events, enum logger_tag tag, uint32_t number);

/* --- pace.c --- */

/* 0 or -errno. */
int pace_open(struct logger *logger);
/* Whether its pipe is looked at; if so, then soon. */
void pace_arm(struct logger *logger, struct stream *stream, bool armed);
/* Epoll says that the signal has come. */
void pace_signalled(struct logger *logger);
/* Once a turn: serves all streams whose time it is. */
void pace_turn(struct logger *logger);
int64_t pace_deadline(const struct logger *logger); /* ms, 0: none */
/* At the end of a turn: waits a bit, if there will be more to take then. */
void pace_pause(struct logger *logger);
/* ns to wait after a pause of `before` ns and a look at all `followed` streams, of which the
 * fullest pipe had `most` STORE_RINGths. */
uint32_t pace_next_pause(uint32_t before, uint32_t followed, size_t most);

/* --- stream.c --- */

/* Takes once from its pipe and writes that. Bytes taken. */
size_t stream_serve(struct logger *logger, struct stream *stream);
/* The service has ended: see LOGGER_ENDED for `at` and `end`. Where nobody can tell, it is about
 * here. */
void stream_end(
    struct logger *logger, struct stream *stream, uint64_t event, uint64_t at, uint64_t end);

/* --- logger_load.c --- */

/* Reads the orders and maps the store. 0 or -errno. */
int logger_load(struct logger *logger);

/* --- take.c --- */

/* Ends what the logger before this one was in the middle of taking. */
void take_recover(struct logger *logger);
/* Takes once what there is room for. Bytes; 0: nobody can write into its pipe any more; -EAGAIN:
 * nothing was there; -ENOBUFS: there is no room; -errno: its pipe is of no use. */
ssize_t take(struct logger *logger, struct stream *stream);
/* Bytes that are in its pipe. */
size_t take_waiting(struct logger *logger, const struct stream *stream);
/* Around what the kernel does with its pipe: whoever writes into it may hold it, and this, for
 * long. */
void take_touch(struct logger *logger, const struct stream *stream);
void take_leave(struct logger *logger);
/* Drops the oldest lines that are not written, so that there is room. */
void take_drop(struct stream *stream, uint64_t least);
/* `size` bytes are about to be written into the ring, behind `head`: readers are told before. */
void take_announce(struct store_stream *s, size_t size);
/* What follows from `position` on is taken now. */
void take_note_time(struct store_stream *s, uint64_t position);
/* The first place behind `position` where a line ends although it has no newline, since a life has
 * ended there; UINT64_MAX: none is known. */
uint64_t take_next_end(const struct store_stream *s, uint64_t position);
/* When that was, as far as it is still known: CLOCK_REALTIME us. */
int64_t take_time(const struct store_stream *s, uint64_t position);

/* --- put.c --- */

/* Likewise of writing. */
void put_recover(struct logger *logger);
/* Writes what there is, as far as the target takes it. False: not all of it. */
bool put(struct logger *logger, struct stream *stream);

/* --- sink.c --- */

/* Opens it, if that is due. False: there is nothing to write to now. */
bool sink_ready(struct logger *logger, struct sink *sink);
void sink_close(struct logger *logger, struct sink *sink);
/* Opens the files that are there, before anything is written. */
void sinks_open(struct logger *logger);
/* What came of a write: bytes or -errno. */
void sink_progress(struct logger *logger, struct sink *sink, ssize_t result);
/* Once a turn: who has taken nothing for too long; what is to be tried again. */
void sinks_turn(struct logger *logger);
int64_t sinks_deadline(const struct logger *logger); /* ms, 0: none */
/* Epoll says that sink number `index` takes something again. */
void sink_writable(struct logger *logger, uint32_t index);
/* Tells PID 1 of all lines that were dropped. */
void sinks_tell_dropped(struct logger *logger);
/* Opens files anew. */
void sinks_reopen(struct logger *logger);
/* Closes files until there is something to write, so that others can rotate them. */
void sinks_let_go(struct logger *logger);

/* --- rotate.c --- */

/* The file becomes PATH.1, that PATH.2, and so on, in its directory. 0: there is no file under the
 * name any more; -errno. What is half done when the process is killed is gone on with the next
 * time. */
int rotate(const struct sink *sink);
/* Removes what a child that was killed has left. */
void rotate_clean(const struct sink *sink);
/* Compresses an old file, if there is any to compress and nobody does; in a child. */
void rotate_pack(struct logger *logger);
/* The child has ended. */
void rotate_packed(struct logger *logger);
/* It is to end, and nothing is to come of it. */
void rotate_pack_no_more(struct logger *logger);

/* --- syslog.c --- */

void syslog_recover(struct logger *logger);
/* There are messages. */
void syslog_ready(struct logger *logger);
/* Once a turn. */
void syslog_turn(struct logger *logger);
/* Nobody sends any more. True: nothing is left there. */
bool syslog_drain(struct logger *logger);

/* --- forward.c --- */

/* 0 or -errno. */
int forward_open(struct logger *logger);
/* `size` bytes are about to be taken into the ring: what they are written over is lost. */
void forward_make_room(struct logger *logger, struct stream *stream, size_t size);
/* Epoll says something of its connection, of a name that was asked for. */
void forward_ready(struct logger *logger, uint32_t events);
void forward_resolved(struct logger *logger, uint32_t number);
/* Once a turn. */
void forward_turn(struct logger *logger);
int64_t forward_deadline(const struct logger *logger); /* ms, 0: none */
/* Whether all is sent that can be. */
bool forward_is_out(const struct logger *logger);
void forward_end(struct logger *logger); /* tells what is lost */

#endif
