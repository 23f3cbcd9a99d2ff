/* The targets: opened when there is something to write, looked after when they take nothing. */
#include "init/fds.h"
#include "log/logger.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TELL_AGAIN = 20 }; /* ms until PID 1 is told what it had no room for */

static uint32_t number(const struct logger *logger, const struct sink *sink)
{
	return (uint32_t)(sink - logger->sink);
}

/* PID 1 may not have read for long: then it is told later. */
static void tell_again(struct sink *sink)
{
	if (sink->told != sink->error &&
	    logger_tell(&(struct logger_message){
		.kind = LOGGER_FAULT, .stream = sink->index, .error = sink->error}))
		sink->told = sink->error;
}

static void tell(struct sink *sink, int error)
{
	sink->error = error;
	tell_again(sink);
}

/* False: not of all of them. */
static bool tell_dropped(struct logger *logger, struct sink *sink)
{
	bool all = true;

	sink->counted = logger->now;
	for (uint32_t i = 0; i < logger->streams; i++) {
		struct store_stream *s = logger->stream[i].s;

		if (logger->stream[i].sink != sink || s->told == s->dropped_lines)
			continue;
		if (logger_tell(&(struct logger_message){.kind = LOGGER_DROPPED,
			.stream = logger->stream[i].index,
			.count = s->dropped_lines}))
			s->told = s->dropped_lines;
		else
			all = false;
	}
	return all;
}

/* --- opening ------------------------------------------------------------------------------ */

enum {
	OPENING = 500,    /* ms for which a file that somebody is just rotating is waited for */
	OPEN_AGAIN = 1,   /* ms between attempts */
	STRANGER = 10000, /* ms for which nobody waits again for who has held it for longer */
};

static void classify(struct sink *sink)
{
	struct stat info;
	int again;

	sink->kind = SINK_OTHER;
	sink->socket = false;
	if (fstat(sink->fd, &info) < 0)
		return;
	sink->device = info.st_dev;
	sink->inode = info.st_ino;
	if (S_ISREG(info.st_mode)) {
		sink->kind = SINK_FILE;
		sink->size = (uint64_t)info.st_size;
		sink->append = fcntl(sink->fd, F_GETFL) & O_APPEND;
	} else if (S_ISFIFO(info.st_mode)) {
		sink->kind = SINK_PIPE;
	} else if (S_ISSOCK(info.st_mode)) {
		sink->socket = true;
	} else if (!sink->own) { /* one that does not wait */
		again = fds_open_again(sink->fd, O_WRONLY | O_NONBLOCK | O_NOCTTY);
		sink->own = again >= 0;
		if (again >= 0)
			sink->fd = again;
	}
}

static int open_target(struct sink *sink)
{
	int rc;

	sink->own = sink->where == LOGGER_FILE;
	if (sink->where == LOGGER_STDOUT)
		return STDOUT_FILENO;
	if (sink->where == LOGGER_STDERR)
		return STDERR_FILENO;
	place_close(&sink->place);
	rc = place_find(&sink->place, sink->path);
	return rc < 0 ? rc : place_open(&sink->place, sink->uid, sink->gid);
}

static void unwatch(struct logger *logger, struct sink *sink)
{
	if (sink->watched)
		logger_watch(logger, sink->fd, 0, TAG_SINK, number(logger, sink));
	sink->watched = false;
}

void sink_close(struct logger *logger, struct sink *sink)
{
	if (sink->kind == SINK_CLOSED)
		return;
	unwatch(logger, sink);
	if (sink->own)
		close(sink->fd);
	sink->kind = SINK_CLOSED;
}

/* Opens it. Another sinit, or what one has left behind, may append to the same file, and rotate it
 * just now (-EINPROGRESS): so a file is held from before its name is found to lead to it still. Who
 * holds it alone for long is no logger: whoever may read it can do that, and is not to stop it
 * being written. */
static int open_held(struct logger *logger, struct sink *sink)
{
	bool stranger = sink->stranger && logger->now - sink->stranger < STRANGER;
	bool patient = !stranger && (!sink->full || logger->now - sink->since < OPENING);
	int fd = open_target(sink);

	if (fd < 0)
		return fd == -EEXIST ? -EINPROGRESS : fd; /* somebody else has just made it */
	sink->fd = fd;
	classify(sink);
	if (sink->kind != SINK_FILE || !sink->own)
		return 0;
	sink->held = place_lock(sink->fd, false) == 0 &&
		     place_is(sink->path, sink->device, sink->inode, &sink->size);
	if (!sink->held && patient) {
		sink_close(logger, sink);
		return -EINPROGRESS;
	}
	if (!sink->held && !stranger)
		sink->stranger = logger->now;
	return 0;
}

/* Somebody may have moved the file away, or removed it. One that is not held may be rotated any
 * time. */
static void look_for(struct logger *logger, struct sink *sink)
{
	if (sink->kind != SINK_FILE || !sink->own ||
	    (sink->held && logger->now - sink->checked < LOGGER_CHECK))
		return;
	sink->checked = logger->now;
	if (!sink->held)
		sink->held = place_lock(sink->fd, false) == 0;
	/* It may also have been cut, or written to. */
	if (!place_is(sink->path, sink->device, sink->inode, &sink->size))
		sink_close(logger, sink);
}

/* The same file under another spelling, or by a link, is the same target: else each would rotate it
 * under the other. True: its streams have that one now. */
static bool join_twin(struct logger *logger, struct sink *sink)
{
	struct sink *twin = NULL;

	for (uint32_t i = 0; i < logger->sinks && sink->kind == SINK_FILE && sink->own && !twin;
	     i++) {
		struct sink *other = &logger->sink[i];

		if (other != sink && other->kind == SINK_FILE && other->own &&
		    other->inode == sink->inode && other->device == sink->device)
			twin = other;
	}
	if (!twin)
		return false;
	tell_dropped(logger, sink);
	tell(sink, 0);
	for (uint32_t i = 0; i < logger->streams; i++)
		if (logger->stream[i].sink == sink) {
			logger->stream[i].sink = twin;
			logger->stream[i].more = logger->more = true;
			pace_arm(logger, &logger->stream[i], true);
		}
	twin->streams += sink->streams;
	sink->streams = 0;
	sink->full = sink->dropping = sink->doubtful = false;
	sink_close(logger, sink);
	return true;
}

bool sink_ready(struct logger *logger, struct sink *sink)
{
	int error;

	if (sink->retry > logger->now)
		return false;
	if (sink->hangs) {
		sink_progress(logger, sink, -ETIMEDOUT);
		return false;
	}
	look_for(logger, sink);
	if (sink->kind != SINK_CLOSED)
		return true;
	error = open_held(logger, sink);
	if (error) {
		sink_progress(logger, sink, error);
		return false;
	}
	sink->checked = logger->now;
	if (sink->own && sink->place.not_given && !sink->not_given_told)
		logger_tell(&(struct logger_message){
		    .kind = LOGGER_UNGIVEN, .stream = sink->index, .error = sink->place.not_given});
	sink->not_given_told |= sink->place.not_given != 0;
	sink->place.not_given = 0;
	if (sink->own && sink->kind == SINK_FILE && !logger->orphaned &&
	    !(logger->packer && logger->packing == sink))
		rotate_clean(sink);
	return !join_twin(logger, sink);
}

/* Which targets are one file is known when all are open, and whole lines are kept together only of
 * those that are known to be one. What is not there yet, or waits for a reader, is opened when
 * there is something to write. */
void sinks_open(struct logger *logger)
{
	for (uint32_t i = 0; i < logger->sinks; i++) {
		struct sink *sink = &logger->sink[i];

		if (sink->where != LOGGER_FILE || sink->hangs)
			continue;
		/* As in put(): this may be where a disk does not answer. */
		atomic_store_explicit(&logger->head->doing, sink->index + 1, memory_order_release);
		if (place_has_file(sink->path))
			sink_ready(logger, sink);
	}
	atomic_store_explicit(&logger->head->doing, 0, memory_order_release);
}

void sinks_reopen(struct logger *logger)
{
	for (uint32_t i = 0; i < logger->sinks; i++) {
		if (logger->sink[i].where == LOGGER_FILE)
			sink_close(logger, &logger->sink[i]);
		logger->sink[i].retry = 0;
	}
}

/* What a full one has taken of a line it is to have the rest of, too. */
void sinks_let_go(struct logger *logger)
{
	for (uint32_t i = 0; i < logger->sinks; i++)
		if (logger->sink[i].kind == SINK_FILE && logger->sink[i].own &&
		    !logger->sink[i].full)
			sink_close(logger, &logger->sink[i]);
}

/* --- what takes nothing ---------------------------------------------------------------------- */

/* Epoll tells of what waits for a reader; a file or device is tried again. */
static void wait_for_room(struct logger *logger, struct sink *sink)
{
	if (sink->watched)
		return;
	if (logger_watch(logger, sink->fd, EPOLLOUT, TAG_SINK, number(logger, sink)) == 0)
		sink->watched = true;
	else
		sink->retry = logger->now + LOGGER_RETRY;
}

void sink_progress(struct logger *logger, struct sink *sink, ssize_t result)
{
	if (result >= 0) {
		sink->full = sink->dropping = sink->doubtful = false;
		return;
	}
	if (!sink->full)
		sink->since = logger->now;
	sink->full = true;
	sink->doubtful = sink->kind == SINK_FILE;
	if (result == -EINPROGRESS && sink->kind == SINK_CLOSED) {
		sink->retry = logger->now + OPEN_AGAIN;
		return;
	}
	if (result == -EAGAIN && sink->kind != SINK_CLOSED) {
		wait_for_room(logger, sink);
		return;
	}
	/* ENXIO: a FIFO that nobody has open for reading; its readers may come. */
	sink->retry = logger->now + LOGGER_RETRY;
	sink->dropping = true;
	tell(sink, (int)-result);
	if (sink->where == LOGGER_FILE && sink->kind != SINK_FILE)
		sink_close(logger, sink);
}

void sinks_tell_dropped(struct logger *logger)
{
	for (uint32_t i = 0; i < logger->sinks; i++)
		tell_dropped(logger, &logger->sink[i]);
}

/* Writes what has waited for the target. True: it is all out. */
static bool catch_up(struct logger *logger, const struct sink *sink)
{
	bool all = true;

	for (uint32_t i = 0; i < logger->streams; i++) {
		struct stream *stream = &logger->stream[i];

		if (stream->sink != sink)
			continue;
		all &= put(logger, stream);
		if (store_room(stream->s) > 0 || sink->dropping)
			pace_arm(logger, stream, true);
	}
	return all;
}

/* Where nothing is left to write it takes what comes, as far as anybody can tell, if it is open. */
static void try_again(struct logger *logger, struct sink *sink)
{
	if (catch_up(logger, sink) && sink->kind != SINK_CLOSED)
		sink->full = sink->dropping = false;
}

static void sink_turn(struct logger *logger, struct sink *sink)
{
	tell_again(sink);
	if (!sink->full && !sink->error)
		return;
	if (sink->full && sink->retry <= logger->now && !sink->watched)
		try_again(logger, sink);
	if (sink->full && !sink->dropping && logger->now - sink->since >= LOGGER_STALL) {
		sink->dropping = true;
		tell(sink, EAGAIN);
		catch_up(logger, sink); /* services may go on */
	}
	if (sink->error && logger->now - sink->counted >= LOGGER_RETRY)
		tell_dropped(logger, sink);
	if (sink->error && !sink->full && !sink->doubtful && catch_up(logger, sink) &&
	    !sink->full && tell_dropped(logger, sink))
		tell(sink, 0);
}

void sinks_turn(struct logger *logger)
{
	for (uint32_t i = 0; i < logger->sinks; i++)
		sink_turn(logger, &logger->sink[i]);
}

void sink_writable(struct logger *logger, uint32_t index)
{
	struct sink *sink = &logger->sink[index];

	unwatch(logger, sink);
	try_again(logger, sink);
}

int64_t sinks_deadline(const struct logger *logger)
{
	int64_t next = 0;

	for (uint32_t i = 0; i < logger->sinks; i++) {
		const struct sink *sink = &logger->sink[i];

		if (sink->told != sink->error || (sink->error && !sink->full && !sink->doubtful))
			next = sooner(next, logger->now + TELL_AGAIN);
		if (!sink->full)
			continue;
		if (!sink->watched)
			next =
			    sooner(next, sink->retry > logger->now ? sink->retry : logger->now + 1);
		if (!sink->dropping)
			next = sooner(next, sink->since + LOGGER_STALL);
	}
	return next;
}
