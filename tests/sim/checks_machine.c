/* What must hold of the init of a machine: its emergency shell, what is critical, and what is
 * broken. */
#include "init/supervisor_internal.h"
#include "tests/sim/checks.h"

enum {
	SHELL_DELAY = 1000
}; /* ms between an end of the shell and its return, if it has no back-off */

/* It waits for one that is to stay down, or for one that itself waits so. */
static bool waits_in_vain(uint32_t slot)
{
	const struct plan_service *s = &sim.plan.service[sim_number(slot)];
	uint32_t edges = s->requires | s->wants | s->after;

	if (sim_record(slot)->m.state != STATE_WAITING)
		return false;
	if (sim_is_lost(slot))
		return true;
	for (int other = 0; other < KERNEL_SERVICES; other++) {
		uint32_t needed = edges >> other & 1 ? sim_slot(other) : SUPERVISOR_NONE;

		if (needed != SUPERVISOR_NONE && waits_in_vain(needed))
			return true;
	}
	return false;
}

/* Those that an emergency shell of the configuration's own needs are started with it. */
static uint32_t shell_needs(void)
{
	const struct plan_service *shell = &sim.plan.service[KERNEL_EMERGENCY];
	uint32_t mask = shell->requires | shell->wants, before = 0;

	while (mask != before) {
		before = mask;
		for (int number = 0; number < KERNEL_SERVICES; number++)
			if (before >> number & 1)
		mask |= sim.plan.service[number].requires | sim.plan.service[number].wants;
	}
	return mask;
}

/* Nothing but these has or will have a process, though something was
 * to, or nothing is to at all. */
static bool is_hopeless(uint32_t but)
{
	bool failed = false, enabled = false;

	for (int number = 0; number < KERNEL_EMERGENCY; number++) {
		uint32_t slot =
		    sim.plan.service[number].present ? sim_slot(number) : SUPERVISOR_NONE;

		if (slot == SUPERVISOR_NONE)
			continue;
		enabled |= sim.plan.service[number].enabled;
		if (but >> number & 1 && sim_record(slot)->m.state == STATE_WAITING)
			continue;
		if (sim.sv.unit[slot].renew ||
		    (!machine_settled(&sim_record(slot)->m) && !waits_in_vain(slot)))
			return false;
		failed |= sim_record(slot)->m.state == STATE_FAILED ||
			  sim_record(slot)->m.state == STATE_FATAL;
	}
	return failed || !enabled;
}

/* A service that was removed is still to be forgotten: neither answer is wrong. */
static bool is_leaving(void)
{
	for (uint32_t slot = 0; slot < sim.sv.count; slot++)
		if (sim_record(slot)->used && sim.sv.unit[slot].removed)
			return true;
	return false;
}

/* It comes by itself when nothing else does, and then only. */
static bool is_wanted(uint32_t slot)
{
	const struct unit *u = &sim.sv.unit[slot];

	return sim_record(slot)->m.want == WANT_UP || (u->renew && u->again);
}

static void check_coming(uint32_t slot)
{
	const struct machine *m = &sim_record(slot)->m;
	bool wanted = is_wanted(slot), enabled = sim.plan.service[KERNEL_EMERGENCY].enabled;

	if (sim.shell_ended && !machine_settled(m) && sim.shell_asked_at != kernel.now &&
	    kernel.now < sim.shell_ended + SHELL_DELAY)
		sim_fail("the emergency shell comes again at once");
	sim.shell_ended =
	    m->state == STATE_STOPPED && m->want == WANT_UP && m->started ? m->since : 0;
	if (wanted && !sim.shell_wanted && !sim.asked[KERNEL_EMERGENCY] && !enabled) {
		if (sim.sv.stopping || sim.hand[KERNEL_EMERGENCY])
			sim_fail("the emergency shell comes against orders");
		if (!sim.single && !is_leaving() && !is_hopeless(shell_needs()))
			sim_fail("the emergency shell comes though there is hope");
		sim.asked[KERNEL_EMERGENCY] = true;
	}
	if (!wanted && sim.shell_wanted && enabled && m->cause == CAUSE_NONE)
		sim_fail("the emergency shell goes by itself though it is enabled");
	if (!wanted && sim.shell_wanted)
		sim.asked[KERNEL_EMERGENCY] = false;
	sim.shell_wanted = wanted;
}

static void check_emergency(bool quiet)
{
	uint32_t slot = sim_slot(KERNEL_EMERGENCY);
	bool built_in = sim.plan.built_in, needed;
	const struct machine *m;

	if ((slot != SUPERVISOR_NONE) != sim.plan.machine || sim.sv.emergency != slot)
		sim_fail("the emergency shell is in slot %d, by the supervisor %d", (int)slot,
		    (int)sim.sv.emergency);
	if (slot == SUPERVISOR_NONE)
		return;
	m = &sim_record(slot)->m;
	check_coming(slot);
	if (!quiet || sim.sv.unit[slot].renew)
		return;
	if (board_service_hidden(sim_record(slot)) != (built_in && m->state == STATE_STOPPED))
		sim_fail("the emergency shell is %s, and that is told wrongly", sim_state(slot));
	if (sim.sv.stopping || sim.hand[KERNEL_EMERGENCY] || is_leaving())
		return;
	needed = sim.single || is_hopeless(0);
	/* One of the configuration's own may be beyond help itself. */
	if (m->started && kernel.now < m->since + SHELL_DELAY)
		return;
	if (needed && (m->state == STATE_STOPPED || (built_in && machine_settled(m))))
		sim_fail("nothing runs, and the emergency shell is %s", sim_state(slot));
	if (!needed && built_in && m->state == STATE_BACKOFF)
		sim_fail("the emergency shell stays though there is hope");
}

static void check_broken(uint32_t slot)
{
	const struct machine *m = &sim_record(slot)->m;
	bool broken = sim.plan.service[sim_number(slot)].broken;

	if (broken != (m->state == STATE_FAILED && m->cause == CAUSE_CONFIG))
		sim_fail("s%02d is %s (%s), and its configuration is %s", sim_number(slot),
		    sim_state(slot), cause_name((enum cause)m->cause), broken ? "broken" : "good");
}

static bool is_critical_down(void)
{
	for (uint32_t slot = 0; slot < sim.sv.count; slot++) {
		const struct board_service *s = sim_record(slot);

		if (s->used && s->critical &&
		    (s->m.state == STATE_FAILED || s->m.state == STATE_FATAL))
			return true;
	}
	return false;
}

void checks_machine_turn(bool quiet)
{
	if (sim.sv.stopping && !sim.shutdown_asked && !sim.end_by &&
	    (sim.plan.alert || !is_critical_down()))
		sim_fail("a shutdown that nobody has asked for");
	check_emergency(quiet);
	for (uint32_t slot = 0; slot < sim.sv.count; slot++)
		if (sim_record(slot)->used && !sim.sv.unit[slot].removed)
			check_broken(slot);
}

void checks_reloaded(const struct plan *before)
{
	/* Until then it was another, which had its own orders. */
	if (sim.plan.machine)
		sim.shell_wanted = is_wanted(sim_slot(KERNEL_EMERGENCY));
	for (int number = 0; number < KERNEL_SERVICES; number++) {
		const struct plan_service *s = &sim.plan.service[number];
		uint32_t slot = s->present && before->service[number].broken ? sim_slot(number)
									     : SUPERVISOR_NONE;

		if (slot != SUPERVISOR_NONE && s->enabled && !sim.hand[number] &&
		    sim_record(slot)->m.want == WANT_DOWN)
			sim_fail("s%02d is mended, but not started", number);
	}
}
