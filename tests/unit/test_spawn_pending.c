/* Births that hang before their exec, and what 5,000 births leave behind: nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/birth.h"
#include "tests/unit/tempdir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* One that waits for somebody to write to a FIFO before it gets to its exec. */
static struct spawn hanging(const char *fifo)
{
	static char *const argv[] = {"sh", "-c", "read x; test \"$x\" = go", NULL};
	struct spawn spawn = birth_plain(argv);

	spawn.in = STDIO_PATH;
	spawn.stdin_path = fifo;
	return spawn;
}

static void pending_then_well(int oom_score_adj)
{
	struct spawn_result result, other;
	char fifo[PATH_MAX];

	snprintf(fifo, sizeof(fifo), "%s", tempdir_path("fifo"));
	mkfifo(fifo, 0600);
	struct spawn spawn = hanging(fifo);
	spawn.oom_score_adj = oom_score_adj;
	assert_int_equal(spawn_start(birth_spawner, &spawn, &result), 0);
	assert_true(result.pending);
	assert_true(result.pid > 0);
	assert_int_equal(spawn_poll(birth_spawner, result.pid, &other), 0);
	assert_true(other.pending);

	/* Others are not kept from being born. */
	struct spawn next = birth_plain(ARGV("sh", "-c", "exit 3"));
	assert_int_equal(birth_start(&next, &other), 0);
	assert_int_equal(birth_wait(other.pid), 3);

	int writer = open(fifo, O_WRONLY | O_CLOEXEC);
	assert_int_equal(write(writer, "go\n", 3), 3);
	other = birth_settle(result.pid);
	assert_int_equal(other.step, STEP_NONE);
	close(writer);
	assert_int_equal(birth_wait(result.pid), 0);
	assert_int_equal(spawn_poll(birth_spawner, result.pid, &other), -ENOENT);
}

static void test_pending_then_well(void **state)
{
	(void)state;
	pending_then_well(INT_MIN);
	pending_then_well(10);
}

static void test_pending_then_failed(void **state)
{
	(void)state;
	struct spawn_result result;
	char fifo[PATH_MAX];

	snprintf(fifo, sizeof(fifo), "%s", tempdir_path("fifo"));
	mkfifo(fifo, 0600);
	struct spawn spawn = hanging(fifo);
	spawn.argv = ARGV("/nonexistent");
	assert_int_equal(spawn_start(birth_spawner, &spawn, &result), 0);
	assert_true(result.pending);
	int writer = open(fifo, O_WRONLY | O_CLOEXEC);
	result = birth_settle(result.pid);
	assert_int_equal(result.step, STEP_EXEC);
	assert_int_equal(result.error, ENOENT);
	close(writer);
	assert_int_equal(birth_wait(result.pid), 127);
}

static void test_pending_then_killed(void **state)
{
	(void)state;
	struct spawn_result result[SPAWN_SLOTS], other;
	char fifo[PATH_MAX];

	snprintf(fifo, sizeof(fifo), "%s", tempdir_path("fifo"));
	mkfifo(fifo, 0600);
	struct spawn spawn = hanging(fifo);
	for (int i = 0; i < SPAWN_SLOTS; i++) {
		assert_int_equal(spawn_start(birth_spawner, &spawn, &result[i]), 0);
		assert_true(result[i].pending);
	}
	assert_int_equal(spawn_start(birth_spawner, &spawn, &other), -EBUSY);
	/* Asked for after its death, */
	kill(result[0].pid, SIGKILL);
	other = birth_settle(result[0].pid);
	assert_int_equal(other.step, STEP_NONE);
	assert_int_equal(birth_wait(other.pid), 128 + SIGKILL);
	/* after it was reaped, */
	kill(result[1].pid, SIGKILL);
	assert_int_equal(birth_wait(result[1].pid), 128 + SIGKILL);
	birth_settle(result[1].pid);
	/* and never: its slot is found to be free when one is needed. */
	for (int i = 2; i < SPAWN_SLOTS; i++) {
		kill(result[i].pid, SIGKILL);
		assert_int_equal(birth_wait(result[i].pid), 128 + SIGKILL);
	}
	struct spawn next = birth_plain(ARGV("true"));
	for (int i = 0; i < 2 * SPAWN_SLOTS; i++) {
		if (i < SPAWN_SLOTS) {
			assert_int_equal(birth_start(&next, &other), 0);
		} else {
			assert_int_equal(spawn_start(birth_spawner, &spawn, &other), 0);
			assert_true(other.pending);
			kill(other.pid, SIGKILL);
		}
		assert_true(birth_wait(other.pid) >= 0);
	}
	for (int i = 0; i < SPAWN_SLOTS; i++)
		spawn_poll(birth_spawner, result[i].pid, &other);
}

static int count_entries(const char *path)
{
	DIR *directory = opendir(path);
	int count = 0;

	assert_non_null(directory);
	while (readdir(directory))
		count++;
	closedir(directory);
	return count;
}

static int count_maps(void)
{
	static char maps[1 << 18];
	int lines = 0;

	file_read("/proc/self/maps", maps, sizeof(maps));
	for (const char *c = maps; *c; c++)
		lines += *c == '\n';
	return lines;
}

static void spawn_many(int count)
{
	struct spawn good = birth_plain(ARGV("/bin/true")), bad = birth_plain(ARGV("/nonexistent"));
	struct spawn apart = good;

	good.in = STDIO_NULL;
	apart.oom_score_adj = 1;
	for (int i = 0; i < count; i++) {
		if (i % 10 == 0)
			assert_true(birth_fails_with(&good, STEP_NONE, 0));
		else if (i % 10 == 1)
			assert_true(birth_fails_with(&apart, STEP_NONE, 0));
		else
			assert_true(birth_fails_with(&bad, STEP_EXEC, ENOENT));
	}
}

static void test_five_thousand(void **state)
{
	(void)state;
	spawn_many(20);
	int descriptors = count_entries("/proc/self/fd"), maps = count_maps();
	spawn_many(5000);
	assert_int_equal(count_entries("/proc/self/fd"), descriptors);
	assert_in_range(count_maps(), maps - 2, maps + 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    BIRTH_TEST(test_pending_then_well),
	    BIRTH_TEST(test_pending_then_failed),
	    BIRTH_TEST(test_pending_then_killed),
	    BIRTH_TEST(test_five_thousand),
	};

	birth_block_signals();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
