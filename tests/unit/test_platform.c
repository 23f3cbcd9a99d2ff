/* The platform: what it adds to the modules below it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "init/platform.h"
#include "tests/unit/tempdir.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char state_dir[PATH_MAX];

static int setup(void **state)
{
	(void)state;
	tempdir_make();
	snprintf(state_dir, sizeof(state_dir), "%s", tempdir_path("var/lib/sinit"));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	tempdir_remove();
	return 0;
}

static void test_markers(void **state)
{
	(void)state;
	assert_false(platform_marker_get(state_dir, "web"));
	assert_int_equal(platform_marker_set(state_dir, "web", false), 0); /* nothing there */
	assert_int_equal(platform_marker_set(state_dir, "web", true), 0);
	assert_int_equal(platform_marker_set(state_dir, "web", true), 0);
	assert_true(platform_marker_get(state_dir, "web"));
	assert_false(platform_marker_get(state_dir, "web@1"));
	assert_int_equal(platform_marker_set(state_dir, "web@1", true), 0);
	assert_int_equal(platform_marker_set(state_dir, "web", false), 0);
	assert_false(platform_marker_get(state_dir, "web"));
	assert_true(platform_marker_get(state_dir, "web@1"));
	assert_int_equal(platform_marker_set(state_dir, "web", false), 0);
}

static void test_marker_names_that_lead_astray(void **state)
{
	(void)state;
	static const char *const names[] = {"", ".", "..", "../x", "a/b", "/etc/passwd"};

	assert_int_equal(platform_marker_set(state_dir, "web", true), 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		assert_int_equal(platform_marker_set(state_dir, names[i], true), -EINVAL);
		assert_int_equal(platform_marker_set(state_dir, names[i], false), -EINVAL);
		assert_false(platform_marker_get(state_dir, names[i]));
	}
}

static void test_markers_where_nothing_can_be_written(void **state)
{
	(void)state;
	char target[PATH_MAX + 16], link[PATH_MAX + 16];

	assert_true(platform_marker_set("/proc/self/x", "web", true) < 0);
	tempdir_write("file", "", 0644);
	assert_int_equal(platform_marker_set(tempdir_path("file"), "web", true), -ENOTDIR);
	assert_false(platform_marker_get(tempdir_path("file"), "web"));

	/* A link that somebody put there is neither followed nor an obstacle to its removal. */
	assert_int_equal(platform_marker_set(state_dir, "other", true), 0);
	snprintf(target, sizeof(target), "%s", tempdir_path("target"));
	snprintf(link, sizeof(link), "%s/stopped/web", state_dir);
	assert_int_equal(symlink(target, link), 0);
	assert_int_equal(platform_marker_set(state_dir, "web", true), -ELOOP);
	assert_int_not_equal(access(target, F_OK), 0);
	assert_true(platform_marker_get(state_dir, "web"));
	assert_int_equal(platform_marker_set(state_dir, "web", false), 0);
}

static void test_kill_is_for_one_process(void **state)
{
	(void)state;
	assert_int_equal(platform_kill(0, 0), -EINVAL);
	assert_int_equal(platform_kill(-1, 0), -EINVAL);
	assert_int_equal(platform_kill(getpid(), 0), 0);
}

static int answer(void *arg)
{
	sigset_t mask;

	sigprocmask(SIG_BLOCK, NULL, &mask);
	return sigismember(&mask, SIGTERM) ? 99 : *(int *)arg;
}

/* All deaths there are, in order of being told; returns their number. */
static int reap_all(pid_t hint, pid_t *pid, struct exit_status *status, int most)
{
	int count = 0;
	int64_t again;

	for (int64_t end = platform_now() + 20000; count < most && platform_now() < end;) {
		int result = platform_reap(hint, &pid[count], &status[count], &again);
		if (result == 1)
			count++;
		else if (result == -ECHILD)
			break;
		else
			poll(NULL, 0, 1);
	}
	return count;
}

static void test_fork_and_reap(void **state)
{
	(void)state;
	enum { MANY = 20 };
	pid_t pid[MANY + 1], started[MANY];
	struct exit_status status[MANY + 1];
	int64_t again = 5;
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	assert_int_equal(platform_reap(0, pid, status, &again), -ECHILD);
	assert_int_equal(again, 0);
	for (int i = 0; i < MANY; i++) {
		started[i] = platform_fork(answer, &i);
		assert_true(started[i] > 0);
	}
	/* The same hint with each call, as a loop over one SIGCHLD gives it. */
	assert_int_equal(reap_all(started[3], pid, status, MANY + 1), MANY);
	for (int i = 0; i < MANY; i++) {
		assert_int_equal(status[i].kind, EXIT_EXITED);
		assert_int_equal(started[status[i].code], pid[i]);
	}
	/* No child is left; to find that out may have to wait until it is not too dear. */
	int result;
	while ((result = platform_reap(started[3], pid, status, &again)) == 0) {
		assert_true(again > 0);
		poll(NULL, 0, 1);
	}
	assert_int_equal(result, -ECHILD);
}

/* PID 1 of a namespace ends everybody in it and nobody outside. */
static int as_pid1(void)
{
	if (!platform_is_pid1())
		return 1;
	for (int i = 0; i < 3; i++)
		if (fork() == 0) {
			setsid();
			for (;;)
				pause();
		}
	if (platform_kill_everything(SIGKILL) != 0)
		return 2;
	int killed = 0, status;
	while (wait(&status) > 0)
		killed += WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
	return killed == 3 ? 0 : 3;
}

static void test_everything_as_pid1(void **state)
{
	(void)state;
	int status;
	pid_t outer = fork();

	if (outer == 0) {
		if (unshare(CLONE_NEWPID) < 0)
			_exit(77);
		pid_t pid = fork();
		if (pid == 0)
			_exit(as_pid1());
		waitpid(pid, &status, 0);
		_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 9);
	}
	waitpid(outer, &status, 0);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_clocks(void **state)
{
	(void)state;
	int64_t before = platform_now();

	poll(NULL, 0, 5);
	assert_in_range(platform_now() - before, 4, 60000);
	assert_true(platform_wall() > INT64_C(1700000000000000000));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_markers),
	    TEST(test_marker_names_that_lead_astray),
	    TEST(test_markers_where_nothing_can_be_written),
	    TEST(test_kill_is_for_one_process),
	    TEST(test_fork_and_reap),
	    TEST(test_everything_as_pid1),
	    TEST(test_clocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
