/* The control FIFO, PID 1's side: lines in, answers out, nothing waits.
 *
 * RUNDIR/control is made anew whenever it is gone or was replaced (inotify(7) tells, and so
 * does a reload). A client's reply FIFO is opened without blocking and without following a
 * link, must be a FIFO of an allowed owner, and loses its name at once, so that a client
 * which is killed leaves nothing behind. A client that does not read is dropped.
 * Owns: its descriptors. May call: request, log, base. */
#ifndef SINIT_CTL_CONTROL_H
#define SINIT_CTL_CONTROL_H

#include "ctl/request.h"

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { CONTROL_WAITERS = 8, CONTROL_MEASURERS = 16 };

struct control {
	int rundir_fd; /* borrowed; -1: there is no control */
	int fifo_fd;   /* -1: none at present */
	int reply_fd;  /* RUNDIR/reply */
	int inotify_fd;
	int reserve_fd;     /* given up for a reply when there are no more descriptors */
	DIR *reply_dir;     /* for sweeping */
	gid_t group;        /* (gid_t)-1: none */
	uint64_t dev, ino;  /* of the FIFO */
	int64_t swept;      /* ms, CLOCK_MONOTONIC */
	int64_t told;       /* ms: a refusal was logged */
	int64_t made_since; /* ms: from then on `made` counts how often the FIFO was made again */
	unsigned made;
	uint64_t refused;
	bool overlong; /* the rest of a line that was too long is passed over */
	size_t used;
	int waiter[CONTROL_WAITERS]; /* reply FIFOs of those who asked for a reload */
	unsigned waiters;
	int measurer[CONTROL_MEASURERS]; /* of those who asked for a measurement */
	unsigned measurers;
	char buffer[2 * REQUEST_LINE];
};

struct sinit;

/* Makes FIFO and reply directory. `gid`: control_group, or (gid_t)-1. 0 or -errno: then
 * sinit goes on without control. */
int control_open(struct control *control, int rundir_fd, gid_t gid);

/* Removes the FIFO; answers nobody any more. */
void control_close(struct control *control);

/* The same, but leaves what is there under that name: it is another sinit's. */
void control_leave(struct control *control);

/* Makes the FIFO again if it is not the one we have. 1: it was made anew (fifo_fd changed);
 * 0: all is well; -EBUSY: somebody replaces it again and again, which was told, and it is
 * left for a while; -errno. `now`: ms. */
int control_check(struct control *control, int64_t now);

/* Reads what has come and serves it. */
void control_read(struct sinit *sinit);

/* Takes the events of inotify_fd off. */
void control_drain_inotify(struct control *control);

/* Writes a line of an answer; false: the client does not read and is given up. */
bool control_write(int reply_fd, const char *line, size_t size);

/* The last line of an answer. `message` NULL: it went well. */
void control_result(int reply_fd, enum ctl_code code, const char *message);

/* Keeps a reply FIFO until the reload is through. False: too many wait already. */
bool control_wait_reload(struct control *control, int reply_fd);

/* Answers all of them: the messages (JSON lines), and `error` or NULL. */
void control_answer_reload(struct control *control, int messages_fd, const char *error);

/* The same until the services' use of resources has been read. */
bool control_wait_measure(struct control *control, int reply_fd);
void control_answer_measure(struct control *control);

#endif
