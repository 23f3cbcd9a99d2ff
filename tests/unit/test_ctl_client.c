/* Verbs that ask PID 1, against a stand-in that answers them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "init/clock.h"
#include "tests/unit/ctl_fixture.h"

#include "ctl/client.h"
#include "ctl/match.h"
#include "ctl/view.h"
#include "init/schema.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct fixture *f;

static int set_up(void **state)
{
	(void)state;
	f = fixture_new(32);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	assert_int_equal(fixture_replies(f), 0);
	fixture_free(f);
	return 0;
}

static void refuse(FILE *answer, int code, const char *message)
{
	fprintf(answer, "{\"result\":\"error\",\"code\":%d,\"message\":\"%s\"}\n", code, message);
}

/* Moves a service as PID 1 would, at once. The names tell what becomes of them. */
static void carry_out(struct board_service *s, const char *verb)
{
	struct machine *m = &s->m;
	bool down = strcmp(verb, "stop") == 0;

	board_begin(s);
	m->want = down ? WANT_DOWN : WANT_UP;
	m->since = clock_ms();
	m->ready = 0;
	if (down) {
		m->state = STATE_STOPPED;
		m->main_alive = 0;
		s->pid = 0;
	} else if (strncmp(s->name, "bad", 3) == 0) {
		m->life++;
		m->state = STATE_BACKOFF;
		m->cause = CAUSE_EXIT;
		m->exit_kind = LAST_EXITED;
		m->exit_code = 3;
		m->deadline = m->since + 4000;
		m->delay = 4000;
	} else if (strncmp(s->name, "hang", 4) == 0) {
		m->life++;
		m->state = STATE_STARTING;
	} else if (strcmp(verb, "restart") == 0 || m->state != STATE_RUNNING) {
		m->life++;
		m->state = STATE_RUNNING;
		m->started = m->since;
		m->ready = 1;
		m->main_alive = 1;
		s->pid = 777;
	} else {
		m->ready = 1;
	}
	board_end(s);
}

static bool handle(struct fixture *fixture, const struct request *request, FILE *answer)
{
	const char *verb = request->verb;

	if (strcmp(verb, "ping") == 0) {
		fprintf(answer, "{\"result\":\"ok\"}\n");
		return true;
	}
	if (strcmp(verb, "shutdown") == 0) {
		fprintf(answer, "{\"result\":\"ok\"}\n");
		fclose(answer);
		_exit(0);
	}
	for (size_t n = 0; n < request->argc; n++) {
		bool known = false;
		for (uint32_t i = 0; i < fixture->board.head->count; i++) {
			struct board_service *s = &fixture->board.services[i];
			if (!match_service(request->argv[n], s->name))
				continue;
			known = true;
			fprintf(answer,
			    "{\"service\":\"%s\",\"slot\":%u,\"life\":%u,\"state\":\"%s\"}\n",
			    s->name, (unsigned)i, (unsigned)s->m.life,
			    state_name((enum state)s->m.state));
			carry_out(s, verb);
		}
		if (!known) {
			refuse(answer, 4, "there is no such service");
			return true;
		}
	}
	fprintf(answer, "{\"result\":\"ok\"}\n");
	return true;
}

static void test_start_stop(void **state)
{
	(void)state;
	fixture_add(f, "web", STATE_STOPPED);
	fixture_add(f, "db", STATE_RUNNING);
	fixture_live(f, handle);
	int64_t before = clock_ms();
	assert_int_equal(fixture_run(f, "start", "web", NULL), 0);
	assert_string_equal(f->out, "web: running (pid 777)\n");
	assert_true(clock_ms() - before >= 200);
	assert_int_equal(fixture_run(f, "start", "db", NULL), 0);
	assert_int_equal(fixture_run(f, "stop", "web", "db", NULL), 0);
	assert_string_equal(f->out, "web: stopped\ndb: stopped\n");
	assert_int_equal(fixture_run(f, "stop", "web", NULL), 0);
	assert_int_equal(fixture_run(f, "start", "nobody", NULL), 4);
	has(f->err, "sinitctl: there is no such service\n");
}

static void test_restart(void **state)
{
	(void)state;
	fixture_add(f, "web", STATE_RUNNING);
	fixture_live(f, handle);
	assert_int_equal(fixture_run(f, "restart", "w*", "--json", NULL), 0);
	has(f->out, "{\"service\":\"web\",\"state\":\"running\",\"life\":2,\"pid\":777,"
		    "\"outcome\":\"reached\",\"reason\":");
}

static void test_start_fails(void **state)
{
	(void)state;
	fixture_add(f, "bad", STATE_STOPPED);
	fixture_add(f, "hang", STATE_STOPPED);
	fixture_live(f, handle);
	assert_int_equal(fixture_run(f, "start", "bad", NULL), 1);
	has(f->err, "sinitctl: bad: backoff: ");
	has(f->err, "exited 3");
	assert_int_equal(fixture_run(f, "start", "hang", "--timeout=30ms", NULL), 5);
	has(f->err, "hang: timed out after 30ms, still starting");
	assert_int_equal(fixture_run(f, "start", "hang", "--no-wait", NULL), 0);
	assert_string_equal(f->out, "");
	assert_int_equal(fixture_run(f, "start", "hang", "--no-wait", "--json", NULL), 0);
	has(f->out, "{\"service\":\"hang\",\"slot\":1,");
}

/* More names than one request holds. */
static void test_many_names(void **state)
{
	char names[70][16];
	(void)state;
	for (int i = 0; i < 30; i++) {
		snprintf(names[i], sizeof(names[i]), "s%02d", i);
		fixture_add(f, names[i], STATE_STOPPED);
	}
	fixture_live(f, handle);
	assert_int_equal(
	    fixture_run(f, "start", "--no-wait", "s00", "s01", "s02", "s03", "s04", "s05", "s06",
		"s07", "s08", "s09", "s10", "s11", "s12", "s13", "s14", "s15", "s16", "s17", "s18",
		"s19", "s20", "s21", "s22", "s23", "s24", "s25", "s26", "s27", "s28", "s29", "s00",
		"s01", "s02", "s03", "s04", "s05", "s06", "s07", "s08", "s09", "s10", "s11", "s12",
		"s13", "s14", "s15", "s16", "s17", "s18", "s19", "s20", "s21", "s22", "s23", "s24",
		"s25", "s26", "s27", "s28", "s29", "s00", "s01", "s02", "s03", "s04", "s05", "s06",
		NULL),
	    0);
	for (uint32_t i = 0; i < 30; i++)
		assert_int_equal(f->board.services[i].m.state, STATE_RUNNING);
}

static void test_fits(void **state)
{
	static char big[3000];
	const char *const argv[] = {big, big, "c"};
	(void)state;
	memset(big, 'a', sizeof(big) - 1);
	assert_int_equal(client_fits("start", argv, 3), 1);
	assert_int_equal(client_fits("start", argv + 1, 2), 2);
	assert_int_equal(client_fits("start", NULL, 0), 0);
}

static bool handle_rotate(struct fixture *fixture, const struct request *request, FILE *answer)
{
	(void)fixture;
	if (strcmp(request->verb, "rotate") == 0 && request->argc == 0)
		fprintf(answer, "{\"result\":\"ok\"}\n");
	else
		refuse(answer, 2, "not that");
	return true;
}

static void test_rotate(void **state)
{
	(void)state;
	fixture_live(f, handle_rotate);
	assert_int_equal(fixture_run(f, "rotate", NULL), 0);
	assert_string_equal(f->out, "");
	assert_int_equal(fixture_run(f, "--json", "rotate", NULL), 0);
	assert_string_equal(f->out, "{\"result\":\"ok\"}\n");
	assert_int_equal(fixture_run(f, "rotate", "web", NULL), 2);
	has(f->err, "rotate: too many arguments");
}

static void test_ping_and_shutdown(void **state)
{
	(void)state;
	fixture_live(f, handle);
	assert_int_equal(fixture_run(f, "ping", NULL), 0);
	assert_string_equal(f->out, "sinit answers\n");
	assert_int_equal(fixture_run(f, "ping", "--json", NULL), 0);
	assert_string_equal(f->out, "{\"result\":\"ok\"}\n");
	assert_int_equal(fixture_run(f, "shutdown", NULL), 0);
	assert_int_equal(fixture_run(f, "ping", NULL), 3);
}

static bool handle_silent(struct fixture *fixture, const struct request *request, FILE *answer)
{
	(void)fixture;
	(void)request;
	(void)answer;
	return false; /* dies */
}

static void test_death(void **state)
{
	(void)state;
	fixture_add(f, "web", STATE_RUNNING);
	fixture_live(f, handle_silent);
	int64_t before = clock_ms();
	assert_int_not_equal(fixture_run(f, "ping", NULL), 0);
	assert_true(clock_ms() - before < 2000);
	fixture_kill(f);
	assert_int_equal(fixture_run(f, "ping", NULL), 3);
	has(f->err, "nobody has it open");
}

static bool handle_show(struct fixture *fixture, const struct request *request, FILE *answer)
{
	(void)fixture;
	if (strcmp(request->verb, "reload") == 0) {
		fprintf(answer, "{\"error\":\"web.ini:3: unknown key comand\\u001b\"}\n");
		refuse(answer, 1, "the configuration has errors; the old one stays");
		return true;
	}
	if (strcmp(request->argv[0], "*") != 0) {
		fprintf(answer,
		    "{\"service\":\"web\",\"slot\":0,\"life\":1,\"state\":\"running\"}\n"
		    "{\"key\":\"command\",\"value\":\"a \\\"b\\\" \\u001b\"}\n"
		    "{\"key\":\"user\",\"value\":\"\"}\n{\"result\":\"ok\"}\n");
		return true;
	}
	fprintf(answer, "{\"service\":\"worker\"}\n{\"key\":\"requires\",\"value\":\"db web\"}\n"
			"{\"key\":\"after\",\"value\":\"web nobody\"}\n"
			"{\"service\":\"web\"}\n{\"key\":\"wants\",\"value\":\"db\"}\n"
			"{\"service\":\"db\"}\n{\"key\":\"requires\",\"value\":\"prepare\"}\n"
			"{\"service\":\"prepare\"}\n{\"key\":\"before\",\"value\":\"alone\"}\n"
			"{\"service\":\"alone\"}\n{\"result\":\"ok\"}\n");
	return true;
}

static void test_show(void **state)
{
	(void)state;
	fixture_live(f, handle_show);
	assert_int_equal(fixture_run(f, "show", "web", NULL), 0);
	assert_string_equal(f->out, "[service web]\ncommand = a \"b\" \\x1b\nuser =\n");
	assert_int_equal(fixture_run(f, "show", "web", "--json", NULL), 0);
	assert_string_equal(
	    f->out, "{\"service\":\"web\",\"command\":\"a \\\"b\\\" \\u001b\",\"user\":\"\"}\n");
	assert_int_equal(fixture_run(f, "reload", NULL), 1);
	has(f->err, "web.ini:3: unknown key comand\\x1b\n");
	has(f->err, "sinitctl: the configuration has errors; the old one stays\n");
}

static void test_graph(void **state)
{
	(void)state;
	fixture_live(f, handle_show);
	assert_int_equal(fixture_run(f, "graph", NULL), 0);
	assert_string_equal(f->out, "alone\n"
				    "`- after prepare\n"
				    "worker\n"
				    "|- requires db\n"
				    "|  `- requires prepare\n"
				    "`- requires, after web\n"
				    "   `- wants db (see its own branches)\n");
	f->style.utf8 = true;
	assert_int_equal(fixture_run(f, "graph", "db", NULL), 0);
	assert_string_equal(f->out, "db\n└─ requires prepare\n");
	assert_int_equal(fixture_run(f, "graph", "x", NULL), 4);
	assert_int_equal(fixture_run(f, "graph", "--dot", NULL), 0);
	has(f->out, "digraph sinit {\n");
	has(f->out, "\t\"web\" -> \"db\" [style=dashed]; // wants\n");
	assert_int_equal(fixture_run(f, "graph", "--json", NULL), 0);
	has(f->out, "{\"name\":\"db\",\"requires\":[\"prepare\"],\"wants\":[],");
}

static void write_file(const char *dir, const char *name, const char *content)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	FILE *file = fopen(path, "w");
	fputs(content, file);
	fclose(file);
}

static void test_directory(void **state)
{
	char dir[] = "/tmp/sinit-test-XXXXXX";
	char path[64];
	(void)state;
	assert_non_null(mkdtemp(dir));
	write_file(dir, "sinit.ini",
	    "[service a]\ncommand = true\n[service b]\ncommand = true\nrequires = a\n");
	assert_int_equal(fixture_run(f, "graph", "-c", dir, NULL), 0);
	assert_string_equal(f->out, "b\n`- requires a\n");
	assert_int_equal(fixture_run(f, "check", dir, NULL), 0);
	has(f->out, "a\n");
	write_file(dir, "sinit.ini", "[service a]\ncomand = true\n");
	assert_int_equal(fixture_run(f, "check", dir, NULL), 78);
	has(f->err, "sinit.ini:2: ");
	assert_int_equal(fixture_run(f, "graph", "-c", dir, NULL), 1);
	snprintf(path, sizeof(path), "%s/sinit.ini", dir);
	unlink(path);
	rmdir(dir);
	assert_int_equal(fixture_run(f, "check", dir, NULL), 2);
}

/* Whatever stands in the FIFO's place: a sentence and a code at once, never a hang. */
static void test_control_replaced(void **state)
{
	static const char *const verbs[] = {"start", "stop", "restart", "reload", "show"};
	(void)state;
	fixture_live(f, NULL);
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		assert_int_equal(fixture_run(f, verbs[i], "web", NULL), 3);
		has(f->err, "no sinit is listening on /tmp/sinit-test-");
		has(f->err, "there is no such file. But a sinit is alive there (pid 1 ");
	}
	assert_int_equal(mkfifoat(f->dirfd, "control", 0600), 0);
	assert_int_equal(fixture_run(f, "ping", NULL), 3);
	has(f->err, "nobody has it open");
	unlinkat(f->dirfd, "control", 0);
	close(openat(f->dirfd, "control", O_CREAT | O_WRONLY, 0600));
	assert_int_equal(fixture_run(f, "ping", NULL), 3);
	has(f->err, "it is not a FIFO");
	unlinkat(f->dirfd, "control", 0);
	assert_int_equal(symlinkat("elsewhere", f->dirfd, "control"), 0);
	assert_int_equal(mkfifoat(f->dirfd, "elsewhere", 0600), 0);
	assert_int_equal(fixture_run(f, "ping", NULL), 3);
	has(f->err, "it is not a FIFO");
}

static void test_reply_missing(void **state)
{
	(void)state;
	fixture_live(f, handle);
	assert_int_equal(unlinkat(f->dirfd, "reply", AT_REMOVEDIR), 0);
	assert_int_equal(fixture_run(f, "ping", NULL), 3);
	has(f->err, "the directory reply/ beside it is missing");
	assert_int_equal(mkdirat(f->dirfd, "reply", 0700), 0);
}

static bool __attribute__((noreturn))
handle_never(struct fixture *fixture, const struct request *request, FILE *answer)
{
	(void)request;
	(void)fixture;
	(void)answer;
	for (;;)
		pause();
}

/* Ended by a signal while it waits, it takes its FIFO with it and dies of the signal. */
static void test_signal(void **state)
{
	int status;
	(void)state;
	fixture_live(f, handle_never);
	pid_t client = fork();
	if (client == 0) {
		fixture_run(f, "ping", NULL);
		_exit(0);
	}
	for (int i = 0; i < 20000 && fixture_replies(f) == 0; i++)
		usleep(1000);
	assert_int_equal(fixture_replies(f), 1);
	kill(client, SIGTERM);
	assert_int_equal(waitpid(client, &status, 0), client);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
	assert_int_equal(fixture_replies(f), 0);
}

static bool handle_long(struct fixture *fixture, const struct request *request, FILE *answer)
{
	(void)fixture;
	(void)request;
	for (int i = 0; i < 3000; i++)
		fprintf(answer, "{\"key\":\"k%d\",\"value\":\"%0100d\"}\n", i, i);
	fprintf(answer, "{\"result\":\"ok\"}\n");
	return true;
}

static void test_long_answer(void **state)
{
	unsigned count = 0;
	(void)state;
	fixture_live(f, handle_long);
	assert_int_equal(fixture_run(f, "show", "web", NULL), 0);
	for (const char *at = f->out; (at = strchr(at, '\n')); at++)
		count++;
	assert_int_equal(count, 3000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_start_stop),
	    TEST(test_restart),
	    TEST(test_start_fails),
	    TEST(test_many_names),
	    TEST(test_fits),
	    TEST(test_rotate),
	    TEST(test_ping_and_shutdown),
	    TEST(test_death),
	    TEST(test_show),
	    TEST(test_graph),
	    TEST(test_directory),
	    TEST(test_control_replaced),
	    TEST(test_reply_missing),
	    TEST(test_signal),
	    TEST(test_long_answer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
