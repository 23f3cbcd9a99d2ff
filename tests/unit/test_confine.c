/* What a confined helper can still do, and what not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "probes/confine.h"
#include "probes/drop.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Runs `test` in a process of its own; it returns 0, or which of its steps went wrong. */
static void in_a_child(int (*test)(void))
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(test());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static int give_up(void)
{
	int root = geteuid() == 0;

	if (drop_privileges() != 0)
		return 1;
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1 || prctl(PR_GET_DUMPABLE) != 0)
		return 2;
	if (root && (geteuid() != HELPER_UID || getgid() != HELPER_UID))
		return 3;
	if (root && (setuid(0) == 0 || setgid(0) == 0 || getgroups(0, NULL) != 0))
		return 4;
	if (unshare(CLONE_NEWNS) == 0 || kill(getppid(), 0) == (root ? 0 : -1))
		return 5;
	return prctl(PR_CAPBSET_READ, 0UL) == root ? 6 : 0;
}

static void test_privileges(void **state)
{
	(void)state;
	in_a_child(give_up);
}

/* Capabilities in effect, of the first 32. */
static uint32_t in_effect(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0}};

	return syscall(SYS_capget, &header, data) == 0 ? data[0].effective : UINT32_MAX;
}

static int keep_one(void)
{
	uint32_t net_admin = in_effect() & 1u << CAP_NET_ADMIN;

	if (drop_all_but(1u << CAP_NET_ADMIN) != 0)
		return 1;
	if (in_effect() != net_admin)
		return 2;
	/* Not again by executing something, nor by becoming root. */
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 && (geteuid() == 0 || setuid(0) < 0) ? 0
												: 3;
}

static void test_one_capability(void **state)
{
	(void)state;
	in_a_child(keep_one);
}

#define REFUSED(call) ((long)(call) == -1 && errno == EPERM)

static int filter(void)
{
	const int map = MAP_PRIVATE | MAP_ANONYMOUS;
	const struct timespec moment = {.tv_nsec = 1};
	struct timespec now;
	int ends[2];
	char c = 'x';

	if (pipe(ends) < 0 || drop_privileges() != 0 || confine_calls() != 0)
		return 1;
	if (write(ends[1], &c, 1) != 1 || read(ends[0], &c, 1) != 1)
		return 2;
	void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, map, -1, 0);
	if (memory == MAP_FAILED || madvise(memory, 4096, MADV_DONTNEED) < 0)
		return 3;
	if (!REFUSED(mmap(NULL, 4096, PROT_READ | PROT_EXEC, map, -1, 0)) ||
	    !REFUSED(mprotect(memory, 4096, PROT_READ | PROT_EXEC)) || munmap(memory, 4096) < 0)
		return 4;
	if (nanosleep(&moment, NULL) < 0 || clock_gettime(CLOCK_MONOTONIC, &now) < 0)
		return 5;
	if (!REFUSED(open("/dev/null", O_RDONLY)) || !REFUSED(socket(AF_INET, SOCK_STREAM, 0)))
		return 6;
	if (!REFUSED(fork()) || !REFUSED(execl("/bin/true", "true", NULL)) ||
	    !REFUSED(kill(getppid(), 0)) || !REFUSED(prctl(PR_SET_DUMPABLE, 1)))
		return 7;
	if (!REFUSED(syscall(SYS_ptrace, 0, 0, 0, 0)) || !REFUSED(syscall(100000)))
		return 8;
	return close(ends[0]) < 0 ? 9 : 0;
}

static int can_filter(void)
{
	return confine_calls() == -ENOTSUP ? 77 : 0;
}

static void test_system_calls(void **state)
{
	(void)state;
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(can_filter());
	waitpid(pid, &status, 0);
	if (WEXITSTATUS(status) == 77)
		skip();
	in_a_child(filter);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_privileges),
	    cmocka_unit_test(test_one_capability),
	    cmocka_unit_test(test_system_calls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
