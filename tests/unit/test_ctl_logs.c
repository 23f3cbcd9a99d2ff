/* What the logger keeps of services' output, as sinitctl logs shows it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/unit/ctl_logs_fixture.h"

#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_all(void **state)
{
	(void)state;
	assert_int_equal(fixture_run(f, "logs", "web", NULL), 0);
	assert_string_equal(f->out, "");
	store_lab_print(&lab, web, "one\ntwo\n\033[31mred\001\xff\nlast");
	assert_int_equal(fixture_run(f, "logs", "web", NULL), 0);
	assert_string_equal(f->out, "one\ntwo\n\033[31mred\001\xff\nlast");
	store_lab_write(&lab, web, "\0\n", 2);
	assert_int_equal(fixture_run(f, "logs", "web", NULL), 0);
	assert_memory_equal(f->out + 19, "last\0\n", 7);
	assert_string_equal(f->err, "");
}

static void test_lines(void **state)
{
	(void)state;
	store_lab_print(&lab, web, "one\ntwo\nthree\nfour");
	assert_int_equal(fixture_run(f, "logs", "web", "-n", "2", NULL), 0);
	assert_string_equal(f->out, "three\nfour");
	assert_int_equal(fixture_run(f, "logs", "web", "-n9", NULL), 0);
	assert_string_equal(f->out, "one\ntwo\nthree\nfour");
	assert_int_equal(fixture_run(f, "logs", "web", "-n0", NULL), 0);
	assert_string_equal(f->out, "");
	assert_int_equal(fixture_run(f, "logs", "web", "-n", "x", NULL), 2);
	assert_int_equal(fixture_run(f, "logs", NULL), 2);
	has(f->err, "logs: something is missing; usage: sinitctl logs NAME...");
	assert_int_equal(fixture_run(f, "logs", "web", "--dot", NULL), 2);
}

/* The ring has gone round: a line that is cut off is not shown. */
static void test_wrapped(void **state)
{
	char line[32];

	(void)state;
	for (int i = 0; i < 10000; i++) {
		snprintf(line, sizeof(line), "line %05d\n", i);
		store_lab_print(&lab, web, line);
	}
	assert_int_equal(fixture_run(f, "logs", "web", NULL), 0);
	assert_int_equal(strncmp(f->out, "line 04043\n", 11), 0);
	assert_int_equal(strlen(f->out), (10000 - 4043) * 11);
	has(f->out, "\nline 09999\n");
	assert_string_equal(f->err, "");
}

static void test_both_streams(void **state)
{
	(void)state;
	store_lab_print(&lab, db_error, "oops\nagain\n");
	store_lab_print(&lab, db, "first\nsecond");
	assert_int_equal(fixture_run(f, "logs", "db", NULL), 0);
	assert_string_equal(f->out, "first\nsecond\noops\nagain\n");
	assert_int_equal(fixture_run(f, "logs", "db", "-n1", NULL), 0);
	assert_string_equal(f->out, "second\nagain\n");
	assert_int_equal(fixture_run(f, "--json", "logs", "db", "-n1", NULL), 0);
	assert_string_equal(f->out,
	    "{\"service\":\"db\",\"stream\":\"stdout\",\"line\":\"second\"}\n"
	    "{\"service\":\"db\",\"stream\":\"stderr\",\"line\":\"again\"}\n");
}

static void test_prefix(void **state)
{
	(void)state;
	store_lab_print(&lab, web, "a\nb\n");
	store_lab_print(&lab, db, "no end");
	store_lab_print(&lab, db_error, "c\n");
	assert_int_equal(fixture_run(f, "logs", "*", NULL), 0);
	assert_string_equal(f->out, "db | no end\ndb | c\nweb | a\nweb | b\n");
	assert_int_equal(fixture_run(f, "logs", "web", "db", NULL), 0);
	assert_string_equal(f->out, "db | no end\ndb | c\nweb | a\nweb | b\n");
	assert_int_equal(fixture_run(f, "logs", "w*", NULL), 0);
	assert_string_equal(f->out, "a\nb\n");
}

/* Where one life ended, the next one's first line begins. */
static void test_end_without_newline(void **state)
{
	(void)state;
	store_lab_print(&lab, web, "a\nb");
	store_lab_mark(&lab, web, 1);
	store_lab_print(&lab, web, "last words");
	store_stream(lab.head, web)->end = 13;
	store_lab_print(&lab, web, "hello\n");
	assert_int_equal(fixture_run(f, "--json", "logs", "web", NULL), 0);
	assert_string_equal(f->out,
	    "{\"service\":\"web\",\"stream\":\"stdout\",\"line\":\"a\"}\n"
	    "{\"service\":\"web\",\"stream\":\"stdout\",\"line\":\"b\"}\n"
	    "{\"service\":\"web\",\"stream\":\"stdout\",\"line\":\"last words\"}\n"
	    "{\"service\":\"web\",\"stream\":\"stdout\",\"line\":\"hello\"}\n");
	assert_int_equal(fixture_run(f, "logs", "*", NULL), 0);
	assert_string_equal(f->out, "web | a\nweb | b\nweb | last words\nweb | hello\n");
	assert_int_equal(fixture_run(f, "logs", "web", NULL), 0);
	assert_string_equal(f->out, "a\nb\nlast words\nhello\n");
	/* Ends that are none. */
	store_stream(lab.head, web)->end = UINT64_MAX;
	assert_int_equal(fixture_run(f, "logs", "*", NULL), 0);
	assert_string_equal(f->out, "web | a\nweb | b\nweb | last wordshello\n");
	store_stream(lab.head, web)->end = 2;
	assert_int_equal(fixture_run(f, "logs", "*", NULL), 0);
	assert_string_equal(f->out, "web | a\nweb | b\nweb | last wordshello\n");
}

static void test_json_of_any_bytes(void **state)
{
	static char garbage[5000];
	unsigned newlines = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(garbage); i++)
		garbage[i] = (char)(i < 256 ? i : i * i >> 3);
	store_lab_write(&lab, web, garbage, sizeof(garbage));
	assert_int_equal(fixture_run(f, "--json", "logs", "web", NULL), 0);
	has(f->out,
	    "\"line\":\"\\u0000\\u0001\\u0002\\u0003\\u0004\\u0005\\u0006\\u0007\\b\\t\"}\n");
	has(f->out, "{|}~\\u007f\\ufffd\\ufffd");
	for (const char *at = f->out; *at; at++) {
		newlines += *at == '\n';
		assert_true(*at == '\n' || ((unsigned char)*at >= 0x20 && *at != 0x7f));
	}
	assert_int_equal(strncmp(f->out, "{\"service\":\"web\",", 17), 0);
	assert_true(newlines > 2);
	/* A character at every place where a long line may be taken apart. */
	memset(garbage, 'x', sizeof(garbage));
	for (size_t i = 1000; i < 1050; i++) {
		store_stream(lab.head, web)->head = store_stream(lab.head, web)->busy = 0;
		memcpy(garbage + i, "€", 3);
		store_lab_write(&lab, web, garbage, sizeof(garbage));
		assert_int_equal(fixture_run(f, "--json", "logs", "web", NULL), 0);
		assert_int_equal(strlen(f->out),
		    sizeof(garbage) + strlen("{'service':'web','stream':'stdout','line':''}\n"));
		assert_null(strstr(f->out, "\\ufffd"));
		memset(garbage + i, 'x', 3);
	}
}

static void test_terminal(void **state)
{
	(void)state;
	store_lab_print(&lab, web, "a\tb\r\n\033[2J\033]0;x\a\n\033[31mred\033[0m ä\xff\n");
	store_lab_write(&lab, web, "\0x\n\033[31", 7);
	f->style = (struct style){.width = 80};
	assert_int_equal(fixture_run(f, "logs", "web", NULL), 0);
	assert_string_equal(f->out, "a\tb\\x0d\n\\x1b[2J\\x1b]0;x\\x07\n"
				    "\\x1b[31mred\\x1b[0m ä\\xff\n\\x00x\n\\x1b[31\n");
	f->style = (struct style){.width = 80, .colour = true};
	assert_int_equal(fixture_run(f, "logs", "web", NULL), 0);
	assert_string_equal(f->out, "a\tb\\x0d\n\\x1b[2J\\x1b]0;x\\x07\n"
				    "\033[31mred\033[0m ä\\xff\033[0m\n\\x00x\n\\x1b[31\n");
}

/* --- Names ---------------------------------------------------------------------------- */

static void test_names(void **state)
{
	(void)state;
	store_lab_print(&lab, web, "a\n");
	assert_int_equal(fixture_run(f, "logs", "wbe", NULL), 4);
	has(f->err, "there is no service wbe; did you mean web?");
	assert_int_equal(fixture_run(f, "logs", "x*", NULL), 4);
	has(f->err, "no service matches x*");
	assert_int_equal(fixture_run(f, "logs", "quiet", NULL), 1);
	assert_string_equal(f->err,
	    "sinitctl: quiet: its output is not captured (log = inherit or "
	    "null, or a tty); log = prefix or a file keeps the last 64 KiB of it\n");
	assert_string_equal(f->out, "");
	assert_int_equal(fixture_run(f, "logs", "q*", "-f", NULL), 1);
	has(f->err, "of no service that matches q* the output is captured (log = inherit or null, "
		    "or a tty); ");
	assert_int_equal(fixture_run(f, "logs", "quiet", "nobody", "web", NULL), 4);
	assert_string_equal(f->out, "a\n");
	has(f->err, "quiet: its output is not captured");
	has(f->err, "there is no service nobody");
	/* One that is gone from the configuration, and still has something. */
	store_lab_print(&lab, store_lab_add(&lab, "gone", STORE_OUTPUT), "bye\n");
	assert_int_equal(fixture_run(f, "logs", "gone", NULL), 0);
	assert_string_equal(f->out, "bye\n");
	/* Instances. */
	store_lab_print(&lab, store_lab_add(&lab, "job@2", STORE_OUTPUT), "2\n");
	store_lab_print(&lab, store_lab_add(&lab, "job@1", STORE_OUTPUT), "1\n");
	assert_int_equal(fixture_run(f, "logs", "job", NULL), 0);
	assert_string_equal(f->out, "job@1 | 1\njob@2 | 2\n");
}

static void test_sinit_and_syslog(void **state)
{
	(void)state;
	assert_int_equal(fixture_run(f, "logs", "sinit", NULL), 1);
	has(f->err, "sinit: its own messages are not kept; with log_target = FILE ");
	assert_int_equal(fixture_run(f, "logs", "syslog", NULL), 1);
	has(f->err, "syslog: sinit takes no messages");
	store_lab_print(&lab, store_lab_add(&lab, "sinit", STORE_SINIT), "begins\n");
	store_lab_print(&lab, store_lab_add(&lab, "syslog", STORE_SYSLOG), "su: no\n");
	assert_int_equal(fixture_run(f, "logs", "sinit", NULL), 0);
	assert_string_equal(f->out, "begins\n");
	assert_int_equal(fixture_run(f, "logs", "syslog", "sinit", NULL), 0);
	assert_string_equal(f->out, "sinit | begins\nsyslog | su: no\n");
	assert_int_equal(fixture_run(f, "--json", "logs", "syslog", NULL), 0);
	assert_string_equal(
	    f->out, "{\"service\":null,\"stream\":\"syslog\",\"line\":\"su: no\"}\n");
	store_lab_print(&lab, web, "a\n");
	assert_int_equal(fixture_run(f, "logs", "*", NULL), 0);
	assert_string_equal(f->out, "web | a\n"); /* services only */
	/* A service of that name. */
	fixture_add(f, "syslog", STATE_RUNNING);
	assert_int_equal(fixture_run(f, "logs", "syslog", NULL), 1);
	has(f->err, "syslog: its output is not captured (log = inherit or null, or a tty)");
	store_lab_print(&lab, store_lab_add(&lab, "syslog", STORE_OUTPUT), "a daemon's\n");
	assert_int_equal(fixture_run(f, "logs", "syslog", NULL), 0);
	assert_string_equal(f->out, "a daemon's\n");
}

static void test_without_a_store(void **state)
{
	(void)state;
	lab.head->version++;
	assert_int_equal(fixture_run(f, "logs", "web", NULL), 1);
	has(f->err, "/logs has another layout than that of sinitctl ");
	lab.head->version--;
	unlinkat(f->dirfd, "logs", 0);
	assert_int_equal(fixture_run(f, "logs", "web", NULL), 1);
	has(f->err,
	    "web: no output is kept: none is captured (log = inherit or null, or a tty), or ");
	assert_int_equal(fixture_run(f, "logs", "nobody", NULL), 4);
	assert_int_equal(fixture_run(f, "logs", "-f", "web", NULL), 1);
	unlinkat(f->dirfd, "board", 0);
	assert_int_equal(fixture_run(f, "logs", "web", NULL), 3);
	has(f->err, "no sinit has been running on ");
}

static void test_not_for_everybody(void **state)
{
	int status;

	(void)state;
	store_lab_print(&lab, web, "secret\n");
	assert_int_equal(fchmod(f->dirfd, 0777), 0);
	assert_int_equal(fchmod(lab.fd, 0), 0);
	pid_t stranger = fork();
	if (stranger == 0) {
		if (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0)
			_exit(99);
		int code = fixture_run(f, "logs", "web", NULL);
		bool said = strstr(f->err, "permission denied: ") &&
			    strstr(f->err, "/logs cannot be read; ");
		_exit(said && !*f->out ? code : 98);
	}
	assert_int_equal(waitpid(stranger, &status, 0), stranger);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_all),
	    TEST(test_lines),
	    TEST(test_wrapped),
	    TEST(test_both_streams),
	    TEST(test_prefix),
	    TEST(test_end_without_newline),
	    TEST(test_json_of_any_bytes),
	    TEST(test_terminal),
	    TEST(test_names),
	    TEST(test_sinit_and_syslog),
	    TEST(test_without_a_store),
	    TEST(test_not_for_everybody),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
