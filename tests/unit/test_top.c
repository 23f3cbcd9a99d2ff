/* sinitctl top: what it reckons, how it looks, what it asks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "init/clock.h"
#include "tests/unit/ctl_fixture.h"

#include "ctl/top.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- Reckoning --------------------------------------------------------------------- */

static struct board_reading at(int64_t time, uint64_t usage)
{
	return (struct board_reading){.time = time, .have = READING_CPU, .cpu_usage = usage};
}

static void test_cpu(void **state)
{
	struct board_service s = {.used = 1};
	struct top_last last = {0};
	struct board_reading r = at(1000, 500000);

	(void)state;
	s.m.life = 1;
	assert_int_equal(top_cpu(&last, &s, &r), TOP_UNKNOWN); /* there is nothing before */
	r = at(2000, 1000000);
	assert_int_equal(top_cpu(&last, &s, &r), 500); /* 0.5 s in 1 s */
	assert_int_equal(top_cpu(&last, &s, &r), 500); /* the same reading once more */
	r = at(2500, 3000000);
	assert_int_equal(top_cpu(&last, &s, &r), 4000); /* four CPUs */
	r = at(3500, 3001234);
	assert_int_equal(top_cpu(&last, &s, &r), 1);
	r = at(4500, 3001234);
	assert_int_equal(top_cpu(&last, &s, &r), 0);
	r = at(5500, 10); /* another slice of that name */
	assert_int_equal(top_cpu(&last, &s, &r), TOP_UNKNOWN);
	r = at(6500, 100010);
	assert_int_equal(top_cpu(&last, &s, &r), 100);
	s.m.life = 2;
	r = at(7500, 200010);
	assert_int_equal(top_cpu(&last, &s, &r), TOP_UNKNOWN);
	s.used = 2;
	r = at(8500, 300010);
	assert_int_equal(top_cpu(&last, &s, &r), TOP_UNKNOWN);
	r = at(9500, UINT64_MAX);
	assert_int_equal(top_cpu(&last, &s, &r), INT32_MAX);
	r.have = READING_MEMORY;
	assert_int_equal(top_cpu(&last, &s, &r), TOP_UNKNOWN);
}

static void bytes(uint64_t value, const char *expected)
{
	char buffer[32];
	struct text text;

	text_init(&text, buffer, sizeof(buffer));
	top_bytes(&text, value);
	assert_string_equal(buffer, expected);
}

static void test_bytes(void **state)
{
	(void)state;
	bytes(0, "0");
	bytes(1023, "1023");
	bytes(1024, "1.0K");
	bytes(1536, "1.5K");
	bytes(1024 * 1024 - 1, "1023.9K");
	bytes(64 << 20, "64.0M");
	bytes(UINT64_C(5) << 30, "5.0G");
	bytes(UINT64_MAX, "15.9E");
}

static void test_order(void **state)
{
	struct view_row a = {.s = {.name = "a"}}, b = {.s = {.name = "b"}},
			c = {.s = {.name = "c"}}, d = {.s = {.name = "d"}};
	struct top_row rows[] = {{&a, {.memory_current = 9}, TOP_UNKNOWN}, {&d, {0}, 5},
	    {&c, {.memory_current = 7, .pids_current = 2}, 5}, {&b, {0}, 5}};
	struct top_totals totals;

	(void)state;
	c.s.m.state = STATE_FATAL;
	b.s.m.ready = true;
	top_sort(rows, 4);
	assert_ptr_equal(rows[0].row, &c);
	assert_ptr_equal(rows[1].row, &b);
	assert_ptr_equal(rows[2].row, &d);
	assert_ptr_equal(rows[3].row, &a);
	top_sum(rows, 4, &totals);
	assert_int_equal(totals.services, 4);
	assert_int_equal(totals.ready, 1);
	assert_int_equal(totals.failed, 1);
	assert_int_equal(totals.cpu, 15);
	assert_int_equal(totals.memory, 16);
	assert_int_equal(totals.pids, 2);
	top_sum(rows + 3, 1, &totals);
	assert_int_equal(totals.cpu, TOP_UNKNOWN);
}

/* --- Layout ------------------------------------------------------------------------ */

static const char *line(
    const struct style *style, const struct top_row *row, size_t count, int number)
{
	static char buffer[1024];
	struct table_source source;
	struct table table;
	struct text text;

	top_source(&source, row, count);
	table_init(&table, &source, style);
	text_init(&text, buffer, sizeof(buffer));
	if (number < 0)
		table_head(&table, &text);
	else
		table_row(&table, &text, (size_t)number);
	return buffer;
}

static void test_layout(void **state)
{
	struct view_row web = {.s = {.name = "web", .pid = 123, .slice = SLICE_PAUSED}},
			db = {.s = {.name = "db"}};
	struct top_row rows[] = {{&web,
				     {.have = 2 * READING_PRESSURE - 1,
					 .memory_current = 33 << 20,
					 .memory_max = 64 << 20,
					 .pids_current = 12,
					 .pids_max = 50,
					 .pressure = {150, 2500, 0}},
				     1234},
	    {&db, {0}, TOP_UNKNOWN}};
	struct style pipe = {0}, narrow = {.width = 64}, tiny = {.width = 38};

	(void)state;
	web.s.m.state = STATE_RUNNING;
	web.s.m.restarts = 3;
	web.s.probe[PROBE_LIVENESS].health = HEALTH_PASSING;
	web.s.probe[PROBE_READINESS].health = HEALTH_FAILING;
	assert_string_equal(line(&pipe, rows, 2, -1),
	    "NAME  STATE             PID   CPU%  MEMORY  OF LIMIT           PIDS  RESTARTS  "
	    "MEM/CPU/IO WAIT%  HEALTH");
	assert_string_equal(line(&pipe, rows, 2, 0),
	    "web   running (paused)  123  123.4   33.0M  [####----] 64.0M  12/50         3      "
	    "1.5 25.0 0.0  failing");
	assert_string_equal(line(&pipe, rows, 2, 1),
	    "db    stopped             -      -       -  -                     -         0"
	    "                 -  -");
	assert_string_equal(line(&narrow, rows, 2, 0),
	    "web   running (paused)  123  123.4   33.0M  [####----] 64.0M");
	assert_true(strlen(line(&tiny, rows, 2, 0)) <= 38); /* its name and what is in use */
}

static void test_bar(void **state)
{
	struct view_row web = {.s = {.name = "web"}};
	struct top_row row = {.row = &web, .reading = {.have = READING_MEMORY}};
	static const struct {
		uint64_t current, max;
		const char *bar;
	} cases[] = {{0, 1 << 20, "[--------] 1.0M"}, {1 << 20, 1 << 20, "[########] 1.0M"},
	    {2 << 20, 1 << 20, "[########] 1.0M"}, {1 << 17, 1 << 20, "[#-------] 1.0M"},
	    {UINT64_MAX - 1, UINT64_MAX - 1, "[########] 15.9E"}, {5, 0, "[########] 0"},
	    {5, UINT64_MAX, "no limit"}};
	struct style pipe = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		row.reading.memory_current = cases[i].current;
		row.reading.memory_max = cases[i].max;
		if (!strstr(line(&pipe, &row, 1, 0), cases[i].bar))
			fail_msg("no %s in %s", cases[i].bar, line(&pipe, &row, 1, 0));
	}
}

/* --- The verb ---------------------------------------------------------------------- */

static struct fixture *f;

static int set_up(void **state)
{
	(void)state;
	f = fixture_new(8);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	fixture_free(f);
	return 0;
}

/* Each measurement finds that db has used 0.3 s more, web nothing. */
static bool measure(struct fixture *g, const struct request *request, FILE *answer)
{
	static uint64_t usage = 1000000;

	if (strcmp(request->verb, "measure") != 0) {
		fprintf(answer, "{\"result\":\"error\",\"code\":2,\"message\":\"no such verb\"}\n");
		return true;
	}
	for (uint32_t slot = 0; slot < 2; slot++) {
		struct board_service *s = &g->board.services[slot];
		struct board_reading r = {.time = clock_ms(),
		    .have = READING_CPU | READING_MEMORY | READING_PIDS,
		    .cpu_usage = slot ? usage : 0,
		    .memory_current = 3 << 20,
		    .memory_max = UINT64_MAX,
		    .pids_current = 2,
		    .pids_max = UINT32_MAX};

		board_begin(s);
		board_write_reading(&g->board, slot, &r);
		s->slice = SLICE_THERE | SLICE_MEASURED;
		board_end(s);
	}
	usage += 300000;
	fprintf(answer, "{\"result\":\"ok\"}\n");
	return true;
}

static bool refuse(struct fixture *g, const struct request *request, FILE *answer)
{
	(void)g;
	(void)request;
	fprintf(answer, "{\"result\":\"error\",\"code\":1,\"message\":\"not now\"}\n");
	return true;
}

static void two_services(void)
{
	strcpy(f->board.head->cgroup, "/sys/fs/cgroup/x");
	fixture_add(f, "web", STATE_RUNNING);
	fixture_add(f, "db", STATE_RUNNING);
	fixture_add(f, "job", STATE_FAILED);
}

static void test_text(void **state)
{
	(void)state;
	two_services();
	fixture_live(f, measure);
	assert_int_equal(fixture_run(f, "top", "-d", "100ms", NULL), 0);
	assert_string_equal(f->err, "");
	has(f->out, "sinit, pid 1, up 1h: 3 services, 2 ready, 1 failed\ncpu ");
	has(f->out, " %, memory 6.0M, 4 processes\nNAME  STATE    PID   CPU%");
	char *db = strstr(f->out, "\ndb "), *web = strstr(f->out, "\nweb "),
	     *job = strstr(f->out, "\njob ");
	assert_true(db && web && job && db < web && web < job);
	has(f->out, "0.0    3.0M  no limit");
	assert_null(strstr(f->out, "\033"));
	/* The busier the machine, the less it is; never more. */
	double cpu = strtod(strstr(f->out, "cpu ") + 4, NULL);
	assert_true(cpu > 1 && cpu <= 301);
	assert_null(strstr(f->out + 10, "sinit, pid")); /* one table */
	assert_int_equal(fixture_run(f, "top", "-d100ms", "-n2", "d*", NULL), 0);
	has(f->out + 10, "\n\nsinit, pid 1, up 1h: 1 service, 1 ready\n");
	assert_null(strstr(f->out, "web"));
	assert_int_equal(fixture_run(f, "top", "nobody", NULL), 4);
	assert_int_equal(fixture_replies(f), 0);
}

static void test_json(void **state)
{
	(void)state;
	two_services();
	fixture_live(f, measure);
	assert_int_equal(fixture_run(f, "top", "--json", "-d", "100ms", "-n", "2", NULL), 0);
	char *second = strchr(f->out, '\n') + 1;
	assert_ptr_equal(strchr(second, '\n'), f->out + strlen(f->out) - 1);
	assert_int_equal(strncmp(second, "{\"sinit\":{\"pid\":1,", 18), 0);
	has(second, ",\"memory_bytes\":6291456,\"pids\":4,\"services\":[{\"name\":\"db\",");
	has(second, ",\"memory\":{\"current\":3145728,");
	has(second, ",\"cpu_percent\":0.0},{\"name\":\"job\"");
	has(second, "\"resources\":null,\"cpu_percent\":null}]}\n");
}

static void test_no_cgroups(void **state)
{
	(void)state;
	two_services();
	f->board.head->cgroup[0] = '\0';
	fixture_live(f, NULL); /* nobody is asked */
	assert_int_equal(fixture_run(f, "top", "-d", "100ms", NULL), 0);
	has(f->out, "no cgroups: resources are not known; see the log of sinit\n");
	has(f->out, "web   running  100     -       -  -");
	assert_string_equal(f->err, "");
}

static void test_who_may_not_ask(void **state)
{
	(void)state;
	two_services();
	fixture_live(f, refuse);
	assert_int_equal(fixture_run(f, "top", "-d", "100ms", NULL), 0);
	has(f->out, "nothing has been read yet");
	assert_string_equal(f->err, "sinitctl: not now\n"); /* once */
}

static void test_no_sinit(void **state)
{
	(void)state;
	two_services();
	assert_int_equal(fixture_run(f, "top", NULL), 3);
	has(f->err, "sinit is not running on /tmp/sinit-test-");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_cpu),
	    cmocka_unit_test(test_bytes),
	    cmocka_unit_test(test_order),
	    cmocka_unit_test(test_layout),
	    cmocka_unit_test(test_bar),
	    TEST(test_text),
	    TEST(test_json),
	    TEST(test_no_cgroups),
	    TEST(test_who_may_not_ask),
	    TEST(test_no_sinit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
