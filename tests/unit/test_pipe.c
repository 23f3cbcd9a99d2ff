/* How much is in a pipe, asked by a child: right, and nothing is left of it. That it does not wait
 * for who holds the pipe: tests/real/test_logs_hostile.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "init/pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_bytes(void **state)
{
	int pair[2], left = -1;
	char bytes[3000] = {0};

	(void)state;
	assert_return_code(pipe2(pair, O_CLOEXEC), errno);
	for (int i = 0; i < 200; i++) {
		assert_int_equal(pipe_left(pair[0], &left), 0);
		assert_int_equal(left, 0);
		assert_int_equal(write(pair[1], bytes, sizeof(bytes)), sizeof(bytes));
		assert_int_equal(pipe_left(pair[0], &left), 0);
		assert_int_equal(left, sizeof(bytes));
		assert_int_equal(read(pair[0], bytes, sizeof(bytes)), sizeof(bytes));
	}
	assert_int_equal(waitpid(-1, NULL, WNOHANG | __WALL), -1);
	assert_int_equal(errno, ECHILD);
	close(pair[0]);
	close(pair[1]);
}

static void test_no_pipe(void **state)
{
	int left;

	(void)state;
	assert_int_equal(pipe_left(-1, &left), -EBADF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_bytes),
	    cmocka_unit_test(test_no_pipe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
