/* sinit's part of a real cgroup v2 tree: taking it, and what an earlier sinit has left there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/cgroup_lab.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_only_one_has_it(void **state)
{
	struct cgroup_options options = {.root = lab_path};
	struct cgroup_tree second;

	(void)state;
	lab_needed();
	assert_true(cgroup_tree_open(&second, &options) < 0);
	assert_int_equal(second.fault, CGROUP_TAKEN);
	assert_int_equal(second.root_fd, -1);
	assert_int_equal(second.watch_fd, -1);
	cgroup_tree_close(&second);
	cgroup_tree_close(&lab);
	assert_int_equal(cgroup_tree_open(&second, &options), 0);
	assert_int_equal(second.fault, CGROUP_FINE);
	assert_string_equal(second.path, lab_path);
	cgroup_tree_close(&second);
}

static void test_refusals(void **state)
{
	struct cgroup_options options = {.root = "/tmp"};
	struct cgroup_tree tree;

	(void)state;
	lab_needed();
	assert_true(cgroup_tree_open(&tree, &options) < 0);
	assert_int_equal(tree.fault, CGROUP_NOT_V2);
	options.root = lab_file("no", "such");
	assert_int_equal(cgroup_tree_open(&tree, &options), -ENOENT);
	assert_int_equal(tree.fault, CGROUP_REFUSED);
	options = (struct cgroup_options){.root = lab_path, .off = true};
	assert_true(cgroup_tree_open(&tree, &options) < 0);
	assert_int_equal(tree.fault, CGROUP_OFF);
}

/* Closes a slice as the end of a sinit does that was killed. */
static void forget(struct slice *slice)
{
	close(slice->fd);
	slice->fd = -1;
}

static void test_left(void **state)
{
	static const char *const words[] = {"--tree", "--deaf", "--wait"};
	static const int processes[] = {5, 1, 1}, signals[] = {SIGTERM, SIGKILL, SIGTERM};
	struct slice slice;

	(void)state;
	lab_needed();
	assert_false(cgroup_tree_left(&lab, "a", 0));
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(slice_open(&lab, "a", &slice), 0);
		lab_start(&slice, "a", words[i], processes[i]);
		if (i == 2) /* one that was paused */
			assert_int_equal(slice_freeze(&slice, true), 0);
		assert_true(cgroup_tree_left(&lab, "a", signals[i]));
		assert_true(lab_emptied(&slice));
		forget(&slice);
		assert_false(cgroup_tree_left(&lab, "a", 0));
		cgroup_tree_drop(&lab, "a");
		assert_false(lab_exists("a"));
		while (waitpid(-1, NULL, 0) > 0)
			;
	}
	/* One that is empty goes with what is below it. */
	assert_int_equal(mkdir(lab_file("a", ""), 0755), 0);
	assert_int_equal(mkdir(lab_file("a", "x"), 0755), 0);
	assert_false(cgroup_tree_left(&lab, "a", SIGTERM));
	cgroup_tree_drop(&lab, "a");
	assert_false(lab_exists("a"));
}

static void drop(struct cgroup_tree *tree, const char *service, void *context)
{
	strcat(context, service);
	cgroup_tree_drop(tree, service);
}

static void test_each(void **state)
{
	struct slice slice;
	char *stranger, seen[16] = "";

	(void)state;
	lab_needed();
	assert_int_equal(slice_open(&lab, "b", &slice), 0);
	lab_start(&slice, "b", "--wait", 1);
	assert_int_equal(mkdir(lab_file("a", ""), 0755), 0);
	stranger = (char *)(uintptr_t)lab_file("c", "");
	stranger[strlen(stranger) - 1] = '\0'; /* c.servic: not a slice's name */
	assert_int_equal(mkdir(stranger, 0755), 0);
	cgroup_tree_each(&lab, drop, seen);
	assert_true(strcmp(seen, "ab") == 0 || strcmp(seen, "ba") == 0);
	assert_false(lab_exists("a"));
	assert_true(lab_exists("b"));
	assert_int_equal(rmdir(stranger), 0);
	assert_int_equal(slice_signal(&slice, SIGKILL), 1);
	assert_true(lab_emptied(&slice));
	forget(&slice);
	seen[0] = '\0';
	cgroup_tree_each(&lab, drop, seen);
	assert_string_equal(seen, "b");
	assert_false(lab_exists("b"));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    LAB_TEST(test_only_one_has_it),
	    LAB_TEST(test_refusals),
	    LAB_TEST(test_left),
	    LAB_TEST(test_each),
	};

	if (argc > 1)
		return lab_child(argv[1]);
	return cmocka_run_group_tests_name("cgroup_tree", tests, lab_begin, lab_end);
}
