/* Births, with real processes: what a child finds, and which step is named when one fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/birth.h"
#include "tests/unit/tempdir.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

static void test_exit_code_arguments_environment(void **state)
{
	(void)state;
	char output[256];
	struct spawn_result result;
	struct spawn spawn = birth_plain(ARGV("sh", "-c", "exit 7"));

	assert_int_equal(birth_start(&spawn, &result), 0);
	assert_true(result.pid > 0);
	assert_int_equal(result.step, STEP_NONE);
	assert_int_equal(birth_wait(result.pid), 7);

	spawn = birth_plain(ARGV("/usr/bin/env"));
	spawn.envp = ARGV("A=1", "B=x y");
	birth_run(&spawn, output, sizeof(output));
	assert_string_equal(output, "A=1\nB=x y\n");

	spawn = birth_plain(ARGV("printf", "<%s>", "a b", "", "*"));
	birth_run(&spawn, output, sizeof(output));
	assert_string_equal(output, "<a b><><*>");
}

/* The line of /proc/self/status that begins with `key`, without it. */
static const char *status_line(const char *status, const char *key)
{
	static char line[128];
	const char *at = strstr(status, key);

	assert_non_null(at);
	snprintf(line, sizeof(line), "%s", at + strlen(key) + 1);
	line[strcspn(line, "\n")] = '\0';
	return line;
}

static void never_called(int sig)
{
	(void)sig;
	abort();
}

static void test_signals_are_all_default_and_none_blocked(void **state)
{
	(void)state;
	char output[4096];
	struct spawn spawn = birth_plain(ARGV("cat", "/proc/self/status"));

	signal(SIGPIPE, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGRTMAX, SIG_IGN);
	signal(SIGUSR1, never_called);
	spawner_free(birth_spawner);
	birth_spawner = spawner_new();
	birth_run(&spawn, output, sizeof(output));
	signal(SIGPIPE, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	signal(SIGRTMAX, SIG_DFL);
	signal(SIGUSR1, SIG_DFL);
	assert_string_equal(status_line(output, "SigBlk:"), "0000000000000000");
	assert_string_equal(status_line(output, "SigIgn:"), "0000000000000000");
	assert_string_equal(status_line(output, "SigCgt:"), "0000000000000000");
	assert_string_equal(status_line(output, "SigPnd:"), "0000000000000000");
}

static void test_directory_umask_nice_limits(void **state)
{
	(void)state;
	char output[256];
	struct spawn spawn =
	    birth_plain(ARGV("sh", "-c", "pwd; umask; nice; ulimit -n; ulimit -Hc"));
	struct spawn_limit limits[] = {{RLIMIT_NOFILE, 33, 44}, {RLIMIT_CORE, 0, 0}};
	mode_t before = umask(022);

	spawn.directory = "/usr";
	spawn.umask = 027;
	spawn.nice = 7;
	spawn.limits = limits;
	spawn.limit_count = 2;
	birth_run(&spawn, output, sizeof(output));
	assert_string_equal(output, "/usr\n0027\n7\n33\n0\n");

	spawn = birth_plain(ARGV("sh", "-c", "pwd; umask"));
	birth_run(&spawn, output, sizeof(output));
	assert_string_equal(output, "/\n0022\n");
	umask(before);
}

/* A low limit must not be in the way of the steps before the exec. */
static void test_limit_of_three_descriptors(void **state)
{
	(void)state;
	char output[64];
	struct spawn spawn = birth_plain(ARGV("sh", "-c", "read x; echo $x"));
	struct spawn_limit limit = {RLIMIT_NOFILE, 10, 10};

	spawn.in = STDIO_PATH;
	spawn.stdin_path = tempdir_write("in", "hello\n", 0644);
	spawn.limits = &limit;
	spawn.limit_count = 1;
	spawn.oom_score_adj = 700;
	birth_run(&spawn, output, sizeof(output));
	assert_string_equal(output, "hello\n");
}

static void test_oom_score_is_the_childs_alone(void **state)
{
	(void)state;
	char output[64], mine[16], after[16];
	struct spawn spawn = birth_plain(ARGV("cat", "/proc/self/oom_score_adj"));

	file_read("/proc/self/oom_score_adj", mine, sizeof(mine));
	spawn.oom_score_adj = 321;
	birth_run(&spawn, output, sizeof(output));
	assert_string_equal(output, "321\n");
	file_read("/proc/self/oom_score_adj", after, sizeof(after));
	assert_string_equal(after, mine);
	spawn.argv = ARGV("/nonexistent");
	birth_fails(&spawn, STEP_EXEC, ENOENT);
}

static void test_session_or_process_group(void **state)
{
	(void)state;
	char output[256];
	int pid, group, session;
	struct spawn spawn = birth_plain(ARGV("cat", "/proc/self/stat"));

	birth_run(&spawn, output, sizeof(output));
	assert_int_equal(sscanf(output, "%d (cat) %*c %*d %d %d", &pid, &group, &session), 3);
	assert_int_equal(group, pid);
	assert_int_equal(session, pid);

	spawn.foreground = true;
	birth_run(&spawn, output, sizeof(output));
	assert_int_equal(sscanf(output, "%d (cat) %*c %*d %d %d", &pid, &group, &session), 3);
	assert_int_equal(group, pid);
	assert_int_equal(session, getsid(0));
}

static void test_streams(void **state)
{
	(void)state;
	char output[256];
	struct spawn spawn = birth_plain(ARGV("readlink", "/proc/self/fd/0", "/proc/self/fd/2"));

	spawn.in = STDIO_NULL;
	birth_run(&spawn, output, sizeof(output));
	assert_int_equal(strncmp(output, "/dev/null\n", 10), 0);

	/* Nothing of it arrives. */
	spawn = birth_plain(ARGV("sh", "-c", "echo out; echo err >&2"));
	spawn.out.kind = spawn.err.kind = STDIO_NULL;
	birth_run(&spawn, output, sizeof(output));
	assert_string_equal(output, "");
}

/* What this program does when it is called as a child: tells which descriptors are open. */
static int tell_descriptors(void)
{
	for (int fd = 0; fd < 5000; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			dprintf(STDOUT_FILENO, "%d ", fd);
	return 0;
}

static char self[PATH_MAX];

static void test_descriptors_are_three(void **state)
{
	(void)state;
	char output[256];
	struct spawn spawn = birth_plain(ARGV(self, "--descriptors"));
	struct rlimit old, most;
	int leak = fcntl(STDERR_FILENO, F_DUPFD, 700); /* as if inherited: not close-on-exec */

	getrlimit(RLIMIT_NOFILE, &old);
	most = (struct rlimit){.rlim_cur = old.rlim_max, .rlim_max = old.rlim_max};
	setrlimit(RLIMIT_NOFILE, &most);
	birth_run(&spawn, output, sizeof(output));
	assert_string_equal(output, "0 1 2 ");
	spawn.oom_score_adj = 100; /* born apart */
	birth_run(&spawn, output, sizeof(output));
	assert_string_equal(output, "0 1 2 ");
	setrlimit(RLIMIT_NOFILE, &old);
	close(leak);
}

/* And when it has a terminal: whether it is its own. */
static int tell_terminal(void)
{
	dprintf(STDOUT_FILENO, "%d%d%d %d", isatty(0), isatty(1), isatty(2),
	    tcgetpgrp(0) == getpid() && tcgetsid(0) == getpid());
	return 0;
}

static void test_tty(void **state)
{
	(void)state;
	char output[64] = "";
	struct spawn spawn = birth_plain(ARGV(self, "--terminal"));
	struct spawn_result result;
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0)
		skip();
	spawn.tty = ptsname(master);
	for (int foreground = 0; foreground <= 1; foreground++) {
		spawn.foreground = foreground;
		assert_int_equal(birth_start(&spawn, &result), 0);
		assert_int_equal(result.step, STEP_NONE);
		assert_int_equal(birth_wait(result.pid), 0);
		ssize_t count = read(master, output, sizeof(output) - 1);
		output[count > 0 ? count : 0] = '\0';
		assert_string_equal(output, "111 1");
	}
	close(master);
}

static void test_identity(void **state)
{
	(void)state;
	char output[256];
	struct spawn spawn = birth_plain(ARGV("sh", "-c", "id -u; id -g; id -G"));

	if (geteuid() != 0)
		skip();
	spawn.set_ids = true;
	spawn.uid = 12345;
	spawn.gid = 23456;
	spawn.groups = (gid_t[]){1, 70000};
	spawn.group_count = 2;
	birth_run(&spawn, output, sizeof(output));
	assert_string_equal(output, "12345\n23456\n23456 1 70000\n");
	spawn.group_count = 0;
	birth_run(&spawn, output, sizeof(output));
	assert_string_equal(output, "12345\n23456\n23456\n");
	assert_int_equal(geteuid(), 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    BIRTH_TEST(test_exit_code_arguments_environment),
	    BIRTH_TEST(test_signals_are_all_default_and_none_blocked),
	    BIRTH_TEST(test_directory_umask_nice_limits),
	    BIRTH_TEST(test_limit_of_three_descriptors),
	    BIRTH_TEST(test_oom_score_is_the_childs_alone),
	    BIRTH_TEST(test_session_or_process_group),
	    BIRTH_TEST(test_streams),
	    BIRTH_TEST(test_descriptors_are_three),
	    BIRTH_TEST(test_tty),
	    BIRTH_TEST(test_identity),
	};
	if (argc > 1 && strcmp(argv[1], "--descriptors") == 0)
		return tell_descriptors();
	if (argc > 1 && strcmp(argv[1], "--terminal") == 0)
		return tell_terminal();
	if (readlink("/proc/self/exe", self, sizeof(self) - 1) <= 0)
		return 1;
	birth_block_signals();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
