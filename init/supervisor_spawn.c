/* Births: the process of a role of a service, and what comes of it. */
#include "init/supervisor_internal.h"

#include "init/log.h"

#include <errno.h>

enum { PENDING_POLL = 10 }; /* ms until the second look at a spawn that hangs; then ever longer */

static struct spawn_room *free_room(struct supervisor *sv)
{
	for (unsigned i = 0; i < ARRAY_LEN(sv->room); i++)
		if (!sv->room[i].pid)
			return &sv->room[i];
	return NULL;
}

static bool is_shortage(int error)
{
	return error == -EAGAIN || error == -ENOMEM || error == -EBUSY || error == -EMFILE ||
	       error == -ENFILE;
}

/* Nothing is running. `shortage`: the system's fault, not the service's, so it is tried
 * again and does not count. */
static void nothing_runs(struct supervisor *sv, uint32_t slot, enum pid_role role,
    const char *command, const struct spawn_result *result, bool shortage)
{
	bool before_life = role == PID_MAIN || sv->service[slot].m.aux == AUX_PRE_START;

	sv_report_spawn_error(sv, slot, role, command, result);
	if (role == PID_RELOAD)
		return;
	if (before_life && shortage)
		sv_deliver_kind(sv, slot, EVENT_SPAWN_LATER, CAUSE_RESOURCES);
	else
		sv_deliver(sv, slot,
		    &(struct machine_event){
			.kind = role == PID_MAIN ? EVENT_SPAWN_FAILED : EVENT_AUX_EXITED,
			.exit_kind = LAST_SPAWN_ERROR,
			.exit_code = result->error});
}

static void not_spawned(struct supervisor *sv, uint32_t slot, enum pid_role role, int error)
{
	struct spawn_result result = {.step = STEP_FORK, .error = -error};

	nothing_runs(sv, slot, role, NULL, &result, is_shortage(error));
}

/* No free descriptor is sinit's own limit, or the system's: that of the service is set when
 * all its files are open. */
bool sv_is_shortage(const struct spawn_result *result)
{
	return result->error == EMFILE || result->error == ENFILE;
}

/* The child could not make itself what it was to be. */
static void spawn_failed(struct supervisor *sv, uint32_t slot, enum pid_role role,
    const char *command, const struct spawn_result *result)
{
	nothing_runs(sv, slot, role, command, result, sv_is_shortage(result));
}

/* A stop_command comes when pre_start may have left something behind, post_stop when
 * nothing of either is left. */
static unsigned session_index(const struct supervisor *sv, uint32_t slot, enum pid_role role)
{
	if (role == PID_MAIN)
		return 0;
	return sv->service[slot].m.aux == AUX_STOP_COMMAND ? 2 : 1;
}

static void note_process(struct supervisor *sv, uint32_t slot, enum pid_role role, pid_t pid)
{
	struct board_service *s = &sv->service[slot];
	unsigned which = role == PID_AUX;

	if (role == PID_RELOAD)
		return;
	sv->unit[slot].sid[session_index(sv, slot, role)] = pid;
	board_begin(s);
	if (which) {
		s->aux_pid = pid;
	} else {
		s->pid = pid;
		s->starts++;
		s->said = 0;
	}
	board_end(s);
}

/* Makes the process that `spawn` describes, whose words are in `room`. */
static int make_process(struct supervisor *sv, uint32_t slot, enum pid_role role,
    struct spawn_room *room, const struct spawn *spawn, struct spawn_result *ret)
{
	int rc = platform_spawn(sv->spawner, spawn, ret);

	if (rc < 0)
		return rc;
	if (ret->stillborn)
		sv->unit[slot].slice.killed = true;
	if (ret->pid > 0)
		pidmap_put(
		    &sv->pids, ret->pid, slot, ret->step && role != PID_PROBE ? PID_FAILED : role);
	if (ret->pending) {
		room->pid = ret->pid;
		sv->pendings++;
		sv->poll_at = sv->now;
		sv->poll_wait = PENDING_POLL / 2;
	}
	return 0;
}

static void set_slice(const struct supervisor *sv, uint32_t slot, struct spawn *spawn)
{
	const struct unit *u = &sv->unit[slot];

	spawn->in_slice = u->sliced;
	spawn->slice_fd = u->slice.fd;
	spawn->walks_in = u->slice.killed;
	spawn->may_oom = sv_slice_may_oom(sv);
}

/* In another slice, since it cannot be born in the one that is there, where nobody is: somebody
 * has removed that, or the life before has given its controllers away. */
static int make_anew(struct supervisor *sv, uint32_t slot, enum pid_role role,
    struct spawn_room *room, struct spawn *spawn, struct spawn_result *ret)
{
	int rc;

	sv_slice_leave(sv, slot);
	rc = sv_slice_enter(sv, slot);
	if (rc < 0)
		return rc;
	set_slice(sv, slot, spawn);
	return make_process(sv, slot, role, room, spawn, ret);
}

/* In the leaf, since the service has given the slice's controllers to cgroups of its own. */
static int make_in_leaf(struct supervisor *sv, uint32_t slot, enum pid_role role,
    struct spawn_room *room, struct spawn *spawn, struct spawn_result *ret)
{
	int leaf = slice_leaf(&sv->unit[slot].slice), rc;

	if (leaf < 0)
		return 0; /* the answer stays what it was */
	spawn->slice_fd = leaf;
	spawn->walks_in = false;
	rc = make_process(sv, slot, role, room, spawn, ret);
	slice_close_leaf(leaf); /* a child that moves itself has a copy */
	return rc;
}

/* The process that `spawn` describes, in the service's slice if it has one. */
static int make_in_slice(struct supervisor *sv, uint32_t slot, enum pid_role role,
    struct spawn_room *room, struct spawn *spawn, struct spawn_result *ret)
{
	int rc;

	set_slice(sv, slot, spawn);
	rc = make_process(sv, slot, role, room, spawn, ret);
	if (rc < 0 || ret->step != STEP_CGROUP || !sv->unit[slot].sliced)
		return rc;
	if (!sv_slice_signal(sv, slot, 0))
		return make_anew(sv, slot, role, room, spawn, ret);
	return ret->error == EBUSY ? make_in_leaf(sv, slot, role, room, spawn, ret) : rc;
}

void sv_spawn(struct supervisor *sv, uint32_t slot, enum pid_role role, ref command)
{
	struct unit *u = &sv->unit[slot];
	struct spawn_room *room = free_room(sv);
	struct spawn_result result = {0};
	struct spawn spawn;
	int rc = -EBUSY;

	if (room) {
		rc = sv_slice_enter(sv, slot);
		sv_fill_spawn(sv, u->life, command, role, room, &spawn);
		sv_capture_spawn(sv, slot, &spawn);
	}
	if (rc < 0 && room && !is_shortage(rc)) {
		result = (struct spawn_result){.step = STEP_CGROUP, .error = -rc};
		rc = 0;
	} else if (rc == 0) {
		rc = make_in_slice(sv, slot, role, room, &spawn, &result);
	}
	if (rc < 0) {
		not_spawned(sv, slot, role, rc);
		return;
	}
	if (result.step == STEP_CGROUP)
		u->limits_stale = true; /* another slice next time: this one may be gone */
	if (result.step) {
		spawn_failed(sv, slot, role, spawn.argv[0], &result);
		return;
	}
	note_process(sv, slot, role, result.pid);
	if (role == PID_RELOAD)
		return;
	if (result.pending)
		u->pending[role == PID_AUX] = true;
	else if (role == PID_MAIN)
		sv_deliver_kind(sv, slot, EVENT_SPAWNED, CAUSE_NONE);
}

int sv_spawn_check(struct supervisor *sv, uint32_t slot, const struct probe_settings *probe,
    const struct image_target *target, struct spawn_result *ret)
{
	struct spawn_room *room = free_room(sv);
	struct spawn spawn;

	if (!room)
		return -EBUSY;
	sv_fill_check(sv, slot, probe, target, room, &spawn);
	return make_in_slice(sv, slot, PID_PROBE, room, &spawn, ret);
}

static void leave(struct supervisor *sv, pid_t pid)
{
	for (unsigned i = 0; i < ARRAY_LEN(sv->room); i++) {
		if (sv->room[i].pid != pid)
			continue;
		sv->room[i].pid = 0;
		sv->pendings--;
	}
}

void sv_leave_room(struct supervisor *sv, pid_t pid)
{
	struct spawn_result result = {0};

	if (!sv->pendings)
		return;
	platform_spawn_poll(sv->spawner, pid, &result); /* gives its slot back */
	leave(sv, pid);
}

bool sv_pending_failed(
    struct supervisor *sv, uint32_t slot, unsigned which, pid_t pid, struct spawn_result *ret)
{
	*ret = (struct spawn_result){0};
	platform_spawn_poll(sv->spawner, pid, ret);
	sv->unit[slot].pending[which] = false;
	leave(sv, pid);
	return ret->step != STEP_NONE;
}

/* The exec of a main or aux process has come to its end. */
static void birth_ended(struct supervisor *sv, uint32_t slot, enum pid_role role, pid_t pid,
    const struct spawn_result *result)
{
	unsigned which = role == PID_AUX;

	sv->unit[slot].pending[which] = false;
	if (!result->step) {
		if (!which)
			sv_deliver_kind(sv, slot, EVENT_SPAWNED, CAUSE_NONE);
		return;
	}
	pidmap_put(&sv->pids, pid, slot, PID_FAILED);
	sv->unit[slot].sid[session_index(sv, slot, role)] = 0;
	board_begin(&sv->service[slot]);
	*(which ? &sv->service[slot].aux_pid : &sv->service[slot].pid) = 0;
	board_end(&sv->service[slot]);
	spawn_failed(sv, slot, role, NULL, result);
}

void supervisor_births(struct supervisor *sv)
{
	for (unsigned i = 0; i < ARRAY_LEN(sv->room) && sv->pendings; i++) {
		pid_t pid = sv->room[i].pid;
		const struct pid_entry *entry = pid ? pidmap_get(&sv->pids, pid) : NULL;
		struct spawn_result result = {0};
		enum pid_role role;
		uint32_t slot;

		if (!entry || platform_spawn_poll(sv->spawner, pid, &result) < 0 || result.pending)
			continue;
		slot = entry->slot;
		role = (enum pid_role)entry->role;
		leave(sv, pid);
		if (role == PID_MAIN || role == PID_AUX)
			birth_ended(sv, slot, role, pid, &result);
		else if (role == PID_PROBE && result.step)
			sv_check_failed(sv, slot, pid, result.error);
		else if (role == PID_RELOAD && result.step)
			spawn_failed(sv, slot, role, NULL, &result);
	}
}
