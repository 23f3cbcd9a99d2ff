/* Messages as programs send them, and what is made of them: the head is taken off where it is one,
 * nothing of a message is lost, and nothing outside of it is looked at. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "log/syslog_message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BYTES(literal) literal, sizeof(literal) - 1

static const struct row {
	const char *bytes;
	size_t size;
	const char *priority;
	const char *host, *tag, *process, *id, *data, *text; /* NULL: empty */
	int32_t pid;
} rows[] = {
    /* glibc's syslog(3): with a name, with LOG_PID too, and with a newline of the program's. */
    {BYTES("<11>Nov 26 22:25:24 mydaemon: disk /dev/sda1 is full"), "user.err", .tag = "mydaemon",
	.text = "disk /dev/sda1 is full"},
    {BYTES("<30>Nov  6 22:25:24 mydaemon[2574]: ready"), "daemon.info", .tag = "mydaemon",
	.pid = 2574, .text = "ready"},
    {BYTES("<159>Nov 26 22:25:24 mydaemon: two\nlines\n"), "local3.debug", .tag = "mydaemon",
	.text = "two\nlines"},
    /* A name with a blank: what is a host and what is not, nobody can tell. */
    {BYTES("<27>Nov 26 22:25:24 my app[2574]: x"), "daemon.err", .host = "my", .tag = "app",
	.pid = 2574, .text = "x"},
    /* musl's: always with a newline, and without a name if openlog(3) gave none. */
    {BYTES("<83>Nov 26 22:25:24 ident: full\n"), "authpriv.err", .tag = "ident", .text = "full"},
    {BYTES("<11>Nov 26 22:25:24 : full\n"), "user.err", .text = "full"},
    {BYTES("<11>Nov 26 22:25:24 [2578]: full\n"), "user.err", .pid = 2578, .text = "full"},
    /* busybox logger, of glibc and of musl. */
    {BYTES("<13>Nov 26 22:25:24 root: hello"), "user.notice", .tag = "root", .text = "hello"},
    {BYTES("<78>Nov 26 22:25:24 cron: job one\n"), "cron.info", .tag = "cron", .text = "job one"},
    /* util-linux logger: of itself, -i, --rfc3164, --rfc5424 with its forms. */
    {BYTES("<13>Nov 26 22:25:24 root: hello"), "user.notice", .tag = "root", .text = "hello"},
    {BYTES("<78>Nov 26 22:25:24 cron[2586]: job"), "cron.info", .tag = "cron", .pid = 2586,
	.text = "job"},
    {BYTES("<13>Nov 26 22:25:24 board app: hi"), "user.notice", .host = "board", .tag = "app",
	.text = "hi"},
    {BYTES("<28>1 2026-11-26T22:25:24.076402+00:00 board app - - "
	   "[timeQuality tzKnown=\"1\" isSynced=\"0\"] hi"),
	"daemon.warning", .host = "board", .tag = "app",
	.data = "[timeQuality tzKnown=\"1\" isSynced=\"0\"]", .text = "hi"},
    {BYTES("<13>1 - board app 77 ID7 [zoo@123 tiger=\"hungry\" zebra=\"a\\]b\"] hi"), "user.notice",
	.host = "board", .tag = "app", .pid = 77, .id = "ID7",
	.data = "[zoo@123 tiger=\"hungry\" zebra=\"a\\]b\"]", .text = "hi"},
    {BYTES("<13>1 2026-11-26T22:25:24.079260+00:00 - app - - - hi"), "user.notice", .tag = "app",
	.text = "hi"},
    /* Python's SysLogHandler: no time, a NUL, a tag only if the program makes one. */
    {BYTES("<28>caf\xc3\xa9 is closed\0"), "daemon.warning", .text = "caf\xc3\xa9 is closed"},
    {BYTES("<26>myapp: out of beans\0"), "daemon.crit", .tag = "myapp", .text = "out of beans"},
    {BYTES("<28>web[2594]: WARNING x: y\0"), "daemon.warning", .tag = "web", .pid = 2594,
	.text = "WARNING x: y"},
    {BYTES("<14>{\"level\": \"info\"}\0"), "user.info", .text = "{\"level\": \"info\"}"},
    {BYTES("<14>2026-11-26 22:25:24,123 INFO main: up\0"), "user.info",
	.text = "2026-11-26 22:25:24,123 INFO main: up"},
    /* Python's module syslog is libc's; Perl's Sys::Syslog. */
    {BYTES("<134>Nov 26 22:25:24 backup[2596]: done in 12 s\n\0"), "local0.info", .tag = "backup",
	.pid = 2596, .text = "done in 12 s"},
    /* Go's log/syslog: on the socket by itself, and by address. */
    {BYTES("<29>Nov 26 22:25:24 /usr/bin/server[81]: up\n"), "daemon.notice",
	.tag = "/usr/bin/server", .pid = 81, .text = "up"},
    {BYTES("<29>2026-11-26T22:25:24Z board server[81]: up\n"), "daemon.notice", .host = "board",
	.tag = "server", .pid = 81, .text = "up"},
    /* nginx: with its host, before it knows it, and with nohostname. */
    {BYTES("<187>Nov 26 22:25:25 board nginx: 2026/11/26 22:25:25 [error] 26#26: *1 open()"),
	"local7.err", .host = "board", .tag = "nginx",
	.text = "2026/11/26 22:25:25 [error] 26#26: *1 open()"},
    {BYTES("<189>Nov 26 22:25:24  nginx: nginx/1.22.1"), "local7.notice", .tag = "nginx",
	.text = "nginx/1.22.1"},
    {BYTES("<190>Nov 26 22:25:25 web: unix: - - \"GET / HTTP/1.1\" 404"), "local7.info",
	.tag = "web", .text = "unix: - - \"GET / HTTP/1.1\" 404"},
    /* Names that are no plain words. */
    {BYTES("<30>Nov 26 22:25:24 (systemd)[1]: x"), "daemon.info", .tag = "(systemd)", .pid = 1,
	.text = "x"},
    {BYTES("<22>Nov 26 22:25:24 postfix/smtpd[9]: connect"), "mail.info", .tag = "postfix/smtpd",
	.pid = 9, .text = "connect"},
    {BYTES("<6>Nov 26 22:25:24 kernel[cpu0]: x"), "kern.info", .tag = "kernel[cpu0]", .text = "x"},
    {BYTES("<14>Net::Server[12]: x"), "user.info", .tag = "Net::Server", .pid = 12, .text = "x"},
    {BYTES("<14>app[12]:no blank"), "user.info", .tag = "app", .pid = 12, .text = "no blank"},
    {BYTES("<14>app[0]: [00]: x"), "user.info", .tag = "app[0]", .text = "[00]: x"},
    {BYTES("<14>app[007]: x"), "user.info", .tag = "app[007]", .text = "x"},
    {BYTES("<14>app[2147483647]: x"), "user.info", .tag = "app", .pid = INT32_MAX, .text = "x"},
    {BYTES("<14>app[2147483648]: x"), "user.info", .tag = "app[2147483648]", .text = "x"},
    {BYTES("<14>app:   indented"), "user.info", .tag = "app", .text = "  indented"},
    {BYTES("<14>app:"), "user.info", .tag = "app"},
    {BYTES("<14>app[1]:\n"), "user.info", .tag = "app", .pid = 1},
    {BYTES("<14>http://host/ is down"), "user.info", .text = "http://host/ is down"},
    {BYTES("<14>: x"), "user.info", .text = ": x"},
    {BYTES("<14>[12]: x"), "user.info", .text = "[12]: x"},
    {BYTES("<14>two words: x"), "user.info", .text = "two words: x"},
    /* The examples of RFC 3164, 5.4. */
    {BYTES("<34>Oct 11 22:14:15 mymachine su: 'su root' failed for lonvick on /dev/pts/8"),
	"auth.crit", .host = "mymachine", .tag = "su",
	.text = "'su root' failed for lonvick on /dev/pts/8"},
    {BYTES("Use the BFG!"), "user.notice", .text = "Use the BFG!"},
    {BYTES("<13>Feb  5 17:32:18 10.0.0.99 Use the BFG!"), "user.notice",
	.text = "10.0.0.99 Use the BFG!"},
    {BYTES("<165>Aug 24 05:34:00 CST 1987 mymachine myproc[10]: %% It's time"), "local4.notice",
	.text = "CST 1987 mymachine myproc[10]: %% It's time"},
    {BYTES("<0>1990 Oct 22 10:52:01 TZ-6 scapegoat.dmz.example.org sched[0]: That's All Folks!"),
	"kern.emerg",
	.text = "1990 Oct 22 10:52:01 TZ-6 scapegoat.dmz.example.org sched[0]: That's All Folks!"},
    /* The examples of RFC 5424, 6.5. */
    {BYTES("<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - "
	   "\xef\xbb\xbf'su root' failed for lonvick on /dev/pts/8"),
	"auth.crit", .host = "mymachine.example.com", .tag = "su", .id = "ID47",
	.text = "'su root' failed for lonvick on /dev/pts/8"},
    {BYTES("<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - %% It's time"),
	"local4.notice", .host = "192.0.2.1", .tag = "myproc", .pid = 8710, .text = "%% It's time"},
    {BYTES("<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 "
	   "[exampleSDID@32473 iut=\"3\" eventSource=\"Application\"][examplePriority@32473 "
	   "class=\"high\"]"),
	"local4.notice", .host = "mymachine.example.com", .tag = "evntslog", .id = "ID47",
	.data = "[exampleSDID@32473 iut=\"3\" eventSource=\"Application\"][examplePriority@32473 "
		"class=\"high\"]"},
    /* RFC 5424 at its edges. */
    {BYTES("<13>1 - - - - - -"), "user.notice", .text = ""},
    {BYTES("<13>1 - - - - - - "), "user.notice", .text = ""},
    {BYTES("<13>1 - - - - - - \xef\xbb\xbf"), "user.notice", .text = ""},
    {BYTES("<13>1 - - - - - - - x"), "user.notice", .text = "- x"},
    {BYTES("<13>1 - - a worker-3 - - x"), "user.notice", .tag = "a", .process = "worker-3",
	.text = "x"},
    {BYTES("<13>1 2026-11-26T22:25:60.123456789+14:00 - a - - - x"), "user.notice", .tag = "a",
	.text = "x"},
    {BYTES("<13>1 - - - - - [a] x"), "user.notice", .data = "[a]", .text = "x"},
    {BYTES("<13>1 - - - - - [a b=\"\"][c d=\"\\\"\\\\\\]\\e \xc3\xa9\n\"] x"), "user.notice",
	.data = "[a b=\"\"][c d=\"\\\"\\\\\\]\\e \xc3\xa9\n\"]", .text = "x"},
    {BYTES("<13>1 - - - - - [abcdefghijklmnopqrstuvwxyz012345] x"), "user.notice",
	.data = "[abcdefghijklmnopqrstuvwxyz012345]", .text = "x"},
    /* Structured data that is none. */
    {BYTES("<13>1 - h a 7 - hello"), "user.notice", .host = "h", .tag = "a", .pid = 7,
	.text = "hello"},
    {BYTES("<13>1 - h a 7 - [main] up: x"), "user.notice", .host = "h", .tag = "a", .pid = 7,
	.data = "[main]", .text = "up: x"},
    {BYTES("<13>1 - h a 7 - [main loop] x"), "user.notice", .host = "h", .tag = "a", .pid = 7,
	.text = "[main loop] x"},
    {BYTES("<13>1 - h a 7 - [a b=\"]\"] x"), "user.notice", .host = "h", .tag = "a", .pid = 7,
	.text = "[a b=\"]\"] x"},
    {BYTES("<13>1 - h a 7 - [a b=\"c\\\"] x"), "user.notice", .host = "h", .tag = "a", .pid = 7,
	.text = "[a b=\"c\\\"] x"},
    {BYTES("<13>1 - h a 7 - [a b=\"c\"]x"), "user.notice", .host = "h", .tag = "a", .pid = 7,
	.text = "[a b=\"c\"]x"},
    {BYTES("<13>1 - h a 7 - [a b=\"c\" ] x"), "user.notice", .host = "h", .tag = "a", .pid = 7,
	.text = "[a b=\"c\" ] x"},
    {BYTES("<13>1 - h a 7 - [abcdefghijklmnopqrstuvwxyz0123456] x"), "user.notice", .host = "h",
	.tag = "a", .pid = 7, .text = "[abcdefghijklmnopqrstuvwxyz0123456] x"},
    {BYTES("<13>1 - h a 7 - [] x"), "user.notice", .host = "h", .tag = "a", .pid = 7,
	.text = "[] x"},
    {BYTES("<13>1 - h a 7 - -x"), "user.notice", .host = "h", .tag = "a", .pid = 7, .text = "-x"},
    /* Heads that are like RFC 5424, and are not. */
    {BYTES("<13>1 - - - - -"), "user.notice", .text = "1 - - - - -"},
    {BYTES("<13>2 - - - - - - x"), "user.notice", .text = "2 - - - - - - x"},
    {BYTES("<13>1 -  - - - - - x"), "user.notice", .text = "1 -  - - - - - x"},
    {BYTES("<13>1 2 3 4 5 6 7 8"), "user.notice", .text = "1 2 3 4 5 6 7 8"},
    {BYTES("<13>1 2026-13-26T22:25:24Z - a - - - x"), "user.notice",
	.text = "1 2026-13-26T22:25:24Z - a - - - x"},
    {BYTES("<13>1 2026-11-26T22:25:24.Z - a - - - x"), "user.notice",
	.text = "1 2026-11-26T22:25:24.Z - a - - - x"},
    {BYTES("<13>1 2026-11-26T22:25:24 - a - - - x"), "user.notice",
	.text = "1 2026-11-26T22:25:24 - a - - - x"},
    {BYTES("<13>1 2026-11-26T22:25:24+0100 - a - - - x"), "user.notice",
	.text = "1 2026-11-26T22:25:24+0100 - a - - - x"},
    /* Times. */
    {BYTES("<13>Nov 06 22:25:24 a: x"), "user.notice", .tag = "a", .text = "x"},
    {BYTES("<13>2026-11-26T22:25:24.123456+01:00 a[3]: x"), "user.notice", .tag = "a", .pid = 3,
	.text = "x"},
    {BYTES("<13>Nov 26 22:25:24 hello, world"), "user.notice", .text = "hello, world"},
    {BYTES("<13>Nov 26 22:25:24   x"), "user.notice", .text = "  x"},
    {BYTES("<13>Nov 26 22:25:24"), "user.notice", .text = "Nov 26 22:25:24"},
    {BYTES("<13>Nov 26 22:25:24 "), "user.notice", .text = ""},
    {BYTES("<13>Nov  0 22:25:24 a: x"), "user.notice", .text = "Nov  0 22:25:24 a: x"},
    {BYTES("<13>Nov 32 22:25:24 a: x"), "user.notice", .text = "Nov 32 22:25:24 a: x"},
    {BYTES("<13>Nov 26 24:25:24 a: x"), "user.notice", .text = "Nov 26 24:25:24 a: x"},
    {BYTES("<13>nov 26 22:25:24 a: x"), "user.notice", .text = "nov 26 22:25:24 a: x"},
    {BYTES("<13>Nov 26 22:25:24.123 a: x"), "user.notice", .text = "Nov 26 22:25:24.123 a: x"},
    {BYTES("<13>ovD 26 22:25:24 a: x"), "user.notice", .text = "ovD 26 22:25:24 a: x"},
    /* Hosts. */
    {BYTES("<13>Nov 26 22:25:24 fe80::1%eth0 a: x"), "user.notice", .host = "fe80::1%eth0",
	.tag = "a", .text = "x"},
    {BYTES("<13>Nov 26 22:25:24 what? a: x"), "user.notice", .text = "what? a: x"},
    {BYTES("<13>Nov 26 22:25:24 board : x"), "user.notice", .text = "board : x"},
    {BYTES("<13>Nov 26 22:25:24 three words here: x"), "user.notice",
	.text = "three words here: x"},
    /* Priorities. */
    {BYTES("<0>x"), "kern.emerg", .text = "x"},
    {BYTES("<191>x"), "local7.debug", .text = "x"},
    {BYTES("<13>"), "user.notice", .text = ""},
    {BYTES("<192>Nov 26 22:25:24 a: x"), "user.notice", .text = "<192>Nov 26 22:25:24 a: x"},
    {BYTES("<00>x"), "user.notice", .text = "<00>x"},
    {BYTES("<011>a: x"), "user.notice", .text = "<011>a: x"},
    {BYTES("<0011>x"), "user.notice", .text = "<0011>x"},
    {BYTES("<1000>x"), "user.notice", .text = "<1000>x"},
    {BYTES("<4294967309>x"), "user.notice", .text = "<4294967309>x"},
    {BYTES("<-1>x"), "user.notice", .text = "<-1>x"},
    {BYTES("<>x"), "user.notice", .text = "<>x"},
    {BYTES("<11x"), "user.notice", .text = "<11x"},
    {BYTES(" <11>x"), "user.notice", .text = " <11>x"},
    {BYTES("<3"), "user.notice", .text = "<3"},
    {BYTES("<"), "user.notice", .text = "<"},
    {BYTES("Nov 26 22:25:24 a: x"), "user.notice", .text = "Nov 26 22:25:24 a: x"},
    /* Nothing much. */
    {BYTES(""), "user.notice", .text = ""},
    {BYTES("\0\n\0\r\n"), "user.notice", .text = ""},
    {BYTES("<11>\n"), "user.err", .text = ""},
    {BYTES("<11>x\r\n"), "user.err", .text = "x"},
    {BYTES("<11>x \n"), "user.err", .text = "x "},
    {BYTES("\xff\xfe\x80 garbage"), "user.notice", .text = "\xff\xfe\x80 garbage"},
};

static void assert_piece(
    const struct row *row, const char *what, struct syslog_piece piece, const char *expected)
{
	size_t length = expected ? strlen(expected) : 0;

	if (piece.length != length || (length && memcmp(piece.at, expected, length) != 0))
		fail_msg("%s of %s: \"%.*s\", not \"%s\"", what, row->bytes, (int)piece.length,
		    piece.length ? piece.at : "", expected ? expected : "");
}

static void test_messages(void **state)
{
	struct syslog_message message;
	char priority[32];

	(void)state;
	for (const struct row *row = rows; row < rows + ARRAY_LEN(rows); row++) {
		memset(&message, 0xee, sizeof(message));
		syslog_parse(row->bytes, row->size, &message);
		assert_piece(row, "host", message.host, row->host);
		assert_piece(row, "tag", message.tag, row->tag);
		assert_piece(row, "process", message.process, row->process);
		assert_piece(row, "id", message.id, row->id);
		assert_piece(row, "data", message.data, row->data);
		assert_piece(row, "text", message.text, row->text);
		if (message.pid != row->pid)
			fail_msg("pid of %s: %d", row->bytes, message.pid);
		snprintf(priority, sizeof(priority), "%s.%s",
		    syslog_facility_name(message.facility), syslog_severity_name(message.severity));
		if (strcmp(priority, row->priority) != 0)
			fail_msg("priority of %s: %s", row->bytes, priority);
	}
}

static void test_nul_inside(void **state)
{
	static const char bytes[] = "<11>a: b\0c\0";
	struct syslog_message message;

	(void)state;
	syslog_parse(bytes, sizeof(bytes) - 1, &message);
	assert_ptr_equal(message.text.at, bytes + 7);
	assert_int_equal(message.text.length, 3);
	/* Neither in a tag nor in a field of a head. */
	syslog_parse("<11>a\0b: c", 10, &message);
	assert_int_equal(message.tag.length, 0);
	assert_int_equal(message.text.length, 6);
	syslog_parse("<11>1 - a\0b - - - - x", 21, &message);
	assert_int_equal(message.text.length, 17);
}

/* The piece follows what is before it in the message; returns its end. */
static const char *assert_inside(const char *at, const char *end, struct syslog_piece piece)
{
	if (piece.length == 0)
		return at;
	assert_true(piece.at >= at && piece.at <= end);
	assert_true(piece.length <= (size_t)(end - piece.at));
	return piece.at + piece.length;
}

/* Parses from memory of the exact size, so that a sanitizer sees a step outside. */
static void parse_anything(const char *bytes, size_t size)
{
	char *copy = malloc(size ? size : 1);
	struct syslog_message message;

	assert_non_null(copy);
	memcpy(copy, bytes, size);
	syslog_parse(copy, size, &message);
	const char *at = copy;
	const char *end = copy + size;
	at = assert_inside(at, end, message.host);
	at = assert_inside(at, end, message.tag);
	at = assert_inside(at, end, message.process);
	at = assert_inside(at, end, message.id);
	at = assert_inside(at, end, message.data);
	at = assert_inside(at, end, message.text);
	/* What is left are the newlines and NULs of the end. */
	for (at = message.text.at + message.text.length; at < end; at++)
		assert_non_null(memchr("\n\r\0", *at, 3));
	assert_true(message.facility < SYSLOG_FACILITIES && message.severity < SYSLOG_SEVERITIES);
	assert_true(message.pid >= 0);
	free(copy);
}

static void test_every_prefix(void **state)
{
	(void)state;
	for (const struct row *row = rows; row < rows + ARRAY_LEN(rows); row++)
		for (size_t size = 0; size <= row->size; size++)
			parse_anything(row->bytes, size);
}

static void test_every_byte_replaced(void **state)
{
	static const char others[] = "\0 \n<>[]:\"\\=-1aZ\x7f\x80\xef\xff";
	char bytes[256];

	(void)state;
	for (const struct row *row = rows; row < rows + ARRAY_LEN(rows); row++) {
		assert_true(row->size <= sizeof(bytes));
		for (size_t i = 0; i < row->size; i++)
			for (size_t other = 0; other < sizeof(others) - 1; other++) {
				memcpy(bytes, row->bytes, row->size);
				bytes[i] = others[other];
				parse_anything(bytes, row->size);
			}
	}
}

/* A line that was passed on is read as what it was made of. */
static void test_there_and_back(void **state)
{
	struct syslog_message first, second;
	char buffer[1024];
	struct text line;

	(void)state;
	for (const struct row *row = rows; row < rows + ARRAY_LEN(rows); row++) {
		if ((row->data && strchr(row->data, '\n')) ||
		    (row->text && strpbrk(row->text, "\n\xff")))
			continue; /* it is written in another way */
		syslog_parse(row->bytes, row->size, &first);
		text_init(&line, buffer, sizeof(buffer));
		syslog_format(&line, &first, 0, "board");
		assert_false(line.cut);
		syslog_parse(buffer, line.used, &second);
		assert_piece(row, "host", second.host, "board");
		assert_piece(row, "tag", second.tag, row->tag);
		assert_piece(row, "process", second.process, row->process);
		assert_piece(row, "id", second.id, row->id);
		assert_piece(row, "data", second.data, row->data);
		assert_piece(row, "text", second.text, row->text);
		assert_int_equal(second.pid, row->pid);
		assert_int_equal(second.facility, first.facility);
		assert_int_equal(second.severity, first.severity);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_messages),
	    cmocka_unit_test(test_nul_inside),
	    cmocka_unit_test(test_every_prefix),
	    cmocka_unit_test(test_every_byte_replaced),
	    cmocka_unit_test(test_there_and_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
