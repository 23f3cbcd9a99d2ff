/* The kernel's command line, and what ends a machine. */
#include "init/cmdline.h"
#include "init/machine_end.h"
#include "reaper/signals.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct cmdline parsed(const char *text)
{
	static struct cmdline cmdline;

	cmdline_parse(&cmdline, text, strlen(text));
	return cmdline;
}

static void test_words(void **state)
{
	static struct cmdline c;

	(void)state;
	c = parsed(
	    "console=ttyS0 sinit.single  quiet\tsinit.conf=/etc/my\"board dir\" sinit.debug\n");
	assert_true(c.single);
	assert_true(c.debug);
	assert_string_equal(c.config, "/etc/myboard dir");
	assert_string_equal(c.unknown, "");
	c = parsed("ro root=/dev/mmcblk0p2");
	assert_false(c.single || c.debug);
	assert_string_equal(c.config, "");
}

static void test_unknown_words(void **state)
{
	static struct cmdline c;

	(void)state;
	c = parsed("sinit.singles sinit.debug=1 sinit.other");
	assert_false(c.single || c.debug);
	assert_string_equal(c.unknown, "sinit.singles");
}

static void test_words_behind_the_dashes(void **state)
{
	static struct cmdline c;

	(void)state;
	cmdline_parse(&c, "a -- -r \"/run/x y\" sinit.single -- z", 36);
	assert_false(c.single);
	assert_string_equal(c.word[0], "-r");
	assert_string_equal(c.word[1], "/run/x y");
	assert_string_equal(c.word[2], "sinit.single");
	assert_string_equal(c.word[3], "--");
	assert_string_equal(c.word[4], "z");
	assert_null(c.word[5]);
}

static void test_foreign_words(void **state)
{
	static struct cmdline c;
	char *as_the_kernel[] = {"splash", "nonsense", "-c", "/etc/splash", "splash", NULL};
	char *by_hand[] = {"-c", "/etc/x", NULL}, *none[] = {NULL};

	(void)state;
	cmdline_parse(&c, "ro splash quiet nonsense a=b -- -c /etc/splash splash", 54);
	assert_int_equal(cmdline_foreign(&c, as_the_kernel), 2);
	assert_int_equal(cmdline_foreign(&c, by_hand), 0);
	assert_int_equal(cmdline_foreign(&c, none), 0);
}

/* Neither too many nor too long ones go beyond their room. */
static void test_limits(void **state)
{
	static char bytes[3 * CMDLINE_SIZE];
	static struct cmdline c;

	(void)state;
	memset(bytes, 'x', sizeof(bytes));
	cmdline_parse(&c, bytes, sizeof(bytes));
	assert_int_equal(c.count, 0);
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = i % 2 ? ' ' : 'y';
	memcpy(bytes, "-- ", 3);
	cmdline_parse(&c, bytes, sizeof(bytes));
	assert_string_equal(c.word[CMDLINE_WORDS - 1], "y");
	assert_null(c.word[CMDLINE_WORDS]);
	memset(bytes, 'z', 2 * CMDLINE_PATH);
	memcpy(bytes, "sinit.conf=/", 12);
	cmdline_parse(&c, bytes, 2 * CMDLINE_PATH);
	assert_string_equal(c.config, "");
	assert_non_null(strstr(c.unknown, "so long a path"));
	cmdline_parse(&c, "\"open sinit.single", 18);
	assert_false(c.single);
}

static void test_ends(void **state)
{
	static const struct {
		int signal;
		enum machine_end end;
	} table[] = {{SIGINT, END_REBOOT}, {SIGTERM, END_REBOOT}, {SIGUSR1, END_HALT},
	    {SIGUSR2, END_POWEROFF}, {SIGPWR, END_POWEROFF}, {SIGHUP, END_NONE},
	    {SIGCHLD, END_NONE}, {SIGNAL_RTMIN + 6, END_KEXEC}};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		assert_int_equal(machine_end_of_signal(table[i].signal), table[i].end);
	assert_int_equal(machine_end_of_verb("reboot"), END_REBOOT);
	assert_int_equal(machine_end_of_verb("shutdown"), END_POWEROFF);
	assert_int_equal(machine_end_of_verb("status"), END_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_words),
	    cmocka_unit_test(test_unknown_words),
	    cmocka_unit_test(test_words_behind_the_dashes),
	    cmocka_unit_test(test_foreign_words),
	    cmocka_unit_test(test_limits),
	    cmocka_unit_test(test_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
