/* The prober's parts that know no sockets: thresholds, times, the heap, the search, sentences,
 * and which helper a name means. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "init/base.h"
#include "init/board.h"
#include "probes/alarms.h"
#include "probes/fault.h"
#include "probes/helpers.h"
#include "probes/schedule.h"
#include "probes/search.h"
#include "probes/verdict.h"

#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

static uint64_t random_state = 1;

static uint32_t pick(uint32_t n)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(random_state >> 33) % n;
}

/* --- verdict ------------------------------------------------------------------------ */

/* `results`: p or f; `changes`: P or F where the verdict changes, else a dot. */
static void check_verdict(
    uint8_t health, uint32_t failures, uint32_t successes, const char *results, const char *changes)
{
	struct verdict verdict;

	verdict_init(&verdict, health);
	assert_int_equal(strlen(results), strlen(changes));
	for (size_t i = 0; results[i]; i++) {
		bool changed = verdict_step(&verdict, results[i] == 'p', failures, successes);
		if (changed != (changes[i] != '.'))
			fail_msg("%s: result %zu", results, i);
		if (changed)
			assert_int_equal(
			    verdict.health, changes[i] == 'P' ? HEALTH_PASSING : HEALTH_FAILING);
	}
}

static void test_verdict(void **state)
{
	(void)state;
	check_verdict(HEALTH_UNKNOWN, 3, 1, "pppffpfffffpf", "P.......F..P.");
	check_verdict(HEALTH_UNKNOWN, 3, 2, "pfpffpfff", "........F");
	check_verdict(HEALTH_UNKNOWN, 1, 1, "fpfp", "FPFP");
	check_verdict(HEALTH_UNKNOWN, 2, 3, "ppfpppffppffppp", ".....P.F......P");
	check_verdict(HEALTH_PASSING, 2, 1, "ppfpff", ".....F");
	check_verdict(HEALTH_FAILING, 2, 2, "ffpfpp", ".....P");
	check_verdict(HEALTH_NONE, 1, 1, "p", "P");
	check_verdict(HEALTH_UNKNOWN, 0, 0, "pfpf", "PFPF");
}

/* --- schedule ----------------------------------------------------------------------- */

static void test_schedule_first(void **state)
{
	(void)state;
	assert_int_equal(schedule_first(5000, 0, 10000, 12345), 5345);
	assert_int_equal(schedule_first(5000, 300, 10000, 12345), 5645);
	assert_int_equal(schedule_first(5000, 0, 500, 12345), 5345);
	assert_int_equal(schedule_first(5000, 0, 1, UINT32_MAX), 5000);
	assert_int_equal(schedule_first(0, UINT32_MAX, 0, 7), UINT32_MAX);
	for (uint32_t i = 0; i < 10000; i++) {
		int64_t first = schedule_first(0, 0, 60000, pick(UINT32_MAX));
		assert_in_range(first, 0, 999);
	}
}

static void test_schedule_next(void **state)
{
	(void)state;
	assert_int_equal(schedule_next(1000, 100, 1001), 1100);
	assert_int_equal(schedule_next(1000, 100, 1099), 1100);
	assert_int_equal(
	    schedule_next(1000, 100, 1100), 1100); /* a time-out of just the interval */
	assert_int_equal(schedule_next(1000, 100, 1199), 1100);
	assert_int_equal(schedule_next(1000, 100, 1200), 1200); /* one was missed */
	assert_int_equal(schedule_next(1000, 100, 9999), 9900); /* many were: no burst */
	assert_int_equal(schedule_next(1000, 100, 900), 1100);
	assert_int_equal(schedule_next(1000, 0, 1000), 1001);
	/* However late each probe ends, no lateness adds up. */
	int64_t due = 77;
	for (unsigned i = 1; i <= 1000; i++) {
		due = schedule_next(due, 50, due + pick(50));
		assert_int_equal(due, 77 + (int64_t)i * 50);
	}
}

/* --- alarms ------------------------------------------------------------------------- */

enum { ALARMS = 300 };

static void test_alarms(void **state)
{
	static struct alarm alarm[ALARMS];
	static struct alarm_entry heap[ALARMS + 1];
	struct alarms alarms = {.heap = heap};

	(void)state;
	assert_null(alarms_first(&alarms));
	for (unsigned step = 0; step < 100000; step++) {
		struct alarm *one = &alarm[pick(ALARMS)];
		const struct alarm *first = NULL;
		uint32_t count = 0;
		if (pick(3) == 0)
			alarms_remove(&alarms, one);
		else
			alarms_set(&alarms, one, pick(1000));
		for (unsigned i = 0; i < ALARMS; i++) {
			if (!alarm[i].place)
				continue;
			count++;
			assert_ptr_equal(heap[alarm[i].place].alarm, &alarm[i]);
			assert_int_equal(heap[alarm[i].place].at, alarm[i].at);
			if (!first || alarm[i].at < first->at)
				first = &alarm[i];
		}
		assert_int_equal(alarms.count, count);
		assert_true(!first == !alarms_first(&alarms));
		assert_true(!first || alarms_first(&alarms)->at == first->at);
	}
}

/* --- search ------------------------------------------------------------------------- */

/* Against strstr(3), in pieces of any size. */
static void test_search(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 20000; round++) {
		char text[9] = "", bytes[65] = "";
		uint16_t table[8];
		size_t length = 1 + pick(8), size = pick(64), matched = 0;
		bool found = false;
		for (size_t i = 0; i < length; i++)
			text[i] = (char)('a' + pick(2));
		for (size_t i = 0; i < size; i++)
			bytes[i] = (char)('a' + pick(2));
		search_table(text, length, table);
		for (size_t at = 0; at < size && !found;) {
			size_t part = 1 + pick(7);
			if (part > size - at)
				part = size - at;
			found = search_feed(text, length, table, &matched, bytes + at, part);
			at += part;
		}
		assert_int_equal(found, strstr(bytes, text) != NULL);
	}
}

/* --- faults ------------------------------------------------------------------------- */

static void check_sentence(unsigned fault, int32_t detail, const char *sentence)
{
	char buffer[128];
	struct text text;

	text_init(&text, buffer, sizeof(buffer));
	fault_sentence(&text, fault, detail, "");
	assert_string_equal(buffer, sentence);
}

static void test_fault(void **state)
{
	(void)state;
	check_sentence(FAULT_NONE, 0, "passed");
	check_sentence(FAULT_TIMEOUT, 1000, "no answer within 1000 ms");
	check_sentence(FAULT_CONNECT, ECONNREFUSED, "connection refused");
	check_sentence(FAULT_CONNECT, EHOSTUNREACH, "cannot connect: no route to host");
	check_sentence(FAULT_RESOLVE, EAI_NONAME, "the name cannot be resolved: no such name");
	check_sentence(FAULT_RESOLVE, -99, "the name cannot be resolved: -99");
	check_sentence(FAULT_CLOSED, 0, "the connection ended before the answer was whole");
	check_sentence(FAULT_STATUS, 503, "HTTP status 503");
	check_sentence(FAULT_GRPC_STATUS, 12, "gRPC status UNIMPLEMENTED");
	check_sentence(FAULT_GRPC_STATUS, 99, "gRPC status 99");
	check_sentence(FAULT_GRPC_SERVING, 2, "gRPC health NOT_SERVING");
	check_sentence(FAULT_STOLEN, 0, "another program listens there");
	check_sentence(FAULT_STOLEN, 42, "another program listens there (pid 42)");
	check_sentence(FAULT_OLD, 17, "the file was last changed 17 s ago");
	check_sentence(FAULT_SILENT, 600, "no WATCHDOG=1 for 600 ms");
	check_sentence(FAULT_COUNT, 1, "failed");
	check_sentence(255, INT32_MIN, "failed");
}

static void test_fault_thief(void **state)
{
	char buffer[128];
	struct text text;

	(void)state;
	text_init(&text, buffer, sizeof(buffer));
	fault_sentence(&text, FAULT_STOLEN, 42, "nginx");
	assert_string_equal(buffer, "another program listens there: nginx (pid 42)");
}

/* None is without a sentence, whatever the detail. */
static void test_fault_all(void **state)
{
	static const int32_t details[] = {INT32_MIN, -1, 0, 1, 4096, INT32_MAX};

	(void)state;
	for (unsigned fault = 0; fault < FAULT_COUNT; fault++)
		for (size_t i = 0; i < ARRAY_LEN(details); i++) {
			char buffer[128];
			struct text text;
			text_init(&text, buffer, sizeof(buffer));
			fault_sentence(&text, fault, details[i], "");
			assert_true(text.used > 5 && !text.cut);
		}
}

/* --- names of helpers --------------------------------------------------------------- */

static void test_helpers(void **state)
{
	(void)state;
	assert_non_null(helper_find(HELPER_NAME_PROBER));
	assert_null(helper_find("sinit"));
	assert_null(helper_find("sinit: prober "));
	assert_null(helper_find(""));
	assert_null(helper_find(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_verdict),
	    cmocka_unit_test(test_schedule_first),
	    cmocka_unit_test(test_schedule_next),
	    cmocka_unit_test(test_alarms),
	    cmocka_unit_test(test_search),
	    cmocka_unit_test(test_fault),
	    cmocka_unit_test(test_fault_thief),
	    cmocka_unit_test(test_fault_all),
	    cmocka_unit_test(test_helpers),
	};

	return cmocka_run_group_tests_name("probes", tests, NULL, NULL);
}
