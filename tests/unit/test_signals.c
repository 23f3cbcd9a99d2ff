/* Signal names, both ways. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "init/base.h"
#include "reaper/signals.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

static void is(const char *name, int expected)
{
	int signal = -1;

	assert_int_equal(signal_parse(name, &signal), 0);
	assert_int_equal(signal, expected);
}

static void test_names(void **state)
{
	(void)state;
	is("TERM", SIGTERM);
	is("SIGTERM", SIGTERM);
	is("term", SIGTERM);
	is("sigTerm", SIGTERM);
	is("15", SIGTERM);
	is("1", SIGHUP);
	is("64", 64);
	is("SYS", SIGSYS);
	is("STKFLT", SIGSTKFLT);
	is("CLD", SIGCHLD);
	is("IOT", SIGABRT);
	is("POLL", SIGIO);
}

/* 34, not what the C library keeps of the range: "RTMIN+3" must be the 37 that podman and
 * systemd send, whatever libc this is linked with. */
static void test_realtime(void **state)
{
	(void)state;
	is("RTMIN", 34);
	is("SIGRTMIN+3", 37);
	is("rtmin+0", 34);
	is("RTMIN+30", 64);
	is("RTMAX", 64);
	is("RTMAX-1", 63);
	is("RTMAX-30", 34);
}

static void test_refused(void **state)
{
	static const char *const bad[] = {"", "SIG", "0", "65", "-1", "+15", " 15", "15 ", "TERMX",
	    "TER", "SIGSIGTERM", "RTMIN+31", "RTMIN-1", "RTMAX+1", "RTMAX-31", "RTMIN+", "RTMIN3",
	    "RTMIN+x", "RT", "999999999999999999999"};
	int signal = 7;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(signal_parse(bad[i], &signal), -EINVAL);
		assert_int_equal(signal, 7);
	}
}

static void test_back_and_forth(void **state)
{
	char name[SIGNAL_NAME_SIZE];
	int back;

	(void)state;
	for (int signal = 1; signal <= SIGNAL_MAX; signal++) {
		assert_ptr_equal(signal_name(signal, name), name);
		assert_int_equal(signal_parse(name, &back), 0);
		assert_int_equal(back, signal);
	}
	assert_string_equal(signal_name(SIGTERM, name), "SIGTERM");
	assert_string_equal(signal_name(34, name), "SIGRTMIN");
	assert_string_equal(signal_name(64, name), "SIGRTMIN+30");
	assert_string_equal(signal_name(32, name), "32");
	assert_string_equal(signal_name(0, name), "0");
	assert_string_equal(signal_name(-3, name), "-3");
	assert_string_equal(signal_name(-2147483647, name), "-2147483647");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_realtime),
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_back_and_forth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
