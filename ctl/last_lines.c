#include "ctl/last_lines.h"

#include "ctl/watch.h"
#include "init/clock.h"

#include <string.h>

enum {
	PATIENCE = 300, /* ms that the logger has to mark an end */
	LOOK = 5,       /* ms between two looks */
};

/* Until when the mark of an event may still come; CLOCK_MONOTONIC ms. */
static int64_t patience(const struct board_event *event)
{
	int64_t age = (clock_wall() - event->time) / 1000000;

	return clock_ms() + (age < 0 ? PATIENCE : PATIENCE - age); /* the clock may be set */
}

static bool find_mark(const struct store_reader *store, uint32_t stream,
    const struct board_event *event, bool alive, uint64_t *ret_begin, uint64_t *ret_end)
{
	int64_t limit = alive ? patience(event) : 0;

	while (!store_read_mark(store, stream, event->seq, ret_begin, ret_end)) {
		if (clock_ms() >= limit)
			return false;
		watch_sleep(LOOK);
	}
	return true;
}

/* A store that is not there, or not for us, may be later. */
static bool find_stream(
    struct last_lines *last, const char *rundir, const char *name, uint32_t *ret_stream)
{
	if (!last->store.head && store_read_open(&last->store, rundir) != 0)
		return false;
	return store_read_find(&last->store, name, STORE_ERROR, ret_stream) ||
	       store_read_find(&last->store, name, STORE_OUTPUT, ret_stream);
}

bool last_lines_find(
    struct last_lines *last, const char *rundir, const struct board_event *event, bool alive)
{
	uint64_t begin = 0;
	uint64_t end = 0;
	uint32_t stream = 0;

	if (!find_stream(last, rundir, event->name, &stream) ||
	    !find_mark(&last->store, stream, event, alive, &begin, &end))
		return false;
	uint64_t from = end - begin > LAST_BYTES ? end - LAST_BYTES : begin;
	bool whole = from == begin;
	uint64_t first = from;
	size_t size;
	store_read_copy(&last->store, stream, &first, end, last->bytes, &size);
	last->next =
	    last->bytes + store_read_tail(last->bytes, size, LAST_LINES, whole && first == from);
	last->end = last->bytes + size;
	return size > 0;
}

const char *last_lines_next(struct last_lines *last, size_t *ret_size)
{
	const char *line = last->next;

	if (line == last->end)
		return NULL;
	size_t left = (size_t)(last->end - line);
	const char *newline = memchr(line, '\n', left);
	*ret_size = newline ? (size_t)(newline - line) : left;
	last->next = newline ? newline + 1 : last->end;
	return line;
}

void last_lines_close(struct last_lines *last)
{
	store_read_close(&last->store);
}
