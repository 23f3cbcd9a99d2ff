/* The line that passes a message on: its form, what is not let into it, and where it ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "log/syslog_message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIECE(literal) ((struct syslog_piece){literal, sizeof(literal) - 1})

static const int64_t WHEN = 1795731924076402999; /* 2026-11-26T22:25:24.076402999Z */

static char buffer[8192];

static const char *format(const struct syslog_message *message, const char *hostname)
{
	struct text line;

	text_init(&line, buffer, sizeof(buffer));
	syslog_format(&line, message, WHEN, hostname);
	assert_false(line.cut);
	assert_int_equal(strlen(buffer), line.used);
	return buffer;
}

static void test_lines(void **state)
{
	struct syslog_message message = {.facility = 3,
	    .severity = 3,
	    .pid = 12,
	    .tag = PIECE("web"),
	    .text = PIECE("caf\xc3\xa9 is closed")};
	struct text line;

	(void)state;
	assert_string_equal(format(&message, "board"),
	    "<27>1 2026-11-26T22:25:24.076402Z board web 12 - - caf\xc3\xa9 is closed");
	message = (struct syslog_message){.host = PIECE("liar"),
	    .process = PIECE("worker-3"),
	    .id = PIECE("ID7"),
	    .data = PIECE("[a b=\"c\"]")};
	assert_string_equal(
	    format(&message, ""), "<0>1 2026-11-26T22:25:24.076402Z - - worker-3 ID7 [a b=\"c\"]");
	message = (struct syslog_message){.facility = 23, .severity = 7, .pid = INT32_MAX};
	assert_string_equal(
	    format(&message, "b"), "<191>1 2026-11-26T22:25:24.076402Z b - 2147483647 - -");
	text_init(&line, buffer, sizeof(buffer));
	syslog_format(&line, &message, 1000, "b");
	assert_string_equal(buffer, "<191>1 1970-01-01T00:00:00.000001Z b - 2147483647 - -");
	text_init(&line, buffer, sizeof(buffer));
	syslog_format(&line, &message, -1, "b");
	assert_string_equal(buffer, "<191>1 1970-01-01T00:00:00.000000Z b - 2147483647 - -");
}

static void test_line_is_clean(void **state)
{
	const struct syslog_message message = {.facility = 1,
	    .severity = 5,
	    .tag = PIECE("my \"b\xc3\xb6\"\n]"),
	    .process = PIECE("\t"),
	    .id = PIECE("\x80"),
	    .data = PIECE("[a b=\"\n\x80\"]"),
	    .text = PIECE("a\nb\r\tc\0d\x1b[2J\x7f\xc2\x9b\xff\xe2\x82 \xe2\x82\xac\\n")};

	(void)state;
	assert_string_equal(format(&message, "a b\xff"),
	    "<13>1 2026-11-26T22:25:24.076402Z a_b_ my_\"b__\"_] _ _ [a b=\"\\n\\x80\"] "
	    "a\\nb\\x0d\\tc\\x00d\\x1b[2J\\x7f\\xc2\\x9b\\xff\\xe2\\x82 \xe2\x82\xac\\n");
}

/* Fields end at their greatest length, and the head at the size that is told. */
static void test_longest_head(void **state)
{
	static char longest[600];
	const struct syslog_piece all = {longest, sizeof(longest) - 1};
	const struct syslog_message message = {.facility = 23,
	    .severity = 7,
	    .tag = all,
	    .process = all,
	    .id = all,
	    .text = PIECE("\n")};
	char expected[1024];

	(void)state;
	memset(longest, 'x', sizeof(longest) - 1);
	snprintf(expected, sizeof(expected),
	    "<191>1 2026-11-26T22:25:24.076402Z %.255s %.48s %.128s %.32s - \\n", longest, longest,
	    longest, longest);
	assert_string_equal(format(&message, longest), expected);
	assert_in_range(strlen(expected) - 2 + 1, 1, SYSLOG_HEAD);
}

static void test_cut(void **state)
{
	/* Each piece of the text has a mark before it, and is whole or is not there. */
	const struct syslog_message message = {.tag = PIECE("a"),
	    .text = PIECE("|\xc3\xa9|\xe2\x82\xac|\xf0\x9f\x8c\xb1|\n|\x01|\xff|")};
	static const char *const pieces[] = {
	    "|", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x8c\xb1", "\\n", "\\x01", "\\xff"};
	char whole[256];
	struct text line;

	(void)state;
	snprintf(whole, sizeof(whole), "%s", format(&message, "b"));
	size_t head = (size_t)(strchr(whole, '|') - whole);
	for (size_t size = 1; size <= strlen(whole) + 1; size++) {
		char *small = malloc(size);
		assert_non_null(small);
		text_init(&line, small, size);
		syslog_format(&line, &message, WHEN, "b");
		assert_int_equal(line.cut, size <= strlen(whole));
		assert_int_equal(strncmp(small, whole, line.used), 0);
		assert_in_range(line.used + 4, size - 1, size + 3);
		for (size_t at = head; at < line.used;) {
			size_t i = 0;
			while (i < ARRAY_LEN(pieces) &&
			       strncmp(small + at, pieces[i], strlen(pieces[i])) != 0)
				i++;
			assert_in_range(i, 0, ARRAY_LEN(pieces) - 1);
			at += strlen(pieces[i]);
		}
		free(small);
	}
}

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(syslog_facility_name(0), "kern");
	assert_string_equal(syslog_facility_name(10), "authpriv");
	assert_string_equal(syslog_facility_name(16), "local0");
	assert_string_equal(syslog_facility_name(SYSLOG_FACILITIES - 1), "local7");
	assert_string_equal(syslog_severity_name(0), "emerg");
	assert_string_equal(syslog_severity_name(SYSLOG_SEVERITIES - 1), "debug");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_lines),
	    cmocka_unit_test(test_line_is_clean),
	    cmocka_unit_test(test_longest_head),
	    cmocka_unit_test(test_cut),
	    cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
