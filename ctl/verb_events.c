/* events: the board's ring, and with -f what is added to it. */
#include "ctl/last_lines.h"
#include "ctl/match.h"
#include "ctl/watch.h"
#include "init/explain.h"
#include "init/format.h"
#include "init/render.h"

#include <string.h>

enum { FOLLOW_MS = 50, FOLLOW_LINES = 10 /* shown first with -f */ };

struct events {
	struct ctl *ctl;
	struct view view;
	struct last_lines last;
	bool alive; /* the sinit whose board it is */
};

static bool is_meant(const struct ctl *ctl, const struct board_event *event)
{
	if (ctl_has(ctl, OPT_KIND) && !(ctl->kinds >> event->kind % 32 & 1))
		return false;
	for (size_t i = 0; i < ctl->argc; i++)
		if (match_service(ctl->argv[i], event->name))
			return true;
	return ctl->argc == 0;
}

static bool find_lines(struct events *events, const struct board_event *event)
{
	return event->kind == EV_EXIT &&
	       last_lines_find(&events->last, events->ctl->rundir, event, events->alive);
}

static void put_json(struct events *events, const struct board_event *event, const char *blocker)
{
	struct out *out = events->ctl->out;
	struct text *text = out_text(out);
	const char *line, *comma = "";
	size_t size;

	render_event(text, event, blocker);
	if (find_lines(events, event)) {
		text->used--; /* its brace, for one more field */
		out_add(out, ",\"stderr\":[");
		while ((line = last_lines_next(&events->last, &size))) {
			out_add(out, comma);
			out_json_bytes(out, line, size);
			comma = ",";
		}
		out_add(out, "]}");
	}
	out_add(out, "\n");
}

static void put_text(struct events *events, const struct board_event *event, const char *blocker)
{
	struct out *out = events->ctl->out;
	struct text *text = out_text(out);
	char sentence[512];
	struct text message;
	const char *line;
	size_t size;

	text_init(&message, sentence, sizeof(sentence));
	explain_event(&message, event, blocker);
	format_time(text, event->time);
	text_add(text, "  ");
	size_t before = text->used;
	text_add(text, event_kind_name((enum event_kind)event->kind));
	size_t used = text->used - before;
	format_spaces(text, used < 9 ? 11 - used : 2); /* "unhealthy" is the longest */
	format_clean(text, *event->name ? event->name : "sinit");
	text_add(text, ": ");
	format_clean(text, sentence);
	text_add(text, "\n");
	if (find_lines(events, event))
		while ((line = last_lines_next(&events->last, &size))) {
			out_add(out, "    | ");
			out_clean_bytes(out, line, size, false);
			out_add(out, "\n");
		}
}

static void put_event(struct events *events, const struct board_event *event)
{
	char buffer[BOARD_NAME];
	const char *blocker = board_slot_name(&events->view.board, event->blocker, buffer);

	if (ctl_has(events->ctl, OPT_JSON))
		put_json(events, event, blocker);
	else
		put_text(events, event, blocker);
}

static uint64_t oldest(const struct board *board)
{
	uint64_t last = board->head->last_event;

	return last < BOARD_EVENTS ? 1 : last - BOARD_EVENTS + 1;
}

/* The number from which the last `lines` events that are meant come. */
static uint64_t start_of_last(const struct events *events, uint32_t lines)
{
	const struct board *board = &events->view.board;
	struct board_event event;
	uint64_t seq = board->head->last_event + 1;
	uint64_t first = oldest(board);

	while (lines > 0 && seq > first) {
		seq--;
		if (board_read_event(board, seq, &event) && is_meant(events->ctl, &event))
			lines--;
	}
	return seq;
}

/* Prints from *next up to the newest, and tells what was overwritten before it was read. */
static void put_events(struct events *events, uint64_t *next)
{
	const struct board *board = &events->view.board;
	struct board_event event;
	uint64_t last = board->head->last_event;
	uint64_t lost = 0;

	for (; *next <= last; ++*next) {
		uint64_t first = oldest(board);
		if (*next < first) {
			lost += first - *next;
			*next = first;
		}
		if (!board_read_event(board, *next, &event))
			lost++;
		else if (is_meant(events->ctl, &event))
			put_event(events, &event);
	}
	out_flush(events->ctl->out);
	if (lost)
		ctl_error("%llu event%s overwritten before %s could be read",
		    (unsigned long long)lost, lost == 1 ? " was" : "s were",
		    lost == 1 ? "it" : "they");
}

int ctl_events(struct ctl *ctl)
{
	bool follow = ctl_has(ctl, OPT_FOLLOW);
	struct events events = {.ctl = ctl};
	int code = view_open(&events.view, ctl);

	if (code != CTL_OK)
		return code;
	events.alive = events.view.life == BOARD_LIVE;
	uint64_t next = oldest(&events.view.board);
	if (ctl_has(ctl, OPT_LINES))
		next = start_of_last(&events, ctl->lines);
	else if (follow)
		next = start_of_last(&events, FOLLOW_LINES);
	put_events(&events, &next);
	while (follow && !ctl->out->error) {
		events.alive = !view_is_over(&events.view, ctl);
		put_events(&events, &next);
		if (!events.alive)
			break;
		watch_sleep(FOLLOW_MS);
	}
	last_lines_close(&events.last);
	return view_close(&events.view, CTL_OK);
}
