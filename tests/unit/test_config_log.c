/* The keys log_... of a service and of [defaults], and [syslog]. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "init/base.h"
#include "probes/check.h"
#include "tests/unit/config_util.h"

#include <string.h>

#define SERVICE "[service a]\ncommand = x\n"
#define SIZE    "expected a size such as 512K or 10M, at least 1 and less than 4G, or max\n"
#define WORDS   "expected inherit, null, prefix or an absolute path\n"

/* --- services --- */

static void test_bad_values(void **state)
{
	(void)state;
	config_util_bad(
	    "log = var/log/x\nlog_stderr = stdout\nlog_format = text\nlog_max_size = 4G\n"
	    "log_keep = 1001\nlog_gzip = 9\nlog_user = a b",
	    "t:3: log = var/log/x: " WORDS "t:4: log_stderr = stdout: " WORDS
	    "t:5: log_format = text: expected raw, timestamps or json\n"
	    "t:6: log_max_size = 4G: " SIZE
	    "t:7: log_keep = 1001: expected a number from 0 to 1000\n"
	    "t:8: log_gzip = 9: expected yes or no\n"
	    "t:9: log_user = a b: expected a name or a number\n");
	config_util_bad("log_max_size = 0", "t:3: log_max_size = 0: " SIZE);
	config_util_bad("log_max_size = 10 M", "t:3: log_max_size = 10 M: " SIZE);
	config_util_bad("log_keep = unlimited",
	    "t:3: log_keep = unlimited: expected a number from 0 to 1000\n");
	config_util_bad("log = /var/log/\nlog_stderr = /",
	    "t:3: log = /var/log/: it ends in /; write the path of a file\n"
	    "t:4: log_stderr = /: it ends in /; write the path of a file\n");
	/* Told although no service is there. */
	config_util_refused("[defaults]\nlog = /var/log/\n",
	    "t:2: log = /var/log/: it ends in /; write the path of a file\n");
	config_util_bad(
	    "log_stdeer = /x", "t:3: log_stdeer: unknown key; did you mean 'log_stderr'?\n");
}

static void test_values(void **state)
{
	struct image *image = config_util_text(
	    "[defaults]\nlog = /var/log/all\nlog_stderr = null\nlog_max_size = 2M\nlog_keep = 0\n"
	    "log_format = json\nlog_gzip = yes\n" SERVICE
	    "[service b]\ncommand = x\nlog = prefix\nlog_stderr = /dev/stderr\nlog_max_size = max\n"
	    "log_keep = 1000\nlog_format = timestamps\nlog_gzip = no\n"
	    "[service c]\ncommand = x\nlog =\nlog_stderr =\nlog_max_size =\n");
	static const char *const expected[][4] = {
	    {"log", "/var/log/all", "prefix", "/var/log/all"},
	    {"log_stderr", "null", "/dev/stderr", "null"},
	    {"log_format", "json", "timestamps", "json"},
	    {"log_max_size", "2M", "max", "2M"},
	    {"log_keep", "0", "1000", "0"},
	    {"log_gzip", "yes", "no", "yes"},
	};

	(void)state;
	assert_string_equal(config_util_warnings, "");
	for (size_t i = 0; i < ARRAY_LEN(expected); i++)
		for (unsigned k = 0; k < 3; k++)
			assert_string_equal(
			    config_util_value(
				image, (const char[][2]){"a", "b", "c"}[k], expected[i][0]),
			    expected[i][k + 1]);
	const struct service_settings *a = config_util_service(image, "a");
	const struct service_settings *b = config_util_service(image, "b");
	assert_int_equal(a->log_max_size, 2u << 20);
	assert_int_equal(b->log_max_size, SETTING_UNLIMITED);
	config_free(image);
}

static void test_name_in_a_path(void **state)
{
	struct image *image =
	    config_util_text("[defaults]\nlog = /var/log/%n.log\nlog_stderr = /%%n/%x%\n" SERVICE
			     "[service b]\ncommand = x\nlog = prefix\nlog_stderr = /b%n%n\n");

	(void)state;
	assert_string_equal(config_util_value(image, "a", "log"), "/var/log/a.log");
	assert_string_equal(config_util_value(image, "a", "log_stderr"), "/%n/%x%");
	assert_string_equal(config_util_value(image, "b", "log"), "prefix");
	assert_string_equal(config_util_value(image, "b", "log_stderr"), "/bbb");
	config_free(image);
}

static void assert_ids(const struct image *image, const char *name, uint32_t uid, uint32_t gid)
{
	const struct service_settings *service = config_util_service(image, name);

	assert_int_equal(service->log_uid, uid);
	assert_int_equal(service->log_gid, gid);
}

static void test_user(void **state)
{
	struct image *image =
	    config_util_text("[defaults]\nlog_user = 123456\n[service a]\ncommand = x\n"
			     "[service b]\ncommand = x\nlog_user = root\n"
			     "[service c]\ncommand = x\nlog_user =\n"
			     "[service d]\ncommand = x\nlog_user = nobody-of-that-name\n"
			     "[service e]\ncommand = x\nlog_user = 123456\nuser = 7\n");

	(void)state;
	assert_string_equal(config_util_warnings,
	    "t:13: log_user = nobody-of-that-name: no such user; the files stay with sinit's own "
	    "user\n");
	/* Without an entry: the group of the same number. */
	assert_ids(image, "a", 123456, 123456);
	assert_ids(image, "b", 0, 0);
	assert_ids(image, "c", 123456, 123456);
	assert_ids(image, "d", SETTING_UNSET, SETTING_UNSET);
	assert_ids(image, "e", 123456, 123456);
	assert_int_equal(config_util_service(image, "e")->uid, 7);
	assert_string_equal(config_util_value(image, "b", "log_user"), "root");
	config_free(image);
	/* Told once, and at the line that says so; a service may know better. */
	image = config_util_text("[defaults]\nlog_user = no-one\n[service a]\ncommand = x\n"
				 "[service b]\ncommand = x\nlog_user = 5\n");
	assert_string_equal(config_util_warnings,
	    "t:2: log_user = no-one: no such user; the files stay with sinit's own user\n");
	assert_ids(image, "a", SETTING_UNSET, SETTING_UNSET);
	assert_int_equal(config_util_service(image, "b")->log_uid, 5);
	config_free(image);
	image = config_util_text(SERVICE);
	assert_ids(image, "a", SETTING_UNSET, SETTING_UNSET);
	config_free(image);
}

/* The last resort of a machine has nothing of [defaults]. */
static void test_emergency(void **state)
{
	struct config_input input = {.flags = CONFIG_TOLERANT | CONFIG_MACHINE};
	struct image *image =
	    config_util_input("[defaults]\nlog = /x\nlog_user = root\n" SERVICE, &input);

	(void)state;
	assert_string_equal(config_util_warnings, "");
	assert_string_equal(config_util_value(image, IMAGE_EMERGENCY, "log"), "inherit");
	assert_ids(image, IMAGE_EMERGENCY, SETTING_UNSET, SETTING_UNSET);
	assert_ids(image, "a", 0, 0);
	config_free(image);
}

static void test_tty(void **state)
{
	(void)state;
	config_free(config_util_text(SERVICE "tty = /dev/tty1\nlog = prefix\nlog_stderr = /x\n"));
	assert_string_equal(config_util_warnings,
	    "t:4: log = prefix: passed over, since its output goes to its tty; leave one out\n"
	    "t:5: log_stderr = /x: passed over, since its output goes to its tty; leave one out\n");
	/* What is said for all, and what is so anyway. */
	config_free(config_util_text(
	    "[defaults]\nlog = prefix\nlog_stderr = null\n" SERVICE "tty = /dev/tty1\n"));
	assert_string_equal(config_util_warnings, "");
	config_free(config_util_text(SERVICE "tty = /dev/tty1\nlog = inherit\n"));
	assert_string_equal(config_util_warnings, "");
}

/* --- [syslog] --- */

static void test_syslog(void **state)
{
	struct image *image = config_util_text(SERVICE "[syslog]\nlisten = yes\n");
	const struct syslog_settings *syslog = image_syslog(image);

	(void)state;
	assert_string_equal(config_util_warnings, "");
	assert_int_equal(syslog->listen, 1);
	assert_string_equal(image_string(image, syslog->socket), "/dev/log");
	assert_string_equal(image_string(image, syslog->log), "prefix");
	assert_int_equal(syslog->forward, 0);
	assert_int_equal(syslog->target.kind, CHECK_NONE);
	assert_int_equal(syslog->log_max_size, 10u << 20);
	assert_int_equal(syslog->log_keep, 5);
	assert_int_equal(syslog->log_uid, SETTING_UNSET);
	assert_int_equal(syslog->log_gid, SETTING_UNSET);
	config_free(image);
	/* Nothing of [defaults] is for it. */
	image = config_util_text(
	    "[defaults]\nlog = /x\nlog_user = 6\n[syslog]\nforward = udp://[::1]:1514\n"
	    "socket = /run/log\nlog = /var/log/messages\nlog_format = json\nlog_max_size = max\n"
	    "log_keep = 0\nlog_gzip = yes\nlog_user = root\n");
	syslog = image_syslog(image);
	assert_int_equal(syslog->listen, 0);
	assert_string_equal(image_string(image, syslog->socket), "/run/log");
	assert_string_equal(image_string(image, syslog->forward), "udp://[::1]:1514");
	assert_int_equal(syslog->target.kind, CHECK_TCP);
	assert_int_equal(syslog->target.udp, 1);
	assert_int_equal(syslog->target.port, 1514);
	assert_string_equal(image_string(image, syslog->target.host), "::1");
	assert_string_equal(image_string(image, syslog->log), "/var/log/messages");
	assert_int_equal(syslog->log_format, OUTPUT_JSON);
	assert_int_equal(syslog->log_max_size, SETTING_UNLIMITED);
	assert_int_equal(syslog->log_uid, 0);
	config_free(image);
	image = config_util_text("[defaults]\nlog_user = 6\n[syslog]\nforward = tcp://logs\n");
	assert_int_equal(image_syslog(image)->target.udp, 0);
	assert_int_equal(image_syslog(image)->target.port, 514);
	assert_int_equal(image_syslog(image)->log_uid, SETTING_UNSET);
	config_free(image);
}

/* Not there, empty, or switched off by a later file. */
static void test_no_syslog(void **state)
{
	static const char *const texts[] = {SERVICE, "[syslog]\n",
	    "[syslog]\nlisten = no\nlog = /x\n", "[syslog]\nforward =\n",
	    "[syslog]\nlisten =\nlog = null\n"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct image *image = config_util_text(texts[i]);
		assert_null(image_syslog(image));
		config_free(image);
	}
}

static void test_bad_syslog(void **state)
{
	char text[256];
	struct text out;

	(void)state;
	config_util_refused("[syslog]\nlisten = maybe\nsocket = log\nforward = logs:514\n"
			    "log = inherit\nlog_max_size = 0\nlog_stderr = null\n",
	    "t:2: listen = maybe: expected yes or no\n"
	    "t:3: socket = log: expected an absolute path\n"
	    "t:4: forward = logs:514: expected udp://HOST[:PORT] or tcp://HOST[:PORT]\n"
	    "t:5: log = inherit: expected prefix, null or an absolute path\n"
	    "t:6: log_max_size = 0: " SIZE
	    "t:7: log_stderr: not a key of this section, but of [service NAME] or [defaults]\n");
	config_util_refused("[syslog]\nforward = udp://logs:x\nlog = /x/\nsocket = /run/\n",
	    "t:2: forward = udp://logs:x: the port is not a number\n"
	    "t:3: log = /x/: it ends in /; write the path of a file\n"
	    "t:4: socket = /run/: it ends in /; write the path of a file\n");
	config_util_refused("\n[syslog]\nlog = null\n",
	    "t:2: [syslog]: it neither listens nor forwards; write listen = yes or forward = "
	    "udp://HOST, or leave out [syslog]\n");
	config_util_refused("[syslog x]\n[sylog]\n",
	    "t:1: [syslog x]: [syslog] has no name\n"
	    "t:2: [sylog]: unknown section; did you mean 'syslog'?\n");
	config_util_refused(
	    "[syslog]\n[syslog]\n", "t:2: [syslog]: duplicate section; it begins in line 1\n");
	/* As long as a socket's path can be, and longer. */
	for (int length = CHECK_SOCKET; length <= CHECK_SOCKET + 1; length++) {
		text_init(&out, text, sizeof(text));
		text_addf(&out, "[syslog]\nlisten = yes\nsocket = /%0*d\n", length - 1, 0);
		struct image *image = config_util_text(text);
		assert_int_equal(image != NULL, length == CHECK_SOCKET);
		config_free(image);
	}
	assert_non_null(
	    strstr(config_util_errors, ": the path of a socket has at most 107 bytes\n"));
	config_free(config_util_text("[syslog]\nlisten = yes\nlog_user = no-one\n"));
	assert_string_equal(config_util_warnings,
	    "t:3: log_user = no-one: no such user; the files stay with sinit's own user\n");
}

/* Boot mode: with an error it is left out, and the rest holds. */
static void test_tolerant(void **state)
{
	struct config_input input = {.flags = CONFIG_TOLERANT};
	struct image *image = config_util_input("[syslog]\nlisten = yes\nforward = x\n" SERVICE
						"[service b]\ncommand = x\nlog = y\n",
	    &input);

	(void)state;
	assert_null(image_syslog(image));
	assert_string_equal(config_util_warnings,
	    "t:3: forward = x: expected udp://HOST[:PORT] or tcp://HOST[:PORT]\n");
	assert_int_equal(image->broken_count, 1);
	assert_non_null(image_string(image, config_util_service(image, "b")->broken));
	config_free(image);
}

/* --- equality --- */

static bool equal(const char *a, const char *b)
{
	struct image *x = config_util_text(a), *y = config_util_text(b);
	bool result = image_syslog_equal(x, y);

	assert_int_equal(result, image_syslog_equal(y, x));
	config_free(x);
	config_free(y);
	return result;
}

static void test_equal(void **state)
{
	static const char one[] = "[syslog]\nlisten = yes\n";
	static const char *const more[] = {"socket = /x\n", "forward = udp://h\n", "log = null\n",
	    "log_format = json\n", "log_max_size = 1\n", "log_keep = 1\n", "log_gzip = yes\n",
	    "log_user = 0\n"};

	(void)state;
	assert_true(equal("", SERVICE));
	assert_true(equal(one, SERVICE "[syslog]\nsocket = /dev/log\nlisten = 1\n"));
	assert_false(equal(one, ""));
	for (size_t i = 0; i < ARRAY_LEN(more); i++) {
		char text[128];
		struct text out;

		text_init(&out, text, sizeof(text));
		text_addf(&out, "%s%s", one, more[i]);
		assert_false(equal(one, text));
		assert_true(equal(text, text));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_bad_values),
	    cmocka_unit_test(test_values),
	    cmocka_unit_test(test_name_in_a_path),
	    cmocka_unit_test(test_user),
	    cmocka_unit_test(test_emergency),
	    cmocka_unit_test(test_tty),
	    cmocka_unit_test(test_syslog),
	    cmocka_unit_test(test_no_syslog),
	    cmocka_unit_test(test_bad_syslog),
	    cmocka_unit_test(test_tolerant),
	    cmocka_unit_test(test_equal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
