/* Splitting lines into words: the table of what comes out, and the limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "init/words.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static char reason[200];

static const char *look_up(const void *context, const char *name, size_t length)
{
	static const char *const variables[] = {
	    "A=1", "EMPTY=", "SPACE=two  words", "PERCENT=%n$A${A}"};

	assert_ptr_equal(context, reason);
	for (size_t i = 0; i < ARRAY_LEN(variables); i++)
		if (strncmp(variables[i], name, length) == 0 && variables[i][length] == '=')
			return variables[i] + length + 1;
	return NULL;
}

/* "[word][word]", or "error: reason". The line and the room are of exact size for ASan. */
static const char *split(const char *line, bool literal)
{
	static char result[4096];
	char *copy = strdup(line);
	struct words_source source = {"web@2", "2", look_up, reason};
	struct words words = {.data = malloc(600), .size = 600};
	struct text text;
	struct text why;

	text_init(&text, result, sizeof(result));
	text_init(&why, reason, sizeof(reason));
	int error = words_split(&words, copy, literal ? NULL : &source, &why);
	if (error) {
		assert_int_equal(error, -EINVAL);
		text_addf(&text, "error: %s", reason);
	} else {
		const char *word = words.data;
		assert_int_equal(why.used, 0);
		for (uint32_t i = 0; i < words.count; i++, word += strlen(word) + 1)
			text_addf(&text, "[%s]", word);
		assert_ptr_equal(word, words.data + words.used);
	}
	free(copy);
	free(words.data);
	return result;
}

static const struct row {
	const char *line;
	const char *words;
} commands[] = {
    {"", ""},
    {"   \t ", ""},
    {"a", "[a]"},
    {"  a  b\tc ", "[a][b][c]"},
    /* Quotes. */
    {"'a b' \"c d\"", "[a b][c d]"},
    {"''", "[]"},
    {"\"\"", "[]"},
    {"a '' b", "[a][][b]"},
    {"a''b", "[ab]"},
    {"x'y z'\"w v\"u", "[xy zw vu]"},
    {"'\"' \"'\"", "[\"][']"},
    {"'it'\\''s'", "[it's]"},
    {"'a\\b' '\\'", "[a\\b][\\]"},
    /* Backslashes. */
    {"a\\ b", "[a b]"},
    {"\\'\\\"\\\\", "['\"\\]"},
    {"\\a", "[a]"},
    {"a\\", "[a\\]"},
    {"\\", "[\\]"},
    {"\"\\\"\\\\\\$\\a\"", "[\"\\$\\a]"},
    {"\"a\\ b\"", "[a\\ b]"},
    /* Comments and operators are nothing. */
    {"sh -c \"a ; b\" # c", "[sh][-c][a ; b][#][c]"},
    {"a=b;c|d>e&", "[a=b;c|d>e&]"},
    {"*? ~ {a,b} `x` $(x)", "[*?][~][{a,b}][`x`][$(x)]"},
    /* Variables. */
    {"${A}", "[1]"},
    {"x${A}y\"${A}\"", "[x1y1]"},
    {"'${A}'", "[${A}]"},
    {"${SPACE}", "[two  words]"},
    {"\"${SPACE}\"", "[two  words]"},
    {"${EMPTY}", "[]"},
    {"${EMPTY} x", "[][x]"},
    {"${PERCENT}", "[%n$A${A}]"},
    {"\\${A}", "[${A}]"},
    {"\"\\${A}\"", "[${A}]"},
    {"$A $ $1 $$ $$$ $${A}", "[$A][$][$1][$][$$][${A}]"},
    /* Instance and name. */
    {"%n %i x%ny", "[web@2][2][xweb@2y]"},
    {"%% %%n %s %2B 100% \"%n\" '%n'", "[%][%n][%s][%2B][100%][web@2][%n]"},
    {"%", "[%]"},
    {"\\%n", "[%n]"},
    /* Bytes that are no ASCII. */
    {"\xc3\xa4 \xff", "[\xc3\xa4][\xff]"},
    /* Errors. */
    {"'a", "error: the quote ' is not closed"},
    {"a \"b", "error: the quote \" is not closed"},
    {"\"a\\", "error: the quote \" is not closed"},
    {"\"a\\\"", "error: the quote \" is not closed"},
    {"a ${A", "error: ${ without }"},
    {"\"${A\"", "error: ${ without }"},
    {"${}", "error: ${} is not the name of a variable; write $$ for a plain $"},
    {"${A:-x}", "error: ${A:-x} is not the name of a variable; write $$ for a plain $"},
    {"${1}", "error: ${1} is not the name of a variable; write $$ for a plain $"},
    {"${NOT}", "error: the variable NOT is not set; set it with environment ="},
};

static void test_commands(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		assert_string_equal(split(commands[i].line, false), commands[i].words);
}

/* `environment =`: nothing is expanded (P68, P69). */
static const struct row literals[] = {
    {"A=1 B=2", "[A=1][B=2]"},
    {"'A=two words' B=\"x y\"", "[A=two words][B=x y]"},
    {"A=${B} C=%n D=$$ E=%% F=100%", "[A=${B}][C=%n][D=$$][E=%%][F=100%]"},
    {"'X=5ny6{wo'\\''\"7n'", "[X=5ny6{wo'\"7n]"},
    {"\"X=5ny6{wo'\\\"7n\"", "[X=5ny6{wo'\"7n]"},
    {"\"A=\\$x\\\\\"", "[A=$x\\]"},
    {"A= B=", "[A=][B=]"},
    {"A=${", "[A=${]"},
    {"A='", "error: the quote ' is not closed"},
};

static void test_P68_P69_literal(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(literals); i++)
		assert_string_equal(split(literals[i].line, true), literals[i].words);
}

/* Every size of room: too small is an error, never a cut, and nothing is written behind. */
static void test_room(void **state)
{
	struct words_source source = {"n", "1", look_up, reason};
	const char *line = "abc 'd e' ${SPACE} ''";
	size_t need = 4 + 4 + 11 + 1;

	(void)state;
	for (size_t size = 0; size < need + 3; size++) {
		struct words words = {.data = malloc(size + 1), .size = size};
		struct text why;
		text_init(&why, reason, sizeof(reason));
		words.data[size] = 'E';
		int error = words_split(&words, line, &source, &why);
		assert_int_equal(error, size < need ? -E2BIG : 0);
		assert_int_equal(words.data[size], 'E');
		if (error)
			assert_string_equal(reason, "too long");
		else
			assert_int_equal(words.count, 4);
		free(words.data);
	}
}

/* Two lines into the same words. */
static void test_append(void **state)
{
	char data[16];
	struct words words = {.data = data, .size = sizeof(data)};
	struct text why;

	(void)state;
	text_init(&why, reason, sizeof(reason));
	assert_int_equal(words_split(&words, "a b", NULL, &why), 0);
	assert_int_equal(words_split(&words, "c", NULL, &why), 0);
	assert_int_equal(words.count, 3);
	assert_memory_equal(data, "a\0b\0c", 6);
}

static void test_quote_reads_back(void **state)
{
	static const char *const samples[] = {"a", "", "two words", "it's", "'", "''", "\"", "\\",
	    "a\\", "$", "${A}", "$$", "%n", "%", "tab\there", "a=b", "-x", "'a' \"b\" \\ $ %"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
		char quoted[200];
		char expected[200];
		struct text text;
		text_init(&text, quoted, sizeof(quoted));
		words_quote(&text, samples[i]);
		text_init(&text, expected, sizeof(expected));
		text_addf(&text, "[%s]", samples[i]);
		assert_string_equal(split(quoted, false), expected);
		assert_string_equal(split(quoted, true), expected);
	}
}

static void test_plain_words_stay_unquoted(void **state)
{
	char quoted[50];
	struct text text;

	(void)state;
	text_init(&text, quoted, sizeof(quoted));
	words_quote(&text, "/bin/x-1.2_3:4,5@6#");
	assert_string_equal(quoted, "/bin/x-1.2_3:4,5@6#");
}

static void test_variable_names(void **state)
{
	(void)state;
	assert_true(words_is_variable("A", 1));
	assert_true(words_is_variable("_a1", 3));
	assert_false(words_is_variable("1a", 2));
	assert_false(words_is_variable("", 0));
	assert_false(words_is_variable("a-b", 3));
	assert_true(words_is_variable("a-b", 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_commands),
	    cmocka_unit_test(test_P68_P69_literal),
	    cmocka_unit_test(test_room),
	    cmocka_unit_test(test_append),
	    cmocka_unit_test(test_quote_reads_back),
	    cmocka_unit_test(test_plain_words_stay_unquoted),
	    cmocka_unit_test(test_variable_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
