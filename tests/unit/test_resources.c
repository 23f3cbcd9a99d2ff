/* What services use: as JSON, as metrics, and when the responder has to ask for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "init/render.h"
#include "probes/metrics.h"
#include "probes/site.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CAPACITY = 4, NOW = 5000000, ROOM = 1 << 20 };

static const struct board_reading whole = {
    .time = NOW - 12,
    .have = 2 * READING_PRESSURE - 1,
    .pids_current = 12,
    .pids_max = 50,
    .pressure = {[PRESSURE_MEMORY] = 150, [PRESSURE_CPU] = 2505, [PRESSURE_IO] = 10000},
    .stalled = {[PRESSURE_MEMORY] = 11, [PRESSURE_CPU] = 22000000, [PRESSURE_IO] = 1500000},
    .memory_current = 33554432,
    .memory_peak = 40000000,
    .memory_max = 67108864,
    .swap_current = 8192,
    .cpu_usage = 1234567,
    .cpu_throttled = 4500,
    .io_read = 4096,
    .io_written = INT64_C(5000000000),
};

static char json[ROOM];

static const char *resources(const struct board_reading *reading)
{
	struct text text;

	text_init(&text, json, sizeof(json));
	render_resources(&text, reading, NOW);
	return json;
}

static void test_all_numbers(void **state)
{
	(void)state;
	assert_string_equal(resources(&whole),
	    "{\"measured_seconds_ago\":0.012,"
	    "\"memory\":{\"current\":33554432,\"peak\":40000000,\"max\":67108864,\"swap\":8192},"
	    "\"cpu\":{\"usage_seconds\":1.234567,\"throttled_seconds\":0.004500},"
	    "\"pids\":{\"current\":12,\"max\":50},"
	    "\"io\":{\"read_bytes\":4096,\"written_bytes\":5000000000},"
	    "\"pressure\":{\"memory\":{\"avg10\":1.50,\"stalled_seconds\":0.000011},"
	    "\"cpu\":{\"avg10\":25.05,\"stalled_seconds\":22.000000},"
	    "\"io\":{\"avg10\":100.00,\"stalled_seconds\":1.500000}}}");
}

static void test_what_is_absent_is_null(void **state)
{
	struct board_reading r = whole;

	(void)state;
	r.have = READING_MEMORY | READING_CPU | READING_PIDS;
	r.memory_max = UINT64_MAX;
	r.pids_max = UINT32_MAX;
	assert_string_equal(resources(&r),
	    "{\"measured_seconds_ago\":0.012,"
	    "\"memory\":{\"current\":33554432,\"peak\":null,\"max\":null,\"swap\":null},"
	    "\"cpu\":{\"usage_seconds\":1.234567,\"throttled_seconds\":null},"
	    "\"pids\":{\"current\":12,\"max\":null},"
	    "\"io\":{\"read_bytes\":null,\"written_bytes\":null},"
	    "\"pressure\":{\"memory\":{\"avg10\":null,\"stalled_seconds\":null},"
	    "\"cpu\":{\"avg10\":null,\"stalled_seconds\":null},"
	    "\"io\":{\"avg10\":null,\"stalled_seconds\":null}}}");
	r.have = 0;
	assert_null(strstr(resources(&r), "33554432"));
}

static const char *service(const struct board_service *s, const struct render_about *about)
{
	struct text text;

	text_init(&text, json, sizeof(json));
	render_service(&text, s, about);
	return json;
}

static void test_service(void **state)
{
	struct board_service s = {.used = 1, .name = "web@1", .pid = 5, .blocker = -1};
	struct render_about about = {
	    .life = BOARD_LIVE, .now = NOW, .cgroup = "", .reading = whole};

	(void)state;
	s.m.state = STATE_RUNNING;
	s.m.ready = 1;
	assert_non_null(
	    strstr(service(&s, &about), ",\"paused\":false,\"oom_kills\":0,\"log_dropped\":0,"
					"\"cgroup\":null,\"resources\":null}"));
	about.cgroup = "/sys/fs/cgroup/pod";
	assert_non_null(strstr(service(&s, &about), "\"cgroup\":null"));
	s.slice = SLICE_THERE | SLICE_PAUSED;
	s.total.oom_kills = 3;
	about.measured = true;
	assert_non_null(
	    strstr(service(&s, &about), ",\"paused\":true,\"oom_kills\":3,\"log_dropped\":0,"
					"\"cgroup\":\"/sys/fs/cgroup/pod/web@1.service\","
					"\"resources\":{\"measured_seconds_ago\":0.012,"));
	assert_non_null(strstr(json, "\"state\":\"running\""));
	assert_non_null(strstr(json, "\"ready\":false"));
	assert_non_null(
	    strstr(json, "\"reason\":\"paused by hand; sinitctl resume web@1 lets it go on\""));
	s.m.state = STATE_STOPPED; /* what is left of it is nobody's concern then */
	assert_null(strstr(service(&s, &about), "paused by hand"));
}

static void test_the_longest_service_has_room(void **state)
{
	static char cgroup[BOARD_PATH], name[BOARD_NAME];
	struct board_service s = {.used = 1, .blocker = 0, .slice = SLICE_THERE};
	struct render_about about = {
	    .life = BOARD_LIVE, .now = NOW, .cgroup = cgroup, .blocker = name, .measured = true};

	(void)state;
	memset(cgroup, '\1', sizeof(cgroup) - 1); /* six bytes each */
	memset(name, '\1', sizeof(name) - 1);
	memset(s.name, '\1', sizeof(s.name) - 1);
	memset(about.words.status, '\1', sizeof(about.words.status) - 1);
	memset(&about.reading, 0x7f, sizeof(about.reading));
	s.m.state = STATE_RUNNING;
	s.m.started = 1;
	s.m.main_alive = 1;
	s.m.exit_kind = LAST_KILLED;
	s.exit_time = 1;
	s.error_step = STEP_EXEC;
	assert_true(strlen(service(&s, &about)) < RENDER_ROOM);
}

/* --- Pages ------------------------------------------------------------------------- */

static struct site site;
static struct http_answer answer;
static char body[ROOM];

static int setup(void **state)
{
	(void)state;
	site = (struct site){.now = NOW, .pulse = PULSE_ALIVE, .measured = true};
	site.copies = calloc(CAPACITY, sizeof(*site.copies));
	site.readings = calloc(CAPACITY, sizeof(*site.readings));
	return !site.copies || !site.readings || board_create(&site.board, -1, CAPACITY) != 0;
}

static int teardown(void **state)
{
	(void)state;
	board_close(&site.board);
	free(site.copies);
	free(site.readings);
	return 0;
}

static void add(const char *name, uint8_t slice, const struct board_reading *reading)
{
	uint32_t slot = site.board.head->count++;
	struct board_service *s = &site.board.services[slot];

	board_begin(s);
	s->used = slot + 1;
	snprintf(s->name, sizeof(s->name), "%s", name);
	s->slice = slice;
	s->blocker = -1;
	if (reading)
		assert_int_equal(board_write_reading(&site.board, slot, reading), 0);
	board_end(s);
}

static enum site_verdict ask(const char *path)
{
	char buffer[512];
	struct http_request request;
	struct responder_order order;
	size_t length;

	int size = snprintf(buffer, sizeof(buffer), "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);
	assert_int_equal(http_parse(buffer, (size_t)size, &request, &length), 0);
	text_init(&answer.body, body, sizeof(body));
	return site_answer(&site, &request, &answer, &order);
}

static void has(const char *part)
{
	if (!strstr(body, part))
		fail_msg("no \"%s\" in:\n%s", part, body);
}

static void has_not(const char *part)
{
	if (strstr(body, part))
		fail_msg("\"%s\" in:\n%s", part, body);
}

static void test_metrics(void **state)
{
	struct board_reading some = {.have = READING_MEMORY | READING_PIDS,
	    .memory_max = UINT64_MAX,
	    .pids_max = UINT32_MAX};

	(void)state;
	strcpy(site.board.head->cgroup, "/sys/fs/cgroup");
	add("web", SLICE_THERE | SLICE_MEASURED | SLICE_PAUSED, &whole);
	site.board.services[0].total.oom_kills = 2;
	add("some", SLICE_THERE | SLICE_MEASURED, &some);
	add("none", SLICE_THERE, &whole); /* not measured */
	assert_int_equal(ask("/metrics"), SITE_ANSWERED);
	has("# TYPE sinit_service_memory_bytes gauge\n"
	    "sinit_service_memory_bytes{service=\"web\"} 33554432\n"
	    "sinit_service_memory_bytes{service=\"some\"} 0\n# HELP");
	has("sinit_service_memory_peak_bytes{service=\"web\"} 40000000\n# HELP");
	has("sinit_service_memory_limit_bytes{service=\"web\"} 67108864\n# HELP");
	has("sinit_service_swap_bytes{service=\"web\"} 8192\n# HELP");
	has("# TYPE sinit_service_cpu_seconds_total counter\n"
	    "sinit_service_cpu_seconds_total{service=\"web\"} 1.234567\n# HELP");
	has("sinit_service_cpu_throttled_seconds_total{service=\"web\"} 0.0045\n# HELP");
	has("sinit_service_pids{service=\"web\"} 12\nsinit_service_pids{service=\"some\"} 0\n# "
	    "HELP");
	has("sinit_service_pids_limit{service=\"web\"} 50\n# HELP");
	has("sinit_service_io_read_bytes_total{service=\"web\"} 4096\n# HELP");
	has("sinit_service_io_written_bytes_total{service=\"web\"} 5000000000\n# HELP");
	has("sinit_service_pressure_ratio{service=\"web\",resource=\"memory\"} 0.015\n"
	    "sinit_service_pressure_ratio{service=\"web\",resource=\"cpu\"} 0.2505\n"
	    "sinit_service_pressure_ratio{service=\"web\",resource=\"io\"} 1\n# HELP");
	has("sinit_service_stalled_seconds_total{service=\"web\",resource=\"io\"} 1.5\n# HELP");
	has("sinit_service_oom_kills_total{service=\"web\"} 2\n"
	    "sinit_service_oom_kills_total{service=\"some\"} 0\n");
	has("sinit_service_paused{service=\"web\"} 1\nsinit_service_paused{service=\"some\"} 0\n");
	has_not("bytes{service=\"none\"}");
}

static void test_no_metrics_without_cgroups(void **state)
{
	(void)state;
	add("web", 0, NULL);
	assert_int_equal(ask("/metrics"), SITE_ANSWERED);
	has("sinit_service_up{service=\"web\"}");
	has_not("sinit_service_memory");
	has_not("sinit_service_oom_kills_total");
	has_not("sinit_service_paused");
	has_not("resource=");
}

static void test_who_needs_readings(void **state)
{
	static const char *const needing[] = {
	    "/metrics", "/api/supervisor/status", "/api/supervisor/services/web"};
	static const char *const others[] = {"/health", "/ready", "/startup", "/health/web",
	    "/ready/web", "/api/supervisor/health", "/api/supervisor/summary",
	    "/api/supervisor/events", "/api/supervisor/services/web/health"};

	(void)state;
	add("web", SLICE_THERE | SLICE_MEASURED, &whole);
	site.measured = false;
	for (size_t i = 0; i < ARRAY_LEN(needing); i++)
		assert_int_equal(ask(needing[i]), SITE_NEEDS_READINGS);
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		assert_int_equal(ask(others[i]), SITE_ANSWERED);
	site.pulse = PULSE_UNKNOWN;
	assert_int_equal(ask("/metrics"), SITE_NEEDS_PULSE);
	site.measured = true;
	for (size_t i = 1; i < ARRAY_LEN(needing); i++) {
		assert_int_equal(ask(needing[i]), SITE_ANSWERED);
		has("\"resources\":{\"measured_seconds_ago\":0.012,\"memory\":{\"current\":"
		    "33554432,");
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_all_numbers),
	    cmocka_unit_test(test_what_is_absent_is_null),
	    cmocka_unit_test(test_service),
	    cmocka_unit_test(test_the_longest_service_has_room),
	    TEST(test_metrics),
	    TEST(test_no_metrics_without_cgroups),
	    TEST(test_who_needs_readings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
