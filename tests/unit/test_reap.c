/* The reaper over a simulated kernel: a list of children that is walked at a price, one
 * pending SIGCHLD at most, and a clock. What holds: no death is lost or told twice, and
 * walking takes its small share of the time whatever lives and dies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "init/base.h"
#include "reaper/reap.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#define PIDS 30000

/* Prices in ns, as measured: a zombie released, a number looked up, a child walked past. */
#define RELEASE_NS 2200
#define LOOKUP_NS  200
#define WALK_NS    50

enum state { ABSENT, ALIVE, ZOMBIE };

static struct {
	uint8_t state[PIDS]; /* by pid; the order of the list is that of the numbers */
	int alive, zombies, reaped;
	pid_t signal;        /* pending SIGCHLD: the pid it names; 0: none */
	int64_t now, walked; /* ns */
	int64_t walks, lookups;
	int64_t stolen; /* ns of it that other processes had */
	void (*during_walk)(void);
} kernel;

static void born(pid_t pid)
{
	assert_int_equal(kernel.state[pid], ABSENT);
	kernel.state[pid] = ALIVE;
	kernel.alive++;
}

static void dies(pid_t pid)
{
	assert_int_equal(kernel.state[pid], ALIVE);
	kernel.state[pid] = ZOMBIE;
	kernel.alive--;
	kernel.zombies++;
	if (kernel.signal == 0)
		kernel.signal = pid;
}

static int release(pid_t pid, struct death *ret_death)
{
	kernel.now += RELEASE_NS;
	kernel.state[pid] = ABSENT;
	kernel.zombies--;
	kernel.reaped++;
	ret_death->pid = pid;
	ret_death->status = exit_status_decode(CLD_EXITED, pid & 0xff);
	return 1;
}

int reap_wait(pid_t pid, struct death *ret_death)
{
	if (pid != 0) {
		kernel.lookups++;
		kernel.now += LOOKUP_NS;
		if (pid >= PIDS || kernel.state[pid] == ABSENT)
			return -ECHILD;
		return kernel.state[pid] == ALIVE ? 0 : release(pid, ret_death);
	}
	int64_t start = kernel.now;
	kernel.walks++;
	pid_t found = 0;
	for (pid_t at = 1; at < PIDS && found == 0; at++) {
		if (kernel.state[at] != ABSENT)
			kernel.now += WALK_NS;
		if (kernel.state[at] == ZOMBIE)
			found = at;
	}
	kernel.walked += kernel.now - start;
	if (found != 0)
		return release(found, ret_death);
	if (kernel.during_walk)
		kernel.during_walk();
	return kernel.alive > 0 ? 0 : -ECHILD;
}

int reap_look(pid_t pid, struct death *ret_death)
{
	(void)pid;
	(void)ret_death;
	fail();
	return 0;
}

int64_t reap_clock(void)
{
	return kernel.now;
}

int64_t reap_cpu_clock(void)
{
	return kernel.now - kernel.stolen;
}

static int reset(void **state)
{
	(void)state;
	memset(&kernel, 0, sizeof(kernel));
	kernel.now = 1000000000;
	return 0;
}

/* A caller's turn: takes the signal if there is one, reaps until told to stop. Returns
 * when to come again without a signal, 0: never. */
static int64_t turn(struct reaper *reaper, int *ret_result)
{
	struct death death;
	int64_t again;
	int result;

	if (kernel.signal != 0) {
		reaper_notice(reaper, kernel.signal);
		kernel.signal = 0;
	}
	while ((result = reaper_next(reaper, &death, &again)) == 1) {
		assert_int_equal(again, 0);
		assert_int_equal(death.status.kind, EXIT_EXITED);
		assert_int_equal(death.status.code, death.pid & 0xff);
	}
	if (again != 0)
		assert_true(again > kernel.now && again - kernel.now <= REAP_REST_MAX_NS);
	*ret_result = result;
	return again;
}

/* Sleeps as a caller does, until a signal or the time it was told. */
static void settle(struct reaper *reaper)
{
	int result;

	for (int rounds = 0; rounds < 100000; rounds++) {
		int64_t again = turn(reaper, &result);
		if (kernel.signal != 0)
			continue;
		if (again == 0)
			return;
		kernel.now = again;
	}
	fail_msg("no end");
}

static void test_no_children(void **state)
{
	struct reaper reaper;
	int result;

	(void)state;
	reaper_init(&reaper);
	assert_int_equal(turn(&reaper, &result), 0);
	assert_int_equal(result, -ECHILD);
	assert_int_equal(kernel.walks, 1);
	assert_int_equal(turn(&reaper, &result), 0); /* not asked again without a notice */
	assert_int_equal(kernel.walks, 1);
}

static void test_one_death(void **state)
{
	struct reaper reaper;
	int result;

	(void)state;
	born(10);
	born(20);
	reaper_init(&reaper);
	assert_int_equal(turn(&reaper, &result), 0);
	assert_int_equal(result, 0);
	kernel.now += 1000000;
	dies(20);
	assert_int_equal(turn(&reaper, &result), 0);
	assert_int_equal(result, 0);
	assert_int_equal(kernel.reaped, 1);
	kernel.now += 1000000;
	dies(10);
	assert_int_equal(turn(&reaper, &result), 0);
	assert_int_equal(result, -ECHILD);
	assert_int_equal(kernel.reaped, 2);
	assert_int_equal(kernel.lookups, 2); /* with few alive no neighbours are tried */
}

/* Children that an earlier program of this process left: nobody names them. */
static void test_inherited_zombies(void **state)
{
	struct reaper reaper;
	int result;

	(void)state;
	for (pid_t pid = 5; pid < 10; pid++) {
		born(pid);
		dies(pid);
	}
	kernel.signal = 0;
	reaper_init(&reaper);
	turn(&reaper, &result);
	assert_int_equal(kernel.reaped, 5);
	assert_int_equal(result, -ECHILD);
}

/* One signal for many deaths; and a name that is no child of ours (kill -CHLD). */
static void test_merged_and_false_signals(void **state)
{
	struct reaper reaper;
	int result;

	(void)state;
	reaper_init(&reaper);
	for (pid_t pid = 100; pid < 200; pid++)
		born(pid);
	for (pid_t pid = 199; pid >= 150; pid--)
		dies(pid);
	turn(&reaper, &result);
	assert_int_equal(kernel.reaped, 50);
	kernel.now += 100000000;
	dies(120);
	reaper_notice(&reaper, 29999);
	kernel.signal = 0;
	settle(&reaper);
	assert_int_equal(kernel.reaped, 51);
}

static void die_in_walk(void)
{
	kernel.during_walk = NULL;
	dies(7);
}

/* Dies just after the walk has passed: its signal makes the next one. */
static void test_death_behind_the_walk(void **state)
{
	struct reaper reaper;
	int result;

	(void)state;
	born(7);
	born(8);
	dies(8);
	reaper_init(&reaper);
	kernel.during_walk = die_in_walk;
	turn(&reaper, &result);
	assert_int_equal(kernel.zombies, 1);
	assert_int_equal(kernel.signal, 7);
	settle(&reaper);
	assert_int_equal(kernel.zombies, 0);
}

/* P06's price: with thousands alive, the named death costs a lookup, also during a rest. */
static void test_named_death_among_thousands(void **state)
{
	struct reaper reaper;
	int result;

	(void)state;
	for (pid_t pid = 1; pid <= 20000; pid++)
		born(pid);
	reaper_init(&reaper);
	turn(&reaper, &result);
	for (pid_t pid = 20000; pid > 19900; pid -= 10) {
		int64_t start = kernel.now;
		dies(pid);
		int64_t again = turn(&reaper, &result);
		assert_int_equal(kernel.zombies, 0);
		assert_true(again > kernel.now);
		assert_true(kernel.now - start < 10000);
	}
}

static void lose_cpu(void)
{
	kernel.during_walk = NULL;
	kernel.now += 20000000;
	kernel.stolen += 20000000;
}

/* Another process had the CPU in the middle of a walk: it was not costly, and the deaths
 * that nobody names need not wait a hundred milliseconds for it. */
static void test_interrupted_walk(void **state)
{
	struct reaper reaper;
	int result;

	(void)state;
	born(1);
	reaper_init(&reaper);
	kernel.during_walk = lose_cpu;
	assert_int_equal(turn(&reaper, &result), 0);
	for (int round = 0; round < 3; round++) {
		int64_t start = kernel.now;
		for (pid_t pid = 100; pid < 200; pid += 20) {
			born(pid);
			dies(pid);
		}
		settle(&reaper);
		assert_int_equal(kernel.zombies, 0);
		assert_true(kernel.now - start < (round == 0 ? 3000000 : 100000));
	}
}

/* The storm behind 20,000 that live: 5,000 die in batches of 100, one signal each. A loop of
 * waitid(P_ALL) would walk 5,000 x 1 ms. */
static void test_storm_behind_the_living(void **state)
{
	struct reaper reaper;
	int result;

	(void)state;
	for (pid_t pid = 1; pid <= 20000; pid++)
		born(pid);
	reaper_init(&reaper);
	int64_t start = kernel.now;
	for (pid_t pid = 20001; pid <= 25000; pid += 100) {
		for (pid_t at = pid; at < pid + 100; at++)
			if (at % 10 != 0) { /* some numbers are others' */
				born(at);
				dies(at);
			}
		turn(&reaper, &result);
	}
	settle(&reaper);
	assert_int_equal(kernel.zombies, 0);
	assert_int_equal(kernel.reaped, 4500);
	assert_true(kernel.now - start < 200000000);
	assert_true(kernel.walked < 20000000);
}

/* Every other one of 20,000 dies, in an order that has nothing to do with their numbers. */
static void test_storm_in_any_order(void **state)
{
	struct reaper reaper;
	int result;
	uint32_t random = 12345;

	(void)state;
	for (pid_t pid = 1; pid <= 20000; pid++)
		born(pid);
	reaper_init(&reaper);
	int64_t start = kernel.now;
	for (int deaths = 0; deaths < 10000;) {
		random = random * 1664525 + 1013904223;
		pid_t pid = (pid_t)(random >> 8) % 20000 + 1;
		if (kernel.state[pid] != ALIVE)
			continue;
		dies(pid);
		if (++deaths % 4 == 0)
			turn(&reaper, &result);
		kernel.now += 20000;
	}
	settle(&reaper);
	assert_int_equal(kernel.zombies, 0);
	assert_int_equal(kernel.reaped, 10000);
	/* 2 %, and the walk that is under way when it is counted. */
	assert_true(kernel.walked < (kernel.now - start) / 20);
}

/* Random births, deaths, turns and pauses: none lost, none twice (release() would fail). */
static void test_random_walks(void **state)
{
	int result;

	for (uint32_t seed = 1; seed <= 200; seed++) {
		struct reaper reaper;
		uint32_t random = seed * 2654435761U;
		int births = 0;

		reset(state);
		reaper_init(&reaper);
		for (int step = 0; step < 400; step++) {
			random = random * 1664525 + 1013904223;
			uint32_t choice = (random >> 24) % 8;
			pid_t pid = (pid_t)(random >> 8) % (seed % 2 ? 60 : PIDS - 1) + 1;
			if (choice < 3 && kernel.state[pid] == ABSENT) {
				born(pid);
				births++;
			} else if (choice < 6 && kernel.state[pid] == ALIVE) {
				dies(pid);
			} else if (choice == 6) {
				turn(&reaper, &result);
			} else if (choice == 7) {
				kernel.now += random % 3000000;
			}
		}
		settle(&reaper);
		assert_int_equal(kernel.zombies, 0);
		assert_int_equal(kernel.reaped + kernel.alive, births);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_no_children, reset),
	    cmocka_unit_test_setup(test_one_death, reset),
	    cmocka_unit_test_setup(test_inherited_zombies, reset),
	    cmocka_unit_test_setup(test_merged_and_false_signals, reset),
	    cmocka_unit_test_setup(test_death_behind_the_walk, reset),
	    cmocka_unit_test_setup(test_named_death_among_thousands, reset),
	    cmocka_unit_test_setup(test_interrupted_walk, reset),
	    cmocka_unit_test_setup(test_storm_behind_the_living, reset),
	    cmocka_unit_test_setup(test_storm_in_any_order, reset),
	    cmocka_unit_test_setup(test_random_walks, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
