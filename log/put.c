/* From the ring to where it is to go, each byte once whenever the process may be killed.
 *
 * What is about to be written is noted in the store. Made anew from the ring it is the same text
 * again. Of a file its end tells how much of it is there. Nothing tells that of a pipe that others
 * read: so a piece goes to a pipe in between first, and is moved from there, splice(2), as one
 * buffer of the kernel's: what is not there any more is out. */
#include "log/put.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	ROTATE_AGAIN = 60000, /* ms until a rotation that failed is tried again */
	ROTATE_SOON = 10,    /* ms until one of a file that somebody else has open is tried again */
	ROTATE_BUSY = 10000, /* ms until it is rotated all the same */
	ROTATIONS = 4,       /* at once: others are to have their turn */
	LITTLE = 256,        /* bytes that a terminal takes without waiting if it takes any */
};

void put_phase(struct store_put *p, enum store_phase phase)
{
	atomic_store_explicit(&p->phase, phase, memory_order_release);
}

static void begin(const struct stream *stream, const struct chunk *chunk)
{
	struct store_stream *s = stream->s;
	struct store_put *p = &s->put;

	p->begin = s->out;
	p->end = chunk->end;
	p->size = (uint32_t)chunk->size;
	p->style = put_style(stream);
	p->done = p->phase == PUT_BROKEN ? p->rest : 0;
	s->open = chunk->text[chunk->size - 1] != '\n';
}

void put_give_up(struct store_stream *s)
{
	s->torn |= s->put.phase == PUT_BROKEN || s->put.done > 0;
	put_phase(&s->put, PUT_NONE);
}

void put_complete(struct stream *stream)
{
	struct store_stream *s = stream->s;

	s->middle = s->open;
	stream->sink->open_line = s->open ? stream : NULL;
	stream->sink->written = true;
	if (s->put.begin == s->put.end)
		s->torn = false;
	atomic_store_explicit(&s->out, s->put.end, memory_order_release);
	put_phase(&s->put, PUT_NONE);
}

/* Lines that are out as a whole are done with; of the next one it is
 * noted how much of it is out. */
void put_leave(struct logger *logger, struct stream *stream, const struct chunk *chunk)
{
	struct store_stream *s = stream->s;
	struct store_put *p = &s->put;
	size_t rest = 0;
	uint64_t out;

	if (!p->done || p->begin == p->end) {
		put_phase(p, PUT_NONE);
		return;
	}
	s->middle = chunk->text[p->done - 1] != '\n';
	stream->sink->open_line = s->middle ? stream : NULL;
	stream->sink->written = true;
	out = put_whole(logger, stream, chunk, p->done, &rest);
	if (rest || s->middle)
		stream->sink->broken = stream;
	p->rest = (uint32_t)rest;
	p->style = put_style(stream);
	atomic_store_explicit(&s->out, out, memory_order_release);
	put_phase(p, rest ? PUT_BROKEN : PUT_NONE);
}

/* Where the next write goes, in a file that others may write to as well. */
static void find_end(struct sink *sink)
{
	struct stat info;
	off_t at = sink->append ? -1 : lseek(sink->fd, 0, SEEK_CUR);

	if (at >= 0)
		sink->size = (uint64_t)at;
	else if (fstat(sink->fd, &info) == 0)
		sink->size = (uint64_t)info.st_size;
}

static ssize_t write_file(struct store_stream *s, struct sink *sink, const struct chunk *chunk)
{
	struct store_put *p = &s->put;
	ssize_t count = 0;

	find_end(sink);
	while (p->done < chunk->size) {
		p->offset = sink->size - p->done;
		p->inode = sink->inode;
		p->device = sink->device;
		put_phase(p, PUT_FILE);
		count = write(sink->fd, chunk->text + p->done, chunk->size - p->done);
		if (count <= 0)
			break;
		sink->size += (uint64_t)count;
		p->done += (uint32_t)count;
	}
	return count < 0 ? -errno : count ? count : -ENOSPC;
}

/* Without waiting. A terminal that could not be opened once more would wait, so it is asked
 * before, and gets little. */
static ssize_t write_some(const struct sink *sink, const char *bytes, size_t size)
{
	struct pollfd ask = {.fd = sink->fd, .events = POLLOUT};

	if (sink->socket)
		return send(sink->fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sink->own)
		return write(sink->fd, bytes, size);
	if (poll(&ask, 1, 0) == 1)
		return write(sink->fd, bytes, size < LITTLE ? size : LITTLE);
	errno = EAGAIN;
	return -1;
}

static ssize_t write_other(
    struct store_stream *s, const struct sink *sink, const struct chunk *chunk)
{
	struct store_put *p = &s->put;
	ssize_t count = 0;

	put_phase(p, PUT_OTHER);
	while (p->done < chunk->size) {
		count = write_some(sink, chunk->text + p->done, chunk->size - p->done);
		if (count <= 0)
			break;
		p->done += (uint32_t)count;
	}
	return count < 0 ? -errno : count;
}

void put_empty_between(struct logger *logger)
{
	char bytes[LINES_MOST];
	int left = 0;

	while (ioctl(logger->orders->put[0], FIONREAD, &left) == 0 && left > 0 &&
	       read(logger->orders->put[0], bytes, sizeof(bytes)) > 0)
		;
}

/* Moves on what is in the pipe in between. */
static ssize_t move(struct logger *logger, struct stream *stream)
{
	struct store_put *p = &stream->s->put;
	ssize_t count = 0;

	while (p->done < p->size) {
		count = splice(logger->orders->put[0], NULL, stream->sink->fd, NULL,
		    p->size - p->done, SPLICE_F_NONBLOCK);
		if (count <= 0)
			break;
		p->done += (uint32_t)count;
	}
	if (p->done == p->size)
		return (ssize_t)p->size;
	count = count ? -errno : -EPIPE;
	if (p->done && count == -EAGAIN) { /* it stays there */
		logger->moving = stream;
		return count;
	}
	put_phase(p, PUT_FILL);
	put_empty_between(logger);
	return count;
}

static ssize_t write_pipe(struct logger *logger, struct stream *stream, const struct chunk *chunk)
{
	struct store_put *p = &stream->s->put;
	ssize_t count;

	put_phase(p, PUT_FILL);
	count = write(logger->orders->put[1], chunk->text, chunk->size);
	if (count != (ssize_t)chunk->size) {
		put_empty_between(logger);
		return count < 0 ? -errno : -EAGAIN;
	}
	put_phase(p, PUT_MOVE);
	return move(logger, stream);
}

/* A chunk that has been begun. Bytes or -errno. */
static ssize_t write_chunk(struct logger *logger, struct stream *stream, const struct chunk *chunk)
{
	ssize_t count = -EBADF;

	begin(stream, chunk);
	switch ((enum sink_kind)stream->sink->kind) {
	case SINK_FILE:
		count = write_file(stream->s, stream->sink, chunk);
		break;
	case SINK_PIPE:
		stream->s->put.done = 0;
		count = write_pipe(logger, stream, chunk);
		break;
	case SINK_OTHER:
		count = write_other(stream->s, stream->sink, chunk);
		break;
	case SINK_CLOSED:
		break;
	}
	if (stream->s->put.done == chunk->size)
		put_complete(stream);
	else if (logger->moving != stream)
		put_leave(logger, stream, chunk);
	return count;
}

/* Whoever else writes to the file is to find its new name: so it is rotated when nobody has it
 * open. What an earlier sinit has left behind has it for moments only. Somebody who has it all the
 * time does not keep it from being rotated, and finds out by himself; see pack() for what he writes
 * until then. */
static bool is_free(const struct logger *logger, struct sink *sink)
{
	if (place_lock(sink->fd, true) == 0)
		return true;
	if (!sink->busy)
		sink->busy = logger->now;
	return logger->now - sink->busy >= ROTATE_BUSY;
}

/* What cannot be rotated is written on as it is, and tried again later. It is closed whatever comes
 * of it, since it is not to stay ours alone. */
static void rotate_now(struct logger *logger, struct sink *sink)
{
	uint64_t size;
	int rc;

	if (!is_free(logger, sink)) {
		sink->rotate = logger->now + ROTATE_SOON;
	} else if (!place_is(sink->path, sink->device, sink->inode, &size)) {
		sink->busy = 0; /* it was rotated by another one */
	} else if ((rc = rotate(sink)) < 0) {
		sink->rotate = logger->now + ROTATE_AGAIN;
		logger_tell(&(struct logger_message){
		    .kind = LOGGER_UNROTATED, .stream = sink->index, .error = -rc});
	} else {
		sink->compress = sink->gzip;
		sink->busy = 0;
	}
	sink_close(logger, sink);
}

/* What of a piece was left in the pipe in between. False: it is in the way still. */
static bool move_on(struct logger *logger)
{
	struct stream *stream = logger->moving;
	ssize_t count;

	if (!stream)
		return true;
	if (!sink_ready(logger, stream->sink))
		return false;
	logger->moving = NULL;
	count = move(logger, stream);
	sink_progress(logger, stream->sink, count);
	if (stream->s->put.done == stream->s->put.size)
		put_complete(stream);
	else if (logger->moving != stream)
		put_phase(&stream->s->put, PUT_NONE);
	return !logger->moving;
}

/* Whose line is to be ended before anybody else's begins; NULL: nobody's. */
static struct stream *find_broken(struct sink *sink)
{
	const struct store_stream *s = sink->broken ? sink->broken->s : NULL;

	if (s && s->put.phase != PUT_BROKEN && s->put.phase != PUT_FILE && !s->torn &&
	    !(s->middle && s->out < s->head))
		sink->broken = NULL;
	return sink->broken;
}

static bool put_all(struct logger *logger, struct stream *own)
{
	struct sink *sink = own->sink;
	struct chunk chunk;
	int rotations = 0;

	own->more = false;
	while (sink_ready(logger, sink) && (sink->kind != SINK_PIPE || move_on(logger))) {
		struct stream *broken = find_broken(sink), *stream = broken ? broken : own;
		struct store_stream *s = stream->s;
		ssize_t count;

		if (s->put.phase == PUT_FILE) {
			put_recover_file(logger, stream);
			continue;
		}
		if (s->put.phase == PUT_BROKEN && s->put.style != put_style(stream))
			put_give_up(s);
		if (!put_choose(logger, stream, &chunk)) {
			sink->broken = NULL;
			if (stream == own)
				return true;
			continue;
		}
		if (!chunk.size) {
			rotate_now(logger, sink);
			own->more = ++rotations == ROTATIONS;
			if (own->more)
				return true;
			continue;
		}
		count = write_chunk(logger, stream, &chunk);
		sink_progress(logger, sink, count);
		if (count < 0)
			return false;
	}
	return own->s->out == own->s->head;
}

bool put(struct logger *logger, struct stream *stream)
{
	struct store_stream *s = stream->s;
	const struct sink *sink;
	bool all;

	if (!stream->sink) {
		atomic_store_explicit(&s->out, s->head, memory_order_release);
		return true;
	}
	do {
		sink = stream->sink;
		atomic_store_explicit(
		    &logger->head->doing, stream->index + 1, memory_order_release);
		all = put_all(logger, stream);
	} while (!all && sink != stream->sink);
	logger->more |= stream->more;
	atomic_store_explicit(&logger->head->doing, 0, memory_order_release);
	return all;
}
