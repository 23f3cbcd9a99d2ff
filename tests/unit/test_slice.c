/* Slices in a real cgroup v2 tree: births into them, signals, freezing, events, removal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/birth.h"
#include "tests/unit/cgroup_lab.h"
#include "tests/unit/tempdir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_clone3
#define SYS_clone3 435
#endif

enum { CANNOT = 77, ROUNDS = 500 };

/* --- the directory ------------------------------------------------------------------------ */

static void test_open_and_remove(void **state)
{
	struct slice slice, again;

	(void)state;
	lab_needed();
	assert_int_equal(slice_open(&lab, "a", &slice), 0);
	assert_true(lab_exists("a"));
	assert_true(slice.fd >= 0 && slice.events_wd < 0);
	assert_int_equal(slice_signal(&slice, 0), 0);
	assert_int_equal(slice_signal(&slice, SIGKILL), 0);
	assert_int_equal(slice_open(&lab, "a", &again), 0); /* the one that is there */
	assert_int_equal(slice_remove(&lab, "a", &slice), 0);
	assert_int_equal(slice.fd, -1);
	assert_false(lab_exists("a"));
	assert_int_equal(slice_remove(&lab, "a", &again), 0); /* somebody was faster */
	cgroup_tree_close(&lab);
	assert_int_equal(slice_open(&lab, "a", &slice), -ENOTSUP);
}

static void test_remove_with_cgroups_inside(void **state)
{
	struct slice slice;

	(void)state;
	lab_needed();
	assert_int_equal(slice_open(&lab, "a", &slice), 0);
	assert_int_equal(mkdir(lab_file("a", "x"), 0755), 0);
	assert_int_equal(mkdir(lab_file("a", "x/y"), 0755), 0);
	assert_int_equal(mkdir(lab_file("a", "z"), 0755), 0);
	assert_int_equal(slice_remove(&lab, "a", &slice), 0);
	assert_false(lab_exists("a"));
}

static void write_number(const char *path, pid_t pid)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	assert_true(dprintf(fd, "%d", (int)pid) > 0);
	close(fd);
}

static void test_processes_keep_it(void **state)
{
	struct slice slice;
	pid_t pid;

	(void)state;
	lab_needed();
	assert_int_equal(slice_open(&lab, "a", &slice), 0);
	assert_int_equal(mkdir(lab_file("a", "x"), 0755), 0);
	pid = lab_start(&slice, "a", "--wait", 1);
	write_number(lab_file("a", "x/cgroup.procs"), pid); /* as a container's manager does */
	assert_int_equal(lab_count("a"), 0);
	assert_int_equal(slice_signal(&slice, 0), 1);
	assert_int_equal(slice_remove(&lab, "a", &slice), -EBUSY);
	assert_int_equal(slice.fd, -1);
	assert_true(lab_exists("a"));
	assert_int_equal(slice_open(&lab, "a", &slice), 0); /* and it is found again */
	assert_int_equal(slice_signal(&slice, SIGTERM), 1); /* also below */
	assert_true(lab_emptied(&slice));
	assert_int_equal(slice_remove(&lab, "a", &slice), 0);
}

/* --- births ---------------------------------------------------------------------------------- */

static bool says_slice(const char *text)
{
	const char *line = strstr(text, "0::");

	return line && strstr(line, "/a.service\n");
}

/* 0: a child found itself in the slice, however it was born. */
static int births(const struct slice *slice)
{
	struct spawn spawn = birth_plain(ARGV("cat", "/proc/self/cgroup"));
	char output[4096];

	spawn.in_slice = true;
	spawn.slice_fd = slice->fd;
	spawn.walks_in = slice->killed;
	for (int i = 0; i < 3; i++) {
		spawn.oom_score_adj = i == 1 ? 500 : INT32_MIN; /* of shared memory, or not */
		birth_run(&spawn, output, sizeof(output));
		if (!says_slice(output))
			return 1 + i;
	}
	return 0;
}

static void test_birth(void **state)
{
	struct slice slice;

	(void)state;
	lab_needed();
	assert_int_equal(slice_open(&lab, "a", &slice), 0);
	assert_int_equal(births(&slice), 0);
	assert_true(lab_emptied(&slice));
	assert_int_equal(slice_remove(&lab, "a", &slice), 0);
}

/* From now on clone3(2) is unknown, as to an old kernel or a container's filter. */
static int refuse_clone3(void)
{
	struct sock_filter code[] = {
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 1),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = {.len = sizeof(code) / sizeof(code[0]), .filter = code};

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) < 0 ? CANNOT : 0;
}

/* Runs `test` in a process of its own. */
static void in_child(int (*test)(struct slice *), struct slice *slice)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(test(slice));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == CANNOT)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

static int births_without_clone3(struct slice *slice)
{
	int result = refuse_clone3();

	return result ? result : births(slice);
}

static void test_birth_without_clone3(void **state)
{
	struct slice slice;

	(void)state;
	lab_needed();
	assert_int_equal(slice_open(&lab, "a", &slice), 0);
	in_child(births_without_clone3, &slice);
	assert_true(lab_emptied(&slice));
	assert_int_equal(slice_remove(&lab, "a", &slice), 0);
}

static int birth_nowhere(struct slice *slice)
{
	struct spawn spawn = birth_plain(ARGV("true"));
	struct spawn_result result;

	spawn.in_slice = true;
	spawn.slice_fd = slice->fd;
	if (birth_start(&spawn, &result) != 0 || result.step != STEP_CGROUP)
		return 1;
	return result.pid > 0 && birth_wait(result.pid) != 127;
}

static int birth_nowhere_without_clone3(struct slice *slice)
{
	int result = refuse_clone3();

	return result ? result : birth_nowhere(slice);
}

static void test_birth_into_a_removed_slice(void **state)
{
	struct slice slice;

	(void)state;
	lab_needed();
	assert_int_equal(slice_open(&lab, "a", &slice), 0);
	assert_int_equal(rmdir(lab_file("a", "")), 0);
	assert_int_equal(birth_nowhere(&slice), 0);
	in_child(birth_nowhere_without_clone3, &slice);
	assert_int_equal(slice_remove(&lab, "a", &slice), 0);
}

/* --- signals ---------------------------------------------------------------------------------- */

static void test_signal_reaches_all(void **state)
{
	struct slice slice, other;
	pid_t bystander;

	(void)state;
	lab_needed();
	assert_int_equal(slice_open(&lab, "a", &slice), 0);
	assert_int_equal(slice_open(&lab, "b", &other), 0);
	bystander = lab_start(&other, "b", "--wait", 1);
	lab_start(&slice, "a", "--tree", 5);
	assert_int_equal(slice_signal(&slice, 0), 1);
	assert_int_equal(lab_count("a"), 5);
	assert_int_equal(slice_signal(&slice, SIGTERM), 1);
	assert_true(LAB_SOON((waitpid(-1, NULL, WNOHANG), slice_signal(&slice, 0) == 0)));
	assert_int_equal(waitpid(bystander, NULL, WNOHANG), 0);
	assert_int_equal(slice_signal(&other, SIGKILL), 1);
	assert_true(lab_emptied(&other));
	assert_int_equal(slice_remove(&lab, "a", &slice), 0);
	assert_int_equal(slice_remove(&lab, "b", &other), 0);
}

/* Without cgroup.kill who was just forking is met by the next KILL. */
static bool are_killed(struct slice *slice, bool once)
{
	if (lab_is_empty(slice))
		return true;
	if (!once)
		slice_signal(slice, SIGKILL);
	return false;
}

static int kills(struct slice *slice, bool once)
{
	static const char *const words[] = {"--tree", "--deaf", "--chain"};
	static const int processes[] = {5, 1, 0};

	for (unsigned i = 0; i < 3; i++) {
		lab_start(slice, "a", words[i], processes[i]);
		if (slice_signal(slice, SIGKILL) != 1 || !LAB_SOON(are_killed(slice, once)))
			return 1 + (int)i;
	}
	return 0;
}

static void test_kill(void **state)
{
	struct slice slice;

	(void)state;
	lab_needed();
	assert_int_equal(slice_open(&lab, "a", &slice), 0);
	assert_false(slice.killed);
	assert_int_equal(kills(&slice, true), 0);
	/* Births go on, and after a new sinit has found it, too. */
	assert_int_equal(births(&slice), 0);
	assert_true(lab_emptied(&slice));
	close(slice.fd);
	assert_int_equal(slice_open(&lab, "a", &slice), 0);
	assert_int_equal(births(&slice), 0);
	assert_true(lab_emptied(&slice));
	assert_int_equal(slice_remove(&lab, "a", &slice), 0);
}

/* cgroup.kill takes nothing: as if it were not there (before Linux 5.14). */
static int kills_without_file(struct slice *slice)
{
	const char *path = lab_file("a", "cgroup.kill");
	int result;

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (access(path, F_OK) == 0 &&
	    (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		mount("/dev/full", path, NULL, MS_BIND, NULL) < 0))
		return CANNOT;
	close(slice->fd); /* of the other mount, where nothing is in the way */
	slice->fd = open(lab_file("a", ""), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	result = kills(slice, false);
	umount2(path, MNT_DETACH);
	return result;
}

static void test_kill_without_cgroup_kill(void **state)
{
	struct slice slice;

	(void)state;
	lab_needed();
	assert_int_equal(slice_open(&lab, "a", &slice), 0);
	in_child(kills_without_file, &slice);
	assert_int_equal(slice_remove(&lab, "a", &slice), 0);
}

/* --- freezing ----------------------------------------------------------------------------- */

static bool events_say(const char *words)
{
	char text[256];

	file_read(lab_file("a", "cgroup.events"), text, sizeof(text));
	return strstr(text, words);
}

static void test_freeze(void **state)
{
	struct slice slice;

	(void)state;
	lab_needed();
	assert_int_equal(slice_open(&lab, "a", &slice), 0);
	lab_start(&slice, "a", "--polite", 2);
	assert_int_equal(slice_freeze(&slice, true), 0);
	assert_true(LAB_SOON(events_say("frozen 1")));
	assert_int_equal(slice_signal(&slice, SIGTERM), 1); /* its handler cannot run */
	poll(NULL, 0, 20);
	assert_int_equal(lab_count("a"), 2);
	assert_int_equal(slice_freeze(&slice, false), 0);
	assert_true(lab_emptied(&slice));
	lab_start(&slice, "a", "--tree", 5);
	assert_int_equal(slice_freeze(&slice, true), 0);
	assert_int_equal(slice_signal(&slice, SIGKILL), 1); /* does not wait */
	assert_true(lab_emptied(&slice));
	assert_int_equal(slice_remove(&lab, "a", &slice), 0);
}

/* --- events ------------------------------------------------------------------------------- */

/* Whether inotify tells of this watch, before long. */
static bool told(int wd)
{
	_Alignas(struct inotify_event) char buffer[4096];
	struct pollfd in = {.fd = lab.watch_fd, .events = POLLIN};
	bool found = false;

	while (!found && poll(&in, 1, 10000) > 0) {
		ssize_t size = read(lab.watch_fd, buffer, sizeof(buffer));

		for (ssize_t at = 0; at < size;) {
			const struct inotify_event *event = (const void *)(buffer + at);

			found |= event->wd == wd && event->mask & IN_MODIFY;
			at += (ssize_t)(sizeof(*event) + event->len);
		}
	}
	return found;
}

static void test_events(void **state)
{
	struct slice slice;

	(void)state;
	lab_needed();
	assert_int_equal(slice_open(&lab, "a", &slice), 0);
	assert_true(slice_watch(&lab, "a", &slice));
	assert_false(slice_watch(&lab, "a", &slice));
	lab_start(&slice, "a", "--wait", 1);
	assert_true(told(slice.events_wd));
	assert_true(events_say("populated 1"));
	assert_int_equal(slice_signal(&slice, SIGKILL), 1);
	assert_true(told(slice.events_wd));
	assert_true(events_say("populated 0"));
	assert_true(lab_emptied(&slice));
	assert_int_equal(slice_remove(&lab, "a", &slice), 0);
}

/* --- what it costs ------------------------------------------------------------------------ */

static int entries(const char *path)
{
	DIR *directory = opendir(path);
	int count = 0;

	while (directory && readdir(directory))
		count++;
	closedir(directory);
	return count;
}

static int watches(void)
{
	static char text[256 * 1024];
	char path[64];
	int count = 0;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", lab.watch_fd);
	file_read(path, text, sizeof(text));
	for (const char *at = text; (at = strstr(at, "inotify wd:")); at++)
		count++;
	return count;
}

static void test_nothing_grows(void **state)
{
	int files, directories;
	struct slice slice;

	(void)state;
	lab_needed();
	files = entries("/proc/self/fd");
	directories = entries(lab_path);
	for (int round = 0; round < ROUNDS; round++) {
		assert_int_equal(slice_open(&lab, "a", &slice), 0);
		if (round % 10 == 0)
			assert_int_equal(births(&slice), 0);
		assert_true(round % 10 || lab_emptied(&slice));
		slice_signal(&slice, round % 2 ? 0 : SIGKILL);
		assert_int_equal(slice_remove(&lab, "a", &slice), 0);
	}
	assert_int_equal(entries("/proc/self/fd"), files + 1); /* the spawner's /dev/null */
	assert_int_equal(entries(lab_path), directories);
	assert_int_equal(watches(), 0);
}

static void test_without_controllers(void **state)
{
	struct board_reading reading = {0};
	struct slice_memory memory;
	struct slice slice;

	(void)state;
	lab_needed();
	if (lab.enabled & 1u << CGROUP_MEMORY)
		skip();
	assert_int_equal(slice_open(&lab, "a", &slice), 0);
	assert_int_equal(slice.memory_wd, -1);
	assert_int_equal(slice_memory(&slice, &memory), -ENOENT);
	assert_true(slice_limit(&slice, CGROUP_MEMORY_MAX, "64M") < 0);
	assert_true(slice_oom_group(&slice, true) < 0 && slice_high(&slice, 1 << 20) < 0);
	assert_true(!slice_memory_used(&slice) && !slice_memory_needed(&slice) &&
		    !slice_memory_peak(&slice));
	slice_read(&slice, &reading);
	assert_true(reading.have & READING_CPU);
	assert_false(reading.have & READING_MEMORY);
	assert_int_equal(slice_remove(&lab, "a", &slice), 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    LAB_TEST(test_open_and_remove),
	    LAB_TEST(test_remove_with_cgroups_inside),
	    LAB_TEST(test_processes_keep_it),
	    LAB_TEST(test_birth),
	    LAB_TEST(test_birth_without_clone3),
	    LAB_TEST(test_birth_into_a_removed_slice),
	    LAB_TEST(test_signal_reaches_all),
	    LAB_TEST(test_kill),
	    LAB_TEST(test_kill_without_cgroup_kill),
	    LAB_TEST(test_freeze),
	    LAB_TEST(test_events),
	    LAB_TEST(test_nothing_grows),
	    LAB_TEST(test_without_controllers),
	};

	if (argc > 1)
		return lab_child(argv[1]);
	return cmocka_run_group_tests_name("slice", tests, lab_begin, lab_end);
}
