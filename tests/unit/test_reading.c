/* Texts of the kernel about a cgroup, and what a slice full of them gives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cgroup/reading.h"
#include "cgroup/slice.h"
#include "init/base.h"
#include "tests/unit/tempdir.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void number(const char *text, bool good, uint64_t expected)
{
	uint64_t value = 77;

	assert_int_equal(reading_number(text, &value), good);
	assert_true(value == (good ? expected : 77));
}

static void test_number(void **state)
{
	(void)state;
	number("0\n", true, 0);
	number("4096\n", true, 4096);
	number("4096", true, 4096);
	number("18446744073709551615\n", true, UINT64_MAX);
	number("max\n", true, UINT64_MAX);
	number("max", true, UINT64_MAX);
	number("", false, 0);
	number("\n", false, 0);
	number("18446744073709551616\n", false, 0);
	number("99999999999999999999\n", false, 0);
	number("12 13\n", false, 0);
	number("-1\n", false, 0);
	number(" 1\n", false, 0);
	number("maximum\n", false, 0);
	number("1\n\n", false, 0);
}

static const char cpu_stat[] = "usage_usec 1234567\nuser_usec 1000000\nsystem_usec 234567\n"
			       "core_sched.force_idle_usec 0\nnr_periods 10\nnr_throttled 3\n"
			       "throttled_usec 4500\nnr_bursts 0\nburst_usec 0\n";

static void test_keyed(void **state)
{
	uint64_t value = 0;

	(void)state;
	assert_true(reading_keyed(cpu_stat, "usage_usec", &value));
	assert_int_equal(value, 1234567);
	assert_true(reading_keyed(cpu_stat, "throttled_usec", &value));
	assert_int_equal(value, 4500);
	assert_true(reading_keyed(cpu_stat, "burst_usec", &value));
	assert_int_equal(value, 0);
	assert_true(reading_keyed("a 1\nb 2", "b", &value)); /* no end of the last line */
	assert_int_equal(value, 2);
	assert_false(reading_keyed(cpu_stat, "usage", &value));
	assert_false(reading_keyed(cpu_stat, "usec", &value));
	assert_false(reading_keyed("", "usage_usec", &value));
	assert_false(reading_keyed("usage_usec\n", "usage_usec", &value));
	assert_false(reading_keyed("usage_usec x\n", "usage_usec", &value));
	assert_false(reading_keyed("usage_usec 5 6\n", "usage_usec", &value));
	assert_int_equal(value, 2);
}

static void test_pressure(void **state)
{
	static const char *const bad[] = {"", "some\n", "full avg10=1.00 total=5\n",
	    "some avg10=x total=5\n", "some avg10=1 total=5\n", "some avg10=1.5 total=5\n",
	    "some avg10=1.234 total=5\n", "some avg10=1.00\n", "some avg60=1.00 total=5\n",
	    "some avg10=101.00 total=5\n", "some avg10=1.00 total=\n",
	    "some avg10=1.00\ntotal=5\n"};
	uint32_t share = 1;
	uint64_t total = 1;

	(void)state;
	assert_true(reading_pressure("some avg10=12.34 avg60=1.00 avg300=0.22 total=987654321\n"
				     "full avg10=2.00 avg60=0.10 avg300=0.00 total=5\n",
	    &share, &total));
	assert_int_equal(share, 1234);
	assert_int_equal(total, 987654321);
	assert_true(
	    reading_pressure("new line=1\nsome total=7 avg10=100.00 later=1", &share, &total));
	assert_int_equal(share, 10000);
	assert_int_equal(total, 7);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(reading_pressure(bad[i], &share, &total));
	assert_int_equal(share, 10000);
	assert_int_equal(total, 7);
}

static void test_io(void **state)
{
	uint64_t in = 1, out = 1;

	(void)state;
	reading_io("", &in, &out);
	assert_int_equal(in, 0);
	assert_int_equal(out, 0);
	reading_io("8:0 rbytes=100 wbytes=20 rios=3 wios=4 dbytes=5 dios=6\n"
		   "253:1 rbytes=1000 wbytes=0 rios=1 wios=0 dbytes=0 dios=0 cost.usage=1\n",
	    &in, &out);
	assert_int_equal(in, 1100);
	assert_int_equal(out, 20);
	/* as Linux 5.14 writes it */
	reading_io("8:0 8:16 rbytes=7 wbytes=9 rios=1 wios=1 dbytes=0 dios=0", &in, &out);
	assert_int_equal(in, 7);
	assert_int_equal(out, 9);
	reading_io("xrbytes=5 rbytes= wbytes=z\n", &in, &out);
	assert_int_equal(in, 0);
	assert_int_equal(out, 0);
}

/* --- A directory in a slice's place ------------------------------------------------- */

static int setup(void **state)
{
	(void)state;
	tempdir_make();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	tempdir_remove();
	return 0;
}

static void read_it(struct board_reading *ret)
{
	struct slice slice = {.fd = open(tempdir_path("."), O_PATH | O_DIRECTORY | O_CLOEXEC)};

	assert_true(slice.fd >= 0);
	memset(ret, 0xa5, sizeof(*ret));
	slice_read(&slice, ret);
	close(slice.fd);
}

static void test_whole_slice(void **state)
{
	struct board_reading r;

	(void)state;
	tempdir_write("memory.current", "33554432\n", 0644);
	tempdir_write("memory.max", "67108864\n", 0644);
	tempdir_write("memory.peak", "40000000\n", 0644);
	tempdir_write("memory.swap.current", "8192\n", 0644);
	tempdir_write("cpu.stat", cpu_stat, 0644);
	tempdir_write("pids.current", "12\n", 0644);
	tempdir_write("pids.max", "50\n", 0644);
	tempdir_write("io.stat", "8:0 rbytes=4096 wbytes=8192 rios=1 wios=2\n", 0644);
	tempdir_write("memory.pressure", "some avg10=1.50 avg60=0.00 avg300=0.00 total=11\n", 0644);
	tempdir_write("cpu.pressure", "some avg10=25.00 avg60=0.00 avg300=0.00 total=22\n", 0644);
	tempdir_write("io.pressure", "some avg10=0.05 avg60=0.00 avg300=0.00 total=33\n", 0644);
	read_it(&r);
	assert_int_equal(r.have, 2 * READING_PRESSURE - 1); /* all of them */
	assert_true(r.time > 0);
	assert_int_equal(r.memory_current, 33554432);
	assert_int_equal(r.memory_max, 67108864);
	assert_int_equal(r.memory_peak, 40000000);
	assert_int_equal(r.swap_current, 8192);
	assert_int_equal(r.cpu_usage, 1234567);
	assert_int_equal(r.cpu_throttled, 4500);
	assert_int_equal(r.pids_current, 12);
	assert_int_equal(r.pids_max, 50);
	assert_int_equal(r.io_read, 4096);
	assert_int_equal(r.io_written, 8192);
	assert_int_equal(r.pressure[PRESSURE_MEMORY], 150);
	assert_int_equal(r.pressure[PRESSURE_CPU], 2500);
	assert_int_equal(r.pressure[PRESSURE_IO], 5);
	assert_int_equal(r.stalled[PRESSURE_MEMORY], 11);
	assert_int_equal(r.stalled[PRESSURE_IO], 33);
}

static void test_limits_that_are_none(void **state)
{
	struct board_reading r;

	(void)state;
	tempdir_write("memory.current", "4096\n", 0644);
	tempdir_write("memory.max", "max\n", 0644);
	tempdir_write("pids.current", "1\n", 0644);
	tempdir_write("pids.max", "max\n", 0644);
	tempdir_write("io.stat", "", 0644); /* nothing read or written yet */
	tempdir_write("cpu.stat", "usage_usec 5\nuser_usec 3\nsystem_usec 2\n", 0644);
	tempdir_write("memory.pressure", "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n", 0644);
	read_it(&r);
	assert_int_equal(r.have, READING_MEMORY | READING_CPU | READING_PIDS | READING_IO);
	assert_true(r.memory_max == UINT64_MAX);
	assert_true(r.pids_max == UINT32_MAX);
	assert_int_equal(r.io_read, 0);
	assert_int_equal(r.cpu_usage, 5);
}

static void test_nothing_there(void **state)
{
	struct slice none = {.fd = -1};
	struct board_reading r;

	(void)state;
	read_it(&r);
	assert_int_equal(r.have, 0);
	assert_int_equal(r.memory_current, 0);
	tempdir_write("memory.current", "", 0644);
	tempdir_write("cpu.stat", "nonsense\n", 0644);
	mkdir(tempdir_path("io.stat"), 0755); /* can be opened, but not read */
	read_it(&r);
	assert_int_equal(r.have, 0);
	slice_read(&none, &r);
	assert_int_equal(r.have, 0);
}

/* With so many devices that words are cut by the pieces it is read in, at every place. */
static void test_long_io_stat(void **state)
{
	enum { DEVICES = 3000 };
	char *text = malloc(DEVICES * 64);
	uint64_t in = 0, out = 0;
	struct board_reading r;
	size_t used = 0;

	(void)state;
	assert_non_null(text);
	for (unsigned i = 0; i < DEVICES; i++) {
		uint64_t a = i * 7919u, b = i % 13;

		used +=
		    (size_t)sprintf(text + used, "%u:%u rbytes=%llu wbytes=%llu rios=0 wios=0\n",
			i / 256, i % 256, (unsigned long long)a, (unsigned long long)b);
		in += a;
		out += b;
	}
	tempdir_write("io.stat", text, 0644);
	read_it(&r);
	assert_int_equal(r.have, READING_IO);
	assert_true(r.io_read == in);
	assert_true(r.io_written == out);
	memset(text, 'x', used); /* one word without end */
	strcpy(text + used - 20, " rbytes=3 wbytes=4");
	tempdir_write("io.stat", text, 0644);
	read_it(&r);
	free(text);
	assert_int_equal(r.have, READING_IO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_number),
	    cmocka_unit_test(test_keyed),
	    cmocka_unit_test(test_pressure),
	    cmocka_unit_test(test_io),
	    cmocka_unit_test_setup_teardown(test_whole_slice, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_limits_that_are_none, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_nothing_there, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_long_io_stat, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
