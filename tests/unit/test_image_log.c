/* Where the output of a service goes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "init/base.h"
#include "init/image_log.h"
#include "tests/unit/config_util.h"

#include <string.h>

/* "way sink[ prefix][ path][ format]", as the tables below have it. */
static void show(struct text *text, const struct image_log *log)
{
	static const char ways[][10] = {"inherit", "null", "captured", "same"};
	static const char sinks[][8] = {"stdout", "stderr", "file", "null"};
	static const char formats[][12] = {"", " timestamps", " json"};

	text_addf(text, "%s %s%s", ways[log->way], sinks[log->sink], log->prefix ? " prefix" : "");
	if (log->path)
		text_addf(text, " %s", log->path);
	text_add(text, formats[log->format]);
}

struct row {
	const char *keys;
	const char *out;
	const char *err;
};

static void check(const struct row *row)
{
	char config[512], out[256], err[256];
	struct text text;
	struct image_log log;

	text_init(&text, config, sizeof(config));
	text_addf(&text, "[service a]\ncommand = x\n%s\n", row->keys);
	struct image *image = config_util_text(config);
	const struct service_settings *a = config_util_service(image, "a");
	image_log(image, a, STREAM_STDOUT, &log);
	text_init(&text, out, sizeof(out));
	show(&text, &log);
	image_log(image, a, STREAM_STDERR, &log);
	text_init(&text, err, sizeof(err));
	show(&text, &log);
	if (strcmp(out, row->out) != 0 || strcmp(err, row->err) != 0)
		print_error("of %s\n", row->keys);
	assert_string_equal(out, row->out);
	assert_string_equal(err, row->err);
	config_free(image);
}

static void test_services(void **state)
{
	static const struct row rows[] = {
	    {"", "inherit stdout", "inherit stderr"},
	    {"log = inherit", "inherit stdout", "inherit stderr"},
	    {"log = null", "null null", "null null"},
	    {"log = /dev/null", "null null", "null null"},
	    {"log = null\nlog_format = json", "null null", "null null"},
	    {"log = prefix", "captured stdout prefix", "same stdout prefix"},
	    {"log = /x/y", "captured file /x/y", "same file /x/y"},
	    {"log = /x\nlog_format = json", "captured file /x json", "same file /x json"},
	    {"log = prefix\nlog_format = timestamps", "captured stdout prefix timestamps",
		"same stdout prefix timestamps"},
	    /* sinit's own output, but by way of the logger. */
	    {"log_format = json", "captured stdout json", "same stdout json"},
	    {"log_format = timestamps\nlog_stderr = inherit", "captured stdout timestamps",
		"captured stderr timestamps"},
	    {"log = /dev/stdout", "captured stdout", "same stdout"},
	    {"log = /dev/stderr", "captured stderr", "same stderr"},
	    {"log = /dev/fd/1\nlog_stderr = /proc/self/fd/2", "captured stdout", "captured stderr"},
	    {"log = /proc/self/fd/1\nlog_stderr = /dev/fd/2", "captured stdout", "captured stderr"},
	    {"log = /dev/stdoutx", "captured file /dev/stdoutx", "same file /dev/stdoutx"},
	    {"log_format = json\nlog_stderr = /dev/stdout", "captured stdout json",
		"same stdout json"},
	    {"log_format = json\nlog_stderr = /dev/stderr", "captured stdout json",
		"captured stderr json"},
	    /* Each its own. */
	    {"log_stderr = inherit", "inherit stdout", "inherit stderr"},
	    {"log_stderr = null", "inherit stdout", "null null"},
	    {"log_stderr = prefix", "inherit stdout", "captured stdout prefix"},
	    {"log_stderr = /x", "inherit stdout", "captured file /x"},
	    {"log = null\nlog_stderr = inherit", "null null", "inherit stderr"},
	    {"log = null\nlog_stderr = /x", "null null", "captured file /x"},
	    {"log = null\nlog_stderr = /dev/null", "null null", "null null"},
	    {"log = /x\nlog_stderr = /y", "captured file /x", "captured file /y"},
	    {"log = /x\nlog_stderr = /x", "captured file /x", "same file /x"},
	    {"log = /x\nlog_stderr = inherit", "captured file /x", "inherit stderr"},
	    {"log = /x\nlog_stderr = null", "captured file /x", "null null"},
	    {"log = /x\nlog_stderr = inherit\nlog_format = json", "captured file /x json",
		"captured stderr json"},
	    {"log = prefix\nlog_stderr = prefix", "captured stdout prefix", "same stdout prefix"},
	    {"log = prefix\nlog_stderr = inherit", "captured stdout prefix", "inherit stderr"},
	    {"log = prefix\nlog_stderr = /dev/stdout", "captured stdout prefix", "captured stdout"},
	    {"log = /dev/stdout\nlog_stderr = prefix", "captured stdout", "captured stdout prefix"},
	    /* The terminal has it all. */
	    {"tty = /dev/tty1\nlog = prefix", "inherit stdout", "inherit stderr"},
	    {"tty = /dev/tty1\nlog = null\nlog_stderr = /x", "inherit stdout", "inherit stderr"},
	    {"tty = /dev/tty1\nlog_format = json", "inherit stdout", "inherit stderr"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check(&rows[i]);
}

static void test_numbers(void **state)
{
	struct image *image = config_util_text(
	    "[defaults]\nlog = /d\n[service a]\ncommand = x\nlog_stderr = /e\nlog_max_size = 3K\n"
	    "log_keep = 7\nlog_gzip = yes\nlog_user = 123456\n"
	    "[service b]\ncommand = x\nlog_max_size = max\n");
	struct image_log log;

	(void)state;
	for (unsigned stream = 0; stream < 2; stream++) {
		image_log(image, config_util_service(image, "a"), (enum image_stream)stream, &log);
		assert_string_equal(log.path, stream ? "/e" : "/d");
		assert_int_equal(log.max_size, 3072);
		assert_int_equal(log.keep, 7);
		assert_true(log.gzip);
		assert_int_equal(log.uid, 123456);
		assert_int_equal(log.gid, 123456);
		image_log(image, config_util_service(image, "b"), (enum image_stream)stream, &log);
		assert_int_equal(log.way, stream ? WAY_SAME : WAY_CAPTURED);
		assert_string_equal(log.path, "/d");
		assert_int_equal(log.max_size, SETTING_UNLIMITED);
		assert_int_equal(log.keep, 5);
		assert_false(log.gzip);
		assert_int_equal(log.uid, SETTING_UNSET);
		assert_int_equal(log.gid, SETTING_UNSET);
	}
	config_free(image);
}

static void test_syslog(void **state)
{
	static const char *const rows[][2] = {
	    {"", "captured stdout prefix"},
	    {"log = prefix\nlog_format = json\n", "captured stdout prefix json"},
	    {"log = null\nlog_format = json\n", "null null"},
	    {"log = /x\nlog_format = timestamps\n", "captured file /x timestamps"},
	    {"log = /dev/stderr\n", "captured stderr"},
	    {"log = /dev/null\n", "null null"},
	};
	char config[256], shown[128];
	struct image_log log;
	struct text text;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		text_init(&text, config, sizeof(config));
		text_addf(&text, "[syslog]\nlisten = yes\n%s", rows[i][0]);
		struct image *image = config_util_text(config);
		image_log_syslog(image, image_syslog(image), &log);
		text_init(&text, shown, sizeof(shown));
		show(&text, &log);
		assert_string_equal(shown, rows[i][1]);
		config_free(image);
	}
	struct image *image =
	    config_util_text("[syslog]\nlisten = yes\nlog = /x\nlog_max_size = 1G\n"
			     "log_keep = 0\nlog_gzip = yes\nlog_user = root\n");
	image_log_syslog(image, image_syslog(image), &log);
	assert_int_equal(log.max_size, 1u << 30);
	assert_int_equal(log.keep, 0);
	assert_true(log.gzip);
	assert_int_equal(log.uid, 0);
	assert_int_equal(log.gid, 0);
	config_free(image);
}

/* What of a change needs a new process: descriptors, not what the logger does with them. */
static void test_changes(void **state)
{
	static const struct {
		const char *from;
		const char *to;
		bool same_process;
	} rows[] = {
	    {"log = prefix", "log = /x", true},
	    {"log = /x", "log = /y\nlog_keep = 1", true},
	    {"log = /x", "log = /x\nlog_format = json", true},
	    {"log = /x", "log = /x\nlog_user = 3", true},
	    {"log = /x\nlog_stderr = /y", "log = prefix\nlog_stderr = /z", true},
	    {"log = /x", "log = /x\nlog_stderr = /x", true},
	    {"log = null", "log = /dev/null\nlog_format = json", true},
	    {"log_max_size = 1M", "log_max_size = 2M", true},
	    {"log = inherit", "log_stderr = inherit", true},
	    {"log_format = json", "log = /x", true},
	    {"log = inherit", "log = prefix", false},
	    {"log = inherit", "log_format = json", false},
	    {"log = null", "log = /x", false},
	    {"log = inherit", "log = null", false},
	    {"log = /x", "log = /x\nlog_stderr = /y", false},
	    {"log = /x", "log = /x\nlog_stderr = inherit", false},
	    {"log_stderr = null", "log_stderr = prefix", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char config[256];
		struct text text;
		struct image *image[2];
		for (unsigned k = 0; k < 2; k++) {
			text_init(&text, config, sizeof(config));
			text_addf(
			    &text, "[service a]\ncommand = x\n%s\n", k ? rows[i].to : rows[i].from);
			image[k] = config_util_text(config);
		}
		assert_false(image_service_equal(image[0], 0, image[1], 0));
		assert_int_equal(
		    image_service_same_process(image[0], 0, image[1], 0), rows[i].same_process);
		assert_int_equal(
		    image_service_same_process(image[1], 0, image[0], 0), rows[i].same_process);
		config_free(image[0]);
		config_free(image[1]);
	}
}

/* log_user is the same name, but another user by now. */
static void test_user_changes(void **state)
{
	static const char config[] = "[service a]\ncommand = x\nlog = /x\nlog_user = root\n"
				     "[syslog]\nlisten = yes\nlog_user = root\n";
	struct image *a = config_util_text(config);
	struct image *b = config_util_text(config);

	(void)state;
	assert_true(image_service_equal(a, 0, b, 0));
	assert_true(image_syslog_equal(a, b));
	((struct service_settings *)(uintptr_t)image_service(b, 0))->log_uid = 7;
	((struct syslog_settings *)(uintptr_t)image_syslog(b))->log_uid = 7;
	assert_false(image_service_equal(a, 0, b, 0));
	assert_true(image_service_same_process(a, 0, b, 0));
	assert_false(image_syslog_equal(a, b));
	config_free(a);
	config_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_services),
	    cmocka_unit_test(test_numbers),
	    cmocka_unit_test(test_syslog),
	    cmocka_unit_test(test_changes),
	    cmocka_unit_test(test_user_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
