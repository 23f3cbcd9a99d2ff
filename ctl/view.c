#include "ctl/view.h"

#include "ctl/match.h"
#include "init/clock.h"
#include "init/explain.h"
#include "init/format.h"
#include "init/value.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum board_life view_life(const char *rundir, int32_t *ret_pid)
{
	struct board board;
	enum board_life life = BOARD_ABSENT;

	*ret_pid = 0;
	if (board_open(&board, rundir, &life) != 0)
		return life;
	*ret_pid = board.head->pid;
	board_close(&board);
	return life;
}

/* The time of a dead sinit's last event by its own clock, so that its last words are
 * about the moment it ended: it may be long ago, or before a reboot. */
static int64_t last_moment(const struct board *board)
{
	struct board_event event;

	if (!board_read_event(board, board->head->last_event, &event))
		return board->head->started;
	return board->head->started + (event.time - board->head->started_wall) / 1000000;
}

int view_open(struct view *view, const struct ctl *ctl)
{
	*view = (struct view){0};
	int error = board_open(&view->board, ctl->rundir, &view->life);
	if (error == 0) {
		view->now = view->life == BOARD_LIVE ? clock_ms() : last_moment(&view->board);
		return CTL_OK;
	}
	if (error == -ENOENT && view->life == BOARD_LIVE) {
		ctl_error(
		    "sinit is alive on %s, but there is no %s/board: it is only starting, or the "
		    "board was removed, or there was no room for it; HUP makes sinit look after it",
		    ctl->rundir, ctl->rundir);
		return CTL_FAILED;
	}
	if (error == -ENOENT || error == -ENOTDIR) {
		ctl_error("no sinit has been running on %s: there is no %s/board. Is it running, "
			  "and with -r %s?",
		    ctl->rundir, ctl->rundir, ctl->rundir);
		return CTL_NOT_RUNNING;
	}
	if (error == -EACCES || error == -EPERM)
		ctl_error("permission denied: %s/board cannot be read; try as the user that sinit "
			  "runs as",
		    ctl->rundir);
	else if (error == -EPROTO)
		ctl_error("%s/board has another layout than that of sinitctl " SINIT_VERSION
			  ": use the sinitctl that came with the running sinit",
		    ctl->rundir);
	else
		ctl_error("cannot read %s/board: %s", ctl->rundir, strerror(-error));
	return CTL_FAILED;
}

bool view_is_over(const struct view *view, const struct ctl *ctl)
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

int view_close(struct view *view, int code)
{
	arena_free(&view->arena);
	board_close(&view->board);
	return code;
}

static int by_name(const void *a, const void *b)
{
	const struct view_row *const *left = a;
	const struct view_row *const *right = b;

	return strcmp((*left)->s.name, (*right)->s.name);
}

/* Says that a name means nothing, and which one was perhaps meant. */
static void say_unknown(const struct view *view, const char *name)
{
	unsigned best = value_slips(name) + 1;
	struct board_service s;
	char near[BOARD_NAME] = "";

	if (match_is_pattern(name)) {
		ctl_error("no service matches %s; sinitctl status lists them", name);
		return;
	}
	for (uint32_t i = 0; i < view->board.head->count; i++) {
		if (!board_read(&view->board, i, &s))
			continue;
		unsigned slips = value_distance(name, s.name, best);
		if (slips < best) {
			best = slips;
			memcpy(near, s.name, sizeof(near));
		}
	}
	if (*near)
		ctl_error("there is no service %s; did you mean %s?", name, near);
	else
		ctl_error("there is no service %s; sinitctl status lists them", name);
}

/* A look at a slot's name without copying its record, most of which nobody asked for.
 * A name that changes meanwhile is seen by the proper reading that follows. */
static bool peek(const struct view *view, uint32_t slot, const char *const *names, size_t count)
{
	const char *name = view->board.services[slot].name;

	if (count == 0)
		return true;
	if (name[BOARD_NAME - 1])
		return false;
	for (size_t n = 0; n < count; n++)
		if (match_service(names[n], name))
			return true;
	return false;
}

/* Copies a slot's record if it is meant, and marks the names that mean it. */
static bool take(const struct view *view, uint32_t slot, const char *const *names, size_t count,
    bool *meant, struct view_row *row)
{
	bool wanted = count == 0;

	if (!board_read(&view->board, slot, &row->s))
		return false;
	for (size_t n = 0; n < count; n++)
		if (match_service(names[n], row->s.name))
			wanted = meant[n] = true;
	row->slot = slot;
	return wanted;
}

int view_load(struct view *view, const char *const *names, size_t count)
{
	const struct board_header *head = view->board.head;
	uint32_t slots = head->count < head->capacity ? head->count : head->capacity, hits = 0;
	uint32_t *hit = arena_get(&view->arena, slots * sizeof(*hit));
	int code = CTL_OK;

	for (uint32_t i = 0; hit && i < slots; i++)
		if (peek(view, i, names, count))
			hit[hits++] = i;
	struct view_row *row = arena_get(&view->arena, hits * sizeof(*row));
	bool *meant = arena_get(&view->arena, count);
	view->rows = arena_get(&view->arena, hits * sizeof(struct view_row *));
	if (!hit || !row || !meant || !view->rows) {
		ctl_error("out of memory");
		return CTL_FAILED;
	}
	for (uint32_t i = 0; i < hits; i++)
		if (take(view, hit[i], names, count, meant, row))
			view->rows[view->count++] = row++;
	for (size_t n = 0; n < count; n++)
		if (!meant[n]) {
			say_unknown(view, names[n]);
			code = CTL_UNKNOWN;
		}
	qsort(view->rows, view->count, sizeof(struct view_row *), by_name);
	return code;
}

void view_reason(
    const struct view *view, uint32_t slot, const struct board_service *s, struct text *text)
{
	struct board_words words;
	char name[BOARD_NAME];
	char raw[512];
	struct text reason;

	text_init(&reason, raw, sizeof(raw));
	board_read_words(&view->board, slot, s, &words);
	explain_reason(
	    &reason, s, board_slot_name(&view->board, s->blocker, name), &words, view->now);
	if (!reason.used && s->log_dropped)
		text_addf(&reason, "%llu line%s of its output lost so far",
		    (unsigned long long)s->log_dropped, s->log_dropped == 1 ? "" : "s");
	format_clean(text, raw);
}

struct look view_look(enum state state)
{
	switch (state) {
	case STATE_RUNNING:
	case STATE_DONE:
		return (struct look){"32", "✓"};
	case STATE_WAITING:
	case STATE_STARTING:
	case STATE_STOPPING:
	case STATE_CLEANUP:
	case STATE_BACKOFF:
		return (struct look){"33", "↻"};
	case STATE_FAILED:
	case STATE_FATAL:
		return (struct look){"31", "✗"};
	case STATE_STOPPED:
		break;
	}
	return (struct look){"2", "○"};
}

void view_paint(const struct style *style, struct text *text, const char *colour, bool on)
{
	if (!style->colour)
		return;
	text_add(text, "\033[");
	text_add(text, on ? colour : "0");
	text_add(text, "m");
}
