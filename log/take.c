/* From a pipe into the ring, so that it is in one of the two whenever the process may be killed.
 *
 * A read from the pipe could end without anybody knowing how much it was: others go on writing
 * into it. So the bytes are first moved, splice(2), to a pipe in between which nobody else
 * writes into, and read from there. How much has been read is what is missing in it. */
#include "log/logger.h"

#include "init/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static size_t left_between(const struct logger *logger, unsigned turn)
{
	int left = 0;

	return ioctl(logger->orders->take[turn][0], FIONREAD, &left) < 0 || left < 0 ? 0
										     : (size_t)left;
}

size_t take_waiting(struct logger *logger, const struct stream *stream)
{
	int left = 0;

	if (stream->fd < 0)
		return 0;
	take_touch(logger, stream);
	if (ioctl(stream->fd, FIONREAD, &left) < 0 || left < 0)
		left = 0;
	take_leave(logger);
	return (size_t)left;
}

void take_touch(struct logger *logger, const struct stream *stream)
{
	atomic_store_explicit(
	    &logger->head->doing, STORE_PIPE | (stream->index + 1), memory_order_release);
}

void take_leave(struct logger *logger)
{
	atomic_store_explicit(&logger->head->doing, 0, memory_order_release);
}

void take_note_time(struct store_stream *s, uint64_t position)
{
	s->time[s->times % STORE_TIMES] =
	    (struct store_time){.position = position, .time = clock_wall() / 1000};
	atomic_signal_fence(memory_order_seq_cst);
	s->times++;
}

int64_t take_time(const struct store_stream *s, uint64_t position)
{
	uint32_t first = s->times > STORE_TIMES ? s->times - STORE_TIMES : 0;
	int64_t time = s->times ? s->time[first % STORE_TIMES].time : 0;

	for (uint32_t i = first; i < s->times && s->time[i % STORE_TIMES].position <= position; i++)
		time = s->time[i % STORE_TIMES].time;
	return time;
}

uint64_t take_next_end(const struct store_stream *s, uint64_t position)
{
	uint64_t next = s->end > position ? s->end : UINT64_MAX;

	for (unsigned i = 0; i < STORE_MARKS; i++)
		if (s->mark[i].event && s->mark[i].exact && s->mark[i].position > position &&
		    s->mark[i].position < next)
			next = s->mark[i].position;
	return next;
}

/* Not a release store alone: what follows must not be seen before it. */
void take_announce(struct store_stream *s, size_t size)
{
	atomic_store_explicit(&s->busy, s->head + size, memory_order_relaxed);
	atomic_thread_fence(memory_order_seq_cst);
}

/* A pipe is full when it has no slot left, however little each has; and the pipe in between then
 * has none either. */
static bool is_full(const struct logger *logger)
{
	struct pollfd between = {
	    .fd = logger->orders->take[logger->orders->turn][1], .events = POLLOUT};

	return poll(&between, 1, 0) == 0;
}

/* Reads what is in the pipe in between, of which `done` bytes are read already. */
static void finish(struct logger *logger, struct stream *stream, unsigned turn, size_t done)
{
	struct store_take *t = &logger->head->take[turn];

	while (done < t->size) {
		char *to = stream->ring + (t->head + done) % STORE_RING;
		ssize_t count = read(logger->orders->take[turn][0], to, t->size - done);

		if (count < 0 && errno == EFAULT)
			_exit(EXIT_CODE_INTERNAL); /* somebody has cut the file: PID 1 makes another
						      one */
		if (count <= 0)
			break;
		done += (size_t)count;
	}
	atomic_store_explicit(&stream->s->head, t->head + done, memory_order_release);
	atomic_store_explicit(&t->stream, 0, memory_order_release);
}

static void recover(struct logger *logger, unsigned turn)
{
	struct store_take *t = &logger->head->take[turn];
	uint32_t number = t->stream;
	struct stream *stream =
	    number && number <= logger->head->capacity ? logger->by_index[number - 1] : NULL;
	size_t left = left_between(logger, turn);

	if (stream && !t->size && left) {
		take_note_time(stream->s, t->head);
		t->size = (uint32_t)left;
	}
	if (stream && left <= t->size && t->size <= STORE_RING)
		finish(logger, stream, turn, t->size - left);
	t->stream = 0;
	/* Nobody's: it would be taken for the next stream's. */
	while (left_between(logger, turn) > 0 &&
	       read(logger->orders->take[turn][0], logger->buffer, sizeof(logger->buffer)) > 0)
		;
}

/* One that hangs may still move bytes into its pipe in between, when it does not any more. */
void take_recover(struct logger *logger)
{
	const struct logger_orders *orders = logger->orders;

	for (unsigned turn = 0; turn < ARRAY_LEN(orders->take); turn++)
		if (orders->take[turn][1] && (turn == orders->turn || !orders->hangs))
			recover(logger, turn);
}

void take_drop(struct stream *stream, uint64_t least)
{
	struct store_stream *s = stream->s;
	const char *from = stream->ring + s->out % STORE_RING, *end = from + (s->head - s->out);
	const char *to = from + least < end ? from + least : end;
	const char *newline = memchr(to, '\n', (size_t)(end - to));
	uint64_t lines = 0;

	to = newline ? newline + 1 : end;
	for (const char *at = from; (at = memchr(at, '\n', (size_t)(to - at))); at++)
		lines++;
	if (s->middle || s->put.phase == PUT_BROKEN)
		s->torn = true;
	s->middle = false;
	s->put.phase = PUT_NONE;
	s->dropped_lines += lines ? lines : 1;
	s->dropped_bytes += (uint64_t)(to - from);
	atomic_store_explicit(&s->out, s->out + (uint64_t)(to - from), memory_order_release);
}

/* Without a pipe in between (a kernel or sandbox that has no splice): what the process is killed
 * with is lost. */
static ssize_t take_plainly(struct stream *stream, size_t room)
{
	struct store_stream *s = stream->s;
	ssize_t count;

	take_announce(s, room);
	count = read(stream->fd, stream->ring + s->head % STORE_RING, room);

	if (count > 0)
		atomic_store_explicit(&s->head, s->head + (uint64_t)count, memory_order_release);
	return count < 0 ? -errno : count;
}

ssize_t take(struct logger *logger, struct stream *stream)
{
	unsigned turn = logger->orders->turn;
	struct store_take *t = &logger->head->take[turn];
	struct store_stream *s = stream->s;
	size_t all = store_room(s), room = all;
	ssize_t count;

	if (room == 0)
		return -ENOBUFS;
	if (logger->forward) {
		size_t waiting = take_waiting(logger, stream);

		if (waiting < room)
			room = waiting > 0 ? waiting : 1;
		forward_make_room(logger, stream, room);
	}
	t->head = s->head;
	t->size = 0;
	atomic_store_explicit(&t->stream, stream->index + 1, memory_order_release);
	take_touch(logger, stream);
	count =
	    splice(stream->fd, NULL, logger->orders->take[turn][1], NULL, room, SPLICE_F_NONBLOCK);
	take_leave(logger);
	if (count <= 0) {
		int error = errno;

		stream->cut = false;
		atomic_store_explicit(&t->stream, 0, memory_order_release);
		if (count < 0 && (error == EINVAL || error == ENOSYS || error == EPERM))
			return take_plainly(stream, room);
		return count == 0 ? 0 : error == EINTR ? -EAGAIN : -error;
	}
	stream->full = stream->wake == WAKE_CLOCK && (count >= PACE_FULL || is_full(logger));
	stream->cut = (size_t)count == all;
	take_note_time(s, s->head);
	t->size = (uint32_t)count;
	take_announce(s, (size_t)count);
	finish(logger, stream, turn, 0);
	return count;
}
