/* Text in a fixed buffer, JSON strings, strict numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "init/base.h"

#include <errno.h>
#include <string.h>

static void test_text_grows(void **state)
{
	char buffer[32];
	struct text text;

	(void)state;
	text_init(&text, buffer, sizeof(buffer));
	assert_string_equal(text.data, "");
	text_add(&text, "one");
	text_addf(&text, " %d", 2);
	text_add_bytes(&text, " three...", 6);
	assert_string_equal(text.data, "one 2 three");
	assert_int_equal(text.used, 11);
	assert_false(text.cut);
}

/* The content is the beginning of what was meant, whichever call did not fit. */
static void test_text_is_cut_once(void **state)
{
	char buffer[8 + 1];
	struct text text;

	(void)state;
	memset(buffer, 'x', sizeof(buffer));
	for (int how = 0; how < 3; how++) {
		text_init(&text, buffer, 8);
		text_add(&text, "12345");
		if (how == 0)
			text_add(&text, "678");
		else if (how == 1)
			text_addf(&text, "%s", "678");
		else
			text_add_bytes(&text, "678", 3);
		assert_string_equal(buffer, "1234567");
		assert_true(text.cut);
		assert_int_equal(text.used, 7);
		text_add(&text, "");
		text_addf(&text, "9");
		text_json(&text, "9");
		assert_string_equal(buffer, "1234567");
		assert_int_equal(buffer[8], 'x');
	}
}

static void test_text_that_just_fits(void **state)
{
	char buffer[4];
	struct text text;

	(void)state;
	text_init(&text, buffer, sizeof(buffer));
	text_addf(&text, "%s", "123");
	assert_false(text.cut);
	text_add(&text, "");
	text_addf(&text, "%s", "");
	assert_false(text.cut);
	text_init(&text, buffer, 1);
	text_add(&text, "");
	assert_false(text.cut);
	text_add(&text, "a");
	assert_true(text.cut);
	assert_string_equal(buffer, "");
}

static void json(const char *bytes, size_t length, const char *expected)
{
	char buffer[128];
	struct text text;

	text_init(&text, buffer, sizeof(buffer));
	text_json_bytes(&text, bytes, length);
	assert_string_equal(buffer, expected);
	assert_false(text.cut);
}

#define JSON(string, expected) json(string, sizeof(string) - 1, expected)

static void test_json(void **state)
{
	(void)state;
	JSON("", "\"\"");
	JSON("plain /text", "\"plain /text\"");
	JSON("\"\\", "\"\\\"\\\\\"");
	JSON("\b\f\n\r\t", "\"\\b\\f\\n\\r\\t\"");
	JSON("\0\x01\x1b\x1f\x7f", "\"\\u0000\\u0001\\u001b\\u001f\\u007f\"");
	JSON("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"");
}

/* The edges of table 3-7 of the Unicode Standard. */
static void test_json_of_no_text(void **state)
{
	(void)state;
	JSON("\xff", "\"\\ufffd\"");
	JSON("\x80", "\"\\ufffd\"");
	JSON("a\xc3", "\"a\\ufffd\""); /* cut off */
	JSON("\xe2\x82", "\"\\ufffd\\ufffd\"");
	JSON("\xc0\x80", "\"\\ufffd\\ufffd\""); /* overlong */
	JSON("\xc1\xbf", "\"\\ufffd\\ufffd\"");
	JSON("\xe0\x9f\xbf", "\"\\ufffd\\ufffd\\ufffd\"");
	JSON("\xf0\x8f\xbf\xbf", "\"\\ufffd\\ufffd\\ufffd\\ufffd\"");
	JSON("\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\"");            /* surrogate */
	JSON("\xf4\x90\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\""); /* above U+10FFFF */
	JSON("\xf5", "\"\\ufffd\"");
	JSON("\xc3\x41", "\"\\ufffd"
			 "A\"");
	JSON("\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf",
	    "\"\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf\"");
}

static void test_json_null(void **state)
{
	char buffer[8];
	struct text text;

	(void)state;
	text_init(&text, buffer, sizeof(buffer));
	text_json(&text, NULL);
	assert_string_equal(buffer, "null");
}

/* An escape goes in whole or not at all. */
static void test_json_is_cut_between_characters(void **state)
{
	static const char source[] = "a\n\x01\xff\xe2\x82\xac"
				     "b";
	char buffer[32];
	struct text text;

	(void)state;
	for (size_t size = 1; size < sizeof(buffer); size++) {
		text_init(&text, buffer, size);
		text_json(&text, source);
		size_t end = text.used;
		assert_true(end < size);
		static const size_t ends[] = {0, 1, 2, 4, 10, 16, 19, 20, 21};
		bool boundary = false;
		for (size_t i = 0; i < ARRAY_LEN(ends); i++)
			boundary = boundary || ends[i] == end;
		assert_true(boundary);
		assert_int_equal(text.cut, end != 21);
	}
}

static void test_numbers(void **state)
{
	static const char *const bad[] = {
	    "", " 1", "1 ", "+1", "-1", "0x10", "1a", "a", "1.0", "99999999999999999999999x"};
	uint64_t wide = 7;
	uint32_t narrow = 7;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(parse_u64(bad[i], &wide), -EINVAL);
		assert_int_equal(parse_u32(bad[i], &narrow), -EINVAL);
	}
	assert_int_equal(parse_u64("18446744073709551616", &wide), -ERANGE);
	assert_int_equal(parse_u64("99999999999999999999999", &wide), -ERANGE);
	assert_int_equal(parse_u32("4294967296", &narrow), -ERANGE);
	assert_int_equal(wide, 7);
	assert_int_equal(narrow, 7);
	assert_int_equal(parse_u64("18446744073709551615", &wide), 0);
	assert_true(wide == UINT64_MAX);
	assert_int_equal(parse_u32("4294967295", &narrow), 0);
	assert_true(narrow == UINT32_MAX);
	assert_int_equal(parse_u32("007", &narrow), 0);
	assert_int_equal(narrow, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_text_grows),
	    cmocka_unit_test(test_text_is_cut_once),
	    cmocka_unit_test(test_text_that_just_fits),
	    cmocka_unit_test(test_json),
	    cmocka_unit_test(test_json_of_no_text),
	    cmocka_unit_test(test_json_null),
	    cmocka_unit_test(test_json_is_cut_between_characters),
	    cmocka_unit_test(test_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
