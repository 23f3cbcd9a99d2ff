/* RUNDIR/logs: what the logger has taken from each captured stream, in memory that outlives it.
 *
 * A file that sinit makes and the logger maps (or a memfd, where RUNDIR has no room). It has a
 * head, a record for each stream, and behind them, each at a multiple of STORE_RING, a ring with
 * the last bytes of each stream. It is three things at once: the queue between a service's pipe
 * and where its log goes, the journal by which a logger goes on where the one before it was
 * killed, and what `sinitctl logs` reads.
 *
 * Positions count the bytes of a stream from its beginning; byte p is at p % STORE_RING of its
 * ring. The logger is the only writer. Stores of a killed process are seen by the next one in the
 * order in which they were made, so each step is told before it is taken (struct store_take,
 * struct store_put), and a step half done can be told from one not begun by what the kernel has:
 * how much is left in the pipe in between, how long the file is.
 * All numbers are in host byte order.
 * Owns: nothing. May call: nothing. */
#ifndef SINIT_LOG_STORE_H
#define SINIT_LOG_STORE_H

#include "init/board.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum {
	STORE_MAGIC = 0x53694c67, /* "SiLg" */
	STORE_VERSION = 2,
	STORE_RING = 65536, /* bytes of a ring; a multiple of every machine's page */
	STORE_TIMES = 16,   /* of the last takings */
	STORE_MARKS = 8,    /* of the last ends of the service */
};

#define STORE_NEVER UINT64_MAX

/* In store_head.doing and .hung: the stream's pipe, not its file. */
#define STORE_PIPE 0x80000000u

#define STORE_FILE "logs" /* name in RUNDIR */

enum store_kind {
	STORE_OUTPUT, /* stdout and stderr together, or stdout alone */
	STORE_ERROR,  /* stderr alone */
	STORE_SYSLOG, /* of /dev/log: messages of who is no captured service */
	STORE_SINIT,  /* sinit's own messages, if log_target is a file */
};

/* From `position` on bytes were taken at this time. */
struct store_time {
	uint64_t position;
	int64_t time; /* CLOCK_REALTIME us */
};

/* Everything up to `position` was written before the end that is event `event` on the board. */
struct store_mark {
	_Atomic uint64_t event; /* 0: none */
	uint64_t position;
	uint64_t exact; /* 1: and nothing of what follows; 0: about there */
};

/* What is being written of a stream: [begin, end) of it, formatted, goes behind the first `offset`
 * bytes of its file, or in one piece into its pipe. */
enum store_phase {
	PUT_NONE,
	PUT_BROKEN, /* of the line at `out` the first `rest` bytes, as it is shown, are written */
	PUT_FILE,  /* being written to a file: how far is told by what the file has behind offset */
	PUT_OTHER, /* being written to something else, such as a terminal: nothing tells how far */
	PUT_FILL,  /* to a pipe: goes into the pipe in between, nothing of it is out yet */
	PUT_MOVE,  /* all of it was in the pipe in between: what is not there any more is out */
};

struct store_put {
	_Atomic uint32_t phase; /* enum store_phase */
	uint32_t done;          /* bytes of the formatted text */
	uint32_t size;          /* of it in all */
	uint32_t rest;
	uint32_t style; /* how its lines are shown */
	uint32_t spare;
	uint64_t inode, device; /* of the file */
	uint64_t begin, end;
	uint64_t offset;
};

struct store_stream {
	_Atomic uint32_t used; /* 0: free */
	uint8_t kind;          /* enum store_kind */
	uint8_t middle;        /* at `out` a line goes on of which a piece is written */
	uint8_t torn;          /* what was written last ends within a line that was then dropped */
	uint8_t open;          /* what is being written ends within a line */
	char name[BOARD_NAME]; /* of the service; sinit and syslog for what is none's */
	_Atomic uint64_t head; /* bytes taken so far: the ring has the last of them */
	_Atomic uint64_t busy; /* bytes up to here may be being written into the ring */
	_Atomic uint64_t out;  /* bytes that are written, or dropped */
	uint64_t end;          /* here the last line ends although it has no newline; see `mark` */
	uint64_t forwarded;    /* bytes sent to another machine; STORE_NEVER: none are sent */
	_Atomic uint64_t dropped_lines, dropped_bytes; /* so far */
	uint64_t told;                                 /* of dropped_lines: PID 1 was told */
	uint64_t ended; /* last end of the service that was dealt with: its event */
	struct store_put put;
	uint32_t times, marks; /* so far; number n is at n % STORE_TIMES, n % STORE_MARKS */
	struct store_time time[STORE_TIMES];
	struct store_mark mark[STORE_MARKS];
};

/* What is being taken from a pipe: `size` bytes from the pipe in between to position `head`. */
struct store_take {
	_Atomic uint32_t stream; /* its number + 1; 0: nothing */
	uint32_t size;           /* 0: not known yet: what is in the pipe in between */
	uint64_t head;
};

/* The message that is being taken from /dev/log. It is known by its time of arrival. */
struct store_message {
	_Atomic uint32_t stream; /* its number + 1; 0: none. All of it is in the ring */
	uint32_t spare;
	uint64_t head; /* of the stream with it */
	int64_t seconds, nanoseconds;
};

struct store_head {
	uint32_t magic, version;
	uint32_t capacity;         /* streams */
	_Atomic uint32_t doing;    /* number + 1 of the stream whose file is being written, or whose
				      pipe is read (and STORE_PIPE), 0: none */
	uint32_t hung;             /* likewise, of one that hangs in the kernel */
	uint32_t rings;            /* offset of the first ring, a multiple of STORE_RING */
	struct store_take take[2]; /* of each pipe in between */
	struct store_message message;
};

static inline uint64_t store_rings(uint32_t capacity)
{
	uint64_t size =
	    sizeof(struct store_head) + capacity * (uint64_t)sizeof(struct store_stream);

	return (size + STORE_RING - 1) / STORE_RING * STORE_RING;
}

static inline struct store_stream *store_stream(struct store_head *head, uint32_t index)
{
	return (struct store_stream *)(void *)(head + 1) + index;
}

/* Bytes that fit into the ring without what is not written yet being lost. */
static inline size_t store_room(const struct store_stream *s)
{
	return STORE_RING - (size_t)(s->head - s->out);
}

#endif
