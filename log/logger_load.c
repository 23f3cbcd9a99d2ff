/* What PID 1 wants, and the store. */
#include "log/logger.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* The next stream's orders; NULL: there are no more. */
static const struct logger_stream *next_stream(
    const struct logger_orders *orders, const struct logger_stream *before)
{
	if (!before)
		return (const void *)(orders + 1);
	return (const void *)((const char *)before + before->size);
}

static bool same_target(const struct sink *sink, const struct logger_stream *wanted)
{
	return sink->where == wanted->sink &&
	       (wanted->sink != LOGGER_FILE || strcmp(sink->path, wanted->path) == 0);
}

/* Of the streams with one target the last one that a service has says how its files are kept, and
 * is spoken of. */
static struct sink *find_sink(struct logger *logger, const struct logger_stream *wanted)
{
	struct sink *sink = NULL;

	if (wanted->sink == LOGGER_NOWHERE)
		return NULL;
	for (uint32_t i = 0; i < logger->sinks && !sink; i++)
		if (same_target(&logger->sink[i], wanted))
			sink = &logger->sink[i];
	if (!sink) {
		sink = &logger->sink[logger->sinks++];
		sink->where = wanted->sink;
		sink->path = wanted->path;
		sink->place.directory = -1;
	}
	if (wanted->error)
		sink->error = sink->told = wanted->error;
	if (sink->streams++ && wanted->retired)
		return sink;
	sink->index = wanted->index;
	sink->max_size = wanted->max_size;
	sink->keep = wanted->keep;
	sink->gzip = wanted->gzip;
	sink->uid = wanted->uid;
	sink->gid = wanted->gid;
	/* What the logger before this one did not come to. */
	sink->compress = wanted->gzip;
	return sink;
}

/* A new stream is made in a record that was none's, or another one's before. */
static void set_record(struct store_stream *s, const struct logger_stream *wanted)
{
	if (s->used && (s->kind != wanted->kind || strcmp(s->name, wanted->name) != 0))
		s->used = 0;
	if (s->used)
		return;
	atomic_signal_fence(memory_order_seq_cst);
	memset(s, 0, sizeof(*s));
	s->kind = wanted->kind;
	s->forwarded = STORE_NEVER;
	strncpy(s->name, wanted->name, sizeof(s->name) - 1);
	atomic_store_explicit(&s->used, 1, memory_order_release);
}

/* What is being written is in the ring. */
static bool is_sane(const struct store_stream *s)
{
	const struct store_put *p = &s->put;

	if (s->out > s->head || s->head - s->out > STORE_RING || p->phase > PUT_MOVE)
		return false;
	if (p->phase == PUT_NONE || p->phase == PUT_BROKEN)
		return p->phase == PUT_NONE || p->rest <= LINES_MOST;
	return p->begin <= p->end && p->end <= s->head && s->head - p->begin <= STORE_RING &&
	       p->done <= p->size && p->size <= LOGGER_BUFFER;
}

/* Twice, one behind the other. NULL: there is no room. */
static char *map_ring(uint64_t offset)
{
	char *twice = mmap(NULL, 2 * STORE_RING, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (twice == MAP_FAILED)
		return NULL;
	for (size_t i = 0; i < 2; i++)
		if (mmap(twice + i * STORE_RING, STORE_RING, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_FIXED, HELPER_STORE, (off_t)offset) == MAP_FAILED)
			return NULL;
	return twice;
}

static const char *stream_word(const struct logger_stream *wanted)
{
	if (!wanted->apart)
		return NULL;
	return wanted->kind == STORE_ERROR ? "stderr" : "stdout";
}

static int add_stream(struct logger *logger, const struct logger_stream *wanted)
{
	struct stream *stream = &logger->stream[logger->streams];
	uint64_t ring = logger->head->rings + (uint64_t)wanted->index * STORE_RING;
	bool held = logger->head->hung == (STORE_PIPE | (wanted->index + 1));

	if (wanted->index >= logger->head->capacity)
		return -EPROTO;
	*stream = (struct stream){.s = store_stream(logger->head, wanted->index),
	    .ring = map_ring(ring),
	    .index = wanted->index,
	    .fd = held ? -1 : wanted->fd,
	    .held = held,
	    .retired = wanted->retired};
	if (!stream->ring)
		return -ENOMEM;
	set_record(stream->s, wanted);
	if (!is_sane(stream->s))
		return -EPROTO;
	stream->sink = find_sink(logger, wanted);
	stream->style = (struct lines_style){.format = wanted->format,
	    .prefix = wanted->prefix,
	    .colour = stream->sink && stream->sink->where == LOGGER_STDOUT && isatty(STDOUT_FILENO),
	    .name = wanted->name,
	    .stream = stream_word(wanted)};
	for (unsigned i = 0; i < LOGGER_ENDS; i++)
		stream_end(
		    logger, stream, wanted->ended[i].event, wanted->ended[i].at, wanted->end);
	logger->by_index[wanted->index] = stream;
	logger->streams++;
	return 0;
}

static void *map_file(int fd, int protection, size_t least, size_t *ret_size)
{
	struct stat info;
	void *memory;

	if (fstat(fd, &info) < 0 || (size_t)info.st_size < least)
		return NULL;
	memory = mmap(NULL, (size_t)info.st_size, protection, MAP_SHARED, fd, 0);
	*ret_size = (size_t)info.st_size;
	return memory == MAP_FAILED ? NULL : memory;
}

/* Whatever somebody has done to the file: nothing outside of it is touched. */
static bool is_store(const struct store_head *head, size_t size)
{
	uint64_t rings = store_rings(head->capacity);

	return head->magic == STORE_MAGIC && head->version == STORE_VERSION &&
	       head->rings == rings && size == rings + (uint64_t)head->capacity * STORE_RING;
}

/* Records of services that are none any more. */
static void forget_others(struct logger *logger)
{
	for (uint32_t i = 0; i < logger->head->capacity; i++)
		if (!logger->by_index[i])
			store_stream(logger->head, i)->used = 0;
}

/* The file or pipe with which a logger before this one sits in the kernel. */
static void note_hung(const struct logger *logger)
{
	struct store_head *head = logger->head;

	if (!logger->orders->hangs)
		head->hung = 0;
	else if (!head->hung)
		head->hung = head->doing;
}

static void find_hung(struct logger *logger)
{
	const struct store_head *head = logger->head;
	const struct stream *stream;

	stream =
	    head->hung && head->hung <= head->capacity ? logger->by_index[head->hung - 1] : NULL;
	if (stream && stream->sink && stream->sink->where == LOGGER_FILE)
		stream->sink->hangs = true;
}

int logger_load(struct logger *logger)
{
	const struct logger_stream *wanted = NULL;
	size_t size;

	logger->orders = map_file(HELPER_ORDERS, PROT_READ, sizeof(*logger->orders), &size);
	logger->head = map_file(HELPER_STORE, PROT_READ | PROT_WRITE, sizeof(*logger->head), &size);
	if (!logger->orders || !logger->head || !is_store(logger->head, size))
		return -EPROTO;
	logger->stream = calloc(logger->orders->streams + 1, sizeof(*logger->stream));
	logger->sink = calloc(logger->orders->streams + 1, sizeof(*logger->sink));
	logger->by_index = calloc(logger->head->capacity, sizeof(struct stream *));
	if (!logger->stream || !logger->sink || !logger->by_index)
		return -ENOMEM;
	note_hung(logger);
	for (uint32_t i = 0; i < logger->orders->streams; i++) {
		int error;

		wanted = next_stream(logger->orders, wanted);
		error = add_stream(logger, wanted);
		if (error)
			return error;
	}
	forget_others(logger);
	find_hung(logger);
	return 0;
}
