#include "probes/site.h"

#include "init/format.h"
#include "init/render.h"
#include "probes/metrics.h"

#include <errno.h>
#include <string.h>

enum {
	ROOM_LEAST = 512 * 1024,  /* the ring of events takes 400 KiB of it */
	ROOM_SERVICE = 24 * 1024, /* metrics of one with a name of 63 letters, 3 probes */
	ROOM_MOST = 256 * 1024 * 1024,
	EVENTS_DEFAULT = 100,
};

static const char json[] = "application/json";

/* One request on its way. */
struct call {
	const struct http_request *request;
	const struct route *route;
	char name[BOARD_NAME]; /* what stands for * in the pattern */
	struct http_answer *answer;
	struct responder_order *order;
};

size_t site_room(const struct board *board)
{
	uint64_t room = ROOM_LEAST + (uint64_t)board->head->capacity * ROOM_SERVICE;

	return room < ROOM_MOST ? (size_t)room : ROOM_MOST;
}

/* --- Small answers ----------------------------------------------------------------- */

void site_refuse(struct http_answer *answer, unsigned status, const char *why)
{
	answer->status = status;
	answer->type = json;
	text_add(&answer->body, "{\"error\":");
	text_json(&answer->body, why);
	text_add(&answer->body, "}\n");
}

void site_ordered(struct http_answer *answer, unsigned status, const char *message)
{
	answer->status = status;
	answer->type = json;
	if (status == 401)
		answer->more = "WWW-Authenticate: Bearer\r\n";
	text_add(&answer->body, status == 200 ? "{\"ok\":true" : "{\"ok\":false");
	text_add(&answer->body, ",\"message\":");
	text_json(&answer->body, message);
	text_add(&answer->body, "}\n");
}

static void not_found(struct call *call, const char *why)
{
	site_refuse(call->answer, 404, why);
}

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

/* The next service in use from slot *slot on. */
static bool next_service(const struct site *site, uint32_t *slot, struct board_service *ret)
{
	uint32_t count = site->board.head->count;

	while (*slot < count)
		if (board_read(&site->board, (*slot)++, ret))
			return true;
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
static bool find_service(const struct site *site, const char *name, struct board_service *ret)
{
	uint32_t count = site->board.head->count;
	uint32_t capacity = site->board.head->capacity;

	for (uint32_t i = 0; i < count && i < capacity; i++)
		if (strncmp(site->board.services[i].name, name, BOARD_NAME) == 0 &&
		    board_read(&site->board, i, ret) && strcmp(ret->name, name) == 0)
			return true;
	return false;
}

/* A service of that name, or 404. */
static bool named(struct site *site, struct call *call, struct board_service *ret)
{
	if (find_service(site, call->name, ret))
		return true;
	not_found(call, "no such service");
	return false;
}

static void add_service(const struct site *site, struct text *text, const struct board_service *s)
{
	char buffer[BOARD_NAME];

	render_service(
	    text, s, BOARD_LIVE, board_slot_name(&site->board, s->blocker, buffer), site->now);
}

static void add_health(const struct site *site, struct text *text, const struct board_service *s)
{
	char buffer[BOARD_NAME];

	render_health(text, s, board_slot_name(&site->board, s->blocker, buffer), site->now);
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

static void get_health(struct site *site, struct call *call)
{
	begin_health(site, call);
	text_add(&call->answer->body, "}\n");
}

static void get_health_all(struct site *site, struct call *call)
{
	struct text *text = &call->answer->body;
	struct board_service s;
	bool first = true;

	begin_health(site, call);
	text_add(text, ",\"services\":[");
	for (uint32_t slot = 0; next_service(site, &slot, &s); first = false) {
		text_add(text, first ? "" : ",");
		add_health(site, text, &s);
	}
	text_add(text, "]}\n");
}

static void get_health_of(struct site *site, struct call *call)
{
	struct text *text = &call->answer->body;
	struct board_service s;

	if (!named(site, call, &s))
		return;
	bool good = board_service_healthy(&s);
	call->answer->status = good ? 200 : 503;
	text_add(text, good ? "{\"status\":\"healthy\"" : "{\"status\":\"unhealthy\"");
	add_timestamp(site, text);
	text_add(text, ",\"service\":");
	add_health(site, text, &s);
	text_add(text, "}\n");
}

static void get_ready_of(struct site *site, struct call *call)
{
	struct text *text = &call->answer->body;
	struct board_service s;

	if (!named(site, call, &s))
		return;
	bool ready = board_service_ready(&s);
	call->answer->status = ready ? 200 : 503;
	add_boolean(text, "{\"ready\":", ready);
	add_timestamp(site, text);
	text_add(text, ",\"service\":");
	add_health(site, text, &s);
	text_add(text, "}\n");
}

/* Has it ever been ready? What has recovered or has counted time in which it was ready has,
 * though it may be down now. */
static bool ready_once(const struct board_service *s)
{
	return s->m.ready || s->ready_at || s->total.ready_ms || s->total.recoveries ||
	       s->probe[PROBE_STARTUP].health == HEALTH_PASSING;
}

static bool is_checked(const struct board_service *s)
{
	return s->used && s->enabled;
}

/* {KEY:bool,"timestamp","checks":{NAME:bool}} of the enabled services. */
static bool put_checks(struct site *site, struct call *call, const char *yes, const char *no,
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
	return all;
}

static void get_ready(struct site *site, struct call *call)
{
	put_checks(site, call, "{\"ready\":true", "{\"ready\":false", board_service_ready,
	    !stopping(site));
}

static void get_startup(struct site *site, struct call *call)
{
	/* Kubernetes asks no more when it has had its 200; nor does a reload undo a start. */
	if (site->started) {
		call->answer->status = 200;
		text_add(&call->answer->body, "{\"started\":true");
		add_timestamp(site, &call->answer->body);
		text_add(&call->answer->body, "}\n");
		return;
	}
	site->started =
	    put_checks(site, call, "{\"started\":true", "{\"started\":false", ready_once, true);
}

/* --- Supervisor -------------------------------------------------------------------- */

static void get_status(struct site *site, struct call *call)
{
	struct text *text = &call->answer->body;
	struct board_service s;
	bool first = true;

	text_add(text, "{\"sinit\":");
	render_sinit(text, site->board.head, BOARD_LIVE, site->now);
	text_add(text, ",\"services\":[");
	for (uint32_t slot = 0; next_service(site, &slot, &s); first = false) {
		text_add(text, first ? "" : ",");
		add_service(site, text, &s);
	}
	text_add(text, "]}\n");
}

static void get_service(struct site *site, struct call *call)
{
	struct board_service s;

	if (!named(site, call, &s))
		return;
	add_service(site, &call->answer->body, &s);
	text_add(&call->answer->body, "\n");
}

static void get_service_health(struct site *site, struct call *call)
{
	struct board_service s;

	if (!named(site, call, &s))
		return;
	add_health(site, &call->answer->body, &s);
	text_add(&call->answer->body, "\n");
}

static void get_summary(struct site *site, struct call *call)
{
	struct render_counts counts = {0};
	struct board_service s;

	for (uint32_t slot = 0; next_service(site, &slot, &s);)
		render_count(&counts, &s);
	render_summary(&call->answer->body, site->board.head, BOARD_LIVE, &counts, site->now);
	text_add(&call->answer->body, "\n");
}

static void get_events(struct site *site, struct call *call)
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

static void get_metrics(struct site *site, struct call *call)
{
	struct metrics metrics = {
	    .head = site->board.head,
	    .services = site->copies,
	    .stats = site->stats,
	    .stats_count = site->stats_count,
	    .pong = site->pong.kind ? &site->pong : NULL,
	    .alive = site->pulse == PULSE_ALIVE,
	    .now = site->now,
	};

	metrics.count = copy_all(site);
	call->answer->type = "text/plain; version=0.0.4; charset=utf-8";
	metrics_render(&call->answer->body, &metrics);
}

static void get_dashboard(struct site *site, struct call *call)
{
	(void)site;
	call->answer->type = "text/html; charset=utf-8";
	call->answer->more = dashboard_headers;
	text_add(&call->answer->body, dashboard_page);
}

/* --- Routes ------------------------------------------------------------------------ */

enum needs {
	NEEDS_NOTHING,
	NEEDS_PULSE,     /* whether PID 1 answers */
	NEEDS_DASHBOARD, /* `dashboard = yes` */
	NEEDS_CONTROL,   /* `control = yes`; an order to PID 1 */
};

#define API "/api/supervisor"

/* One row for each endpoint. `*` stands for a service's name. */
static const struct route {
	const char *pattern;
	enum needs needs;
	void (*get)(struct site *site, struct call *call); /* GET and HEAD */
	const char *verb;                                  /* POST: the order */
	const char *doc;
} routes[] = {
    {"/health", NEEDS_PULSE, get_health, NULL, "200 while PID 1 answers, else 503"},
    {"/ready", NEEDS_NOTHING, get_ready, NULL, "200 if every enabled service is ready, else 503"},
    {"/startup", NEEDS_NOTHING, get_startup, NULL,
	"200 once every enabled service has been ready or its startup probe has passed"},
    {"/health/*", NEEDS_NOTHING, get_health_of, NULL,
	"200 if the service runs and neither startup nor liveness fails, else 503"},
    {"/ready/*", NEEDS_NOTHING, get_ready_of, NULL, "200 if the service is ready, else 503"},
    {"/metrics", NEEDS_PULSE, get_metrics, NULL, "metrics in Prometheus' text format"},
    {API "/status", NEEDS_NOTHING, get_status, NULL, "what sinitctl --json status prints"},
    {API "/services/*", NEEDS_NOTHING, get_service, NULL, "one service of it"},
    {API "/services/*/health", NEEDS_NOTHING, get_service_health, NULL,
	"the service's probes and what they say"},
    {API "/health", NEEDS_PULSE, get_health_all, NULL, "/health with every service's probes"},
    {API "/events", NEEDS_NOTHING, get_events, NULL,
	"the last events, oldest first: 100, or limit=N"},
    {API "/summary", NEEDS_NOTHING, get_summary, NULL, "counts of services by state"},
    {API "/services/*/start", NEEDS_CONTROL, NULL, "start", "start the service"},
    {API "/services/*/stop", NEEDS_CONTROL, NULL, "stop", "stop it, also over reboots"},
    {API "/services/*/restart", NEEDS_CONTROL, NULL, "restart", "restart it"},
    {API "/reload", NEEDS_CONTROL, NULL, "reload", "read the configuration again"},
    {"/", NEEDS_DASHBOARD, get_dashboard, NULL, "a page for people"},
};

bool site_document(unsigned row, struct site_route_doc *ret)
{
	if (row >= ARRAY_LEN(routes))
		return false;
	*ret = (struct site_route_doc){
	    routes[row].get ? "GET" : "POST", routes[row].pattern, routes[row].doc};
	return true;
}

/* Does the path fit the pattern? *ret_name is what stands at its `*`, not decoded. */
static bool fits(const char *pattern, struct http_piece path, struct http_piece *ret_name)
{
	size_t at = 0;

	for (; *pattern; pattern++) {
		if (*pattern != '*') {
			if (at >= path.length || path.at[at++] != *pattern)
				return false;
			continue;
		}
		size_t start = at;
		while (at < path.length && path.at[at] != '/')
			at++;
		*ret_name = (struct http_piece){path.at + start, at - start};
	}
	return at == path.length;
}

static bool is_offered(const struct site *site, const struct route *route)
{
	return route->needs == NEEDS_CONTROL     ? site->control
	       : route->needs == NEEDS_DASHBOARD ? site->dashboard
						 : true;
}

static const struct route *find_route(
    const struct site *site, struct http_piece path, struct http_piece *ret_name)
{
	for (size_t i = 0; i < ARRAY_LEN(routes); i++)
		if (is_offered(site, &routes[i]) && fits(routes[i].pattern, path, ret_name))
			return &routes[i];
	return NULL;
}

static enum site_verdict make_order(struct call *call)
{
	const struct http_request *request = call->request;
	struct responder_order *order = call->order;

	/* A browser that some web page sends here says so by Origin, and has no token. */
	if (request->origin && !request->token.length) {
		site_refuse(call->answer, 403, "orders from web pages need the token");
		return SITE_ANSWERED;
	}
	if (request->token.length >= sizeof(order->token)) {
		site_ordered(call->answer, 401, "this is not the token");
		return SITE_ANSWERED;
	}
	memset(order, 0, sizeof(*order));
	memcpy(order->verb, call->route->verb, strlen(call->route->verb));
	memcpy(order->name, call->name, sizeof(order->name));
	if (request->token.length)
		memcpy(order->token, request->token.at, request->token.length);
	return SITE_ORDERED;
}

static enum site_verdict carry_out(struct site *site, struct call *call)
{
	const struct route *route = call->route;
	bool reads = call->request->method == HTTP_GET || call->request->method == HTTP_HEAD;

	if (route->get ? !reads : call->request->method != HTTP_POST) {
		site_refuse(call->answer, 405, "this method is not for this path");
		call->answer->more = route->get ? "Allow: GET, HEAD\r\n" : "Allow: POST\r\n";
		return SITE_ANSWERED;
	}
	if (!route->get)
		return make_order(call);
	if (route->needs == NEEDS_PULSE && site->pulse == PULSE_UNKNOWN)
		return SITE_NEEDS_PULSE;
	route->get(site, call);
	return SITE_ANSWERED;
}

enum site_verdict site_answer(struct site *site, const struct http_request *request,
    struct http_answer *answer, struct responder_order *order)
{
	struct call call = {.request = request, .answer = answer, .order = order};
	struct http_piece name = {0};

	answer->status = 200;
	answer->type = json;
	answer->more = NULL;
	call.route = find_route(site, request->path, &name);
	int error = call.route ? http_decode(name, call.name, sizeof(call.name)) : -ENOENT;
	if (error == -EINVAL) {
		site_refuse(answer, 400, "the name is not well encoded");
		return SITE_ANSWERED;
	}
	if (error) {
		not_found(&call, "there is nothing here");
		return SITE_ANSWERED;
	}
	enum site_verdict verdict = carry_out(site, &call);
	if (verdict == SITE_ANSWERED && answer->body.cut) {
		text_init(&answer->body, answer->body.data, answer->body.size);
		site_refuse(answer, 500, "the answer is too long");
	}
	return verdict;
}
