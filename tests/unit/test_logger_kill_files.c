/* As test_logger_kill.c, where something is about the file: it is full, cannot be opened, is
 * rotated. */
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
#include <sys/stat.h>
#include <unistd.h>

enum { LIMIT = 70 }; /* bytes that a file takes that is full, or to be rotated */

static void test_full_file(void **state)
{
	(void)state;
	walks(&(struct walk){.stream = {WALK_TO_FILE("raw", LINES_RAW)}, .file_limit = LIMIT});
	walks(&(struct walk){
	    .stream = {WALK_TO_FILE("stamped", LINES_TIMESTAMPS)}, .file_limit = LIMIT});
}

static void test_rotation(void **state)
{
	struct walk own = {.stream = {WALK_TO_FILE("raw", LINES_RAW)}};

	(void)state;
	own.stream[0].max_size = LIMIT;
	walks(&own);
	own.stream[0].format = LINES_TIMESTAMPS;
	own.stream[0].max_size = 2 * LIMIT;
	walk_on(&own);
}

static void test_rotation_with_compression(void **state)
{
	struct walk own = {.stream = {WALK_TO_FILE("raw", LINES_RAW)}};

	(void)state;
	own.stream[0].max_size = LIMIT;
	own.stream[0].gzip = true;
	walk_on(&own);
}

/* A directory stands in the file's place. */
static void have_no_file(struct logger_lab *lab)
{
	const char *away = tempdir_path("away");
	bool is_there = rename(walk_path, away) == 0;

	assert_return_code(mkdir(walk_path, 0700), errno);
	moment_none(loglab_work, lab);
	assert_return_code(rmdir(walk_path), errno);
	if (is_there)
		assert_return_code(rename(away, walk_path), errno);
}

static void test_file_that_cannot_be_opened(void **state)
{
	(void)state;
	walks(&(struct walk){.stream = {WALK_TO_FILE("raw", LINES_RAW)}, .between = have_no_file});
	walks(&(struct walk){
	    .stream = {WALK_TO_FILE("stamped", LINES_TIMESTAMPS)}, .between = have_no_file});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    WALK_TEST(test_full_file),
	    WALK_TEST(test_rotation),
	    WALK_TEST(test_rotation_with_compression),
	    WALK_TEST(test_file_that_cannot_be_opened),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
