/* What services say of themselves through the notification socket. Whom a datagram is about
 * is told by the kernel's word for its sender, not by what it says. */
#include "init/supervisor_internal.h"

#include "init/log.h"
#include "init/notify.h"

/* The service whose main process's session this is. Its first process may have gone, since it
 * handed over (MAINPID): then the number is no process's that is known here. */
static uint32_t of_session(const struct supervisor *sv, pid_t sid)
{
	for (uint32_t slot = 0; slot < sv->count && sid > 1; slot++)
		if (sv->service[slot].used && sv->unit[slot].sid[0] == sid)
			return slot;
	return SUPERVISOR_NONE;
}

/* The service that a process belongs to: as one that was started here, or by its session. */
static uint32_t whose(const struct supervisor *sv, pid_t pid, enum pid_role *ret_role)
{
	const struct pid_entry *entry = pidmap_get(&sv->pids, pid);
	pid_t sid;

	if (!entry) {
		sid = platform_session(pid);
		entry = sid > 1 ? pidmap_get(&sv->pids, sid) : NULL;
		if (!entry) {
			*ret_role = PID_MAIN;
			return of_session(sv, sid);
		}
	}
	if (entry->role == PID_FAILED || entry->role == PID_LOADER)
		return SUPERVISOR_NONE;
	*ret_role = (enum pid_role)entry->role;
	return entry->slot;
}

/* Only a process of the service itself may take its place: one of its session that it has
 * started, which becomes ours when the present main process ends. */
static void take_main_pid(struct supervisor *sv, uint32_t slot, pid_t main_pid)
{
	struct board_service *s = &sv->service[slot];

	if (main_pid == s->pid)
		sv->unit[slot].next_main = 0;
	else if (s->pid && platform_session(main_pid) == sv->unit[slot].sid[0])
		sv->unit[slot].next_main = main_pid;
	else
		log_warning(s->name, "MAINPID=%d: no process of this service; passed over",
		    (int)main_pid);
}

void supervisor_notify(struct supervisor *sv, pid_t pid, const struct notification *n)
{
	enum pid_role role;
	uint32_t slot = whose(sv, pid, &role);

	if (slot == SUPERVISOR_NONE)
		return;
	if (role == PID_PROBE) {
		sv_check_detail(sv, slot, pid, n->detail);
		return;
	}
	if (role != PID_MAIN || !sv->service[slot].m.main_alive)
		return;
	if (n->watchdog)
		sv->unit[slot].beat = sv->now;
	if (n->main_pid)
		take_main_pid(sv, slot, n->main_pid);
	if (n->ready && !sv->unit[slot].notified && sv->service[slot].type == TYPE_NOTIFY)
		sv_notified(sv, slot);
	if (n->trigger && sv_probe(sv, slot, PROBE_LIVENESS))
		sv_verdict(sv, slot, PROBE_LIVENESS, false, FAULT_OLD, 0);
}

bool sv_hand_over(struct supervisor *sv, uint32_t slot)
{
	struct unit *u = &sv->unit[slot];
	struct board_service *s = &sv->service[slot];
	pid_t next = u->next_main;

	u->next_main = 0;
	if (!next || !platform_is_child(next))
		return false;
	/* Who is told to stop hands nothing over: what it leaves is stopped with it. */
	if (s->m.state != STATE_STARTING && s->m.state != STATE_RUNNING)
		return false;
	if (pidmap_put(&sv->pids, next, slot, PID_MAIN) < 0)
		return false;
	sv->loose = true; /* its session goes on without its first process */
	board_begin(s);
	s->pid = next;
	board_end(s);
	log_info(s->name, "its main process is now %d (MAINPID)", (int)next);
	return true;
}
