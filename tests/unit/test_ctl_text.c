/* The pure parts of sinitctl: pieces of output, answers, names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ctl/match.h"
#include "ctl/reply.h"
#include "init/format.h"

#include <errno.h>
#include <string.h>

static char buffer[512];
static struct text text;

static void fresh(void)
{
	text_init(&text, buffer, sizeof(buffer));
}

static void test_numbers(void **state)
{
	(void)state;
	fresh();
	format_number(&text, 0);
	text_add(&text, " ");
	format_number(&text, -17);
	text_add(&text, " ");
	format_number(&text, INT64_MIN);
	text_add(&text, " ");
	format_number(&text, INT64_MAX);
	assert_string_equal(buffer, "0 -17 -9223372036854775808 9223372036854775807");
	fresh();
	format_seconds(&text, 12045);
	text_add(&text, " ");
	format_seconds(&text, 7);
	text_add(&text, " ");
	format_seconds(&text, -5);
	assert_string_equal(buffer, "12.045 0.007 0.000");
}

static void test_time(void **state)
{
	(void)state;
	fresh();
	format_time(&text, INT64_C(1714564800123456789));
	assert_string_equal(buffer, "2024-05-01T12:00:00.123Z");
	fresh();
	format_time(&text, INT64_C(1709164805007000000)); /* a leap day */
	assert_string_equal(buffer, "2024-02-29T00:00:05.007Z");
	fresh();
	format_time(&text, -1);
	assert_string_equal(buffer, "1970-01-01T00:00:00.000Z");
}

static void clean(const char *in, const char *expected)
{
	fresh();
	format_clean(&text, in);
	assert_string_equal(buffer, expected);
}

static void test_clean(void **state)
{
	(void)state;
	clean("plain ä € 😀", "plain ä € 😀");
	clean("a\nb\tc\r\033[31m\177", "a\\nb\\tc\\x0d\\x1b[31m\\x7f");
	clean("\xc2\x9b"
	      "31m",
	    "\\xc2\\x9b31m"); /* CSI as one character */
	clean("\xff\xc3", "\\xff\\xc3");
	clean("\xed\xa0\x80", "\\xed\\xa0\\x80"); /* surrogate */
	clean("\xe0\x80\x80\xf4\x90\x80\x80", "\\xe0\\x80\\x80\\xf4\\x90\\x80\\x80");
	clean("", "");
}

static void test_columns(void **state)
{
	(void)state;
	assert_int_equal(format_columns("aä€"), 3);
	fresh();
	format_cut(&text, "aä€xyz", 4, "…");
	assert_string_equal(buffer, "aä€…");
	fresh();
	format_cut(&text, "abc", 3, "~");
	assert_string_equal(buffer, "abc");
	fresh();
	format_cut(&text, "abc", 1, "~");
	format_cut(&text, "abc", 0, "~");
	assert_string_equal(buffer, "~");
	fresh();
	format_spaces(&text, 70);
	assert_int_equal(text.used, 70);
}

static void test_match(void **state)
{
	(void)state;
	assert_true(match_service("web", "web"));
	assert_true(match_service("web", "web@2"));
	assert_true(match_service("web@2", "web@2"));
	assert_true(match_service("w*", "web"));
	assert_true(match_service("*", "web@1"));
	assert_true(match_service("we[ab]", "web"));
	assert_false(match_service("web", "web2"));
	assert_false(match_service("we", "web"));
	assert_false(match_service("", "web"));
	assert_false(match_service("", ""));
	assert_false(match_service("w?", "web"));
	assert_false(match_service("web@2", "web"));
}

static char line[512];
static struct reply reply;

static int parse(const char *json)
{
	strcpy(line, json);
	return reply_parse(line, &reply);
}

static void test_reply(void **state)
{
	(void)state;
	assert_int_equal(parse("{\"service\":\"web\",\"slot\":3 , \"a\":null,\"b\":true}"), 0);
	assert_int_equal(reply.count, 4);
	assert_string_equal(reply_get(&reply, "service"), "web");
	assert_string_equal(reply_get(&reply, "slot"), "3");
	assert_string_equal(reply_get(&reply, "b"), "true");
	assert_null(reply_get(&reply, "a"));
	assert_null(reply_get(&reply, "c"));
	assert_int_equal(parse("{}"), 0);
	assert_int_equal(parse(" { \"n\" : -1.5e3 } "), 0);
	assert_string_equal(reply_get(&reply, "n"), "-1.5e3");
}

static void test_reply_strings(void **state)
{
	(void)state;
	assert_int_equal(
	    parse("{\"v\":\"\\\"\\\\\\/\\n\\t\\u0041\\u00e4\\u20ac\\ud83d\\ude00\"}"), 0);
	assert_string_equal(reply_get(&reply, "v"), "\"\\/\n\tAä€😀");
	assert_int_equal(parse("{\"v\":\"\\ud83dx\\u0000\"}"), 0);
	assert_string_equal(reply_get(&reply, "v"), "\xef\xbf\xbdx\xef\xbf\xbd");
	assert_int_equal(parse("{\"v\":\"\",\"w\":\"x\"}"), 0);
	assert_string_equal(reply_get(&reply, "v"), "");
	assert_string_equal(reply_get(&reply, "w"), "x");
}

static void test_reply_refused(void **state)
{
	static const char *const bad[] = {"", "{", "}", "[]", "{\"a\"}", "{\"a\":}", "{\"a\":\"b}",
	    "{\"a\":\"b\"", "{\"a\":\"b\"} x", "{\"a\":\"b\",}", "{a:1}", "{\"a\":\"\\x\"}",
	    "{\"a\":\"\\u12g4\"}", "{\"a\":\"\\", "{\"a\":\"\\u", "{\"a\":\"\n\"}", "{\"a\":[1]}",
	    "{\"a\":1 2}", "{\"a\":\"b\" \"c\":1}"};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(parse(bad[i]), -EINVAL);
}

static void test_reply_many(void **state)
{
	(void)state;
	fresh();
	for (int i = 0; i < 30; i++)
		text_addf(&text, "%c\"k%d\":%d", i ? ',' : '{', i, i);
	text_add(&text, "}");
	assert_int_equal(parse(buffer), 0);
	assert_int_equal(reply.count, REPLY_FIELDS);
	assert_string_equal(reply_get(&reply, "k15"), "15");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_numbers),
	    cmocka_unit_test(test_time),
	    cmocka_unit_test(test_clean),
	    cmocka_unit_test(test_columns),
	    cmocka_unit_test(test_match),
	    cmocka_unit_test(test_reply),
	    cmocka_unit_test(test_reply_strings),
	    cmocka_unit_test(test_reply_refused),
	    cmocka_unit_test(test_reply_many),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
