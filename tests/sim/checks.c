/* What must hold, at every birth, signal and turn. It knows the configuration as the plan
 * has it and the processes as the kernel has them, and compares sinit's records with both. */
#include "init/schema.h"
#include "tests/sim/sim.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum { SPIN = 3000, END_SLACK = 1500, SPAWN_ERROR_DELAY = 500, RESOURCE_DELAY = 250 };

static struct board_service *record(uint32_t slot)
{
	return &sim.sv.service[slot];
}

static int number_of(uint32_t slot)
{
	if (sim.seen[slot].used != record(slot)->used && record(slot)->used)
		sim.seen[slot].number = atoi(record(slot)->name + 1);
	return sim.seen[slot].number;
}

static uint64_t life_of(uint32_t slot)
{
	return (uint64_t)record(slot)->used << 32 | record(slot)->m.life;
}

static const char *state_of(uint32_t slot)
{
	return state_name((enum state)record(slot)->m.state);
}

/* The slot of a configured service, not one that is being removed. */
static uint32_t slot_of(int number)
{
	for (uint32_t slot = 0; slot < sim.sv.count; slot++)
		if (record(slot)->used && !sim.sv.unit[slot].removed && number_of(slot) == number)
			return slot;
	return SUPERVISOR_NONE;
}

static void abandon(uint32_t slot, uint64_t but)
{
	for (pid_t pid = 2; pid < KERNEL_PIDS; pid++) {
		struct process *p = &kernel.process[pid];

		if (p->state != PROCESS_FREE && p->life >> 32 == record(slot)->used &&
		    p->life != but && p->role != ROLE_MAIN)
			p->abandoned = true;
	}
}

/* --- births ------------------------------------------------------------------------ */

static bool is_spawning(uint32_t slot, enum role role)
{
	const struct board_service *s = record(slot);

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
		break;
	}
	return false;
}

static uint32_t spawning_slot(int number, enum role role)
{
	for (uint32_t slot = 0; slot < sim.sv.count; slot++)
		if (record(slot)->used && number_of(slot) == number && is_spawning(slot, role))
			return slot;
	sim_fail("s%02d: a process is made (role %u) for no reason", number, role);
}

static void check_requires(uint32_t slot, int number)
{
	uint32_t mask = sim.plan.service[number].requires;

	if (sim.sv.unit[slot].removed)
		sim_fail("s%02d is started though it was removed", number);
	for (int other = 0; other < KERNEL_SERVICES; other++) {
		uint32_t needed = mask >> other & 1 ? slot_of(other) : SUPERVISOR_NONE;

		if (needed != SUPERVISOR_NONE && !record(needed)->m.ready)
			sim_fail("s%02d is started but requires s%02d, which is %s", number, other,
			    state_of(needed));
	}
}

/* Whether anybody who is wanted needs it, directly or not. */
static bool is_needed(int number, int depth)
{
	for (int other = 0; other < KERNEL_SERVICES && depth < PLAN_SERVICES; other++) {
		const struct plan_service *s = &sim.plan.service[other];
		uint32_t slot;

		if (!s->present || !((s->requires | s->wants) >> number & 1))
			continue;
		slot = slot_of(other);
		if (slot != SUPERVISOR_NONE && (record(slot)->m.want == WANT_UP || s->enabled ||
						   sim.asked[other] || is_needed(other, depth + 1)))
			return true;
	}
	return false;
}

static void check_wanted(int number)
{
	if (sim.hand[number])
		sim_fail("s%02d is started though it was stopped by hand", number);
	if (!sim.plan.service[number].enabled && !sim.asked[number] && !is_needed(number, 0))
		sim_fail("s%02d is started though nobody wants it", number);
	sim.asked[number] = true; /* it is kept up though those who needed it may go */
}

static void check_alone(int number, uint64_t life)
{
	for (pid_t pid = 2; pid < KERNEL_PIDS; pid++) {
		const struct process *p = &kernel.process[pid];

		if ((p->state != PROCESS_ALIVE && p->state != PROCESS_PENDING) ||
		    p->service != number || p->life == life || p->abandoned ||
		    p->role == ROLE_RELOAD || p->exec_fails)
			continue;
		sim_fail("s%02d: a new life begins while pid %d (role %u) of an earlier one lives",
		    number, (int)pid, p->role);
	}
}

static uint64_t on_spawn(int number, enum role role)
{
	uint32_t slot = spawning_slot(number, role);
	uint64_t life = life_of(slot);

	if (sim.sv.killing && role != ROLE_RELOAD)
		sim_fail(
		    "s%02d: a process is made (role %u) after the end of patience", number, role);
	if (role != ROLE_MAIN && role != ROLE_PRE)
		return life;
	if (sim.sv.stopping)
		sim_fail("s%02d is started after the shutdown began", number);
	check_wanted(number);
	/* The settings may be new ones; those of the last life counted for its end. */
	if (supervisor_settings(&sim.sv, slot)->kill_mode == KILL_PROCESS || sim.seen[slot].kill_mode == KILL_PROCESS)
		abandon(slot, life);
	check_alone(number, life);
	if (role == ROLE_PRE || !supervisor_settings(&sim.sv, slot)->has_pre_start)
		check_requires(slot, number);
	return life;
}

/* --- signals ------------------------------------------------------------------------- */

static uint32_t owner(const struct process *p)
{
	for (uint32_t slot = 0; slot < sim.sv.count; slot++)
		if (record(slot)->used == p->life >> 32)
			return slot;
	sim_fail("a signal for a process of s%02d, whose record is gone", p->service);
}

/* Whoever needs it is down before it is told to stop for good: at a shutdown all of them,
 * else those that require it. A stop command that fails may come to it later. */
static void check_order(uint32_t slot, int number)
{
	const struct machine *m = &record(slot)->m;
	bool all = m->cause == CAUSE_SHUTDOWN;
	bool required = (m->cause == CAUSE_OPERATOR && m->want == WANT_DOWN) ||
			(m->cause == CAUSE_DEPENDENCY &&
			    (m->deps == DEPS_DOWN || m->deps == DEPS_FAILED));

	if (!all && (!required || supervisor_settings(&sim.sv, slot)->has_stop_command))
		return;
	for (int other = 0; other < KERNEL_SERVICES; other++) {
		const struct plan_service *s = &sim.plan.service[other];
		uint32_t edges = all ? s->requires | s->wants | s->after : s->requires, dependent;

		if (!s->present || !(edges >> number & 1))
			continue;
		dependent = slot_of(other);
		if (dependent != SUPERVISOR_NONE && machine_active(&record(dependent)->m))
			sim_fail(
			    "s%02d is told to stop (%s) before s%02d, which needs it and is %s",
			    number, cause_name((enum cause)m->cause), other, state_of(dependent));
	}
}

static void on_signal(pid_t pid, int sig, bool named)
{
	const struct process *p = &kernel.process[pid];
	uint32_t slot = owner(p);
	const struct board_service *s = record(slot);
	bool stops = s->m.state == STATE_STOPPING || s->m.state == STATE_CLEANUP;

	sim_trace("  signal %d to pid %d of s%02d (%s)", sig, (int)pid, p->service, state_of(slot));
	if (p->life != life_of(slot) || p->abandoned)
		sim_fail(
		    "s%02d: signal %d to pid %d of an earlier life", p->service, sig, (int)pid);
	if (named && s->pid != pid && s->aux_pid != pid)
		sim_fail("s%02d: signal %d to pid %d, which its record does not know", p->service,
		    sig, (int)pid);
	if (!sim.by_operator && !stops)
		sim_fail("s%02d: signal %d in state %s", p->service, sig, state_of(slot));
	if (!named && supervisor_settings(&sim.sv, slot)->kill_mode == KILL_PROCESS && p->role == ROLE_CHILD)
		sim_fail("s%02d: kill_mode=process, but a child gets signal %d", p->service, sig);
	if (named && !sim.by_operator && sig != SIGKILL && s->m.state == STATE_STOPPING &&
	    !sim.sv.unit[slot].removed)
		check_order(slot, p->service);
}

/* --- turns ----------------------------------------------------------------------------- */

static void check_process(uint32_t slot, pid_t pid, bool is_main)
{
	const struct process *p = &kernel.process[pid];

	if (pid < 2 || pid >= KERNEL_PIDS || p->state == PROCESS_FREE || !p->ours ||
	    p->life != life_of(slot) || (p->role == ROLE_MAIN) != is_main)
		sim_fail("s%02d: its record names pid %d, which is something else", number_of(slot),
		    (int)pid);
}

static void check_delay(uint32_t slot)
{
	const struct machine *m = &record(slot)->m;
	const struct plan_service *s = &sim.plan.service[number_of(slot)];
	uint32_t right = plan_delay(s, m->failures), spread = right * s->jitter / 100;
	uint32_t slack = 5 + right / 50; /* each step is rounded down */

	if (sim.sv.unit[slot].removed || sim.sv.unit[slot].renew)
		return;
	if (sim.reloaded_at == kernel.now)
		return; /* by the old settings or the new ones */
	if (m->deadline != m->since + m->delay)
		sim_fail("s%02d: back-off of %u ms, but due after %lld", number_of(slot), m->delay,
		    (long long)(m->deadline - m->since));
	if (m->cause == CAUSE_RESOURCES) {
		uint32_t most = s->max_backoff > RESOURCE_DELAY ? s->max_backoff : RESOURCE_DELAY;

		if (m->delay < RESOURCE_DELAY || m->delay > most)
			sim_fail("s%02d: waits %u ms for resources", number_of(slot), m->delay);
		return;
	}
	if (m->cause == CAUSE_SPAWN && m->delay == SPAWN_ERROR_DELAY &&
	    right < SPAWN_ERROR_DELAY + spread + slack)
		return;
	if (m->delay + spread + slack < right || m->delay > right + spread + slack)
		sim_fail("s%02d: failure %u waits %u ms, by the formula %u +- %u", number_of(slot),
		    m->failures, m->delay, right, spread);
}

static void check_record(uint32_t slot)
{
	const struct board_service *s = record(slot);
	const struct seen *seen = &sim.seen[slot];
	const struct unit *u = &sim.sv.unit[slot];
	bool entered = s->m.state != seen->state || s->m.since != seen->since;

	if (s->pid)
		check_process(slot, s->pid, true);
	if (s->aux_pid)
		check_process(slot, s->aux_pid, false);
	if (s->m.main_alive != (s->pid != 0) || (s->m.aux != AUX_NONE) != (s->aux_pid != 0))
		sim_fail("s%02d: %s with pid %d (%d) and pid %d (%d)", number_of(slot),
		    state_of(slot), (int)s->pid, s->m.main_alive, (int)s->aux_pid, s->m.aux);
	if ((s->m.want == WANT_UP || (u->renew && u->again)) && !sim.asked[number_of(slot)] &&
	    !u->removed)
		sim.asked[number_of(slot)] =
		    sim.plan.service[number_of(slot)].enabled || is_needed(number_of(slot), 0);
	if (s->m.state == STATE_BACKOFF && entered)
		check_delay(slot);
	if (!machine_active(&s->m) && supervisor_settings(&sim.sv, slot)->kill_mode == KILL_PROCESS)
		abandon(slot, 0);
	if (s->by_hand != sim.hand[number_of(slot)] && !sim.sv.unit[slot].removed)
		sim_fail("s%02d: stopped by hand: %d, by the record %d", number_of(slot),
		    sim.hand[number_of(slot)], s->by_hand);
}

/* What may have been missed only shows when nothing more is going to happen by itself. */
static bool may_wait(int number)
{
	const struct plan_service *s = &sim.plan.service[number];
	uint32_t soft = s->wants | s->after;

	for (int other = 0; other < KERNEL_SERVICES; other++) {
		uint32_t bit = 1u << other, slot;

		if (!((s->requires | soft) & bit))
			continue;
		slot = slot_of(other);
		if (slot == SUPERVISOR_NONE)
			continue;
		if (!record(slot)->m.ready &&
		    ((s->requires & bit) || !machine_settled(&record(slot)->m)))
			return true;
	}
	return false;
}

static void check_blocker(uint32_t slot)
{
	int32_t blocker = record(slot)->blocker;
	uint8_t state = blocker >= 0 ? record((uint32_t)blocker)->m.state : STATE_COUNT;

	if (blocker < 0)
		sim_fail("s%02d failed for a dependency, but names none", number_of(slot));
	if (!(sim.plan.service[number_of(slot)].requires >> number_of((uint32_t)blocker) & 1))
		sim_fail("s%02d failed for s%02d, which it does not require", number_of(slot),
		    number_of((uint32_t)blocker));
	if (state == STATE_STOPPED && record((uint32_t)blocker)->m.want == WANT_UP)
		return; /* it has ended well: there is nothing to wait for */
	if (state != STATE_FAILED && state != STATE_FATAL)
		sim_fail("s%02d failed for s%02d, which is %s", number_of(slot),
		    number_of((uint32_t)blocker), state_of((uint32_t)blocker));
}

/* It is down to stay, or cannot come back since that holds for one that it requires. */
static bool is_lost(uint32_t slot)
{
	const struct machine *m = &record(slot)->m;
	uint32_t requires = sim.plan.service[number_of(slot)].requires;

	if (sim.sv.unit[slot].renew)
		return false;
	if (m->want == WANT_DOWN || m->state == STATE_FAILED || m->state == STATE_FATAL)
		return true;
	if (m->state == STATE_DONE || m->state == STATE_STOPPED)
		return false;
	for (int other = 0; other < KERNEL_SERVICES; other++) {
		uint32_t required = requires >> other & 1 ? slot_of(other) : SUPERVISOR_NONE;

		if (required != SUPERVISOR_NONE && is_lost(required))
			return true;
	}
	return false;
}

/* Whom it requires is there, or has only just crashed. */
static void check_required(uint32_t slot, int number)
{
	for (int other = 0; other < KERNEL_SERVICES; other++) {
		bool needed = sim.plan.service[number].requires >> other & 1;
		uint32_t required = needed ? slot_of(other) : SUPERVISOR_NONE;

		if (required != SUPERVISOR_NONE && is_lost(required))
			sim_fail("s%02d is %s, but requires s%02d, which is %s", number,
			    state_of(slot), other, state_of(required));
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
		slot = slot_of(other);
		if (slot != SUPERVISOR_NONE && machine_active(&record(slot)->m) &&
		    (record(slot)->m.state == STATE_STOPPING ||
			record(slot)->m.state == STATE_CLEANUP || record(slot)->m.want == WANT_DOWN))
			return true;
	}
	return false;
}

/* Nothing more is going to happen by itself before the next deadline. */
static void check_stuck(uint32_t slot)
{
	const struct board_service *s = record(slot);
	int number = number_of(slot);

	if (s->m.deadline && s->m.deadline <= kernel.now)
		sim_fail("s%02d: %s past its deadline", number, state_of(slot));
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
	    !kernel_is_living(number))
		sim_fail("s%02d: in cleanup with nothing left", number);
}

static void count_processes(void)
{
	uint32_t active = 0, live = 0;

	for (uint32_t slot = 0; slot < sim.sv.count; slot++)
		active += record(slot)->used && machine_active(&record(slot)->m);
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
	struct board_service *s = record(slot);
	int number = number_of(slot);

	if (s->used != seen->used && s->used)
		*seen = (struct seen){.number = number};
	sim.exits[number] += s->exits - seen->exits;
	if (sim.exits[number] != kernel.exits[number])
		sim_fail("s%02d: %llu ends of its main process, %llu recorded", number,
		    (unsigned long long)kernel.exits[number],
		    (unsigned long long)sim.exits[number]);
	if (s->used) {
		if (sim.trace && (seen->state != s->m.state || seen->used != s->used))
			sim_trace("  s%02d: %s (%s), want %s", number, state_of(slot),
			    cause_name((enum cause)s->m.cause), s->m.want ? "up" : "down");
		check_record(slot);
	}
	*seen = (struct seen){.used = s->used,
	    .seq = s->seq,
	    .number = number,
	    .exits = s->exits,
	    .life = s->m.life,
	    .state = s->m.state,
	    .kill_mode = s->used ? supervisor_settings(&sim.sv, slot)->kill_mode : 0,
	    .since = s->m.since};
}

void checks_turn(void)
{
	struct supervisor *sv = &sim.sv;
	int64_t next = supervisor_deadline(sv);
	bool quiet = (next == 0 || next > kernel.now) && !kernel.chld;

	sim.turns++;
	sim.spins = sim.spun_at == kernel.now ? sim.spins + 1 : 0;
	sim.spun_at = kernel.now;
	if (sim.spins > SPIN)
		sim_fail("turns without end in one millisecond");
	for (uint32_t slot = 0; slot < sv->count; slot++)
		if (sim.seen[slot].seq != record(slot)->seq)
			look(slot);
	for (uint32_t slot = 0; quiet && slot < sv->count; slot++)
		if (record(slot)->used)
			check_stuck(slot);
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
	for (pid_t pid = 2; pid < KERNEL_PIDS; pid++) {
		const struct process *p = &kernel.process[pid];

		if ((p->state == PROCESS_ALIVE || p->state == PROCESS_PENDING) && !p->abandoned &&
		    p->role != ROLE_RELOAD && !p->exec_fails)
			sim_fail("pid %d of s%02d (role %u) outlives the shutdown", (int)pid,
			    p->service, p->role);
	}
	for (uint32_t slot = 0; slot < sim.sv.count; slot++)
		if (record(slot)->used && !machine_settled(&record(slot)->m) &&
		    sim.sv.stop_deadline)
			sim_fail("s%02d is %s after the shutdown", number_of(slot), state_of(slot));
}

void checks_begin(void)
{
	memset(sim.seen, 0, sizeof(sim.seen));
	kernel_watch.spawn = on_spawn;
	kernel_watch.signal = on_signal;
}
