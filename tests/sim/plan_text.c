/* The text of a plan. */
#include "tests/sim/plan.h"

#include "init/base.h"
#include "init/schema.h"

#include <stdio.h>

const char *plan_name(unsigned number, char buffer[static 16])
{
	snprintf(buffer, 16, number == KERNEL_EMERGENCY ? "emergency" : "s%02u", number);
	return buffer;
}

static void names(struct text *text, const char *key, uint32_t mask)
{
	if (!mask)
		return;
	text_addf(text, "%s =", key);
	for (unsigned n = 0; n < KERNEL_SERVICES; n++)
		if (mask >> n & 1)
			text_addf(text, " s%02u", n);
	text_add(text, "\n");
}

static void devices(struct text *text, uint32_t mask)
{
	if (!mask)
		return;
	text_add(text, "wait_for =");
	for (unsigned n = 0; n < PLAN_DEVICES; n++)
		if (mask >> n & 1)
			text_addf(text, " /dev/d%u", n);
	text_add(text, "\n");
}

static void ms(struct text *text, const char *key, uint32_t value)
{
	if (value == UINT32_MAX)
		text_addf(text, "%s = unlimited\n", key);
	else
		text_addf(text, "%s = %ums\n", key, value);
}

static void command(
    struct text *text, const char *key, const char *role, unsigned number, unsigned behaviour)
{
	char name[16];

	text_addf(text, "%s = /sim/%s %s %u\n", key, role, plan_name(number, name), behaviour);
}

static void write_service(const struct plan_service *s, unsigned number, struct text *text)
{
	static const char restart[][12] = {"always", "on-failure", "never"};
	static const char kill_mode[][8] = {"main", "group", "process"};
	static const char oom_policy[][8] = {"restart", "stop", "ignore"};
	static const char probes[PLAN_PROBES][12] = {"startup", "liveness", "readiness"};

	char name[16];

	text_addf(text, "[service %s]\n", plan_name(number, name));
	if (s->broken && number % 2)
		text_add(text, "nice = very\n");
	if (!s->broken || number % 2)
		command(text, "command", "main", number, s->behaviour);
	if (s->has_pre)
		command(text, "pre_start", "pre", number, s->pre);
	if (s->has_stop)
		command(text, "stop_command", "stop", number, s->stop);
	if (s->has_post)
		command(text, "post_stop", "post", number, s->post);
	if (s->has_reload)
		command(text, "reload_command", "reload", number, QUICK);
	text_addf(text, "enabled = %u\ntype = %s\ncritical = %u\npriority = %d\n", s->enabled,
	    s->oneshot ? "oneshot" : "simple", s->critical, s->priority);
	text_addf(
	    text, "restart = %s\nkill_mode = %s\n", restart[s->restart], kill_mode[s->kill_mode]);
	text_addf(text, "oom_policy = %s\n%s%s", oom_policy[s->oom_policy],
	    s->capped ? "memory_max = 64M\n" : "", s->warns ? "memory_warn = 48M\n" : "");
	names(text, "requires", s->requires);
	names(text, "wants", s->wants);
	names(text, "after", s->after);
	names(text, "restart_with", s->restart_with);
	devices(text, s->waits);
	ms(text, "restart_delay", s->restart_delay);
	ms(text, "max_backoff", s->max_backoff);
	text_addf(text, "backoff_multiplier = %u.%03u\nbackoff_jitter = %u%%\n",
	    s->multiplier / 1000, s->multiplier % 1000, s->jitter);
	if (s->max_restarts == UINT32_MAX)
		text_add(text, "max_restarts = unlimited\n");
	else
		text_addf(text, "max_restarts = %u\n", s->max_restarts);
	ms(text, "restart_window", s->restart_window);
	ms(text, "min_uptime", s->min_uptime);
	ms(text, "start_timeout", s->start_timeout);
	ms(text, "stop_timeout", s->stop_timeout);
	for (unsigned role = 0; role < PLAN_PROBES; role++)
		if (s->probe[role])
			text_addf(text, "[%s %s]\ncheck = tcp://127.0.0.1:%u\n", probes[role], name,
			    1 + role);
}

void plan_write(const struct plan *plan, char *buffer)
{
	struct text text;

	text_init(&text, buffer, PLAN_TEXT);
	text_add(&text, "[sinit]\nstate_dir = /sim/state\n");
	text_addf(&text, "cgroups = %s\n", plan->needs_slices ? "required" : "auto");
	ms(&text, "shutdown_timeout", plan->shutdown_timeout);
	if (plan->alert)
		text_add(&text, "critical_action = alert\n");
	if (plan->machine)
		text_addf(
		    &text, "emergency = /sim/shell%u\n", plan->service[KERNEL_EMERGENCY].behaviour);
	if (plan->spoilt)
		text_add(&text, "[service emergency]\nnice = very\nenabled = yes\n");
	for (unsigned n = 0; n < KERNEL_SERVICES; n++)
		if (plan->service[n].present && !(n == KERNEL_EMERGENCY && plan->built_in))
			write_service(&plan->service[n], n, &text);
	if (text.cut)
		sim_fail("the configuration does not fit");
}
