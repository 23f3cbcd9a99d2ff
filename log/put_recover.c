/* What a logger was writing when it was killed. */
#include "init/fds.h"
#include "log/put.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

static size_t common(const char *a, const char *b, size_t size)
{
	size_t i = 0;

	while (i < size && a[i] == b[i])
		i++;
	return i;
}

/* How much of a text is at the end of what others may have written to the file, too. */
static size_t find_text(const char *file, size_t have, const char *text, size_t size)
{
	size_t least = have < size ? have : size, head = size < 64 ? size : 64;
	size_t same = common(file, text, least);
	const char *at;

	if (same == least)
		return same;
	at = memmem(file, have, text, head);
	if (!at)
		return 0;
	have -= (size_t)(at - file);
	return common(at, text, have < size ? have : size);
}

/* How many bytes of `text` a file has from `offset` on; NULL: the text cannot be made once more,
 * and nobody else writes to it. `fd` is for reading, -1: it cannot be read. */
static size_t written(int fd, uint64_t length, uint64_t offset, const char *text, size_t size)
{
	size_t have, found;
	ssize_t count = -1;
	char *file;

	if (length <= offset)
		return 0;
	have = length - offset < 2 * LOGGER_BUFFER ? (size_t)(length - offset) : 2 * LOGGER_BUFFER;
	if (!text)
		return have < size ? have : size;
	file = malloc(have);
	if (fd >= 0 && file)
		count = pread(fd, file, have, (off_t)offset);
	found = count >= 0 ? find_text(file, (size_t)count, text, size) : have < size ? have : size;
	free(file);
	return found;
}

static bool is_it(int fd, const struct store_put *p, struct stat *ret)
{
	return fd >= 0 && fstat(fd, ret) == 0 && ret->st_ino == p->inode &&
	       ret->st_dev == p->device;
}

/* The file that was being written has another name in the same directory: somebody has just rotated
 * it. A descriptor, -1: it is not there. */
static int find_moved(const struct place *place, const struct store_put *p)
{
	int directory = place->directory < 0
			    ? -1
			    : openat(place->directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *entries = directory < 0 ? NULL : fdopendir(directory);
	const struct dirent *entry;
	struct stat info;
	int found = -1;

	while (entries && found < 0 && (entry = readdir(entries))) {
		if (entry->d_ino != p->inode)
			continue;
		found = openat(
		    directory, entry->d_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		if (found >= 0 && !is_it(found, p, &info)) {
			close(found);
			found = -1;
		}
	}
	if (entries)
		closedir(entries);
	else if (directory >= 0)
		close(directory);
	return found;
}

/* For reading; of the file that was being written, wherever it is now. */
static int find_file(const struct sink *sink, const struct store_put *p, struct stat *ret)
{
	int fd = -1;

	if (sink->kind == SINK_FILE && is_it(sink->fd, p, ret))
		return fds_open_again(sink->fd, O_RDONLY);
	ret->st_size = -1;
	if (sink->kind == SINK_FILE && sink->own)
		fd = find_moved(&sink->place, p);
	if (fd >= 0 && fstat(fd, ret) < 0)
		ret->st_size = -1;
	return fd;
}

/* A write that a process was killed in is carried out all the same, but for a part of a page or so.
 * So of a file that cannot be found any more, all of it is taken for written. */
static size_t find_written(const struct stream *stream, const struct chunk *chunk)
{
	const struct store_put *p = &stream->s->put;
	size_t rest = p->size - p->done;
	struct stat info;
	int fd = find_file(stream->sink, p, &info);
	size_t found = info.st_size < 0 ? rest
					: written(fd, (uint64_t)info.st_size, p->offset + p->done,
					      chunk ? chunk->text + p->done : NULL, rest);

	if (fd >= 0)
		close(fd);
	return found;
}

/* A part of the piece is written. If lines are shown in another way now, the one of which a part is
 * out begins anew. */
static void leave(
    struct logger *logger, struct stream *stream, const struct chunk *chunk, uint32_t style)
{
	struct store_put *p = &stream->s->put;
	const char *newline = memrchr(chunk->text, '\n', p->done);
	uint32_t whole = newline ? (uint32_t)(newline - chunk->text) + 1 : 0;
	bool torn = style != p->style && p->done > whole;

	if (torn)
		p->done = whole;
	put_leave(logger, stream, chunk);
	stream->s->torn |= torn;
}

void put_recover_file(struct logger *logger, struct stream *stream)
{
	struct store_put *p = &stream->s->put;
	uint32_t style = put_style(stream);
	struct chunk chunk;
	bool same;

	stream->sink->broken = stream;
	if (!sink_ready(logger, stream->sink))
		return;
	put_set_style(stream, p->style);
	same = put_remake(logger, stream, &chunk);
	if (p->done < p->size)
		p->done += (uint32_t)find_written(stream, same ? &chunk : NULL);
	if (p->done == p->size)
		put_complete(stream);
	else if (same)
		leave(logger, stream, &chunk, style);
	else
		put_give_up(stream->s);
	put_set_style(stream, style);
}

static void recover_pipe(struct logger *logger, struct stream *stream)
{
	struct store_put *p = &stream->s->put;
	int left = 0;

	if (ioctl(logger->orders->put[0], FIONREAD, &left) < 0 || (uint32_t)left > p->size)
		left = (int)p->size;
	p->done = p->size - (uint32_t)left;
	if (left == 0) {
		put_complete(stream);
	} else if (p->done == 0) {
		put_phase(p, PUT_FILL);
		put_empty_between(logger);
		put_phase(p, PUT_NONE);
	} else {
		logger->moving = stream;
	}
}

/* What is out of the rest, nobody can tell: it is written, perhaps once more. */
static void recover_other(struct logger *logger, struct stream *stream)
{
	uint32_t style = put_style(stream);
	struct chunk chunk;

	put_set_style(stream, stream->s->put.style);
	if (put_remake(logger, stream, &chunk))
		leave(logger, stream, &chunk, style);
	else
		put_give_up(stream->s);
	put_set_style(stream, style);
}

static void recover(struct logger *logger, struct stream *stream)
{
	struct store_stream *s = stream->s;

	switch ((enum store_phase)s->put.phase) {
	case PUT_NONE:
	case PUT_BROKEN:
		break;
	case PUT_FILE:
		put_recover_file(logger, stream);
		break;
	case PUT_OTHER:
		recover_other(logger, stream);
		break;
	case PUT_MOVE:
		recover_pipe(logger, stream);
		break;
	case PUT_FILL:
		put_phase(&s->put, PUT_NONE);
		break;
	}
	if (s->put.phase == PUT_BROKEN || s->torn || (s->middle && s->out < s->head))
		stream->sink->broken = stream;
}

void put_recover(struct logger *logger)
{
	for (uint32_t i = 0; i < logger->streams; i++) {
		struct stream *stream = &logger->stream[i];

		if (!stream->sink) /* no more of it is written */
			put_phase(&stream->s->put, PUT_NONE);
		else if (!stream->sink->hangs)
			recover(logger, stream);
	}
	if (!logger->moving)
		put_empty_between(logger);
}
