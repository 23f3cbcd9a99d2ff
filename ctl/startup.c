#include "ctl/startup.h"

#include "init/format.h"
#include "init/schema.h"

#include <stdlib.h>
#include <string.h>

/* us after which a failure has nothing to do with the start any more: min_uptime, if nothing else
 * is set. */
enum { EARLY = 10 * 1000000 };

/* --- Rows ------------------------------------------------------------------------------ */

static enum startup_end end_of(const struct board_service *s)
{
	enum state state = (enum state)s->m.state;

	if (s->start.ready)
		return STARTUP_READY;
	if (s->start.failed || state == STATE_FAILED || state == STATE_FATAL)
		return STARTUP_FAILED;
	return s->m.want == WANT_UP ? STARTUP_ON_WAY : STARTUP_STOPPED;
}

static int64_t since(int64_t at, int64_t began)
{
	return at ? at - began : STARTUP_NEVER;
}

bool startup_take(struct startup_row *ret, uint32_t slot, const struct board_service *s,
    const struct board_header *head)
{
	const struct board_start *start = &s->start;
	/* What is broken (boot mode) is never wanted, and should have been. */
	bool broken = s->m.state == STATE_FAILED && s->m.cause == CAUSE_CONFIG && s->enabled;

	if (!start->wanted && !broken)
		return false;
	*ret = (struct startup_row){.slot = slot,
	    .wanted = since(start->wanted, head->began),
	    .executed = since(start->executed, head->began),
	    .ready = since(start->ready, head->began),
	    .failed = since(start->failed, head->began),
	    .ended = since(start->ended, head->began),
	    .end = end_of(s),
	    .oneshot = s->type == TYPE_ONESHOT,
	    .again = s->m.want == WANT_UP && !machine_settled(&s->m),
	    .late = start->wanted && head->asked && start->wanted > head->asked,
	    .blocker = STARTUP_NONE,
	    .let_go = STARTUP_NEVER,
	    .waited = STARTUP_NONE};
	if (s->blocker >= 0)
		ret->blocker = (uint32_t)s->blocker;
	memcpy(ret->name, s->name, sizeof(ret->name));
	ret->name[sizeof(ret->name) - 1] = '\0';
	return true;
}

/* Never is behind everything. */
static int by_time(int64_t a, int64_t b)
{
	uint64_t left = (uint64_t)a;
	uint64_t right = (uint64_t)b;

	return left < right ? -1 : left > right;
}

static int by_execution(const void *a, const void *b)
{
	const struct startup_row *left = a;
	const struct startup_row *right = b;
	int order = (int)left->late - (int)right->late;

	order = order ? order : by_time(left->executed, right->executed);
	order = order ? order : by_time(left->ready, right->ready);
	return order ? order : strcmp(left->name, right->name);
}

void startup_sort(struct startup *startup)
{
	if (startup->rows)
		qsort(startup->row, startup->rows, sizeof(*startup->row), by_execution);
}

/* --- What waited for what ---------------------------------------------------------------- */

/* When `needed` let go a service that was executed at `executed`; STARTUP_NEVER: it did not. A
 * failure lets only those go that would rather have it. */
static int64_t let_go(const struct startup_row *needed, int64_t executed, bool binds)
{
	if (needed->ready != STARTUP_NEVER && needed->ready <= executed)
		return needed->ready;
	return binds || needed->failed > executed ? STARTUP_NEVER : needed->failed;
}

void startup_edge(struct startup *startup, uint32_t from, uint32_t to, const char *how, bool binds)
{
	struct startup_row *row = &startup->row[from];
	const struct startup_row *needed = &startup->row[to];
	int64_t time = let_go(needed, row->executed, binds);

	/* Of one that still waits the board knows for which. */
	if (row->executed == STARTUP_NEVER)
		time = needed->slot == row->blocker ? 0 : STARTUP_NEVER;
	if (time <= row->let_go)
		return;
	row->let_go = time;
	row->waited = to;
	row->how = how;
}

/* --- The whole -------------------------------------------------------------------------- */

static void count(struct startup *startup, const struct startup_row *row)
{
	if (row->wanted != STARTUP_NEVER && by_time(row->wanted, startup->wanted) < 0)
		startup->wanted = row->wanted;
	startup->ready += row->end == STARTUP_READY;
	startup->failed += row->end == STARTUP_FAILED;
	startup->on_way += row->end == STARTUP_ON_WAY;
}

void startup_finish(struct startup *startup)
{
	startup->total = startup->wanted = STARTUP_NEVER;
	startup->last = STARTUP_NONE;
	for (uint32_t i = 0; i < startup->rows; i++) {
		const struct startup_row *row = &startup->row[i];

		if (row->late)
			continue;
		count(startup, row);
		if (row->ready > startup->total) {
			startup->total = row->ready;
			startup->last = i;
		}
	}
	/* Marked ones end it: nothing read from a board goes round in a circle. */
	for (uint32_t i = startup->last; i != STARTUP_NONE && !startup->row[i].critical;) {
		startup->row[i].critical = true;
		i = startup->row[i].waited;
	}
}

int64_t startup_took(const struct startup *startup, const struct startup_row *row)
{
	int64_t end = startup->now;

	if (row->executed == STARTUP_NEVER)
		return STARTUP_NEVER;
	if (row->end == STARTUP_READY)
		end = row->ready;
	else if (row->end == STARTUP_FAILED && row->failed != STARTUP_NEVER)
		end = row->failed;
	else if (row->end == STARTUP_STOPPED && row->ended != STARTUP_NEVER)
		end = row->ended;
	return end > row->executed ? end - row->executed : 0;
}

/* --- In words --------------------------------------------------------------------------- */

void startup_time(struct text *text, int64_t us)
{
	int64_t unit = us < 1000000 ? 1000 : 1000000;
	/* Decimals, as far as they say something. */
	int64_t part = us < 10000 ? 100 : us < 100000 ? 10 : us < 1000000 ? 1 : 1000;
	int64_t rounded = (us + unit / part / 2) / (unit / part);

	format_number(text, rounded / part);
	if (part > 1)
		text_add(text, ".");
	for (part /= 10; part; part /= 10)
		format_number(text, rounded / part % 10);
	text_add(text, unit == 1000 ? " ms" : " s");
}

static void add_waited(
    struct text *text, const struct startup *startup, const struct startup_row *row)
{
	if (row->waited == STARTUP_NONE)
		return;
	if (row->executed != STARTUP_NEVER)
		text_add(text, "after ");
	else
		text_add(text, row->end == STARTUP_ON_WAY ? "waits for " : "for want of ");
	format_clean(text, startup->row[row->waited].name);
	if (row->how && strcmp(row->how, "after") != 0)
		text_addf(text, " (%s)", row->how);
}

static void add_end(struct text *text, const struct startup_row *row)
{
	switch (row->end) {
	case STARTUP_READY:
		if (row->failed == STARTUP_NEVER || row->failed > row->ready + EARLY)
			break;
		text_add(text, "failed ");
		startup_time(text,
		    row->failed < row->ready ? row->ready - row->failed : row->failed - row->ready);
		text_add(text, row->failed < row->ready ? " before it was ready" : " later");
		break;
	case STARTUP_FAILED:
		text_add(text, row->again ? "failed, is tried again" : "failed");
		break;
	case STARTUP_STOPPED:
		text_add(text, "stopped before it was ready");
		break;
	case STARTUP_ON_WAY:
		text_add(text, row->executed == STARTUP_NEVER ? "not executed so far" : "so far");
		break;
	}
}

void startup_note(struct text *text, const struct startup *startup, const struct startup_row *row)
{
	size_t before = text->used;

	add_end(text, row);
	if (row->waited != STARTUP_NONE && text->used > before)
		text_add(text, ", ");
	add_waited(text, startup, row);
	if (!row->late)
		return;
	text_add(text, text->used > before ? ", wanted " : "wanted ");
	startup_time(text, row->wanted);
	text_add(text, " after sinit's start");
}

const char *startup_mode(const struct board_header *head)
{
	static const char *const names[] = {"container", "boot", "foreground"};

	return head->mode < ARRAY_LEN(names) ? names[head->mode] : "unknown";
}
