#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/cgroup_lab.h"

#include "cgroup/files.h"
#include "tests/unit/birth.h"
#include "tests/unit/tempdir.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { TEXT = 64 * 1024 };

struct cgroup_tree lab;
char lab_path[CGROUP_PATH];
static char before[CGROUP_PATH]; /* where the program was */
static char beside[CGROUP_PATH]; /* where it is as long as it tests */
static const char *missing = "not begun";

/* --- the place -------------------------------------------------------------------------- */

static bool enter(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool done = fd >= 0 && cgroup_write(fd, "cgroup.procs", "0") == 0;

	if (fd >= 0)
		close(fd);
	return done;
}

/* Why there can be no tree; NULL: it is there. What root is refused for no good reason is an
 * error of the test. */
static const char *make_place(void)
{
	static char self[TEXT], mounts[TEXT];
	struct cgroup_place place;

	file_read("/proc/self/cgroup", self, sizeof(self));
	file_read("/proc/self/mountinfo", mounts, sizeof(mounts));
	cgroup_place_find(self, mounts, &place);
	if (place.kind != CGROUP_PLACE_FOUND)
		return "no cgroup v2 is mounted";
	snprintf(before, sizeof(before), "%s", place.path);
	snprintf(beside, sizeof(beside), "%.200s/sinit-test-%d-self", before, (int)getpid());
	snprintf(lab_path, sizeof(lab_path), "%.200s/sinit-test-%d", before, (int)getpid());
	if (mkdir(beside, 0755) == 0) {
		if (enter(beside))
			return NULL;
		perror(beside);
		rmdir(beside);
		return geteuid() == 0 ? "" : "its cgroup cannot be left";
	}
	perror(beside);
	if (geteuid() == 0 && errno != EROFS && errno != EACCES && errno != EPERM)
		return "";
	return "no cgroup may be made there";
}

int lab_begin(void **state)
{
	(void)state;
	birth_block_signals();
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	missing = make_place();
	if (missing && *missing)
		print_message("no slices: %s\n", missing);
	return missing && !*missing;
}

static void kill_all(const char *path)
{
	struct slice all = {.fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)};

	if (all.fd < 0)
		return;
	slice_freeze(&all, false);
	slice_signal(&all, SIGKILL);
	lab_emptied(&all);
	close(all.fd);
}

int lab_end(void **state)
{
	(void)state;
	if (missing)
		return 0;
	kill_all(lab_path);
	enter(before);
	return rmdir(beside) | (rmdir(lab_path) < 0 && errno != ENOENT);
}

int lab_setup(void **state)
{
	struct cgroup_options options = {.root = lab_path};

	if (birth_setup(state) != 0)
		return 1;
	return missing ? 0 : cgroup_tree_open(&lab, &options) != 0;
}

static void lab_drop(struct cgroup_tree *tree, const char *service, void *context)
{
	(void)context;
	cgroup_tree_drop(tree, service);
}

int lab_teardown(void **state)
{
	int left = 0;

	if (!missing) {
		kill_all(lab_path);
		cgroup_tree_each(&lab, lab_drop, NULL);
		cgroup_tree_close(&lab);
		left = rmdir(lab_path) < 0 &&
		       errno != ENOENT; /* it goes with the tree that has made it */
	}
	return birth_teardown(state) | left;
}

void lab_needed(void)
{
	if (missing)
		skip();
}

/* --- looking ------------------------------------------------------------------------------ */

const char *lab_file(const char *name, const char *file)
{
	static char paths[4][CGROUP_PATH + 128];
	static unsigned next;
	char *path = paths[next++ % 4];

	snprintf(
	    path, sizeof(paths[0]), "%s/%s.service%s%s", lab_path, name, *file ? "/" : "", file);
	return path;
}

bool lab_exists(const char *name)
{
	return access(lab_file(name, ""), F_OK) == 0;
}

int lab_count(const char *name)
{
	char text[4096];
	int lines = 0;

	file_read(lab_file(name, "cgroup.procs"), text, sizeof(text));
	for (const char *c = text; *c; c++)
		lines += *c == '\n';
	return lines;
}

bool lab_is_empty(struct slice *slice)
{
	pid_t gone;

	while ((gone = waitpid(-1, NULL, WNOHANG)) > 0)
		;
	return gone < 0 && errno == ECHILD && slice_signal(slice, 0) == 0;
}

bool lab_emptied(struct slice *slice)
{
	return LAB_SOON(lab_is_empty(slice));
}

/* --- processes ------------------------------------------------------------------------------- */

pid_t lab_start(const struct slice *slice, const char *name, const char *word, int processes)
{
	static char self[PATH_MAX];
	struct spawn_result result;
	struct spawn spawn = birth_plain(ARGV(self, (char *)(uintptr_t)word));

	assert_true(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
	spawn.in_slice = true;
	spawn.slice_fd = slice->fd;
	spawn.walks_in = slice->killed;
	assert_int_equal(birth_start(&spawn, &result), 0);
	assert_int_equal(result.step, STEP_NONE);
	assert_true(LAB_SOON(processes ? lab_count(name) == processes : lab_count(name) > 0));
	return result.pid;
}

/* Longer than any test, and not for ever if the test dies. */
static int wait_for_signal(void)
{
	for (int seconds = 0; seconds < 60; seconds++)
		sleep(1);
	return 0;
}

/* A session of its own, and a process below it. */
static int be_session(void)
{
	setsid();
	fork();
	return wait_for_signal();
}

/* All five are there when there are five: the one that leaves does so before the fourth comes. */
static int be_tree(void)
{
	pid_t middle = fork();
	if (middle == 0) { /* as daemon(3): nobody's child, and nobody's session */
		setsid();
		if (fork() != 0)
			return 0;
		setsid();
		return wait_for_signal();
	}
	waitpid(middle, NULL, 0);
	if (fork() == 0)
		return be_session();
	if (fork() == 0) {
		setsid();
		return wait_for_signal();
	}
	return wait_for_signal();
}

static int be_chain(void)
{
	time_t end = time(NULL) + 20;

	while (time(NULL) < end)
		if (fork() > 0)
			_exit(0);
	return 0;
}

static int be_deaf(void)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	return wait_for_signal();
}

static void leave(int sig)
{
	(void)sig;
	_exit(0);
}

int lab_child(const char *word)
{
	if (strcmp(word, "--tree") == 0)
		return be_tree();
	if (strcmp(word, "--deaf") == 0)
		return be_deaf();
	if (strcmp(word, "--chain") == 0)
		return be_chain();
	if (strcmp(word, "--polite") == 0) {
		signal(SIGTERM, leave);
		fork();
	}
	return wait_for_signal();
}
