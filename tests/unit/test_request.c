/* The control line: what is written is what is read, and nothing else is accepted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ctl/request.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static char line[2 * REQUEST_LINE];
static struct request request;
static const char *reason;

static int parse(const char *text)
{
	reason = NULL;
	memset(&request, 0xee, sizeof(request));
	snprintf(line, sizeof(line), "%s\n", text);
	return request_parse(line, strlen(line) - 1, &request, &reason);
}

static void refuse(const char *text, int error, const char *why)
{
	assert_int_equal(parse(text), error);
	assert_non_null(reason);
	assert_string_equal(reason, why);
}

static void test_plain_line(void **state)
{
	(void)state;
	assert_int_equal(parse("sinit1 12.ab_-X start web db@1"), 0);
	assert_string_equal(request.reply, "12.ab_-X");
	assert_string_equal(request.verb, "start");
	assert_int_equal(request.argc, 2);
	assert_string_equal(request.argv[0], "web");
	assert_string_equal(request.argv[1], "db@1");
}

static void test_no_reply_no_arguments(void **state)
{
	(void)state;
	assert_int_equal(parse("sinit1 - ping"), 0);
	assert_null(request.reply);
	assert_string_equal(request.verb, "ping");
	assert_int_equal(request.argc, 0);
}

static void test_decoding(void **state)
{
	(void)state;
	assert_int_equal(parse("sinit1 - show % a%20b %25 %C3%a4 _@.,:=/*?+- %0A"), 0);
	assert_int_equal(request.argc, 6);
	assert_string_equal(request.argv[0], "");
	assert_string_equal(request.argv[1], "a b");
	assert_string_equal(request.argv[2], "%");
	assert_string_equal(request.argv[3], "\xc3\xa4");
	assert_string_equal(request.argv[4], "_@.,:=/*?+-");
	assert_string_equal(request.argv[5], "\n");
}

static void test_refused(void **state)
{
	static const char start[] = "it does not begin with sinit1";
	static const char reply[] = "the name of the reply FIFO is not valid";
	static const char verb[] = "the verb is not a word of small letters";
	static const char empty[] = "an empty argument that is not written as %";
	static const char escape[] = "a % without two hexadecimal digits after it";
	static const char raw[] = "a byte in an argument that must be written as %XX";
	(void)state;

	refuse("", -EINVAL, start);
	refuse(" sinit1 - ping", -EINVAL, start);
	refuse("sinit2 - ping", -EINVAL, start);
	refuse("sinit11 - ping", -EINVAL, start);
	refuse("sinit1", -EINVAL, "no verb");
	refuse("sinit1 -", -EINVAL, "no verb");
	refuse("sinit1  ping", -EINVAL, reply);
	refuse("sinit1 .. ping", -EINVAL, reply);
	refuse("sinit1 .a ping", -EINVAL, reply);
	refuse("sinit1 a/b ping", -EINVAL, reply);
	refuse("sinit1 a%41 ping", -EINVAL, reply);
	refuse("sinit1 - ", -EINVAL, verb);
	refuse("sinit1 - Ping", -EINVAL, verb);
	refuse("sinit1 - ping1", -EINVAL, verb);
	refuse("sinit1 - aaaaaaaaaaaaaaaa", -EINVAL, verb);
	refuse("sinit1 - start ", -EINVAL, empty);
	refuse("sinit1 - start  a", -EINVAL, empty);
	refuse("sinit1 - start %4", -EINVAL, escape);
	refuse("sinit1 - start %g1", -EINVAL, escape);
	refuse("sinit1 - start %%", -EINVAL, escape);
	refuse("sinit1 - start %4 1", -EINVAL, escape);
	refuse("sinit1 - start a\tb", -EINVAL, raw);
	refuse("sinit1 - start a\r", -EINVAL, raw);
	refuse("sinit1 - start \xc3\xa4", -EINVAL, raw);
	refuse("sinit1 - start a%00", -EINVAL, "a NUL in an argument");
}

static void test_raw_nul(void **state)
{
	char bytes[] = "sinit1 - start a\0b\n";
	(void)state;
	assert_int_equal(request_parse(bytes, sizeof(bytes) - 2, &request, &reason), -EINVAL);
}

static void test_reply_length(void **state)
{
	char text[128];
	char name[REQUEST_REPLY + 2];
	(void)state;

	memset(name, 'a', sizeof(name));
	name[REQUEST_REPLY] = '\0';
	snprintf(text, sizeof(text), "sinit1 %s ping", name);
	assert_int_equal(parse(text), 0);
	name[REQUEST_REPLY] = 'a';
	name[REQUEST_REPLY + 1] = '\0';
	snprintf(text, sizeof(text), "sinit1 %s ping", name);
	assert_int_equal(parse(text), -EINVAL);
	assert_false(request_reply_valid("", 0));
}

static void test_most_arguments(void **state)
{
	char text[512] = "sinit1 - start";
	(void)state;

	for (int i = 0; i < REQUEST_ARGS; i++)
		strcat(text, " a");
	assert_int_equal(parse(text), 0);
	assert_int_equal(request.argc, REQUEST_ARGS);
	strcat(text, " a");
	refuse(text, -E2BIG, "more than 64 arguments");
}

static void test_longest_line(void **state)
{
	static const char head[] = "sinit1 - start ";
	char text[REQUEST_LINE + 1];
	(void)state;

	memset(text, 'a', sizeof(text));
	memcpy(text, head, sizeof(head) - 1);
	text[REQUEST_LINE - 1] = '\0';
	assert_int_equal(parse(text), 0);
	assert_int_equal(strlen(request.argv[0]), REQUEST_LINE - sizeof(head));
	text[REQUEST_LINE - 1] = 'a';
	text[REQUEST_LINE] = '\0';
	refuse(text, -E2BIG, "longer than 4096 bytes");
}

static void test_format(void **state)
{
	struct request out = {
	    .reply = "7.x", .verb = "show", .argc = 4, .argv = {"a b", "", "*?", "\xff%\n"}};
	size_t len;
	(void)state;

	assert_int_equal(request_format(&out, line, &len), 0);
	line[len] = '\0';
	assert_string_equal(line, "sinit1 7.x show a%20b % *? %FF%25%0A\n");
	out.reply = NULL;
	out.argc = 0;
	assert_int_equal(request_format(&out, line, &len), 0);
	line[len] = '\0';
	assert_string_equal(line, "sinit1 - show\n");
}

static void test_format_refused(void **state)
{
	struct request out = {.verb = "ping"};
	size_t len = 77;
	(void)state;

	out.verb = "Ping";
	assert_int_equal(request_format(&out, line, &len), -EINVAL);
	out.verb = "";
	assert_int_equal(request_format(&out, line, &len), -EINVAL);
	out.verb = "ping";
	out.reply = "../x";
	assert_int_equal(request_format(&out, line, &len), -EINVAL);
	out.reply = "";
	assert_int_equal(request_format(&out, line, &len), -EINVAL);
	out.reply = NULL;
	out.argc = REQUEST_ARGS + 1;
	assert_int_equal(request_format(&out, line, &len), -E2BIG);
	assert_int_equal(len, 77);
}

/* A line of exactly REQUEST_LINE bytes fits, one more does not, and nothing is written
 * behind the buffer. */
static void test_format_longest(void **state)
{
	char argument[REQUEST_LINE];
	char buffer[REQUEST_LINE + 8];
	size_t fits = REQUEST_LINE - strlen("sinit1 - start \n");
	struct request out = {.verb = "start", .argc = 1, .argv = {argument}};
	size_t len;
	(void)state;

	memset(buffer, '#', sizeof(buffer));
	memset(argument, 'a', sizeof(argument));
	argument[fits] = '\0';
	assert_int_equal(request_format(&out, buffer, &len), 0);
	assert_int_equal(len, REQUEST_LINE);
	assert_int_equal(request_parse(buffer, len - 1, &request, &reason), 0);
	assert_string_equal(request.argv[0], argument);
	argument[fits] = 'a';
	argument[fits + 1] = '\0';
	assert_int_equal(request_format(&out, buffer, &len), -E2BIG);
	assert_memory_equal(buffer + REQUEST_LINE, "########", 8);
}

static void test_every_byte(void **state)
{
	char all[256];
	struct request out = {.verb = "start", .argc = 1, .argv = {all}};
	size_t len;
	(void)state;

	for (int i = 1; i < 256; i++)
		all[i - 1] = (char)i;
	all[255] = '\0';
	assert_int_equal(request_format(&out, line, &len), 0);
	assert_null(memchr(line, '\n', len - 1));
	assert_int_equal(request_parse(line, len - 1, &request, &reason), 0);
	assert_string_equal(request.argv[0], all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_plain_line),
	    cmocka_unit_test(test_no_reply_no_arguments),
	    cmocka_unit_test(test_decoding),
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_raw_nul),
	    cmocka_unit_test(test_reply_length),
	    cmocka_unit_test(test_most_arguments),
	    cmocka_unit_test(test_longest_line),
	    cmocka_unit_test(test_format),
	    cmocka_unit_test(test_format_refused),
	    cmocka_unit_test(test_format_longest),
	    cmocka_unit_test(test_every_byte),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
