/* The table of keys: consistent in itself, with the settings, and with what is printed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "init/base.h"
#include "init/image.h"
#include "init/log.h"
#include "init/schema.h"
#include "tests/unit/config_util.h"

#include <errno.h>
#include <string.h>

static void test_rows(void **state)
{
	(void)state;
	assert_int_equal(schema_count(), SCHEMA_KEYS);
	for (unsigned i = 0; i < schema_count(); i++) {
		const struct schema_key *key = schema_at(i);
		assert_int_equal(schema_index(key), i);
		assert_string_not_equal(schema_name(key), "");
		if (key->kind != KIND_LATER)
			assert_string_not_equal(schema_doc(key), "");
		assert_true(strlen(schema_doc(key)) <= 110);
		assert_null(strchr(schema_doc(key), '\n'));
		/* A name stands once in a section. */
		assert_ptr_equal(
		    schema_find((enum schema_section)key->section, schema_name(key)), key);
	}
	assert_null(schema_find(SECTION_SERVICE, "nope"));
	assert_null(schema_find(SECTION_SINIT, "command"));
	assert_string_equal(schema_name(schema_at(KEY_SERVICE_standard_input)), "stdin");
	assert_int_equal(
	    schema_at(KEY_SERVICE_log)->offset, offsetof(struct service_settings, log));
}

/* Each member belongs to one key, and each key that is supported has its own; but the limits
 * share one. */
static void test_members(void **state)
{
	(void)state;
	for (unsigned i = 0; i < schema_count(); i++)
		for (unsigned j = 0; j < i; j++) {
			const struct schema_key *a = schema_at(i);
			const struct schema_key *b = schema_at(j);
			if (a->kind != KIND_LATER && b->kind != KIND_LATER &&
			    a->section == b->section &&
			    (a->kind != KIND_LIMIT || b->kind != KIND_LIMIT))
				assert_int_not_equal(a->offset, b->offset);
		}
}

static void words(unsigned place, const char *expected)
{
	char buffer[200];
	struct text text;

	text_init(&text, buffer, sizeof(buffer));
	for (unsigned i = 0; i < schema_word_count(schema_at(place)); i++) {
		text_addf(&text, "%u=", i);
		assert_true(schema_word(schema_at(place), i, &text));
		text_add(&text, schema_word_supported(schema_at(place), i) ? " " : "! ");
	}
	assert_false(schema_word(schema_at(place), schema_word_count(schema_at(place)), &text));
	assert_string_equal(buffer, expected);
}

/* The words are in the order of the enumerations. */
static void test_enumerations(void **state)
{
	(void)state;
	assert_true(TYPE_SIMPLE == 0 && TYPE_ONESHOT == 1 && TYPE_NOTIFY == 2 && TYPE_FORKING == 3);
	words(KEY_SERVICE_type, "0=simple 1=oneshot 2=notify 3=forking! ");
	assert_true(RESTART_ALWAYS == 0 && RESTART_ON_FAILURE == 1 && RESTART_NEVER == 2);
	words(KEY_SERVICE_restart, "0=always 1=on-failure 2=never ");
	assert_true(KILL_MAIN == 0 && KILL_GROUP == 1 && KILL_PROCESS == 2);
	words(KEY_SERVICE_kill_mode, "0=main 1=group 2=process ");
	words(KEY_SERVICE_log, "0=inherit 1=null 2=prefix 3=/ ");
	words(KEY_SERVICE_log_stderr, "0=inherit 1=null 2=prefix 3=/ ");
	words(KEY_SYSLOG_log, "0=prefix 1=null 2=/ ");
	assert_true(OUTPUT_RAW == 0 && OUTPUT_TIMESTAMPS == 1 && OUTPUT_JSON == 2);
	words(KEY_SERVICE_log_format, "0=raw 1=timestamps 2=json ");
	words(KEY_SYSLOG_log_format, "0=raw 1=timestamps 2=json ");
	assert_true(LOG_LEVEL_DEBUG == 0 && LOG_LEVEL_INFO == 1 && LOG_LEVEL_WARNING == 2 &&
		    LOG_LEVEL_ERROR == 3);
	words(KEY_SINIT_log_level, "0=debug 1=info 2=warning 3=error ");
	assert_true(LOG_FORMAT_TEXT == 0 && LOG_FORMAT_JSON == 1);
	words(KEY_SINIT_log_format, "0=text 1=json ");
	assert_true(CRITICAL_REBOOT == 0 && CRITICAL_ALERT == 1);
	words(KEY_SINIT_critical_action, "0=reboot 1=alert ");
	words(KEY_SERVICE_priority, "");
	assert_true(ALERT_JSON == 0 && ALERT_NTFY == 1);
	words(KEY_ALERT_format, "0=json 1=ntfy ");
	assert_true(ALERT_RESTART == 1 << 0 && ALERT_FATAL == 1 << 1 && ALERT_FAILED == 1 << 2 &&
		    ALERT_RECOVERED == 1 << 3 && ALERT_UNHEALTHY == 1 << 4 && ALERT_OOM == 1 << 5 &&
		    ALERT_MEMORY == 1 << 6 && ALERT_CRITICAL_DOWN == 1 << 7);
	words(KEY_ALERT_events, "0=restart 1=fatal 2=failed 3=recovered 4=unhealthy 5=oom 6=memory "
				"7=critical-down 8=* ");
	assert_int_equal(schema_mask_all(schema_at(KEY_ALERT_events)), 255);
}

/* The documented defaults, as section 4 of the design has them. */
static void test_defaults(void **state)
{
	static const char expected[][2][24] = {{"enabled", "yes"}, {"type", "simple"},
	    {"priority", "50"}, {"critical", "no"}, {"restart", "on-failure"},
	    {"success_exit_codes", "0"}, {"restart_delay", "1s"}, {"backoff_multiplier", "2"},
	    {"max_backoff", "1m"}, {"backoff_jitter", "0%"}, {"max_restarts", "10"},
	    {"restart_window", "10m"}, {"min_uptime", "10s"}, {"stop_signal", "TERM"},
	    {"stop_timeout", "10s"}, {"kill_mode", "main"}, {"reload_signal", "HUP"},
	    {"start_timeout", "1m"}, {"log", "inherit"}, {"log_stderr", ""}, {"log_format", "raw"},
	    {"log_max_size", "10M"}, {"log_keep", "5"}, {"log_gzip", "no"}, {"log_user", ""},
	    {"stdin", "null"}, {"working_directory", "/"}, {"clear_environment", "no"},
	    {"umask", ""}, {"nice", ""}, {"oom_score_adj", ""}, {"user", ""}, {"limit_core", ""},
	    {"tty", ""}, {"stop_command", ""}, {"environment", ""}, {"requires", ""}};
	struct image *image = config_util_text("[service a]\ncommand = x");

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(expected); i++)
		assert_string_equal(config_util_value(image, "a", expected[i][0]), expected[i][1]);
	const struct service_settings *a = config_util_service(image, "a");
	assert_int_equal(a->umask, SETTING_UNSET);
	assert_int_equal(a->nice, SETTING_UNSET_INT);
	assert_int_equal(a->oom_score_adj, SETTING_UNSET_INT);
	const struct sinit_settings *sinit = image_settings(image);
	assert_int_equal(sinit->shutdown_timeout, 30000);
	assert_int_equal(sinit->log_level, LOG_LEVEL_INFO);
	assert_string_equal(image_string(image, sinit->log_target), "stderr");
	assert_string_equal(image_string(image, sinit->state_dir), "/var/lib/sinit");
	assert_int_equal(sinit->control_gid, SETTING_UNSET);
	config_free(image);
}

/* What is written of a setting reads back as the same setting. */
static void test_values_read_back(void **state)
{
	static const char *const lines[] = {"description = the web, at last", "enabled = no",
	    "command = /bin/x 'a b' \"\" '$$' %%n", "type = oneshot", "priority = 0",
	    "critical = yes", "user = 12", "group = tty", "groups = 5 tty", "umask = 027",
	    "nice = -5", "oom_score_adj = -1000", "limit_core = 0:unlimited", "limit_nofile = 64K",
	    "working_directory = /srv/a b", "environment = 'A=1 2' B=$x", "clear_environment = yes",
	    "stdin = /dev/x", "stdin = inherit", "tty = /dev/tty1", "restart = never",
	    "success_exit_codes = 0 3 255", "restart_delay = 250ms", "backoff_multiplier = 1.5",
	    "max_backoff = 2h", "backoff_jitter = 25%", "max_restarts = unlimited",
	    "restart_window = 1500ms", "min_uptime = 0s", "stop_signal = RTMIN+3",
	    "stop_timeout = unlimited", "stop_command = a b", "kill_mode = group",
	    "reload_signal = USR1", "wait_for = /dev/sda1 eth0", "pre_start = p",
	    "start_timeout = unlimited", "log = null", "log = prefix", "log = /var/log/a b",
	    "log_stderr = inherit", "log_format = timestamps", "log_max_size = 1025K",
	    "log_max_size = max", "log_max_size = 4095M", "log_keep = 0", "log_keep = 1000",
	    "log_gzip = yes", "log_user = 5"};
	char text[4096];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		char key[64] = "";
		char value[256];
		struct text out;
		memcpy(key, lines[i], strcspn(lines[i], " "));
		bool command = strcmp(key, "command") == 0;
		text_init(&out, text, sizeof(text));
		text_addf(&out, "[service a]\n%s%s\n", command ? "" : "command = x\n", lines[i]);
		struct image *first = config_util_text(text);
		strcpy(value, config_util_value(first, "a", key));
		assert_string_not_equal(value, "");
		text_init(&out, text, sizeof(text));
		text_addf(
		    &out, "[service a]\n%s%s = %s\n", command ? "" : "command = x\n", key, value);
		struct image *second = config_util_text(text);
		assert_true(image_service_equal(first, 0, second, 0));
		assert_string_equal(config_util_value(second, "a", key), value);
		config_free(first);
		config_free(second);
	}
}

static char written[65536];

static void take(void *context, const char *piece)
{
	text_add(context, piece);
}

/* Replaces one place in `written`. */
static void set_example(const char *old, const char *new)
{
	char *at = strstr(written, old);
	size_t rest;

	assert_non_null(at);
	rest = strlen(at + strlen(old)) + 1;
	assert_true(strlen(written) + strlen(new) < sizeof(written));
	memmove(at + strlen(new), at + strlen(old), rest);
	memcpy(at, new, strlen(new));
}

/* --print-defaults is a configuration: as it stands, and with every ; taken off. */
static void test_print_defaults(void **state)
{
	struct text text;

	(void)state;
	text_init(&text, written, sizeof(written));
	schema_write_defaults(take, &text);
	assert_false(text.cut);
	assert_non_null(strstr(written, "\n;restart_delay = 1s\n"));
	assert_non_null(strstr(written, "\n;log_max_size = 10M\n"));
	assert_null(strstr(written, "pid_file"));
	text_add(&text, "[service a]\ncommand = x\n");
	struct image *plain = config_util_text("[service a]\ncommand = x\n");
	struct image *commented = config_util_text(written);
	for (char *at = written; (at = strstr(at, "\n;")); at++)
		at[1] = ' ';
	/* What has no default that would do, and a name. */
	set_example("\n [readiness NAME]", "\n [readiness a]");
	set_example("\n [alert NAME]", "\n [alert b]");
	set_example("\n [net INTERFACE]", "\n [net eth0]");
	set_example("\n check =", "\n check = http://[::1]/");
	set_example("\n webhook =", "\n webhook = http://x/");
	set_example("control = no\n\n# file", "control = no\nlisten = :1\n\n# file");
	set_example("\n forward =", "\n forward = udp://x");
	struct image *set = config_util_text(written);
	assert_string_equal(config_util_errors, "");
	assert_true(image_service_equal(plain, 0, commented, 0));
	const struct service_settings *a = image_service(set, 0);
	const struct probe_settings *probe = image_probe(set, a, PROBE_READINESS);
	struct image *bare = config_util_text("[service a]\ncommand = x\n[readiness a]\n"
					      "check = http://[::1]/\n[http]\nlisten = :1\n"
					      "[alert b]\nwebhook = http://x/\n[net eth0]\n"
					      "[syslog]\nforward = udp://x\n");
	assert_non_null(probe);
	assert_true(image_service_same_process(plain, 0, set, 0));
	assert_true(image_service_equal(bare, 0, set, 0));
	assert_true(image_http_equal(bare, set));
	assert_true(image_alerts_equal(bare, set));
	assert_true(image_syslog_equal(bare, set));
	assert_true(image_devices_equal(bare, set));
	config_free(bare);
	assert_true(image_settings_equal(plain, set));
	config_free(plain);
	config_free(commented);
	config_free(set);
}

/* The manual's table has each key once, with its default, and no line that man(7) would
 * take for a macro. */
static void test_manual(void **state)
{
	struct text text;

	(void)state;
	text_init(&text, written, sizeof(written));
	schema_write_manual(take, &text);
	assert_false(text.cut);
	assert_non_null(strstr(written, ".SS [sinit]\n"));
	assert_non_null(strstr(written, ".TP\n.B restart_delay\n"));
	assert_non_null(strstr(written, ".B log_max_size"));
	assert_null(strstr(written, ".B pid_file"));
	for (unsigned i = 0; i < schema_count(); i++) {
		char line[100];
		struct text name;
		if (schema_at(i)->kind == KIND_LATER)
			continue;
		text_init(&name, line, sizeof(line));
		text_addf(&name, ".B %s\n", schema_name(schema_at(i)));
		assert_non_null(strstr(written, line));
	}
	for (const char *at = written; (at = strchr(at, '\n')); at++) {
		if (at[1] != '.')
			continue;
		assert_true(!strncmp(at + 1, ".SS ", 4) || !strncmp(at + 1, ".TP\n", 4) ||
			    !strncmp(at + 1, ".B ", 3) || !strncmp(at + 1, ".BR ", 4));
	}
}

static void test_nearest(void **state)
{
	(void)state;
	assert_string_equal(schema_nearest(SECTION_SERVICE, "comand"), "command");
	assert_string_equal(schema_nearest(SECTION_SERVICE, "usr"), "user");
	assert_string_equal(schema_nearest(SECTION_SERVICE, "restart-delay"), "restart_delay");
	assert_string_equal(schema_nearest(SECTION_SINIT, "loglevel"), "log_level");
	assert_null(schema_nearest(SECTION_SERVICE, "x"));
	assert_null(schema_nearest(SECTION_SERVICE, "something_else"));
}

static void test_numbers(void **state)
{
	uint32_t value = 7;

	(void)state;
	assert_int_equal(schema_parse_number(schema_at(KEY_SERVICE_nice), "-20", &value), 0);
	assert_int_equal((int32_t)value, -20);
	assert_int_equal(schema_parse_number(schema_at(KEY_SERVICE_nice), "20", &value), -EINVAL);
	assert_int_equal(
	    schema_parse_number(schema_at(KEY_SERVICE_max_restarts), "33", &value), -EINVAL);
	assert_int_equal(schema_parse_number(schema_at(KEY_SERVICE_max_restarts), "32", &value), 0);
	assert_int_equal(value, 32);
	assert_int_equal(
	    schema_parse_number(schema_at(KEY_SERVICE_max_restarts), "unlimited", &value), 0);
	assert_int_equal(value, SETTING_UNLIMITED);
	assert_int_equal(
	    schema_parse_number(schema_at(KEY_SERVICE_restart_delay), "unlimited", &value),
	    -EINVAL);
	assert_int_equal(
	    schema_parse_number(schema_at(KEY_SERVICE_type), "forking", &value), -EOPNOTSUPP);
	assert_int_equal(
	    schema_parse_number(schema_at(KEY_SERVICE_type), "!forking", &value), -EINVAL);
	static const struct {
		const char *text;
		uint32_t bytes; /* 0: refused */
	} sizes[] = {{"1", 1}, {"10M", 10 << 20}, {"max", SETTING_UNLIMITED},
	    {"unlimited", SETTING_UNLIMITED}, {"4194303K", UINT32_MAX - 1023},
	    {"4294967294", UINT32_MAX - 1}, {"4294967295", 0}, {"4G", 0}, {"4096M", 0}, {"1T", 0},
	    {"99999999999999999999", 0}, {"0", 0}, {"", 0}, {"-1", 0}, {"1MB", 0}, {"M", 0}};
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		assert_int_equal(
		    schema_parse_number(schema_at(KEY_SERVICE_log_max_size), sizes[i].text, &value),
		    sizes[i].bytes ? 0 : -EINVAL);
		if (sizes[i].bytes)
			assert_int_equal(value, sizes[i].bytes);
	}
	assert_int_equal(
	    schema_parse_number(schema_at(KEY_SERVICE_stop_signal), "KILL", &value), 0);
	assert_int_equal(value, 9);
	assert_int_equal(
	    schema_parse_number(schema_at(KEY_SERVICE_umask), "1000", &value), -EINVAL);
	assert_int_equal(schema_parse_number(schema_at(KEY_SERVICE_command), "x", &value), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rows),
	    cmocka_unit_test(test_members),
	    cmocka_unit_test(test_enumerations),
	    cmocka_unit_test(test_defaults),
	    cmocka_unit_test(test_values_read_back),
	    cmocka_unit_test(test_print_defaults),
	    cmocka_unit_test(test_manual),
	    cmocka_unit_test(test_nearest),
	    cmocka_unit_test(test_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
