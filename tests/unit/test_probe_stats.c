/* What a check adds to the numbers that metrics are made of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "probes/stats.h"

#include <string.h>

static struct probe_stats stats;

static int setup(void **state)
{
	(void)state;
	memset(&stats, 0, sizeof(stats));
	stats.generation = 7;
	return 0;
}

static void test_passed_failed_timeouts(void **state)
{
	(void)state;
	stats_count(&stats, CHECK_TCP, FAULT_NONE, 0, 100, 1);
	stats_count(&stats, CHECK_TCP, FAULT_CONNECT, 111, 200, 2);
	stats_count(&stats, CHECK_TCP, FAULT_TIMEOUT, 1000, 1000000, 3);
	assert_int_equal(stats.passed, 1);
	assert_int_equal(stats.failed, 2);
	assert_int_equal(stats.timeouts, 1);
	assert_int_equal(stats.latency_sum, 1000300);
	assert_int_equal(stats.last_latency, 1000000);
	assert_int_equal(stats.last_time, 3);
	assert_int_equal(stats.fault, FAULT_TIMEOUT);
	assert_int_equal(stats.detail, 1000);
	assert_int_equal(stats.kind, CHECK_TCP);
	assert_int_equal(stats.generation, 7);
}

/* An edge belongs to the bucket below it, as "le" says; the last one is without end. */
static void test_edges(void **state)
{
	static const uint32_t edges[PROBE_BUCKETS] = {PROBE_BUCKET_EDGES};

	(void)state;
	stats_count(&stats, CHECK_TCP, FAULT_NONE, 0, 0, 1);
	for (unsigned i = 0; i < PROBE_BUCKETS; i++) {
		stats_count(&stats, CHECK_TCP, FAULT_NONE, 0, edges[i], 1);
		stats_count(&stats, CHECK_TCP, FAULT_NONE, 0, (uint64_t)edges[i] + 1, 1);
	}
	for (unsigned i = 0; i <= PROBE_BUCKETS; i++)
		assert_int_equal(stats.bucket[i], i < PROBE_BUCKETS ? 2 : 1);
}

static void test_longer_than_can_be_told(void **state)
{
	(void)state;
	stats_count(&stats, CHECK_TCP, FAULT_NONE, 0, (uint64_t)UINT32_MAX + 5, 1);
	assert_int_equal(stats.last_latency, UINT32_MAX);
	assert_int_equal(stats.latency_sum, (uint64_t)UINT32_MAX + 5);
}

/* No descriptors, no memory: told as the last fault, but the service was not looked at. */
static void test_what_could_not_be_made_is_not_counted(void **state)
{
	(void)state;
	stats_count(&stats, CHECK_EXEC, FAULT_NONE, 0, 100, 1);
	stats_count(&stats, CHECK_EXEC, FAULT_INTERNAL, 24, 900, 2);
	assert_int_equal(stats.passed, 1);
	assert_int_equal(stats.failed, 0);
	assert_int_equal(stats.latency_sum, 100);
	assert_int_equal(stats.last_latency, 100);
	assert_int_equal(stats.fault, FAULT_INTERNAL);
	assert_int_equal(stats.detail, 24);
	assert_int_equal(stats.last_time, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_passed_failed_timeouts, setup),
	    cmocka_unit_test_setup(test_edges, setup),
	    cmocka_unit_test_setup(test_longer_than_can_be_told, setup),
	    cmocka_unit_test_setup(test_what_could_not_be_made_is_not_counted, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
