/* events: the board's ring, and with -f what is added to it. */
#include "ctl/ctl.h"
#include "init/format.h"
#include "ctl/match.h"
#include "init/render.h"
#include "ctl/view.h"
#include "ctl/watch.h"
#include "init/explain.h"

#include <string.h>
#include <sys/stat.h>

enum { FOLLOW_MS = 50, FOLLOW_LINES = 10 /* shown first with -f */ };

static bool is_meant(const struct ctl *ctl, const struct board_event *event)
{
	if (ctl_has(ctl, OPT_KIND) && !(ctl->kinds >> event->kind % 32 & 1))
		return false;
	for (size_t i = 0; i < ctl->argc; i++)
		if (match_service(ctl->argv[i], event->name))
			return true;
	return ctl->argc == 0;
}

static void put_event(struct ctl *ctl, const struct view *view, const struct board_event *event)
{
	struct text *text = out_text(ctl->out);
	char buffer[BOARD_NAME];
	const char *blocker = board_slot_name(&view->board, event->blocker, buffer);
	char sentence[512];
	struct text message;

	if (ctl_has(ctl, OPT_JSON)) {
		render_event(text, event, blocker);
		text_add(text, "\n");
		return;
	}
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
}

static uint64_t oldest(const struct board *board)
{
	uint64_t last = board->head->last_event;

	return last < BOARD_EVENTS ? 1 : last - BOARD_EVENTS + 1;
}

/* The number from which the last `lines` events that are meant come. */
static uint64_t start_of_last(const struct ctl *ctl, const struct view *view, uint32_t lines)
{
	struct board_event event;
	uint64_t seq = view->board.head->last_event + 1;
	uint64_t first = oldest(&view->board);

	while (lines > 0 && seq > first) {
		seq--;
		if (board_read_event(&view->board, seq, &event) && is_meant(ctl, &event))
			lines--;
	}
	return seq;
}

/* Prints from *next up to the newest, and tells what was overwritten before it was read. */
static void put_events(struct ctl *ctl, const struct view *view, uint64_t *next)
{
	struct board_event event;
	uint64_t last = view->board.head->last_event;
	uint64_t lost = 0;

	for (; *next <= last; ++*next) {
		uint64_t first = oldest(&view->board);
		if (*next < first) {
			lost += first - *next;
			*next = first;
		}
		if (!board_read_event(&view->board, *next, &event))
			lost++;
		else if (is_meant(ctl, &event))
			put_event(ctl, view, &event);
	}
	out_flush(ctl->out);
	if (lost)
		ctl_error("%llu event%s overwritten before %s could be read",
		    (unsigned long long)lost, lost == 1 ? " was" : "s were",
		    lost == 1 ? "it" : "they");
}

/* Has the sinit whose board this is ended? Another one that has taken its place has a
 * board of its own. */
static bool is_over(const struct ctl *ctl, const struct view *view)
{
	struct board now;
	enum board_life life = BOARD_ABSENT;
	struct stat ours;
	struct stat theirs;

	if (board_open(&now, ctl->rundir, &life) != 0)
		return life != BOARD_LIVE;
	bool same = fstat(view->board.fd, &ours) == 0 && fstat(now.fd, &theirs) == 0 &&
		    ours.st_ino == theirs.st_ino && ours.st_dev == theirs.st_dev;
	board_close(&now);
	return life != BOARD_LIVE || !same;
}

int ctl_events(struct ctl *ctl)
{
	bool follow = ctl_has(ctl, OPT_FOLLOW);
	struct view view;
	int code = view_open(&view, ctl);

	if (code != CTL_OK)
		return code;
	uint64_t next = oldest(&view.board);
	if (ctl_has(ctl, OPT_LINES))
		next = start_of_last(ctl, &view, ctl->lines);
	else if (follow)
		next = start_of_last(ctl, &view, FOLLOW_LINES);
	put_events(ctl, &view, &next);
	while (follow && !ctl->out->error) {
		bool over = is_over(ctl, &view);
		put_events(ctl, &view, &next);
		if (over)
			break;
		watch_sleep(FOLLOW_MS);
	}
	return view_close(&view, CTL_OK);
}
