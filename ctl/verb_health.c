/* health: what the probes say of each service, and whether everything is well that should
 * be. */
#include "ctl/ctl.h"
#include "ctl/view.h"
#include "init/format.h"
#include "init/render.h"

#include <string.h>

enum { COLUMN = 11 /* "READINESS" and a gap */, READY_COLUMN = 7 };

/* What is off, or was stopped by hand, is not expected to be ready; who names it asks for
 * it all the same. */
static bool is_meant(const struct ctl *ctl, const struct board_service *s)
{
	return ctl->argc || s->m.want == WANT_UP || (s->enabled && !s->by_hand);
}

static bool is_well(const struct board_service *s)
{
	return board_service_ready(s) && board_service_healthy(s);
}

static struct look look_of(const struct board_service *s)
{
	bool failing = s->probe[PROBE_READINESS].health == HEALTH_FAILING ||
		       s->probe[PROBE_LIVENESS].health == HEALTH_FAILING ||
		       s->probe[PROBE_STARTUP].health == HEALTH_FAILING;

	return view_look(failing ? STATE_FAILED : (enum state)s->m.state);
}

static void put_column(struct text *text, const char *word, size_t width)
{
	size_t used = format_columns(word);

	format_clean(text, word);
	format_spaces(text, used < width ? width - used : 1);
}

static const char *health_word(const struct board_service *s, enum probe_role role)
{
	const char *name = render_health_name(s->probe[role].health);

	return name ? name : "-";
}

static void put_row(
    struct ctl *ctl, const struct view *view, const struct view_row *row, size_t width)
{
	const struct board_service *s = &row->s;
	const struct style *style = &ctl->style;
	struct text *text = out_text(ctl->out);
	struct look look = look_of(s);
	char blocker[BOARD_NAME], raw[512], clean[2048];
	struct board_words words;
	struct text why, shown;
	size_t before = (style->utf8 ? 2 : 0) + width + READY_COLUMN + COLUMN * PROBE_ROLES;

	if (style->utf8) {
		view_paint(style, text, look.colour, true);
		text_add(text, look.mark);
		view_paint(style, text, look.colour, false);
		text_add(text, " ");
	}
	put_column(text, s->name, width);
	put_column(text, board_service_ready(s) ? "yes" : "no", READY_COLUMN);
	for (unsigned role = 0; role < PROBE_ROLES; role++)
		put_column(text, health_word(s, (enum probe_role)role), COLUMN);
	text_init(&why, raw, sizeof(raw));
	board_read_words(&view->board, row->slot, s, &words);
	render_why(&why, s, board_slot_name(&view->board, s->blocker, blocker), &words, view->now);
	text_init(&shown, clean, sizeof(clean));
	format_clean(&shown, why.used ? raw : "-");
	format_cut(text, clean,
	    !style->width                ? shown.used
	    : style->width > before + 20 ? style->width - before
					 : 20,
	    style->utf8 ? "…" : "~");
	text_add(text, "\n");
}

static void put_table(struct ctl *ctl, const struct view *view)
{
	struct text *text = out_text(ctl->out);
	size_t width = strlen("NAME");

	for (size_t i = 0; i < view->count; i++) {
		size_t columns = format_columns(view->rows[i]->s.name);
		if (is_meant(ctl, &view->rows[i]->s) && columns > width)
			width = columns;
	}
	width += 2;
	text_add(text, ctl->style.utf8 ? "  " : "");
	put_column(text, "NAME", width);
	put_column(text, "READY", READY_COLUMN);
	put_column(text, "STARTUP", COLUMN);
	put_column(text, "LIVENESS", COLUMN);
	put_column(text, "READINESS", COLUMN);
	text_add(text, "WHY\n");
	for (size_t i = 0; i < view->count; i++)
		if (is_meant(ctl, &view->rows[i]->s))
			put_row(ctl, view, view->rows[i], width);
}

static void put_json(struct ctl *ctl, const struct view *view, bool all)
{
	const char *comma = "";
	char blocker[BOARD_NAME];
	struct board_words words;

	text_add(out_text(ctl->out),
	    all ? "{\"ready\":true,\"checks\":{" : "{\"ready\":false,\"checks\":{");
	for (size_t i = 0; i < view->count; i++) {
		const struct board_service *s = &view->rows[i]->s;
		struct text *text = out_text(ctl->out);
		if (!is_meant(ctl, s))
			continue;
		text_add(text, comma);
		text_json(text, s->name);
		text_add(text, is_well(s) ? ":true" : ":false");
		comma = ",";
	}
	text_add(out_text(ctl->out), "},\"services\":[");
	comma = "";
	for (size_t i = 0; i < view->count; i++) {
		const struct board_service *s = &view->rows[i]->s;
		struct text *text = out_text(ctl->out);
		if (!is_meant(ctl, s))
			continue;
		text_add(text, comma);
		board_read_words(&view->board, view->rows[i]->slot, s, &words);
		render_health(
		    text, s, board_slot_name(&view->board, s->blocker, blocker), &words, view->now);
		comma = ",";
	}
	text_add(out_text(ctl->out), "]}\n");
}

int ctl_health(struct ctl *ctl)
{
	struct view view;
	int code = view_open(&view, ctl);

	if (code != CTL_OK)
		return code;
	code = view_load(&view, ctl->argv, ctl->argc);
	bool all = view.life == BOARD_LIVE && view.board.head->phase < PHASE_STOPPING;
	for (size_t i = 0; i < view.count; i++)
		if (is_meant(ctl, &view.rows[i]->s) && !is_well(&view.rows[i]->s))
			all = false;
	if (ctl_has(ctl, OPT_JSON))
		put_json(ctl, &view, all);
	else if (view.count || !ctl->argc)
		put_table(ctl, &view);
	if (view.life != BOARD_LIVE) {
		ctl_error("sinit is not running on %s any more", ctl->rundir);
		return view_close(&view, CTL_NOT_RUNNING);
	}
	if (code == CTL_OK && !all)
		code = CTL_FAILED;
	return view_close(&view, code);
}
