/* Which text of a stream is written next, and the same text once more. */
#include "init/fds.h"
#include "log/pending.h"
#include "log/put.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { LINE_BEYOND = 65536 }; /* bytes that one line may be beyond the size of its file */

/* Formats lines from `begin` on, up to `stop`, as many as `most` bytes take, but no more once
 * `enough` of them are full. */
static void format(struct logger *logger, const struct stream *stream, uint64_t begin,
    uint64_t stop, size_t most, size_t enough, struct chunk *ret)
{
	const struct store_stream *s = stream->s;
	struct lines_text text = {.data = logger->buffer, .size = most};
	uint64_t at = begin, end = 0;

	while (at < stop && text.used < enough) {
		const char *bytes = stream->ring + at % STORE_RING;
		size_t length;
		bool more;

		if (end <= at)
			end = take_next_end(s, at);
		length = pending_line(stream, &stream->style, at, end);
		more = length && bytes[length - 1] != '\n' && at + length != end;

		if (!length || !lines_add(&text, &stream->style, &logger->clock, take_time(s, at),
				   bytes, length, more))
			break;
		at += length;
	}
	*ret = (struct chunk){.text = text.data, .size = text.used, .end = at};
}

/* Raw lines go to a file as they are in the ring. */
static bool is_direct(const struct stream *stream)
{
	return stream->sink->kind == SINK_FILE && lines_are_bare(&stream->style);
}

static bool is_end(const struct store_stream *s, uint64_t position)
{
	return position && take_next_end(s, position - 1) == position;
}

/* Where files are shared lines go in whole. With other sinits any may be, so it is not we who cut
 * one. */
static size_t whole_lines(const struct stream *stream, const char *text, size_t size)
{
	const char *newline;

	if (stream->sink->streams < 2 && !stream->cut)
		return size;
	newline = memrchr(text, '\n', size);
	if (newline)
		return (size_t)(newline - text) + 1;
	return size >= LINES_PIECE || is_end(stream->s, stream->s->out + size) ? size : 0;
}

/* How much of a text still belongs into the file; 0: it is to be rotated first. */
static size_t before_rotation(
    const struct logger *logger, const struct stream *stream, const char *text, size_t size)
{
	const struct sink *sink = stream->sink;
	uint64_t room = sink->size < sink->max_size ? sink->max_size - sink->size : 0;
	const char *newline;

	if (sink->where != LOGGER_FILE || sink->max_size == UINT32_MAX || size <= room ||
	    sink->rotate > logger->now || logger->orphaned)
		return size;
	newline = memrchr(text, '\n', (size_t)room);
	if (newline)
		return (size_t)(newline - text) + 1;
	/* A line that is too long for any file, or began in this one, ends in it. */
	if (sink->size &&
	    (!stream->s->middle || sink->size > (uint64_t)sink->max_size + LINE_BEYOND))
		return 0;
	newline = memchr(text + room, '\n', size - (size_t)room);
	return newline ? (size_t)(newline - text) + 1 : size;
}

/* Whether the last line of a file that was there before its stream has no end: an earlier sinit had
 * it, or anybody. */
static bool is_cut_off(const struct sink *sink)
{
	char last = '\n';
	int fd;

	if (sink->kind != SINK_FILE || !sink->own || !sink->size)
		return false;
	fd = fds_open_again(sink->fd, O_RDONLY | O_NONBLOCK);
	if (fd < 0)
		return false;
	if (pread(fd, &last, 1, (off_t)sink->size - 1) != 1)
		last = '\n';
	close(fd);
	return last != '\n';
}

/* Whether what was written last needs an end: it is of an earlier life of the service, or of
 * another one, or was shown in another form. */
static bool ends_line(const struct stream *stream)
{
	const struct store_stream *s = stream->s;
	const struct sink *sink = stream->sink;

	if (s->head == s->out)
		return false;
	if (sink->open_line != stream && sink->written)
		return sink->open_line != NULL;
	if (!sink->written && !s->out && !s->middle)
		return is_cut_off(sink);
	return s->middle && (!lines_are_bare(&stream->style) || is_end(s, s->out));
}

bool put_choose(struct logger *logger, struct stream *stream, struct chunk *ret)
{
	struct store_stream *s = stream->s;
	struct sink *sink = stream->sink;

	if (s->put.phase == PUT_BROKEN) { /* that line, and no more */
		format(logger, stream, s->out, s->head, sizeof(logger->buffer), 1, ret);
		return ret->size > 0;
	}
	s->torn |= ends_line(stream);
	if (s->torn) {
		*ret = (struct chunk){.text = "\n", .size = 1, .end = s->out};
		return true;
	}
	if (is_direct(stream)) {
		const char *text = stream->ring + s->out % STORE_RING;
		size_t size =
		    whole_lines(stream, text, pending_size(s, s->out, take_next_end(s, s->out)));

		*ret = (struct chunk){.text = text, .end = s->out};
		if (size)
			ret->size = before_rotation(logger, stream, text, size);
		ret->end += ret->size;
		return size > 0;
	}
	format(logger, stream, s->out, s->head,
	    sink->kind == SINK_PIPE ? LINES_MOST : sizeof(logger->buffer), SIZE_MAX, ret);
	if (sink->kind == SINK_FILE && ret->size) {
		size_t size = before_rotation(logger, stream, ret->text, ret->size);

		if (size == 0)
			ret->size = 0;
		else if (size < ret->size) /* as many lines as go into it */
			format(logger, stream, s->out, s->head, sizeof(logger->buffer), size, ret);
		return true;
	}
	return ret->size > 0;
}

uint32_t put_style(const struct stream *stream)
{
	return stream->style.format | (uint32_t)stream->style.prefix << 8 |
	       (uint32_t)stream->style.colour << 9;
}

void put_set_style(struct stream *stream, uint32_t style)
{
	stream->style.format = style & 0xff;
	stream->style.prefix = style >> 8 & 1;
	stream->style.colour = style >> 9 & 1;
}

bool put_remake(struct logger *logger, struct stream *stream, struct chunk *ret)
{
	const struct store_put *p = &stream->s->put;

	if (p->begin == p->end)
		*ret = (struct chunk){.text = "\n", .size = 1, .end = p->end};
	else if (is_direct(stream))
		*ret = (struct chunk){.text = stream->ring + p->begin % STORE_RING,
		    .size = (size_t)(p->end - p->begin),
		    .end = p->end};
	else
		format(logger, stream, p->begin, p->end, sizeof(logger->buffer), SIZE_MAX, ret);
	return ret->size == p->size && ret->end == p->end;
}

uint64_t put_whole(struct logger *logger, const struct stream *stream, const struct chunk *chunk,
    size_t size, size_t *ret_rest)
{
	const struct store_put *p = &stream->s->put;
	const char *newline = memrchr(chunk->text, '\n', size);
	size_t whole = newline ? (size_t)(newline - chunk->text) + 1 : 0;
	struct chunk lines;

	if (is_direct(stream)) {
		*ret_rest = 0;
		return p->begin + size;
	}
	*ret_rest = size - whole;
	format(logger, stream, p->begin, p->end, sizeof(logger->buffer), whole, &lines);
	return lines.end;
}
