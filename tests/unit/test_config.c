/* The configuration: values, words and messages of one text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "init/base.h"
#include "tests/unit/config_util.h"

#include <errno.h>
#include <string.h>

#define bad     config_util_bad
#define refused config_util_refused

static void test_empty(void **state)
{
	struct image *image = config_util_text("");

	(void)state;
	assert_non_null(image);
	assert_int_equal(image->service_count, 0);
	assert_int_equal(image->main_service, IMAGE_NONE);
	assert_string_equal(config_util_order(image), "");
	config_free(image);
}

static void test_bad_values(void **state)
{
	(void)state;
	bad("restart_delay = soon",
	    "t:3: restart_delay = soon: expected a duration such as 250ms, 10s, 5m or 1h\n");
	bad("start_timeout = 0", "t:3: start_timeout = 0: expected a duration such as 250ms, 10s, "
				 "5m or 1h, at least 1ms, or unlimited\n");
	bad("enabled = maybe", "t:3: enabled = maybe: expected yes or no\n");
	bad("priority = -1", "t:3: priority = -1: expected a number from 0 to 9999\n");
	bad("priority = 10000", "t:3: priority = 10000: expected a number from 0 to 9999\n");
	bad("nice = 20", "t:3: nice = 20: expected a number from -20 to 19\n");
	bad("umask = 0999", "t:3: umask = 0999: expected an octal number from 000 to 777\n");
	bad("max_restarts = 33",
	    "t:3: max_restarts = 33: expected a number from 0 to 32, or unlimited\n");
	bad("backoff_multiplier = 0.5",
	    "t:3: backoff_multiplier = 0.5: expected a number such as 2 or 1.5 from 1 to 100\n");
	bad("backoff_jitter = 101%",
	    "t:3: backoff_jitter = 101%: expected a percentage from 0% to 100%\n");
	bad("restart = sometimes",
	    "t:3: restart = sometimes: expected always, on-failure or never\n");
	bad("stop_signal = NOPE",
	    "t:3: stop_signal = NOPE: expected a signal such as TERM, RTMIN+3 or 15\n");
	bad("success_exit_codes = 0 256",
	    "t:3: success_exit_codes = 0 256: expected exit codes from 0 to 255\n");
	bad("working_directory = tmp", "t:3: working_directory = tmp: expected an absolute path\n");
	bad("stdin = file", "t:3: stdin = file: expected null, inherit or an absolute path\n");
	bad("limit_core = 5:3", "t:3: limit_core = 5:3: the soft limit is above the hard one\n");
	bad("limit_core = much",
	    "t:3: limit_core = much: expected SOFT or SOFT:HARD, each a number "
	    "such as 1024 or 64M, or unlimited\n");
	bad("log = file", "t:3: log = file: expected inherit, null, prefix or an absolute path\n");
	/* A value that is long or has control characters does not spoil the message. */
	bad("enabled = \x1b[31m"
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	    "aa",
	    "t:3: enabled = ?[31m"
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...: "
	    "expected yes or no\n");
}

static void test_later(void **state)
{
	(void)state;
	bad("type = forking", "t:3: type = forking: not supported by this build\n");
	bad("instances = 2", "t:3: instances: not supported by this build; only 1 is\n");
	bad("pid_file = /x", "t:3: pid_file: not supported by this build\n");
	bad("schedule = every 5m", "t:3: schedule: not supported by this build\n");
	struct image *image = config_util_text("[service a]\ncommand = x\ninstances = 1\n"
					       "[sinit]\ncritical_action = alert\n");
	assert_non_null(image);
	config_free(image);
}

static void test_unknown(void **state)
{
	(void)state;
	bad("comand = y", "t:3: comand: unknown key; did you mean 'command'?\n");
	/* P116: a misspelt `user` must not leave the service running as root. */
	bad("usr = nobody", "t:3: usr: unknown key; did you mean 'user'?\n");
	bad("frobnicate = 1", "t:3: frobnicate: unknown key; sinit --print-defaults lists all\n");
	bad("log_level = debug", "t:3: log_level: not a key of this section, but of [sinit]\n");
	refused("[sinit]\ncommand = x\n",
	    "t:2: command: not a key of this section, but of [service NAME] or [defaults]\n");
	refused("[servce a]\ncommand = x\n",
	    "t:1: [servce a]: unknown section; did you mean 'service'?\n");
	refused(
	    "[program:a]\n", "t:1: [program:a]: unknown section; a service's is [service NAME]\n");
	refused("[]\n", "t:1: []: unknown section; a service's is [service NAME]\n");
	refused("[sinit x]\n", "t:1: [sinit x]: [sinit] has no name\n");
	refused("[service]\n", "t:1: [service]: the name is missing; write [service NAME]\n");
	refused("[service a b]\n",
	    "t:1: [service a b]: bad name; it has 1 to 63 letters, digits, _ - . @\n");
	refused("[service ../x]\n",
	    "t:1: [service ../x]: bad name; it has 1 to 63 letters, digits, _ - . @\n");
}

static void test_duplicates(void **state)
{
	(void)state;
	bad("nice = 1\nnice = 2", "t:4: nice: duplicate key; it is set in line 3\n");
	bad("nice =\nnice = 2", "t:4: nice: duplicate key; it is set in line 3\n");
	refused("[service a]\ncommand = x\n[service b]\ncommand = x\n[service a]\nnice = 1\n",
	    "t:5: [service a]: duplicate section; it begins in line 1\n");
	refused("[sinit]\n\n[sinit]\n", "t:3: [sinit]: duplicate section; it begins in line 1\n");
}

static void test_all_errors_in_order(void **state)
{
	(void)state;
	/* Found in several passes, told in the order of the file. */
	refused("[service a]\nrequires = nope\ncommand = 'x\nnice = x\nfoo = 1\n[service b]\n"
		"[sinit]\nlog_level = x\nnonsense\n",
	    "t:2: requires = nope: no such service; each needs a section [service nope]\n"
	    "t:3: command = 'x: the quote ' is not closed\n"
	    "t:4: nice = x: expected a number from -20 to 19\n"
	    "t:5: foo: unknown key; sinit --print-defaults lists all\n"
	    "t:6: [service b]: command is missing; write command = PROGRAM ARGUMENTS\n"
	    "t:8: log_level = x: expected debug, info, warning or error\n"
	    "t:9: neither KEY = VALUE nor [SECTION]; a line cannot be continued on the next\n");
}

static void test_many_errors(void **state)
{
	static char text[200000];
	struct text out;

	(void)state;
	text_init(&out, text, sizeof(text));
	for (unsigned i = 0; i < 1000; i++)
		text_addf(&out, "[service s%u]\nnice = x\n", i);
	assert_null(config_util_text(text));
	unsigned lines = 0;
	for (const char *at = config_util_errors; (at = strchr(at, '\n')); at++)
		lines++;
	assert_int_equal(lines, CONFIG_MAX_MESSAGES + 1);
	assert_non_null(strstr(config_util_errors, "\nand 1900 more errors\n"));
}

/* P68, P69: what the command's words and the environment are. */
static void test_P68_P69_words(void **state)
{
	struct image *image = config_util_text(
	    "[service a]\n"
	    "command = /bin/x 'one two' \"it's\" '' 100% %n %s \\$x $$ ${GIVEN} a\\\n"
	    "environment = 'V=5ny6{wo'\\''\"7n' P=%2B%s# \"S=a b\"\n"
	    "environment = E= D=$HOME;x\n");
	const struct service_settings *a = config_util_service(image, "a");

	(void)state;
	assert_string_equal(config_util_list(image, a->command),
	    "[/bin/x][one two][it's][][100%][a][%s][$x][$][from outside][a\\]");
	assert_string_equal(config_util_list(image, a->environment),
	    "[V=5ny6{wo'\"7n][P=%2B%s#][S=a b][E=][D=$HOME;x]");
	config_free(image);
	/* What comes from outside is not looked at again. */
	image = config_util_text("[service a]\ncommand = x ${PERCENT}\n");
	assert_string_equal(
	    config_util_list(image, config_util_service(image, "a")->command), "[x][1%n$HOME]");
	config_free(image);
}

/* P77: the environment of the outside is seen, overridden, cleared. */
static void test_P77_variables(void **state)
{
	struct image *image = config_util_text(
	    "[service a]\ncommand = x ${HOME} ${A}\nenvironment = HOME=/own A=1\n"
	    "environment = A=2\n"
	    "[service b]\ncommand = x ${HOME}\n"
	    "[service c]\ncommand = x ${HOME} ${USER} ${LOGNAME} ${SHELL}\nuser = root\n"
	    "environment = SHELL=/mine\n");

	(void)state;
	assert_string_equal(
	    config_util_list(image, config_util_service(image, "a")->command), "[x][/own][2]");
	assert_string_equal(config_util_list(image, config_util_service(image, "a")->environment),
	    "[HOME=/own][A=2]");
	assert_string_equal(
	    config_util_list(image, config_util_service(image, "b")->command), "[x][/root]");
	assert_string_equal(config_util_list(image, config_util_service(image, "c")->command),
	    "[x][/root][root][root][/mine]");
	config_free(image);
	bad("pre_start = x ${NOPE}", "t:3: pre_start = x ${NOPE}: the variable NOPE is not set; "
				     "set it with environment =\n");
	bad("clear_environment = yes\npre_start = x ${HOME}",
	    "t:4: pre_start = x ${HOME}: the variable HOME is not set; set it with environment "
	    "=\n");
}

static void test_environment_errors(void **state)
{
	(void)state;
	bad("environment = A=1 two words",
	    "t:3: environment: 'two' has no =; a value with blanks is quoted: environment = "
	    "\"NAME=two words\"\n"
	    "t:3: environment: 'words' has no =; a value with blanks is quoted: environment = "
	    "\"NAME=two words\"\n");
	bad("environment = 1A=x",
	    "t:3: environment: '1A=x': a name has only letters, digits and _, "
	    "and no digit first\n");
	bad("environment = =x", "t:3: environment: '=x': a name has only letters, digits and _, "
				"and no digit first\n");
	bad("environment = 'A=1", "t:3: environment = 'A=1: the quote ' is not closed\n");
}

static void test_instance(void **state)
{
	struct image *image = config_util_text("[service getty@tty1]\ncommand = x %n %i\n"
					       "[service a]\ncommand = x %n %i\n"
					       "[service b@c@d]\ncommand = x %i\n");

	(void)state;
	assert_string_equal(
	    config_util_list(image, config_util_service(image, "getty@tty1")->command),
	    "[x][getty@tty1][tty1]");
	assert_string_equal(
	    config_util_list(image, config_util_service(image, "a")->command), "[x][a][1]");
	assert_string_equal(
	    config_util_list(image, config_util_service(image, "b@c@d")->command), "[x][c@d]");
	config_free(image);
}

static void test_commands(void **state)
{
	(void)state;
	refused("[service a]\ncommand =\n",
	    "t:1: [service a]: command is missing; write command = PROGRAM ARGUMENTS\n");
	refused("[service a]\ncommand = ''\n", "t:2: command = '': the command is empty\n");
	bad("stop_command = \"\" x", "t:3: stop_command = \"\" x: the command is empty\n");
	struct image *image = config_util_text("[service a]\ncommand = c 1\nstop_command = s 2\n"
					       "reload_command = r 3\npre_start = p 4\n"
					       "post_stop = q 5\n");
	const struct service_settings *a = config_util_service(image, "a");
	assert_string_equal(config_util_list(image, a->command), "[c][1]");
	assert_string_equal(config_util_list(image, a->stop_command), "[s][2]");
	assert_string_equal(config_util_list(image, a->reload_command), "[r][3]");
	assert_string_equal(config_util_list(image, a->pre_start), "[p][4]");
	assert_string_equal(config_util_list(image, a->post_stop), "[q][5]");
	config_free(image);
}

static void test_defaults_section(void **state)
{
	/* It may stand behind the services. */
	struct image *image = config_util_text(
	    "[service a]\ncommand = x\nrestart_delay = 3s\nenvironment = B=2\n"
	    "[service b]\ncommand = y\nrestart = never\n"
	    "[service c]\nrestart_delay =\nenvironment = C=3\nenvironment =\nenvironment = D=4\n"
	    "[defaults]\nrestart_delay = 2s\nrestart = always\nenvironment = A=1 B=1\n"
	    "command = fallback %n\nrequires = a\n");

	(void)state;
	assert_string_equal(config_util_value(image, "a", "restart_delay"), "3s");
	assert_string_equal(config_util_value(image, "b", "restart_delay"), "2s");
	assert_string_equal(config_util_value(image, "c", "restart_delay"), "2s");
	assert_string_equal(config_util_value(image, "a", "restart"), "always");
	assert_string_equal(config_util_value(image, "b", "restart"), "never");
	assert_string_equal(config_util_value(image, "a", "environment"), "A=1 B=2");
	assert_string_equal(config_util_value(image, "b", "environment"), "A=1 B=1");
	assert_string_equal(config_util_value(image, "c", "environment"), "A=1 B=1 D=4");
	assert_string_equal(config_util_value(image, "c", "command"), "fallback c");
	/* All but itself. */
	assert_string_equal(config_util_value(image, "a", "requires"), "");
	assert_string_equal(config_util_value(image, "b", "requires"), "a");
	config_free(image);
	/* But what a service says of itself counts, whatever [defaults] say. */
	refused("[defaults]\nnice = 1\nwants = b\n[service a]\ncommand = x\nrequires = a\n"
		"[service b]\ncommand = x\n",
	    "t:6: requires: dependency cycle: a -> a\n");
	/* An error there is told once. */
	refused("[defaults]\nnice = x\npre_start = 'x\n[service a]\ncommand = x\n[service b]\n"
		"command = y\n",
	    "t:2: nice = x: expected a number from -20 to 19\n"
	    "t:3: pre_start = 'x: the quote ' is not closed\n");
}

static void test_reset(void **state)
{
	struct image *image = config_util_text("[service a]\ncommand = x\nnice =\ndescription =\n"
					       "requires =\nuser =\npre_start =\nlimit_core =\n");

	(void)state;
	assert_string_equal(config_util_value(image, "a", "nice"), "");
	assert_string_equal(config_util_value(image, "a", "pre_start"), "");
	config_free(image);
}

static void test_max_backoff_warning(void **state)
{
	struct image *image = config_util_text("[service a]\ncommand = x\nrestart_delay = 2m\n");

	(void)state;
	assert_string_equal(config_util_warnings,
	    "t:3: restart_delay = 2m is above max_backoff, 1m, which is what counts\n");
	config_free(image);
}

/* P116: never silently root. */
static void test_P116_user(void **state)
{
	struct image *image;
	const struct service_settings *a;

	(void)state;
	bad("user = $NOPE", "t:3: user = $NOPE: expected a name or a number\n");
	bad("user = root nobody", "t:3: user = root nobody: expected a name or a number\n");
	bad("groups = tty $x",
	    "t:3: groups = tty $x: expected names or numbers, separated by blanks\n");
	char text[500];
	memset(text, 'g', sizeof(text));
	memcpy(text, "groups = ", 9);
	text[499] = '\0';
	assert_int_equal(strlen(text), 499);
	char line[600];
	struct text out;
	text_init(&out, line, sizeof(line));
	text_addf(&out, "[service a]\ncommand = x\n%s\n", text);
	assert_null(config_util_text(line));
	image = config_util_text("[service a]\ncommand = x\nuser =    nobody   \n");
	a = config_util_service(image, "a");
	assert_int_equal(a->flags, SERVICE_SET_UID | SERVICE_SET_GID | SERVICE_SET_GROUPS);
	assert_int_equal(a->uid, 65534);
	assert_int_equal(a->gid, 65534);
	assert_string_equal(image_string(image, a->user_name), "nobody");
	assert_non_null(image_string(image, a->home));
	config_free(image);
	/* Unknown: not an error, but not root either. */
	image = config_util_text("[service a]\ncommand = x\nuser = no-such-user\n");
	a = config_util_service(image, "a");
	assert_int_equal(a->flags, SERVICE_UNKNOWN_USER | SERVICE_SET_GROUPS);
	config_free(image);
	image = config_util_text("[service a]\ncommand = x\nuser = nobody\ngroup = no-such\n");
	assert_true(config_util_service(image, "a")->flags & SERVICE_UNKNOWN_GROUP);
	config_free(image);
	/* A number without an entry: the group of the same number. */
	image = config_util_text("[service a]\ncommand = x\nuser = 1000780000\ngroups = 5 5 7\n"
				 "[service b]\ncommand = x\nuser = 1000780000\ngroup = 0\n"
				 "[service c]\ncommand = x\ngroup = 12\n");
	a = config_util_service(image, "a");
	assert_int_equal(a->uid, 1000780000);
	assert_int_equal(a->gid, 1000780000);
	assert_null(image_string(image, a->user_name));
	const struct image_list *groups = image_list(image, a->group_ids);
	assert_int_equal(groups->count, 3);
	assert_int_equal(groups->item[0], 1000780000);
	assert_int_equal(groups->item[1], 5);
	assert_int_equal(groups->item[2], 7);
	assert_int_equal(config_util_service(image, "b")->gid, 0);
	assert_int_equal(
	    config_util_service(image, "c")->flags, SERVICE_SET_GID | SERVICE_SET_GROUPS);
	assert_int_equal(config_util_service(image, "c")->gid, 12);
	config_free(image);
}

/* What is found for one service is not taken for another. */
static void test_identities(void **state)
{
	/* Numbers that no passwd(5) has, so that the result is the same everywhere. */
	struct image *image = config_util_text(
	    "[defaults]\ncommand = x\n[service a]\nuser = 70005\n[service b]\nuser = 70006\n"
	    "[service c]\nuser = 70005\ngroup = 70009\n[service d]\nuser = 70005\ngroups = 70009\n"
	    "[service e]\nuser = 70005\n[service f]\ngroup = 70009\n[service g]\n");
	static const struct {
		uint32_t uid;
		uint32_t gid;
		uint32_t groups;
	} expected[] = {{70005, 70005, 1}, {70006, 70006, 1}, {70005, 70009, 1}, {70005, 70005, 2},
	    {70005, 70005, 1}, {0, 70009, 1}, {0, 0, 0}};

	(void)state;
	for (uint32_t i = 0; i < image->service_count; i++) {
		const struct service_settings *service = image_service(image, i);
		assert_int_equal(service->uid, expected[i].uid);
		assert_int_equal(service->gid, expected[i].gid);
		assert_int_equal(image_list(image, service->group_ids)->count, expected[i].groups);
	}
	config_free(image);
}

/* Exactly as many variables as there is room for, and one more. */
static void test_many_variables(void **state)
{
	static char text[32768];
	struct text out;

	(void)state;
	text_init(&out, text, sizeof(text));
	text_add(&out, "[service a]\ncommand = x\n");
	for (unsigned i = 0; i < 1024; i++)
		text_addf(&out, "environment = V%u=\n", i);
	struct image *image = config_util_text(text);
	assert_int_equal(
	    image_list(image, config_util_service(image, "a")->environment)->count, 1024);
	config_free(image);
	text_add(&out, "environment = V0=again\n");
	config_free(config_util_text(text));
	assert_string_equal(config_util_errors, "");
	text_add(&out, "environment = ONE=more\n");
	refused(text, "t:1: [service a]: more than 1024 variables\n");
}

static void test_control_group(void **state)
{
	struct image *image = config_util_text("[sinit]\ncontrol_group = 77\n");

	(void)state;
	assert_int_equal(image_settings(image)->control_gid, 77);
	config_free(image);
	image = config_util_text("[sinit]\ncontrol_group = no-such\n");
	assert_int_equal(image_settings(image)->control_gid, SETTING_UNSET);
	assert_string_equal(config_util_warnings,
	    "t:2: control_group = no-such: no such group; only root controls sinit\n");
	config_free(image);
}

static void test_where(void **state)
{
	struct image *image = config_util_text("\n\n[service a]\ncommand = x\n");

	(void)state;
	assert_string_equal(image_string(image, config_util_service(image, "a")->where), "t:3");
	config_free(image);
}

static void test_too_many_services(void **state)
{
	static char text[200000];
	struct text out;

	(void)state;
	text_init(&out, text, sizeof(text));
	text_add(&out, "[defaults]\ncommand = x\n");
	for (unsigned i = 0; i < IMAGE_MAX_SERVICES; i++)
		text_addf(&out, "[service s%u]\n", i);
	struct image *image = config_util_text(text);
	assert_int_equal(image->service_count, IMAGE_MAX_SERVICES);
	config_free(image);
	text_add(&out, "[service more]\nnice = 1\n");
	refused(text, "t:4099: [service more]: more than 4096 services\n");
}

static void test_errors_are_freed(void **state)
{
	struct config_errors errors = {0};

	(void)state;
	config_errors_free(&errors);
	config_errors_free(&errors);
	assert_null(errors.memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_empty),
	    cmocka_unit_test(test_bad_values),
	    cmocka_unit_test(test_later),
	    cmocka_unit_test(test_unknown),
	    cmocka_unit_test(test_duplicates),
	    cmocka_unit_test(test_all_errors_in_order),
	    cmocka_unit_test(test_many_errors),
	    cmocka_unit_test(test_P68_P69_words),
	    cmocka_unit_test(test_P77_variables),
	    cmocka_unit_test(test_environment_errors),
	    cmocka_unit_test(test_instance),
	    cmocka_unit_test(test_commands),
	    cmocka_unit_test(test_defaults_section),
	    cmocka_unit_test(test_reset),
	    cmocka_unit_test(test_max_backoff_warning),
	    cmocka_unit_test(test_P116_user),
	    cmocka_unit_test(test_identities),
	    cmocka_unit_test(test_many_variables),
	    cmocka_unit_test(test_control_group),
	    cmocka_unit_test(test_where),
	    cmocka_unit_test(test_too_many_services),
	    cmocka_unit_test(test_errors_are_freed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
