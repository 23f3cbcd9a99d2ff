/* What the endpoints answer to GET. */
#include "init/format.h"
#include "init/render.h"
#include "probes/metrics.h"
#include "probes/site_internal.h"

#include <errno.h>
#include <string.h>

enum { EVENTS_DEFAULT = 100 };

/* --- Pieces ------------------------------------------------------------------------ */

static void add_boolean(struct text *text, const char *key, bool value)
{
	text_add(text, key);
	text_add(text, value ? "true" : "false");
}

static void add_timestamp(const struct site *site, struct text *text)
{
	text_add(text, ",\"timestamp\":\"");
	format_time(text, site->wall);
	text_add(text, "\"");
}

/* --- The board --------------------------------------------------------------------- */

/* A service's record, and where it is. */
struct found {
	struct board_service s;
	uint32_t slot;
};

/* The next service in use from slot *next on. */
static bool next_service(const struct site *site, uint32_t *next, struct found *ret)
{
	uint32_t count = site->board.head->count;

	while (*next < count) {
		ret->slot = (*next)++;
		if (board_read(&site->board, ret->slot, &ret->s))
			return true;
	}
	return false;
}

/* Copies every slot, so that an answer is of one moment; a free one has used == 0. Returns
 * their number. */
static uint32_t copy_all(struct site *site)
{
	uint32_t count = site->board.head->count;
	uint32_t capacity = site->board.head->capacity;

	if (count > capacity)
		count = capacity;
	for (uint32_t i = 0; i < count; i++)
		if (!board_read(&site->board, i, &site->copies[i]))
			site->copies[i].used = 0;
	return count;
}

/* By a look at the names, and then a proper reading of the one that is meant. */
static bool find_service(const struct site *site, const char *name, struct found *ret)
{
	uint32_t count = site->board.head->count;
	uint32_t capacity = site->board.head->capacity;

	for (uint32_t i = 0; i < count && i < capacity; i++)
		if (strncmp(site->board.services[i].name, name, BOARD_NAME) == 0 &&
		    board_read(&site->board, i, &ret->s) && strcmp(ret->s.name, name) == 0) {
			ret->slot = i;
			return true;
		}
	return false;
}

/* A service of that name, or 404. */
static bool named(struct site *site, struct call *call, struct found *ret)
{
	if (find_service(site, call->name, ret))
		return true;
	site_refuse(call->answer, 404, "no such service");
	return false;
}

static void add_service(const struct site *site, struct text *text, const struct found *found)
{
	const struct board *board = &site->board;
	struct render_about about = {
	    .life = BOARD_LIVE, .now = site->now, .cgroup = board->head->cgroup};
	char blocker[BOARD_NAME];

	about.blocker = board_slot_name(board, found->s.blocker, blocker);
	about.measured = board_read_reading(board, found->slot, &found->s, &about.reading);
	board_read_words(board, found->slot, &found->s, &about.words);
	render_service(text, &found->s, &about);
}

static void add_health(const struct site *site, struct text *text, const struct found *found)
{
	const struct board_service *s = &found->s;
	char buffer[BOARD_NAME];
	struct board_words words;

	board_read_words(&site->board, found->slot, s, &words);
	render_health(
	    text, s, board_slot_name(&site->board, s->blocker, buffer), &words, site->now);
}

static bool stopping(const struct site *site)
{
	return site->board.head->phase >= PHASE_STOPPING;
}

/* --- Health ------------------------------------------------------------------------ */

/* "status","timestamp","uptime_seconds", with the brace left open. */
static void begin_health(struct site *site, struct call *call)
{
	struct text *text = &call->answer->body;
	bool alive = site->pulse == PULSE_ALIVE;

	call->answer->status = alive ? 200 : 503;
	text_add(text, alive ? "{\"status\":\"healthy\"" : "{\"status\":\"unhealthy\"");
	add_timestamp(site, text);
	text_add(text, ",\"uptime_seconds\":");
	format_seconds(text, site->now - site->board.head->started);
	if (!alive)
		text_add(text, ",\"reason\":\"PID 1 does not answer\"");
}

void site_get_health(struct site *site, struct call *call)
{
	begin_health(site, call);
	text_add(&call->answer->body, "}\n");
}

void site_get_health_all(struct site *site, struct call *call)
{
	struct text *text = &call->answer->body;
	struct found found;
	bool first = true;

	begin_health(site, call);
	text_add(text, ",\"services\":[");
	for (uint32_t next = 0; next_service(site, &next, &found); first = false) {
		text_add(text, first ? "" : ",");
		add_health(site, text, &found);
	}
	text_add(text, "]}\n");
}

void site_get_health_of(struct site *site, struct call *call)
{
	struct text *text = &call->answer->body;
	struct found found;

	if (!named(site, call, &found))
		return;
	bool good = board_service_healthy(&found.s);
	call->answer->status = good ? 200 : 503;
	text_add(text, good ? "{\"status\":\"healthy\"" : "{\"status\":\"unhealthy\"");
	add_timestamp(site, text);
	text_add(text, ",\"service\":");
	add_health(site, text, &found);
	text_add(text, "}\n");
}

void site_get_ready_of(struct site *site, struct call *call)
{
	struct text *text = &call->answer->body;
	struct found found;

	if (!named(site, call, &found))
		return;
	bool ready = board_service_ready(&found.s);
	call->answer->status = ready ? 200 : 503;
	add_boolean(text, "{\"ready\":", ready);
	add_timestamp(site, text);
	text_add(text, ",\"service\":");
	add_health(site, text, &found);
	text_add(text, "}\n");
}

static bool is_checked(const struct board_service *s)
{
	return s->used && s->enabled;
}

/* {KEY:bool,"timestamp","checks":{NAME:bool}} of the enabled services. */
static void put_checks(struct site *site, struct call *call, const char *yes, const char *no,
    bool (*good)(const struct board_service *s), bool all)
{
	struct text *text = &call->answer->body;
	uint32_t count = copy_all(site);
	bool first = true;

	for (uint32_t i = 0; all && i < count; i++)
		all = !is_checked(&site->copies[i]) || good(&site->copies[i]);
	call->answer->status = all ? 200 : 503;
	text_add(text, all ? yes : no);
	add_timestamp(site, text);
	text_add(text, ",\"checks\":{");
	for (uint32_t i = 0; i < count; i++) {
		if (!is_checked(&site->copies[i]))
			continue;
		text_add(text, first ? "" : ",");
		text_json(text, site->copies[i].name);
		add_boolean(text, ":", good(&site->copies[i]));
		first = false;
	}
	text_add(text, "}}\n");
}

void site_get_ready(struct site *site, struct call *call)
{
	put_checks(site, call, "{\"ready\":true", "{\"ready\":false", board_service_ready,
	    !stopping(site));
}

void site_get_startup(struct site *site, struct call *call)
{
	/* Kubernetes asks no more when it has had its 200; nor does a reload undo a start. */
	if (site->board.head->all_started) {
		call->answer->status = 200;
		text_add(&call->answer->body, "{\"started\":true");
		add_timestamp(site, &call->answer->body);
		text_add(&call->answer->body, "}\n");
		return;
	}
	put_checks(
	    site, call, "{\"started\":true", "{\"started\":false", board_service_started, false);
}

/* --- Supervisor -------------------------------------------------------------------- */

void site_get_status(struct site *site, struct call *call)
{
	struct text *text = &call->answer->body;
	struct found found;
	bool first = true;

	text_add(text, "{\"sinit\":");
	render_sinit(text, site->board.head, BOARD_LIVE, site->now);
	text_add(text, ",\"services\":[");
	for (uint32_t next = 0; next_service(site, &next, &found); first = false) {
		text_add(text, first ? "" : ",");
		add_service(site, text, &found);
	}
	text_add(text, "]}\n");
}

void site_get_service(struct site *site, struct call *call)
{
	struct found found;

	if (!named(site, call, &found))
		return;
	add_service(site, &call->answer->body, &found);
	text_add(&call->answer->body, "\n");
}

void site_get_service_health(struct site *site, struct call *call)
{
	struct found found;

	if (!named(site, call, &found))
		return;
	add_health(site, &call->answer->body, &found);
	text_add(&call->answer->body, "\n");
}

void site_get_summary(struct site *site, struct call *call)
{
	struct render_counts counts = {0};
	struct found found;

	for (uint32_t next = 0; next_service(site, &next, &found);)
		render_count(&counts, &found.s);
	render_summary(&call->answer->body, site->board.head, BOARD_LIVE, &counts, site->now);
	text_add(&call->answer->body, "\n");
}

void site_get_events(struct site *site, struct call *call)
{
	struct text *text = &call->answer->body;
	uint64_t last = site->board.head->last_event;
	uint32_t limit = EVENTS_DEFAULT;
	struct board_event event;
	char buffer[BOARD_NAME];
	bool first = true;

	int error = http_query_number(call->request->query, "limit", &limit);
	if (error == -EINVAL) {
		site_refuse(call->answer, 400, "limit is not a number");
		return;
	}
	if (error == -ERANGE || limit > BOARD_EVENTS)
		limit = BOARD_EVENTS;
	text_add(text, "{\"events\":[");
	for (uint64_t seq = last > limit ? last - limit + 1 : 1; limit && seq <= last; seq++) {
		if (!board_read_event(&site->board, seq, &event))
			continue;
		text_add(text, first ? "" : ",");
		render_event(text, &event, board_slot_name(&site->board, event.blocker, buffer));
		first = false;
	}
	text_add(text, "]}\n");
}

static void copy_readings(struct site *site, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (!board_read_reading(&site->board, i, &site->copies[i], &site->readings[i]))
			site->copies[i].slice &= (uint8_t)~SLICE_MEASURED;
}

void site_get_metrics(struct site *site, struct call *call)
{
	struct metrics metrics = {
	    .head = site->board.head,
	    .services = site->copies,
	    .readings = site->readings,
	    .stats = site->stats,
	    .stats_count = site->stats_count,
	    .pong = site->pong.kind ? &site->pong : NULL,
	    .alive = site->pulse == PULSE_ALIVE,
	    .now = site->now,
	};

	metrics.count = copy_all(site);
	copy_readings(site, metrics.count);
	call->answer->type = "text/plain; version=0.0.4; charset=utf-8";
	metrics_render(&call->answer->body, &metrics);
}

void site_get_dashboard(struct site *site, struct call *call)
{
	(void)site;
	call->answer->type = "text/html; charset=utf-8";
	call->answer->more = dashboard_headers;
	text_add(&call->answer->body, dashboard_page);
}
