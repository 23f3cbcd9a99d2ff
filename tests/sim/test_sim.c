/* Days of a supervisor in a simulated kernel, each drawn from a seed.
 *
 *     test_sim [--seeds N] [--from SEED]     N days (1000)
 *     test_sim --seed SEED [--trace]         one day again, told in full */
#include "init/config.h"
#include "tests/sim/prober.h"
#include "tests/sim/sim.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { SEEDS = 1000, DAY = 24 * HOUR, QUIET = 2 * HOUR };

struct sim sim;
static char text[PLAN_TEXT];

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

/* --- configurations -------------------------------------------------------------------- */

static void print_error(void *context, const char *line)
{
	(void)context;
	printf("    %s\n", line);
}

static struct image *load(const struct plan *plan)
{
	static char path[] = "PATH=/sim";
	static char *const environment[] = {path, NULL};
	struct config_input input = {.environ = environment};
	struct config_errors errors = {0};
	struct image *image;

	plan_write(plan, text);
	if (config_load_text("plan", text, &input, &errors, &image) < 0) {
		config_errors_write(&errors, print_error, NULL);
		sim_fail("the configuration has errors");
	}
	config_errors_free(&errors);
	return image;
}

static uint32_t find(int number)
{
	char name[16];

	snprintf(name, sizeof(name), "s%02d", number);
	return supervisor_find(&sim.sv, name);
}

static void reload(void)
{
	static struct plan old;
	bool asked[KERNEL_SERVICES];
	struct reload_counts counts;
	struct image *image;
	int rc;

	/* The births of this very call are to follow the new one. */
	old = sim.plan;
	plan_change(&sim.plan);
	image = load(&sim.plan);
	sim_trace(" operator: reload");
	for (int n = 0; n < KERNEL_SERVICES; n++)
		if (sim.plan.service[n].present && !old.service[n].present &&
		    find(n) == SUPERVISOR_NONE)
			sim.hand[n] = kernel.marker[n];
	/* Who is no longer enabled must be asked for anew. */
	memcpy(asked, sim.asked, sizeof(asked));
	for (int n = 0; n < KERNEL_SERVICES; n++)
		if (!sim.plan.service[n].present ||
		    (old.service[n].enabled && !sim.plan.service[n].enabled))
			sim.asked[n] = false;
	sim.reloaded_at = kernel.now;
	rc = supervisor_adopt(&sim.sv, image, image->size, &counts);
	if (rc == 0)
		return;
	sim_trace(" reload: %s", strerror(-rc));
	if (rc != -EBUSY && rc != -ENOSPC)
		sim_fail("reload: %s", strerror(-rc));
	sim.plan = old;
	memcpy(sim.asked, asked, sizeof(asked));
	config_free(image);
}

/* --- operators ------------------------------------------------------------------------- */

static void weather(void)
{
	if (kernel_chance(20)) {
		sim_trace(" the prober dies");
		prober_die();
		return;
	}
	kernel.short_until = kernel.now + 1 + kernel_pick(kernel_chance(20) ? 5 * MINUTE : 2000);
	sim_trace(" no processes to be had until %lld", (long long)kernel.short_until);
}

static void send_signal(uint32_t slot)
{
	static const int sigs[] = {SIGHUP, SIGUSR1, SIGTERM, SIGKILL};

	sim.by_operator = true;
	supervisor_signal(&sim.sv, slot, sigs[kernel_pick(4)]);
	sim.by_operator = false;
}

static void reload_service(uint32_t slot)
{
	sim.by_operator = true;
	supervisor_reload_service(&sim.sv, slot);
	sim.by_operator = false;
}

/* Who asks for a service asks for what it needs, but for what is stopped by hand. */
static void ask_for(int number)
{
	const struct plan_service *s = &sim.plan.service[number];

	sim.asked[number] = true;
	for (int other = 0; other < KERNEL_SERVICES; other++)
		if ((s->requires | s->wants) >> other & 1 && !sim.hand[other] && !sim.asked[other])
			ask_for(other);
}

static void operate(void)
{
	int number = (int)kernel_pick(KERNEL_SERVICES);
	uint32_t what = kernel_pick(100), slot = find(number);

	if (what >= 95) {
		weather();
		return;
	}
	if (kernel_pick(100) < sim.reload_share) {
		reload();
		return;
	}
	if (slot == SUPERVISOR_NONE || sim.sv.unit[slot].removed)
		return;
	sim_trace(" operator: s%02d %s", number,
	    what < 25   ? "start"
	    : what < 50 ? "stop"
	    : what < 75 ? "restart"
			: "...");
	if (what < 25) {
		sim.hand[number] = false;
		ask_for(number);
		supervisor_up(&sim.sv, slot);
	} else if (what < 50) {
		sim.hand[number] = true;
		sim.asked[number] = false;
		supervisor_down(&sim.sv, slot);
	} else if (what < 75) {
		if (!sim.sv.stopping) {
			sim.hand[number] = false;
			ask_for(number);
		}
		supervisor_restart(&sim.sv, slot);
	} else if (what < 80) {
		supervisor_reset(&sim.sv, slot);
	} else if (what < 85) {
		send_signal(slot);
	} else {
		reload_service(slot);
	}
}

/* --- one day --------------------------------------------------------------------------- */

/* As the loop does it: sleep, deaths, requests, deadlines, consequences. */
static void turn(int64_t *request, void (*ask)(void))
{
	struct supervisor *sv = &sim.sv;
	int64_t next = sooner(sooner(supervisor_deadline(sv), kernel_next()), *request);

	next = sooner(next, prober_next());

	if (!kernel.chld && next > kernel.now)
		kernel.now = next;
	if (!kernel.chld && !next)
		kernel.now += HOUR; /* nothing will ever happen */
	kernel_run();
	supervisor_clock(sv);
	if (kernel.chld) {
		kernel.chld = false;
		supervisor_deaths(sv, kernel.chld_pid);
	}
	if (sv->reap_again && sv->reap_again <= sv->now)
		supervisor_deaths(sv, 0);
	prober_run();
	if (*request && *request <= kernel.now) {
		*request = 0;
		ask();
	}
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
	while (kernel.now < until && !sim.sv.stopping)
		turn(&request, checks_turn);
}

static void ask_shutdown(void)
{
	sim_trace(" shutdown");
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
	free(sv->pids.entry);
	spawner_free(sv->spawner);
	board_close(&sv->board);
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
	plan_make(&sim.plan);
	input.image = load(&sim.plan);
	input.image_size = input.image->size;
	if (trace)
		printf("%s", text);
	rc = supervisor_new(&sim.sv, &input);
	if (rc < 0)
		sim_fail("supervisor_new: %s", strerror(-rc));
	prober_reset();
	supervisor_prober(&sim.sv, PROBER_FD);
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
