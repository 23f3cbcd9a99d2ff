/* A logger killed at every system call, in the middle of those that move bytes, and at every store
 * into the journal; the ones after it, too. Whatever it was, in the end all is there, once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/logger_walk.h"
#include "tests/unit/moments.h"
#include "tests/unit/tempdir.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LIMIT = 70 }; /* bytes that a file takes that is full, or to be rotated */

static char path[4200];

#define TO_FILE(NAME, FORMAT)                                                                      \
	{                                                                                          \
		.name = NAME, .sink = LOGGER_FILE, .path = path, .keep = WALK_KEEP,                \
		.format = FORMAT                                                                   \
	}
#define TO_OUTPUT(NAME)                                                                            \
	{                                                                                          \
		.name = NAME, .sink = LOGGER_STDOUT                                                \
	}

static void walks(const struct walk *walk)
{
	walk_once(walk);
	walk_on(walk);
}

static void test_raw_file(void **state)
{
	(void)state;
	walks(&(struct walk){.stream = {TO_FILE("raw", LINES_RAW)}});
}

static void test_file_with_times(void **state)
{
	(void)state;
	walks(&(struct walk){.stream = {TO_FILE("stamped", LINES_TIMESTAMPS)}});
}

static void test_file_of_objects(void **state)
{
	(void)state;
	walk_on(&(struct walk){.stream = {TO_FILE("object", LINES_JSON)}});
}

static void test_shared_file(void **state)
{
	(void)state;
	walks(&(struct walk){.stream = {TO_FILE("one", LINES_RAW), TO_FILE("other", LINES_RAW)}});
}

static void test_pipe(void **state)
{
	(void)state;
	walks(&(struct walk){.stream = {TO_OUTPUT("raw")}});
}

static void test_pipe_with_prefix(void **state)
{
	struct walk own = {.stream = {TO_OUTPUT("one"), TO_OUTPUT("other")}};

	(void)state;
	own.stream[0].prefix = true;
	own.stream[1].sink = LOGGER_NOWHERE;
	walks(&own);
}

static void append_foreign(struct logger_lab *lab)
{
	assert_int_equal(
	    write(lab->out[1], WALK_FOREIGN, strlen(WALK_FOREIGN)), strlen(WALK_FOREIGN));
}

static void test_file_that_others_write_to(void **state)
{
	(void)state;
	walks(&(struct walk){.stream = {TO_OUTPUT("raw")},
	    .appended = true,
	    .whole = true,
	    .between = append_foreign});
}

static void test_stamped_file_that_others_write_to(void **state)
{
	struct walk own = {.stream = {TO_OUTPUT("stamped")},
	    .appended = true,
	    .whole = true,
	    .between = append_foreign};

	(void)state;
	own.stream[0].format = LINES_TIMESTAMPS;
	walks(&own);
}

static void test_full_file(void **state)
{
	(void)state;
	walks(&(struct walk){.stream = {TO_FILE("raw", LINES_RAW)}, .file_limit = LIMIT});
	walks(
	    &(struct walk){.stream = {TO_FILE("stamped", LINES_TIMESTAMPS)}, .file_limit = LIMIT});
}

static void test_rotation(void **state)
{
	struct walk own = {.stream = {TO_FILE("raw", LINES_RAW)}};

	(void)state;
	own.stream[0].max_size = LIMIT;
	walks(&own);
	own.stream[0].format = LINES_TIMESTAMPS;
	own.stream[0].max_size = 2 * LIMIT;
	walk_on(&own);
}

static void test_rotation_with_compression(void **state)
{
	struct walk own = {.stream = {TO_FILE("raw", LINES_RAW)}};

	(void)state;
	own.stream[0].max_size = LIMIT;
	own.stream[0].gzip = true;
	walk_on(&own);
}

static void test_syslog(void **state)
{
	struct walk own = {.stream = {TO_FILE("", LINES_RAW)}, .syslog = true};

	(void)state;
	own.stream[0].kind = STORE_SYSLOG;
	walks(&own);
}

static void change_format(struct logger_lab *lab)
{
	lab->stream[0].format = lab->stream[0].format == LINES_JSON ? LINES_RAW : LINES_JSON;
}

static void test_another_format(void **state)
{
	struct walk own = {
	    .stream = {TO_FILE("one", LINES_RAW)}, .between = change_format, .changing = true};

	(void)state;
	walks(&own);
	own.whole = true;
	walks(&own);
	own.stream[0] = (struct loglab_stream)TO_OUTPUT("one");
	walks(&own);
}

/* A directory stands in the file's place. */
static void have_no_file(struct logger_lab *lab)
{
	const char *away = tempdir_path("away");
	bool is_there = rename(path, away) == 0;

	assert_return_code(mkdir(path, 0700), errno);
	moment_none(loglab_work, lab);
	assert_return_code(rmdir(path), errno);
	if (is_there)
		assert_return_code(rename(away, path), errno);
}

static void test_file_that_cannot_be_opened(void **state)
{
	(void)state;
	walks(&(struct walk){.stream = {TO_FILE("raw", LINES_RAW)}, .between = have_no_file});
	walks(&(struct walk){
	    .stream = {TO_FILE("stamped", LINES_TIMESTAMPS)}, .between = have_no_file});
}
static int set_up(void **state)
{
	(void)state;
	tempdir_make();
	snprintf(path, sizeof(path), "%s", tempdir_path("log"));
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	tempdir_remove();
	return 0;
}

#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_raw_file),
	    TEST(test_file_with_times),
	    TEST(test_file_of_objects),
	    TEST(test_shared_file),
	    TEST(test_pipe),
	    TEST(test_pipe_with_prefix),
	    TEST(test_file_that_others_write_to),
	    TEST(test_stamped_file_that_others_write_to),
	    TEST(test_full_file),
	    TEST(test_rotation),
	    TEST(test_rotation_with_compression),
	    TEST(test_syslog),
	    TEST(test_another_format),
	    TEST(test_file_that_cannot_be_opened),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
