#include "probes/site_internal.h"

#include <errno.h>
#include <string.h>

enum {
	ROOM_LEAST = 2 << 20,     /* of it the ring of events, by 2 KiB each */
	ROOM_SERVICE = 28 * 1024, /* metrics of one with a name of 63 letters, 3 probes */
	ROOM_MOST = 256 * 1024 * 1024,
};

static const char json[] = "application/json";

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

/* --- Routes ------------------------------------------------------------------------ */

enum needs {
	NEEDS_NOTHING = 0,
	NEEDS_PULSE = 1,     /* whether PID 1 answers */
	NEEDS_READINGS = 2,  /* what the services use */
	NEEDS_DASHBOARD = 4, /* `dashboard = yes` */
	NEEDS_CONTROL = 8,   /* `control = yes`; an order to PID 1 */
};

#define API "/api/supervisor"

/* One row for each endpoint. `*` stands for a service's name. */
static const struct route {
	const char *pattern;
	unsigned needs;                                    /* enum needs */
	void (*get)(struct site *site, struct call *call); /* GET and HEAD */
	const char *verb;                                  /* POST: the order */
	const char *doc;
} routes[] = {
    {"/health", NEEDS_PULSE, site_get_health, NULL, "200 while PID 1 answers, else 503"},
    {"/ready", NEEDS_NOTHING, site_get_ready, NULL,
	"200 if every enabled service is ready, else 503"},
    {"/startup", NEEDS_NOTHING, site_get_startup, NULL,
	"200 from when every enabled service was ready, or its startup probe passed, at one time"},
    {"/health/*", NEEDS_NOTHING, site_get_health_of, NULL,
	"200 if the service runs and neither startup nor liveness fails, else 503"},
    {"/ready/*", NEEDS_NOTHING, site_get_ready_of, NULL, "200 if the service is ready, else 503"},
    {"/metrics", NEEDS_PULSE | NEEDS_READINGS, site_get_metrics, NULL,
	"metrics in Prometheus' text format"},
    {API "/status", NEEDS_READINGS, site_get_status, NULL,
	"what sinitctl --json status prints, with what services use just now"},
    {API "/services/*", NEEDS_READINGS, site_get_service, NULL, "one service of it"},
    {API "/services/*/health", NEEDS_NOTHING, site_get_service_health, NULL,
	"the service's probes and what they say"},
    {API "/health", NEEDS_PULSE, site_get_health_all, NULL, "/health with every service's probes"},
    {API "/events", NEEDS_NOTHING, site_get_events, NULL,
	"the last events, oldest first: 100, or limit=N"},
    {API "/summary", NEEDS_NOTHING, site_get_summary, NULL, "counts of services by state"},
    {API "/services/*/start", NEEDS_CONTROL, NULL, "start", "start the service"},
    {API "/services/*/stop", NEEDS_CONTROL, NULL, "stop", "stop it, also over reboots"},
    {API "/services/*/restart", NEEDS_CONTROL, NULL, "restart", "restart it"},
    {API "/reload", NEEDS_CONTROL, NULL, "reload", "read the configuration again"},
    {"/", NEEDS_DASHBOARD, site_get_dashboard, NULL, "a page for people"},
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
	return !(route->needs & NEEDS_CONTROL && !site->control) &&
	       !(route->needs & NEEDS_DASHBOARD && !site->dashboard);
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
	_Static_assert(sizeof(order->name) == sizeof(call->name), "a name fits");
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
	if (route->needs & NEEDS_PULSE && site->pulse == PULSE_UNKNOWN)
		return SITE_NEEDS_PULSE;
	if (route->needs & NEEDS_READINGS && !site->measured)
		return SITE_NEEDS_READINGS;
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
		site_refuse(answer, 404, "there is nothing here");
		return SITE_ANSWERED;
	}
	enum site_verdict verdict = carry_out(site, &call);
	if (verdict == SITE_ANSWERED && answer->body.cut) {
		text_init(&answer->body, answer->body.data, answer->body.size);
		site_refuse(answer, 500, "the answer is too long");
	}
	return verdict;
}
