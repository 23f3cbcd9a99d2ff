/* What must hold at every turn. It knows the configuration as the plan has it and the processes
 * as the kernel has them, and compares sinit's records with both. */
#include "tests/sim/checks.h"

#include "init/schema.h"
#include "tests/sim/slices.h"

#include <string.h>

enum { SPIN = 3000, END_SLACK = 1500, SPAWN_ERROR_DELAY = 500, RESOURCE_DELAY = 250 };

static void check_process(uint32_t slot, pid_t pid, bool is_main)
{
	const struct process *p = &kernel.process[pid];

	if (pid < 2 || pid >= KERNEL_PIDS || p->state == PROCESS_FREE || !p->ours ||
	    p->life != sim_life(slot) || (p->role == ROLE_MAIN) != is_main)
		sim_fail("s%02d: its record names pid %d, which is something else",
		    sim_number(slot), (int)pid);
}

static void check_delay(uint32_t slot)
{
	const struct machine *m = &sim_record(slot)->m;
	const struct plan_service *s = &sim.plan.service[sim_number(slot)];
	uint32_t right = plan_delay(s, m->failures), spread = right * s->jitter / 100;
	uint32_t slack = 5 + right / 50; /* each step is rounded down */

	if (sim.sv.unit[slot].removed || sim.sv.unit[slot].renew)
		return;
	if (sim.reloaded_at == kernel.now)
		return; /* by the old settings or the new ones */
	if (m->deadline != m->since + m->delay)
		sim_fail("s%02d: back-off of %u ms, but due after %lld", sim_number(slot), m->delay,
		    (long long)(m->deadline - m->since));
	if (m->cause == CAUSE_RESOURCES) {
		uint32_t most = s->max_backoff > RESOURCE_DELAY ? s->max_backoff : RESOURCE_DELAY;

		if (m->delay < RESOURCE_DELAY || m->delay > most)
			sim_fail("s%02d: waits %u ms for resources", sim_number(slot), m->delay);
		return;
	}
	if (m->cause == CAUSE_SPAWN && m->delay == SPAWN_ERROR_DELAY &&
	    right < SPAWN_ERROR_DELAY + spread + slack)
		return;
	if (m->delay + spread + slack < right || m->delay > right + spread + slack)
		sim_fail("s%02d: failure %u waits %u ms, by the formula %u +- %u", sim_number(slot),
		    m->failures, m->delay, right, spread);
}

/* The times of the first start are in order, and stay. */
static void check_start(uint32_t slot)
{
	const struct machine *m = &sim_record(slot)->m;
	const struct board_start *start = &sim_record(slot)->start, *before = &sim.seen[slot].start;
	const int64_t times[] = {
	    start->wanted, start->executed, start->ready, start->failed, start->ended};
	const int64_t old[] = {
	    before->wanted, before->executed, before->ready, before->failed, before->ended};

	for (unsigned i = 0; i < ARRAY_LEN(times); i++)
		if (old[i] ? times[i] != old[i] : times[i] && times[i] < start->wanted)
			sim_fail("s%02d: time %u of its start is %lld, and was %lld",
			    sim_number(slot), i, (long long)times[i], (long long)old[i]);
	if ((m->want == WANT_UP && !start->wanted) || (m->ready && !start->ready) ||
	    (m->started && !start->executed))
		sim_fail("s%02d: a time of its start is missing", sim_number(slot));
	if (start->ready && (!start->executed || start->ready < start->executed))
		sim_fail("s%02d: ready before it was executed", sim_number(slot));
}

static void check_record(uint32_t slot)
{
	const struct board_service *s = sim_record(slot);
	const struct seen *seen = &sim.seen[slot];
	const struct unit *u = &sim.sv.unit[slot];
	bool entered = s->m.state != seen->state || s->m.since != seen->since;

	if (s->pid)
		check_process(slot, s->pid, true);
	if (s->aux_pid)
		check_process(slot, s->aux_pid, false);
	if (s->m.main_alive != (s->pid != 0) || (s->m.aux != AUX_NONE) != (s->aux_pid != 0))
		sim_fail("s%02d: %s with pid %d (%d) and pid %d (%d)", sim_number(slot),
		    sim_state(slot), (int)s->pid, s->m.main_alive, (int)s->aux_pid, s->m.aux);
	if ((s->m.want == WANT_UP || (u->renew && u->again)) && !sim.asked[sim_number(slot)] &&
	    !u->removed)
		sim.asked[sim_number(slot)] =
		    sim.plan.service[sim_number(slot)].enabled || sim_needed(sim_number(slot), 0);
	if (s->m.state == STATE_BACKOFF && entered)
		check_delay(slot);
	if (!machine_active(&s->m) && sim_leaves_children(slot))
		sim_abandon(s->used, 0);
	if (s->by_hand != sim.hand[sim_number(slot)] && !sim.sv.unit[slot].removed)
		sim_fail("s%02d: stopped by hand: %d, by the record %d", sim_number(slot),
		    sim.hand[sim_number(slot)], s->by_hand);
}

/* What may have been missed only shows when nothing more is going to happen by itself. */
static bool may_wait(int number)
{
	const struct plan_service *s = &sim.plan.service[number];
	uint32_t soft = s->wants | s->after;

	if (s->waits & ~(sim.there & sim.told))
		return true;
	for (int other = 0; other < KERNEL_SERVICES; other++) {
		uint32_t bit = 1u << other, slot;

		if (!((s->requires | soft) & bit))
			continue;
		slot = sim_slot(other);
		if (slot == SUPERVISOR_NONE)
			continue;
		if (!sim_record(slot)->m.ready &&
		    ((s->requires & bit) || !machine_settled(&sim_record(slot)->m)))
			return true;
		if ((s->requires & bit) && sim_record(slot)->slice & SLICE_PAUSED)
			return true;
	}
	return false;
}

static void check_blocker(uint32_t slot)
{
	int32_t blocker = sim_record(slot)->blocker;
	uint8_t state = blocker >= 0 ? sim_record((uint32_t)blocker)->m.state : STATE_COUNT;

	if (blocker < 0)
		sim_fail("s%02d failed for a dependency, but names none", sim_number(slot));
	if (!(sim.plan.service[sim_number(slot)].requires >> sim_number((uint32_t)blocker) & 1))
		sim_fail("s%02d failed for s%02d, which it does not require", sim_number(slot),
		    sim_number((uint32_t)blocker));
	if (state == STATE_STOPPED && sim_record((uint32_t)blocker)->m.want == WANT_UP)
		return; /* it has ended well: there is nothing to wait for */
	if (state != STATE_FAILED && state != STATE_FATAL)
		sim_fail("s%02d failed for s%02d, which is %s", sim_number(slot),
		    sim_number((uint32_t)blocker), sim_state((uint32_t)blocker));
}

/* It is down to stay, or cannot come back since that holds for one that it requires. */
bool sim_is_lost(uint32_t slot)
{
	const struct machine *m = &sim_record(slot)->m;
	uint32_t requires = sim.plan.service[sim_number(slot)].requires;

	if (sim.sv.unit[slot].renew)
		return false;
	if (m->want == WANT_DOWN || m->state == STATE_FAILED || m->state == STATE_FATAL)
		return true;
	if (m->state == STATE_DONE || m->state == STATE_STOPPED)
		return false;
	for (int other = 0; other < KERNEL_SERVICES; other++) {
		uint32_t required = requires >> other & 1 ? sim_slot(other) : SUPERVISOR_NONE;

		if (required != SUPERVISOR_NONE && sim_is_lost(required))
			return true;
	}
	return false;
}

/* Whom it requires is there, or has only just crashed. */
static void check_required(uint32_t slot, int number)
{
	for (int other = 0; other < KERNEL_SERVICES; other++) {
		bool needed = sim.plan.service[number].requires >> other & 1;
		uint32_t required = needed ? sim_slot(other) : SUPERVISOR_NONE;

		if (required != SUPERVISOR_NONE && sim_is_lost(required))
			sim_fail("s%02d is %s, but requires s%02d, which is %s", number,
			    sim_state(slot), other, sim_state(required));
	}
}

/* A stop is held only for those that are themselves on their way down. */
static bool may_hold(int number)
{
	for (int other = 0; other < KERNEL_SERVICES; other++) {
		const struct plan_service *s = &sim.plan.service[other];
		uint32_t slot;

		if (!s->present || !((s->requires | s->wants | s->after) >> number & 1))
			continue;
		slot = sim_slot(other);
		if (slot != SUPERVISOR_NONE && machine_active(&sim_record(slot)->m) &&
		    (sim_record(slot)->m.state == STATE_STOPPING ||
			sim_record(slot)->m.state == STATE_CLEANUP ||
			sim_record(slot)->m.want == WANT_DOWN))
			return true;
	}
	return false;
}

/* Nothing more is going to happen by itself before the next deadline. */
static void check_stuck(uint32_t slot)
{
	const struct board_service *s = sim_record(slot);
	int number = sim_number(slot);

	if (s->m.deadline && s->m.deadline <= kernel.now)
		sim_fail("s%02d: %s past its deadline", number, sim_state(slot));
	if (sim.sv.unit[slot].removed || sim.sv.unit[slot].renew) {
		if (!machine_active(&s->m) && !sim.sv.unit[slot].told)
			sim_fail("s%02d is down, but the reload is not finished", number);
		return;
	}
	if (s->m.state == STATE_STOPPING && s->m.holding && !may_hold(number))
		sim_fail("s%02d is held for nothing", number);
	if (s->m.state == STATE_STARTING || s->m.state == STATE_RUNNING)
		check_required(slot, number);
	if (s->m.state == STATE_WAITING && !may_wait(number))
		sim_fail("s%02d waits for nothing", number);
	if (s->m.state == STATE_FAILED && s->m.cause == CAUSE_DEPENDENCY && s->m.want == WANT_UP)
		check_blocker(slot);
	if (s->m.state == STATE_CLEANUP && !s->m.aux && !sim.sv.reap_again &&
	    !kernel_is_living(number) && !slices[number].full_until)
		sim_fail("s%02d: in cleanup with nothing left", number);
}

static void count_processes(void)
{
	uint32_t active = 0, live = 0;

	for (uint32_t slot = 0; slot < sim.sv.count; slot++)
		active += sim_record(slot)->used && machine_active(&sim_record(slot)->m);
	for (pid_t pid = 2; pid < KERNEL_PIDS; pid++)
		live += kernel.process[pid].state != PROCESS_FREE && kernel.process[pid].ours;
	if (active != sim.sv.active)
		sim_fail("%u services are active, counted %u", active, sim.sv.active);
	if (live != sim.sv.pids.count)
		sim_fail("%u children are there, known %u", live, sim.sv.pids.count);
}

static void look(uint32_t slot)
{
	struct seen *seen = &sim.seen[slot];
	struct board_service *s = sim_record(slot);
	int number = sim_number(slot);

	if (s->used != seen->used && seen->kill_mode == KILL_PROCESS)
		sim_abandon(seen->used, 0);
	if (s->used != seen->used && s->used)
		*seen = (struct seen){.number = number};
	sim.exits[number] += s->exits - seen->exits;
	if (sim.exits[number] != kernel.exits[number])
		sim_fail("s%02d: %llu ends of its main process, %llu recorded", number,
		    (unsigned long long)kernel.exits[number],
		    (unsigned long long)sim.exits[number]);
	if (s->used) {
		if (sim.trace && (seen->state != s->m.state || seen->used != s->used))
			sim_trace("  s%02d: %s (%s), want %s", number, sim_state(slot),
			    cause_name((enum cause)s->m.cause), s->m.want ? "up" : "down");
		check_record(slot);
		check_start(slot);
		checks_slices_look(slot);
	}
	*seen = (struct seen){.used = s->used,
	    .seq = s->seq,
	    .number = number,
	    .exits = s->exits,
	    .life = s->m.life,
	    .state = s->m.state,
	    .kill_mode = s->used ? supervisor_settings(&sim.sv, slot)->kill_mode : 0,
	    .since = s->m.since,
	    .start = s->start};
}

void checks_turn(void)
{
	struct supervisor *sv = &sim.sv;
	int64_t next = supervisor_deadline(sv);
	bool quiet = (next == 0 || next > kernel.now) && !kernel.chld && !slices_have_events();

	sim.turns++;
	sim.spins = sim.spun_at == kernel.now ? sim.spins + 1 : 0;
	sim.spun_at = kernel.now;
	if (sim.spins > SPIN)
		sim_fail("turns without end in one millisecond");
	for (uint32_t slot = 0; slot < sv->count; slot++)
		if (sim.seen[slot].seq != sim_record(slot)->seq)
			look(slot);
	for (uint32_t slot = 0; quiet && slot < sv->count; slot++)
		if (sim_record(slot)->used)
			check_stuck(slot);
	checks_slices_turn();
	checks_machine_turn(quiet);
	if (sim.turns % 64 == 0)
		count_processes();
	if (sv->stopping && !sim.end_by)
		sim.end_by = kernel.now + sim.plan.shutdown_timeout + END_SLACK;
	if (sim.end_by && kernel.now > sim.end_by && !supervisor_done(sv))
		sim_fail("the shutdown takes longer than %u ms", sim.plan.shutdown_timeout);
}

void checks_end(void)
{
	count_processes();
	checks_slices_end();
	for (pid_t pid = 2; pid < KERNEL_PIDS; pid++) {
		const struct process *p = &kernel.process[pid];

		if ((p->state == PROCESS_ALIVE || p->state == PROCESS_PENDING) && !p->abandoned &&
		    (p->role != ROLE_RELOAD || p->slice) && !p->exec_fails)
			sim_fail("pid %d of s%02d (role %u) outlives the shutdown", (int)pid,
			    p->service, p->role);
	}
	for (uint32_t slot = 0; slot < sim.sv.count; slot++)
		if (sim_record(slot)->used && !machine_settled(&sim_record(slot)->m) &&
		    sim.sv.stop_deadline)
			sim_fail(
			    "s%02d is %s after the shutdown", sim_number(slot), sim_state(slot));
}

void checks_begin(void)
{
	memset(sim.seen, 0, sizeof(sim.seen));
	checks_life_begin();
	checks_slices_begin();
}
