/* What a service leaves behind: found where it can be found, and nobody else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "reaper/leftovers.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MANY = 300 };

/* Where the process that is left stands. */
enum place {
	NOTHING,     /* there is none */
	SAME_GROUP,  /* in the service's first group */
	OTHER_GROUP, /* in a group of its own in the same session */
	WITH_CHILD,  /* the same, with a child that has another group of its own */
	OTHER_SESSION,
};

static void stay(int ready, bool with_child)
{
	if (with_child && fork() == 0) {
		setpgid(0, 0);
		with_child = false;
		pid_t self = getpid();
		if (write(ready, &self, sizeof(self)) != sizeof(self))
			_exit(1);
		for (;;)
			pause();
	}
	pid_t self = getpid();
	if (write(ready, &self, sizeof(self)) != sizeof(self))
		_exit(1);
	for (;;)
		pause();
}

static void be_service(enum place place, int ready)
{
	setsid();
	if (place == NOTHING)
		_exit(0);
	pid_t child = fork();
	if (child == 0) {
		if (place == OTHER_GROUP || place == WITH_CHILD)
			setpgid(0, 0);
		if (place == OTHER_SESSION)
			setsid();
		stay(ready, place == WITH_CHILD);
	}
	/* Until the child is where it shall be. */
	pause();
}

/* A service whose main process has ended, or still lives if ret_main is given, and was
 * reaped. Returns its session; the processes that are left go to left[0..1]. */
static pid_t service(enum place place, pid_t left[2], pid_t *ret_main)
{
	int ready[2];

	assert_int_equal(pipe(ready), 0);
	pid_t sid = fork();
	if (sid == 0)
		be_service(place, ready[1]);
	close(ready[1]);
	int count = place == NOTHING ? 0 : place == WITH_CHILD ? 2 : 1;
	for (int i = 0; i < count; i++)
		assert_int_equal(read(ready[0], &left[i], sizeof(left[i])), sizeof(left[i]));
	close(ready[0]);
	if (ret_main) {
		*ret_main = sid;
		return sid;
	}
	if (place != NOTHING)
		kill(sid, SIGKILL);
	assert_int_equal(waitpid(sid, NULL, 0), sid);
	return sid;
}

static bool find(pid_t sid)
{
	int any = leftovers_signal(sid, 0);

	assert_in_range(any, 0, 1);
	return any == 1;
}

/* Waits for a death by KILL. It may have to become our child first, by its parent's death. */
static void killed(pid_t pid)
{
	const struct timespec pause = {.tv_nsec = 1000000};
	int status, patience = 20000;
	pid_t found;

	while ((found = waitpid(pid, &status, 0)) < 0 && errno == ECHILD && patience-- > 0)
		nanosleep(&pause, NULL);
	assert_int_equal(found, pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void test_nothing(void **state)
{
	(void)state;
	pid_t sid = service(NOTHING, NULL, NULL);

	assert_int_equal(leftovers_signal(sid, 0), 0);
	assert_int_equal(leftovers_signal(sid, SIGKILL), 0);
	assert_false(find(sid));
}

static void test_same_group(void **state)
{
	(void)state;
	pid_t left[2], sid = service(SAME_GROUP, left, NULL);

	assert_int_equal(leftovers_signal(sid, 0), 1);
	assert_int_equal(leftovers_signal(sid, SIGKILL), 1);
	killed(left[0]);
	assert_int_equal(leftovers_signal(sid, SIGKILL), 0);
}

static void test_other_group(void **state)
{
	(void)state;
	pid_t left[2], sid = service(OTHER_GROUP, left, NULL);
	siginfo_t info;

	assert_int_equal(kill(-sid, 0), -1);
	assert_true(find(sid));
	assert_int_equal(leftovers_signal(sid, 0), 1);
	assert_int_equal(leftovers_signal(sid, SIGKILL), 1);
	/* A zombie that is not reaped yet is nobody. */
	assert_int_equal(waitid(P_PID, (id_t)left[0], &info, WEXITED | WNOWAIT), 0);
	assert_false(find(sid));
	assert_int_equal(leftovers_signal(sid, 0), 0);
	killed(left[0]);
	assert_false(find(sid));
}

static void test_below_an_orphan(void **state)
{
	(void)state;
	pid_t left[2], sid = service(WITH_CHILD, left, NULL);

	assert_int_equal(leftovers_signal(sid, SIGKILL), 1);
	killed(left[0]);
	killed(left[1]);
	assert_false(find(sid));
}

static void test_own_session_is_out_of_reach(void **state)
{
	(void)state;
	pid_t left[2], sid = service(OTHER_SESSION, left, NULL);

	assert_int_equal(leftovers_signal(sid, SIGKILL), 0);
	assert_false(find(sid));
	assert_int_equal(kill(left[0], 0), 0);
	kill(left[0], SIGKILL);
	killed(left[0]);
}

/* What a live main process has in groups of its own is its own business until it ends:
 * the first signal may come to it or not, the second does. */
static void test_main_process_alive(void **state)
{
	(void)state;
	pid_t left[2], main, sid = service(OTHER_GROUP, left, &main);

	assert_int_equal(leftovers_signal(sid, SIGKILL), 1);
	killed(main);
	leftovers_signal(sid, SIGKILL);
	killed(left[0]);
	assert_false(find(sid));
}

static void test_many_at_once(void **state)
{
	(void)state;
	static pid_t sid[MANY], left[MANY][2];

	for (int i = 0; i < MANY; i++)
		sid[i] = service(i % 3 == 0 ? OTHER_GROUP : NOTHING, left[i], NULL);
	for (int i = 0; i < MANY; i++)
		assert_int_equal(find(sid[i]), i % 3 == 0);
	for (int i = 0; i < MANY; i++)
		assert_int_equal(leftovers_signal(sid[i], SIGKILL), i % 3 == 0);
	for (int i = 0; i < MANY; i += 3)
		killed(left[i][0]);
	for (int i = 0; i < MANY; i++)
		assert_false(find(sid[i]));
}

/* The last look at the children saw this leader alive: it says nothing of what came after. */
static void test_died_after_others_were_looked_at(void **state)
{
	(void)state;
	pid_t left[2], other[2], main, sid = service(OTHER_GROUP, left, &main);
	pid_t before = service(OTHER_GROUP, other, NULL);

	assert_int_equal(leftovers_signal(before, SIGKILL), 1);
	kill(main, SIGKILL);
	killed(main);
	assert_int_equal(leftovers_signal(sid, 0), 1);
	assert_int_equal(leftovers_signal(sid, SIGKILL), 1);
	killed(left[0]);
	killed(other[0]);
	/* Nor of those that began after it. */
	sid = service(OTHER_GROUP, left, NULL);
	assert_int_equal(leftovers_signal(sid, SIGKILL), 1);
	killed(left[0]);
}

/* All end in the same instant; each is reaped, and then asked about. */
static void test_deaths_and_questions_in_turn(void **state)
{
	(void)state;
	static pid_t sid[MANY], left[MANY][2];
	siginfo_t info;

	for (int i = 0; i < MANY; i++)
		service(i % 2 ? SAME_GROUP : OTHER_GROUP, left[i], &sid[i]);
	for (int i = 0; i < MANY; i++)
		kill(sid[i], SIGKILL);
	for (int i = 0; i < MANY; i += 2)
		assert_int_equal(waitid(P_PID, (id_t)sid[i], &info, WEXITED | WNOWAIT), 0);
	for (int i = 0; i < MANY; i++) {
		killed(sid[i]);
		assert_int_equal(leftovers_signal(sid[i], SIGKILL), 1);
	}
	for (int i = 0; i < MANY; i++) {
		killed(left[i][0]);
		assert_int_equal(leftovers_signal(sid[i], SIGKILL), 0);
	}
}

static void test_never_everybody(void **state)
{
	(void)state;
	assert_int_equal(leftovers_signal(0, SIGKILL), -EINVAL);
	assert_int_equal(leftovers_signal(1, SIGKILL), -EINVAL);
	assert_int_equal(leftovers_signal(-1, SIGKILL), -EINVAL);
}

/* --- Descendants ----------------------------------------------------------------------- */

/* A process with a child and a grandchild that is asked to end them. */
static int end_descendants(pid_t stranger)
{
	int ready[2];
	pid_t below;

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (pipe(ready) < 0)
		return 1;
	pid_t child = fork();
	if (child == 0) {
		setsid();
		if (fork() == 0) {
			setsid();
			stay(ready[1], false);
		}
		for (;;)
			pause();
	}
	if (read(ready[0], &below, sizeof(below)) != sizeof(below))
		return 2;
	if (leftovers_signal_descendants(SIGKILL) != 0)
		return 3;
	for (int i = 0; i < 2; i++) {
		int status;
		if (wait(&status) < 0 || !WIFSIGNALED(status))
			return 4;
	}
	return kill(stranger, 0) == 0 ? 0 : 5;
}

static int in_child(int (*function)(pid_t), pid_t argument)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(function(argument));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void test_descendants_and_no_stranger(void **state)
{
	(void)state;
	pid_t stranger = fork();

	if (stranger == 0)
		for (;;)
			pause();
	assert_int_equal(in_child(end_descendants, stranger), 0);
	assert_int_equal(waitpid(stranger, NULL, WNOHANG), 0);
	kill(stranger, SIGKILL);
	killed(stranger);
}

/* --- No /proc, or another namespace's -------------------------------------------------- */

enum { CANNOT = 77 };

static int without_proc(pid_t unused)
{
	pid_t left[2];

	(void)unused;
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", "/proc", "tmpfs", 0, NULL) < 0)
		return CANNOT;
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	pid_t sid = service(SAME_GROUP, left, NULL);
	if (leftovers_signal(sid, SIGKILL) != 1 || waitpid(left[0], NULL, 0) != left[0])
		return 1;
	sid = service(OTHER_GROUP, left, NULL);
	if (leftovers_signal(sid, SIGKILL) != 0 || find(sid))
		return 2;
	if (leftovers_signal_descendants(SIGKILL) != -ENOENT)
		return 3;
	kill(left[0], SIGKILL);
	return 0;
}

static void test_without_proc(void **state)
{
	(void)state;
	int result = in_child(without_proc, 0);

	if (result == CANNOT)
		skip();
	assert_int_equal(result, 0);
}

/* PID 1 of a namespace over the outer one's /proc, whose numbers are others'. */
static int in_foreign_proc(pid_t unused)
{
	int status;

	(void)unused;
	if (unshare(CLONE_NEWPID) < 0)
		return CANNOT;
	pid_t pid = fork();
	if (pid == 0)
		_exit(leftovers_signal_descendants(SIGKILL) == -ENOENT ? 0 : 1);
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 2;
}

static void test_foreign_proc(void **state)
{
	(void)state;
	int result = in_child(in_foreign_proc, 0);

	if (result == CANNOT)
		skip();
	assert_int_equal(result, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_nothing),
	    cmocka_unit_test(test_same_group),
	    cmocka_unit_test(test_other_group),
	    cmocka_unit_test(test_below_an_orphan),
	    cmocka_unit_test(test_own_session_is_out_of_reach),
	    cmocka_unit_test(test_main_process_alive),
	    cmocka_unit_test(test_many_at_once),
	    cmocka_unit_test(test_died_after_others_were_looked_at),
	    cmocka_unit_test(test_deaths_and_questions_in_turn),
	    cmocka_unit_test(test_never_everybody),
	    cmocka_unit_test(test_descendants_and_no_stranger),
	    cmocka_unit_test(test_without_proc),
	    cmocka_unit_test(test_foreign_proc),
	};

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
