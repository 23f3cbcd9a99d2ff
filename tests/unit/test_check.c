/* The text of a check: each form, and what is said about what is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "init/base.h"
#include "probes/check.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

typedef int parser(const char *string, struct check_target *ret_target, struct text *reason);

static char shown[8192];

static void show(struct text *text, const char *name, const char *string, struct check_part part)
{
	if (!part.length)
		return;
	assert_true(part.at + part.length <= strlen(string));
	text_addf(text, " %s=%.*s", name, (int)part.length, string + part.at);
}

/* "KIND host=H port=P path=..." or "error: ..." */
static const char *parse(parser *function, const char *string)
{
	static const char kinds[CHECK_KINDS][10] = {"none", "http", "tcp", "grpc", "unix", "file",
	    "exec", "listen", "process", "heartbeat"};
	struct check_target target = {.kind = CHECK_NONE};
	char buffer[512];
	struct text reason;
	struct text text;

	text_init(&text, shown, sizeof(shown));
	text_init(&reason, buffer, sizeof(buffer));
	int error = function(string, &target, &reason);
	assert_false(reason.cut);
	if (error) {
		assert_int_equal(error, -EINVAL);
		assert_int_equal(target.kind, CHECK_NONE);
		assert_true(reason.used > 0);
		text_addf(&text, "error: %s", buffer);
		return shown;
	}
	assert_int_equal(reason.used, 0);
	text_add(&text, kinds[target.kind]);
	show(&text, "host", string, target.host);
	if (target.port)
		text_addf(&text, " port=%" PRIu16, target.port);
	if (target.udp)
		text_add(&text, " udp");
	show(&text, "path", string, target.path);
	show(&text, "service", string, target.service);
	show(&text, "command", string, target.command);
	return shown;
}

static void run(parser *function, const char *const (*cases)[2], size_t count)
{
	for (size_t i = 0; i < count; i++)
		assert_string_equal(parse(function, cases[i][0]), cases[i][1]);
}

static void test_good(void **state)
{
	static const char *const cases[][2] = {
	    {"http://127.0.0.1:8080/health", "http host=127.0.0.1 port=8080 path=/health"},
	    {"http://localhost", "http host=localhost port=80"},
	    {"http://localhost/", "http host=localhost port=80 path=/"},
	    {"http://a-b.c_d.example:1/x?y=1&z=%20:/@",
		"http host=a-b.c_d.example port=1 path=/x?y=1&z=%20:/@"},
	    {"http://[::1]:65535/", "http host=::1 port=65535 path=/"},
	    {"http://[fe80::1]/a", "http host=fe80::1 port=80 path=/a"},
	    {"tcp://127.0.0.1:5432", "tcp host=127.0.0.1 port=5432"},
	    {"tcp://[::ffff:1.2.3.4]:1", "tcp host=::ffff:1.2.3.4 port=1"},
	    {"tcp://db:00080", "tcp host=db port=80"},
	    {"unix:/run/x.sock", "unix path=/run/x.sock"},
	    {"unix:/run/with blank:%n", "unix path=/run/with blank:%n"},
	    {"grpc://127.0.0.1:50051", "grpc host=127.0.0.1 port=50051"},
	    {"grpc://127.0.0.1:50051/", "grpc host=127.0.0.1 port=50051"},
	    {"grpc://h:1/a.b.Service/x", "grpc host=h port=1 service=a.b.Service/x"},
	    {"exec:/bin/test -e '/a b'", "exec command=/bin/test -e '/a b'"},
	    {"exec:  pg_isready -q", "exec command=pg_isready -q"},
	    {"listen:8080", "listen port=8080"},
	    {"listen:tcp:8080", "listen port=8080"},
	    {"listen:udp:53", "listen port=53 udp"},
	    {"process", "process"},
	    {"heartbeat", "heartbeat"},
	    {"file:/run/x stamp", "file path=/run/x stamp"},
	};

	(void)state;
	run(check_parse, cases, ARRAY_LEN(cases));
}

#define FORMS                                                                                      \
	"http://HOST[:PORT]/PATH, tcp://HOST:PORT, unix:PATH, grpc://HOST:PORT[/SERVICE], "        \
	"exec:COMMAND, listen:PORT, process, file:PATH or heartbeat"

static void test_words(void **state)
{
	static const char *const cases[][2] = {
	    {"", "error: no scheme; write one of " FORMS},
	    {"/health", "error: no scheme; write one of " FORMS},
	    {"localhost:8080", "error: no such check; write one of " FORMS},
	    {"a-word-that-is-longer-than-any:x", "error: no such check; write one of " FORMS},
	    {"htp://x/", "error: no such check; did you mean 'http'?"},
	    {"HTTP://x/", "error: no such check; write one of " FORMS},
	    {"proces", "error: no such check; did you mean 'process'?"},
	    {"hearbeat", "error: no such check; did you mean 'heartbeat'?"},
	    {"https://x/",
		"error: https is not supported, since sinit has no TLS; use http, tcp or "
		"exec:curl -fsS URL"},
	    {"grpcs://x:1", "error: grpcs is not supported, since sinit has no TLS; use grpc, tcp "
			    "or exec:COMMAND"},
	    {"udp://x:1", "error: a UDP port does not tell whether it is served; use "
			  "listen:udp:PORT or exec:COMMAND"},
	    {"http:/x", "error: write http://HOST[:PORT]/PATH"},
	    {"http", "error: write http://HOST[:PORT]/PATH"},
	    {"tcp:localhost:80", "error: write tcp://HOST:PORT"},
	    {"grpc:localhost:80", "error: write grpc://HOST:PORT[/SERVICE]"},
	    {"exec /bin/true", "error: write exec:COMMAND"},
	    {"unix /x", "error: write unix:PATH"},
	    {"listen 80", "error: write listen:PORT"},
	    {"process:x", "error: write process"},
	    {"process x", "error: write process"},
	    {"heartbeat:", "error: write heartbeat"},
	};

	(void)state;
	run(check_parse, cases, ARRAY_LEN(cases));
}

static void test_bad_parts(void **state)
{
	static const char *const cases[][2] = {
	    {"http://", "error: the host is missing"},
	    {"http:///x", "error: the host is missing"},
	    {"http://:80/", "error: the host is missing"},
	    {"http://x:/", "error: the port is missing"},
	    {"http://x:0/", "error: the port is not from 1 to 65535"},
	    {"http://x:65536/", "error: the port is not from 1 to 65535"},
	    {"http://x:99999999999999999999/", "error: the port is not from 1 to 65535"},
	    {"http://x:8a/", "error: the port is not a number"},
	    {"http://x:-1/", "error: the port is not a number"},
	    {"http://me:secret@x/", "error: a user or password cannot be given; use header = "
				    "Authorization: ..."},
	    {"http://me@x/", "error: a user or password cannot be given; use header = "
			     "Authorization: ..."},
	    {"http://x y/", "error: it has a blank, or a byte that is not ASCII; write %XX"},
	    {"http://x/a b", "error: it has a blank, or a byte that is not ASCII; write %XX"},
	    {"http://x/\x7f", "error: it has a blank, or a byte that is not ASCII; write %XX"},
	    {"http://x/\xc3\xa4", "error: it has a blank, or a byte that is not ASCII; write %XX"},
	    {"http://x*/", "error: the host is no name and no address"},
	    {"http://127.0.0/", "error: the host is no IPv4 address"},
	    {"http://127.0.0.256/", "error: the host is no IPv4 address"},
	    {"http://::1/", "error: an IPv6 address stands between [ and ]"},
	    {"http://[::1/", "error: between [ and ] stands an IPv6 address"},
	    {"http://[]/", "error: between [ and ] stands an IPv6 address"},
	    {"http://[localhost]/", "error: between [ and ] stands an IPv6 address"},
	    {"http://[::1]80/", "error: behind ] stands :PORT"},
	    {"http://x/a#b", "error: a # and what follows it is never sent; leave it out"},
	    {"http://x?a", "error: before the ? stands a path; write /?"},
	    {"tcp://x", "error: the port is missing"},
	    {"tcp://x:1/", "error: nothing may follow the port"},
	    {"grpc://x/service", "error: the port is missing"},
	    {"unix:run/x", "error: the path is not absolute; it begins with /"},
	    {"unix://run/x", "unix path=//run/x"},
	    {"unix:", "error: the path is not absolute; it begins with /"},
	    {"file:x", "error: the path is not absolute; it begins with /"},
	    {"exec:", "error: the command is missing"},
	    {"exec: \t", "error: the command is missing"},
	    {"listen:", "error: the port is missing"},
	    {"listen:udp:", "error: the port is missing"},
	    {"listen:sctp:1", "error: the port is not a number"},
	    {"listen:127.0.0.1:80", "error: the port is not a number"},
	    {"listen:70000", "error: the port is not from 1 to 65535"},
	};

	(void)state;
	run(check_parse, cases, ARRAY_LEN(cases));
}

static void test_lengths(void **state)
{
	char string[600];
	struct text text;

	(void)state;
	for (int length = CHECK_HOST; length <= CHECK_HOST + 1; length++) {
		text_init(&text, string, sizeof(string));
		text_addf(&text, "tcp://%0*d.a:1", length - 2, 0);
		assert_int_equal(
		    strncmp(parse(check_parse, string), "tcp", 3) == 0, length == CHECK_HOST);
	}
	for (int length = CHECK_SOCKET; length <= CHECK_SOCKET + 1; length++) {
		text_init(&text, string, sizeof(string));
		text_addf(&text, "unix:/%0*d", length - 1, 0);
		assert_int_equal(
		    strncmp(parse(check_parse, string), "unix", 4) == 0, length == CHECK_SOCKET);
		string[0] = '\0';
		text_init(&text, string, sizeof(string));
		text_addf(&text, "/%0*d", length - 1, 0);
		assert_int_equal(strncmp(parse(check_parse_address, string), "unix", 4) == 0,
		    length == CHECK_SOCKET);
	}
}

#define ANYWHERE "write ADDRESS:PORT, [IPV6]:PORT, :PORT or the absolute path of a socket"

static void test_addresses(void **state)
{
	static const char *const cases[][2] = {
	    {"127.0.0.1:8080", "tcp host=127.0.0.1 port=8080"},
	    {":8080", "tcp port=8080"},
	    {"0.0.0.0:1", "tcp host=0.0.0.0 port=1"},
	    {"[::]:80", "tcp host=:: port=80"},
	    {"/run/sinit/http.sock", "unix path=/run/sinit/http.sock"},
	    {"8080", "error: write :8080"},
	    {"*:8080", "error: write :8080"},
	    {"unix:/run/x.sock", "error: write /run/x.sock"},
	    {"unix:///run/x.sock", "error: write /run/x.sock"},
	    {"tcp://127.0.0.1:80", "error: write 127.0.0.1:80"},
	    {"http://[::1]:80/", "error: write [::1]:80"},
	    {"0", "error: " ANYWHERE},
	    {"99999", "error: " ANYWHERE},
	    {"unix:run/x.sock", "error: " ANYWHERE},
	    {"unix:", "error: " ANYWHERE},
	    {"tcp://127.0.0.1", "error: " ANYWHERE},
	    {"http://a\tb:80", "error: " ANYWHERE},
	    {"/run/a://b", "unix path=/run/a://b"},
	    {"/unix:/x", "unix path=/unix:/x"},
	    {"127.0.0.1", "error: the port is missing"},
	    {"127.0.0.1:", "error: the port is missing"},
	    {"[::1]", "error: the port is missing"},
	    {":0", "error: the port is not from 1 to 65535"},
	    {":x", "error: the port is not a number"},
	    {"::1:80", "error: an IPv6 address stands between [ and ]"},
	    {"localhost:80",
		"error: the address is not in numbers; write one such as 127.0.0.1:8080"},
	    {"http://x:80", "error: " ANYWHERE},
	    {"run/x", "error: the host is no name and no address"},
	    {"", "error: the host is missing"},
	};

	(void)state;
	run(check_parse_address, cases, ARRAY_LEN(cases));
}

#define FORWARD "expected udp://HOST[:PORT] or tcp://HOST[:PORT]"
#define NOTHING_ELSE                                                                               \
	"there is a host and a port, and nothing else; write udp://HOST:PORT or tcp://HOST:PORT"

static void test_forward(void **state)
{
	static const char *const cases[][2] = {
	    {"udp://logs.example", "tcp host=logs.example port=514 udp"},
	    {"udp://192.0.2.1:5514", "tcp host=192.0.2.1 port=5514 udp"},
	    {"tcp://[2001:db8::1]", "tcp host=2001:db8::1 port=514"},
	    {"tcp://[::1]:1", "tcp host=::1 port=1"},
	    {"", "error: " FORWARD},
	    {"logs.example", "error: " FORWARD},
	    {"logs.example:514", "error: " FORWARD},
	    {"@@logs.example", "error: " FORWARD},
	    {"udp:logs.example", "error: " FORWARD},
	    {"udp:/", "error: " FORWARD},
	    {"http://logs.example/", "error: " FORWARD},
	    {"UDP://logs.example", "error: " FORWARD},
	    {"udp://", "error: the host is missing"},
	    {"udp://:514", "error: the host is missing"},
	    {"udp://x:", "error: the port is missing"},
	    {"udp://x:0", "error: the port is not from 1 to 65535"},
	    {"udp://x:syslog", "error: the port is not a number"},
	    {"udp://x/", "error: " NOTHING_ELSE},
	    {"tcp://x:1/y", "error: " NOTHING_ELSE},
	    {"tcp://me@x", "error: " NOTHING_ELSE},
	    {"udp://a b", "error: the host is no name and no address"},
	    {"udp://::1", "error: an IPv6 address stands between [ and ]"},
	    {"udp://[x]", "error: between [ and ] stands an IPv6 address"},
	    {"udp://10.0.0", "error: the host is no IPv4 address"},
	};

	(void)state;
	run(check_parse_forward, cases, ARRAY_LEN(cases));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_good),
	    cmocka_unit_test(test_words),
	    cmocka_unit_test(test_bad_parts),
	    cmocka_unit_test(test_lengths),
	    cmocka_unit_test(test_addresses),
	    cmocka_unit_test(test_forward),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
