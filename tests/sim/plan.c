#include "tests/sim/plan.h"

#include "init/schema.h"

#include <string.h>

static uint32_t any(const uint32_t *from, uint32_t count)
{
	return from[kernel_pick(count)];
}
#define ANY(...)                                                                                   \
	any((const uint32_t[]){__VA_ARGS__},                                                       \
	    (uint32_t)(sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t)))

/* A few of the services that stand lower. */
static uint32_t lower(const struct plan *plan, unsigned number, uint32_t percent)
{
	uint32_t mask = 0;

	while (kernel_chance(percent)) {
		unsigned other = kernel_pick(KERNEL_EMERGENCY);

		if (plan->service[other].present &&
		    plan->service[other].level < plan->service[number].level)
			mask |= 1u << other;
	}
	return mask;
}

static uint8_t helper(void)
{
	return (uint8_t)ANY(QUICK, QUICK, QUICK, QUICK, FAMILY, DEAF, SOMETIMES, HANGING, MISSING);
}

static void draw_edges(const struct plan *plan, unsigned number)
{
	struct plan_service *s = (struct plan_service *)&plan->service[number];

	s->requires = lower(plan, number, 45);
	s->wants = lower(plan, number, 20) & ~s->requires;
	s->after = lower(plan, number, 20) & ~s->requires & ~s->wants;
	s->restart_with = 0;
	while (kernel_chance(15)) {
		unsigned other = kernel_pick(KERNEL_EMERGENCY);

		if (plan->service[other].present && other < number)
			s->restart_with |= 1u << other;
	}
}

static uint32_t draw_devices(void)
{
	return kernel_chance(15) ? 1 + kernel_pick((1u << PLAN_DEVICES) - 1) : 0;
}

static void draw_memory(struct plan_service *s)
{
	s->oom_policy = (uint8_t)ANY(OOM_RESTART, OOM_RESTART, OOM_STOP, OOM_IGNORE);
	s->capped = kernel_chance(40);
	s->warns = kernel_chance(20);
}

static void doom(struct plan_service *s)
{
	s->behaviour = (uint8_t)ANY(FLAKY, CRASHING, CRASHING, MISSING, BRIEF);
	s->restart = (uint8_t)ANY(RESTART_ON_FAILURE, RESTART_NEVER);
	s->max_restarts = ANY(0, 1, 3);
	s->restart_window = 5 * HOUR;
}

static void draw_service(struct plan *plan, unsigned number)
{
	struct plan_service *s = &plan->service[number];
	uint32_t level = s->level;

	*s = (struct plan_service){.present = true,
	    .level = level,
	    .enabled = kernel_chance(85),
	    .oneshot = kernel_chance(20),
	    .critical = plan->alert ? kernel_chance(20) : kernel_chance(1) && kernel_chance(30),
	    .waits = draw_devices(),
	    .has_pre = kernel_chance(20),
	    .has_stop = kernel_chance(20),
	    .has_post = kernel_chance(20),
	    .has_reload = kernel_chance(20),
	    .behaviour = (uint8_t)kernel_pick(QUICK),
	    .pre = helper(),
	    .stop = helper(),
	    .post = helper(),
	    .priority = (int)kernel_pick(100),
	    .restart = (uint8_t)ANY(RESTART_ALWAYS, RESTART_ON_FAILURE, RESTART_ON_FAILURE,
		RESTART_ON_FAILURE, RESTART_NEVER),
	    .kill_mode = (uint8_t)ANY(KILL_MAIN, KILL_MAIN, KILL_GROUP, KILL_PROCESS),
	    .restart_delay = ANY(0, 100, 1000, 1000, 30000),
	    .max_backoff = ANY(50, 5000, 60000, 60000, 10 * MINUTE),
	    .multiplier = ANY(1000, 1500, 2000, 2000, 10000),
	    .jitter = ANY(0, 0, 10, 50, 100),
	    .max_restarts = ANY(0, 1, 3, 10, 10, 32, UINT32_MAX),
	    .restart_window = ANY(1000, MINUTE, 10 * MINUTE, 10 * MINUTE, 5 * HOUR),
	    .min_uptime = ANY(0, 1000, 10000, 10000, HOUR),
	    .start_timeout = ANY(500, 5000, MINUTE, MINUTE, UINT32_MAX),
	    .stop_timeout = ANY(100, 2000, 10000, 10000, UINT32_MAX)};
	if (s->oneshot && kernel_chance(80))
		s->behaviour = QUICK;
	for (unsigned role = 0; role < PLAN_PROBES; role++)
		s->probe[role] = !s->oneshot && kernel_chance(10);
	/* One that fails at once and without end would make the day one of failures only. */
	if (s->max_restarts == UINT32_MAX || s->restart_window < HOUR || s->min_uptime < 10000) {
		bool hasty = s->restart_delay < 1000 || s->max_backoff < 1000 || s->jitter > 50;

		s->restart_delay = hasty ? 60000 : s->restart_delay;
		s->max_backoff = s->max_backoff < 60000 ? 60000 : s->max_backoff;
		if (hasty)
			s->jitter = 0;
	}
	if (plan->doomed)
		doom(s);
	draw_memory(s);
	draw_edges(plan, number);
}

/* By the documentation of [sinit] emergency: a service with nothing set but its command. */
static void draw_shell(struct plan *plan)
{
	plan->built_in = true;
	plan->service[KERNEL_EMERGENCY] = (struct plan_service){.present = true,
	    .behaviour = (uint8_t)ANY(
		STEADY, FLAKY, CRASHING, DEAF, FAMILY, MISSING, SOMETIMES, HANGING, BRIEF, BRIEF),
	    .restart = RESTART_ALWAYS,
	    .kill_mode = KILL_MAIN,
	    .oom_policy = OOM_RESTART,
	    .restart_delay = 1000,
	    .max_backoff = MINUTE,
	    .multiplier = 2000,
	    .max_restarts = UINT32_MAX,
	    .restart_window = 10 * MINUTE,
	    .min_uptime = 10000,
	    .start_timeout = MINUTE,
	    .stop_timeout = 10000};
}

static void draw_emergency(struct plan *plan)
{
	if (kernel_chance(75)) {
		draw_shell(plan);
		return;
	}
	plan->built_in = plan->spoilt = false;
	draw_service(plan, KERNEL_EMERGENCY);
	plan->service[KERNEL_EMERGENCY].enabled = kernel_chance(30);
}

static void draw_machine(struct plan *plan)
{
	plan->machine = true;
	plan->alert = kernel_chance(40);
	plan->doomed = kernel_chance(50);
	if (kernel_chance(75))
		plan->most = kernel_pick(5);
	plan->service[KERNEL_EMERGENCY].level = 1000;
}

void plan_make(struct plan *plan, bool machine)
{
	memset(plan, 0, sizeof(*plan));
	plan->shutdown_timeout = ANY(1000, 5000, 30000, 30000);
	plan->most = KERNEL_EMERGENCY;
	for (unsigned n = 0; n < KERNEL_SERVICES; n++)
		plan->service[n].level = kernel_pick(1000);
	if (machine)
		draw_machine(plan);
	for (unsigned count = 0; count < plan->most && count < PLAN_SERVICES;) {
		unsigned number = kernel_pick(KERNEL_EMERGENCY);

		if (plan->service[number].present)
			continue;
		draw_service(plan, number);
		count++;
	}
	/* With all of them there, once more whom they need. */
	for (unsigned n = 0; n < KERNEL_SERVICES; n++)
		if (plan->service[n].present)
			draw_edges(plan, n);
	if (machine)
		draw_emergency(plan);
	for (unsigned n = 0; n < KERNEL_EMERGENCY && machine && kernel_chance(80); n++)
		plan->service[n].broken = plan->service[n].present && kernel_chance(20);
	plan->spoilt = machine && plan->built_in && kernel_chance(10);
}

void plan_mend(struct plan *plan)
{
	plan->spoilt = false;
	for (unsigned n = 0; n < KERNEL_SERVICES; n++)
		plan->service[n].broken = false;
}

bool plan_is_broken(const struct plan *plan)
{
	bool broken = plan->spoilt;

	for (unsigned n = 0; n < KERNEL_SERVICES; n++)
		broken |= plan->service[n].present && plan->service[n].broken;
	return broken;
}

static uint32_t count(const struct plan *plan)
{
	uint32_t sum = 0;

	for (unsigned n = 0; n < KERNEL_EMERGENCY; n++)
		sum += plan->service[n].present;
	return sum;
}

static void remove_service(struct plan *plan, unsigned number)
{
	plan->service[number].present = false;
	for (unsigned n = 0; n < KERNEL_SERVICES; n++) {
		struct plan_service *s = &plan->service[n];

		s->requires &= ~(1u << number);
		s->wants &= ~(1u << number);
		s->after &= ~(1u << number);
		s->restart_with &= ~(1u << number);
	}
}

void plan_change(struct plan *plan)
{
	if (plan->machine && kernel_chance(25))
		draw_emergency(plan);
	if (plan->machine && kernel_chance(10))
		plan->alert = !plan->alert;
	for (uint32_t changes = 1 + kernel_pick(5); changes; changes--) {
		unsigned number = kernel_pick(KERNEL_EMERGENCY);
		struct plan_service *s = &plan->service[number];

		if (!s->present) {
			if (count(plan) < plan->most)
				draw_service(plan, number);
			continue;
		}
		switch (kernel_pick(8)) {
		case 0:
			remove_service(plan, number);
			break;
		case 1:
			draw_service(plan, number);
			break;
		case 2:
			s->enabled = !s->enabled;
			break;
		case 3:
			draw_edges(plan, number);
			break;
		case 4:
			s->kill_mode = (uint8_t)ANY(KILL_MAIN, KILL_GROUP, KILL_PROCESS);
			break;
		case 5:
			draw_memory(s);
			break;
		case 6:
			s->waits = draw_devices();
			break;
		default: /* nothing that matters to a process that runs */
			s->stop_timeout = ANY(100, 2000, 10000, UINT32_MAX);
			s->min_uptime = ANY(0, 1000, 10000, HOUR);
			break;
		}
	}
}

uint32_t plan_awaited(const struct plan *plan)
{
	uint32_t mask = 0;

	for (unsigned n = 0; n < KERNEL_SERVICES; n++)
		mask |= plan->service[n].present ? plan->service[n].waits : 0;
	return mask;
}

uint32_t plan_delay(const struct plan_service *s, uint32_t n)
{
	double delay = s->restart_delay;

	for (uint32_t i = 1; i < n && delay && delay < s->max_backoff && s->multiplier > 1000; i++)
		delay *= s->multiplier / 1000.0;
	return delay < s->max_backoff ? (uint32_t)delay : s->max_backoff;
}
