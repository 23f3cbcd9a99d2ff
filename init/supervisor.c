#include "init/supervisor_internal.h"

#include "init/log.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

enum {
	PENDING_POLL_MAX = 1000, /* ms between looks at a spawn that hangs before its exec */
	KILLED_PATIENCE = 5000,  /* ms after KILL: what is not gone then sits in the kernel */
};

/* The number of a session, unless a process of another service has got it meanwhile. */
static pid_t session(const struct supervisor *sv, uint32_t slot, unsigned i)
{
	pid_t sid = sv->unit[slot].sid[i];
	const struct pid_entry *entry = sid ? pidmap_get(&sv->pids, sid) : NULL;

	return entry && entry->slot != slot ? 0 : sid;
}

bool sv_session_left(struct supervisor *sv, uint32_t slot, unsigned i)
{
	pid_t sid = session(sv, slot, i);

	if (sid && platform_kill_session(sid, 0) > 0)
		return true;
	sv->unit[slot].sid[i] = 0;
	return false;
}

/* True if there was anybody in its sessions. With kill_mode=process only the processes
 * that were started here are meant. */
static bool signal_all(struct supervisor *sv, uint32_t slot, int sig)
{
	const struct board_service *s = &sv->service[slot];
	const struct unit *u = &sv->unit[slot];
	bool alone = supervisor_settings(sv, slot)->kill_mode == KILL_PROCESS;
	bool any = false, signalled = false;

	if (!alone)
		any = sv_slice_signal(sv, slot, sig);
	/* One signal for each: KILL alone is for those, too, who have left the slice. */
	for (unsigned i = 0; i < SUPERVISOR_SESSIONS && !alone && (!any || sig == SIGKILL); i++) {
		pid_t sid = session(sv, slot, i);

		signalled |= sid && platform_kill_session(sid, sig) > 0;
	}
	/* One that hangs before its exec may not have made its session yet. */
	if (s->pid && (alone || u->pending[0]))
		platform_kill(s->pid, sig);
	if (s->aux_pid && (alone || u->pending[1]))
		platform_kill(s->aux_pid, sig);
	sv->recheck = true;
	return any || signalled;
}

/* The order here is that of enum action. */
static void act(struct supervisor *sv, uint32_t slot, unsigned actions)
{
	const struct service_settings *settings = place_settings(sv, sv->unit[slot].life);
	const struct machine_settings *machine = supervisor_settings(sv, slot);
	struct unit *u = &sv->unit[slot];

	/* Whoever has frozen it: what is told to stop is to hear it. */
	if (actions & (ACT_STOP_MAIN | ACT_STOP_ALL))
		sv_slice_unfreeze(sv, slot);
	if (actions & ACT_KILL_ALL)
		signal_all(sv, slot, SIGKILL);
	if (actions & ACT_STOP_MAIN && sv->service[slot].pid)
		platform_kill(sv->service[slot].pid, machine->stop_signal);
	if (actions & ACT_STOP_ALL && signal_all(sv, slot, machine->stop_signal) &&
	    sv->service[slot].m.state == STATE_CLEANUP)
		sv_report_leftovers(sv, slot);
	if (actions & ACT_HOLD) {
		ranks_add(&sv->hold, u->rank);
		sv->rehold = true;
	}
	if (actions & ACT_CHECK_EMPTY) {
		ranks_add(&sv->check, u->rank);
		sv->recheck = true;
	}
	if (actions & ACT_RUN_STOP)
		sv_spawn(sv, slot, PID_AUX, settings->stop_command);
	if (actions & ACT_RUN_POST)
		sv_spawn(sv, slot, PID_AUX, settings->post_stop);
	if (actions & ACT_RUN_PRE)
		sv_spawn(sv, slot, PID_AUX, settings->pre_start);
	if (actions & ACT_SPAWN)
		sv_spawn(sv, slot, PID_MAIN, settings->command);
}

/* Events that can lead to a launch must not do so on what the dependencies were before
 * this turn: an unknown answer launches nothing, and settle finds the right one. */
static bool may_launch(enum event kind)
{
	return kind != EVENT_DEPS && kind != EVENT_WANT_DOWN && kind != EVENT_RESET &&
	       kind != EVENT_KILL && kind != EVENT_RELEASED;
}

/* The one that was not last time is asked first, so this seldom looks at more than it. */
void sv_look_at_starts(struct supervisor *sv)
{
	if (atomic_load_explicit(&sv->board.head->all_started, memory_order_relaxed))
		return;
	for (uint32_t n = 0; n < sv->count; n++) {
		uint32_t slot = (sv->late + n) % sv->count;
		const struct board_service *s = &sv->service[slot];

		if (s->used && s->enabled && !board_service_started(s)) {
			sv->late = slot;
			return;
		}
	}
	atomic_store(&sv->board.head->all_started, 1);
}

void sv_deliver(struct supervisor *sv, uint32_t slot, const struct machine_event *event)
{
	struct board_service *s = &sv->service[slot];
	struct unit *u = &sv->unit[slot];
	struct before before = {.state = s->m.state,
	    .want = s->m.want,
	    .ready = s->m.ready,
	    .deps = s->m.deps,
	    .active = machine_active(&s->m),
	    .life = s->m.life,
	    .restarts = s->m.restarts,
	    .ready_at = s->ready_at};
	unsigned actions;

	board_begin(s);
	if (s->m.deps != DEPS_WAIT && may_launch(event->kind) && ranks_has(&sv->dirty, u->rank))
		s->m.deps = DEPS_WAIT;
	actions =
	    machine_step(supervisor_settings(sv, slot), &s->m, &sv->history[slot], event, sv->now);
	if (s->m.ready != before.ready)
		s->ready_at = s->m.ready ? sv->now : 0;
	if (s->m.life != before.life) {
		u->told_kill = false;
		memset(u->sid, 0, sizeof(u->sid)); /* kill_mode=process: they are on their own */
		u->notified = false;
		u->next_main = 0;
		u->beat = 0;
	}
	sv_totals(sv, slot, &before);
	sv_start_times(sv, slot, event->kind);
	board_end(s);
	/* What is paused takes no signal, and what is born in its slice would be frozen, too. */
	if (s->m.state != STATE_RUNNING)
		sv_thaw(sv, slot);
	if (s->m.life != before.life)
		sv_slice_new_life(sv, slot);
	sv->deadline[slot] = s->m.deadline;
	sv->active += (uint32_t)machine_active(&s->m) - (uint32_t)before.active;
	if (s->m.life != before.life && sv->starts)
		sv->starts--;
	sv_report(sv, slot, &before, event, actions);
	if (s->m.state != before.state || s->m.life != before.life || event->kind == EVENT_SPAWNED)
		sv_probes_follow(sv, slot);
	if (board_service_started(s) && !before.ready)
		sv_look_at_starts(sv);
	if (s->m.state != before.state || s->m.want != before.want || s->m.ready != before.ready ||
	    s->m.deps != before.deps)
		sv_touch(sv, slot, s->m.ready && !before.ready);
	sv_recovery(sv, slot);
	act(sv, slot, actions);
	sv_slice_follow(sv, slot);
}

void sv_deliver_kind(struct supervisor *sv, uint32_t slot, enum event kind, enum cause cause)
{
	sv_deliver(sv, slot, &(struct machine_event){.kind = kind, .cause = cause});
}

void supervisor_clock(struct supervisor *sv)
{
	sv->now = platform_now();
	sv->starts = SUPERVISOR_STARTS;
}

/* --- deaths ------------------------------------------------------------------- */

static void process_ended(
    struct supervisor *sv, const struct pid_entry *entry, const struct exit_status *status)
{
	uint32_t slot = entry->slot;
	unsigned which = entry->role == PID_AUX;
	struct board_service *s = &sv->service[slot];
	struct machine_event event = {.kind = which ? EVENT_AUX_EXITED : EVENT_EXITED,
	    .exit_kind = status->kind,
	    .exit_core = status->core,
	    .exit_code = status->code};
	struct spawn_result failure;

	if (sv->unit[slot].pending[which]) {
		if (sv_pending_failed(sv, slot, which, entry->pid, &failure)) {
			sv_report_spawn_error(sv, slot, entry->role, NULL, &failure);
			if (which)
				event.kind = EVENT_AUX_EXITED;
			else
				event.kind = sv_is_shortage(&failure) ? EVENT_SPAWN_LATER
								      : EVENT_SPAWN_FAILED;
			event.exit_kind = LAST_SPAWN_ERROR;
			event.exit_code = failure.error;
		} else if (!which) {
			/* It was over before anybody asked: a short life, but one. */
			sv_deliver_kind(sv, slot, EVENT_SPAWNED, CAUSE_NONE);
		}
	}
	if (!which && event.kind == EVENT_EXITED && sv_hand_over(sv, slot, status))
		return;
	if (status->kind == EXIT_KILLED && status->code == SIGKILL && sv_oom_killed(sv, slot))
		event.cause = CAUSE_OOM;
	board_begin(s);
	if (which) {
		s->aux_pid = 0;
	} else {
		s->pid = 0;
		s->exits += event.kind == EVENT_EXITED;
		s->exit_time = platform_wall();
	}
	board_end(s);
	for (unsigned i = 0; i < SUPERVISOR_SESSIONS; i++)
		if (sv->unit[slot].sid[i] == entry->pid && sv_session_left(sv, slot, i))
			sv->loose = true;
	sv_deliver(sv, slot, &event);
}

static void one_death(struct supervisor *sv, pid_t pid, const struct exit_status *status)
{
	const struct pid_entry *found = pidmap_get(&sv->pids, pid);
	struct pid_entry entry;

	sv->recheck = true;
	if (!found) {
		atomic_fetch_add_explicit(&sv->board.head->orphans, 1, memory_order_relaxed);
		return;
	}
	entry = *found;
	pidmap_remove(&sv->pids, pid);
	switch ((enum pid_role)entry.role) {
	case PID_MAIN:
	case PID_AUX:
		process_ended(sv, &entry, status);
		break;
	case PID_RELOAD:
		sv_leave_room(sv, pid);
		if (status->kind != EXIT_EXITED || status->code)
			log_warning(sv->service[entry.slot].name, "reload_command failed (%s %d)",
			    status->kind == EXIT_EXITED ? "exit code" : "signal", status->code);
		break;
	case PID_PROBE:
		sv_leave_room(sv, pid);
		sv_check_ended(sv, entry.slot, pid, status);
		break;
	case PID_LIMITS:
		sv_slice_changed(
		    sv, entry.slot, pid, status->kind == EXIT_EXITED && status->code == 0);
		break;
	case PID_HELPER:
		sv->helpers_ended |= 1u << entry.slot;
		sv->helper_status[entry.slot % SUPERVISOR_HELPERS] = *status;
		break;
	case PID_FAILED:
		break;
	case PID_LOADER:
		sv->loader = 0;
		sv->loader_done = true;
		sv->loader_status = *status;
		break;
	}
}

/* Orphans have died: perhaps the last ones of sessions that outlived their first process. */
static void forget_empty_sessions(struct supervisor *sv)
{
	sv->loose = false;
	for (uint32_t slot = 0; slot < sv->count; slot++)
		for (unsigned i = 0; i < SUPERVISOR_SESSIONS; i++) {
			pid_t sid = sv->unit[slot].sid[i];

			if (sid && !pidmap_get(&sv->pids, sid) && sv_session_left(sv, slot, i))
				sv->loose = true;
		}
}

void supervisor_deaths(struct supervisor *sv, pid_t hint)
{
	bool orphans = false;
	struct exit_status status;
	pid_t pid;
	int rc;

	sv->reap_again = 0;
	while ((rc = platform_reap(hint, &pid, &status, &sv->reap_again)) == 1) {
		hint = 0;
		orphans |= !pidmap_get(&sv->pids, pid);
		one_death(sv, pid, &status);
	}
	if (orphans && sv->loose)
		forget_empty_sessions(sv);
	sv->no_children = rc == -ECHILD;
}

/* --- time ------------------------------------------------------------------------ */

/* Everything is to be gone by now. */
static void end_patience(struct supervisor *sv)
{
	if (sv->killing && sv->stop_deadline) {
		for (uint32_t slot = 0; slot < sv->count; slot++)
			if (sv->service[slot].used && machine_active(&sv->service[slot].m))
				log_error(sv->service[slot].name,
				    "still there after KILL (process %d sits in the kernel); "
				    "leaving it",
				    (int)sv->service[slot].pid);
		sv->stop_deadline = 0;
		return;
	}
	sv->killing = true;
	sv->stop_deadline = sv->now + KILLED_PATIENCE;
	for (uint32_t slot = 0; slot < sv->count; slot++)
		if (sv->service[slot].used)
			sv_deliver_kind(sv, slot, EVENT_KILL, CAUSE_SHUTDOWN);
}

void supervisor_timers(struct supervisor *sv)
{
	for (uint32_t slot = 0; slot < sv->count; slot++)
		if (sv->deadline[slot] && sv->deadline[slot] <= sv->now) {
			if (sv->service[slot].m.state == STATE_STARTING)
				sv_stats_start(sv, slot);
			sv_deliver_kind(sv, slot, EVENT_TIMER, CAUSE_NONE);
		}
	sv_checks_due(sv);
	sv_recoveries_due(sv);
	sv_slices_due(sv);
	if (sv->pendings && sv->poll_at <= sv->now) {
		sv->poll_wait =
		    sv->poll_wait < PENDING_POLL_MAX / 2 ? sv->poll_wait * 2 : PENDING_POLL_MAX;
		sv->poll_at = sv->now + sv->poll_wait;
		supervisor_births(sv);
	}
	if (sv->stopping && sv->stop_deadline && sv->stop_deadline <= sv->now && sv->active)
		end_patience(sv);
}

int64_t supervisor_deadline(const struct supervisor *sv)
{
	int64_t next = sooner(sv->reap_again, sv->pendings ? sv->poll_at : 0);

	if (sv->measuring || sv->dirty.count || (sv->check.count && sv->recheck) ||
	    (sv->hold.count && sv->rehold))
		return sv->now;
	for (uint32_t slot = 0; slot < sv->count; slot++)
		next = sooner(next, sv->deadline[slot]);
	next = sooner(sooner(next, sv_checks_deadline(sv)), sooner(sv->recovery, sv->slices_due));
	next = sooner(next, sv->emergency_at);
	return sv->stopping && sv->active ? sooner(next, sv->stop_deadline) : next;
}

/* --- shutdown ---------------------------------------------------------------------- */

void supervisor_shutdown(struct supervisor *sv)
{
	if (sv->stopping) {
		if (!sv->killing && sv->active) {
			log_warning(NULL, "asked again to stop: killing what is left");
			end_patience(sv);
		}
		return;
	}
	sv->stopping = true;
	sv->stop_deadline = sv->now + image_settings(sv->set[sv->current].image)->shutdown_timeout;
	atomic_store(&sv->board.head->phase, PHASE_STOPPING);
	sv_event(sv, &(struct board_event){.kind = EV_SHUTDOWN, .blocker = -1});
	log_info(NULL, "stopping everything");
	for (uint32_t rank = sv->count; rank-- > 0;)
		if (sv->service[sv->order[rank]].used)
			sv_deliver_kind(sv, sv->order[rank], EVENT_WANT_DOWN, CAUSE_SHUTDOWN);
}

bool supervisor_done(const struct supervisor *sv)
{
	return sv->stopping && (!sv->active || !sv->stop_deadline);
}
