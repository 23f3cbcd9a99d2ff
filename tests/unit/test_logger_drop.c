/* What a logger drops when a target takes nothing, lines of which half is written, and messages of
 * /dev/log that find no room. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/logger_lab.h"
#include "tests/unit/tempdir.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

static struct logger_lab lab;
static struct logger *logger;
static char path[4200], content[LOGLAB_BYTES];

static int set_up(void **state)
{
	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	tempdir_make();
	snprintf(path, sizeof(path), "%s", tempdir_path("log"));
	loglab_make(&lab);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	loglab_stop(logger);
	loglab_free(&lab);
	tempdir_remove();
	return 0;
}

static void start(const char *const names[], enum logger_sink sink)
{
	for (int i = 0; names[i]; i++)
		loglab_add(&lab,
		    &(struct loglab_stream){.name = names[i], .sink = (uint8_t)sink, .path = path});
	logger = loglab_start(&lab);
	loglab_recover(logger);
}

static struct stream *one(void)
{
	return &logger->stream[0];
}

/* A stream's pipe gets it, and it is taken from there. */
static void take_text(uint32_t stream, const char *text)
{
	loglab_print(&lab, stream, text);
	assert_int_equal(take(logger, &logger->stream[stream]), strlen(text));
}

static void expect_file(const char *expected)
{
	file_read(path, content, sizeof(content));
	assert_string_equal(content, expected);
}

static void expect_dropped(uint64_t lines, uint64_t bytes)
{
	assert_int_equal(one()->s->dropped_lines, lines);
	assert_int_equal(one()->s->dropped_bytes, bytes);
}

/* Files take so many bytes, and what failed is tried again. */
static void set_limit(rlim_t bytes)
{
	struct rlimit limit;

	getrlimit(RLIMIT_FSIZE, &limit);
	limit.rlim_cur = bytes;
	assert_return_code(setrlimit(RLIMIT_FSIZE, &limit), errno);
	logger->now += 2 * LOGGER_RETRY;
}

/* --- dropping -------------------------------------------------------------------------------- */

/* The first stream says that, and its file takes so many bytes in all. */
static void write_until_full(const char *text, rlim_t bytes)
{
	take_text(0, text);
	set_limit(bytes);
	assert_false(put(logger, one()));
}

/* There is room again. */
static void write_on(void)
{
	set_limit(RLIM_INFINITY);
	assert_true(put(logger, one()));
}

static void test_lines_are_counted(void **state)
{
	(void)state;
	start((const char *const[]){"one", NULL}, LOGGER_FILE);
	take_text(0, "a\nbb\nccc\ndddd\nno end");
	take_drop(one(), 1);
	expect_dropped(1, 2);
	take_drop(one(), 4); /* within the third line */
	expect_dropped(3, 9);
	assert_true(put(logger, one()));
	expect_file("dddd\nno end");
	take_text(0, " yet\n");
	assert_true(put(logger, one()));
	take_text(0, "without an end");
	take_drop(one(), 5);
	expect_dropped(4, 9 + 14);
	assert_int_equal(one()->s->out, one()->s->head);
}

static void test_drop_behind_half_a_line(void **state)
{
	(void)state;
	start((const char *const[]){"one", NULL}, LOGGER_FILE);
	take_text(0, "the beginning");
	assert_true(put(logger, one()));
	take_text(0, " and the end\nnext\n");
	take_drop(one(), 1);
	expect_dropped(1, 13);
	assert_true(put(logger, one()));
	expect_file("the beginning\nnext\n");
	assert_int_equal(one()->s->torn, 0);
}

static void test_full_in_the_middle_of_a_line(void **state)
{
	(void)state;
	start((const char *const[]){"one", NULL}, LOGGER_FILE);
	write_until_full("first line\nsecond line\n", 15);
	assert_int_equal(one()->s->out, 15); /* raw: each byte by itself */
	expect_file("first line\nseco");
	write_on();
	expect_file("first line\nsecond line\n");
}

static void test_line_that_was_begun_is_given_up(void **state)
{
	(void)state;
	start((const char *const[]){"one", NULL}, LOGGER_FILE);
	write_until_full("only line\n", 4);
	expect_file("only");
	take_text(0, "next\n");
	take_drop(one(), 1);
	expect_dropped(1, 6); /* the rest of it */
	assert_int_equal(one()->s->put.phase, PUT_NONE);
	write_on();
	expect_file("only\nnext\n");
}

/* What is written of many lines is not dropped. */
static void test_lines_before_a_half_one_are_written(void **state)
{
	(void)state;
	start((const char *const[]){"one", NULL}, LOGGER_FILE);
	write_until_full("first\nsecond\nthird\nfourth\n", 16);
	take_drop(one(), 1);
	expect_dropped(1, 3);
	write_on();
	expect_file("first\nsecond\nthi\nfourth\n");
}

static void test_full_at_the_end_of_a_line(void **state)
{
	(void)state;
	start((const char *const[]){"one", NULL}, LOGGER_FILE);
	write_until_full("first\nsecond\nthird\n", 6);
	assert_int_equal(one()->s->put.phase, PUT_NONE);
	take_drop(one(), 1);
	expect_dropped(1, 7);
	write_on();
	expect_file("first\nthird\n");
}

/* Likewise of lines that are longer where they are written. */
static void test_formatted_lines_before_a_half_one(void **state)
{
	size_t line = LINES_TIME + 1 + strlen("first\n");

	(void)state;
	loglab_add(&lab,
	    &(struct loglab_stream){
		.name = "one", .sink = LOGGER_FILE, .path = path, .format = LINES_TIMESTAMPS});
	logger = loglab_start(&lab);
	loglab_recover(logger);
	write_until_full("line1\nline2\nline3\nline4\nline5\n", 2 * line + 10);
	take_drop(one(), 1);
	expect_dropped(1, 6);
	assert_int_equal(one()->s->out, 18);
	set_limit(3 * line + 11);
	assert_false(put(logger, one()));
	assert_int_equal(one()->s->out, 24);
	write_on();
	file_read(path, content, sizeof(content));
	assert_int_equal(strlen(content), 4 * line + 11);
	assert_memory_equal(
	    content + 3 * line + 11 - strlen("line4\n"), "line4\n", strlen("line4\n"));
	expect_dropped(1, 6);
}

/* Another format has no line of it once more. */
static void test_another_format_behind_half_a_line(void **state)
{
	(void)state;
	start((const char *const[]){"one", NULL}, LOGGER_FILE);
	write_until_full("first\nsecond\nthird\n", 9);
	set_limit(RLIM_INFINITY);
	one()->style.prefix = true;
	assert_true(put(logger, one()));
	expect_file("first\nsec\none | ond\none | third\n");
}

/* Neither is another stream's line put behind a half one. */
static void test_shared_file_that_is_full(void **state)
{
	(void)state;
	start((const char *const[]){"one", "other", NULL}, LOGGER_FILE);
	take_text(0, "line of one\n");
	take_text(1, "line of the other\n");
	set_limit(4);
	assert_false(put(logger, one()));
	set_limit(RLIM_INFINITY);
	assert_true(put(logger, &logger->stream[1]));
	expect_file("line of one\nline of the other\n");
	take_text(0, "second of one\n");
	take_text(1, "second of the other\n");
	set_limit(strlen(content) + 6);
	assert_false(put(logger, one()));
	take_drop(one(), 1);
	set_limit(RLIM_INFINITY);
	assert_true(put(logger, &logger->stream[1]));
	expect_file("line of one\nline of the other\nsecond\nsecond of the other\n");
}

/* Its file is another one, when there is one again, and the ring has gone on. */
static void test_half_a_line_and_no_target_any_more(void **state)
{
	static char many[2 * STORE_RING];

	(void)state;
	start((const char *const[]){"one", NULL}, LOGGER_FILE);
	write_until_full("only line\n", 4);
	set_limit(RLIM_INFINITY);
	loglab_stop(logger);
	lab.stream[0].sink = LOGGER_NOWHERE;
	logger = loglab_start(&lab);
	loglab_recover(logger);
	memset(many, 'x', sizeof(many));
	for (size_t done = 0; done < sizeof(many); done += STORE_RING / 2) {
		loglab_write(&lab, 0, many, STORE_RING / 2);
		loglab_serve(logger);
	}
	loglab_stop(logger);
	lab.stream[0].sink = LOGGER_FILE;
	logger = loglab_start(&lab);
	loglab_recover(logger);
	take_text(0, "\nlast\n");
	loglab_serve(logger);
	assert_int_equal(one()->s->out, one()->s->head);
	expect_file("only\nlast\n");
}

/* --- messages of /dev/log -------------------------------------------------------------------- */

static void send_message(const char *text)
{
	assert_int_equal(send(lab.syslog[1], text, strlen(text), 0), strlen(text));
}

/* It waits in its socket until there is room, or the target is known to take nothing. */
/* --- a target that comes --------------------------------------------------------------------- */

/* Once a turn, as the loop does it; false: there is nothing to be waited for. */
static bool turn_later(void)
{
	logger->now += LOGGER_RETRY;
	sinks_turn(logger);
	return sinks_deadline(logger) != 0;
}

/* Nothing is left to write by then, so no write tells that it can be written to again. */
static void test_target_that_comes(void **state)
{
	struct logger_message message;

	(void)state;
	tempdir_write("dir", "no directory", 0600);
	snprintf(path, sizeof(path), "%s", tempdir_path("dir/log"));
	start((const char *const[]){"one", NULL}, LOGGER_FILE);
	put(logger, one());
	assert_true(loglab_heard(&lab, LOGGER_FAULT, &message));
	assert_int_equal(message.error, ENOTDIR);
	assert_true(turn_later());
	assert_return_code(unlink(tempdir_path("dir")), errno);
	assert_false(turn_later());
	assert_true(loglab_heard(&lab, LOGGER_FAULT, &message));
	assert_int_equal(message.error, 0);
	assert_false(one()->sink->full || one()->sink->dropping);
	take_text(0, "a line\n");
	assert_true(put(logger, one()));
	expect_file("a line\n");
}

/* Of a file that could not be written to only a write tells that it can be again. */
static void test_full_and_nothing_left(void **state)
{
	struct logger_message message;

	(void)state;
	start((const char *const[]){"one", NULL}, LOGGER_FILE);
	set_limit(0);
	take_text(0, "no end");
	assert_false(put(logger, one()));
	assert_true(loglab_heard(&lab, LOGGER_FAULT, &message));
	take_drop(one(), 1);
	assert_false(turn_later());
	assert_false(loglab_heard(&lab, LOGGER_FAULT, &message));
	set_limit(RLIM_INFINITY);
	take_text(0, " and on\na line\n");
	assert_true(put(logger, one()));
	assert_false(turn_later());
	assert_true(loglab_heard(&lab, LOGGER_FAULT, &message));
	assert_int_equal(message.error, 0);
}

/* It turns out to be the file that another one is. */
static void test_target_that_is_another(void **state)
{
	struct logger_message message;
	char other[4200];

	(void)state;
	snprintf(other, sizeof(other), "%s", tempdir_path("dir/log"));
	tempdir_write("dir", "no directory", 0600);
	loglab_add(&lab, &(struct loglab_stream){.name = "one", .sink = LOGGER_FILE, .path = path});
	loglab_add(
	    &lab, &(struct loglab_stream){.name = "two", .sink = LOGGER_FILE, .path = other});
	loglab_add(
	    &lab, &(struct loglab_stream){.name = "three", .sink = LOGGER_FILE, .path = other});
	logger = loglab_start(&lab);
	loglab_recover(logger);
	take_text(0, "one\n");
	take_text(1, "two\n");
	take_text(2, "three\n");
	for (uint32_t i = 0; i < 3; i++)
		put(logger, &logger->stream[i]);
	assert_true(loglab_heard(&lab, LOGGER_FAULT, &message));
	assert_return_code(unlink(tempdir_path("dir")), errno);
	assert_return_code(symlink(".", tempdir_path("dir")), errno);
	assert_false(turn_later());
	assert_true(loglab_heard(&lab, LOGGER_FAULT, &message));
	assert_int_equal(message.error, 0);
	assert_ptr_equal(logger->stream[2].sink, one()->sink);
	for (uint32_t i = 0; i < 3; i++)
		put(logger, &logger->stream[i]);
	expect_file("one\ntwo\nthree\n");
}

static void test_message_without_room(void **state)
{
	static char many[STORE_RING];

	(void)state;
	loglab_add(&lab, &(struct loglab_stream){
			     .name = "", .kind = STORE_SYSLOG, .sink = LOGGER_FILE, .path = path});
	loglab_make_syslog(&lab, 0);
	logger = loglab_start(&lab);
	loglab_recover(logger);
	memset(many, 'x', sizeof(many));
	many[STORE_RING / 2] = '\n';
	many[STORE_RING - 1] = '\n';
	loglab_write(&lab, 0, many, sizeof(many));
	while (take(logger, one()) > 0)
		;
	assert_int_equal(one()->s->head, STORE_RING);
	send_message("<30>tag[7]: text");
	set_limit(1);
	assert_false(put(logger, one()));
	one()->sink->dropping = false;
	syslog_ready(logger);
	assert_true(loglab_waiting(lab.syslog[0]) > 0);
	assert_true(logger->syslog_at > logger->now);
	one()->sink->dropping = true;
	logger->now = logger->syslog_at;
	syslog_turn(logger);
	syslog_ready(logger);
	assert_int_equal(loglab_waiting(lab.syslog[0]), 0);
	expect_dropped(1, STORE_RING / 2); /* one byte is in the file */
	write_on();
	file_read(path, content, sizeof(content));
	assert_memory_equal(content, "x\nx", 3);
	assert_string_equal(strstr(content, "daemon"), "daemon.info tag[7]: text\n");
}

/* The same message twice is two. */
static void test_message_that_was_taken_off(void **state)
{
	(void)state;
	loglab_add(&lab, &(struct loglab_stream){
			     .name = "", .kind = STORE_SYSLOG, .sink = LOGGER_FILE, .path = path});
	loglab_make_syslog(&lab, 0);
	logger = loglab_start(&lab);
	loglab_recover(logger);
	send_message("<30>tag[7]: text");
	syslog_ready(logger);
	atomic_store(&lab.head->message.stream, 1); /* as if it had been killed behind recv() */
	send_message("<30>tag[7]: text");
	syslog_recover(logger);
	syslog_ready(logger);
	expect_file("daemon.info tag[7]: text\ndaemon.info tag[7]: text\n");
}

#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_lines_are_counted),
	    TEST(test_drop_behind_half_a_line),
	    TEST(test_full_in_the_middle_of_a_line),
	    TEST(test_line_that_was_begun_is_given_up),
	    TEST(test_lines_before_a_half_one_are_written),
	    TEST(test_full_at_the_end_of_a_line),
	    TEST(test_formatted_lines_before_a_half_one),
	    TEST(test_another_format_behind_half_a_line),
	    TEST(test_shared_file_that_is_full),
	    TEST(test_half_a_line_and_no_target_any_more),
	    TEST(test_target_that_comes),
	    TEST(test_full_and_nothing_left),
	    TEST(test_target_that_is_another),
	    TEST(test_message_without_room),
	    TEST(test_message_that_was_taken_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
