/* plot and blame: the chain that made a start as long as it was,
 * times in words, and the picture. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "ctl/plot.h"
#include "ctl/startup.h"
#include "init/schema.h"
#include "tests/unit/ctl_fixture.h"

#include <string.h>

static struct fixture *f;
static char buffer[PLOT_ROOM];
static struct text text;
static struct startup_row rows[8];
static struct startup startup;

static void fresh(void)
{
	text_init(&text, buffer, sizeof(buffer));
}

static void lacks(const char *where, const char *what)
{
	if (strstr(where, what))
		fail_msg("\"%s\" should not be in:\n%s", what, where);
}

/* --- pieces --------------------------------------------------------------------- */

static void test_time(void **state)
{
	static const struct {
		int64_t us;
		const char *words;
	} times[] = {{0, "0.00 ms"}, {4, "0.00 ms"}, {5, "0.01 ms"}, {250, "0.25 ms"},
	    {9994, "9.99 ms"}, {12340, "12.3 ms"}, {99949, "99.9 ms"}, {123456, "123 ms"},
	    {999999, "1000 ms"}, {1000000, "1.000 s"}, {1234567, "1.235 s"},
	    {3600000000, "3600.000 s"}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(times); i++) {
		fresh();
		startup_time(&text, times[i].us);
		assert_string_equal(buffer, times[i].words);
	}
}

static void test_step(void **state)
{
	static const struct {
		int64_t range, step;
	} steps[] = {{100, 20}, {1000, 200}, {4999, 500}, {5000, 1000}, {9999, 1000}, {10000, 2000},
	    {20000, 5000}, {1234567, 200000}, {86400000000, 10000000000}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(steps); i++)
		assert_int_equal(plot_step(steps[i].range, 10), steps[i].step);
	for (int64_t range = 1; range < INT64_MAX / 3; range = range * 3 / 2 + 1) {
		int64_t step = plot_step(range, 10);
		assert_true(range / step < 10);
		assert_true(range < 5 || range / step >= 3);
	}
}

static void test_names(void **state)
{
	(void)state;
	fresh();
	plot_xml(&text, "a<b>&\"c'\n\x01\xff ä");
	assert_string_equal(buffer, "a&lt;b&gt;&amp;&quot;c&#39;\\n\\x01\\xff ä");
	fresh();
	plot_name(&text, "short", 5);
	assert_string_equal(buffer, "short");
	fresh();
	plot_name(&text, "abcdefghij", 6);
	assert_string_equal(buffer, "abc…ij");
	fresh();
	plot_name(&text, "äöüäöüäöü@12", 9);
	assert_string_equal(buffer, "äöüä…ü@12");
}

/* --- the chain ------------------------------------------------------------------- */

/* A row with these times; us, STARTUP_NEVER where there is none. */
static uint32_t row(const char *name, int64_t executed, int64_t ready)
{
	struct startup_row *new = &rows[startup.rows];

	*new = (struct startup_row){.slot = startup.rows,
	    .executed = executed,
	    .ready = ready,
	    .failed = STARTUP_NEVER,
	    .ended = STARTUP_NEVER,
	    .end = ready == STARTUP_NEVER ? STARTUP_ON_WAY : STARTUP_READY,
	    .blocker = STARTUP_NONE,
	    .let_go = STARTUP_NEVER,
	    .waited = STARTUP_NONE};
	snprintf(new->name, sizeof(new->name), "%s", name);
	return startup.rows++;
}

static void begin(void)
{
	startup = (struct startup){.row = rows, .now = 1000};
}

static void test_critical_path(void **state)
{
	(void)state;
	begin();
	uint32_t base = row("base", 10, 20), quick = row("quick", 20, 30),
		 slow = row("slow", 21, 90);
	uint32_t app = row("app", 91, 95), other = row("other", 92, 93), last = row("last", 96, 97);
	startup_edge(&startup, quick, base, "requires", true);
	startup_edge(&startup, slow, base, "requires", true);
	startup_edge(&startup, app, quick, "requires", true);
	startup_edge(&startup, app, slow, "wants", false);
	startup_edge(&startup, app, base, "requires", true);
	startup_edge(&startup, app, last, "after", false); /* was not waited for: it came later */
	startup_edge(&startup, last, app, "requires", true);
	startup_finish(&startup);
	assert_int_equal(startup.last, last);
	assert_int_equal(startup.total, 97);
	assert_int_equal(rows[app].waited, slow);
	assert_string_equal(rows[app].how, "wants");
	assert_true(rows[base].critical && rows[slow].critical && rows[app].critical &&
		    rows[last].critical);
	assert_false(rows[quick].critical || rows[other].critical);
	assert_int_equal(startup.ready, 6);
}

/* A failure lets those go that only want it, or come after it, and nobody else. */
static void test_failed_need(void **state)
{
	(void)state;
	begin();
	uint32_t bad = row("bad", 10, STARTUP_NEVER), once = row("once", 11, 80);
	uint32_t wants = row("wants", 50, 60), both = row("both", 70, 75);
	uint32_t needs = row("needs", STARTUP_NEVER, STARTUP_NEVER);
	rows[bad].failed = 40;
	rows[bad].end = rows[needs].end = STARTUP_FAILED;
	rows[once].failed = 65; /* and ready in its second life */
	rows[needs].blocker = bad;
	startup_edge(&startup, wants, bad, "wants", false);
	startup_edge(&startup, both, bad, "requires", true);
	startup_edge(&startup, both, once, "wants", false);
	startup_edge(&startup, needs, once, "requires", true);
	startup_edge(&startup, needs, bad, "requires", true);
	startup_edge(&startup, needs, bad, NULL, false);
	startup_finish(&startup);
	assert_int_equal(rows[wants].waited, bad);
	assert_int_equal(rows[both].waited, once);
	assert_int_equal(rows[both].let_go, 65);
	assert_int_equal(rows[needs].waited, bad);
	assert_string_equal(rows[needs].how, "requires");
	assert_int_equal(startup.failed, 2);
	assert_int_equal(startup.last, once);
	fresh();
	startup_note(&text, &startup, &rows[needs]);
	assert_string_equal(buffer, "failed, for want of bad (requires)");
	fresh();
	startup_note(&text, &startup, &rows[once]);
	assert_string_equal(buffer, "failed 0.02 ms before it was ready");
}

/* What a board of nonsense says must not go round for ever. */
static void test_circle(void **state)
{
	(void)state;
	begin();
	uint32_t a = row("a", 10, 10), b = row("b", 10, 10);
	startup_edge(&startup, a, b, "requires", true);
	startup_edge(&startup, b, a, "requires", true);
	startup_edge(&startup, a, a, "requires", true);
	startup_finish(&startup);
	assert_true(rows[a].critical && rows[b].critical);
}

static void test_took(void **state)
{
	(void)state;
	begin();
	uint32_t ready = row("ready", 10, 30), way = row("way", 10, STARTUP_NEVER);
	uint32_t bad = row("bad", 10, STARTUP_NEVER), stopped = row("stopped", 10, STARTUP_NEVER);
	uint32_t waits = row("waits", STARTUP_NEVER, STARTUP_NEVER);
	rows[bad].end = STARTUP_FAILED;
	rows[bad].failed = 15;
	rows[stopped].end = STARTUP_STOPPED;
	rows[stopped].ended = 18;
	assert_int_equal(startup_took(&startup, &rows[ready]), 20);
	assert_int_equal(startup_took(&startup, &rows[way]), 990);
	assert_int_equal(startup_took(&startup, &rows[bad]), 5);
	assert_int_equal(startup_took(&startup, &rows[stopped]), 8);
	assert_int_equal(startup_took(&startup, &rows[waits]), STARTUP_NEVER);
}

/* --- the verbs ------------------------------------------------------------------- */

static int setup(void **state)
{
	(void)state;
	f = fixture_new(1200);
	f->board.head->began = 2000000;
	f->board.head->asked = 2002000;
	f->board.head->started = 2001;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fixture_free(f);
	return 0;
}

/* A service with times in us after sinit's start, 0: none. */
static struct board_service *started(
    const char *name, enum state state, int64_t wanted, int64_t executed, int64_t ready)
{
	struct board_service *s = fixture_add(f, name, state);
	int64_t began = f->board.head->began;

	s->start = (struct board_start){.wanted = wanted ? began + wanted : 0,
	    .executed = executed ? began + executed : 0,
	    .ready = ready ? began + ready : 0};
	return s;
}

static bool handle(struct fixture *fixture, const struct request *request, FILE *answer)
{
	(void)fixture;
	assert_string_equal(request->verb, "show");
	fputs("{\"service\":\"db\"}\n{\"service\":\"web\"}\n"
	      "{\"key\":\"requires\",\"value\":\"db gone\"}\n{\"result\":\"ok\"}\n",
	    answer);
	return true;
}

static void three(void)
{
	started("web", STATE_RUNNING, 1000, 31000, 32500);
	started("db", STATE_RUNNING, 1000, 1500, 30500);
	started("later", STATE_RUNNING, 9000000, 9001000, 9901000);
	fixture_add(f, "off", STATE_STOPPED)->enabled = 0;
}

static void test_blame(void **state)
{
	(void)state;
	three();
	fixture_live(f, handle);
	assert_int_equal(fixture_run(f, "blame", NULL), 0);
	assert_string_equal(f->out, "    900 ms  later  wanted 9.000 s after sinit's start\n"
				    "   29.0 ms  db\n"
				    "   1.50 ms  web    after db (requires)\n"
				    "startup took 32.5 ms\n");
	assert_int_equal(fixture_run(f, "blame", "w*", NULL), 0);
	assert_string_equal(f->out, "   1.50 ms  web  after db (requires)\nstartup took 32.5 ms\n");
	assert_int_equal(fixture_run(f, "blame", "wbe", NULL), 4);
	has(f->err, "did you mean web?");
	assert_string_equal(f->out, "");
	assert_int_equal(fixture_run(f, "blame", "wbe", "db", NULL), 4);
	has(f->out, "29.0 ms  db\n");
}

static void test_blame_boot(void **state)
{
	(void)state;
	three();
	f->board.head->mode = MODE_BOOT;
	fixture_add(f, "broken", STATE_FAILED)->m.cause = CAUSE_CONFIG;
	started("slow", STATE_STARTING, 1000, 2000, 0);
	struct board_service *s = started("needs", STATE_WAITING, 1000, 0, 0);
	s->blocker = 5; /* slow */
	s = started("stopped", STATE_STOPPED, 1000, 0, 0);
	s = started("bad", STATE_FATAL, 1000, 2000, 0);
	s->start.failed = f->board.head->began + 4000;
	fixture_live(f, handle);
	assert_int_equal(fixture_run(f, "blame", NULL), 0);
	has(f->out, " s  slow     so far\n");
	has(f->out, "   2.00 ms  bad      failed\n");
	has(f->out, "         -  broken   failed\n");
	has(f->out, "         -  needs    not executed so far, waits for slow\n");
	has(f->out, "         -  stopped  stopped before it was ready\n");
	has(f->out, " so far, kernel 2.000 s before it; not ready yet: bad (failed), "
		    "slow (starting), broken (failed), needs (waiting), stopped (stopped)\n");
	assert_int_equal(fixture_run(f, "plot", NULL), 0);
	has(f->out, ", boot mode, kernel 2.000 s before · ");
	has(f->out, "2 ready, 2 failed, 2 still on the way");
	assert_int_equal(fixture_run(f, "blame", "--json", NULL), 0);
	has(f->out, "\"mode\":\"boot\"");
	has(f->out, "\"kernel_us\":2000000,\"own_us\":1000,\"took_us\":32500,\"finished\":false,"
		    "\"critical_path\":[\"db\",\"web\"]");
}

/* The times of a sinit that is dead are still there; what needed what is not. */
static void test_dead(void **state)
{
	(void)state;
	three();
	assert_int_equal(fixture_run(f, "blame", NULL), 0);
	has(f->err, "only the times are known, not what needed what");
	has(f->out, "   1.50 ms  web\n");
	has(f->out, "startup took 32.5 ms\n");
	assert_int_equal(fixture_run(f, "plot", NULL), 0);
	has(f->out, "</svg>\n");
}

static void test_nothing(void **state)
{
	(void)state;
	fixture_live(f, handle);
	assert_int_equal(fixture_run(f, "blame", NULL), 0);
	assert_string_equal(f->out, "nothing was started\n");
	assert_int_equal(fixture_run(f, "plot", NULL), 0);
	has(f->out, "0 ready");
	has(f->out, "</svg>\n");
}

static void test_plot(void **state)
{
	(void)state;
	three();
	started("a<b>&c", STATE_RUNNING, 1000, 2000, 2000);
	fixture_live(f, handle);
	assert_int_equal(fixture_run(f, "plot", NULL), 0);
	assert_int_equal(strncmp(f->out, "<?xml ", 6), 0);
	has(f->out, ": startup took 32.5 ms</title>");
	has(f->out, "<title>web, wanted at 1.00 ms, executed at 31.0 ms, ready at 32.5 ms; "
		    "after db (requires); on the critical path</title>");
	has(f->out, ">a&lt;b&gt;&amp;c</text>");
	has(f->out, "all ready at 32.5 ms");
	lacks(f->out, "a<b>");
	lacks(f->out, "later");
	lacks(f->out, "off");
	assert_int_equal(fixture_run(f, "plot", "db", NULL), 0);
	has(f->out, "<title>db, ");
	lacks(f->out, "<title>web, ");
	has(f->out, "startup took 32.5 ms");
}

/* Every piece has room, also for the longest and the worst names, and for odd times. */
static void test_many(void **state)
{
	char name[BOARD_NAME];

	(void)state;
	for (int i = 0; i < 1100; i++) {
		memset(name, "'&\xff\x01"[i % 4], sizeof(name) - 1);
		name[sizeof(name) - 1] = '\0';
		for (int digit = 3, rest = i; digit >= 0; digit--, rest /= 10)
			name[digit] = (char)('0' + rest % 10);
		struct board_service *s =
		    started(name, STATE_RUNNING, 1000, 2000 + i, i % 7 ? 3000 + i : INT64_MAX / 4);
		s->start.failed = f->board.head->began + 2500;
		s->blocker = i - 1;
	}
	assert_int_equal(fixture_run(f, "plot", NULL), 0);
	char *end = strstr(f->out, "</svg>\n");
	assert_non_null(end);
	int groups = 0;
	for (const char *at = f->out; (at = strstr(at, "</g>\n")); at++)
		groups++;
	assert_int_equal(groups, 1101);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_time),
	    cmocka_unit_test(test_step),
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_critical_path),
	    cmocka_unit_test(test_failed_need),
	    cmocka_unit_test(test_circle),
	    cmocka_unit_test(test_took),
	    TEST(test_blame),
	    TEST(test_blame_boot),
	    TEST(test_dead),
	    TEST(test_nothing),
	    TEST(test_plot),
	    TEST(test_many),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
