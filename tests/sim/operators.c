/* Who runs the day: the configuration, reloads, requests, and bad luck. */
#include "init/config.h"
#include "tests/sim/prober.h"
#include "tests/sim/sim.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static char text[PLAN_TEXT];

/* --- configurations -------------------------------------------------------------------- */

static void print_error(void *context, const char *line)
{
	(void)context;
	printf("    %s\n", line);
}

struct image *operators_load(const struct plan *plan, unsigned flags)
{
	static char path[] = "PATH=/sim";
	static char *const environment[] = {path, NULL};
	struct config_input input = {
	    .environ = environment, .flags = flags | (plan->machine ? CONFIG_MACHINE : 0)};
	bool refused = plan_is_broken(plan) && !(flags & CONFIG_TOLERANT);
	struct config_errors errors = {0};
	struct image *image = NULL;

	plan_write(plan, text);
	if ((config_load_text("plan", text, &input, &errors, &image) < 0) != refused) {
		config_errors_write(&errors, print_error, NULL);
		sim_fail(refused ? "errors are taken" : "the configuration has errors");
	}
	config_errors_free(&errors);
	return image;
}

void operators_print(void)
{
	printf("%s", text);
}

static uint32_t find(int number)
{
	char name[16];

	return supervisor_find(&sim.sv, plan_name((unsigned)number, name));
}

void operators_tell_devices(uint32_t there)
{
	const struct image *image = sim.sv.set[sim.sv.current].image;
	const struct image_list *all = image_list(image, image->awaited);

	sim.there = there;
	sim.told = plan_awaited(&sim.plan);
	for (uint32_t i = 0; i < all->count; i++) {
		const char *name = image_string(image, all->item[i]);

		supervisor_device(&sim.sv, i, there >> (name[strlen(name) - 1] - '0') & 1);
	}
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
	if (kernel_chance(50))
		plan_mend(&sim.plan);
	image = operators_load(&sim.plan, 0);
	sim_trace(" operator: reload%s", image ? "" : ", refused");
	if (!image) {
		sim.plan = old;
		return;
	}
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
	sim.reloaded_at = sim.shell_asked_at = kernel.now;
	memset(sim.oomed, 0, sizeof(sim.oomed));
	rc = supervisor_adopt(&sim.sv, image, image->size, &counts);
	if (rc == 0) {
		/* Another helper tells anew, sooner or later. */
		sim.told &= plan_awaited(&old);
		checks_reloaded(&old);
		return;
	}
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
	if (kernel_chance(50)) {
		sim_trace(" devices come and go");
		operators_tell_devices(kernel_pick(1u << PLAN_DEVICES));
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
	if (number == KERNEL_EMERGENCY)
		sim.shell_asked_at = kernel.now;
	sim.oomed[number] = false;
	for (int other = 0; other < KERNEL_SERVICES; other++)
		if ((s->requires | s->wants) >> other & 1 && !sim.hand[other] && !sim.asked[other])
			ask_for(other);
}

static void pause_service(uint32_t slot)
{
	const struct board_service *s = &sim.sv.service[slot];
	bool paused = !(s->slice & SLICE_PAUSED) || kernel_chance(10);
	bool can = s->m.state == STATE_RUNNING && s->m.main_alive && s->slice & SLICE_THERE &&
		   paused == !(s->slice & SLICE_PAUSED);
	int rc = supervisor_pause(&sim.sv, slot, paused);

	if (can != (rc == 0 || rc == -ENOMEM))
		sim_fail("%s: %s is answered with %s", s->name, paused ? "pause" : "resume",
		    strerror(-rc));
}

void operate(void)
{
	bool shell = sim.plan.machine && kernel_chance(10);
	int number = shell ? KERNEL_EMERGENCY : (int)kernel_pick(KERNEL_SERVICES);
	uint32_t what = kernel_pick(100), slot = find(number);

	if (kernel_chance(50))
		operators_tell_devices(sim.there);
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
	} else if (what < 79) {
		sim.oomed[number] = false;
		supervisor_reset(&sim.sv, slot);
	} else if (what < 83) {
		send_signal(slot);
	} else if (what < 90) {
		pause_service(slot);
	} else if (what < 91) {
		supervisor_measure(&sim.sv);
	} else {
		reload_service(slot);
	}
}
