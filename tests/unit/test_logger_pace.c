/* When the logger looks at a pipe: by a signal, or by the clock; never by poll(2). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/logger_lab.h"
#include "tests/unit/tempdir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct logger_lab lab;
static char path[4200], content[2 * LOGLAB_BYTES];

static int set_up(void **state)
{
	(void)state;
	tempdir_make();
	snprintf(path, sizeof(path), "%s", tempdir_path("log"));
	loglab_make(&lab);
	loglab_add(&lab, &(struct loglab_stream){.name = "one", .sink = LOGGER_FILE, .path = path});
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	loglab_free(&lab);
	tempdir_remove();
	return 0;
}

static bool logged(size_t size)
{
	return loglab_wait(path, content, sizeof(content), size);
}

/* --- pauses ----------------------------------------------------------------------------------- */

static void test_pauses(void **state)
{
	static const struct {
		uint32_t before, followed;
		size_t most;
		uint32_t after;
	} cases[] = {
	    {0, 1, 0, PACE_LEAST},                                       /* the first one */
	    {0, 0, 0, PACE_LEAST}, {PACE_LEAST, 1, 100, 2 * PACE_LEAST}, /* little: longer */
	    {2 * PACE_LEAST, 1, PACE_FULL / 4, 2 * PACE_LEAST},
	    {4 * PACE_LEAST, 1, PACE_FULL / 2, 2 * PACE_LEAST}, /* much: shorter */
	    {PACE_LEAST, 1, PACE_FULL - 1, PACE_LEAST},
	    {PACE_CALM, 1, PACE_FULL, 0}, /* full: none at all */
	    {PACE_CALM, 1, 0, PACE_CALM}, {PACE_CALM / 2 + 1, 1, 0, PACE_CALM},
	    {0, 11, 0, PACE_LEAST + 10 * PACE_EACH}, /* many */
	    {0, 500, 0, PACE_LEAST + 499 * PACE_EACH}, {0, 1000, 0, PACE_MOST},
	    {PACE_MOST, 1000000000, 0, PACE_MOST},
	    {PACE_MOST, 1, 100, PACE_CALM}, /* they have become few */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(pace_next_pause(cases[i].before, cases[i].followed, cases[i].most),
		    cases[i].after);
}

/* Whoever writes as fast as he likes: his pipe is full at the first look at most. */
static void test_pauses_of_any_speed(void **state)
{
	(void)state;
	for (uint64_t bytes = 1; bytes < 1 << 30; bytes *= 2) { /* a millisecond */
		uint32_t pause = PACE_CALM;
		size_t most = 0;

		for (int look = 0; look < 20; look++) {
			uint64_t came = bytes * pause / 1000000;

			most = came < STORE_RING ? (size_t)came : STORE_RING;
			pause = pace_next_pause(pause, 1, most);
		}
		if (bytes * PACE_LEAST / 1000000 < PACE_FULL)
			assert_true(most < PACE_FULL);
		if (bytes * PACE_CALM / 1000000 < PACE_FULL / 4)
			assert_int_equal(pause, PACE_CALM);
	}
}

/* --- turns ----------------------------------------------------------------------------------- */

static void test_followed_and_left(void **state)
{
	struct logger *logger = loglab_start(&lab);
	const struct stream *stream = &logger->stream[0];

	(void)state;
	assert_int_equal(pace_open(logger), 0);
	pace_arm(logger, &logger->stream[0], true);
	pace_turn(logger);
	assert_int_equal(stream->wake, WAKE_SIGNAL);
	/* Again and again something comes. */
	for (int i = 0; stream->wake == WAKE_SIGNAL; i++) {
		assert_true(i < 10);
		assert_false(logger->pace.followed);
		loglab_print(&lab, 0, "a line\n");
		pace_signalled(logger);
		assert_true(logger->pace.signalled);
		pace_turn(logger);
	}
	assert_int_equal(stream->wake, WAKE_CLOCK);
	assert_int_equal(logger->pace.followed, 1);
	assert_int_equal(fcntl(stream->fd, F_GETFL) & O_ASYNC, 0);
	/* Without any signal. */
	loglab_print(&lab, 0, "a line\n");
	pace_turn(logger);
	assert_int_equal(loglab_waiting(stream->fd), 0);
	/* Then nothing. What came after the last look and before it was armed no signal tells. */
	for (int i = 0; stream->wake == WAKE_CLOCK; i++) {
		assert_true(i < 100);
		assert_false(stream->due);
		logger->now++;
		pace_turn(logger);
	}
	assert_int_equal(stream->wake, WAKE_SIGNAL);
	assert_int_equal(logger->pace.followed, 0);
	assert_true(fcntl(stream->fd, F_GETFL) & O_ASYNC);
	assert_true(stream->due && logger->pace.due);
	pace_turn(logger);
	assert_false(stream->due || logger->pace.due);
	close(logger->pace.signal);
	loglab_stop(logger);
}

static void follow_one(struct logger *logger)
{
	assert_int_equal(pace_open(logger), 0);
	pace_arm(logger, &logger->stream[0], true);
	for (int i = 0; logger->stream[0].wake != WAKE_CLOCK; i++) {
		assert_true(i < 10);
		loglab_print(&lab, 0, "a line\n");
		pace_signalled(logger);
		pace_turn(logger);
	}
}

/* Who has something now and then is never followed. */
static void test_seldom(void **state)
{
	struct logger *logger = loglab_start(&lab);

	(void)state;
	assert_int_equal(pace_open(logger), 0);
	pace_arm(logger, &logger->stream[0], true);
	for (int i = 0; i < 100; i++) {
		logger->now += 100;
		loglab_print(&lab, 0, "a line\n");
		pace_signalled(logger);
		pace_turn(logger);
		assert_int_equal(loglab_waiting(logger->stream[0].fd), 0);
		assert_int_equal(logger->stream[0].wake, WAKE_SIGNAL);
	}
	close(logger->pace.signal);
	loglab_stop(logger);
}

/* With so many streams that they are looked at in pauses only; most of them are silent. */
static void test_one_of_many(void **state)
{
	struct logger *logger = loglab_start(&lab);
	struct stream *own = logger->stream, many[1000] = {*own};

	(void)state;
	for (size_t i = 1; i < ARRAY_LEN(many); i++)
		many[i].fd = -1;
	logger->stream = many;
	logger->streams = ARRAY_LEN(many);
	assert_int_equal(pace_open(logger), 0);
	pace_arm(logger, many, true);
	for (int i = 0; many[0].wake != WAKE_CLOCK; i++) {
		assert_true(i < 10);
		loglab_print(&lab, 0, "a line\n");
		pace_signalled(logger);
		pace_turn(logger);
		assert_int_equal(loglab_waiting(own->fd), 0);
		pace_pause(logger);
		logger->now += 10;
	}
	/* Of the others a signal may tell all the time: all are
	 * looked at in pauses all the same. */
	pace_signalled(logger);
	pace_turn(logger);
	pace_pause(logger);
	pace_signalled(logger);
	pace_turn(logger);
	assert_false(logger->pace.looked);
	assert_true(logger->pace.signalled);
	logger->now += 10;
	pace_turn(logger);
	assert_true(logger->pace.looked);
	logger->stream = own;
	logger->streams = 1;
	close(logger->pace.signal);
	loglab_stop(logger);
}

/* However little that is. */
static void test_full_pipes(void **state)
{
	static char bytes[STORE_RING];
	struct logger *logger = loglab_start(&lab);
	int to = lab.stream[0].pipe[1];

	(void)state;
	follow_one(logger);
	loglab_print(&lab, 0, "a line\n");
	pace_turn(logger);
	assert_true(logger->pace.most < PACE_FULL / 4);
	/* 65,536 bytes */
	loglab_write(&lab, 0, bytes, sizeof(bytes));
	pace_turn(logger);
	assert_true(logger->pace.most >= PACE_FULL);
	/* As many slots, a byte in each: pipe(2), O_DIRECT. */
	assert_return_code(fcntl(to, F_SETFL, O_NONBLOCK | O_DIRECT), errno);
	while (write(to, "\n", 1) == 1)
		;
	pace_turn(logger);
	assert_true(logger->pace.most >= PACE_FULL);
	assert_return_code(fcntl(to, F_SETFL, O_NONBLOCK), errno);
	/* A page. */
	assert_int_equal(fcntl(to, F_SETPIPE_SZ, 4096), 4096);
	loglab_write(&lab, 0, bytes, 4096);
	pace_turn(logger);
	assert_true(logger->pace.most >= PACE_FULL);
	pace_turn(logger);
	assert_int_equal(logger->pace.most, 0);
	close(logger->pace.signal);
	loglab_stop(logger);
}

/* --- the process ----------------------------------------------------------------------------- */

/* Whether an epoll of the process looks at the descriptor (proc_pid_fdinfo(5)). */
static bool is_watched(pid_t pid, int fd)
{
	char directory[64], name[400], text[4096], line[32];
	const struct dirent *entry;
	bool found = false;
	DIR *all;

	snprintf(directory, sizeof(directory), "/proc/%d/fdinfo", (int)pid);
	snprintf(line, sizeof(line), "tfd: %8d ", fd);
	all = opendir(directory);
	assert_non_null(all);
	while ((entry = readdir(all))) {
		snprintf(name, sizeof(name), "%s/%s", directory, entry->d_name);
		file_read(name, text, sizeof(text));
		found |= strstr(text, line) != NULL;
	}
	closedir(all);
	return found;
}

static void test_no_pipe_is_polled(void **state)
{
	pid_t pid = loglab_main(&lab);

	(void)state;
	loglab_print(&lab, 0, "a line\n");
	assert_true(logged(7));
	assert_false(is_watched(pid, lab.stream[0].pipe[0]));
	assert_true(is_watched(pid, HELPER_CHANNEL)); /* or else the above says nothing */
	loglab_end(&lab, pid);
}

/* Each is out before the next is written, in whatever way its pipe is looked at by then. */
static void test_one_by_one(void **state)
{
	pid_t pid = loglab_main(&lab);
	size_t size = 0;

	(void)state;
	for (int i = 0; i < 2000; i++) {
		loglab_print(&lab, 0, "a line\n");
		size += 7;
		assert_true(logged(size));
	}
	loglab_end(&lab, pid);
}

/* More than is taken at once, and nothing comes after it. */
static void test_large_pipe(void **state)
{
	static char piece[5000];
	size_t size = 0;
	ssize_t count;
	pid_t pid;

	(void)state;
	assert_int_equal(fcntl(lab.stream[0].pipe[1], F_SETPIPE_SZ, 1 << 20), 1 << 20);
	memset(piece, 'x', sizeof(piece));
	piece[sizeof(piece) - 1] = '\n';
	while ((count = write(lab.stream[0].pipe[1], piece, sizeof(piece))) > 0)
		size += (size_t)count;
	pid = loglab_main(&lab);
	assert_true(logged(size));
	loglab_end(&lab, pid);
}

/* The logger before it owned the signal. */
static void test_next_logger(void **state)
{
	pid_t pid = loglab_main(&lab);

	(void)state;
	loglab_print(&lab, 0, "a line\n");
	assert_true(logged(7));
	loglab_end(&lab, pid);
	pid = loglab_main(&lab);
	for (size_t i = 2; i < 10; i++) {
		loglab_print(&lab, 0, "a line\n");
		assert_true(logged(i * 7));
	}
	loglab_end(&lab, pid);
}

/* One was killed when its ring was full, and its service has filled the pipe meanwhile. */
static void test_full_ring(void **state)
{
	static char many[STORE_RING];
	struct logger *logger;
	pid_t pid;

	(void)state;
	memset(many, 'x', sizeof(many));
	many[sizeof(many) - 1] = '\n';
	logger = loglab_start(&lab);
	loglab_write(&lab, 0, many, sizeof(many));
	while (take(logger, &logger->stream[0]) > 0)
		;
	assert_int_equal(take(logger, &logger->stream[0]), -ENOBUFS);
	loglab_stop(logger);
	loglab_write(&lab, 0, many, sizeof(many));
	pid = loglab_main(&lab);
	assert_true(logged(2 * sizeof(many)));
	loglab_end(&lab, pid);
}

static void test_without_signals(void **state)
{
	pid_t pid;

	(void)state;
	lab.deaf = true;
	pid = loglab_main(&lab);
	for (size_t i = 1; i < 10; i++) {
		loglab_print(&lab, 0, "a line\n");
		assert_true(logged(i * 7));
	}
	loglab_end(&lab, pid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_pauses),
	    cmocka_unit_test(test_pauses_of_any_speed),
	    cmocka_unit_test_setup_teardown(test_followed_and_left, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_seldom, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_one_of_many, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_full_pipes, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_no_pipe_is_polled, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_one_by_one, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_large_pipe, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_next_logger, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_full_ring, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_without_signals, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
