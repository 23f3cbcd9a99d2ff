/* What must hold at every birth and signal. */
#include "init/schema.h"
#include "tests/sim/checks.h"
#include "tests/sim/kernel_internal.h"
#include "tests/sim/slices.h"

#include <signal.h>

int sim_number(uint32_t slot)
{
	if (sim.seen[slot].used != sim_record(slot)->used && sim_record(slot)->used)
		sim.seen[slot].number = kernel_service(sim_record(slot)->name);
	return sim.seen[slot].number;
}

/* The slot of a configured service, not one that is being removed. */
uint32_t sim_slot(int number)
{
	for (uint32_t slot = 0; slot < sim.sv.count; slot++)
		if (sim_record(slot)->used && !sim.sv.unit[slot].removed &&
		    sim_number(slot) == number)
			return slot;
	return SUPERVISOR_NONE;
}

bool sim_leaves_children(uint32_t slot)
{
	return supervisor_settings(&sim.sv, slot)->kill_mode == KILL_PROCESS ||
	       sim.seen[slot].kill_mode == KILL_PROCESS;
}

void sim_abandon(uint32_t used, uint64_t but)
{
	for (pid_t pid = 2; pid < KERNEL_PIDS; pid++) {
		struct process *p = &kernel.process[pid];

		if (p->state != PROCESS_FREE && p->life >> 32 == used && p->life != but &&
		    p->role != ROLE_MAIN)
			p->abandoned = true;
	}
}

/* --- the order of stopping ------------------------------------------------------------ */

/* Whoever needs it is down before it is told to stop for good: at a shutdown all of them,
 * else those that require it. */
static void check_order(uint32_t slot, int number)
{
	const struct machine *m = &sim_record(slot)->m;
	bool all = m->cause == CAUSE_SHUTDOWN;
	bool required =
	    (m->cause == CAUSE_OPERATOR && m->want == WANT_DOWN) ||
	    (m->cause == CAUSE_DEPENDENCY && (m->deps == DEPS_DOWN || m->deps == DEPS_FAILED));

	if (!all && !required)
		return;
	for (int other = 0; other < KERNEL_SERVICES; other++) {
		const struct plan_service *s = &sim.plan.service[other];
		uint32_t edges = all ? s->requires | s->wants | s->after : s->requires, dependent;

		if (!s->present || !(edges >> number & 1))
			continue;
		dependent = sim_slot(other);
		if (dependent != SUPERVISOR_NONE && machine_active(&sim_record(dependent)->m))
			sim_fail(
			    "s%02d is told to stop (%s) before s%02d, which needs it and is %s",
			    number, cause_name((enum cause)m->cause), other, sim_state(dependent));
	}
}

/* --- births ------------------------------------------------------------------------ */

static bool is_spawning(uint32_t slot, enum role role)
{
	const struct board_service *s = sim_record(slot);

	switch (role) {
	case ROLE_MAIN:
		return s->m.state == STATE_STARTING && s->m.main_alive && !s->pid;
	case ROLE_PRE:
		return s->m.aux == AUX_PRE_START && !s->aux_pid;
	case ROLE_STOP:
		return s->m.aux == AUX_STOP_COMMAND && !s->aux_pid;
	case ROLE_POST:
		return s->m.aux == AUX_POST_STOP && !s->aux_pid;
	case ROLE_RELOAD:
		return s->pid != 0;
	case ROLE_CHILD:
	case ROLE_LIMITS:
		break;
	}
	return false;
}

static uint32_t spawning_slot(int number, enum role role)
{
	for (uint32_t slot = 0; slot < sim.sv.count; slot++)
		if (sim_record(slot)->used && sim_number(slot) == number && is_spawning(slot, role))
			return slot;
	sim_fail("s%02d: a process is made (role %u) for no reason", number, role);
}

static void check_requires(uint32_t slot, int number)
{
	uint32_t mask = sim.plan.service[number].requires;

	if (sim.sv.unit[slot].removed)
		sim_fail("s%02d is started though it was removed", number);
	if (sim.plan.service[number].waits & ~sim.there)
		sim_fail("s%02d is started, but not all is there that it waits for", number);
	for (int other = 0; other < KERNEL_SERVICES; other++) {
		uint32_t needed = mask >> other & 1 ? sim_slot(other) : SUPERVISOR_NONE;

		if (needed != SUPERVISOR_NONE && !sim_record(needed)->m.ready)
			sim_fail("s%02d is started but requires s%02d, which is %s", number, other,
			    sim_state(needed));
	}
}

/* Whether anybody who is wanted needs it, directly or not. */
bool sim_needed(int number, int depth)
{
	for (int other = 0; other < KERNEL_SERVICES && depth < PLAN_SERVICES; other++) {
		const struct plan_service *s = &sim.plan.service[other];
		uint32_t slot;

		if (!s->present || !((s->requires | s->wants) >> number & 1))
			continue;
		slot = sim_slot(other);
		if (slot != SUPERVISOR_NONE &&
		    (sim_record(slot)->m.want == WANT_UP || s->enabled || sim.asked[other] ||
			sim_needed(other, depth + 1)))
			return true;
	}
	return false;
}

static void check_wanted(int number)
{
	if (sim.hand[number])
		sim_fail("s%02d is started though it was stopped by hand", number);
	if (!sim.plan.service[number].enabled && !sim.asked[number] && !sim_needed(number, 0))
		sim_fail("s%02d is started though nobody wants it", number);
	sim.asked[number] = true; /* it is kept up though those who needed it may go */
}

static void check_alone(int number, uint64_t life)
{
	for (pid_t pid = 2; pid < KERNEL_PIDS; pid++) {
		const struct process *p = &kernel.process[pid];

		if ((p->state != PROCESS_ALIVE && p->state != PROCESS_PENDING) ||
		    p->service != number || p->life == life || p->abandoned ||
		    (p->role == ROLE_RELOAD && !p->slice) || p->exec_fails)
			continue;
		sim_fail("s%02d: a new life begins while pid %d (role %u) of an earlier one lives",
		    number, (int)pid, p->role);
	}
}

static uint64_t on_spawn(int number, enum role role)
{
	uint32_t slot = spawning_slot(number, role);
	uint64_t life = sim_life(slot);

	if (sim.sv.killing && role != ROLE_RELOAD)
		sim_fail(
		    "s%02d: a process is made (role %u) after the end of patience", number, role);
	/* With a stop command its beginning counts: when it has failed, it may be too late for
	 * that. */
	if (role == ROLE_STOP && !sim.sv.unit[slot].removed)
		check_order(slot, number);
	if (role != ROLE_MAIN && role != ROLE_PRE)
		return life;
	if (sim.sv.stopping)
		sim_fail("s%02d is started after the shutdown began", number);
	check_wanted(number);
	if (sim.plan.service[number].broken)
		sim_fail("s%02d is started though its configuration is broken", number);
	checks_slices_birth(slot, number);
	/* The settings may be new ones; those of the last life counted for its end. */
	if (sim_leaves_children(slot))
		sim_abandon(sim_record(slot)->used, life);
	check_alone(number, life);
	if (role == ROLE_PRE || !supervisor_settings(&sim.sv, slot)->has_pre_start)
		check_requires(slot, number);
	return life;
}

/* --- signals ------------------------------------------------------------------------- */

static uint32_t owner(const struct process *p)
{
	for (uint32_t slot = 0; slot < sim.sv.count; slot++)
		if (slices_signalling() ? sim.sv.unit[slot].sliced && sim_number(slot) == p->service
					: sim_record(slot)->used == p->life >> 32)
			return slot;
	sim_fail("a signal for a process of s%02d, whose record is gone", p->service);
}

static void on_signal(pid_t pid, int sig, bool named)
{
	const struct process *p = &kernel.process[pid];
	uint32_t slot = owner(p);
	const struct board_service *s = sim_record(slot);
	bool stops = s->m.state == STATE_STOPPING || s->m.state == STATE_CLEANUP;

	sim_trace(
	    "  signal %d to pid %d of s%02d (%s)", sig, (int)pid, p->service, sim_state(slot));
	/* Whom kill_mode=process left in the slice may meet the end of a life with another one. */
	if (p->abandoned ? !slices_signalling() : p->life != sim_life(slot))
		sim_fail(
		    "s%02d: signal %d to pid %d of an earlier life", p->service, sig, (int)pid);
	if (named && s->pid != pid && s->aux_pid != pid)
		sim_fail("s%02d: signal %d to pid %d, which its record does not know", p->service,
		    sig, (int)pid);
	if (!sim.by_operator && !stops)
		sim_fail("s%02d: signal %d in state %s", p->service, sig, sim_state(slot));
	if (!named && p->role == ROLE_CHILD &&
	    supervisor_settings(&sim.sv, slot)->kill_mode == KILL_PROCESS)
		sim_fail("s%02d: kill_mode=process, but a child gets signal %d", p->service, sig);
	if (named && !sim.by_operator && sig != SIGKILL && s->m.state == STATE_STOPPING &&
	    !sim.sv.unit[slot].removed && !supervisor_settings(&sim.sv, slot)->has_stop_command)
		check_order(slot, p->service);
}

void checks_life_begin(void)
{
	kernel_watch.spawn = on_spawn;
	kernel_watch.signal = on_signal;
}
