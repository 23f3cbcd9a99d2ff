/* Verbs that read the board alone: status, summary, health, events. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "init/clock.h"
#include "tests/unit/ctl_fixture.h"

#include "ctl/view.h"
#include "init/schema.h"

#include <signal.h>
#include <string.h>
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
	fixture_free(f);
	return 0;
}

static void three_services(void)
{
	struct board_service *s = fixture_add(f, "web", STATE_RUNNING);
	s->m.restarts = 2;
	s->m.cause = CAUSE_EXIT;
	s->m.exit_kind = LAST_KILLED;
	s->m.exit_code = 9;
	s->exit_time = INT64_C(1714564800123000000);
	s->probe[PROBE_LIVENESS].health = HEALTH_PASSING;
	s = fixture_add(f, "a-job", STATE_DONE);
	s->type = TYPE_ONESHOT;
	s->m.exit_kind = LAST_EXITED;
	s = fixture_add(f, "db", STATE_STOPPED);
	s->enabled = 0;
}

static void test_table(void **state)
{
	(void)state;
	three_services();
	fixture_live(f, NULL);
	assert_int_equal(fixture_run(f, "status", NULL), 0);
	char *line = strtok(f->out, "\n");
	assert_string_equal(
	    line, "NAME   STATE    READY  PID  UPTIME  RESTARTS  LAST EXIT       REASON");
	line = strtok(NULL, "\n");
	has(line, "a-job  done     yes      -       -         0  exited 0");
	line = strtok(NULL, "\n");
	has(line, "db     stopped  -        -       -         0  -               not enabled");
	line = strtok(NULL, "\n");
	has(line,
	    "web    running  yes    100      1m         2  killed by KILL  restarted 2 times");
	assert_null(strtok(NULL, "\n"));
}

static void test_paused(void **state)
{
	(void)state;
	three_services();
	f->board.services[0].slice = SLICE_THERE | SLICE_PAUSED;
	fixture_live(f, NULL);
	assert_int_equal(fixture_run(f, "status", "web", NULL), 0);
	has(f->out, "web   running (paused)  no     100");
	has(f->out, "paused by hand; sinitctl resume web lets it go on");
	assert_int_equal(fixture_run(f, "--json", "status", "web", NULL), 0);
	has(f->out, "\"ready\":false");
	has(f->out, "\"paused\":true");
}

static void test_resources(void **state)
{
	struct board_reading r = {.time = clock_ms(),
	    .have = READING_MEMORY | READING_PIDS,
	    .memory_current = 5,
	    .memory_max = 7,
	    .pids_current = 1,
	    .pids_max = UINT32_MAX};

	(void)state;
	three_services();
	f->board.services[0].slice = SLICE_THERE | SLICE_MEASURED;
	strcpy(f->board.head->cgroup, "/sys/fs/cgroup/x");
	assert_int_equal(board_write_reading(&f->board, 0, &r), 0);
	fixture_live(f, NULL); /* which answers nothing: status asks nobody */
	assert_int_equal(fixture_run(f, "--json", "status", "web", NULL), 0);
	has(f->out, "\"cgroup\":\"/sys/fs/cgroup/x/web.service\","
		    "\"resources\":{\"measured_seconds_ago\":0.");
	has(f->out, "\"memory\":{\"current\":5,\"peak\":null,\"max\":7,\"swap\":null}");
}

static void test_exit_codes(void **state)
{
	(void)state;
	three_services();
	fixture_live(f, NULL);
	assert_int_equal(fixture_run(f, "status", "web", NULL), 0);
	assert_int_equal(fixture_run(f, "status", "web", "a-job", NULL), 0);
	assert_int_equal(fixture_run(f, "status", "db", NULL), 3);
	assert_int_equal(fixture_run(f, "status", "*", NULL), 3);
	assert_int_equal(fixture_run(f, "status", "w*", NULL), 0);
	assert_int_equal(fixture_run(f, "status", "wbe", NULL), 4);
	has(f->err, "there is no service wbe; did you mean web?");
	assert_int_equal(fixture_run(f, "status", "web", "zzzzz", NULL), 4);
	has(f->out, "web");
	assert_int_equal(fixture_run(f, "status", "x*", NULL), 4);
	has(f->err, "no service matches x*");
	assert_string_equal(f->out, "");
}

static void test_dead(void **state)
{
	(void)state;
	three_services();
	assert_int_equal(fixture_run(f, "status", NULL), 3);
	has(f->out, "sinit is not running (this is what pid 1 left)\nNAME");
	assert_int_equal(fixture_run(f, "status", "--json", NULL), 3);
	has(f->out, "{\"sinit\":{\"pid\":null,\"version\":\"9.9.9\",\"state\":\"dead\","
		    "\"uptime_seconds\":null");
	assert_int_equal(fixture_run(f, "summary", NULL), 3);
	assert_int_equal(fixture_run(f, "health", NULL), 3);
	assert_int_equal(fixture_run(f, "wait", "web", NULL), 3);
	fixture_live(f, NULL);
	assert_int_equal(fixture_run(f, "status", NULL), 0);
	fixture_kill(f);
	assert_int_equal(fixture_run(f, "status", NULL), 3);
}

static void test_absent(void **state)
{
	(void)state;
	unlinkat(f->dirfd, "board", 0);
	assert_int_equal(fixture_run(f, "status", NULL), 3);
	has(f->err, "no sinit has been running on /tmp/sinit-test-");
	symlinkat("elsewhere", f->dirfd, "board");
	assert_int_not_equal(fixture_run(f, "status", NULL), 0);
	assert_int_equal(strncmp(f->err, "sinitctl: ", 10), 0);
}

static void test_json(void **state)
{
	(void)state;
	three_services();
	fixture_live(f, NULL);
	assert_int_equal(fixture_run(f, "--json", "status", "web", NULL), 0);
	has(f->out, "{\"sinit\":{\"pid\":1,\"version\":\"9.9.9\",\"state\":\"running\","
		    "\"uptime_seconds\":3600.");
	has(f->out, "},\"services\":[{\"name\":\"web\",\"state\":\"running\",\"want\":\"up\","
		    "\"cause\":\"exit\",\"reason\":\"restarted 2 times");
	has(f->out, "\"pid\":100,\"uptime_seconds\":60.");
	has(f->out, "\"restarts\":2,\"last_exit\":{\"signal\":9,\"signal_name\":\"SIGKILL\","
		    "\"core\":false,\"time\":\"2024-05-01T12:00:00.123Z\"},\"startup\":null,"
		    "\"liveness\":\"passing\",\"readiness\":null,\"ready\":true,\"life\":1,");
	has(f->out, "\"type\":\"simple\",\"enabled\":true,\"critical\":false,"
		    "\"stopped_by_hand\":false,\"priority\":50,\"backoff_ms\":null,"
		    "\"blocker\":null,\"error\":null,\"status_text\":null,"
		    "\"paused\":false,\"oom_kills\":0,\"log_dropped\":0,\"cgroup\":null,"
		    "\"resources\":null}]}\n");
	assert_int_equal(fixture_run(f, "--json", "status", "a-job", NULL), 0);
	has(f->out, "\"last_exit\":{\"code\":0,\"time\":null}");
	has(f->out, "\"pid\":null,\"uptime_seconds\":null");
	assert_int_equal(fixture_run(f, "--json", "status", "db", NULL), 3);
	has(f->out, "\"want\":\"down\",\"cause\":null");
	assert_ptr_equal(strchr(f->out, '\n'), f->out + strlen(f->out) - 1);
}

static void test_spawn_error(void **state)
{
	struct board_service *s = fixture_add(f, "bad", STATE_BACKOFF);
	(void)state;
	s->m.exit_kind = LAST_SPAWN_ERROR;
	s->m.exit_code = 2;
	s->m.cause = CAUSE_SPAWN;
	s->m.delay = 4000;
	s->error_step = STEP_EXEC;
	s->error = 2;
	fixture_live(f, NULL);
	assert_int_equal(fixture_run(f, "--json", "status", "bad", NULL), 3);
	has(f->out, "\"last_exit\":null");
	has(f->out, "\"backoff_ms\":4000");
	has(f->out, "\"error\":{\"errno\":2,\"message\":\"");
	assert_int_equal(fixture_run(f, "status", "bad", NULL), 3);
	has(f->out, "  not run  ");
}

/* In a pipe nothing is cut; on a terminal every line fits. */
static void test_width(void **state)
{
	static const char longest[] =
	    "a-service-with-the-longest-name-there-is-0123456789-0123456789x";
	(void)state;
	three_services();
	fixture_add(f, longest, STATE_STOPPED);
	fixture_live(f, NULL);
	assert_int_equal(fixture_run(f, "status", NULL), 0);
	has(f->out, longest);
	for (unsigned width = 30; width < 200; width += 10) {
		f->style = (struct style){.width = width, .utf8 = width % 20 == 0};
		assert_int_equal(fixture_run(f, "status", NULL), 0);
		for (char *line = strtok(f->out, "\n"); line; line = strtok(NULL, "\n")) {
			size_t columns = 0;
			for (const char *at = line; *at; at++)
				columns += ((unsigned char)*at & 0xc0) != 0x80;
			assert_true(columns <= width);
		}
	}
	f->style = (struct style){.width = 200, .utf8 = true};
	assert_int_equal(fixture_run(f, "status", "web", "db", NULL), 3);
	has(f->out, "✓ web");
	has(f->out, "○ db");
	has(f->out, "  NAME");
}

static void test_colour(void **state)
{
	(void)state;
	three_services();
	fixture_add(f, "broken", STATE_FATAL);
	fixture_live(f, NULL);
	f->style = (struct style){.width = 200, .colour = true};
	assert_int_equal(fixture_run(f, "status", NULL), 0);
	has(f->out, "\033[31mfatal\033[0m");
	has(f->out, "\033[32mrunning\033[0m");
	f->style = (struct style){.width = 200};
	assert_int_equal(fixture_run(f, "status", NULL), 0);
	assert_null(strchr(f->out, '\033'));
}

static void test_control_characters(void **state)
{
	(void)state;
	fixture_add(f, "ev\033[2Jil\n", STATE_RUNNING);
	fixture_live(f, NULL);
	assert_int_equal(fixture_run(f, "status", NULL), 0);
	has(f->out, "ev\\x1b[2Jil\\n");
	assert_int_equal(fixture_run(f, "status", "\033x", NULL), 4);
	assert_null(strchr(f->err, '\033'));
}

static void test_summary(void **state)
{
	(void)state;
	three_services();
	fixture_live(f, NULL);
	assert_int_equal(fixture_run(f, "summary", NULL), 0);
	has(f->out,
	    "3 services: 2 ready, 1 stopped, 1 running, 1 done; sinit 9.9.9 running, pid 1, "
	    "up 1h\n");
	assert_int_equal(fixture_run(f, "summary", "--json", NULL), 0);
	has(f->out, "\"services\":3,\"ready\":2,\"states\":{\"stopped\":1,\"waiting\":0,");
}

static void test_health(void **state)
{
	(void)state;
	three_services();
	fixture_live(f, NULL);
	assert_int_equal(fixture_run(f, "health", NULL), 0);
	assert_string_equal(f->out, "NAME   READY  STARTUP    LIVENESS   READINESS  WHY\n"
				    "a-job  yes    -          -          -          -\n"
				    "web    yes    -          passing    -          -\n");
	assert_int_equal(fixture_run(f, "health", "nobody", NULL), 4);
	assert_string_equal(f->out, "");
	assert_int_equal(fixture_run(f, "health", "db", NULL), 1);
	has(f->out, "\ndb    no     -          -          -          not enabled: ");
	fixture_add(f, "slow", STATE_STARTING)->probe[PROBE_STARTUP].health = HEALTH_UNKNOWN;
	struct board_service *s = fixture_add(f, "worse", STATE_RUNNING);
	s->probe[PROBE_LIVENESS] = (struct board_probe){HEALTH_FAILING, FAULT_TIMEOUT, {0}, 250};
	s->probe[PROBE_READINESS] = (struct board_probe){HEALTH_FAILING, FAULT_STATUS, {0}, 503};
	assert_int_equal(fixture_run(f, "health", NULL), 1);
	has(f->out, "slow   no     unknown    -          -          its startup probe has not "
		    "passed yet\n");
	has(f->out, "worse  no     -          failing    failing    liveness: no answer within "
		    "250 ms; readiness: HTTP status 503\n");
	assert_int_equal(fixture_run(f, "health", "--json", NULL), 1);
	has(f->out, "{\"ready\":false,\"checks\":{\"a-job\":true,\"slow\":false,"
		    "\"web\":true,\"worse\":false},\"services\":[{\"name\":\"a-job\",");
	has(f->out, "{\"name\":\"worse\",\"state\":\"running\",\"healthy\":false,"
		    "\"ready\":false,\"startup\":null,\"liveness\":\"failing\","
		    "\"readiness\":\"failing\",\"why\":\"liveness: no answer within 250 ms; "
		    "readiness: HTTP status 503\"}]}\n");
	f->style = (struct style){.utf8 = true, .width = 80};
	assert_int_equal(fixture_run(f, "health", NULL), 1);
	has(f->out, "✓ web    yes ");
	has(f->out, "↻ slow   no ");
	has(f->out,
	    "✗ worse  no     -          failing    failing    liveness: no answer within 250…");
}

static void test_wait(void **state)
{
	(void)state;
	three_services();
	fixture_add(f, "slow", STATE_STARTING);
	fixture_add(f, "worse", STATE_FAILED);
	fixture_live(f, NULL);
	assert_int_equal(fixture_run(f, "wait", "web", "a-job", NULL), 0);
	assert_string_equal(f->out, "a-job: done\nweb: running (pid 100)\n");
	assert_int_equal(fixture_run(f, "wait", "--stopped", "db", NULL), 0);
	assert_int_equal(fixture_run(f, "wait", "slow", "--timeout", "50ms", NULL), 5);
	has(f->err, "slow: timed out after 50ms, still starting: ");
	assert_int_equal(fixture_run(f, "wait", "worse", NULL), 1);
	has(f->err, "worse: failed: ");
	assert_int_equal(fixture_run(f, "wait", "nobody", NULL), 4);
}

static void some_events(unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct board_event event = {.kind = EV_START, .pid = (int)i + 1, .blocker = -1};
		strcpy(event.name, i % 2 ? "web" : "db");
		board_event(&f->board, &event, INT64_C(1714564800000000000) + i * INT64_C(1000000));
	}
}

static unsigned lines(const char *text)
{
	unsigned count = 0;

	for (; *text; text++)
		count += *text == '\n';
	return count;
}

static void test_events(void **state)
{
	struct board_event event = {.kind = EV_EXIT,
	    .exit_kind = LAST_KILLED,
	    .code = 11,
	    .value = 1,
	    .cause = CAUSE_EXIT,
	    .pid = 7,
	    .name = "web",
	    .blocker = -1};
	(void)state;
	some_events(4);
	board_event(&f->board, &event, INT64_C(1714564801000000000));
	assert_int_equal(fixture_run(f, "events", NULL), 0);
	assert_int_equal(lines(f->out), 5);
	has(f->out, "2024-05-01T12:00:00.000Z  start      db: ");
	assert_int_equal(fixture_run(f, "events", "web", "-n", "2", "--json", NULL), 0);
	assert_int_equal(lines(f->out), 2);
	has(f->out, "{\"seq\":4,\"time\":\"2024-05-01T12:00:00.003Z\",\"service\":\"web\","
		    "\"event\":\"start\",\"message\":\"");
	has(f->out, "{\"seq\":5,");
	has(f->out, "\"event\":\"exit\"");
	has(f->out, "\"cause\":\"exit\",\"pid\":7,\"signal\":11,\"signal_name\":\"SIGSEGV\","
		    "\"core\":true}\n");
	assert_int_equal(fixture_run(f, "events", "--kind", "exit", NULL), 0);
	assert_int_equal(lines(f->out), 1);
	assert_int_equal(fixture_run(f, "events", "-kstart", "-k", "exit", "web", NULL), 0);
	assert_int_equal(lines(f->out), 3);
	assert_int_equal(fixture_run(f, "events", "-k", "x", NULL), 2);
	has(f->err, "there is no such kind; there are start ready ");
	assert_int_equal(fixture_run(f, "events", "-n0", NULL), 0);
	assert_string_equal(f->out, "");
	/* There is no sinit: following ends at once. */
	assert_int_equal(fixture_run(f, "events", "-f", NULL), 0);
	assert_int_equal(lines(f->out), 5);
}

static void test_events_wrapped(void **state)
{
	(void)state;
	some_events(BOARD_EVENTS + 10);
	assert_int_equal(fixture_run(f, "events", "--json", NULL), 0);
	assert_int_equal(lines(f->out), BOARD_EVENTS);
	assert_int_equal(strncmp(f->out, "{\"seq\":11,", 10), 0);
	assert_string_equal(f->err, "");
	/* One that is being written. */
	f->board.ring[20].seq = 0;
	assert_int_equal(fixture_run(f, "events", "--json", NULL), 0);
	has(f->err, "1 event was overwritten");
}

/* Following shows what comes, and ends when sinit does. */
static void test_events_follow(void **state)
{
	(void)state;
	some_events(20);
	pid_t writer = fixture_writer(f);
	if (writer == 0) {
		fixture_wait_output(f, 1);
		some_events(3);
		fixture_writer_ends(f);
	}
	assert_int_equal(fixture_run(f, "events", "-f", "--json", NULL), 0);
	assert_int_equal(fixture_join(writer), 0);
	assert_int_equal(lines(f->out), 13);
	has(f->out, "{\"seq\":11,");
	has(f->out, "{\"seq\":23,");
	assert_string_equal(f->err, "");
}

static void test_usage(void **state)
{
	(void)state;
	assert_int_equal(fixture_run(f, NULL), 2);
	assert_int_equal(fixture_run(f, "sttaus", NULL), 2);
	has(f->err, "did you mean status?");
	assert_int_equal(fixture_run(f, "frobnicate", NULL), 2);
	assert_int_equal(fixture_run(f, "status", "--dot", NULL), 2);
	assert_int_equal(fixture_run(f, "status", "--frob", NULL), 2);
	assert_int_equal(fixture_run(f, "status", "-x", NULL), 2);
	assert_int_equal(fixture_run(f, "status", "--json=yes", NULL), 2);
	assert_int_equal(fixture_run(f, "wait", "a", "--timeout", NULL), 2);
	assert_int_equal(fixture_run(f, "wait", "a", "--timeout=soon", NULL), 2);
	assert_int_equal(fixture_run(f, "wait", "a", "--ready", "--stopped", NULL), 2);
	assert_int_equal(fixture_run(f, "events", "-n", "x", NULL), 2);
	assert_int_equal(fixture_run(f, "start", NULL), 2);
	assert_int_equal(fixture_run(f, "signal", "a", "HUP", "c", NULL), 2);
	assert_int_equal(fixture_run(f, "reexec", NULL), 2);
	has(f->err, "reexec: not supported by this build");
	assert_int_equal(fixture_run(f, "top", "-d", "50ms", NULL), 2);
	has(f->err, "-d 50ms: not a duration of 100ms at least");
	assert_int_equal(fixture_run(f, "pause", NULL), 2);
	has(f->err, "pause: something is missing; usage: sinitctl pause NAME...");
	assert_int_equal(fixture_run(f, "--version", NULL), 0);
	assert_int_equal(strncmp(f->out, "sinitctl ", 9), 0);
	assert_int_equal(fixture_run(f, "-h", NULL), 0);
	has(f->out, "usage: sinitctl");
	assert_int_equal(fixture_run(f, "start", "-h", NULL), 0);
	has(f->out, "--no-wait");
	assert_int_equal(fixture_run(f, "help", "events", NULL), 0);
	has(f->out, "-f, --follow");
	/* Behind -- everything is a name. */
	assert_int_equal(fixture_run(f, "status", "--", "--json", NULL), 3);
	has(f->err, "there is no service --json");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_table),
	    TEST(test_paused),
	    TEST(test_resources),
	    TEST(test_exit_codes),
	    TEST(test_dead),
	    TEST(test_absent),
	    TEST(test_json),
	    TEST(test_spawn_error),
	    TEST(test_width),
	    TEST(test_colour),
	    TEST(test_control_characters),
	    TEST(test_summary),
	    TEST(test_health),
	    TEST(test_wait),
	    TEST(test_events),
	    TEST(test_events_wrapped),
	    TEST(test_events_follow),
	    TEST(test_usage),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
