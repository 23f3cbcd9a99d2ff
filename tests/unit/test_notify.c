/* What a datagram to the notification socket means: whole lines only, nothing guessed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "init/notify.h"

#include <stdlib.h>
#include <string.h>

static struct notification n;

/* In memory of the exact size, without a NUL behind it. */
static void parse_bytes(const char *bytes, size_t size)
{
	char *datagram = malloc(size ? size : 1);

	assert_non_null(datagram);
	memcpy(datagram, bytes, size);
	memset(&n, 0xee, sizeof(n));
	notify_parse(datagram, size, &n);
	free(datagram);
}

static void parse(const char *text)
{
	parse_bytes(text, strlen(text));
}

static void assert_nothing(void)
{
	assert_false(n.ready);
	assert_false(n.reloading);
	assert_false(n.stopping);
	assert_false(n.watchdog);
	assert_false(n.trigger);
	assert_int_equal(n.main_pid, 0);
	assert_int_equal(n.detail, 0);
	assert_int_equal(n.status, 0);
	assert_int_equal(n.status_length, 0);
}

static void test_nothing_said(void **state)
{
	static const char *const texts[] = {"", "\n", "\n\n\n", "=", "READY", "READY=", "READY=0",
	    "READY=11", "READY=1 ", " READY=1", "READY=1\r", "ready=1", "READY=1\t\nX", "XREADY=1",
	    "RELOADING=2", "STOPPING=", "WATCHDOG=", "WATCHDOG=triggers", "WATCHDOG=TRIGGER",
	    "WATCHDOG=11", "STATUS", "MAINPID", "SINIT_DETAIL", "FDSTORE=1", "BARRIER=1", "ERRNO=2",
	    "MAINPI", "M", "S"};
	(void)state;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		parse(texts[i]);
		assert_nothing();
	}
	parse_bytes("READY=1", 8); /* with its NUL it is another word */
	assert_nothing();
	parse_bytes("\0READY=1", 8);
	assert_nothing();
}

static void test_each_flag_alone(void **state)
{
	(void)state;
	parse("READY=1");
	assert_true(n.ready && !n.reloading && !n.stopping && !n.watchdog && !n.trigger);
	parse("RELOADING=1");
	assert_true(!n.ready && n.reloading && !n.stopping && !n.watchdog && !n.trigger);
	parse("STOPPING=1");
	assert_true(!n.ready && !n.reloading && n.stopping && !n.watchdog && !n.trigger);
	parse("WATCHDOG=1");
	assert_true(!n.ready && !n.reloading && !n.stopping && n.watchdog && !n.trigger);
	parse("WATCHDOG=trigger");
	assert_true(!n.ready && !n.reloading && !n.stopping && !n.watchdog && n.trigger);
}

static void test_lines_together(void **state)
{
	static const char text[] = "X=1\nREADY=1\n\nSTATUS=up and well\nMAINPID=77\nWATCHDOG=1\n";
	(void)state;

	parse(text);
	assert_true(n.ready && n.watchdog);
	assert_int_equal(n.main_pid, 77);
	assert_int_equal(n.status, strstr(text, "up") - text);
	assert_int_equal(n.status_length, strlen("up and well"));
	parse("READY=1\nREADY=0"); /* what was said is not taken back */
	assert_true(n.ready);
	parse("X\nREADY=1"); /* the last line needs no end */
	assert_true(n.ready);
}

static void test_pids(void **state)
{
	static const struct {
		const char *text;
		int32_t pid;
	} rows[] = {
	    {"MAINPID=2", 2},
	    {"MAINPID=2147483647", INT32_MAX},
	    {"MAINPID=0000000012", 12},
	    {"MAINPID=2147483648", 0},
	    {"MAINPID=4294967298", 0},
	    {"MAINPID=9999999999", 0},
	    {"MAINPID=18446744073709551618", 0},
	    {"MAINPID=00000000012", 0},
	    {"MAINPID=1", 0},
	    {"MAINPID=0", 0},
	    {"MAINPID=-5", 0},
	    {"MAINPID=+5", 0},
	    {"MAINPID= 5", 0},
	    {"MAINPID=5 ", 0},
	    {"MAINPID=5x", 0},
	    {"MAINPID=0x10", 0},
	    {"MAINPID=", 0},
	    {"MAINPID=\n5", 0},
	    {"MAINPID=5\nMAINPID=6", 6},
	    {"MAINPID=5\nMAINPID=x", 0},
	};
	(void)state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		parse(rows[i].text);
		assert_int_equal(n.main_pid, rows[i].pid);
		assert_int_equal(n.detail, 0);
	}
}

static void test_detail(void **state)
{
	(void)state;
	parse("SINIT_DETAIL=0");
	assert_int_equal(n.detail, 0);
	parse("SINIT_DETAIL=1");
	assert_int_equal(n.detail, 1);
	parse("SINIT_DETAIL=-1");
	assert_int_equal(n.detail, 0);
	parse("SINIT_DETAIL=");
	assert_int_equal(n.detail, 0);
	parse("SINIT_DETAIL=2147483648");
	assert_int_equal(n.detail, 0);
}

static void test_thief(void **state)
{
	static const char text[] = "SINIT_DETAIL=7\nSINIT_THIEF=a b";

	(void)state;
	parse(text);
	assert_int_equal(n.detail, 7);
	assert_int_equal(n.thief, 27);
	assert_int_equal(n.thief_length, 3);
}

static void test_status_is_within_the_datagram(void **state)
{
	static char longest[NOTIFY_SIZE];
	(void)state;

	parse("STATUS=");
	assert_int_equal(n.status_length, 0);
	parse("STATUS=a\nSTATUS=bc"); /* the last one counts */
	assert_int_equal(n.status, 16);
	assert_int_equal(n.status_length, 2);
	memset(longest, 's', sizeof(longest));
	memcpy(longest, "STATUS=", 7);
	parse_bytes(longest, sizeof(longest));
	assert_int_equal(n.status, 7);
	assert_int_equal(n.status_length, sizeof(longest) - 7);
	parse_bytes("STATUS=\0\xff\x1b[2J", 13);
	assert_int_equal(n.status_length, 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_nothing_said),
	    cmocka_unit_test(test_each_flag_alone),
	    cmocka_unit_test(test_lines_together),
	    cmocka_unit_test(test_pids),
	    cmocka_unit_test(test_detail),
	    cmocka_unit_test(test_thief),
	    cmocka_unit_test(test_status_is_within_the_datagram),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
