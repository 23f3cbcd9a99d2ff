/* The responder's routes and metrics, over a made board. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "probes/metrics.h"
#include "probes/site.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CAPACITY = 8, NOW = 5000000, EDGES = PROBE_BUCKETS + 1 };

#define WALL (INT64_C(1714564800) * 1000000000) /* 2024-05-01T12:00:00Z */

struct fixture {
	struct site site;
	struct probe_stats stats[CAPACITY * PROBE_ROLES];
	struct http_answer answer;
	struct responder_order order;
	char *body;
	size_t room;
};

static struct fixture *f;

static struct board_service *add(const char *name, enum state state)
{
	struct board *board = &f->site.board;
	uint32_t slot = board->head->count++;
	struct board_service *s = &board->services[slot];

	board_begin(s);
	s->used = slot + 1;
	snprintf(s->name, sizeof(s->name), "%s", name);
	s->m.state = (uint8_t)state;
	s->m.want = WANT_UP;
	s->enabled = 1;
	s->blocker = -1;
	s->m.ready = state == STATE_RUNNING || state == STATE_DONE;
	s->m.main_alive = state == STATE_RUNNING;
	s->m.started = NOW - 1500;
	s->ready_at = s->m.ready ? NOW - 1000 : 0;
	board_end(s);
	return s;
}

static int setup(void **state)
{
	(void)state;
	f = calloc(1, sizeof(*f));
	if (!f || board_create(&f->site.board, -1, CAPACITY) != 0)
		return 1;
	f->room = site_room(&f->site.board);
	f->body = malloc(f->room);
	f->site.copies = calloc(CAPACITY, sizeof(*f->site.copies));
	f->site.readings = calloc(CAPACITY, sizeof(*f->site.readings));
	f->site.board.head->started = NOW - 60000;
	f->site.board.head->started_wall = WALL - INT64_C(60000) * 1000000;
	f->site.board.head->phase = PHASE_RUNNING;
	f->site.dashboard = true;
	f->site.pulse = PULSE_ALIVE;
	f->site.measured = true;
	f->site.now = NOW;
	f->site.wall = WALL;
	return !f->body || !f->site.copies || !f->site.readings;
}

static int teardown(void **state)
{
	(void)state;
	board_close(&f->site.board);
	free(f->site.copies);
	free(f->site.readings);
	free(f->body);
	free(f);
	return 0;
}

static enum site_verdict ask(const char *line)
{
	char buffer[512];
	struct http_request request;
	size_t length;

	int size = snprintf(buffer, sizeof(buffer), "%s HTTP/1.1\r\nHost: x\r\n\r\n", line);
	assert_int_equal(http_parse(buffer, (size_t)size, &request, &length), 0);
	text_init(&f->answer.body, f->body, f->room);
	return site_answer(&f->site, &request, &f->answer, &f->order);
}

static void answers(unsigned status, const char *line, const char *body)
{
	assert_int_equal(ask(line), SITE_ANSWERED);
	if (f->answer.status != status || (body && strcmp(body, f->body) != 0))
		fail_msg("%s: %u\n%s", line, f->answer.status, f->body);
}

static void has(const char *part)
{
	if (!strstr(f->body, part))
		fail_msg("no \"%s\" in:\n%s", part, f->body);
}

static void has_not(const char *part)
{
	if (strstr(f->body, part))
		fail_msg("\"%s\" in:\n%s", part, f->body);
}

/* --- Routes ------------------------------------------------------------------------ */

#define STAMP "\"timestamp\":\"2024-05-01T12:00:00.000Z\""

static void test_health(void **state)
{
	(void)state;
	answers(
	    200, "GET /health", "{\"status\":\"healthy\"," STAMP ",\"uptime_seconds\":60.000}\n");
	f->site.pulse = PULSE_NONE;
	answers(503, "GET /health",
	    "{\"status\":\"unhealthy\"," STAMP ",\"uptime_seconds\":60.000,"
	    "\"reason\":\"PID 1 does not answer\"}\n");
	f->site.pulse = PULSE_UNKNOWN;
	assert_int_equal(ask("GET /health"), SITE_NEEDS_PULSE);
	assert_int_equal(ask("GET /metrics"), SITE_NEEDS_PULSE);
	assert_int_equal(ask("GET /api/supervisor/health"), SITE_NEEDS_PULSE);
	assert_int_equal(ask("GET /ready"), SITE_ANSWERED);
	assert_int_equal(ask("POST /health"), SITE_ANSWERED);
}

static void test_ready(void **state)
{
	(void)state;
	answers(200, "GET /ready", "{\"ready\":true," STAMP ",\"checks\":{}}\n");
	add("web", STATE_RUNNING);
	struct board_service *s = add("db", STATE_STARTING);
	add("off", STATE_STOPPED)->enabled = 0;
	answers(503, "GET /ready",
	    "{\"ready\":false," STAMP ",\"checks\":{\"web\":true,\"db\":false}}\n");
	answers(503, "GET /ready/db", NULL);
	answers(404, "GET /ready/dbx", NULL);
	s->m.ready = 1;
	answers(200, "GET /ready",
	    "{\"ready\":true," STAMP ",\"checks\":{\"web\":true,\"db\":true}}\n");
	/* The readiness probe takes it out again, but it is no less healthy. */
	s->m.state = STATE_RUNNING;
	s->probe[PROBE_READINESS] = (struct board_probe){HEALTH_FAILING, FAULT_STATUS, {0}, 500};
	answers(503, "GET /ready", NULL);
	answers(503, "GET /ready/db", NULL);
	has("\"why\":\"readiness: HTTP status 500\"");
	answers(200, "GET /health/db", NULL);
	s->probe[PROBE_READINESS].health = HEALTH_PASSING;
	answers(200, "GET /ready", NULL);
	s->probe[PROBE_LIVENESS].health = HEALTH_FAILING;
	answers(503, "GET /health/db", NULL);
	f->site.board.head->phase = PHASE_STOPPING;
	answers(503, "GET /ready",
	    "{\"ready\":false," STAMP ",\"checks\":{\"web\":true,\"db\":true}}\n");
}

static void test_startup(void **state)
{
	(void)state;
	struct board_service *s = add("web", STATE_STARTING);
	answers(503, "GET /startup", "{\"started\":false," STAMP ",\"checks\":{\"web\":false}}\n");
	s->m.ready = 1;
	add("db", STATE_STARTING)->probe[PROBE_STARTUP].health = HEALTH_PASSING;
	/* That all are is PID 1's word, which it does not take back. */
	answers(503, "GET /startup",
	    "{\"started\":false," STAMP ",\"checks\":{\"web\":true,\"db\":true}}\n");
	f->site.board.head->all_started = 1;
	s->m.ready = 0;
	answers(200, "GET /startup", "{\"started\":true," STAMP "}\n");
}

static void test_names_cannot_leave_their_quotes(void **state)
{
	(void)state;
	add("a\"b\\c\n<", STATE_FAILED);
	answers(503, "GET /ready",
	    "{\"ready\":false," STAMP ",\"checks\":{\"a\\\"b\\\\c\\n<\":false}}\n");
	answers(400, "GET /health/a%22b%5Cc%0a<", NULL); /* no name has control characters */
}

static void test_orders(void **state)
{
	(void)state;
	add("web@1", STATE_RUNNING);
	answers(404, "POST /api/supervisor/reload", NULL);
	f->site.control = true;
	assert_int_equal(ask("POST /api/supervisor/services/web%401/restart"), SITE_ORDERED);
	assert_string_equal(f->order.verb, "restart");
	assert_string_equal(f->order.name, "web@1");
	assert_string_equal(f->order.token, "");
	assert_int_equal(ask("POST /api/supervisor/reload"), SITE_ORDERED);
	assert_string_equal(f->order.name, "");
	answers(405, "GET /api/supervisor/reload", NULL);
	assert_string_equal(f->answer.more, "Allow: POST\r\n");
	answers(405, "POST /api/supervisor/status", NULL);
	assert_string_equal(f->answer.more, "Allow: GET, HEAD\r\n");
	answers(404, "POST /api/supervisor/services/web%401/kill", NULL);
}

static void test_events(void **state)
{
	(void)state;
	answers(200, "GET /api/supervisor/events", "{\"events\":[]}\n");
	for (int i = 0; i < BOARD_EVENTS + 10; i++)
		board_event(&f->site.board,
		    &(struct board_event){.kind = EV_READY, .name = "web", .blocker = -1}, WALL);
	answers(200, "GET /api/supervisor/events?limit=2", NULL);
	has("{\"events\":[{\"seq\":1033,\"time\":\"2024-05-01T12:00:00.000Z\",\"service\":\"web\","
	    "\"event\":\"ready\",");
	answers(200, "GET /api/supervisor/events?limit=5000", NULL);
	has("{\"events\":[{\"seq\":11,");
	has("{\"seq\":1034,");
	answers(400, "GET /api/supervisor/events?limit=many", NULL);
}

static void test_every_route_is_documented_and_answers(void **state)
{
	struct site_route_doc doc;
	unsigned row = 0;
	(void)state;

	add("*", STATE_RUNNING);
	f->site.control = true;
	f->site.board.head->all_started = 1;
	for (; site_document(row, &doc); row++) {
		char line[128];
		assert_true(*doc.doc);
		snprintf(line, sizeof(line), "%s %s", doc.method, doc.pattern);
		enum site_verdict verdict = ask(line);
		assert_int_equal(
		    verdict, strcmp(doc.method, "POST") ? SITE_ANSWERED : SITE_ORDERED);
		if (verdict == SITE_ANSWERED && f->answer.status != 200)
			fail_msg("%s: %u\n%s", line, f->answer.status, f->body);
	}
	assert_true(row > 15);
	f->site.dashboard = false;
	answers(404, "GET /", NULL);
}

/* --- Metrics ----------------------------------------------------------------------- */

static void test_metrics_of_sinit(void **state)
{
	(void)state;
	struct board_header *head = f->site.board.head;
	head->orphans = 7;
	board_event(&f->site.board, &(struct board_event){.kind = EV_OOM}, WALL);
	board_event(&f->site.board, &(struct board_event){.kind = EV_OOM}, WALL);
	answers(200, "GET /metrics", NULL);
	has("# HELP sinit_up Whether PID 1 answers.\n# TYPE sinit_up gauge\nsinit_up 1\n");
	has("\nsinit_uptime_seconds 60\n");
	has("\nsinit_start_time_seconds 1714564740\n");
	has("\nsinit_orphans_reaped_total 7\n");
	has("\nsinit_events_total{event=\"oom\"} 2\n");
	has("\nsinit_events_total{event=\"start\"} 0\n");
	has_not("sinit_loop_lag_seconds"); /* no pong yet: no family either */
	has_not("sinit_service_");
	f->site.pong = (struct responder_pong){.kind = RESPONDER_PONG,
	    .open_files = 12,
	    .resident_kib = 3,
	    .loop_lag_us = 1002003,
	    .turns = 9};
	f->site.pulse = PULSE_NONE;
	answers(200, "GET /metrics", NULL);
	has("\nsinit_up 0\n");
	has("\nsinit_loop_lag_seconds 1.002003\n");
	has("\nsinit_resident_memory_bytes 3072\n");
	has("\nsinit_open_fds 12\n");
}

static void test_P107_metrics_of_services(void **state)
{
	(void)state;
	struct board_service *s = add("we\"b\\-1.x\n", STATE_RUNNING);
	s->total = (struct board_totals){.restarts = {[RESTARTED_OOM] = 3},
	    .failures = 4,
	    .recoveries = 2,
	    .ready_ms = 7000,
	    .repair_ms = 250};
	s = add("down", STATE_BACKOFF);
	s->m.delay = 1500;
	s->m.exit_kind = LAST_KILLED;
	s->m.exit_code = 9;
	add("gone", STATE_STOPPED)->used = 0;
	answers(200, "GET /metrics", NULL);
	has("sinit_service_state{service=\"we\\\"b\\\\-1.x\\n\",state=\"running\"} 1\n");
	has("sinit_service_state{service=\"we\\\"b\\\\-1.x\\n\",state=\"fatal\"} 0\n");
	has("sinit_service_restarts_total{service=\"we\\\"b\\\\-1.x\\n\",reason=\"oom\"} 3\n");
	has("sinit_service_ready_seconds_total{service=\"we\\\"b\\\\-1.x\\n\"} 8\n");
	has("sinit_service_mtbf_seconds{service=\"we\\\"b\\\\-1.x\\n\"} 2\n");
	has("sinit_service_mttr_seconds{service=\"we\\\"b\\\\-1.x\\n\"} 0.125\n");
	has("sinit_service_uptime_seconds{service=\"we\\\"b\\\\-1.x\\n\"} 1.5\n");
	has("sinit_service_start_time_seconds{service=\"we\\\"b\\\\-1.x\\n\"} 1714564798.5\n");
	has("sinit_service_backoff_seconds{service=\"down\"} 1.5\n");
	has("sinit_service_last_exit_signal{service=\"down\"} 9\n");
	has("sinit_service_last_exit_code{service=\"down\"} 0\n");
	has_not("sinit_service_mttr_seconds{service=\"down\"");
	has_not("sinit_service_start_time_seconds{service=\"down\"");
	has_not("gone");
	has_not("sinit_probe_");
}

static void test_metrics_of_probes(void **state)
{
	(void)state;
	struct board_service *s = add("web", STATE_RUNNING);
	struct probe_stats *stats = &f->stats[PROBE_LIVENESS];
	s->probe[PROBE_LIVENESS].health = HEALTH_PASSING;
	answers(200, "GET /metrics", NULL);
	has("sinit_probe_passing{service=\"web\",probe=\"liveness\"} 1\n");
	has_not("probe=\"readiness\"");
	has_not("sinit_probe_duration_seconds"); /* no numbers */
	f->site.stats = f->stats;
	f->site.stats_count = CAPACITY * PROBE_ROLES;
	answers(200, "GET /metrics", NULL);
	has_not("sinit_probe_duration_seconds"); /* of another service */
	stats->generation = s->used;
	stats->passed = 5;
	stats->failed = 2;
	stats->timeouts = 1;
	stats->latency_sum = 1500000;
	for (unsigned i = 0; i < EDGES; i++)
		stats->bucket[i] = 1;
	answers(200, "GET /metrics", NULL);
	has("sinit_probe_checks_total{service=\"web\",probe=\"liveness\",result=\"passed\"} 5\n");
	has("sinit_probe_checks_total{service=\"web\",probe=\"liveness\",result=\"failed\"} 2\n");
	has("sinit_probe_timeouts_total{service=\"web\",probe=\"liveness\"} 1\n");
	has("# TYPE sinit_probe_duration_seconds histogram\n"
	    "sinit_probe_duration_seconds_bucket{service=\"web\",probe=\"liveness\",le=\"0.0005\"} "
	    "1\n"
	    "sinit_probe_duration_seconds_bucket{service=\"web\",probe=\"liveness\",le=\"0.001\"} "
	    "2\n");
	has("probe=\"liveness\",le=\"5\"} 10\n"
	    "sinit_probe_duration_seconds_bucket{service=\"web\",probe=\"liveness\",le=\"+Inf\"} "
	    "11\n"
	    "sinit_probe_duration_seconds_sum{service=\"web\",probe=\"liveness\"} 1.5\n"
	    "sinit_probe_duration_seconds_count{service=\"web\",probe=\"liveness\"} 11\n");
	/* Fewer numbers than the board has slots. */
	f->site.stats_count = PROBE_LIVENESS;
	answers(200, "GET /metrics", NULL);
	has_not("sinit_probe_duration_seconds");
}

static void test_the_longest_metrics_have_room(void **state)
{
	char name[BOARD_NAME];
	(void)state;

	memset(name, 'n', sizeof(name));
	name[BOARD_NAME - 1] = '\0';
	f->site.stats = f->stats;
	f->site.stats_count = CAPACITY * PROBE_ROLES;
	for (unsigned i = 0; i < CAPACITY; i++) {
		struct board_service *s = add(name, STATE_RUNNING);
		struct board_reading reading;
		memset(&reading, 0x7f, sizeof(reading));
		s->slice = SLICE_THERE | SLICE_MEASURED;
		assert_int_equal(board_write_reading(&f->site.board, i, &reading), 0);
		s->m.exit_kind = LAST_EXITED;
		memset(&s->total, 0x7f, sizeof(s->total));
		for (unsigned role = 0; role < PROBE_ROLES; role++) {
			struct probe_stats *stats = &f->stats[i * PROBE_ROLES + role];
			s->probe[role].health = HEALTH_FAILING;
			memset(stats, 0x70, sizeof(*stats));
			stats->generation = s->used;
		}
	}
	strcpy(f->site.board.head->cgroup, "/");
	answers(200, "GET /metrics", NULL);
	/* The least room there is for one service, without the fixed part. */
	size_t room = f->room - site_room(&(struct board){.head = &(struct board_header){0}});
	if (f->answer.body.used > room)
		fail_msg("%zu bytes, room for %zu", f->answer.body.used, room);
}

static void test_metrics_are_documented(void **state)
{
	struct metrics_doc doc;
	unsigned row = 0;
	(void)state;

	for (; metrics_document(row, &doc); row++) {
		size_t length = strlen(doc.name);
		bool total = length > 6 && strcmp(doc.name + length - 6, "_total") == 0;
		assert_int_equal(total, strcmp(doc.type, "counter") == 0);
		assert_true(doc.help[strlen(doc.help) - 1] == '.');
	}
	assert_true(row > 30);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_health),
	    TEST(test_ready),
	    TEST(test_startup),
	    TEST(test_names_cannot_leave_their_quotes),
	    TEST(test_orders),
	    TEST(test_events),
	    TEST(test_every_route_is_documented_and_answers),
	    TEST(test_metrics_of_sinit),
	    TEST(test_P107_metrics_of_services),
	    TEST(test_metrics_of_probes),
	    TEST(test_the_longest_metrics_have_room),
	    TEST(test_metrics_are_documented),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
