/* Sections of probes, [http] and alerts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "init/base.h"
#include "tests/unit/config_util.h"

#include <string.h>

#define SERVICE "[service a]\ncommand = x\n"

static void good(const char *text)
{
	struct image *image = config_util_text(text);

	assert_non_null(image);
	config_free(image);
}

/* The value of a key of settings, as it is shown. */
static const char *value(const struct image *image, unsigned key, const void *settings)
{
	static char shown[4096];
	struct text text;

	assert_non_null(settings);
	text_init(&text, shown, sizeof(shown));
	schema_print_value(&text, image, schema_at(key), settings);
	return shown;
}

static const struct probe_settings *probe_of(
    const struct image *image, const char *service, enum probe_role role)
{
	return image_probe(image, config_util_service(image, service), role);
}

/* Fails unless the body of [liveness a], which begins in line 4, has exactly these errors. */
static void bad(const char *body, const char *errors)
{
	char text[8192];
	struct text out;

	text_init(&out, text, sizeof(text));
	text_addf(&out, SERVICE "[liveness a]\n%s\n", body);
	config_util_refused(text, errors);
}

/* --- Probes --- */

static void test_defaults(void **state)
{
	static const struct {
		unsigned key;
		char value[10];
	} expected[] = {{KEY_PROBE_check, "process"}, {KEY_PROBE_fallback, ""},
	    {KEY_PROBE_interval, "10s"}, {KEY_PROBE_timeout, "1s"}, {KEY_PROBE_initial_delay, "0s"},
	    {KEY_PROBE_failures, "3"}, {KEY_PROBE_successes, "1"}, {KEY_PROBE_max_age, ""},
	    {KEY_PROBE_expect_status, "200-399"}, {KEY_PROBE_expect_body, ""},
	    {KEY_PROBE_header, ""}, {KEY_PROBE_method, "GET"}};
	struct image *image = config_util_text(SERVICE "[liveness a]\ncheck = process\n");
	const struct probe_settings *probe = probe_of(image, "a", PROBE_LIVENESS);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(expected); i++)
		assert_string_equal(value(image, expected[i].key, probe), expected[i].value);
	assert_int_equal(probe->target.kind, CHECK_PROCESS);
	assert_int_equal(probe->fallback_target.kind, CHECK_NONE);
	assert_int_equal(probe->max_age, 0);
	assert_string_equal(image_string(image, probe->name), "a");
	assert_null(probe_of(image, "a", PROBE_STARTUP));
	assert_null(probe_of(image, "a", PROBE_READINESS));
	config_free(image);
}

/* start_timeout in ms of service a, with this startup probe and these other lines. */
static uint32_t start_timeout(const char *probe, const char *service, const char *before)
{
	char text[1024];
	struct text out;

	text_init(&out, text, sizeof(text));
	text_addf(
	    &out, "%s" SERVICE "%s\n[startup a]\ncheck = process\n%s\n", before, service, probe);
	struct image *image = config_util_text(text);
	assert_non_null(image);
	const struct service_settings *s = config_util_service(image, "a");
	uint32_t result = s->start_timeout;
	assert_int_equal(image_machine(image, s)->start_timeout, result);
	config_free(image);
	return result;
}

/* A probe that may take longer than the default of start_timeout raises that default. */
static void test_start_timeout(void **state)
{
	(void)state;
	assert_int_equal(start_timeout("", "", ""), 60000);
	assert_int_equal(start_timeout("failures = 5", "", ""), 60000);
	assert_int_equal(start_timeout("failures = 30", "", ""), 301000);
	assert_int_equal(start_timeout("failures = 30\nfallback = process", "", ""), 302000);
	assert_int_equal(start_timeout("successes = 12\ninterval = 10s", "", ""), 121000);
	assert_int_equal(
	    start_timeout("initial_delay = 2m\ninterval = 2s\ntimeout = 2s", "", ""), 128000);
	assert_int_equal(
	    start_timeout("failures = 100000\ninterval = 24h\ninitial_delay = 1h", "", ""),
	    UINT32_MAX - 1);
	assert_string_equal(config_util_warnings, "");
	assert_int_equal(start_timeout("failures = 30", "start_timeout =", ""), 301000);
	assert_int_equal(start_timeout("failures = 30", "start_timeout = 5m", ""), 300000);
	assert_int_equal(start_timeout("", "", "[defaults]\nstart_timeout = 40s\n"), 40000);
	assert_string_equal(config_util_warnings, "");
	assert_int_equal(start_timeout("failures = 30", "start_timeout = 60s", ""), 60000);
	assert_string_equal(config_util_warnings,
	    "t:3: start_timeout = 1m: ends a start of a before its startup probe fails, which "
	    "takes 5m (initial_delay and failures times interval); without start_timeout it "
	    "would fit\n");
	assert_int_equal(
	    start_timeout("failures = 30", "", "[defaults]\nstart_timeout = 40s\n"), 40000);
	assert_non_null(strstr(config_util_warnings, "t:2: start_timeout = 40s: "));
	/* Other probes are no matter. */
	struct image *image =
	    config_util_text(SERVICE "[liveness a]\ncheck = process\ninterval = 1h\n");
	assert_int_equal(config_util_service(image, "a")->start_timeout, 60000);
	config_free(image);
}

static void test_all_keys(void **state)
{
	struct image *image = config_util_text(
	    "[startup a]\ncheck = http://[::1]:8080/health?x=1\nfallback = grpc://h:9/my.Service\n"
	    "interval = 500ms\ntimeout = 250ms\ninitial_delay = 1m\nfailures = 5\nsuccesses = 2\n"
	    "expect_status = 200 204 300-399\nexpect_body = all is well\nheader = X-A:b c\n"
	    "header = Host:   me\nmethod = HEAD\n" SERVICE);
	const struct probe_settings *probe = probe_of(image, "a", PROBE_STARTUP);
	const struct image_list *ranges = image_list(image, probe->expect_status);

	(void)state;
	assert_int_equal(probe->target.kind, CHECK_HTTP);
	assert_int_equal(probe->target.port, 8080);
	assert_string_equal(image_string(image, probe->target.host), "::1");
	assert_string_equal(image_string(image, probe->target.path), "/health?x=1");
	assert_int_equal(probe->fallback_target.kind, CHECK_GRPC);
	assert_string_equal(image_string(image, probe->fallback_target.service), "my.Service");
	assert_int_equal(probe->interval, 500);
	assert_int_equal(probe->timeout, 250);
	assert_int_equal(probe->initial_delay, 60000);
	assert_int_equal(probe->failures, 5);
	assert_int_equal(probe->successes, 2);
	assert_int_equal(ranges->count, 3);
	assert_int_equal(IMAGE_RANGE_LEAST(ranges->item[1]), 204);
	assert_int_equal(IMAGE_RANGE_MOST(ranges->item[1]), 204);
	assert_int_equal(IMAGE_RANGE_LEAST(ranges->item[2]), 300);
	assert_int_equal(IMAGE_RANGE_MOST(ranges->item[2]), 399);
	assert_string_equal(value(image, KEY_PROBE_expect_status, probe), "200 204 300-399");
	assert_string_equal(value(image, KEY_PROBE_header, probe), "X-A: b c, Host: me");
	assert_string_equal(config_util_list(image, probe->header), "[X-A: b c][Host: me]");
	assert_string_equal(image_string(image, probe->expect_body), "all is well");
	assert_string_equal(image_string(image, probe->method), "HEAD");
	assert_int_equal(image_probe_text(image, probe),
	    1 + sizeof("::1") + sizeof("/health?x=1") + sizeof("h") + sizeof("my.Service") +
		sizeof("all is well") + sizeof("HEAD") + strlen("X-A: b c\r\nHost: me\r\n") + 1);
	config_free(image);
}

static void test_kinds(void **state)
{
	struct image *image = config_util_text(
	    "[service w@2]\ncommand = x\nenvironment = PORT=80\n"
	    "[liveness w@2]\ncheck = exec:/bin/c -p ${PORT} '%n' %i ${GIVEN}\n"
	    "[readiness w@2]\ncheck = listen:udp:53\nfallback = heartbeat\nmax_age = 3s\n"
	    "[startup w@2]\ncheck = file:/run/stamp\nfallback = unix:/run/x y\n");
	const struct probe_settings *probe = probe_of(image, "w@2", PROBE_LIVENESS);

	(void)state;
	assert_string_equal(config_util_list(image, probe->target.command),
	    "[/bin/c][-p][80][%n][2][from outside]");
	assert_string_equal(
	    value(image, KEY_PROBE_check, probe), "exec:/bin/c -p ${PORT} '%n' %i ${GIVEN}");
	probe = probe_of(image, "w@2", PROBE_READINESS);
	assert_int_equal(probe->target.port, 53);
	assert_int_equal(probe->target.udp, 1);
	assert_int_equal(probe->fallback_target.kind, CHECK_HEARTBEAT);
	assert_int_equal(probe->max_age, 3000);
	probe = probe_of(image, "w@2", PROBE_STARTUP);
	assert_string_equal(image_string(image, probe->target.path), "/run/stamp");
	assert_string_equal(image_string(image, probe->fallback_target.path), "/run/x y");
	config_free(image);
}

/* A path that is not written is /; a timeout that is not written is never above interval. */
static void test_filled_in(void **state)
{
	struct image *image =
	    config_util_text(SERVICE "[liveness a]\ncheck = http://h\ninterval = 200ms\n");
	const struct probe_settings *probe = probe_of(image, "a", PROBE_LIVENESS);

	(void)state;
	assert_string_equal(image_string(image, probe->target.path), "/");
	assert_int_equal(probe->target.port, 80);
	assert_int_equal(probe->timeout, 200);
	config_free(image);
}

static void test_drop_ins(void **state)
{
	/* In one file a section stands once; what a later file does, a reset shows as well. */
	struct image *image = config_util_text(SERVICE "[liveness a]\ncheck = http://h/\n"
						       "header = A: b\nheader =\nheader = C: d\n");

	(void)state;
	assert_string_equal(
	    config_util_list(image, probe_of(image, "a", PROBE_LIVENESS)->header), "[C: d]");
	config_free(image);
	bad("check = process\n[liveness a]\nfailures = 1",
	    "t:5: [liveness a]: duplicate section; it begins in line 3\n");
	bad("check = process\nfailures = 1\nfailures = 2",
	    "t:6: failures: duplicate key; it is set in line 5\n");
}

static void test_bad_values(void **state)
{
	(void)state;
	bad("check = htp://x/", "t:4: check = htp://x/: no such check; did you mean 'http'?\n");
	bad("check = tcp://x:70000",
	    "t:4: check = tcp://x:70000: the port is not from 1 to 65535\n");
	bad("check = exec:'x", "t:4: check = exec:'x: the quote ' is not closed\n");
	bad("check = exec:x ${NOPE}", "t:4: check = exec:x ${NOPE}: the variable NOPE is not set; "
				      "set it with environment =\n");
	bad("check = exec:''", "t:4: check = exec:'': the command is empty\n");
	bad("check = process\nfallback = x", "t:5: fallback = x: no scheme; write one of "
					     "http://HOST[:PORT]/PATH, tcp://HOST:PORT, unix:PATH, "
					     "grpc://HOST:PORT[/SERVICE], exec:COMMAND, "
					     "listen:PORT, process, file:PATH or heartbeat\n");
	bad("check = process\ninterval = 9ms", "t:5: interval = 9ms: expected a duration such as "
					       "250ms, 10s, 5m or 1h, at least 10ms\n");
	bad("check = process\nfailures = 0",
	    "t:5: failures = 0: expected a number from 1 to 100000\n");
	bad("check = http://x/\nexpect_status = 99 200",
	    "t:5: expect_status = 99 200: expected up to 8 status codes and ranges such as "
	    "200-399, separated by blanks\n");
	static const char *const ranges[] = {"300-200", "200-", "-200", "1000", "a", "200,201",
	    "1 2 3 4 5 6 7 8 9", "200 201 202 203 204 205 206 207 208", "200--300",
	    "200-99999999999"};
	for (size_t i = 0; i < ARRAY_LEN(ranges); i++) {
		char body[200];
		struct text text;
		text_init(&text, body, sizeof(body));
		text_addf(&text, SERVICE "[liveness a]\ncheck = http://x/\nexpect_status = %s",
		    ranges[i]);
		assert_null(config_util_text(body));
		assert_non_null(strstr(config_util_errors, ": expected up to 8 status codes"));
	}
	bad("check = http://x/\nmethod = get",
	    "t:5: method = get: expected GET, HEAD, POST, PUT or OPTIONS\n");
	static const char *const headers[] = {
	    "A", "A b", ": b", "A b: c", "A: b\x01", "A: \x7f", "A: b\tc"};
	for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
		char body[200];
		struct text text;
		text_init(&text, body, sizeof(body));
		text_addf(
		    &text, SERVICE "[liveness a]\ncheck = http://x/\nheader = %s", headers[i]);
		assert_null(config_util_text(body));
		assert_non_null(strstr(config_util_errors, ": expected Name: value\n"));
	}
}

static void test_keys_that_go_together(void **state)
{
	(void)state;
	bad("failures = 1", "t:3: [liveness a]: check is missing; write check = "
			    "http://HOST/PATH, tcp://HOST:PORT or another\n");
	bad("chek = process", "t:4: chek: unknown key; did you mean 'check'?\n");
	bad("check = process\ninterval = 1s\ntimeout = 2s",
	    "t:6: timeout = 2s: it is longer than interval, so checks would overlap\n");
	bad("check = process\ntimeout = 11s",
	    "t:5: timeout = 11s: it is longer than interval, so checks would overlap\n");
	bad("check = process\nsuccesses = 2", "t:5: successes = 2: for liveness it can only be 1; "
					      "one success is a sign of life\n");
	bad("check = process\nmax_age = 2", "t:5: max_age = 2: only for file: and heartbeat\n");
	bad("check = heartbeat",
	    "t:4: check = heartbeat: max_age is missing; write max_age = 30s\n");
	bad("check = process\nfallback = heartbeat",
	    "t:5: fallback = heartbeat: max_age is missing; write max_age = 30s\n");
	bad("check = tcp://x:1\nexpect_status = 200\nexpect_body = x\nheader = A: b\nmethod = HEAD",
	    "t:5: expect_status = 200: only for http://\n"
	    "t:6: expect_body = x: only for http://\n"
	    "t:7: header = A: b: only for http://\n"
	    "t:8: method = HEAD: only for http://\n");
	/* A fallback by HTTP is enough for them. */
	struct image *image = config_util_text(
	    SERVICE "[liveness a]\ncheck = tcp://x:1\nfallback = http://x/\nmethod = HEAD\n");
	assert_non_null(image);
	config_free(image);
}

static void test_services(void **state)
{
	(void)state;
	config_util_refused("[service web]\ncommand = x\n[liveness wbe]\ncheck = process\n",
	    "t:3: [liveness wbe]: no such service; did you mean 'web'?\n");
	config_util_refused("[readiness x]\ncheck = process\n[startup x]\n",
	    "t:1: [readiness x]: no such service; it needs a section [service x]\n"
	    "t:3: [startup x]: no such service; it needs a section [service x]\n");
	/* A name that is nobody's is no suggestion for another. */
	config_util_refused("[liveness abc]\ncheck = process\n[liveness abd]\ncheck = process\n",
	    "t:1: [liveness abc]: no such service; it needs a section [service abc]\n"
	    "t:3: [liveness abd]: no such service; it needs a section [service abd]\n");
	config_util_refused(
	    "[service a]\ncommand = x\ntype = oneshot\n[startup a]\ncheck = process\n",
	    "t:4: [startup a]: a oneshot has no probes; it is ready when it has exited with 0\n");
	config_util_refused("[liveness ../x]\n",
	    "t:1: [liveness ../x]: bad name; it has 1 to 63 letters, digits, _ - . @\n");
	config_util_refused("[defaults]\ninterval = 1s\n",
	    "t:2: interval: not a key of this section, but of [startup NAME], [liveness NAME] or "
	    "[readiness NAME]\n");
	/* COMMAND may have probes. */
	char *const argv[] = {"sleep", "1", NULL};
	struct config_input input = {.main_argv = argv};
	struct image *image = config_util_input("[liveness main]\ncheck = exec:true %n\n", &input);
	assert_string_equal(
	    config_util_list(image, probe_of(image, "main", PROBE_LIVENESS)->target.command),
	    "[true][main]");
	config_free(image);
}

/* All texts of a probe fit into one message. */
static void test_too_long(void **state)
{
	static char text[40000];
	struct text out;

	(void)state;
	for (int headers = 1; headers <= 5; headers++) {
		text_init(&out, text, sizeof(text));
		text_add(&out, SERVICE "[readiness a]\ncheck = http://x/\n");
		for (int i = 0; i < headers; i++)
			text_addf(&out, "header = A: %04000d\n", i);
		struct image *image = config_util_text(text);
		assert_int_equal(image != NULL, headers < 5);
		if (!image)
			assert_string_equal(config_util_errors,
			    "t:3: [readiness a]: its checks, headers and expect_body are too "
			    "long\n");
		config_free(image);
	}
}

static bool same(const char *a, const char *b, enum probe_role role)
{
	char text[2][1000];
	struct text out;
	struct image *image[2];

	for (unsigned i = 0; i < 2; i++) {
		text_init(&out, text[i], sizeof(text[i]));
		/* Another index and other places of texts make no difference. */
		text_addf(
		    &out, "%s" SERVICE "%s", i ? "[service 0]\ncommand = y z\n" : "", i ? b : a);
		image[i] = config_util_text(text[i]);
	}
	uint32_t ib = image_find(image[1], "a");
	bool result = image_probe_equal(image[0], 0, image[1], ib, role);
	assert_int_equal(result, image_probe_equal(image[1], ib, image[0], 0, role));
	assert_int_equal(result, image_service_equal(image[0], 0, image[1], ib));
	assert_true(image_service_same_process(image[0], 0, image[1], ib));
	config_free(image[0]);
	config_free(image[1]);
	return result;
}

/* Each key makes a difference to the service, but none asks for a new process. */
static void test_equal(void **state)
{
	static const char *const lines[] = {"fallback = tcp://x:1", "interval = 11s",
	    "timeout = 2s", "initial_delay = 1", "failures = 4", "expect_status = 200",
	    "expect_body = x", "header = A: b", "method = HEAD"};
	static const char plain[] = "[liveness a]\ncheck = http://x/\n";

	(void)state;
	assert_true(same("", "", PROBE_STARTUP));
	assert_true(same(plain, plain, PROBE_LIVENESS));
	assert_true(same(plain, "[liveness a]\nfailures = 3\ncheck = http://x/\n", PROBE_LIVENESS));
	assert_false(same(plain, "", PROBE_LIVENESS));
	assert_false(same(plain, "[liveness a]\ncheck = http://y/\n", PROBE_LIVENESS));
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		char text[200];
		struct text out;
		text_init(&out, text, sizeof(text));
		text_addf(&out, "%s%s\n", plain, lines[i]);
		assert_false(same(plain, text, PROBE_LIVENESS));
	}
}

/* An exec check has what its service's variables are. */
static void test_equal_command(void **state)
{
	struct image *image[2];

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		char *const environment[] = {i ? "V=1" : "V=2", NULL};
		struct config_input input = {.environ = environment};
		image[i] = config_util_input(SERVICE "[liveness a]\ncheck = exec:x ${V}\n", &input);
	}
	assert_false(image_probe_equal(image[0], 0, image[1], 0, PROBE_LIVENESS));
	config_free(image[0]);
	config_free(image[1]);
}

/* A service without probes pays no more than their three references. */
static void test_size(void **state)
{
	(void)state;
	assert_int_equal(
	    sizeof(struct service_settings) - offsetof(struct service_settings, startup), 12);
}

/* What ends a message is not for the configuration to say; all else is. */
static void test_framing_headers(void **state)
{
	(void)state;
	bad("check = http://x/\nheader = Content-Length: 3\nheader = transfer-encoding: chunked\n"
	    "header = Connection:keep-alive\nheader = Host: x\nheader = X-Connection: y\n",
	    "t:5: header = Content-Length: 3: this header is sinit's to send, or not to send; "
	    "leave it out\n"
	    "t:6: header = transfer-encoding: chunked: this header is sinit's to send, or not to "
	    "send; leave it out\n"
	    "t:7: header = Connection:keep-alive: this header is sinit's to send, or not to send; "
	    "leave it out\n");
}

/* --- [http] --- */

static void test_http(void **state)
{
	struct image *image = config_util_text("[http]\nlisten = 127.0.0.1:80 [::1]:81\n"
					       "listen = '/run/a b.sock'\ntoken_file = /t\n"
					       "control = yes\ndashboard = no\n");
	const struct http_settings *http = image_http(image);

	(void)state;
	assert_string_equal(config_util_warnings, "");
	assert_string_equal(
	    config_util_list(image, http->listen), "[127.0.0.1:80][[::1]:81][/run/a b.sock]");
	assert_string_equal(
	    value(image, KEY_HTTP_listen, http), "127.0.0.1:80 [::1]:81 '/run/a b.sock'");
	assert_int_equal(http->control, 1);
	assert_int_equal(http->dashboard, 0);
	assert_string_equal(image_string(image, http->token_file), "/t");
	struct image *other = config_util_text("[http]\nlisten = :80\n");
	assert_int_equal(image_http(other)->control, 0);
	assert_int_equal(image_http(other)->dashboard, 1);
	assert_false(image_http_equal(image, other));
	assert_true(image_http_equal(image, image));
	config_free(other);
	/* Nothing listens unless it is said where. */
	other = config_util_text("[http]\ndashboard = no\nlisten = :80\nlisten =\n");
	assert_null(image_http(other));
	assert_false(image_http_equal(image, other));
	assert_true(image_http_equal(other, other));
	config_free(other);
	config_free(image);
	image = config_util_text("[http]\nlisten = :80\ncontrol = yes\n");
	assert_string_equal(
	    config_util_warnings, "t:3: control = yes: without token_file no POST is accepted\n");
	config_free(image);
}

static void test_bad_http(void **state)
{
	(void)state;
	config_util_refused("[http]\nlisten = localhost:80\nlisten = :80 :80\nlisten = :0\n"
			    "listn = :1\ntoken_file = x\n[http x]\n",
	    "t:2: listen = localhost:80: the address is not in numbers; write one such as "
	    "127.0.0.1:8080\n"
	    "t:3: listen = :80 :80: it stands there twice\n"
	    "t:4: listen = :0: the port is not from 1 to 65535\n"
	    "t:5: listn: unknown key; did you mean 'listen'?\n"
	    "t:6: token_file = x: expected an absolute path\n"
	    "t:7: [http x]: [http] has no name\n");
	config_util_refused("[http]\ncontrol = yes\ntoken_file = /t\n",
	    "t:1: [http]: listen is missing; write listen = 127.0.0.1:PORT, or leave out [http]\n");
	good("[http]\n");
	config_util_refused("[http]\nlisten = 9100 unix:/run/x.sock\nlisten = unix:/run/x.sock\n",
	    "t:2: listen = 9100 unix:/run/x.sock: write :9100\n"
	    "t:3: listen = unix:/run/x.sock: write /run/x.sock\n");
}

/* Two sockets of one port, the second of which could never be bound. */
static void test_http_in_use(void **state)
{
	static const struct {
		const char *first, *second;
		bool good;
	} cases[] = {
	    {":9100", "127.0.0.1:9100", false},
	    {":9100", "[::1]:9100", false},
	    {"127.0.0.1:9100", ":9100", false},
	    {"0.0.0.0:9100", "127.0.0.1:9100", false},
	    {"[::1]:9100", "[::]:9100", false},
	    {"[::1]:9100", "[0::1]:9100", false},
	    {"127.0.0.1:80", "127.0.0.1:080", false},
	    {":9100", ":09100", false},
	    {":9100", "127.0.0.1:9101", true},
	    {"127.0.0.1:9100", "127.0.0.2:9100", true},
	    {"0.0.0.0:9100", "[::]:9100", true},
	    {"0.0.0.0:9100", "[::1]:9100", true},
	    {":9100", "/run/:9100", true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[256], error[256];
		struct text out;

		text_init(&out, text, sizeof(text));
		text_addf(
		    &out, "[http]\nlisten = %s\nlisten = %s\n", cases[i].first, cases[i].second);
		text_init(&out, error, sizeof(error));
		text_addf(&out,
		    "t:3: listen: %s cannot be bound beside %s, which has it already; leave one "
		    "out\n",
		    cases[i].second, cases[i].first);
		if (cases[i].good)
			good(text);
		else
			config_util_refused(text, error);
	}
}

/* --- Alerts --- */

static void test_alerts(void **state)
{
	struct image *image = config_util_text(
	    "[alert z]\nfile = /var/alerts\nevents = fatal critical-down restart\n" SERVICE
	    "[alert b]\nwebhook = http://ntfy.sh/topic\nformat = ntfy\nservices = a* a\n"
	    "cooldown = 0\ncommand = curl -d @- ${HOME} %n\n");

	(void)state;
	assert_string_equal(config_util_warnings, "");
	assert_int_equal(image->alert_count, 2);
	const struct alert_settings *b = image_alert(image, 0);
	assert_string_equal(image_string(image, b->name), "b");
	assert_int_equal(b->events, 0xff);
	assert_string_equal(value(image, KEY_ALERT_events, b), "*");
	assert_int_equal(b->format, ALERT_NTFY);
	assert_int_equal(b->cooldown, 0);
	assert_int_equal(b->target.kind, CHECK_HTTP);
	assert_int_equal(b->target.port, 80);
	assert_string_equal(image_string(image, b->target.host), "ntfy.sh");
	assert_string_equal(image_string(image, b->target.path), "/topic");
	assert_string_equal(config_util_list(image, b->services), "[a*][a]");
	assert_string_equal(config_util_list(image, b->command), "[curl][-d][@-][/root][b]");
	const struct alert_settings *z = image_alert(image, 1);
	assert_int_equal(z->events, ALERT_FATAL | ALERT_CRITICAL_DOWN | ALERT_RESTART);
	assert_string_equal(value(image, KEY_ALERT_events, z), "restart fatal critical-down");
	assert_int_equal(z->cooldown, 300000);
	assert_int_equal(z->format, ALERT_JSON);
	assert_int_equal(z->target.kind, CHECK_NONE);
	assert_int_equal(z->services, 0);
	assert_string_equal(image_string(image, z->file), "/var/alerts");
	struct image *other = config_util_text("[alert z]\nfile = /var/alerts\n");
	assert_true(image_alerts_equal(image, image));
	assert_false(image_alerts_equal(image, other));
	config_free(image);
	image = config_util_text("[alert y]\nfile = /var/alerts\n");
	assert_false(image_alerts_equal(image, other));
	config_free(image);
	config_free(other);
}

static void test_bad_alerts(void **state)
{
	(void)state;
	config_util_refused("[alert x]\nevents = fatal\n",
	    "t:1: [alert x]: it tells nobody; write command, webhook or file\n");
	config_util_refused(
	    "[alert x]\nevents = fatl\nservices = a/b\ncommand = 'x\nwebhook = ftp://x\n"
	    "file = x\ncooldown = soon\nformat = xml\nwebhok = x\n",
	    "t:2: events = fatl: expected restart, fatal, failed, recovered, unhealthy, oom, "
	    "memory, critical-down or *, separated by blanks\n"
	    "t:3: services = a/b: expected names of services or shell patterns, separated by "
	    "blanks\n"
	    "t:4: command = 'x: the quote ' is not closed\n"
	    "t:5: webhook = ftp://x: expected http://HOST[:PORT]/PATH\n"
	    "t:6: file = x: expected an absolute path\n"
	    "t:7: cooldown = soon: expected a duration such as 250ms, 10s, 5m or 1h\n"
	    "t:8: format = xml: expected json or ntfy\n"
	    "t:9: webhok: unknown key; did you mean 'webhook'?\n");
	config_util_refused(
	    "[alert x]\nfile = /x\nformat = ntfy\n", "t:3: format = ntfy: only for a webhook\n");
	config_util_refused("[alert x]\nwebhook = https://x/\n",
	    "t:2: webhook = https://x/: https is not supported, since sinit has no TLS; use "
	    "command = curl\n");
	config_util_refused("[alert]\n[liveness]\n",
	    "t:1: [alert]: the name is missing; write [alert NAME]\n"
	    "t:2: [liveness]: the name is missing; write [liveness NAME]\n");
	struct image *image = config_util_text("[service web]\ncommand = x\n[alert x]\nfile = /x\n"
					       "services = wbe elsewhere w? main\n");
	assert_string_equal(config_util_warnings,
	    "t:5: services = wbe: no such service; did you mean 'web'?\n"
	    "t:5: services = elsewhere: no such service\n"
	    "t:5: services = main: no such service\n");
	config_free(image);
}

static void test_many_alerts(void **state)
{
	char text[8192];
	struct text out;

	(void)state;
	text_init(&out, text, sizeof(text));
	for (unsigned i = 0; i < IMAGE_MAX_ALERTS; i++)
		text_addf(&out, "[alert a%u]\nfile = /x\n", i);
	struct image *image = config_util_text(text);
	assert_int_equal(image->alert_count, IMAGE_MAX_ALERTS);
	for (uint32_t i = 1; i < image->alert_count; i++)
		assert_true(strcmp(image_string(image, image_alert(image, i - 1)->name),
				image_string(image, image_alert(image, i)->name)) < 0);
	config_free(image);
	text_add(&out, "[alert b]\nfile = /x\n");
	config_util_refused(text, "t:129: [alert b]: more than 64 alerts\n");
}

/* --- Boot mode --- */

static void test_tolerant(void **state)
{
	struct config_input input = {.flags = CONFIG_TOLERANT};
	struct image *image = config_util_input(
	    "[service a]\ncommand = x\n[liveness a]\ncheck = nope\n"
	    "[service b]\ncommand = x\n[readiness b]\ncheck = process\n"
	    "[liveness c]\ncheck = process\n"
	    "[http]\nlisten = x\n[alert bad]\nevents = x\n[alert good]\nfile = /x\n",
	    &input);

	(void)state;
	assert_non_null(image);
	assert_int_equal(image->broken_count, 1);
	assert_non_null(strstr(image_string(image, config_util_service(image, "a")->broken),
	    "t:4: check = nope: no scheme"));
	assert_null(probe_of(image, "a", PROBE_LIVENESS));
	assert_non_null(probe_of(image, "b", PROBE_READINESS));
	assert_null(image_http(image));
	assert_int_equal(image->alert_count, 1);
	assert_string_equal(image_string(image, image_alert(image, 0)->name), "good");
	assert_null(strstr(config_util_errors, "t:12"));
	assert_non_null(strstr(config_util_errors, "t:9: [liveness c]: no such service"));
	assert_non_null(strstr(config_util_warnings, "t:12: listen = x: "));
	assert_non_null(strstr(config_util_warnings, "t:14: events = x: "));
	config_free(image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_defaults),
	    cmocka_unit_test(test_start_timeout),
	    cmocka_unit_test(test_all_keys),
	    cmocka_unit_test(test_kinds),
	    cmocka_unit_test(test_filled_in),
	    cmocka_unit_test(test_drop_ins),
	    cmocka_unit_test(test_bad_values),
	    cmocka_unit_test(test_keys_that_go_together),
	    cmocka_unit_test(test_services),
	    cmocka_unit_test(test_too_long),
	    cmocka_unit_test(test_equal),
	    cmocka_unit_test(test_equal_command),
	    cmocka_unit_test(test_size),
	    cmocka_unit_test(test_http),
	    cmocka_unit_test(test_bad_http),
	    cmocka_unit_test(test_http_in_use),
	    cmocka_unit_test(test_framing_headers),
	    cmocka_unit_test(test_alerts),
	    cmocka_unit_test(test_bad_alerts),
	    cmocka_unit_test(test_many_alerts),
	    cmocka_unit_test(test_tolerant),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
