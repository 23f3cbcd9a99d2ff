/* Where lines end, and how they are shown. */
#include "log/lines.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct lines_style raw = {.format = LINES_RAW, .name = "web"};
static const struct lines_style prefix = {.format = LINES_RAW, .prefix = true, .name = "web"};
static const struct lines_style times = {.format = LINES_TIMESTAMPS, .name = "web"};
static const struct lines_style json = {.format = LINES_JSON, .name = "web", .stream = "stderr"};

static const char *show(
    const struct lines_style *style, const char *bytes, size_t length, bool more)
{
	static char buffer[2 * LINES_MOST];
	struct lines_text text = {.data = buffer, .size = sizeof(buffer) - 1};
	struct lines_clock clock = {0};

	assert_true(lines_add(
	    &text, style, &clock, INT64_C(1700000000) * 1000000 + 42, bytes, length, more));
	buffer[text.used] = '\0';
	return buffer;
}

static void test_shown(void **state)
{
	struct lines_style both = prefix, colour = prefix;

	(void)state;
	both.format = LINES_TIMESTAMPS;
	colour.colour = true;
	assert_string_equal(show(&raw, "a\n", 2, false), "a\n");
	assert_string_equal(show(&raw, "a", 1, false), "a");
	assert_string_equal(show(&prefix, "a\n", 2, false), "web | a\n");
	assert_string_equal(show(&prefix, "a", 1, false), "web | a\n");
	assert_string_equal(show(&prefix, "\n", 1, false), "web | \n");
	assert_string_equal(show(&times, "a\n", 2, false), "2023-11-14T22:13:20.000042Z a\n");
	assert_string_equal(show(&both, "a\n", 2, false), "web | 2023-11-14T22:13:20.000042Z a\n");
	assert_non_null(strstr(show(&colour, "a\n", 2, false), "web |\x1b[0m a\n"));
	assert_non_null(
	    strstr(show(&colour, "\x1b[1;31mred\x1b[0m\t\x1b[2Jx\ry\x1b[\r\n", 26, false),
		"\x1b[0m \x1b[1;31mred\x1b[0m\t?[2Jx?y?[ \n"));
	assert_non_null(strstr(show(&prefix, "\x1b[2Jx\ry\n", 8, false), "web | \x1b[2Jx\ry\n"));
	assert_string_equal(show(&json, "a\"\xff\x1b\n", 5, false),
	    "{\"time\":\"2023-11-14T22:13:20.000042Z\",\"service\":\"web\",\"stream\":\"stderr\","
	    "\"message\":\"a\\\"\\ufffd\\u001b\"}\n");
	assert_non_null(strstr(show(&json, "a", 1, true), "\"message\":\"a\",\"partial\":true}\n"));
}

static void test_clock(void **state)
{
	static const struct {
		int64_t us;
		const char *text;
	} cases[] = {
	    {0, "1970-01-01T00:00:00.000000Z"},
	    {999999, "1970-01-01T00:00:00.999999Z"},
	    {1000000, "1970-01-01T00:00:01.000000Z"},
	    {INT64_C(951782400000000), "2000-02-29T00:00:00.000000Z"},
	    {INT64_C(951782399999999), "2000-02-28T23:59:59.999999Z"},
	};
	struct lines_clock clock = {0};
	char buffer[LINES_MOST];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct lines_text text = {.data = buffer, .size = sizeof(buffer)};

		assert_true(lines_add(&text, &times, &clock, cases[i].us, "\n", 1, false));
		assert_memory_equal(buffer, cases[i].text, LINES_TIME);
	}
}

static char *of_length(size_t length)
{
	char *line = malloc(length + 1);

	assert_non_null(line);
	memset(line, 'x', length);
	line[length] = '\n';
	return line;
}

/* A line that just fits is one, whether its newline has come or not. */
static void test_pieces(void **state)
{
	static const struct {
		const struct lines_style *style;
		size_t most;
	} cases[] = {{&prefix, LINES_PIECE}, {&times, LINES_PIECE}, {&raw, LINES_MOST - 1}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		size_t most = cases[i].most;
		char *fits = of_length(most), *longer = of_length(most + 1);

		assert_int_equal(lines_next(cases[i].style, fits, most, false), 0);
		assert_int_equal(lines_next(cases[i].style, fits, most, true), most);
		assert_int_equal(lines_next(cases[i].style, fits, most + 1, false), most + 1);
		assert_int_equal(lines_next(cases[i].style, longer, most + 1, false), most);
		assert_int_equal(lines_next(cases[i].style, longer, most + 2, false), most);
		free(fits);
		free(longer);
	}
	assert_int_equal(lines_next(&raw, "a\nb", 3, false), 2);
	assert_int_equal(lines_next(&raw, "b", 1, false), 0);
	assert_int_equal(lines_next(&raw, "b", 1, true), 1);
	assert_int_equal(lines_next(&raw, "\n", 1, false), 1);
}

/* With the longest name all that is shown of a piece goes into a pipe at once. */
static void test_longest(void **state)
{
	char name[64], *line = of_length(LINES_PIECE);
	struct lines_style style = {.format = LINES_TIMESTAMPS, .prefix = true, .name = name};

	(void)state;
	memset(name, 'n', 63);
	name[63] = '\0';
	assert_true(strlen(show(&style, line, LINES_PIECE + 1, false)) <= LINES_MOST);
	style.format = LINES_JSON;
	style.stream = "stdout";
	memset(line, 0x01, LINES_PIECE); /* six bytes each */
	size_t length = lines_next(&style, line, LINES_PIECE + 1, false);
	assert_in_range(length, 600, 700);
	assert_true(strlen(show(&style, line, length, true)) <= LINES_MOST);
	free(line);
}

/* A character is not cut in two. */
static void test_whole_characters(void **state)
{
	char line[LINES_PIECE + 1];

	(void)state;
	for (size_t i = 0; i + 3 <= sizeof(line); i += 3)
		memcpy(line + i, "\xe2\x82\xac", 3);
	assert_int_equal(lines_next(&json, line, sizeof(line), false) % 3, 0);
}

static void test_no_room(void **state)
{
	char buffer[16];
	struct lines_text text = {.data = buffer, .size = sizeof(buffer)};
	struct lines_clock clock = {0};

	(void)state;
	assert_false(lines_add(&text, &prefix, &clock, 0, "0123456789\n", 11, false));
	assert_int_equal(text.used, 0);
	assert_true(lines_add(&text, &prefix, &clock, 0, "012345678\n", 10, false));
	assert_int_equal(text.used, 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_shown),
	    cmocka_unit_test(test_clock),
	    cmocka_unit_test(test_pieces),
	    cmocka_unit_test(test_longest),
	    cmocka_unit_test(test_whole_characters),
	    cmocka_unit_test(test_no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
