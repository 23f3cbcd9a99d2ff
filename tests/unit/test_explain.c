/* Every sentence, word by word: they are what people read first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "init/explain.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { NOW = 100000 };

static char buffer[512];
static struct text text;

static const char *duration(int64_t ms)
{
	text_init(&text, buffer, sizeof(buffer));
	explain_duration(&text, ms);
	return buffer;
}

static void test_durations(void **state)
{
	(void)state;
	assert_string_equal(duration(-5), "0ms");
	assert_string_equal(duration(0), "0ms");
	assert_string_equal(duration(350), "350ms");
	assert_string_equal(duration(999), "999ms");
	assert_string_equal(duration(1000), "1s");
	assert_string_equal(duration(12999), "12s");
	assert_string_equal(duration(60000), "1m");
	assert_string_equal(duration(243000), "4m 3s");
	assert_string_equal(duration(2 * 3600000 + 5 * 60000 + 9000), "2h 5m");
	assert_string_equal(duration(3600000 + 59000), "1h");
	assert_string_equal(duration(INT64_C(3) * 86400000 + 4 * 3600000), "3d 4h");
	assert_string_equal(duration(INT64_MAX), "106751991167d 7h");
}

static const char *exit_words(enum last_kind kind, int code, bool core)
{
	text_init(&text, buffer, sizeof(buffer));
	explain_exit(&text, kind, code, core);
	return buffer;
}

static void test_exits(void **state)
{
	(void)state;
	assert_string_equal(exit_words(LAST_EXITED, 3, false), "exited 3");
	assert_string_equal(exit_words(LAST_KILLED, SIGKILL, false), "killed by KILL");
	assert_string_equal(exit_words(LAST_KILLED, SIGSEGV, true), "killed by SEGV (core dumped)");
	assert_string_equal(exit_words(LAST_KILLED, 37, false), "killed by RTMIN+3");
	assert_string_equal(exit_words(LAST_NONE, 0, false), "not ended yet");
	assert_string_equal(exit_words(LAST_SPAWN_ERROR, ENOENT, false),
	    "could not be started: No such file or directory");
}

static const char *spawn_words(enum spawn_step step, int error)
{
	text_init(&text, buffer, sizeof(buffer));
	explain_spawn_error(&text, step, error);
	return buffer;
}

static void test_spawn_errors(void **state)
{
	(void)state;
	assert_string_equal(
	    spawn_words(STEP_EXEC, ENOENT), "command not found; install it or give its full path");
	assert_string_equal(spawn_words(STEP_INTERPRETER, ENOENT),
	    "the interpreter on the #! line (or the program's loader) does not exist");
	assert_string_equal(
	    spawn_words(STEP_USER, ENOENT), "unknown user or group; see user, group and groups");
	assert_string_equal(spawn_words(STEP_DIRECTORY, ENOENT),
	    "working_directory: No such file or directory; make it, or change the setting");
	assert_string_equal(spawn_words(STEP_STDIN, EISDIR), "stdin: Is a directory");
	assert_non_null(strstr(spawn_words(STEP_EXEC, EACCES), "not executable"));
	assert_non_null(strstr(spawn_words(STEP_EXEC, ENOEXEC), "no #! line"));
	assert_non_null(strstr(spawn_words(STEP_LIMITS, EPERM), "hard limit"));
	/* Numbers nobody made: still a sentence. */
	assert_true(strlen(spawn_words((enum spawn_step)200, 99999)) > 8);
	for (int step = 0; step < (int)STEP_COUNT; step++)
		assert_true(strlen(spawn_words((enum spawn_step)step, EIO)) > 8);
}

/* A service named "web", changed by each case as it needs. */
static struct board_service web(enum state state, enum cause cause)
{
	struct board_service s = {.used = 1, .name = "web", .enabled = 1, .blocker = -1};

	s.m.state = (uint8_t)state;
	s.m.cause = (uint8_t)cause;
	s.m.life = 1;
	s.m.exit_kind = LAST_EXITED;
	s.m.exit_code = 1;
	return s;
}

static struct board_words words;

static const char *reason(const struct board_service *s, const char *blocker)
{
	text_init(&text, buffer, sizeof(buffer));
	explain_reason(&text, s, blocker, &words, NOW);
	return buffer;
}

static void test_stopped(void **state)
{
	(void)state;
	struct board_service s = web(STATE_STOPPED, CAUSE_OPERATOR);

	assert_string_equal(
	    reason(&s, NULL), "stopped by hand: sinitctl start web starts it again");
	s.m.cause = CAUSE_NONE;
	s.m.life = 0;
	s.m.exit_kind = LAST_NONE;
	assert_string_equal(reason(&s, NULL), "not started yet: sinitctl start web starts it");
	s.by_hand = 1; /* of an earlier sinit's time */
	assert_string_equal(
	    reason(&s, NULL), "stopped by hand: sinitctl start web starts it again");
	s.by_hand = 0;
	s.enabled = 0;
	assert_string_equal(reason(&s, NULL), "not enabled: sinitctl start web starts it");
	s = web(STATE_STOPPED, CAUSE_EXIT);
	s.m.exit_code = 0;
	assert_string_equal(reason(&s, NULL), "exited 0; sinitctl start web starts it again");
	s.m.cause = CAUSE_SHUTDOWN;
	assert_string_equal(reason(&s, NULL), "sinit shuts down");
	s.m.cause = CAUSE_DEPENDENCY;
	assert_string_equal(reason(&s, "db"),
	    "required service db has failed or ended; sinitctl start web starts it again");
}

static void test_on_the_way_up(void **state)
{
	(void)state;
	struct board_service s = web(STATE_WAITING, CAUSE_NONE);

	assert_string_equal(reason(&s, "db (starting)"), "waiting for db (starting)");
	assert_string_equal(reason(&s, NULL), "waiting for what it needs");
	strcpy(words.awaited, "/dev/sda1 and 2 more");
	assert_string_equal(reason(&s, NULL), "waiting for /dev/sda1 and 2 more");
	assert_string_equal(reason(&s, "db"), "waiting for db");
	words.awaited[0] = '\0';
	s = web(STATE_STARTING, CAUSE_NONE);
	assert_string_equal(reason(&s, NULL), "its command is being executed");
	s.m.started = 5;
	assert_string_equal(reason(&s, NULL), "not ready yet");
	s.probe[PROBE_STARTUP].health = HEALTH_UNKNOWN;
	assert_string_equal(reason(&s, NULL), "its startup probe has not passed yet");
	s.probe[PROBE_STARTUP].fault = FAULT_STATUS;
	s.probe[PROBE_STARTUP].detail = 503;
	assert_string_equal(
	    reason(&s, NULL), "its startup probe has not passed yet: HTTP status 503");
	s.m.started = 0; /* a new life: that was of the one before */
	assert_string_equal(reason(&s, NULL), "its command is being executed");
	s.m.aux = AUX_PRE_START;
	assert_string_equal(reason(&s, NULL), "pre_start is running");
}

static void test_running(void **state)
{
	(void)state;
	struct board_service s = web(STATE_RUNNING, CAUSE_NONE);

	assert_string_equal(reason(&s, NULL), "");
	s.m.cause = CAUSE_EXIT;
	s.m.restarts = 1;
	assert_string_equal(reason(&s, NULL), "restarted 1 time, last: exited 1");
	s.m.restarts = 3;
	s.m.exit_kind = LAST_KILLED;
	s.m.exit_code = SIGKILL;
	assert_string_equal(reason(&s, NULL), "restarted 3 times, last: killed by KILL");
	s.probe[PROBE_READINESS].health = HEALTH_FAILING;
	assert_string_equal(reason(&s, NULL), "its readiness probe fails");
}

static void test_on_the_way_down(void **state)
{
	(void)state;
	struct board_service s = web(STATE_STOPPING, CAUSE_OPERATOR);

	s.m.holding = 1;
	assert_string_equal(reason(&s, NULL), "waits for its dependents to stop");
	/* What it requires is not what it waits for. */
	assert_string_equal(reason(&s, "app"), "waits for its dependents to stop");
	s.m.holding = 0;
	s.m.deadline = NOW + 7100;
	assert_string_equal(reason(&s, NULL), "told to stop, KILL in 8s");
	s.m.cause = CAUSE_START_TIMEOUT;
	assert_string_equal(
	    reason(&s, NULL), "told to stop, KILL in 8s: not ready within start_timeout");
	s.start_timeout = UINT32_MAX;
	assert_string_equal(
	    reason(&s, NULL), "told to stop, KILL in 8s: not ready within start_timeout");
	s.start_timeout = 90000;
	assert_string_equal(
	    reason(&s, NULL), "told to stop, KILL in 8s: not ready within start_timeout (1m 30s)");
	s.probe[PROBE_STARTUP] = (struct board_probe){HEALTH_UNKNOWN, FAULT_STATUS, {0}, 503};
	assert_string_equal(reason(&s, NULL),
	    "told to stop, KILL in 8s: not ready within start_timeout (1m 30s); its startup probe "
	    "fails: HTTP status 503");
	s.m.cause = CAUSE_EXIT; /* that is a reason of its own */
	assert_string_equal(reason(&s, NULL), "told to stop, KILL in 8s: exited 1");
	s.m.aux = AUX_STOP_COMMAND;
	s.m.cause = CAUSE_OPERATOR;
	assert_string_equal(reason(&s, NULL), "stop_command is running, KILL in 8s");
	s.m.killed = 1;
	assert_string_equal(reason(&s, NULL), "KILL was sent, it has not gone yet");

	s = web(STATE_CLEANUP, CAUSE_EXIT);
	s.m.exit_code = 0;
	s.m.deadline = NOW + 500;
	assert_string_equal(
	    reason(&s, NULL), "exited 0; processes it left are being ended, KILL in 500ms");
	s.m.killed = 1;
	assert_string_equal(
	    reason(&s, NULL), "exited 0; processes it left are being ended (KILL was sent)");
	s.m.aux = AUX_POST_STOP;
	assert_string_equal(reason(&s, NULL), "post_stop is running");
}

static void test_backoff(void **state)
{
	(void)state;
	struct board_service s = web(STATE_BACKOFF, CAUSE_EXIT);

	s.m.deadline = NOW + 3600;
	s.m.failures = 3;
	assert_string_equal(reason(&s, NULL), "restarting in 4s after exited 1 (3 in a row)");
	s.m.failures = 1;
	s.m.deadline = NOW - 1;
	assert_string_equal(reason(&s, NULL), "restarting now after exited 1");
	s.m.deadline = NOW + 250;
	s.m.cause = CAUSE_LIVENESS;
	assert_string_equal(
	    reason(&s, NULL), "restarting in 250ms after its liveness probe failed");
	s.m.cause = CAUSE_PRE_START;
	assert_string_equal(reason(&s, NULL), "restarting in 250ms after pre_start exited 1");
	s.m.cause = CAUSE_RESOURCES;
	assert_string_equal(reason(&s, NULL),
	    "starting in 250ms: the system had no process, memory or descriptor to give");
	s.m.cause = CAUSE_SPAWN;
	s.m.exit_kind = LAST_SPAWN_ERROR;
	s.m.exit_code = ENOENT;
	s.error_step = STEP_EXEC;
	s.error = ENOENT;
	assert_string_equal(reason(&s, NULL),
	    "restarting in 250ms after command not found; install it or give its full path");
}

static void test_ends(void **state)
{
	(void)state;
	struct board_service s = web(STATE_DONE, CAUSE_EXIT);

	s.m.exit_code = 0;
	assert_string_equal(reason(&s, NULL), "exited 0");
	s = web(STATE_FAILED, CAUSE_DEPENDENCY);
	assert_string_equal(reason(&s, "db"), "required service db has failed or ended");
	assert_string_equal(reason(&s, NULL), "a service it requires has failed or ended");
	s.m.cause = CAUSE_CONFIG;
	assert_string_equal(reason(&s, NULL), "its configuration is broken; see sinitctl check");
	s.m.cause = CAUSE_EXIT;
	assert_string_equal(reason(&s, NULL), "exited 1; restart policy: not again; "
					      "sinitctl start web starts it again");
	s.m.state = STATE_FATAL;
	assert_string_equal(reason(&s, NULL),
	    "restart limit reached: exited 1; sinitctl start web starts it again");
}

/* pre_start's own spawn error is told as one. */
static void test_pre_start_that_could_not_be_run(void **state)
{
	(void)state;
	struct board_service s = web(STATE_FATAL, CAUSE_PRE_START);

	s.m.exit_kind = LAST_SPAWN_ERROR;
	s.m.exit_code = EACCES;
	s.error_step = STEP_USER;
	assert_string_equal(reason(&s, NULL),
	    "restart limit reached: pre_start user: Permission denied; "
	    "sinitctl start web starts it again");
}

static const char *message(const struct board_event *event, const char *blocker)
{
	text_init(&text, buffer, sizeof(buffer));
	explain_event(&text, event, blocker);
	return buffer;
}

static void test_events(void **state)
{
	(void)state;
	static const struct {
		struct board_event event;
		const char *blocker, *message;
	} cases[] = {
	    {{.kind = EV_START, .pid = 12}, NULL, "started (pid 12)"},
	    {{.kind = EV_READY}, NULL, "ready"},
	    {{.kind = EV_EXIT, .exit_kind = LAST_EXITED, .code = 3, .pid = 12}, NULL,
		"exited 3 (pid 12)"},
	    {{.kind = EV_EXIT, .exit_kind = LAST_KILLED, .code = SIGABRT, .value = 1}, NULL,
		"killed by ABRT (core dumped)"},
	    {{.kind = EV_EXIT,
		 .exit_kind = LAST_SPAWN_ERROR,
		 .step = STEP_EXEC,
		 .code = ENOENT,
		 .pid = 12},
		NULL, "command not found; install it or give its full path"},
	    {{.kind = EV_BACKOFF,
		 .cause = CAUSE_EXIT,
		 .exit_kind = LAST_EXITED,
		 .code = 1,
		 .value = 2000},
		NULL, "restarting in 2s after exited 1"},
	    /* 1 is a delay here, and no core. */
	    {{.kind = EV_BACKOFF,
		 .cause = CAUSE_EXIT,
		 .exit_kind = LAST_KILLED,
		 .code = SIGKILL,
		 .value = 1},
		NULL, "restarting in 1ms after killed by KILL"},
	    {{.kind = EV_RESTART, .value = 3}, NULL, "restart 3"},
	    {{.kind = EV_STOP, .cause = CAUSE_OPERATOR}, NULL, "stopped by hand"},
	    {{.kind = EV_STOP, .cause = CAUSE_SHUTDOWN}, NULL, "stopped: sinit shuts down"},
	    {{.kind = EV_STOP, .cause = CAUSE_RESTART_WITH}, "db", "stopped: db was restarted"},
	    {{.kind = EV_STOP}, NULL, "stopped"},
	    {{.kind = EV_DONE}, NULL, "done"},
	    {{.kind = EV_FAILED, .cause = CAUSE_DEPENDENCY}, "db",
		"failed: required service db has failed or ended"},
	    {{.kind = EV_FATAL,
		 .name = "web",
		 .cause = CAUSE_EXIT,
		 .exit_kind = LAST_EXITED,
		 .code = 1},
		NULL, "restart limit reached: exited 1; sinitctl start web starts it again"},
	    {{.kind = EV_UNHEALTHY, .cause = CAUSE_LIVENESS}, NULL, "liveness probe fails"},
	    {{.kind = EV_UNHEALTHY, .cause = CAUSE_LIVENESS, .fault = FAULT_STATUS, .detail = 503},
		NULL, "liveness probe fails: HTTP status 503"},
	    {{.kind = EV_FATAL,
		 .name = "web",
		 .cause = CAUSE_LIVENESS,
		 .exit_kind = LAST_KILLED,
		 .code = SIGTERM,
		 .fault = FAULT_STATUS,
		 .detail = 503},
		NULL,
		"restart limit reached: its liveness probe failed: HTTP status 503; sinitctl start "
		"web starts it again"},
	    {{.kind = EV_FAILED, .cause = CAUSE_STARTUP, .fault = FAULT_TIMEOUT, .detail = 200},
		NULL, "failed: its startup probe failed: no answer within 200 ms"},
	    {{.kind = EV_RECOVERED, .value = 10000}, NULL, "ready for 10s"},
	    {{.kind = EV_RECOVERED}, NULL, "ready"},
	    {{.kind = EV_RECOVERED, .exit_kind = LAST_EXITED}, NULL, "done"},
	    {{.kind = EV_ALERT, .name = "web", .alert = "ops"}, NULL, "alert ops delivered"},
	    {{.kind = EV_ALERT,
		 .name = "web",
		 .alert = "ops",
		 .fault = FAULT_STATUS,
		 .detail = 404},
		NULL, "alert ops could not be delivered: HTTP status 404"},
	    {{.kind = EV_HEALTHY}, NULL, "readiness probe passes again"},
	    {{.kind = EV_RELOAD, .value = 1}, NULL, "configuration loaded, 1 service changed"},
	    {{.kind = EV_CONFIG, .name = "web"}, NULL,
		"its configuration is broken; see sinitctl check"},
	    {{.kind = EV_CONFIG}, NULL,
		"configuration refused, the old one stays; see sinitctl check"},
	    {{.kind = EV_SHUTDOWN, .code = SIGTERM}, NULL, "shutting down (SIGTERM)"},
	    {{.kind = EV_SHUTDOWN}, NULL, "shutting down"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_string_equal(message(&cases[i].event, cases[i].blocker), cases[i].message);
}

/* Each number that fits into the fields, sense or not: no crash, and within the buffer. */
static void test_nonsense(void **state)
{
	(void)state;
	char small[16];

	for (unsigned kind = 0; kind < 256; kind++)
		for (unsigned cause = 0; cause < 256; cause += kind < 20 ? 1 : 51) {
			struct board_service s = web((enum state)kind, (enum cause)cause);
			struct board_event event = {.kind = (uint8_t)kind,
			    .cause = (uint8_t)cause,
			    .exit_kind = (uint8_t)(kind + cause),
			    .step = (uint8_t)cause,
			    .code = INT32_MIN,
			    .value = UINT32_MAX};
			s.m.exit_kind = (uint8_t)cause;
			s.m.exit_code = INT32_MAX;
			s.m.deadline = kind % 2 ? INT64_MAX : INT64_MIN;
			text_init(&text, small, sizeof(small));
			explain_reason(&text, &s, "blocker", &words, 0);
			explain_event(&text, &event, "blocker");
			assert_true(strlen(small) < sizeof(small));
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_durations),
	    cmocka_unit_test(test_exits),
	    cmocka_unit_test(test_spawn_errors),
	    cmocka_unit_test(test_stopped),
	    cmocka_unit_test(test_on_the_way_up),
	    cmocka_unit_test(test_running),
	    cmocka_unit_test(test_on_the_way_down),
	    cmocka_unit_test(test_backoff),
	    cmocka_unit_test(test_ends),
	    cmocka_unit_test(test_pre_start_that_could_not_be_run),
	    cmocka_unit_test(test_events),
	    cmocka_unit_test(test_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
