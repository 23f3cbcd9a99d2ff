/* sinitctl logs -f, beside a logger that goes on writing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/unit/ctl_logs_fixture.h"

#include "ctl/watch.h"

#include <string.h>
#include <unistd.h>

/* It shows what comes, and ends when sinit does. */
static void test_follow(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++)
		store_lab_print(&lab, web, i < 10 ? "old\n" : "one\n");
	pid_t logger = fixture_writer(f);
	if (logger == 0) {
		fixture_wait_output(f, 1);
		store_lab_print(&lab, web, "two\nthr");
		watch_sleep(50);
		store_lab_print(&lab, web, "ee\nfour");
		fixture_writer_ends(f);
	}
	assert_int_equal(fixture_run(f, "logs", "-f", "web", NULL), 0);
	assert_int_equal(fixture_join(logger), 0);
	assert_string_equal(
	    f->out, "one\none\none\none\none\none\none\none\none\none\ntwo\nthree\nfour");
	assert_string_equal(f->err, "");
}

static void test_follow_of_the_dead(void **state)
{
	(void)state;
	store_lab_print(&lab, web, "one\ntwo\n");
	assert_int_equal(fixture_run(f, "logs", "-f", "-n1", "web", NULL), 0);
	assert_string_equal(f->out, "two\n");
}

/* Lines of two streams do not get into each other, nor does the end of one life into the next. */
static void test_follow_lines(void **state)
{
	(void)state;
	store_lab_print(&lab, web, "begin\n");
	pid_t logger = fixture_writer(f);
	if (logger == 0) {
		fixture_wait_output(f, 1);
		store_lab_print(&lab, web, "one ");
		store_lab_print(&lab, db, "other\n");
		watch_sleep(50);
		store_lab_print(&lab, web, "line\nlast words");
		watch_sleep(50);
		store_stream(lab.head, web)->end = store_stream(lab.head, web)->head;
		store_lab_print(&lab, web, "hello\n");
		watch_sleep(50);
		store_lab_print(&lab, web, "no end");
		fixture_writer_ends(f);
	}
	assert_int_equal(fixture_run(f, "logs", "--json", "-f", "*", NULL), 0);
	assert_int_equal(fixture_join(logger), 0);
	has(f->out, "{\"service\":\"web\",\"stream\":\"stdout\",\"line\":\"one line\"}\n");
	has(f->out, "{\"service\":\"db\",\"stream\":\"stdout\",\"line\":\"other\"}\n");
	has(f->out, "\"line\":\"last "
		    "words\"}\n{\"service\":\"web\",\"stream\":\"stdout\",\"line\":\"hello\"}\n"
		    "{\"service\":\"web\",\"stream\":\"stdout\",\"line\":\"no end\"}\n");
}

/* A service that comes later. */
static void test_follow_new_stream(void **state)
{
	(void)state;
	store_lab_print(&lab, web, "one\n");
	pid_t logger = fixture_writer(f);
	if (logger == 0) {
		fixture_wait_output(f, 1);
		store_lab_print(&lab, store_lab_add(&lab, "worker", STORE_OUTPUT), "two\n");
		fixture_writer_ends(f);
	}
	assert_int_equal(fixture_run(f, "logs", "-f", "w*", NULL), 0);
	assert_int_equal(fixture_join(logger), 0);
	assert_string_equal(f->out, "one\nworker | two\n");
}

/* Another stream in the place of one that was shown. */
static void test_follow_place_taken(void **state)
{
	(void)state;
	store_lab_print(&lab, web, "one\n");
	pid_t logger = fixture_writer(f);
	if (logger == 0) {
		struct store_stream *s = store_stream(lab.head, web);
		fixture_wait_output(f, 1);
		s->head = s->busy = 0;
		store_lab_print(&lab, web, "t\n");
		fixture_wait_output(f, 6);
		atomic_store(&s->used, 0);
		strcpy(s->name, "other");
		s->head = s->busy = 0;
		atomic_store(&s->used, 1);
		store_lab_print(&lab, web, "not ours\n");
		fixture_writer_ends(f);
	}
	assert_int_equal(fixture_run(f, "logs", "-f", "w*", NULL), 0);
	assert_int_equal(fixture_join(logger), 0);
	assert_string_equal(f->out, "one\nt\n");
}

/* What was overwritten before it could be read is told, and no half line is shown. */
static void test_follow_lost(void **state)
{
	static char much[2 * STORE_RING];

	(void)state;
	store_lab_print(&lab, web, "one\n");
	for (size_t i = 0; i < sizeof(much); i++)
		much[i] = i % 8 == 7 ? '\n' : (char)('0' + i % 8);
	pid_t logger = fixture_writer(f);
	if (logger == 0) {
		fixture_wait_output(f, 1);
		store_lab_write(&lab, web, much, sizeof(much));
		fixture_writer_ends(f);
	}
	assert_int_equal(fixture_run(f, "logs", "-f", "web", NULL), 0);
	assert_int_equal(fixture_join(logger), 0);
	assert_string_equal(
	    f->err, "sinitctl: web: 65544 bytes were overwritten before they could be read\n");
	assert_int_equal(strncmp(f->out, "one\n0123456\n0123456\n", 20), 0);
	assert_int_equal(strlen(f->out), 4 + STORE_RING - 8);
}

/* A moment in which nothing of the ring is safe is no loss. */
static void test_follow_busy(void **state)
{
	(void)state;
	store_lab_print(&lab, web, "one\n");
	pid_t logger = fixture_writer(f);
	if (logger == 0) {
		struct store_stream *s = store_stream(lab.head, web);
		fixture_wait_output(f, 1);
		store_lab_print(&lab, web, "two\n");
		s->busy = s->head + STORE_RING;
		watch_sleep(100);
		s->busy = s->head;
		store_lab_print(&lab, web, "three\n");
		fixture_writer_ends(f);
	}
	assert_int_equal(fixture_run(f, "logs", "-f", "web", NULL), 0);
	assert_int_equal(fixture_join(logger), 0);
	assert_string_equal(f->out, "one\ntwo\nthree\n");
	assert_string_equal(f->err, "");
}

/* A prompt, on a terminal: it has no newline, and is shown all the same while the service waits. */
static void test_follow_prompt(void **state)
{
	(void)state;
	store_lab_print(&lab, web, "name: ");
	f->style = (struct style){.width = 80};
	pid_t logger = fixture_writer(f);
	if (logger == 0) {
		fixture_wait_output(f, 1);
		fixture_writer_ends(f);
	}
	assert_int_equal(fixture_run(f, "logs", "-f", "web", NULL), 0);
	assert_int_equal(fixture_join(logger), 0);
	assert_string_equal(f->out, "name: \n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_follow),
	    TEST(test_follow_of_the_dead),
	    TEST(test_follow_lines),
	    TEST(test_follow_new_stream),
	    TEST(test_follow_place_taken),
	    TEST(test_follow_lost),
	    TEST(test_follow_busy),
	    TEST(test_follow_prompt),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
