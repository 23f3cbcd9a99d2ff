/* What services say of themselves through the notification socket. Whom a datagram is about
 * is told by the kernel's word for its sender, not by what it says. */
#include "init/supervisor_internal.h"

#include "init/explain.h"
#include "init/log.h"
#include "init/notify.h"

#include <string.h>

enum {
	DEPTH = 8,         /* generations that are walked up to find out a descent */
	STRANGERS = 10000, /* ms between two lines about notifications of nobody's */
};

/* The service whose main process's session this is. Its first process may have gone, since it
 * handed over (MAINPID): then the number is no process's that is known here. */
static uint32_t of_session(const struct supervisor *sv, pid_t sid)
{
	for (uint32_t slot = 0; slot < sv->count && sid > 1; slot++)
		if (sv->service[slot].used && sv->unit[slot].sid[0] == sid)
			return slot;
	return SUPERVISOR_NONE;
}

/* By the process itself, as one that was started here, or by its session. */
static uint32_t known(const struct supervisor *sv, pid_t pid, enum pid_role *ret_role)
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

/* The service that a process belongs to. One that has made a session for itself is known by
 * whom it comes from. */
static uint32_t whose(const struct supervisor *sv, pid_t pid, enum pid_role *ret_role)
{
	uint32_t slot = SUPERVISOR_NONE;

	for (int depth = 0; depth < DEPTH && pid > 1; depth++) {
		slot = known(sv, pid, ret_role);
		if (slot != SUPERVISOR_NONE)
			break;
		pid = platform_parent(pid);
	}
	return slot;
}

/* What nobody can be found for is not lost without a word; but strangers fill no log. */
static void pass_over(struct supervisor *sv, pid_t pid, const struct notification *n)
{
	const char *what = n->ready       ? "READY=1"
			   : n->watchdog  ? "WATCHDOG=1"
			   : n->main_pid  ? "MAINPID="
			   : n->stopping  ? "STOPPING=1"
			   : n->reloading ? "RELOADING=1"
			   : n->status    ? "STATUS="
					  : NULL;

	if (!what || (sv->stranger_at && sv->now - sv->stranger_at < STRANGERS))
		return;
	sv->stranger_at = sv->now;
	log_warning(NULL,
	    "notification %s of process %d is passed over: that has ended already (a "
	    "sender has to live until it has been heard, see sd_notify_barrier(3)), or it is no "
	    "running service's, or of its probes, pre_start or stop_command",
	    what, (int)pid);
}

/* The longest beginning of a text that has room and ends between two characters of UTF-8. */
static size_t cut(const char *text, size_t length, size_t room)
{
	if (length <= room)
		return length;
	while (room && ((unsigned char)text[room] & 0xc0) == 0x80)
		room--;
	return room;
}

void sv_set_words(
    struct supervisor *sv, uint32_t slot, enum board_said which, const char *text, size_t length)
{
	struct board_service *s = &sv->service[slot];
	struct board_words words;
	char *to = words.thief;
	size_t room = sizeof(words.thief);

	if (which == SAID_STATUS) {
		to = words.status;
		room = sizeof(words.status);
	} else if (which == SAID_AWAITED) {
		to = words.awaited;
		room = sizeof(words.awaited);
	}
	board_read_words(&sv->board, slot, s, &words);
	length = cut(text, length, room - 1);
	memset(to, 0, room);
	memcpy(to, text, length);
	if (length && board_write_words(&sv->board, slot, &words) < 0)
		length = 0;
	sv_said(sv, slot, which, length > 0);
}

void sv_said(struct supervisor *sv, uint32_t slot, enum board_said which, bool said)
{
	struct board_service *s = &sv->service[slot];

	board_begin(s);
	s->said = (uint8_t)(said ? s->said | which : s->said & ~which);
	board_end(s);
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
		log_warning(
		    s->name, "MAINPID=%d: no process of this service; passed over", (int)main_pid);
}

/* What a process that makes a check has found out. */
static void of_check(struct supervisor *sv, uint32_t slot, pid_t pid, const char *datagram,
    const struct notification *n)
{
	sv_check_detail(sv, slot, pid, n->detail);
	if (n->detail && n->thief)
		sv_set_words(sv, slot, SAID_THIEF, datagram + n->thief, n->thief_length);
}

void supervisor_notify(
    struct supervisor *sv, pid_t pid, const char *datagram, const struct notification *n)
{
	enum pid_role role;
	uint32_t slot = whose(sv, pid, &role);

	if (slot == SUPERVISOR_NONE) {
		pass_over(sv, pid, n);
		return;
	}
	if (role == PID_PROBE)
		of_check(sv, slot, pid, datagram, n);
	if (role != PID_MAIN || !sv->service[slot].m.main_alive) {
		pass_over(sv, pid, n);
		return;
	}
	if (n->status)
		sv_set_words(sv, slot, SAID_STATUS, datagram + n->status, n->status_length);
	if (n->watchdog)
		sv->unit[slot].beat = sv->now;
	if (n->main_pid)
		take_main_pid(sv, slot, n->main_pid);
	if (n->reloading || n->ready)
		sv_said(sv, slot, SAID_RELOADING, n->reloading);
	if (n->stopping || n->ready)
		sv_said(sv, slot, SAID_STOPPING, n->stopping);
	if (n->ready && !sv->unit[slot].notified && sv->service[slot].type == TYPE_NOTIFY)
		sv_notified(sv, slot);
	if (n->trigger && sv_probe(sv, slot, PROBE_LIVENESS))
		sv_verdict(sv, slot, PROBE_LIVENESS, false, FAULT_ASKED, 0);
}

bool sv_hand_over(struct supervisor *sv, uint32_t slot, const struct exit_status *status)
{
	char how[48];
	struct text text;
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
	text_init(&text, how, sizeof(how));
	explain_exit(&text, status->kind == EXIT_EXITED ? LAST_EXITED : LAST_KILLED, status->code,
	    status->core);
	log_info(
	    s->name, "its main process is now %d (MAINPID); the one before %s", (int)next, how);
	return true;
}
