/* The line grammar: what is told of each line, whatever inih was built with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "init/base.h"
#include "init/ini.h"

#include <stdlib.h>
#include <string.h>

static char told[65536];

static void tell(
    void *context, enum ini_event event, uint32_t line, const char *name, const char *value)
{
	struct text *text = context;

	if (event == INI_SECTION)
		text_addf(text, "%u[%s]", line, name);
	else if (event == INI_KEY)
		text_addf(text, "%u<%s|%s>", line, name, value);
	else
		text_addf(text, "%u!%s!", line, name);
}

static const char *read_bytes(const char *bytes, size_t size)
{
	/* Of exact size, so that the sanitizer sees a step too far. */
	char *copy = malloc(size + 1);
	struct text text;

	memcpy(copy, bytes, size);
	copy[size] = 'X';
	text_init(&text, told, sizeof(told));
	assert_int_equal(ini_read(copy, size, tell, &text), 0);
	free(copy);
	return told;
}

static const char *read_text(const char *text)
{
	return read_bytes(text, strlen(text));
}

#define NO_KEY_VALUE "!neither KEY = VALUE nor [SECTION]; a line cannot be continued on the next!"

static const struct row {
	const char *text;
	const char *told;
} rows[] = {
    {"", ""},
    {"\n\n\n", ""},
    {"[a]", "1[a]"},
    {"[a]\n[b]\n", "1[a]2[b]"},
    {"[a]\nk = v\n", "1[a]2<k|v>"},
    {"[a]\nk=v", "1[a]2<k|v>"},
    {"[a]\n  k  =   v w  \t\n", "1[a]2<k|v w>"},
    {"[a]\nk =\n", "1[a]2<k|>"},
    {"  [  a b  ]  \n", "1[a b]"},
    {"[]\n", "1[]"},
    /* Line ends and the mark of UTF-8. */
    {"[a]\r\nk = v\r\n\r\n", "1[a]2<k|v>"},
    {"\xef\xbb\xbf[a]\nk = v", "1[a]2<k|v>"},
    /* Comments are whole lines. */
    {"# x\n; y\n  # z\n\t; w\n[a]\n#k = v\nk = v # c ; d", "5[a]7<k|v # c ; d>"},
    {"[a]\nk = ; v\nl = # w", "1[a]2<k|; v>3<l|# w>"},
    {"[a]\nk = sh -c \"a ; b\"", "1[a]2<k|sh -c \"a ; b\">"},
    /* Nothing is continued, quoted or escaped. */
    {"[a]\nk = v\n  l = w\n", "1[a]2<k|v>3<l|w>"},
    {"[a]\nk = v\n  w\n", "1[a]2<k|v>3" NO_KEY_VALUE},
    {"[a]\nk = v \\\nl = w", "1[a]2<k|v \\>3<l|w>"},
    {"[a]\nk = \"v\"", "1[a]2<k|\"v\">"},
    /* Only the first = counts, and : is none. */
    {"[a]\nk = a=b:c=d", "1[a]2<k|a=b:c=d>"},
    {"[a]\nk = [b]", "1[a]2<k|[b]>"},
    {"[a]\nk: v", "1[a]2" NO_KEY_VALUE},
    {"[a]\nk: v = w", "1[a]2!a key has only letters, digits and _!"},
    {"[a]\nk l = w", "1[a]2!a key has only letters, digits and _!"},
    {"[a]\n= w", "1[a]2!no key before the =!"},
    {"[a]\nword", "1[a]2" NO_KEY_VALUE},
    {"[a]\nazAZ09_-. = v", "1[a]2<azAZ09_-.|v>"},
    {"[a]\nk/ = v", "1[a]2!a key has only letters, digits and _!"},
    /* Headers. */
    {"k = v\n[a]\nl = w",
	"1!a key outside of any section; write [service NAME] before it!2[a]3<l|w>"},
    {"[a\nk = v\n[b]\nk = v", "1!the section's name is not closed: ] is missing!3[b]4<k|v>"},
    {"[a] # x\nk = v", "1!text after the section's name; a comment has its own line!"},
    {"[a]b]\n", "1!text after the section's name; a comment has its own line!"},
};

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_string_equal(read_text(rows[i].text), rows[i].told);
}

static void test_nul_bytes(void **state)
{
	(void)state;
	assert_string_equal(
	    read_bytes("[a]\nk = v\0w\nl = x\n", 18), "1[a]2!a NUL byte: this is no text!3<l|x>");
	assert_string_equal(read_bytes("\0", 1), "1!a NUL byte: this is no text!");
}

/* inih's own buffers end at 200 bytes a line and 50 a name or section. */
static void test_long_lines(void **state)
{
	char text[5000];
	char expected[5000];
	struct text out;

	(void)state;
	for (size_t length = 190; length <= 4096 - 4; length += length < 210 ? 1 : 647) {
		char value[4097];
		memset(value, 'v', length);
		value[length] = '\0';
		text_init(&out, text, sizeof(text));
		text_addf(&out, "[a]\nk = %s\nl = w\n", value);
		text_init(&out, expected, sizeof(expected));
		text_addf(&out, "1[a]2<k|%s>3<l|w>", value);
		assert_string_equal(read_text(text), expected);
	}
	/* The limit to the byte. */
	memset(text, 'v', sizeof(text));
	memcpy(text, "[a]\nk = ", 8);
	memcpy(text + 4 + 4096, "\nl = w", 7);
	assert_null(strchr(read_text(text), '!'));
	memset(text, 'v', sizeof(text));
	memcpy(text, "[a]\nk = ", 8);
	memcpy(text + 4 + 4097, "\nl = w", 7);
	assert_string_equal(read_text(text), "1[a]2!the line is longer than 4096 bytes!3<l|w>");
}

static void test_long_names(void **state)
{
	char text[400];
	char expected[400];
	char name[201];

	(void)state;
	for (size_t length = 40; length <= 200; length++) {
		struct text out;
		memset(name, 'n', length);
		name[length] = '\0';
		text_init(&out, text, sizeof(text));
		text_addf(&out, "[%s]\n", name);
		text_init(&out, expected, sizeof(expected));
		text_addf(&out, "1[%s]", name);
		assert_string_equal(read_text(text), expected);
		text_init(&out, text, sizeof(text));
		text_addf(&out, "[a]\n%s = v\n", name);
		text_init(&out, expected, sizeof(expected));
		if (length <= INI_KEY_MAX)
			text_addf(&out, "1[a]2<%s|v>", name);
		else
			text_add(&out, "1[a]2!no key is that long!");
		assert_string_equal(read_text(text), expected);
	}
}

/* Numbers of lines and sections with many digits. */
static void test_many_lines(void **state)
{
	static char text[600000];
	struct text out;

	(void)state;
	text_init(&out, text, sizeof(text));
	for (unsigned i = 0; i < 100000; i++)
		text_add(&out, i % 3 ? "\n" : "[s]\n");
	text_add(&out, "k = v\n");
	assert_false(out.cut);
	read_text(text);
	assert_null(strchr(told, '!'));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rows),
	    cmocka_unit_test(test_nul_bytes),
	    cmocka_unit_test(test_long_lines),
	    cmocka_unit_test(test_long_names),
	    cmocka_unit_test(test_many_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
