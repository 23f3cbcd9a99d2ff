/* The image: finding, comparing, and not trusting a block from elsewhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "init/base.h"
#include "init/builder.h"
#include "init/image_log.h"
#include "tests/unit/config_util.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static const char three[] =
    "[service web]\ncommand = /bin/web -p 80\nrequires = db\n"
    "environment = A=1 'B=2 3'\nlimit_nofile = 1K:4K\nuser = root\n"
    "groups = 5 6\nsuccess_exit_codes = 0 3\n"
    "[service db]\ncommand = /bin/db\nbefore = web\n"
    "[service log]\ncommand = /bin/log\nrestart_with = db\n"
    "wait_for = /dev/x eth0\n[net eth0]\naddress = 10.0.0.2/8 fd00::2/64\n"
    "gateway = 10.0.0.1\nmtu = 1400\n"
    "[liveness web]\ncheck = http://h:8/x\nheader = A: b\nheader = C: d\n"
    "fallback = tcp://h:9\n[readiness db]\ncheck = grpc://h:9/s\n"
    "[startup log]\ncheck = heartbeat\nfallback = exec:true x\nmax_age = 5\n"
    "[http]\nlisten = :80 /x\ntoken_file = /t\n"
    "[alert a]\nfile = /x\nservices = w* db\n"
    "[alert b]\nwebhook = http://x/y\ncommand = mail root\n"
    "[syslog]\nlisten = yes\nforward = udp://h\nlog = /x\n";

static void test_find(void **state)
{
	struct image *image = config_util_text(three);

	(void)state;
	assert_int_equal(image_find(image, "db"), 0);
	assert_int_equal(image_find(image, "log"), 1);
	assert_int_equal(image_find(image, "web"), 2);
	assert_int_equal(image_find(image, ""), IMAGE_NONE);
	assert_int_equal(image_find(image, "we"), IMAGE_NONE);
	assert_int_equal(image_find(image, "zzz"), IMAGE_NONE);
	assert_string_equal(image_name(image, 2), "web");
	assert_null(image_string(image, 0));
	assert_int_equal(image_list(image, 0)->count, 0);
	config_free(image);
	image = config_util_text("");
	assert_int_equal(image->service_count, 0);
	assert_int_equal(image_find(image, "web"), IMAGE_NONE);
	config_free(image);
}

static void test_limits(void **state)
{
	struct image *image = config_util_text(three);
	const struct service_settings *web = config_util_service(image, "web");

	(void)state;
	for (unsigned resource = 0; resource < IMAGE_LIMITS; resource++)
		if (resource != RLIMIT_NOFILE)
			assert_null(image_limit(image, web, resource));
	assert_int_equal(image_limit(image, web, RLIMIT_NOFILE)->soft, 1024);
	assert_int_equal(image_limit(image, web, RLIMIT_NOFILE)->hard, 4096);
	config_free(image);
	/* Several, some of them by [defaults], one of those reset, one overruled. */
	image = config_util_text("[defaults]\nlimit_core = 0\nlimit_cpu = 5\nlimit_nofile = 9\n"
				 "[service a]\ncommand = x\nlimit_nofile = 10\nlimit_core =\n"
				 "limit_rttime = 3\n[service b]\ncommand = x\n");
	const struct service_settings *a = config_util_service(image, "a");
	assert_int_equal(image_limit(image, a, RLIMIT_CPU)->soft, 5);
	assert_int_equal(image_limit(image, a, RLIMIT_CORE)->soft, 0);
	assert_int_equal(image_limit(image, a, RLIMIT_NOFILE)->soft, 10);
	assert_int_equal(image_limit(image, a, RLIMIT_RTTIME)->hard, 3);
	assert_null(image_limit(image, a, RLIMIT_AS));
	assert_string_equal(config_util_value(image, "a", "limit_nofile"), "10");
	assert_string_equal(config_util_value(image, "b", "limit_nofile"), "9");
	assert_string_equal(config_util_value(image, "b", "limit_rttime"), "");
	config_free(image);
	/* Each key is the resource that it is named after. */
	static const struct {
		const char *key;
		unsigned resource;
	} keys[] = {{"cpu", RLIMIT_CPU}, {"fsize", RLIMIT_FSIZE}, {"data", RLIMIT_DATA},
	    {"stack", RLIMIT_STACK}, {"core", RLIMIT_CORE}, {"rss", RLIMIT_RSS},
	    {"nproc", RLIMIT_NPROC}, {"nofile", RLIMIT_NOFILE}, {"memlock", RLIMIT_MEMLOCK},
	    {"as", RLIMIT_AS}, {"locks", RLIMIT_LOCKS}, {"sigpending", RLIMIT_SIGPENDING},
	    {"msgqueue", RLIMIT_MSGQUEUE}, {"nice", RLIMIT_NICE}, {"rtprio", RLIMIT_RTPRIO},
	    {"rttime", RLIMIT_RTTIME}};
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		char text[100];
		struct text out;
		text_init(&out, text, sizeof(text));
		text_addf(&out, "[service a]\ncommand = x\nlimit_%s = 7\n", keys[i].key);
		image = config_util_text(text);
		const struct image_limit *limit =
		    image_limit(image, config_util_service(image, "a"), keys[i].resource);
		assert_non_null(limit);
		assert_int_equal(limit->soft, 7);
		config_free(image);
	}
}

/* Equal texts and lists are stored once. */
static void test_stored_once(void **state)
{
	char text[65536];
	struct text out;

	(void)state;
	text_init(&out, text, sizeof(text));
	for (unsigned i = 0; i < 500; i++)
		text_addf(&out,
		    "[service s%u]\ncommand = /bin/the-same-for-all with words\n"
		    "limit_core = 0\nlimit_nofile = 1K:4K\n",
		    i);
	assert_false(out.cut);
	struct image *image = config_util_text(text);
	ref command = image_service(image, 0)->command;
	for (uint32_t i = 0; i < 500; i++)
		assert_int_equal(image_service(image, i)->command, command);
	ref limits = image_service(image, 0)->limits;
	for (uint32_t i = 0; i < 500; i++)
		assert_int_equal(image_service(image, i)->limits, limits);
	assert_true(image->size / 500 <= 336);
	config_free(image);
}

static bool equal(const char *a, const char *b, bool *same_process)
{
	struct image *x = config_util_text(a);
	struct image *y = config_util_text(b);
	uint32_t ix = image_find(x, "a");
	uint32_t iy = image_find(y, "a");
	bool result = image_service_equal(x, ix, y, iy);

	assert_int_equal(result, image_service_equal(y, iy, x, ix));
	assert_true(image_service_equal(x, ix, x, ix));
	*same_process = image_service_same_process(x, ix, y, iy);
	config_free(x);
	config_free(y);
	return result;
}

/* P76: what does not change a service is no change: its place, its index, other services. */
static void test_P76_equal(void **state)
{
	const char *one = "[service a]\ncommand = x y\nrequires = b\n[service b]\ncommand = z\n";
	bool same;

	(void)state;
	assert_true(equal(one, one, &same) && same);
	assert_true(equal(one,
	    "# moved\n\n[service 0]\ncommand = new 1 2 3\n[service b]\ncommand = other\n"
	    "priority = 3\n[service aa]\ncommand = q\nenvironment = A=b\n"
	    "[service a]\nrequires=b\nrestart = on-failure\ncommand  =  'x' \"y\"\n",
	    &same));
	assert_true(same);
}

/* Each key makes a difference, and only those of KEY_SPAWN ask for a new process. */
static void test_differences(void **state)
{
	static const struct {
		const char *line;
		bool spawn;
	} lines[] = {{"description = d", false}, {"enabled = no", false}, {"type = oneshot", true},
	    {"priority = 1", false}, {"requires = b", false}, {"wants = b", false},
	    {"after = b", false}, {"before = b", false}, {"restart_with = b", false},
	    {"wait_for = eth0 /x", false}, {"critical = yes", false}, {"user = 5", true},
	    {"group = 5", true}, {"groups = 5", true}, {"umask = 077", true}, {"nice = 1", true},
	    {"oom_score_adj = 1", true}, {"limit_core = 1", true}, {"working_directory = /x", true},
	    {"environment = A=1", true}, {"clear_environment = yes", true},
	    {"stdin = inherit", true}, {"tty = /dev/tty1", true}, {"restart = always", false},
	    {"success_exit_codes = 1", false}, {"restart_delay = 3", false},
	    {"backoff_multiplier = 3", false}, {"max_backoff = 3", false},
	    {"backoff_jitter = 3", false}, {"max_restarts = 3", false},
	    {"restart_window = 3", false}, {"min_uptime = 3", false}, {"stop_signal = INT", false},
	    {"stop_timeout = 3", false}, {"stop_command = x", false}, {"kill_mode = group", false},
	    {"reload_signal = INT", false}, {"reload_command = x", false}, {"pre_start = x", true},
	    {"post_stop = x", false}, {"start_timeout = 3", false}, {"log = null", true},
	    {"log = prefix", true}, {"log = /x", true}, {"log_format = json", true},
	    {"log_stderr = prefix", true}, {"log_stderr = inherit", false},
	    {"log_max_size = 1M", false}, {"log_keep = 0", false}, {"log_gzip = yes", false},
	    {"log_user = 5", false}};
	const char *plain = "[service a]\ncommand = x\n[service b]\ncommand = y\n";

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		char text[200];
		struct text out;
		bool same;
		text_init(&out, text, sizeof(text));
		text_addf(&out, "%s[service a2]\ncommand = q\n", plain);
		assert_true(equal(plain, text, &same) && same);
		text_init(&out, text, sizeof(text));
		text_addf(&out, "[service b]\ncommand = y\n[service a]\ncommand = x\n%s\n",
		    lines[i].line);
		assert_false(equal(plain, text, &same));
		assert_int_equal(same, !lines[i].spawn);
	}
}

/* Lists are compared by their items, with their borders. */
static void test_lists_differ(void **state)
{
	bool same;

	(void)state;
	assert_false(
	    equal("[service a]\ncommand = x y z\n", "[service a]\ncommand = x 'y z'\n", &same));
	assert_false(
	    equal("[service a]\ncommand = x y\n", "[service a]\ncommand = x y ''\n", &same));
	assert_false(equal("[service a]\ncommand = x\nrequires = b\n[service b]\ncommand = y\n"
			   "[service c]\ncommand = y\n",
	    "[service a]\ncommand = x\nrequires = c\n[service b]\ncommand = y\n"
	    "[service c]\ncommand = y\n",
	    &same));
}

static void test_settings_equal(void **state)
{
	struct image *a = config_util_text("[sinit]\nlog_target = /x\n");
	struct image *b = config_util_text("[service z]\ncommand = x\n[sinit]\nlog_target = /x\n");
	struct image *c = config_util_text("[sinit]\nlog_target = /y\n");

	(void)state;
	assert_true(image_settings_equal(a, b));
	assert_false(image_settings_equal(a, c));
	config_free(a);
	config_free(b);
	config_free(c);
}

/* Prints the settings of one section. */
static size_t print(const struct image *image, enum schema_section section, const void *settings)
{
	char buffer[8192];
	struct text text;
	size_t total = 0;

	for (unsigned k = 0; k < schema_count(); k++) {
		text_init(&text, buffer, sizeof(buffer));
		if (schema_at(k)->section == section)
			schema_print_value(&text, image, schema_at(k), settings);
		total += text.used;
	}
	return total;
}

static size_t use_target(const struct image *image, const struct image_target *target)
{
	const struct image_list *command = image_list(image, target->command);
	const ref texts[] = {target->host, target->path, target->service};
	size_t total = 0;

	assert_true(target->kind < CHECK_KINDS);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		total += texts[i] ? strlen(image_string(image, texts[i])) : 0;
	for (uint32_t i = 0; i < command->count; i++)
		total += strlen(image_string(image, command->item[i]));
	return total;
}

static size_t use_probes(const struct image *image)
{
	size_t total = 0;

	for (uint32_t i = 0; i < image->service_count; i++)
		for (unsigned role = 0; role < PROBE_ROLES; role++) {
			const struct probe_settings *probe =
			    image_probe(image, image_service(image, i), (enum probe_role)role);
			if (!probe)
				continue;
			assert_true(image_probe_text(image, probe) <= IMAGE_PROBE_TEXT);
			assert_true(probe->interval >= 10 && probe->timeout <= probe->interval);
			assert_true(image_list(image, probe->expect_status)->count <= PROBE_RANGES);
			total += print(image, SECTION_PROBE, probe) +
				 use_target(image, &probe->target) +
				 use_target(image, &probe->fallback_target);
		}
	return total;
}

static size_t use_log(const struct image_log *log)
{
	assert_true((log->sink == SINK_FILE) == (log->path != NULL));
	assert_true(log->format <= OUTPUT_JSON);
	return log->path ? strlen(log->path) : 0;
}

static size_t use_syslog(const struct image *image)
{
	struct image_log log;

	image_log_syslog(image, image_syslog(image), &log);
	return use_log(&log) + strlen(image_string(image, image_syslog(image)->socket));
}

static size_t use_logs(const struct image *image, const struct service_settings *service)
{
	struct image_log out, err;

	image_log(image, service, STREAM_STDOUT, &out);
	image_log(image, service, STREAM_STDERR, &err);
	assert_true(out.way != WAY_SAME);
	return use_log(&out) + use_log(&err);
}

static size_t use_outside(const struct image *image)
{
	size_t total = 0;

	if (image_http(image))
		total += print(image, SECTION_HTTP, image_http(image));
	for (uint32_t i = 0; i < image->alert_count; i++)
		total += print(image, SECTION_ALERT, image_alert(image, i)) +
			 use_target(image, &image_alert(image, i)->target);
	for (uint32_t i = 0; i < image->net_count; i++)
		total += print(image, SECTION_NET, image_net(image, i));
	if (image_syslog(image))
		total += print(image, SECTION_SYSLOG, image_syslog(image)) +
			 use_target(image, &image_syslog(image)->target) + use_syslog(image);
	assert_true(image_syslog_equal(image, image));
	assert_true(image_devices_equal(image, image));
	assert_true(image_http_equal(image, image));
	assert_true(image_alerts_equal(image, image));
	return total;
}

/* Walks over all that an accepted image refers to, so that the sanitizer sees a bad one. */
static size_t use(const struct image *image)
{
	static uint32_t work[1 << 16];
	size_t total = 0;

	for (uint32_t i = 0; i < image->service_count; i++) {
		const struct service_settings *service = image_service(image, i);
		total += strlen(image_name(image, i));
		assert_true(image_service_equal(image, i, image, i));
		total += print(image, SECTION_SERVICE, service);
		for (unsigned r = 0; r < IMAGE_LIMITS; r++)
			total += image_limit(image, service, r) != NULL;
		total += image_find(image, image_name(image, i)) + use_logs(image, service);
	}
	total += use_probes(image) + use_outside(image);
	if (image->service_count + image_order_scratch(image) < ARRAY_LEN(work))
		image_order(image, work, work + image->service_count);
	return total;
}

/* Every word of the image replaced by others: refused, or harmless. */
static void test_damaged(void **state)
{
	static const uint32_t values[] = {
	    0, 1, 2, 3, 7, 8, 0x7fffffff, 0x80000000, UINT32_MAX, UINT32_MAX - 3, UINT32_MAX - 7};
	struct image *image = config_util_text(three);
	size_t size = image->size;
	unsigned accepted = 0;
	unsigned refused = 0;

	(void)state;
	for (size_t at = 0; at + 4 <= size; at += 2)
		for (size_t v = 0; v < ARRAY_LEN(values) + 2; v++) {
			char *copy = aligned_alloc(8, size);
			uint32_t value = v < ARRAY_LEN(values)    ? values[v]
					 : v == ARRAY_LEN(values) ? (uint32_t)size
								  : (uint32_t)size - 4;
			memcpy(copy, image, size);
			memcpy(copy + at, &value, sizeof(value));
			if (image_check(copy, size) == 0) {
				accepted++;
				use((const struct image *)(void *)copy);
			} else {
				refused++;
			}
			free(copy);
		}
	assert_in_range(accepted, 100, 1000000);
	assert_in_range(refused, 1000, 1000000);
	config_free(image);
}

/* A copy of the image with this number there. */
static void assert_refused(const struct image *image, size_t offset, uint32_t value)
{
	size_t size = image->size;
	char *copy = aligned_alloc(8, size);

	memcpy(copy, image, size);
	memcpy(copy + offset, &value, sizeof(value));
	assert_int_equal(image_check(copy, size), -EINVAL);
	free(copy);
}

/* Values that a switch or a system call of PID 1 could not bear. */
static void test_bad_members(void **state)
{
	static const struct {
		size_t offset;
		uint32_t value;
	} bad[] = {
#define BAD(member, value) {offsetof(struct service_settings, member), (value)}
	    BAD(type, TYPE_FORKING), BAD(type, 4), BAD(restart, 3), BAD(kill_mode, 3),
	    BAD(log, UINT32_MAX), BAD(log_format, 3), BAD(log_max_size, 0), BAD(log_keep, 1001),
	    BAD(log_gzip, 2), BAD(enabled, 2), BAD(stop_signal, 0), BAD(stop_signal, 65),
	    BAD(reload_signal, UINT32_MAX), BAD(priority, 10000), BAD(priority, UINT32_MAX),
	    BAD(nice, 20), BAD(max_restarts, 33), BAD(restart_window, 0),
	    BAD(restart_delay, UINT32_MAX), BAD(backoff_multiplier, 999), BAD(backoff_jitter, 101),
	    BAD(umask, 01000), BAD(command, 0), BAD(command, 2), BAD(name, 0),
	    BAD(description, UINT32_MAX), BAD(limits, 4), BAD(dependents, UINT32_MAX - 3),
	    BAD(wait_for, 4), BAD(wait_for, 6), BAD(startup, 8), BAD(liveness, 6),
	    BAD(readiness, UINT32_MAX - 3)};
	struct image *image = config_util_text(three);
	size_t size = image->size;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_refused(image, image->services + bad[i].offset, bad[i].value);
	/* Names out of order, twice, or bad as names of files. */
	static const char names[][4] = {"zz", "log", "a/b", ""};
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char *copy = aligned_alloc(8, size);
		memcpy(copy, image, size);
		char *name = copy + image_service(image, 0)->name;
		memset(name, 0, 3);
		memcpy(name, names[i], strlen(names[i]) < 2 ? strlen(names[i]) : 2);
		if (strcmp(names[i], "log") == 0)
			memcpy(copy + image->services + offsetof(struct service_settings, name),
			    &image_service(image, 1)->name, sizeof(ref));
		if (strcmp(names[i], "a/b") == 0)
			memcpy(name, "a/", 2);
		assert_int_equal(image_check(copy, size), -EINVAL);
		free(copy);
	}
	config_free(image);
}

/* The same of [syslog]. */
static void test_bad_syslog(void **state)
{
	static const struct {
		size_t offset;
		uint32_t value;
	} bad[] = {
#define BAD_SYSLOG(member, value) {offsetof(struct syslog_settings, member), (value)}
	    BAD_SYSLOG(listen, 2), BAD_SYSLOG(socket, 0), BAD_SYSLOG(socket, UINT32_MAX),
	    BAD_SYSLOG(socket, 1), BAD_SYSLOG(forward, 0), BAD_SYSLOG(log, UINT32_MAX),
	    BAD_SYSLOG(log_format, 3), BAD_SYSLOG(log_max_size, 0), BAD_SYSLOG(log_keep, 1001),
	    BAD_SYSLOG(target.kind, CHECK_NONE), BAD_SYSLOG(target.kind, CHECK_EXEC),
	    BAD_SYSLOG(target.host, 0), BAD_SYSLOG(target.port, 0), BAD_SYSLOG(target.port, 65536),
	    BAD_SYSLOG(target.udp, 2)};
	struct image *image = config_util_text(three);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_refused(image, image->syslog + bad[i].offset, bad[i].value);
	config_free(image);
	/* One that does nothing would not be there. */
	image = config_util_text("[syslog]\nlisten = yes\n");
	memset((char *)image + image->syslog + offsetof(struct syslog_settings, listen), 0, 4);
	assert_int_equal(image_check(image, image->size), -EINVAL);
	config_free(image);
}

static void test_wrong_size(void **state)
{
	struct image *image = config_util_text(three);
	size_t size = image->size;

	(void)state;
	for (size_t i = 0; i < size; i++) {
		char *copy = aligned_alloc(8, size);
		memcpy(copy, image, size);
		assert_int_equal(image_check(copy, i), -EINVAL);
		/* Even if the header says so. */
		((struct image *)(void *)copy)->size = (uint32_t)i;
		if (i < size - 8)
			assert_int_equal(image_check(copy, i), -EINVAL);
		free(copy);
	}
	assert_int_equal(image_check(image, size), 0);
	config_free(image);
}

static void test_names(void **state)
{
	char name[70];

	(void)state;
	memset(name, 'a', sizeof(name));
	assert_true(image_good_name("a", 1));
	assert_true(image_good_name("azAZ09", 6));
	assert_false(image_good_name("a:", 2));
	assert_true(image_good_name("web-1_x.y@2", 11));
	assert_true(image_good_name("...", 3));
	assert_true(image_good_name(name, 63));
	assert_false(image_good_name(name, 64));
	assert_false(image_good_name("", 0));
	assert_false(image_good_name(".", 1));
	assert_false(image_good_name("..", 2));
	assert_false(image_good_name("a/b", 3));
	assert_false(image_good_name("a b", 3));
	assert_false(image_good_name("\xc3\xa4", 2));
}

/* A builder that has to grow keeps what it has. */
static void test_builder_grows(void **state)
{
	struct builder builder;
	struct image *image;
	static ref texts[20000];
	char text[32];
	struct text out;

	(void)state;
	assert_int_equal(builder_start(&builder, 0), 0);
	for (unsigned pass = 0; pass < 2; pass++)
		for (unsigned i = 0; i < ARRAY_LEN(texts); i++) {
			text_init(&out, text, sizeof(text));
			text_addf(&out, "text number %u", i);
			ref at = builder_text(&builder, text, out.used);
			assert_int_not_equal(at, 0);
			if (pass)
				assert_int_equal(at, texts[i]);
			texts[i] = at;
		}
	/* A list and a text of the same bytes are two things; the text ends in a NUL. */
	struct image_list *list = calloc(1, sizeof(*list) + 2 * sizeof(uint32_t));
	list->count = 2;
	list->item[0] = list->item[1] = 0x41414141;
	ref at_list = builder_list(&builder, list);
	ref again = builder_list(&builder, list);
	assert_int_equal(at_list, again);
	list->count = 0;
	assert_int_equal(builder_list(&builder, list), 0);
	free(list);
	assert_int_equal(builder_finish(&builder, &image), 0);
	for (unsigned i = 0; i < ARRAY_LEN(texts); i++) {
		text_init(&out, text, sizeof(text));
		text_addf(&out, "text number %u", i);
		assert_string_equal(image_string(image, texts[i]), text);
	}
	assert_int_equal(image_list(image, at_list)->item[1], 0x41414141);
	builder_free(&builder);
	config_free(image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_find),
	    cmocka_unit_test(test_limits),
	    cmocka_unit_test(test_stored_once),
	    cmocka_unit_test(test_P76_equal),
	    cmocka_unit_test(test_differences),
	    cmocka_unit_test(test_lists_differ),
	    cmocka_unit_test(test_settings_equal),
	    cmocka_unit_test(test_damaged),
	    cmocka_unit_test(test_bad_members),
	    cmocka_unit_test(test_bad_syslog),
	    cmocka_unit_test(test_wrong_size),
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_builder_grows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
