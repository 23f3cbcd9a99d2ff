/* logs: what the logger keeps of the services' output, and with -f what is added to it. */
#include "ctl/streams.h"
#include "ctl/watch.h"

#include <string.h>

enum {
	FOLLOW_MS = 20,             /* between two looks */
	FLOW_MS = 1,                /* while much comes, so that it is not overwritten before */
	FLOW = STORE_RING / 8,      /* bytes of one stream between two looks that are much */
	FOLLOW_LINES = 10,          /* shown first with -f */
	HELD_MOST = STORE_RING / 2, /* bytes of a line whose end is waited for */
};

struct logs {
	struct ctl *ctl;
	struct streams streams;
	bool json, terminal;
	bool over;                 /* nothing more comes: no line's end is waited for */
	uint64_t flow;             /* most bytes that have come of one stream since the last look */
	const struct source *last; /* of what was put out last */
	bool open;                 /* and that was no whole line */
	char bytes[STORE_RING];
};

/* Are they of more than one service? */
static bool is_mixed(const struct streams *streams)
{
	return streams->shown > 1 && strcmp(streams_label(streams->sorted[0]),
					 streams_label(streams->sorted[streams->shown - 1])) != 0;
}

/* Only one stream is shown, for people: then no line of another one can come between. */
static bool is_alone(const struct logs *logs)
{
	return logs->streams.shown == 1 && !logs->json;
}

/* Bytes go out as they are. */
static bool is_raw(const struct logs *logs)
{
	return is_alone(logs) && !logs->terminal;
}

/* --- Lines ----------------------------------------------------------------------------- */

static void put_json(struct out *out, const struct store_who *who, const char *bytes, size_t size)
{
	static const char *const streams[] = {
	    [STORE_OUTPUT] = "stdout",
	    [STORE_ERROR] = "stderr",
	    [STORE_SYSLOG] = "syslog",
	    [STORE_SINIT] = "sinit",
	};

	out_add(out, "{\"service\":");
	if (who->kind == STORE_OUTPUT || who->kind == STORE_ERROR)
		out_json_bytes(out, who->name, strlen(who->name));
	else
		out_add(out, "null");
	out_add(out, ",\"stream\":\"");
	out_add(out, streams[who->kind]);
	out_add(out, "\",\"line\":");
	out_json_bytes(out, bytes, size);
	out_add(out, "}\n");
}

/* A line, or a piece of one if it is not `whole`. */
static void put_line(
    struct logs *logs, const struct source *source, const char *bytes, size_t size, bool whole)
{
	struct out *out = logs->ctl->out;

	if (logs->json) {
		put_json(out, &source->who, bytes, size);
		return;
	}
	if (logs->open && logs->last != source) {
		out_add(out, "\n");
		logs->open = false;
	}
	if (!logs->open && is_mixed(&logs->streams)) {
		out_clean(out, streams_label(source));
		out_add(out, " | ");
	}
	if (logs->terminal)
		out_clean_bytes(out, bytes, size, logs->ctl->style.colour);
	else
		out_add_bytes(out, bytes, size);
	if (whole)
		out_add(out, "\n");
	logs->open = !whole;
	logs->last = source;
}

/* Puts out the lines of logs->bytes[start .. size-1], of which the first byte is at position
 * `from`. What has no newline is kept back for as long as one may come, unless nobody else's
 * line can come between. */
static void put_lines(
    struct logs *logs, struct source *source, uint64_t from, size_t start, size_t size)
{
	uint32_t index = streams_index(&logs->streams, source);
	uint64_t end = 0; /* position of the next end of a life */
	bool pieces = logs->over || is_raw(logs) || (is_alone(logs) && source->seen == from + size);

	source->seen = from + size;
	while (start < size) {
		const char *line = logs->bytes + start;
		const char *newline = memchr(line, '\n', size - start);
		size_t stop = newline ? (size_t)(newline - logs->bytes) : size;
		if (end <= from + start)
			end = store_read_end(&logs->streams.store, index, from + start);
		bool ended = end <= from + stop;

		if (ended)
			stop = (size_t)(end - from);
		if (!newline && !ended && !pieces && stop - start < HELD_MOST)
			break;
		put_line(logs, source, line, stop - start, newline || ended);
		start = stop + (stop < size && logs->bytes[stop] == '\n');
	}
	source->position = from + start;
}

/* The last lines of what there is. */
static void put_last(struct logs *logs, struct source *source, uint32_t lines)
{
	uint32_t index = streams_index(&logs->streams, source);
	uint64_t from = 0;
	size_t size;

	store_read_copy(&logs->streams.store, index, &from, UINT64_MAX, logs->bytes, &size);
	put_lines(logs, source, from, store_read_tail(logs->bytes, size, lines, from == 0), size);
}

/* What has come since. */
static void put_next(struct logs *logs, struct source *source)
{
	uint32_t index = streams_index(&logs->streams, source);
	uint64_t head = store_read_head(&logs->streams.store, index);
	size_t size, start = 0;

	if (head < source->position) /* it is another one of the same name */
		source->position = source->seen = 0;
	if (head == source->position)
		return;
	if (head - source->seen > logs->flow)
		logs->flow = head - source->seen;
	uint64_t from = source->position;
	bool whole =
	    store_read_copy(&logs->streams.store, index, &from, UINT64_MAX, logs->bytes, &size);
	if (!whole && !logs->over)
		return; /* it may still be there the next time */
	if (!streams_same(&logs->streams, source))
		return; /* it has become another one's meanwhile */
	if (from > source->position) {
		start = store_read_tail(logs->bytes, size, UINT32_MAX, false);
		out_flush(logs->ctl->out);
		ctl_error("%s: %llu bytes were overwritten before they could be read",
		    streams_label(source), (unsigned long long)(from + start - source->position));
	}
	put_lines(logs, source, from, start, size);
}

/* --- The verb -------------------------------------------------------------------------- */

static void put_all(struct logs *logs)
{
	struct streams *streams = &logs->streams;
	uint32_t lines = ctl_has(logs->ctl, OPT_FOLLOW) ? FOLLOW_LINES : UINT32_MAX;

	if (ctl_has(logs->ctl, OPT_LINES))
		lines = logs->ctl->lines;
	for (uint32_t i = 0; i < streams->shown; i++)
		put_last(logs, streams->sorted[i], lines);
	out_flush(logs->ctl->out);
}

static void follow(struct logs *logs)
{
	struct streams *streams = &logs->streams;

	while (!logs->over && !logs->ctl->out->error) {
		watch_sleep(logs->flow > FLOW ? FLOW_MS : FOLLOW_MS);
		logs->flow = 0;
		logs->over = view_is_over(&streams->view, logs->ctl);
		streams_scan(streams);
		for (uint32_t i = 0; i < streams->shown; i++)
			put_next(logs, streams->sorted[i]);
		out_flush(logs->ctl->out);
	}
}

int ctl_logs(struct ctl *ctl)
{
	struct logs logs = {.ctl = ctl,
	    .json = ctl_has(ctl, OPT_JSON),
	    .terminal = ctl->style.width > 0,
	    .over = !ctl_has(ctl, OPT_FOLLOW)};
	int code = streams_open(&logs.streams, ctl);

	if (code == CTL_OK) {
		code = streams_check(&logs.streams);
		put_all(&logs);
		if (logs.streams.shown > 0)
			follow(&logs);
		if (logs.open && !is_raw(&logs))
			out_add(ctl->out, "\n");
	}
	streams_close(&logs.streams);
	return code;
}
