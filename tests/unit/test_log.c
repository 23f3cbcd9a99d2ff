/* The log: exact lines, and no target that can hold it up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "init/log.h"
#include "tests/unit/tempdir.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static int saved_stderr;
static int end; /* where what goes to stderr can be read */
static char got[1 << 17];

/* Makes `fd` stderr, and takes it from the caller. */
static void become_stderr(int fd)
{
	fflush(stderr);
	dup2(fd, STDERR_FILENO);
	close(fd);
}

static void to_pipe(void)
{
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	end = ends[0];
	fcntl(end, F_SETFL, O_NONBLOCK);
	become_stderr(ends[1]);
}

static int setup(void **state)
{
	(void)state;
	tempdir_make();
	saved_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
	to_pipe();
	log_set_level(LOG_LEVEL_INFO);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	/* What a test lost is not told to the next one. */
	log_open(tempdir_path("rest"), LOG_FORMAT_TEXT);
	log_flush();
	if (end >= 0)
		close(end);
	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
	log_open("stderr", LOG_FORMAT_TEXT);
	tempdir_remove();
	return 0;
}

/* What has arrived since the last time. */
static const char *arrived(void)
{
	size_t used = 0;
	ssize_t count;

	while ((count = read(end, got + used, sizeof(got) - 1 - used)) > 0)
		used += (size_t)count;
	got[used] = '\0';
	return got;
}

/* Fills the pipe behind stderr to the last byte. */
static void fill_pipe(void)
{
	static const char block[4096];
	int fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_CLOEXEC);

	assert_true(fd >= 0);
	while (write(fd, block, sizeof(block)) > 0)
		;
	while (write(fd, block, 1) > 0)
		;
	close(fd);
}

/* Before anything was opened: descriptor 2 as it is. The first test. */
static void test_without_open(void **state)
{
	(void)state;
	log_warning("web", "is %s", "late");
	assert_false(log_flush());
	assert_string_equal(arrived(), "sinit: warning: web: is late\n");
	fill_pipe();
	log_info(NULL, "waits");
	assert_true(log_flush()); /* and did not block */
	arrived();
	assert_false(log_flush());
	assert_string_equal(arrived(), "sinit: waits\n");
}

static void test_text(void **state)
{
	(void)state;
	assert_int_equal(log_open("stderr", LOG_FORMAT_TEXT), 0);
	log_debug("web", "not told");
	log_info("web", "started (pid %d)", 12);
	log_info(NULL, "ready");
	log_error(NULL, "no %s", "good");
	assert_string_equal(arrived(), ""); /* nothing before the turn's end */
	assert_false(log_flush());
	assert_string_equal(arrived(), "sinit: web: started (pid 12)\n"
				       "sinit: ready\n"
				       "sinit: error: no good\n");
	log_set_level(LOG_LEVEL_DEBUG);
	assert_true(log_enabled(LOG_LEVEL_DEBUG));
	log_debug(NULL, "told");
	log_set_level(LOG_LEVEL_ERROR);
	assert_false(log_enabled(LOG_LEVEL_WARNING));
	log_warning(NULL, "not told");
	log_flush();
	assert_string_equal(arrived(), "sinit: debug: told\n");
}

static void test_one_line_stays_one(void **state)
{
	(void)state;
	char longer[5000];

	log_open("stderr", LOG_FORMAT_TEXT);
	log_info("x", "a\nb\tc\033[1m\177%%");
	log_flush();
	assert_string_equal(arrived(), "sinit: x: a b c [1m %\n");
	memset(longer, 'y', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	log_info("x", "%s", longer);
	log_flush();
	assert_true(strlen(arrived()) <= LOG_LINE);
	assert_string_equal(got + strlen(got) - 3, "yy\n");
}

static void test_json(void **state)
{
	(void)state;
	int year, length = 0;
	char hostile[2000];

	log_open("stderr", LOG_FORMAT_JSON);
	log_info("web", "say \"hi\" \\ \xff");
	log_error(NULL, "x");
	log_flush();
	assert_int_equal(
	    sscanf(arrived(), "{\"time\":\"%4d-%*2d-%*2dT%*2d:%*2d:%*2d.%*3dZ%n", &year, &length),
	    1);
	assert_true(year >= 2023);
	assert_int_equal(strncmp(got + length,
			     "\",\"level\":\"info\",\"service\":\"web\",\"message\":"
			     "\"say \\\"hi\\\" \\\\ \\ufffd\"}\n",
			     strlen("\",\"level\":\"info\",\"service\":\"web\",\"message\":"
				    "\"say \\\"hi\\\" \\\\ \\ufffd\"}\n")),
	    0);
	assert_non_null(strstr(got, "\"level\":\"error\",\"service\":null,\"message\":\"x\"}\n"));

	/* However much longer the quoting makes it, it is one whole object. */
	memset(hostile, '\xff', sizeof(hostile) - 1);
	hostile[sizeof(hostile) - 1] = '\0';
	log_info("web", "%s", hostile);
	log_flush();
	size_t size = strlen(arrived());
	assert_true(size > 300 && size <= LOG_LINE);
	assert_string_equal(got + size - 9, "\\ufffd\"}\n");
}

static int count_lines(const char *text)
{
	int lines = 0;

	for (; *text; text++)
		lines += *text == '\n';
	return lines;
}

static void test_full_pipe_blocks_nobody(void **state)
{
	(void)state;
	const int total = 2000;

	log_open("stderr", LOG_FORMAT_TEXT);
	fill_pipe();
	for (int i = 0; i < total; i++)
		log_info("web", "line %d", i);
	assert_true(log_flush());
	size_t dropped = log_dropped();
	assert_true(dropped > 0);
	arrived();
	assert_false(log_flush());
	assert_int_equal(log_dropped(), 0);
	int lines = count_lines(arrived());
	char report[64];
	snprintf(report, sizeof(report), "sinit: warning: %zu log lines lost", dropped);
	assert_non_null(strstr(got, report));
	assert_int_equal(lines - 1 + (int)dropped, total);
	assert_int_equal(strncmp(got, "sinit: web: line 0\n", 19), 0); /* the first are kept */
	assert_false(log_flush());
	assert_string_equal(arrived(), "");
}

static void test_reader_gone(void **state)
{
	(void)state;
	log_open("stderr", LOG_FORMAT_TEXT);
	close(end);
	for (int i = 0; i < 3; i++) {
		log_info("web", "into the void");
		assert_false(log_flush());
	}
	assert_int_equal(log_dropped(), 3);
	/* Opened while nobody reads it. */
	assert_int_equal(log_open("stderr", LOG_FORMAT_TEXT), 0);
	log_info("web", "into the void");
	assert_false(log_flush());
	assert_int_equal(log_dropped(), 4);
	/* One that works again hears of it once. */
	to_pipe();
	log_open("stderr", LOG_FORMAT_TEXT);
	log_info("web", "back");
	assert_false(log_flush());
	assert_string_equal(arrived(), "sinit: web: back\n"
				       "sinit: warning: 4 log lines lost: the log could not be "
				       "written\n");
}

static void test_full_device(void **state)
{
	(void)state;
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

	if (full < 0)
		skip();
	become_stderr(full);
	log_open("stderr", LOG_FORMAT_TEXT);
	log_info(NULL, "x");
	assert_false(log_flush());
	assert_int_equal(log_dropped(), 1);
	assert_int_equal(log_open(tempdir_path("log"), LOG_FORMAT_TEXT), 0);
	log_flush();
	assert_int_equal(log_dropped(), 0);
}

/* O_NONBLOCK on our stderr would be on that of every service and of our caller. */
static void test_flags_of_stderr_stay(void **state)
{
	(void)state;
	log_open("stderr", LOG_FORMAT_TEXT);
	assert_false(fcntl(STDERR_FILENO, F_GETFL) & O_NONBLOCK);
}

static void test_socket(void **state)
{
	(void)state;
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	close(end);
	end = ends[0];
	fcntl(end, F_SETFL, O_NONBLOCK);
	become_stderr(ends[1]);
	log_open("stderr", LOG_FORMAT_TEXT);
	log_info(NULL, "hello");
	assert_false(log_flush());
	assert_string_equal(arrived(), "sinit: hello\n");
	bool waits = false;
	for (int i = 0; i < 100000 && !waits; i++) {
		log_info(NULL, "%0500d", i);
		waits = log_flush();
	}
	assert_true(waits);
	assert_false(fcntl(STDERR_FILENO, F_GETFL) & O_NONBLOCK);
	close(end);
	assert_false(log_flush()); /* EPIPE, and alive */
	end = -1;
}

/* A file as stderr: in turn with others that write to the same open file. */
static void test_stderr_is_a_file(void **state)
{
	(void)state;
	char content[128];

	become_stderr(open(tempdir_path("err"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	log_open("stderr", LOG_FORMAT_TEXT);
	assert_int_equal(write(STDERR_FILENO, "first\n", 6), 6);
	log_info(NULL, "second");
	log_flush();
	assert_int_equal(write(STDERR_FILENO, "third\n", 6), 6);
	file_read(tempdir_path("err"), content, sizeof(content));
	assert_string_equal(content, "first\nsinit: second\nthird\n");
}

static void test_file_and_reopen(void **state)
{
	(void)state;
	char content[256];
	struct stat info;
	mode_t before = umask(022);

	tempdir_write("log", "old\n", 0640);
	assert_int_equal(log_open(tempdir_path("log"), LOG_FORMAT_TEXT), 0);
	log_info(NULL, "one");
	log_flush();
	assert_int_equal(rename(tempdir_path("log"), tempdir_path("log.1")), 0);
	log_info(NULL, "two");
	log_flush();
	assert_int_equal(log_reopen(), 0);
	log_info(NULL, "three");
	log_flush();
	umask(before);
	file_read(tempdir_path("log.1"), content, sizeof(content));
	assert_string_equal(content, "old\nsinit: one\nsinit: two\n");
	file_read(tempdir_path("log"), content, sizeof(content));
	assert_string_equal(content, "sinit: three\n");
	assert_int_equal(stat(tempdir_path("log"), &info), 0);
	assert_int_equal(info.st_mode & 07777, 0640);
}

static void test_open_that_fails_changes_nothing(void **state)
{
	(void)state;
	char content[64], long_path[5000];

	assert_int_equal(log_open(tempdir_path("log"), LOG_FORMAT_TEXT), 0);
	assert_int_equal(log_open("/no/such/directory/log", LOG_FORMAT_JSON), -ENOENT);
	memset(long_path, '/', sizeof(long_path) - 1);
	long_path[sizeof(long_path) - 1] = '\0';
	assert_int_equal(log_open(long_path, LOG_FORMAT_JSON), -ENAMETOOLONG);
	log_info(NULL, "still here");
	log_flush();
	file_read(tempdir_path("log"), content, sizeof(content));
	assert_string_equal(content, "sinit: still here\n");
}

/* What was said before the target was known goes to it. */
static void test_early_lines_go_to_the_new_target(void **state)
{
	(void)state;
	char content[64];

	log_open("stderr", LOG_FORMAT_TEXT);
	log_info(NULL, "early");
	assert_int_equal(log_open(tempdir_path("log"), LOG_FORMAT_TEXT), 0);
	log_flush();
	assert_string_equal(arrived(), "");
	file_read(tempdir_path("log"), content, sizeof(content));
	assert_string_equal(content, "sinit: early\n");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_without_open),
	    TEST(test_text),
	    TEST(test_one_line_stays_one),
	    TEST(test_json),
	    TEST(test_full_pipe_blocks_nobody),
	    TEST(test_reader_gone),
	    TEST(test_full_device),
	    TEST(test_flags_of_stderr_stay),
	    TEST(test_socket),
	    TEST(test_stderr_is_a_file),
	    TEST(test_file_and_reopen),
	    TEST(test_open_that_fails_changes_nothing),
	    TEST(test_early_lines_go_to_the_new_target),
	};
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
