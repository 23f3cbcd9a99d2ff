/* The last lines of a life, which sinitctl events shows below its exit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "init/clock.h"
#include "tests/unit/ctl_logs_fixture.h"

#include "ctl/last_lines.h"
#include "ctl/watch.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

/* An exit, and its mark unless `stream` is CAPACITY. */
static void add_exit(const char *name, uint32_t stream)
{
	struct board_event event = {.kind = EV_EXIT,
	    .exit_kind = LAST_EXITED,
	    .code = 3,
	    .cause = CAUSE_EXIT,
	    .pid = 7,
	    .blocker = -1};

	strcpy(event.name, name);
	board_event(&f->board, &event, INT64_C(1714564800000000000));
	if (stream < CAPACITY)
		store_lab_mark(&lab, stream, f->board.head->last_event);
}

static void test_event(void **state)
{
	(void)state;
	store_lab_print(&lab, web, "one\ntwo\tthree\033[31m\n");
	store_lab_write(&lab, web, "a\0b", 3);
	add_exit("web", web);
	store_lab_print(&lab, web, "later\n");
	assert_int_equal(fixture_run(f, "events", NULL), 0);
	has(f->out, "  exit       web: ");
	assert_string_equal(
	    strchr(f->out, '\n'), "\n    | one\n    | two\tthree\\x1b[31m\n    | a\\x00b\n");
	assert_int_equal(fixture_run(f, "--json", "events", NULL), 0);
	has(f->out, "\"code\":3,\"stderr\":[\"one\",\"two\\tthree\\u001b[31m\",\"a\\u0000b\"]}\n");
}

static void test_event_without_lines(void **state)
{
	(void)state;
	store_lab_print(&lab, web, "one\n");
	add_exit("web", CAPACITY); /* no mark */
	add_exit("quiet", CAPACITY);
	assert_int_equal(fixture_run(f, "--json", "events", NULL), 0);
	assert_null(strstr(f->out, "stderr"));
	has(f->out, "\"code\":3}\n");
	add_exit("web", web);
	add_exit("web", web); /* which has written nothing */
	assert_int_equal(fixture_run(f, "--json", "events", "-n1", NULL), 0);
	assert_null(strstr(f->out, "stderr"));
	assert_int_equal(fixture_run(f, "events", "-n2", NULL), 0);
	has(f->out, "    | one\n");
	unlinkat(f->dirfd, "logs", 0);
	assert_int_equal(fixture_run(f, "events", NULL), 0);
	assert_null(strstr(f->out, "    | "));
}

/* Other events have none, whatever the marks say. */
static void test_event_of_another_kind(void **state)
{
	struct board_event event = {.kind = EV_BACKOFF, .name = "web", .blocker = -1};

	(void)state;
	store_lab_print(&lab, web, "one\n");
	board_event(&f->board, &event, INT64_C(1714564800000000000));
	store_lab_mark(&lab, web, 1);
	assert_int_equal(fixture_run(f, "--json", "events", NULL), 0);
	assert_null(strstr(f->out, "stderr"));
}

static void test_event_prefers_stderr(void **state)
{
	(void)state;
	store_lab_print(&lab, db, "out\n");
	store_lab_print(&lab, db_error, "err\n");
	add_exit("db", db);
	store_lab_mark(&lab, db_error, 1);
	assert_int_equal(fixture_run(f, "--json", "events", NULL), 0);
	has(f->out, ",\"stderr\":[\"err\"]}\n");
}

static void test_event_limits(void **state)
{
	char line[64];

	(void)state;
	for (int i = 0; i < 12; i++) {
		snprintf(line, sizeof(line), "l%d\n", i);
		store_lab_print(&lab, web, line);
	}
	add_exit("web", web);
	assert_int_equal(fixture_run(f, "--json", "events", NULL), 0);
	has(f->out, "\"stderr\":[\"l2\",\"l3\",\"l4\",\"l5\",\"l6\",\"l7\",\"l8\",\"l9\","
		    "\"l10\",\"l11\"]}\n");
	/* The last life's alone. */
	store_lab_print(&lab, web, "new\n");
	add_exit("web", web);
	assert_int_equal(fixture_run(f, "--json", "events", "-n1", NULL), 0);
	has(f->out, "\"stderr\":[\"new\"]}\n");
	/* 2 KiB in whole lines. */
	memset(line, 'x', 63);
	line[63] = '\0';
	for (int i = 0; i < 9; i++) {
		for (int j = 0; j < 8; j++)
			store_lab_print(&lab, web, line);
		store_lab_print(&lab, web, "\n");
	}
	add_exit("web", web);
	assert_int_equal(fixture_run(f, "events", "-n1", NULL), 0);
	assert_int_equal(strlen(strchr(f->out, '\n') + 1), 4 * (6 + 8 * 63 + 1));
	/* One line longer than that: its end. */
	for (int i = 0; i < 50; i++)
		store_lab_print(&lab, web, line);
	add_exit("web", web);
	assert_int_equal(fixture_run(f, "events", "-n1", NULL), 0);
	assert_int_equal(strlen(strchr(f->out, '\n') + 1), 6 + LAST_BYTES + 1);
	/* Overwritten since. */
	for (int i = 0; i < 2000; i++)
		store_lab_print(&lab, web, line);
	assert_int_equal(fixture_run(f, "events", "-n1", NULL), 0);
	assert_null(strstr(f->out, "    | "));
}

static int64_t wall(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static bool find_last(struct last_lines *last, bool alive, int64_t age)
{
	struct board_event event = {.kind = EV_EXIT, .name = "web", .seq = 1, .time = wall() - age};

	return last_lines_find(last, f->dir, &event, alive);
}

/* The logger may hear of an end later than the board does. */
static void test_event_waits_for_its_mark(void **state)
{
	enum { ATTEMPTS = 10, SOON = 60 };
	static struct last_lines last;
	bool found = false;

	(void)state;
	store_lab_print(&lab, web, "one\n");
	int64_t before = clock_ms();
	assert_false(find_last(&last, true, 0));
	assert_true(clock_ms() - before >= 290);
	/* A slow machine may take longer than is waited. */
	for (int i = 0; i < ATTEMPTS && !found; i++) {
		pid_t logger = fork();
		if (logger == 0) {
			watch_sleep(SOON);
			store_lab_mark(&lab, web, 1);
			_exit(0);
		}
		found = find_last(&last, true, 0);
		assert_int_equal(fixture_join(logger), 0);
		if (!found)
			memset(store_stream(lab.head, web)->mark, 0,
			    sizeof(store_stream(lab.head, web)->mark));
	}
	assert_true(found);
	last_lines_close(&last);
}

/* Old events, and those of a sinit that has ended, get no mark any more. */
static void test_event_does_not_wait(void **state)
{
	enum { ATTEMPTS = 10 };
	static struct last_lines last;
	bool at_once = false;

	(void)state;
	store_lab_print(&lab, web, "one\n");
	for (int i = 0; i < ATTEMPTS && !at_once; i++) {
		int64_t before = clock_ms();
		assert_false(find_last(&last, true, INT64_C(5000000000)));
		assert_false(find_last(&last, false, 0));
		at_once = clock_ms() - before < 250;
	}
	assert_true(at_once);
	last_lines_close(&last);
}

/* With -f they come with the event. */
static void test_events_follow(void **state)
{
	(void)state;
	add_exit("quiet", CAPACITY);
	pid_t logger = fixture_writer(f);
	if (logger == 0) {
		fixture_wait_output(f, 1);
		store_lab_print(&lab, web, "one\n");
		store_lab_mark(&lab, web, 2);
		add_exit("web", CAPACITY);
		fixture_writer_ends(f);
	}
	assert_int_equal(fixture_run(f, "events", "-f", NULL), 0);
	assert_int_equal(fixture_join(logger), 0);
	has(f->out, "\n    | one\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_event),
	    TEST(test_event_without_lines),
	    TEST(test_event_of_another_kind),
	    TEST(test_event_prefers_stderr),
	    TEST(test_event_limits),
	    TEST(test_event_waits_for_its_mark),
	    TEST(test_event_does_not_wait),
	    TEST(test_events_follow),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
