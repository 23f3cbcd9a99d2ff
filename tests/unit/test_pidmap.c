/* The process table against a plain array, at random. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "init/pidmap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { PIDS = 600, STEPS = 300000 };

static struct pid_entry table[4096];
static struct pidmap map;
static struct pid_entry model[PIDS]; /* pid 0: absent */
static uint64_t random_state;

static uint32_t pick(uint32_t n)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(random_state >> 33) % n;
}

static void start(size_t entries)
{
	memset(table, 0xff, sizeof(table)); /* beyond its entries no place is free */
	memset(table, 0, entries * sizeof(table[0]));
	memset(model, 0, sizeof(model));
	pidmap_init(&map, table, entries);
}

static uint32_t model_count(void)
{
	uint32_t count = 0;

	for (unsigned i = 0; i < PIDS; i++)
		count += model[i].pid != 0;
	return count;
}

static void check_one(unsigned i, int32_t pid)
{
	const struct pid_entry *found = pidmap_get(&map, pid);

	if (!model[i].pid) {
		assert_null(found);
		return;
	}
	assert_non_null(found);
	assert_int_equal(found->pid, pid);
	assert_int_equal(found->slot, model[i].slot);
	assert_int_equal(found->role, model[i].role);
}

static void put(unsigned i, int32_t pid, size_t entries)
{
	struct pid_entry e = {
	    .pid = pid, .slot = (pick(5000)) & 0xffffff, .role = (uint8_t)pick(5)};
	int rc = pidmap_put(&map, pid, e.slot, (enum pid_role)e.role);

	/* One place is left free; an entry that is there can be changed in a full table. */
	if (!model[i].pid && model_count() == entries - 1) {
		assert_int_equal(rc, -ENOSPC);
		return;
	}
	assert_int_equal(rc, 0);
	model[i] = e;
}

/* `apart`: distance of the pids, so that their home places fall together or not. */
static void exercise(size_t entries, int32_t apart, uint32_t fill)
{
	start(entries);
	for (long step = 0; step < STEPS; step++) {
		unsigned i = pick(PIDS);
		int32_t pid = 1 + (int32_t)i * apart;

		if (pick(100) < fill) {
			put(i, pid, entries);
		} else {
			pidmap_remove(&map, pid);
			model[i].pid = 0;
		}
		i = pick(PIDS);
		check_one(i, 1 + (int32_t)i * apart);
		if (step % 5000)
			continue;
		assert_int_equal(map.count, model_count());
		for (i = 0; i < PIDS; i++)
			check_one(i, 1 + (int32_t)i * apart);
	}
}

static void test_model(void **state)
{
	static const int32_t apart[] = {1, 2, 128, 4096, 3000017};

	(void)state;
	for (unsigned i = 0; i < sizeof(apart) / sizeof(apart[0]); i++) {
		random_state = i;
		exercise(64, apart[i], 50); /* mostly full */
		exercise(1024, apart[i], 50);
		exercise(1024, apart[i], 95);
		exercise(16, apart[i], 20);
	}
}

static void test_entries(void **state)
{
	(void)state;
	for (size_t most = 0; most < 2000; most++) {
		size_t entries = pidmap_entries(most);

		assert_true(entries >= 2 * most && entries >= 16);
		assert_int_equal(entries & (entries - 1), 0);
		assert_true(entries <= 16 || entries < 4 * most);
	}
}

/* Pids as a kernel hands them out, coming and going for long: nothing silts up. */
static void test_long_use(void **state)
{
	(void)state;
	start(64);
	for (int32_t pid = 1; pid < 1000000; pid++) {
		assert_int_equal(pidmap_put(&map, pid, (uint32_t)pid, PID_MAIN), 0);
		if (pid > 30)
			pidmap_remove(&map, pid - 30);
	}
	assert_int_equal(map.count, 30);
	for (int32_t pid = 1; pid < 999970; pid++)
		assert_null(pidmap_get(&map, pid));
	for (int32_t pid = 999970; pid < 1000000; pid++)
		assert_int_equal(pidmap_get(&map, pid)->slot, pid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_model),
	    cmocka_unit_test(test_entries),
	    cmocka_unit_test(test_long_use),
	};

	return cmocka_run_group_tests_name("pidmap", tests, NULL, NULL);
}
