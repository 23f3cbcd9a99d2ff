/* One stream: from its pipe to where it goes, and where lives of its service have ended in it. */
#include "log/logger.h"

#include <errno.h>
#include <string.h>

/* Where the service has ended, for who reads of that end. */
static void note_end(struct store_stream *s, const struct ending *ending)
{
	struct store_mark *mark = &s->mark[s->marks % STORE_MARKS];

	atomic_store_explicit(&mark->event, 0, memory_order_relaxed);
	atomic_thread_fence(memory_order_seq_cst);
	mark->position = ending->at;
	mark->exact = ending->exact;
	atomic_store_explicit(&mark->event, ending->event, memory_order_release);
	s->marks++;
	s->ended = ending->event;
}

static void forget_first(struct stream *stream)
{
	stream->endings--;
	memmove(stream->ending, stream->ending + 1, stream->endings * sizeof(*stream->ending));
}

/* Those before which all is taken. */
static void note_ends(struct stream *stream)
{
	while (stream->endings && stream->s->head >= stream->ending[0].at) {
		note_end(stream->s, &stream->ending[0]);
		forget_first(stream);
	}
}

void stream_end(
    struct logger *logger, struct stream *stream, uint64_t event, uint64_t at, uint64_t end)
{
	uint64_t last =
	    stream->endings ? stream->ending[stream->endings - 1].event : stream->s->ended;
	bool exact = at != LOGGER_UNKNOWN;

	if (end != LOGGER_UNKNOWN && end > stream->s->end)
		stream->s->end = end;
	if (event <= last)
		return;
	if (stream->endings == STORE_MARKS)
		forget_first(stream);
	stream->ending[stream->endings++] = (struct ending){.event = event,
	    .at = exact ? at : stream->s->head + take_waiting(logger, stream),
	    .exact = exact};
}

/* Whether what is oldest makes room for what is new. */
static bool gives_way(const struct stream *stream)
{
	return stream->s->put.phase != PUT_MOVE && (!stream->sink || stream->sink->dropping);
}

/* While PID 1 still has the other end of the pipe of a stream that is retired, nothing tells that
 * nothing more comes. */
static bool is_emptied(struct logger *logger, const struct stream *stream)
{
	return stream->retired && !stream->emptied && take_waiting(logger, stream) == 0;
}

size_t stream_serve(struct logger *logger, struct stream *stream)
{
	ssize_t count = stream->held ? -EAGAIN : stream->fd < 0 ? 0 : take(logger, stream);

	if (count == -ENOBUFS && gives_way(stream)) {
		take_drop(stream, STORE_RING / 2);
		count = take(logger, stream);
	}
	if (count <= 0 && count != -EAGAIN && count != -ENOBUFS && !stream->closed) {
		stream->closed = true;
		stream->emptied = false; /* who heard of that before may not have been alone then */
	}
	stream->idle = count == 0 || (count == -EAGAIN && !stream->held) ||
		       (count > 0 && is_emptied(logger, stream));
	note_ends(stream);
	if (stream->retired && stream->idle)
		stream->s->end = stream->s->head; /* nobody writes its last line to the end */
	put(logger, stream);
	/* A ring that was full may have room now: it was the logger
	 * before this one that filled it. */
	if (count < 0 && count != -EAGAIN)
		pace_arm(logger, stream, count == -ENOBUFS && store_room(stream->s) > 0);
	if (stream->retired && !stream->emptied && stream->idle &&
	    stream->s->out == stream->s->head)
		stream->emptied = logger_tell(
		    &(struct logger_message){.kind = LOGGER_EMPTY, .stream = stream->index});
	return count > 0 ? (size_t)count : 0;
}
