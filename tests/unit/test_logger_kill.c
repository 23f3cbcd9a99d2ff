/* A logger killed at every system call, in the middle of those that move bytes, and at every store
 * into the journal; the ones after it, too. Whatever it was, in the end all is there, once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/logger_walk.h"

#include <string.h>
#include <unistd.h>

static void test_raw_file(void **state)
{
	(void)state;
	walks(&(struct walk){.stream = {WALK_TO_FILE("raw", LINES_RAW)}});
}

static void test_file_with_times(void **state)
{
	(void)state;
	walks(&(struct walk){.stream = {WALK_TO_FILE("stamped", LINES_TIMESTAMPS)}});
}

static void test_file_of_objects(void **state)
{
	(void)state;
	walk_on(&(struct walk){.stream = {WALK_TO_FILE("object", LINES_JSON)}});
}

static void test_shared_file(void **state)
{
	(void)state;
	walks(&(struct walk){
	    .stream = {WALK_TO_FILE("one", LINES_RAW), WALK_TO_FILE("other", LINES_RAW)}});
}

static void test_pipe(void **state)
{
	(void)state;
	walks(&(struct walk){.stream = {WALK_TO_OUTPUT("raw")}});
}

static void test_pipe_with_prefix(void **state)
{
	struct walk own = {.stream = {WALK_TO_OUTPUT("one"), WALK_TO_OUTPUT("other")}};

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
	walks(&(struct walk){.stream = {WALK_TO_OUTPUT("raw")},
	    .appended = true,
	    .whole = true,
	    .between = append_foreign});
}

static void test_stamped_file_that_others_write_to(void **state)
{
	struct walk own = {.stream = {WALK_TO_OUTPUT("stamped")},
	    .appended = true,
	    .whole = true,
	    .between = append_foreign};

	(void)state;
	own.stream[0].format = LINES_TIMESTAMPS;
	walks(&own);
}

static void test_syslog(void **state)
{
	struct walk own = {.stream = {WALK_TO_FILE("", LINES_RAW)}, .syslog = true};

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
	    .stream = {WALK_TO_FILE("one", LINES_RAW)}, .between = change_format, .changing = true};

	(void)state;
	walks(&own);
	own.whole = true;
	walks(&own);
	own.stream[0] = (struct loglab_stream)WALK_TO_OUTPUT("one");
	walks(&own);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    WALK_TEST(test_raw_file),
	    WALK_TEST(test_file_with_times),
	    WALK_TEST(test_file_of_objects),
	    WALK_TEST(test_shared_file),
	    WALK_TEST(test_pipe),
	    WALK_TEST(test_pipe_with_prefix),
	    WALK_TEST(test_file_that_others_write_to),
	    WALK_TEST(test_stamped_file_that_others_write_to),
	    WALK_TEST(test_syslog),
	    WALK_TEST(test_another_format),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
