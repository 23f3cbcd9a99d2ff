/* Values: what is taken, what is refused, and that printing reads back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "init/base.h"
#include "init/value.h"

#include <errno.h>
#include <string.h>

static void test_bool(void **state)
{
	static const char *const yes[] = {"yes", "true", "on", "1"};
	static const char *const no[] = {"no", "false", "off", "0"};
	static const char *const bad[] = {"", "YES", "2", "y", "yes ", "truee"};
	uint32_t value;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
		assert_int_equal(value_bool(yes[i], &value), 0);
		assert_int_equal(value, 1);
		assert_int_equal(value_bool(no[i], &value), 0);
		assert_int_equal(value, 0);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(value_bool(bad[i], &value), -EINVAL);
}

static void duration(const char *string, int error, uint32_t expected)
{
	uint32_t value = 12345;

	assert_int_equal(value_duration(string, &value), error);
	assert_int_equal(value, error ? 12345 : expected);
}

static void test_duration(void **state)
{
	(void)state;
	duration("250ms", 0, 250);
	duration("0", 0, 0);
	duration("10", 0, 10000);
	duration("10s", 0, 10000);
	duration("5m", 0, 300000);
	duration("1h", 0, 3600000);
	duration("4294967294ms", 0, UINT32_MAX - 1);
	duration("4294967295ms", -ERANGE, 0);
	duration("1193h", 0, 4294800000u);
	duration("1194h", -ERANGE, 0);
	duration("99999999999999999999s", -ERANGE, 0);
	duration("", -EINVAL, 0);
	duration("s", -EINVAL, 0);
	duration("1d", -EINVAL, 0);
	duration("1.5s", -EINVAL, 0);
	duration("-1s", -EINVAL, 0);
	duration("1 s", -EINVAL, 0);
	duration("1sm", -EINVAL, 0);
}

static void size(const char *string, int error, uint64_t expected)
{
	uint64_t value = 1;

	assert_int_equal(value_size(string, &value), error);
	assert_true(value == (error ? 1 : expected));
}

static void test_size(void **state)
{
	(void)state;
	size("0", 0, 0);
	size("4096", 0, 4096);
	size("64K", 0, 65536);
	size("64M", 0, 64u << 20);
	size("1G", 0, 1u << 30);
	size("2T", 0, UINT64_C(2) << 40);
	size("max", 0, UINT64_MAX);
	size("unlimited", 0, UINT64_MAX);
	size("18446744073709551614", 0, UINT64_MAX - 1);
	size("18446744073709551615", -ERANGE, 0);
	size("16777216T", -ERANGE, 0);
	size("16777215T", 0, UINT64_C(16777215) << 40);
	size("1k", -EINVAL, 0);
	size("1KB", -EINVAL, 0);
	size("K", -EINVAL, 0);
	size("-1", -EINVAL, 0);
	size("", -EINVAL, 0);
}

static void test_limit(void **state)
{
	uint64_t soft;
	uint64_t hard;

	(void)state;
	assert_int_equal(value_limit("1024", &soft, &hard), 0);
	assert_true(soft == 1024 && hard == 1024);
	assert_int_equal(value_limit("1K:4K", &soft, &hard), 0);
	assert_true(soft == 1024 && hard == 4096);
	assert_int_equal(value_limit("0:unlimited", &soft, &hard), 0);
	assert_true(soft == 0 && hard == UINT64_MAX);
	assert_int_equal(value_limit("5:3", &soft, &hard), -EDOM);
	assert_int_equal(value_limit("unlimited:3", &soft, &hard), -EDOM);
	assert_int_equal(value_limit("5:", &soft, &hard), -EINVAL);
	assert_int_equal(value_limit(":5", &soft, &hard), -EINVAL);
	assert_int_equal(value_limit("1:2:3", &soft, &hard), -EINVAL);
	assert_int_equal(value_limit("111111111111111111111111111111", &soft, &hard), -EINVAL);
}

static void test_numbers(void **state)
{
	int32_t number;
	uint32_t value;

	(void)state;
	assert_int_equal(value_int("-20", &number), 0);
	assert_int_equal(number, -20);
	assert_int_equal(value_int("+5", &number), 0);
	assert_int_equal(number, 5);
	assert_int_equal(value_int("2147483647", &number), 0);
	assert_int_equal(value_int("2147483648", &number), -ERANGE);
	assert_int_equal(value_int("--5", &number), -EINVAL);
	assert_int_equal(value_int("-", &number), -EINVAL);
	assert_int_equal(value_int("5x", &number), -EINVAL);
	assert_int_equal(value_octal("022", &value), 0);
	assert_int_equal(value, 022);
	assert_int_equal(value_octal("8", &value), -EINVAL);
	assert_int_equal(value_octal("", &value), -EINVAL);
	assert_int_equal(value_octal("777777777777777", &value), -ERANGE);
	assert_int_equal(value_percent("50%", &value), 0);
	assert_int_equal(value, 50);
	assert_int_equal(value_percent("50", &value), 0);
	assert_int_equal(value_percent("50%%", &value), -EINVAL);
	assert_int_equal(value_percent("%", &value), -EINVAL);
}

static void test_factor(void **state)
{
	uint32_t value;

	(void)state;
	assert_int_equal(value_factor("2", &value), 0);
	assert_int_equal(value, 2000);
	assert_int_equal(value_factor("1.5", &value), 0);
	assert_int_equal(value, 1500);
	assert_int_equal(value_factor("1.005", &value), 0);
	assert_int_equal(value, 1005);
	assert_int_equal(value_factor("1.0001", &value), -EINVAL);
	assert_int_equal(value_factor("1.", &value), -EINVAL);
	assert_int_equal(value_factor(".5", &value), -EINVAL);
	assert_int_equal(value_factor("1,5", &value), -EINVAL);
	assert_int_equal(value_factor("99999999999", &value), -ERANGE);
}

static void test_printing_reads_back(void **state)
{
	static const uint32_t durations[] = {
	    0, 1, 999, 1000, 1500, 59000, 60000, 61000, 3600000, 5400000, UINT32_MAX - 1};
	static const uint64_t sizes[] = {0, 1, 1023, 1024, 1536, 1u << 20, UINT64_C(3) << 40,
	    UINT64_C(5) << 50, UINT64_MAX - 1, UINT64_MAX};
	static const uint32_t factors[] = {1000, 1500, 1005, 1250, 2000, 10000, 100000, 1999};
	char buffer[64];
	struct text text;
	uint32_t value;
	uint64_t big;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(durations); i++) {
		text_init(&text, buffer, sizeof(buffer));
		value_print_duration(&text, durations[i]);
		assert_int_equal(value_duration(buffer, &value), 0);
		assert_int_equal(value, durations[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		text_init(&text, buffer, sizeof(buffer));
		value_print_size(&text, sizes[i]);
		assert_int_equal(value_size(buffer, &big), 0);
		assert_true(big == sizes[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(factors); i++) {
		text_init(&text, buffer, sizeof(buffer));
		value_print_factor(&text, factors[i]);
		assert_int_equal(value_factor(buffer, &value), 0);
		assert_int_equal(value, factors[i]);
	}
}

static void test_distance(void **state)
{
	char a[70];
	char b[70];

	(void)state;
	assert_int_equal(value_distance("command", "command", 8), 0);
	assert_int_equal(value_distance("comand", "command", 8), 1);
	assert_int_equal(value_distance("commandd", "command", 8), 1);
	assert_int_equal(value_distance("cmomand", "command", 8), 1);
	assert_int_equal(value_distance("xommand", "command", 8), 1);
	assert_int_equal(value_distance("", "abc", 8), 3);
	assert_int_equal(value_distance("abc", "", 8), 3);
	assert_int_equal(value_distance("", "", 8), 0);
	assert_int_equal(value_distance("abcdef", "uvwxyz", 2), 3);
	memset(a, 'a', sizeof(a));
	memset(b, 'a', sizeof(b));
	a[64] = b[63] = '\0';
	assert_int_equal(value_distance(a, b, 8), 1);
	a[64] = 'a';
	a[65] = '\0';
	assert_int_equal(value_distance(a, b, 2), 3);
}

static void test_nearest(void **state)
{
	const char *nearest = NULL;
	unsigned best = value_slips("bd") + 1;

	(void)state;
	value_nearer("bd", "web", &best, &nearest);
	assert_null(nearest);
	value_nearer("bd", "b", &best, &nearest);
	assert_string_equal(nearest, "b");
	value_nearer("bd", "db", &best, &nearest);
	assert_string_equal(nearest, "db");
	value_nearer("bd", "b", &best, &nearest);
	assert_string_equal(nearest, "db");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_bool),
	    cmocka_unit_test(test_duration),
	    cmocka_unit_test(test_size),
	    cmocka_unit_test(test_limit),
	    cmocka_unit_test(test_numbers),
	    cmocka_unit_test(test_factor),
	    cmocka_unit_test(test_printing_reads_back),
	    cmocka_unit_test(test_distance),
	    cmocka_unit_test(test_nearest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
