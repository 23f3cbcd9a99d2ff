/* Births that fail: the step that is named, and its errno. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/birth.h"
#include "tests/unit/tempdir.h"

#include <errno.h>
#include <grp.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NOBODY = 65534 };

static void test_failures_of_the_command(void **state)
{
	(void)state;
	struct spawn_result result;
	struct spawn spawn = birth_plain(ARGV("/nonexistent"));

	birth_fails(&spawn, STEP_EXEC, ENOENT);
	spawn.argv = ARGV("no-such-command-anywhere");
	birth_fails(&spawn, STEP_EXEC, ENOENT);
	spawn.argv = ARGV("/etc");
	birth_fails(&spawn, STEP_EXEC, EACCES);
	spawn.argv = ARGV((char *)tempdir_write("plain", "#!/bin/sh\n", 0644));
	birth_fails(&spawn, STEP_EXEC, EACCES);
	spawn.argv = ARGV((char *)tempdir_write("text", "echo hello\n", 0755));
	birth_fails(&spawn, STEP_EXEC, ENOEXEC);
	spawn.argv = ARGV((char *)tempdir_write("lost", "#!/no/such/shell -x\n", 0755));
	assert_int_equal(birth_start(&spawn, &result), 0);
	assert_int_equal(result.step, STEP_INTERPRETER);
	assert_int_equal(result.error, ENOENT);
	assert_string_equal(result.detail, "/no/such/shell");
	assert_int_equal(birth_wait(result.pid), 127);
}

static void test_failures_before_it(void **state)
{
	(void)state;
	struct spawn_limit upside_down = {RLIMIT_NOFILE, 50, 40};
	struct spawn spawn = birth_plain(ARGV("true"));

	spawn.directory = "/no/such/directory";
	birth_fails(&spawn, STEP_DIRECTORY, ENOENT);
	spawn.directory = "/etc/passwd";
	birth_fails(&spawn, STEP_DIRECTORY, ENOTDIR);

	spawn = birth_plain(ARGV("true"));
	spawn.limits = &upside_down;
	spawn.limit_count = 1;
	birth_fails(&spawn, STEP_LIMITS, EINVAL);

	spawn = birth_plain(ARGV("true"));
	spawn.tty = "/dev/no-such-tty";
	birth_fails(&spawn, STEP_TTY, ENOENT);
	spawn.tty = "/dev/null";
	birth_fails(&spawn, STEP_TTY, ENOTTY);

	spawn = birth_plain(ARGV("true"));
	spawn.in = STDIO_PATH;
	spawn.stdin_path = "/no/such/file";
	birth_fails(&spawn, STEP_STDIN, ENOENT);

	spawn = birth_plain(ARGV("true"));
	spawn.oom_score_adj = 5000;
	birth_fails(&spawn, STEP_OOM_SCORE, EINVAL);
}

static void test_unknown_user_makes_no_process(void **state)
{
	(void)state;
	struct spawn_result result;
	struct spawn spawn = birth_plain(ARGV("true"));

	spawn.unknown_user = true;
	assert_int_equal(birth_start(&spawn, &result), 0);
	assert_int_equal(result.pid, 0);
	assert_int_equal(result.step, STEP_USER);
	assert_int_equal(result.error, ENOENT);
}

/* The rest of a test as a user without privileges; its own copy of everything. */
static void unprivileged(void (*rest)(void))
{
	pid_t pid = fork();

	if (pid == 0) {
		if (setgroups(0, NULL) < 0 || setgid(NOBODY) < 0 || setuid(NOBODY) < 0)
			_exit(99);
		rest();
		_exit(0);
	}
	assert_int_equal(birth_wait(pid), 0);
}

static void refusals(void)
{
	struct spawn spawn = birth_plain(ARGV("true"));

	spawn.set_ids = true;
	spawn.uid = 0;
	spawn.gid = 0;
	if (!birth_fails_with(&spawn, STEP_GROUPS, EPERM))
		_exit(1);
	/* Somebody who asks to be himself is not refused, even without privileges. */
	spawn.uid = spawn.gid = NOBODY;
	if (!birth_fails_with(&spawn, STEP_NONE, 0))
		_exit(2);
	spawn = birth_plain(ARGV("true"));
	spawn.nice = -5;
	if (!birth_fails_with(&spawn, STEP_PRIORITY, EACCES))
		_exit(3);
	spawn = birth_plain(ARGV("true"));
	spawn.oom_score_adj = -900;
	if (!birth_fails_with(&spawn, STEP_OOM_SCORE, EACCES))
		_exit(4);
	spawn = birth_plain(ARGV("true"));
	spawn.directory = tempdir_path("closed");
	if (!birth_fails_with(&spawn, STEP_DIRECTORY, EACCES))
		_exit(5);
}

static void test_refusals_without_privileges(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(mkdir(tempdir_path("closed"), 0700), 0);
	unprivileged(refusals);
}

static void test_directory_is_entered_as_the_user(void **state)
{
	(void)state;
	struct spawn spawn = birth_plain(ARGV("true"));

	if (geteuid() != 0)
		skip();
	assert_int_equal(mkdir(tempdir_path("closed"), 0700), 0);
	spawn.directory = tempdir_path("closed");
	spawn.set_ids = true;
	spawn.uid = spawn.gid = 12345;
	birth_fails(&spawn, STEP_DIRECTORY, EACCES);
}

static void test_too_many_limits(void **state)
{
	(void)state;
	struct spawn_limit limits[SPAWN_LIMITS + 1] = {{0}};
	struct spawn spawn = birth_plain(ARGV("true"));
	struct spawn_result result;

	spawn.limits = limits;
	spawn.limit_count = SPAWN_LIMITS + 1;
	assert_int_equal(birth_start(&spawn, &result), -EINVAL);
}

static void test_no_process_to_be_had(void **state)
{
	(void)state;
	struct spawn spawn = birth_plain(ARGV("true"));
	struct rlimit old, none;
	struct spawn_result result;

	/* No descriptor for the pipe of a birth apart. */
	getrlimit(RLIMIT_NOFILE, &old);
	spawn.oom_score_adj = 1;
	assert_true(birth_fails_with(&spawn, STEP_NONE, 0)); /* /dev/null is open from now on */
	none = (struct rlimit){.rlim_cur = 3, .rlim_max = old.rlim_max};
	setrlimit(RLIMIT_NOFILE, &none);
	int error = spawn_start(birth_spawner, &spawn, &result);
	setrlimit(RLIMIT_NOFILE, &old);
	assert_int_equal(error, -EMFILE);
	assert_true(birth_fails_with(&spawn, STEP_NONE, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    BIRTH_TEST(test_failures_of_the_command),
	    BIRTH_TEST(test_failures_before_it),
	    BIRTH_TEST(test_unknown_user_makes_no_process),
	    BIRTH_TEST(test_refusals_without_privileges),
	    BIRTH_TEST(test_directory_is_entered_as_the_user),
	    BIRTH_TEST(test_too_many_limits),
	    BIRTH_TEST(test_no_process_to_be_had),
	};

	birth_block_signals();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
