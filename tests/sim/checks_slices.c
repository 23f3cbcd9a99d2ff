/* What must hold of cgroups. */
#include "init/supervisor_internal.h"
#include "tests/sim/checks.h"
#include "tests/sim/kernel_internal.h"
#include "tests/sim/slices.h"

enum { SLOW_MAX = MINUTE }; /* ms that a service may be slowed down by memory_warn */

/* Which slot has the service's slice, SUPERVISOR_NONE: no one. */
static uint32_t holder(int number)
{
	for (uint32_t slot = 0; slot < sim.sv.count; slot++)
		if (sim_record(slot)->used && sim.sv.unit[slot].sliced &&
		    sim_number(slot) == number)
			return slot;
	return SUPERVISOR_NONE;
}

/* Only those are left in it whom kill_mode=process has left alone. */
static void on_leave(int number)
{
	uint32_t slot = holder(number);

	if (slot == SUPERVISOR_NONE)
		sim_fail("s%02d: its slice is given back by nobody", number);
	if (sim_record(slot)->seq & 1)
		sim_fail("s%02d: its slice is given back while its record is written", number);
	if (sim_leaves_children(slot))
		return;
	for (pid_t pid = 2; pid < KERNEL_PIDS; pid++) {
		const struct process *p = &kernel.process[pid];

		if (p->slice == number + 1 && kernel_lives(p) && !p->abandoned)
			sim_fail(
			    "s%02d: its slice is given back with pid %d in it", number, (int)pid);
	}
}

/* Its death, which is seen next, is one for want of memory. */
static void on_oom(pid_t pid)
{
	const struct process *p = &kernel.process[pid];

	for (uint32_t slot = 0; slot < sim.sv.count; slot++) {
		const struct board_service *s = sim_record(slot);

		if (s->pid == pid && sim_life(slot) == p->life &&
		    (s->m.state == STATE_RUNNING || s->m.state == STATE_STARTING))
			sim.oom_life[slot] = p->life;
	}
}

static void check_oom(uint32_t slot, int number)
{
	const struct machine *m = &sim_record(slot)->m;
	bool let_go = number == KERNEL_EMERGENCY && m->cause == CAUSE_NONE && m->want == WANT_DOWN;
	bool hidden = (m->cause == CAUSE_NONE && !let_go) || m->cause == CAUSE_EXIT ||
		      m->cause == CAUSE_STARTUP || m->cause == CAUSE_LIVENESS ||
		      m->cause == CAUSE_START_TIMEOUT;

	if (sim.oom_life[slot] == sim_life(slot) && hidden)
		sim_fail("s%02d: killed for want of memory, but the cause is %s", number,
		    cause_name((enum cause)m->cause));
	sim.oom_life[slot] = 0;
	if (m->cause == CAUSE_OOM && supervisor_settings(&sim.sv, slot)->oom_stop &&
	    m->want == WANT_UP && (m->state == STATE_CLEANUP || m->state == STATE_FAILED))
		sim.oomed[number] = true;
	if (!sim.oomed[number] || !machine_settled(m) || m->state == STATE_FAILED)
		return;
	if (m->want == WANT_UP)
		sim_fail("s%02d: killed for want of memory with oom_policy=stop, it is %s", number,
		    sim_state(slot));
	sim.oomed[number] = false;
}

void checks_slices_birth(uint32_t slot, int number)
{
	if (sim.oomed[number])
		sim_fail("s%02d is started (%s) though oom_policy=stop", number,
		    cause_name((enum cause)sim_record(slot)->m.cause));
}

void checks_slices_look(uint32_t slot)
{
	const struct board_service *s = sim_record(slot);
	const struct unit *u = &sim.sv.unit[slot];
	int number = sim_number(slot);

	check_oom(slot, number);
	if (u->oom_told && u->oom_told == sim.sv.now && s->oom_limit == UINT64_MAX &&
	    cgroup_size(sv_limit(&sim.sv, u->life, CGROUP_MEMORY_MAX)) != UINT64_MAX)
		sim_fail("s%02d: a kill at its limit is taken for the machine's", number);
	if (u->sliced != !!(s->slice & SLICE_THERE))
		sim_fail("s%02d: slice %d, by the record %u", number, u->sliced, s->slice);
	if (u->sliced && slices[number].fd != u->slice.fd)
		sim_fail("s%02d: its slice is descriptor %d, it has %d", number, slices[number].fd,
		    u->slice.fd);
	for (pid_t pid = 2; u->sliced && pid < KERNEL_PIDS; pid++) {
		const struct process *p = &kernel.process[pid];

		if (kernel_lives(p) && !p->exec_fails && p->life == sim_life(slot) &&
		    p->slice != number + 1)
			sim_fail("s%02d has a slice, but pid %d is not in it", number, (int)pid);
	}
	if (u->sliced && machine_settled(&s->m) && !machine_active(&s->m))
		sim_fail("s%02d is %s and has a slice", number, sim_state(slot));
	if (s->slice & SLICE_PAUSED && (s->m.state != STATE_RUNNING || !slices[number].frozen))
		sim_fail("s%02d is %s and paused", number, sim_state(slot));
}

/* All that is frozen is paused, and all of what is paused is frozen. */
static void check_frozen(void)
{
	for (int number = 0; number < KERNEL_SERVICES; number++) {
		uint32_t slot = slices[number].frozen ? holder(number) : SUPERVISOR_NONE;

		if (!slices[number].frozen)
			continue;
		if (slot == SUPERVISOR_NONE)
			sim_fail("s%02d is frozen, and nobody has its slice", number);
		if (!(sim_record(slot)->slice & SLICE_PAUSED))
			sim_fail(
			    "s%02d is frozen in state %s, and not paused", number, sim_state(slot));
		for (pid_t pid = 2; pid < KERNEL_PIDS; pid++) {
			const struct process *p = &kernel.process[pid];

			if (kernel_lives(p) && p->life == sim_life(slot) && !p->frozen)
				sim_fail("s%02d is paused, but pid %d goes on", number, (int)pid);
		}
	}
}

void checks_slices_turn(void)
{
	uint32_t sliced = 0;

	if (slices_frozen_count())
		check_frozen();
	if (sim.turns % 16)
		return;
	for (uint32_t slot = 0; slot < sim.sv.count; slot++)
		sliced += sim_record(slot)->used && sim.sv.unit[slot].sliced;
	if (sliced != slices_open_count())
		sim_fail("%u slices are open, known %u", slices_open_count(), sliced);
	for (int number = 0; number < KERNEL_SERVICES; number++) {
		const struct sim_slice *s = &slices[number];

		if (s->there && s->fd < 0 && !s->left)
			sim_fail("s%02d: its slice is there, and nobody has it", number);
		if (s->slow_since && !s->frozen && kernel.now - s->slow_since > SLOW_MAX)
			sim_fail("s%02d is slowed down by memory_warn for long", number);
	}
}

void checks_slices_end(void)
{
	if (slices_open_count() && sim.sv.stop_deadline)
		sim_fail("%u slices are open after the shutdown", slices_open_count());
	for (int number = 0; number < KERNEL_SERVICES; number++)
		if (slices[number].there && !slices[number].left && sim.sv.stop_deadline)
			sim_fail("s%02d: its slice outlives the shutdown", number);
}

void checks_slices_begin(void)
{
	kernel_watch.leave = on_leave;
	kernel_watch.oom = on_oom;
}
