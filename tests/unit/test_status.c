/* Wait statuses: against real deaths as well as against made-up ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "init/base.h"
#include "reaper/reap.h"
#include "reaper/status.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static struct exit_status died(int code, int signal)
{
	struct death death;
	pid_t pid = fork();

	if (pid == 0) {
		const struct rlimit none = {0, 0};
		setrlimit(RLIMIT_CORE, &none);
		prctl(PR_SET_DUMPABLE, 0);
		if (signal) {
			struct sigaction action = {.sa_handler = SIG_DFL};
			sigaction(signal, &action, NULL);
			kill(getpid(), signal);
		}
		_exit(code);
	}
	assert_true(pid > 0);
	int result;
	while ((result = reap_wait(pid, &death)) == 0)
		usleep(1000);
	assert_int_equal(result, 1);
	assert_int_equal(death.pid, pid);
	return death.status;
}

static const char *sentence(const struct exit_status *status)
{
	static char buffer[64];
	struct text text;

	text_init(&text, buffer, sizeof(buffer));
	exit_status_text(status, &text);
	return buffer;
}

static void test_every_exit_code(void **state)
{
	(void)state;
	for (int code = 0; code < 256; code++) {
		struct exit_status status = exit_status_decode(CLD_EXITED, code);
		assert_int_equal(status.kind, EXIT_EXITED);
		assert_int_equal(status.code, code);
		assert_false(status.core);
		assert_int_equal(exit_status_code(&status), code);
	}
}

static void test_every_signal(void **state)
{
	(void)state;
	for (int signal = 1; signal <= 64; signal++) {
		struct exit_status status = exit_status_decode(CLD_KILLED, signal);
		assert_int_equal(status.kind, EXIT_KILLED);
		assert_int_equal(status.code, signal);
		assert_false(status.core);
		assert_int_equal(exit_status_code(&status), 128 + signal);
		status = exit_status_decode(CLD_DUMPED, signal);
		assert_int_equal(status.kind, EXIT_KILLED);
		assert_true(status.core);
		assert_int_equal(exit_status_code(&status), 128 + signal);
	}
}

static void test_what_is_no_death(void **state)
{
	static const int others[] = {CLD_STOPPED, CLD_CONTINUED, CLD_TRAPPED, SI_USER, 0, 99};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		struct exit_status status = exit_status_decode(others[i], SIGSTOP);
		assert_int_equal(status.kind, EXIT_NONE);
		assert_int_equal(exit_status_code(&status), 0);
		assert_string_equal(sentence(&status), "has not ended");
	}
}

static void test_real_deaths(void **state)
{
	static const int codes[] = {0, 1, 2, 127, 128, 255};
	static const int signals[] = {SIGTERM, SIGKILL, SIGSEGV, SIGABRT, SIGHUP, 64};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		struct exit_status status = died(codes[i], 0);
		assert_int_equal(status.kind, EXIT_EXITED);
		assert_int_equal(status.code, codes[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
		struct exit_status status = died(0, signals[i]);
		assert_int_equal(status.kind, EXIT_KILLED);
		assert_int_equal(status.code, signals[i]);
	}
}

static void test_sentences(void **state)
{
	struct exit_status status = {.kind = EXIT_EXITED, .code = 3};

	(void)state;
	assert_string_equal(sentence(&status), "exited with code 3");
	status = (struct exit_status){.kind = EXIT_KILLED, .code = SIGKILL};
	assert_string_equal(sentence(&status), "killed by SIGKILL");
	status = (struct exit_status){.kind = EXIT_KILLED, .core = true, .code = SIGSEGV};
	assert_string_equal(sentence(&status), "killed by SIGSEGV (core dumped)");
}

static void test_looking_does_not_reap(void **state)
{
	struct death death;
	pid_t pid = fork();

	(void)state;
	if (pid == 0)
		_exit(5);
	while (reap_look(pid, &death) == 0)
		usleep(1000);
	assert_int_equal(death.pid, pid);
	assert_int_equal(reap_look(pid, &death), 1);
	assert_int_equal(kill(pid, 0), 0);
	assert_int_equal(reap_wait(0, &death), 1);
	assert_int_equal(death.status.code, 5);
	assert_true(reap_wait(pid, &death) < 0);
	assert_true(reap_wait(0, &death) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_exit_code),
	    cmocka_unit_test(test_every_signal),
	    cmocka_unit_test(test_what_is_no_death),
	    cmocka_unit_test(test_real_deaths),
	    cmocka_unit_test(test_sentences),
	    cmocka_unit_test(test_looking_does_not_reap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
