/* Days of a supervisor in a simulated kernel, each drawn from a seed.
 *
 *     test_sim [--seeds N] [--from SEED]     N days (1000)
 *     test_sim --seed SEED [--trace]         one day again, told in full */
#include "init/config.h"
#include "tests/sim/prober.h"
#include "tests/sim/sim.h"
#include "tests/sim/slices.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { SEEDS = 1000, DAY = 24 * HOUR, QUIET = 2 * HOUR };

struct sim sim;

void sim_fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	printf("not ok 1 - seed_%llu\n    at %lld ms: ", (unsigned long long)sim.seed,
	    (long long)kernel.now);
	vprintf(format, args);
	printf("\n    again: test_sim --seed %llu --trace\n", (unsigned long long)sim.seed);
	va_end(args);
	fflush(stdout);
	_exit(1);
}

void sim_trace(const char *format, ...)
{
	va_list args;

	if (!sim.trace)
		return;
	va_start(args, format);
	printf("%lld.%03d", (long long)kernel.now / 1000, (int)(kernel.now % 1000));
	vprintf(format, args);
	printf("\n");
	va_end(args);
}

/* --- one day --------------------------------------------------------------------------- */

static void tell_slices(int wd)
{
	supervisor_slice_event(&sim.sv, wd);
}

/* As the loop does it: sleep, births, deaths, requests, deadlines, consequences. */
static void turn(int64_t *request, void (*ask)(void))
{
	struct supervisor *sv = &sim.sv;
	bool late = kernel_chance(50); /* what epoll tells first of the others is chance */
	int64_t next = sooner(sooner(supervisor_deadline(sv), kernel_next()), *request);

	next = sooner(next, prober_next());

	if (!kernel.chld && !slices_have_events() && next > kernel.now)
		kernel.now = next;
	if (!kernel.chld && !slices_have_events() && !next)
		kernel.now += HOUR; /* nothing will ever happen */
	kernel_run();
	supervisor_clock(sv);
	supervisor_births(sv);
	if (kernel.chld) {
		kernel.chld = false;
		supervisor_deaths(sv, kernel.chld_pid);
	}
	if (sv->reap_again && sv->reap_again <= sv->now)
		supervisor_deaths(sv, 0);
	if (!late)
		slices_tell(tell_slices);
	prober_run();
	if (*request && *request <= kernel.now) {
		*request = 0;
		ask();
	}
	if (late)
		slices_tell(tell_slices);
	supervisor_timers(sv);
	supervisor_settle(sv);
	checks_turn();
	prober_check();
}

static int64_t next_request(int64_t until)
{
	int64_t wait = kernel_chance(40)   ? kernel_pick(20)
		       : kernel_chance(50) ? kernel_pick(20000)
					   : kernel_pick(HOUR);

	return kernel.now + wait < until ? kernel.now + 1 + wait : until;
}

static void busy(int64_t until)
{
	int64_t request = next_request(until);

	while (kernel.now < until && !sim.sv.stopping) {
		turn(&request, operate);
		if (!request)
			request = next_request(until);
	}
}

static void quiet(int64_t until)
{
	int64_t request = until;

	kernel.calm = true;
	operators_tell_devices((1u << PLAN_DEVICES) - 1);
	while (kernel.now < until && !sim.sv.stopping)
		turn(&request, checks_turn);
}

static void ask_shutdown(void)
{
	sim_trace(" shutdown");
	sim.shutdown_asked = true;
	supervisor_shutdown(&sim.sv);
}

/* Sometimes asked twice, and with an operator who does not know of it. */
static void shut_down(void)
{
	int64_t request = kernel.now;
	bool again = kernel_chance(30);

	turn(&request, ask_shutdown);
	request = kernel.now + 1 + kernel_pick(again ? 5000 : 100);
	while (!supervisor_done(&sim.sv)) {
		turn(&request, again ? ask_shutdown : operate);
		if (!request && kernel_chance(50))
			request = kernel.now + 1 + kernel_pick(1000);
	}
}

static void release(struct supervisor *sv)
{
	for (unsigned i = 0; i < SUPERVISOR_SETS; i++) {
		if (sv->set[i].image)
			config_free(sv->set[i].image);
		free(sv->set[i].slot_of);
	}
	for (unsigned i = 0; i < ARRAY_LEN(sv->room); i++)
		free(sv->room[i].words);
	free(sv->unit);
	free(sv->deadline);
	free(sv->order);
	free(sv->work);
	free(sv->dirty.bits);
	free(sv->hold.bits);
	free(sv->check.bits);
	free(sv->tell.bits);
	free(sv->history);
	free(sv->check_state);
	free(sv->check_due);
	free(sv->capture);
	free(sv->pids.entry);
	spawner_free(sv->spawner);
	board_close(&sv->board);
}

/* The days before have left some down. That the shell was, holds for its own day. */
static void remember_stops(void)
{
	if (kernel_chance(80))
		return;
	for (int n = 0; n < KERNEL_SERVICES; n++) {
		kernel.marker[n] = kernel_chance(10);
		sim.hand[n] = kernel.marker[n] && !(n == KERNEL_EMERGENCY && sim.plan.built_in);
	}
}

static void day(uint64_t seed, bool trace)
{
	struct supervisor_input input = {.state_dir = "/sim/state", .rundir = -1};
	int64_t start = 1 + 1000 * (int64_t)(seed % 100);
	int rc;

	memset(&sim, 0, sizeof(sim));
	sim.seed = seed;
	sim.trace = trace;
	kernel_reset(seed, start);
	checks_begin();
	sim.reload_share = kernel_chance(20) ? 50 : 5;
	/* Half of the days know cgroups; some of the others know that there are none. */
	if (kernel_chance(50)) {
		slices_tree(&sim.tree, kernel_chance(85));
		input.cgroups = &sim.tree;
		input.slices_max = KERNEL_SERVICES;
	} else if (kernel_chance(50)) {
		sim.tree.root_fd = -1;
		input.cgroups = &sim.tree;
		input.slices_max = KERNEL_SERVICES;
	}
	plan_make(&sim.plan, kernel_chance(25));
	input.mode = sim.plan.machine ? MODE_BOOT : MODE_CONTAINER;
	sim.single = sim.plan.machine && kernel_chance(20);
	remember_stops();
	/* Who starts the machine so asks for the shell. */
	sim.asked[KERNEL_EMERGENCY] = sim.single;
	sim.hand[KERNEL_EMERGENCY] &= !sim.single;
	sim.plan.needs_slices = sim.tree.root_fd > 0 && kernel_chance(20);
	input.image = operators_load(&sim.plan, sim.plan.machine ? CONFIG_TOLERANT : 0);
	input.image_size = input.image->size;
	if (trace)
		operators_print();
	rc = supervisor_new(&sim.sv, &input);
	if (rc < 0)
		sim_fail("supervisor_new: %s", strerror(-rc));
	prober_reset();
	supervisor_prober(&sim.sv, PROBER_FD);
	if (kernel_chance(80))
		operators_tell_devices(kernel_pick(1u << PLAN_DEVICES));
	if (sim.single)
		supervisor_start_single(&sim.sv);
	else
		supervisor_start(&sim.sv);
	/* Some days end in the middle of the morning's rush. */
	if (kernel_chance(20)) {
		busy(start + kernel_pick(kernel_chance(50) ? 2000 : 10 * MINUTE));
	} else {
		busy(start + DAY - QUIET);
		quiet(start + DAY);
	}
	shut_down();
	checks_end();
	release(&sim.sv);
}

static void days(uint64_t from, uint64_t count)
{
	struct timespec began, ended;
	uint64_t turns = 0, births = 0;
	double seconds;

	clock_gettime(CLOCK_MONOTONIC, &began);
	for (uint64_t seed = from; seed < from + count; seed++) {
		day(seed, false);
		turns += sim.turns;
		births += kernel.spawned;
	}
	clock_gettime(CLOCK_MONOTONIC, &ended);
	seconds =
	    (double)(ended.tv_sec - began.tv_sec) + (double)(ended.tv_nsec - began.tv_nsec) / 1e9;
	printf("ok 1 - days (%llu seeds in %.1f s, %.0f turns and %.0f births each)\n",
	    (unsigned long long)count, seconds, (double)turns / (double)count,
	    (double)births / (double)count);
}

int main(int argc, char **argv)
{
	const char *seeds = getenv("SIM_SEEDS");
	uint64_t from = 0, count = seeds ? strtoull(seeds, NULL, 10) : SEEDS;
	bool one = false, trace = false;

	for (int i = 1; i < argc; i++) {
		bool more = i + 1 < argc;

		if (!strcmp(argv[i], "--trace")) {
			trace = true;
		} else if (!strcmp(argv[i], "--seed") && more) {
			from = strtoull(argv[++i], NULL, 10);
			one = true;
		} else if (!strcmp(argv[i], "--from") && more) {
			from = strtoull(argv[++i], NULL, 10);
		} else if (!strcmp(argv[i], "--seeds") && more) {
			count = strtoull(argv[++i], NULL, 10);
		} else {
			fprintf(stderr,
			    "usage: test_sim [--seeds N] [--from SEED] | --seed SEED [--trace]\n");
			return 2;
		}
	}
	if (one)
		day(from, trace);
	else
		days(from, count);
	return 0;
}
