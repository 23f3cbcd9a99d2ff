#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/birth.h"

#include "tests/unit/tempdir.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_MS = 20000 };

struct spawner *birth_spawner;
static char *const no_environment[] = {NULL};

int birth_setup(void **state)
{
	(void)state;
	tempdir_make();
	birth_spawner = spawner_new();
	return birth_spawner == NULL;
}

int birth_teardown(void **state)
{
	(void)state;
	spawner_free(birth_spawner);
	tempdir_remove();
	return 0;
}

void birth_block_signals(void)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
}

struct spawn birth_plain(char *const *argv)
{
	return (struct spawn){.argv = argv,
	    .envp = no_environment,
	    .path = "/usr/bin:/bin",
	    .umask = -1,
	    .nice = INT_MIN,
	    .oom_score_adj = INT_MIN};
}

int birth_wait(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct spawn_result birth_settle(pid_t pid)
{
	struct spawn_result result = {.pending = true};

	for (int64_t end = now_ms() + PATIENCE_MS; result.pending && now_ms() < end;) {
		assert_int_equal(spawn_poll(birth_spawner, pid, &result), 0);
		poll(NULL, 0, 1);
	}
	assert_false(result.pending);
	assert_int_equal(result.pid, pid);
	return result;
}

int birth_start(const struct spawn *spawn, struct spawn_result *ret)
{
	int error = spawn_start(birth_spawner, spawn, ret);

	if (error == 0 && ret->pending)
		*ret = birth_settle(ret->pid);
	return error;
}

void birth_run(const struct spawn *spawn, char *output, size_t size)
{
	struct spawn_result result;
	int file = open(tempdir_path("out"), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	int saved = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);

	fflush(stdout);
	dup2(file, STDOUT_FILENO);
	int error = birth_start(spawn, &result);
	dup2(saved, STDOUT_FILENO);
	close(saved);
	close(file);
	assert_int_equal(error, 0);
	assert_int_equal(result.step, STEP_NONE);
	assert_int_equal(birth_wait(result.pid), 0);
	file_read(tempdir_path("out"), output, size);
}

bool birth_fails_with(const struct spawn *spawn, enum spawn_step step, int number)
{
	struct spawn_result result;

	if (birth_start(spawn, &result) != 0)
		return false;
	return (result.pid == 0 || birth_wait(result.pid) == (step ? 127 : 0)) &&
	       result.step == step && result.error == number;
}

void birth_fails(const struct spawn *spawn, enum spawn_step step, int number)
{
	struct spawn_result result;

	assert_int_equal(birth_start(spawn, &result), 0);
	if (result.pid > 0)
		assert_int_equal(birth_wait(result.pid), 127);
	assert_int_equal(result.step, step);
	assert_int_equal(result.error, number);
}
