/* The command line: sinit's own, and as tini and dumb-init. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "init/base.h"
#include "init/option_table.h"
#include "init/options.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define ARGV(...) ((char *[]){__VA_ARGS__, NULL})

static struct options options;
static char message[8192];

static const char *environment[8];

static const char *lookup(const char *name)
{
	for (size_t i = 0; i + 1 < ARRAY_LEN(environment) && environment[i]; i += 2)
		if (strcmp(environment[i], name) == 0)
			return environment[i + 1];
	return NULL;
}

static int parse(char **argv)
{
	struct text error;

	text_init(&error, message, sizeof(message));
	int result = options_parse(argv, lookup, &options, &error);
	assert_false(error.cut);
	assert_int_equal(message[0] == '\0', result == 0);
	return result;
}

static void good(char **argv)
{
	assert_int_equal(parse(argv), 0);
}

static void bad(char **argv, const char *part)
{
	memset(&options, 0xee, sizeof(options));
	assert_int_equal(parse(argv), -EINVAL);
	assert_int_equal(options.action, 0xee); /* set only on success */
	if (!strstr(message, part))
		fail_msg("\"%s\" is not in \"%s\"", part, message);
}

static int reset(void **state)
{
	(void)state;
	memset(environment, 0, sizeof(environment));
	return 0;
}

static void test_defaults(void **state)
{
	(void)state;
	good(ARGV("/sbin/sinit"));
	assert_int_equal(options.personality, PERSONALITY_SINIT);
	assert_int_equal(options.action, ACTION_RUN);
	assert_string_equal(options.name, "sinit");
	assert_string_equal(options.config, "/etc/sinit");
	assert_string_equal(options.run_dir, "/run/sinit");
	assert_null(options.command);
	assert_true(options.wrapper.subreaper);
	assert_false(options.wrapper.group);
	assert_int_equal(options.wrapper.verbosity, 0);
	assert_int_equal(options.wrapper.grace_ms, 5000);
	for (int signal = 1; signal <= SIGNAL_MAX; signal++)
		assert_int_equal(options.wrapper.rewrite[signal], signal);
}

static void test_command(void **state)
{
	char **argv = ARGV("sinit", "-v", "cmd", "-v", "--check", "--");

	(void)state;
	good(argv);
	assert_ptr_equal(options.command, argv + 2);
	assert_int_equal(options.wrapper.verbosity, 1);
	assert_int_equal(options.action, ACTION_RUN);
	assert_false(options.dash_dash);
	argv = ARGV("sinit", "--", "--check", "x");
	good(argv);
	assert_ptr_equal(options.command, argv + 2);
	assert_true(options.dash_dash);
	argv = ARGV("sinit", "-", "x"); /* a lone dash is a word */
	good(argv);
	assert_ptr_equal(options.command, argv + 1);
	good(ARGV("sinit", "--"));
	assert_null(options.command);
	argv = ARGV("sinit", "--", "--", "x");
	good(argv);
	assert_ptr_equal(options.command, argv + 2);
	good((char *[]){NULL}); /* execve with an empty argv */
	assert_string_equal(options.name, "sinit");
}

static void test_forms_of_an_option(void **state)
{
	(void)state;
	good(ARGV("sinit", "-c", "a", "-r", "b"));
	assert_string_equal(options.config, "a");
	assert_string_equal(options.run_dir, "b");
	good(ARGV("sinit", "-ca", "-rb"));
	assert_string_equal(options.config, "a");
	assert_string_equal(options.run_dir, "b");
	good(ARGV("sinit", "--config", "a", "--run=b"));
	assert_string_equal(options.config, "a");
	assert_string_equal(options.run_dir, "b");
	good(ARGV("sinit", "-c", "--", "-r", "-v", "x"));
	assert_string_equal(options.config, "--");
	assert_string_equal(options.run_dir, "-v");
	good(ARGV("sinit", "-wgvve3", "x"));
	assert_true(options.wrapper.warn_on_reap);
	assert_true(options.wrapper.group);
	assert_int_equal(options.wrapper.verbosity, 2);
	assert_int_equal(options.wrapper.ok_codes[0], 1 << 3);
}

static void test_actions(void **state)
{
	(void)state;
	good(ARGV("sinit", "--check", "-c", "d"));
	assert_int_equal(options.action, ACTION_CHECK);
	assert_string_equal(options.config, "d");
	good(ARGV("sinit", "--print-defaults"));
	assert_int_equal(options.action, ACTION_PRINT_DEFAULTS);
	good(ARGV("sinit", "-h", "--yolo"));
	assert_int_equal(options.action, ACTION_HELP);
	good(ARGV("sinit", "-hv", "x"));
	assert_int_equal(options.action, ACTION_HELP);
	good(ARGV("sinit", "--help"));
	assert_int_equal(options.action, ACTION_HELP);
	good(ARGV("sinit", "--version"));
	assert_int_equal(options.action, ACTION_VERSION);
	good(ARGV("sinit", "-V"));
	assert_int_equal(options.action, ACTION_VERSION);
	good(ARGV("tini", "-l"));
	assert_int_equal(options.action, ACTION_LICENSE);
}

static void test_wrong_options(void **state)
{
	(void)state;
	bad(ARGV("sinit", "--yolo"), "unknown option --yolo");
	bad(ARGV("sinit", "-vy", "x"), "unknown option -vy");
	bad(ARGV("sinit", "--check=yes"), "unknown option --check=yes");
	bad(ARGV("sinit", "--=x"), "unknown option --=x");
	bad(ARGV("sinit", "-c"), "--config needs DIR");
	bad(ARGV("sinit", "--run"), "--run needs RUNDIR");
	bad(ARGV("sinit", "-c", ""), "not a valid DIR");
	bad(ARGV("sinit", "-p", "FOO", "x"), "--parent-death FOO: not a valid SIGNAL");
	bad(ARGV("sinit", "-e", "256", "x"), "--ok-code 256: not a valid CODE");
	bad(ARGV("sinit", "-e", "-1", "x"), "--ok-code");
	bad(ARGV("sinit", "--grace", "5x", "x"), "--grace 5x: not a valid TIME");
	bad(ARGV("sinit", "--grace=", "x"), "--grace");
	assert_int_equal(options_usage_code(PERSONALITY_SINIT), 78);
	assert_int_equal(options_usage_code(PERSONALITY_TINI), 1);
	assert_int_equal(options_usage_code(PERSONALITY_DUMB_INIT), 1);
}

static void test_values(void **state)
{
	(void)state;
	good(ARGV("sinit", "-p", "SIGUSR1", "x"));
	assert_int_equal(options.wrapper.parent_death, SIGUSR1);
	good(ARGV("sinit", "--parent-death=9", "x"));
	assert_int_equal(options.wrapper.parent_death, 9);
	good(ARGV("sinit", "-e", "0", "-e255", "--ok-code=143", "x"));
	assert_int_equal(options.wrapper.ok_codes[0], 1);
	assert_int_equal(options.wrapper.ok_codes[143 / 32], 1 << (143 % 32));
	assert_true(options.wrapper.ok_codes[7] == UINT32_C(1) << 31);
	good(ARGV("sinit", "--grace", "250ms", "x"));
	assert_int_equal(options.wrapper.grace_ms, 250);
	good(ARGV("sinit", "--grace=0", "x"));
	assert_int_equal(options.wrapper.grace_ms, 0);
	good(ARGV("sinit", "--grace=1m", "x"));
	assert_int_equal(options.wrapper.grace_ms, 60000);
}

static void test_rewrite(void **state)
{
	static char *const wrong[] = {"", ":", "15", "TERM", "TERM:", ":TERM", "TERM:FOO", "0:TERM",
	    "TERM:QUIT:INT", "65:1", "1:65", "KILL:TERM", "STOP:TERM", "CHLD:TERM",
	    "AVERYLONGSIGNALNAME:TERM"};

	(void)state;
	good(ARGV("sinit", "--rewrite", "TERM:QUIT", "--rewrite=WINCH:0", "--rewrite", "37:SIGTERM",
	    "x"));
	assert_int_equal(options.wrapper.rewrite[SIGTERM], SIGQUIT);
	assert_int_equal(options.wrapper.rewrite[SIGWINCH], 0);
	assert_int_equal(options.wrapper.rewrite[37], SIGTERM);
	assert_int_equal(options.wrapper.rewrite[SIGHUP], SIGHUP);
	assert_true(options.wrapper.rewritten ==
		    (UINT64_C(1) << 14 | UINT64_C(1) << 27 | UINT64_C(1) << 36));
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		bad(ARGV("sinit", "--rewrite", wrong[i], "x"), "not a valid FROM:TO");
}

static void test_names(void **state)
{
	(void)state;
	assert_int_equal(options_personality("sinit"), PERSONALITY_SINIT);
	assert_int_equal(options_personality("/sbin/init"), PERSONALITY_SINIT);
	assert_int_equal(options_personality(NULL), PERSONALITY_SINIT);
	assert_int_equal(options_personality("/usr/bin/tini"), PERSONALITY_TINI);
	assert_int_equal(options_personality("tini-static"), PERSONALITY_TINI);
	assert_int_equal(options_personality("tini-arm64"), PERSONALITY_TINI);
	assert_int_equal(options_personality("-tini"), PERSONALITY_TINI);
	assert_int_equal(options_personality("/sbin/docker-init"), PERSONALITY_TINI);
	assert_int_equal(options_personality("tinier"), PERSONALITY_SINIT);
	assert_int_equal(options_personality("/tini/sinit"), PERSONALITY_SINIT);
	assert_int_equal(options_personality("./dumb-init"), PERSONALITY_DUMB_INIT);
	assert_int_equal(options_personality("dumb-init2"), PERSONALITY_SINIT);
}

static void test_tini(void **state)
{
	(void)state;
	good(ARGV("tini", "--", "x"));
	assert_false(options.wrapper.subreaper);
	assert_int_equal(options.wrapper.verbosity, 1);
	assert_int_equal(options.wrapper.grace_ms, 0);
	good(ARGV("tini", "-sgwvvp", "TERM", "-e", "143", "x"));
	assert_true(options.wrapper.subreaper);
	assert_true(options.wrapper.group);
	assert_true(options.wrapper.warn_on_reap);
	assert_int_equal(options.wrapper.verbosity, 3);
	assert_int_equal(options.wrapper.parent_death, SIGTERM);
	bad(ARGV("tini"), "Usage: tini");
	bad(ARGV("tini", "-z"), "unknown option -z");
	bad(ARGV("tini", "-c", "d", "x"), "unknown option -c");

	environment[0] = "TINI_SUBREAPER";
	environment[1] = "";
	environment[2] = "TINI_KILL_PROCESS_GROUP";
	environment[3] = "1";
	environment[4] = "TINI_VERBOSITY";
	environment[5] = "3";
	good(ARGV("tini", "x"));
	assert_true(options.wrapper.subreaper);
	assert_true(options.wrapper.group);
	assert_int_equal(options.wrapper.verbosity, 3);
	good(ARGV("sinit", "x")); /* they are tini's */
	assert_false(options.wrapper.group);
	assert_int_equal(options.wrapper.verbosity, 0);
}

static void test_dumb_init(void **state)
{
	(void)state;
	good(ARGV("dumb-init", "x"));
	assert_true(options.wrapper.group);
	assert_true(options.wrapper.new_session);
	assert_false(options.wrapper.subreaper);
	assert_int_equal(options.wrapper.rewrite[SIGTSTP], SIGSTOP);
	assert_int_equal(options.wrapper.rewrite[SIGTTIN], SIGSTOP);
	assert_int_equal(options.wrapper.rewrite[SIGTTOU], SIGSTOP);
	good(ARGV("dumb-init", "-r", "20:20", "--rewrite", "21:15", "x"));
	assert_int_equal(options.wrapper.rewrite[SIGTSTP], SIGTSTP);
	assert_int_equal(options.wrapper.rewrite[SIGTTIN], SIGTERM);
	assert_int_equal(options.wrapper.rewrite[SIGTTOU], SIGSTOP);
	good(ARGV("dumb-init", "-c", "--", "x"));
	assert_false(options.wrapper.group);
	assert_false(options.wrapper.new_session);
	assert_int_equal(options.wrapper.rewrite[SIGTSTP], SIGTSTP);
	good(ARGV("dumb-init", "-r", "15:0", "x"));
	assert_int_equal(options.wrapper.rewrite[SIGTERM], 0);
	bad(ARGV("dumb-init", "-r", "TERM:INT", "x"), "is between 1 and 31");
	bad(ARGV("dumb-init", "-r", "1:32", "x"), "is between 1 and 31");
	bad(ARGV("dumb-init"), "Usage: dumb-init [option] program [args]\n");
	bad(ARGV("dumb-init", "--yolo", "x"), "dumb-init: unrecognized option '--yolo'");

	environment[0] = "DUMB_INIT_SETSID";
	environment[1] = "0";
	environment[2] = "DUMB_INIT_DEBUG";
	environment[3] = "1";
	good(ARGV("dumb-init", "x"));
	assert_false(options.wrapper.new_session);
	assert_int_equal(options.wrapper.verbosity, 1);
	environment[1] = environment[3] = "";
	good(ARGV("dumb-init", "x"));
	assert_true(options.wrapper.new_session);
	assert_int_equal(options.wrapper.verbosity, 0);
}

/* Help, manual and table have the same rows, whole, and no line is too wide. */
static void test_texts(void **state)
{
	static char *const names[] = {"sinit", "tini", "dumb-init"};
	static char buffer[8192];
	char flag[32];
	struct text text;

	(void)state;
	for (size_t who = 0; who < ARRAY_LEN(names); who++) {
		good(ARGV(names[who], "-h"));
		text_init(&text, buffer, 4096);
		options_help(&options, &text);
		assert_false(text.cut);
		for (size_t i = 0; i < option_count; i++) {
			snprintf(flag, sizeof(flag), "--%s", option_table[i].name);
			if (option_table[i].who & 1 << who)
				assert_non_null(strstr(buffer, flag));
		}
		for (const char *line = buffer; *line != '\0'; line += strcspn(line, "\n") + 1)
			assert_true(strcspn(line, "\n") <= 80);
		assert_int_equal(buffer[text.used - 1], '\n');
		assert_int_equal(options_to_stderr(&options), who == PERSONALITY_DUMB_INIT);
		text_init(&text, buffer, sizeof(buffer));
		options_version(&options, &text);
		assert_int_equal(buffer[text.used - 1], '\n');
	}
	text_init(&text, buffer, sizeof(buffer));
	options_manual(&text);
	assert_false(text.cut);
	assert_non_null(strstr(buffer, ".TP\n.BR \\-c \", \" \\-\\-config \" \\fIDIR\\fR\"\n"));
	text_init(&text, buffer, sizeof(buffer));
	options_license(&text);
	assert_non_null(strstr(buffer, "MIT"));
}

/* Rows of the table that fill their arrays would have lost their NUL. */
static void test_table_fits(void **state)
{
	(void)state;
	for (size_t i = 0; i < option_count; i++) {
		const struct option_row *row = &option_table[i];
		assert_int_equal(row->name[sizeof(row->name) - 1], '\0');
		assert_int_equal(row->argument[sizeof(row->argument) - 1], '\0');
		assert_int_equal(row->example[sizeof(row->example) - 1], '\0');
		assert_int_equal(row->help[sizeof(row->help) - 1], '\0');
		for (size_t j = 0; j < i; j++) { /* one option, one row for each name */
			if (!(option_table[j].who & row->who))
				continue;
			assert_true(row->letter == '\0' || option_table[j].letter != row->letter);
			assert_string_not_equal(option_table[j].name, row->name);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_defaults, reset),
	    cmocka_unit_test_setup(test_command, reset),
	    cmocka_unit_test_setup(test_forms_of_an_option, reset),
	    cmocka_unit_test_setup(test_actions, reset),
	    cmocka_unit_test_setup(test_wrong_options, reset),
	    cmocka_unit_test_setup(test_values, reset),
	    cmocka_unit_test_setup(test_rewrite, reset),
	    cmocka_unit_test_setup(test_names, reset),
	    cmocka_unit_test_setup(test_tini, reset),
	    cmocka_unit_test_setup(test_dumb_init, reset),
	    cmocka_unit_test_setup(test_texts, reset),
	    cmocka_unit_test_setup(test_table_fits, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
