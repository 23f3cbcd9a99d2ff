/* Limits: what people write, and what the kernel's files take. */
#include "cgroup/limits.h"

#include "tests/unit/config_util.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* NULL: refused. */
static void value(enum cgroup_limit limit, const char *written, const char *kernel)
{
	char words[CGROUP_VALUE];
	int rc = cgroup_limit_value(limit, written, words);

	assert_int_equal(rc, kernel ? 0 : -EINVAL);
	if (kernel)
		assert_string_equal(words, kernel);
}

static void test_sizes(void **state)
{
	(void)state;
	value(CGROUP_MEMORY_MAX, "64M", "67108864");
	value(CGROUP_MEMORY_MAX, "65536", "65536");
	value(CGROUP_MEMORY_MAX, "64K", "65536");
	value(CGROUP_MEMORY_MAX, "max", "max");
	value(CGROUP_MEMORY_MAX, "64", NULL); /* a forgotten M */
	value(CGROUP_MEMORY_MAX, "0", NULL);
	value(CGROUP_MEMORY_HIGH, "65535", NULL);
	value(CGROUP_MEMORY_LOW, "0", "0");
	value(CGROUP_MEMORY_MAX, "64MB", NULL);
	value(CGROUP_MEMORY_MAX, "-1", NULL);
	value(CGROUP_MEMORY_MAX, "", NULL);
	value(CGROUP_MEMORY_HIGH, NULL, "max");
	value(CGROUP_MEMORY_LOW, NULL, "0");
	value(CGROUP_MEMORY_SWAP_MAX, "0", "0");
	assert_true(cgroup_size("1G") == UINT64_C(1) << 30);
	assert_true(cgroup_size("max") == UINT64_MAX && cgroup_size(NULL) == UINT64_MAX);
}

static void test_cpu(void **state)
{
	(void)state;
	value(CGROUP_CPU_MAX, "50%", "50000 100000");
	value(CGROUP_CPU_MAX, "150%", "150000 100000");
	value(CGROUP_CPU_MAX, "12.5%", "12500 100000");
	value(CGROUP_CPU_MAX, "1.5", "150000 100000");
	value(CGROUP_CPU_MAX, "2", "200000 100000");
	value(CGROUP_CPU_MAX, "1%", "1000 100000");
	value(CGROUP_CPU_MAX, "0.9%", NULL);
	value(CGROUP_CPU_MAX, "0", NULL);
	value(CGROUP_CPU_MAX, "%", NULL);
	value(CGROUP_CPU_MAX, "max", "max");
	value(CGROUP_CPU_MAX, NULL, "max");
	value(CGROUP_CPU_MAX, "99999999999999999999%", NULL);
	value(CGROUP_CPU_WEIGHT, "10000", "10000");
	value(CGROUP_CPU_WEIGHT, "0", NULL);
	value(CGROUP_CPU_WEIGHT, "10001", NULL);
	value(CGROUP_CPU_WEIGHT, NULL, "100");
	value(CGROUP_CPUSET_CPUS, "0-3,5", "0-3,5");
	value(CGROUP_CPUSET_CPUS, "0", "0");
	value(CGROUP_CPUSET_CPUS, "0-", NULL);
	value(CGROUP_CPUSET_CPUS, "3-1", NULL);
	value(CGROUP_CPUSET_CPUS, "1-1,2", "1-1,2");
	value(CGROUP_CPUSET_CPUS, "1,", NULL);
	value(CGROUP_CPUSET_CPUS, "123456", NULL);
	value(CGROUP_CPUSET_CPUS, "0,,1", NULL);
	value(CGROUP_CPUSET_CPUS, "a", NULL);
}

static void test_counts(void **state)
{
	(void)state;
	value(CGROUP_PIDS_MAX, "50", "50");
	value(CGROUP_PIDS_MAX, "max", "max");
	value(CGROUP_PIDS_MAX, "0", NULL);
	value(CGROUP_PIDS_MAX, "5x", NULL);
	value(CGROUP_IO_WEIGHT, "200", "default 200");
	value(CGROUP_IO_WEIGHT, "default 200", NULL);
	value(CGROUP_IO_WEIGHT, NULL, "default 100");
}

static void io(const char *written, const char *devices)
{
	char buffer[512] = "";
	struct cgroup_io one;
	const char *at = written;
	int rc;

	while ((rc = cgroup_io_next(&at, &one)) > 0) {
		strcat(buffer, one.device);
		strcat(buffer, one.words);
		strcat(buffer, ";");
	}
	assert_int_equal(rc, devices ? 0 : -EINVAL);
	if (devices)
		assert_string_equal(buffer, devices);
	value(CGROUP_IO_MAX, written, devices ? "" : NULL);
}

static void test_io(void **state)
{
	(void)state;
	io("8:0 rbps=1M wiops=max", "8:0 rbps=1048576 wiops=max;");
	io("/dev/sda wbps=2M  259:12 riops=7", "/dev/sda wbps=2097152;259:12 riops=7;");
	io("8:0", NULL);
	io("rbps=1M", NULL);
	io("8:0 rbps=", NULL);
	io("8:0 bps=1", NULL);
	io("8:0 rbps=1M sda wbps=1", NULL);
	io("8: rbps=1", NULL);
}

static void test_controllers(void **state)
{
	(void)state;
	for (unsigned i = 0; i < CGROUP_CONTROLLERS; i++) {
		const char *name = cgroup_controller_name((enum cgroup_controller)i);
		assert_int_equal(cgroup_controller_find(name, strlen(name)), i);
	}
	assert_int_equal(cgroup_controller_find("hugetlb", 7), CGROUP_CONTROLLERS);
	assert_int_equal(cgroup_controller_find("cpus", 3), CGROUP_CPU);
	for (unsigned i = 0; i < CGROUP_LIMITS; i++) {
		enum cgroup_limit limit = (enum cgroup_limit)i;
		const char *file = cgroup_limit_file(limit);
		const char *name = cgroup_controller_name(cgroup_limit_controller(limit));
		/* The file is the controller's, and named like the key. */
		assert_memory_equal(file, name, strlen(name));
		assert_int_equal(strlen(file), strlen(cgroup_limit_key(limit)));
		assert_string_equal(schema_name(schema_at((unsigned)KEY_SERVICE_memory_max + i)),
		    cgroup_limit_key(limit));
		assert_int_equal(schema_limit(schema_at((unsigned)KEY_SERVICE_memory_max + i)), i);
	}
}

static void test_warn(void **state)
{
	uint64_t bytes = 0;

	(void)state;
	assert_int_equal(cgroup_warn_value("80%", 1000, &bytes), 0);
	assert_int_equal(bytes, 800);
	assert_int_equal(cgroup_warn_value("80%", UINT64_MAX - 1, &bytes), 0);
	assert_true(bytes > UINT64_MAX / 100 * 79 && bytes < UINT64_MAX / 100 * 81);
	assert_int_equal(cgroup_warn_value("12M", 1, &bytes), 0);
	assert_int_equal(bytes, 12 << 20);
	assert_int_equal(cgroup_warn_value("80%", UINT64_MAX, &bytes), -ENOENT);
	assert_int_equal(cgroup_warn_value("100%", 1000, &bytes), -EINVAL);
	assert_int_equal(cgroup_warn_value("0%", 1000, &bytes), -EINVAL);
	assert_int_equal(cgroup_warn_value("max", 1000, &bytes), -EINVAL);
	assert_int_equal(cgroup_warn_value("", 1000, &bytes), -EINVAL);
	assert_int_equal(cgroup_warn_value("0000000080%", 1000, &bytes), -EINVAL);
}

static void refused(const char *keys, const char *errors)
{
	char file[512] = "[service a]\ncommand = x\n";

	strcat(file, keys);
	config_util_refused(file, errors);
}

static void test_keys(void **state)
{
	struct image *image;
	const struct service_settings *s;

	(void)state;
	image = config_util_text(
	    "[defaults]\npids_max = 99\n[service a]\ncommand = x\nmemory_max = 64M\n"
	    "memory_warn = 80%\ncpu_max = 50%\noom_policy = stop\n"
	    "[service b]\ncommand = x\npids_max =\n");
	s = image_service(image, 0);
	assert_string_equal(image_cgroup(image, s, CGROUP_MEMORY_MAX), "64M");
	assert_string_equal(image_cgroup(image, s, CGROUP_CPU_MAX), "50%");
	assert_string_equal(image_cgroup(image, s, CGROUP_PIDS_MAX), "99");
	assert_null(image_cgroup(image, s, CGROUP_CPUSET_CPUS));
	assert_true(image_machine(image, s)->oom_stop);
	assert_false(image_machine(image, image_service(image, 1))->oom_stop);
	config_free(image);
	refused("memory_max = 64X\n",
	    "t:3: memory_max = 64X: expected a size such as 64M, at least 64K, or max\n");
	refused("cpu_max = much\n", "t:3: cpu_max = much: expected 50% of one CPU, a number of "
				    "CPUs such as 1.5 (1% at least), or max\n");
	refused("memory_warn = 80%\n",
	    "t:3: memory_warn = 80%: a part of memory_max, which is not set\n");
	refused("memory_max = 1M\nmemory_warn = 1M\n",
	    "t:4: memory_warn = 1M: it is not below memory_max, and would never come\n");
	refused("memory_max = 100M\nmemory_high = 80M\nmemory_warn = 80%\n",
	    "t:5: memory_warn = 80%: it is not below memory_high, where the service is held\n");
	refused(
	    "oom_policy = panic\n", "t:3: oom_policy = panic: expected restart, stop or ignore\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_sizes),
	    cmocka_unit_test(test_cpu),
	    cmocka_unit_test(test_counts),
	    cmocka_unit_test(test_io),
	    cmocka_unit_test(test_controllers),
	    cmocka_unit_test(test_warn),
	    cmocka_unit_test(test_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
