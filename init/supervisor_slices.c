/* Slices: each service that runs has one, with its limits; what happens to it there. */
#include "init/supervisor_internal.h"

#include "cgroup/tree.h"
#include "init/explain.h"
#include "init/log.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

enum {
	LOOK_AGAIN = 50,    /* ms between looks at a slice of which the kernel cannot tell */
	OOM_FRESH = 1000,   /* ms in which a death by KILL, or another kill, belongs to the same kill */
	OOM_SURVIVED = 250, /* ms after which a main process that lives has survived it */
};

static bool has_controller(const struct supervisor *sv, enum cgroup_controller controller)
{
	return sv->cgroups->enabled & 1u << controller;
}

static bool can_have_slices(const struct supervisor *sv)
{
	return sv->cgroups && sv->cgroups->root_fd >= 0;
}

bool sv_slice_may_oom(const struct supervisor *sv)
{
	return can_have_slices(sv) && has_controller(sv, CGROUP_MEMORY);
}

bool sv_slice_full(const struct supervisor *sv, uint32_t slot, int error)
{
	return error == -EAGAIN && sv->unit[slot].sliced && slice_full(&sv->unit[slot].slice);
}

/* --- limits ------------------------------------------------------------------------------ */

/* Once for each controller and start of sinit, not for each service. */
static void tell_controller(struct supervisor *sv, uint32_t slot, enum cgroup_limit limit)
{
	enum cgroup_controller controller = cgroup_limit_controller(limit);
	char buffer[512];
	struct text text;

	if (sv->controllers_told & 1u << controller)
		return;
	sv->controllers_told |= (uint8_t)(1u << controller);
	text_init(&text, buffer, sizeof(buffer));
	cgroup_tree_explain_controller(sv->cgroups, controller, &text);
	log_warning(sv->service[slot].name, "%s has no effect: %s", cgroup_limit_key(limit), text.data);
}

static void set_limit(struct supervisor *sv, uint32_t slot, enum cgroup_limit limit, const char *value)
{
	int rc;

	if (!has_controller(sv, cgroup_limit_controller(limit))) {
		tell_controller(sv, slot, limit);
		return;
	}
	rc = slice_limit(&sv->unit[slot].slice, limit, value);
	if (rc < 0)
		log_warning(sv->service[slot].name, "%s = %s has no effect: %s", cgroup_limit_key(limit),
		    value ? value : "", strerror(-rc));
}

static const char *limit_of(
    const struct supervisor *sv, struct place place, enum cgroup_limit limit)
{
	return image_cgroup(place_image(sv, place), place_settings(sv, place), limit);
}

/* How many have been killed in the slice. Where all are killed together, the kernel counts the
 * one that it had chosen twice. */
static uint64_t killed(const struct slice_memory *memory)
{
	return memory->oom_kill > memory->group ? memory->oom_kill - memory->group : 0;
}

/* `fresh`: the slice is new. Else it may have limits of older settings, and somebody in it whom a
 * life with kill_mode=process has left there: what is the same is not written, since that may
 * make the kernel reclaim memory. */
static void set_limits(struct supervisor *sv, uint32_t slot, bool fresh)
{
	struct unit *u = &sv->unit[slot];
	const struct service_settings *s = place_settings(sv, u->life);
	struct slice_memory memory = {0};

	for (unsigned i = 0; i < CGROUP_LIMITS; i++) {
		enum cgroup_limit limit = (enum cgroup_limit)i;
		const char *value = limit_of(sv, u->life, limit);

		if (value ? fresh || !slice_has_limit(&u->slice, limit, value)
			  : !fresh && has_controller(sv, cgroup_limit_controller(limit)) &&
				!slice_has_limit(&u->slice, limit, NULL))
			set_limit(sv, slot, limit, value);
	}
	if (!has_controller(sv, CGROUP_MEMORY))
		return;
	if (!fresh || s->oom_policy != OOM_IGNORE)
		slice_oom_group(&u->slice, s->oom_policy != OOM_IGNORE);
	if (!fresh) /* those of a new one are 0 */
		slice_memory(&u->slice, &memory);
	u->oom = memory.own_oom;
	u->oom_below = memory.oom;
	u->oom_kills = memory.oom_kill;
	u->killed = killed(&memory);
	u->high = memory.high;
	sv_warn_begin(sv, slot);
}

/* --- the slice itself ---------------------------------------------------------------------- */

static void set_flags(struct supervisor *sv, uint32_t slot, unsigned flags)
{
	board_begin(&sv->service[slot]);
	sv->service[slot].slice = (uint8_t)flags;
	board_end(&sv->service[slot]);
}

/* Some of this life were born when there was no slice to be had: then all stay together, and
 * signals, pause and limits mean all of them or none. */
static bool has_outsiders(const struct unit *u)
{
	unsigned i = 0;

	while (i < SUPERVISOR_SESSIONS && !u->sid[i])
		i++;
	return i < SUPERVISOR_SESSIONS;
}

/* Each slice takes a descriptor, and some must be left for everything else. */
static void tell_no_room(struct supervisor *sv, const char *name)
{
	if (sv->room_told)
		return;
	sv->room_told = true;
	log_warning(name, "runs without a cgroup and its limits, and so will others: sinit's limit of "
			  "open files allows for %u; raise it (ulimit -Hn, docker run --ulimit nofile=)",
	    (unsigned)sv->slices_max);
}

int sv_slice_enter(struct supervisor *sv, uint32_t slot)
{
	struct unit *u = &sv->unit[slot];
	const char *name = sv->service[slot].name;
	int rc;

	if (!can_have_slices(sv))
		return 0;
	if (u->sliced || has_outsiders(u))
		return 0;
	rc = sv->slices < sv->slices_max ? slice_open(sv->cgroups, name, &u->slice) : -EDQUOT;
	if (rc == -EDQUOT && !sv->cgroups_required) {
		tell_no_room(sv, name);
		return 0;
	}
	if (rc < 0) {
		if (sv->cgroups_required || rc == -EMFILE || rc == -ENFILE || rc == -ENOMEM)
			return rc;
		if (!u->slice_told)
			log_warning(name, "runs without limits: its cgroup %s/%s.service cannot be made: %s",
			    sv->cgroups->path, name, strerror(-rc));
		u->slice_told = true;
		return 0;
	}
	u->sliced = true;
	sv->slices++;
	u->limits_stale = u->slice_told = false;
	set_flags(sv, slot, SLICE_THERE);
	set_limits(sv, slot, !u->slice.killed);
	return 0;
}

void sv_slice_leave(struct supervisor *sv, uint32_t slot)
{
	struct unit *u = &sv->unit[slot];

	if (!u->sliced)
		return;
	sv_warn_end(sv, slot);
	/* Where somebody was left alone in it (kill_mode=process) it stays, and is found again. */
	slice_remove(sv->cgroups, sv->service[slot].name, &u->slice);
	u->sliced = false;
	u->changing = 0;
	u->change_again = false;
	sv->slices--;
	set_flags(sv, slot, 0);
}

void sv_slice_new_life(struct supervisor *sv, uint32_t slot)
{
	struct unit *u = &sv->unit[slot];

	u->oom_at = u->oom_due = 0;
	if (!u->sliced)
		return;
	slice_tidy(&u->slice);
	if (u->limits_stale)
		sv_slice_leave(sv, slot);
	else if (u->warned)
		sv_warn_begin(sv, slot);
}

void sv_slice_follow(struct supervisor *sv, uint32_t slot)
{
	const struct machine *m = &sv->service[slot].m;

	if (sv->unit[slot].sliced && machine_settled(m) && !machine_active(m))
		sv_slice_leave(sv, slot);
}

bool sv_slice_signal(struct supervisor *sv, uint32_t slot, int sig)
{
	struct unit *u = &sv->unit[slot];

	return u->sliced && slice_signal(&u->slice, sig) > 0;
}

bool sv_slice_left(struct supervisor *sv, uint32_t slot)
{
	struct unit *u = &sv->unit[slot];

	if (!sv_slice_signal(sv, slot, 0))
		return false;
	/* Once more: the last one may have gone before the kernel was asked to tell. */
	if (slice_watch(sv->cgroups, sv->service[slot].name, &u->slice))
		return sv_slice_signal(sv, slot, 0);
	if (u->slice.events_wd < 0) /* no watch to be had: it is looked at again */
		sv->slices_due = sooner(sv->slices_due, sv->now + LOOK_AGAIN);
	return true;
}

/* --- a reload ------------------------------------------------------------------------------- */

/* What a child is to write. It has a copy of everything, so pointers will do. */
struct change {
	const struct supervisor *sv;
	uint32_t slot;
};

static bool same_text(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

/* In a child: to lower a limit makes the kernel reclaim memory first, for as long as that
 * takes. Returns the exit code: how many could not be written. */
static int change_limits(void *context)
{
	const struct change *change = context;
	const struct supervisor *sv = change->sv;
	const struct unit *u = &sv->unit[change->slot];
	int failed = 0;

	for (unsigned i = 0; i < CGROUP_LIMITS; i++) {
		enum cgroup_limit limit = (enum cgroup_limit)i;
		const char *value = limit_of(sv, u->life, limit);

		if (has_controller(sv, cgroup_limit_controller(limit)) &&
		    !slice_has_limit(&u->slice, limit, value))
			failed += slice_limit(&u->slice, limit, value) < 0;
	}
	return failed;
}

/* In a child, too: sets the wire below what is in use, most of it cache. */
static int arm_wire(void *context)
{
	const struct change *change = context;
	const struct unit *u = &change->sv->unit[change->slot];

	return slice_high(&u->slice, u->warn) < 0;
}

/* One at a time for each service, since the last one is to win. */
static bool start_change(struct supervisor *sv, uint32_t slot, int (*what)(void *))
{
	struct unit *u = &sv->unit[slot];
	struct change change = {sv, slot};
	pid_t pid = u->changing ? -EBUSY : platform_fork(what, &change);

	if (pid <= 0)
		return false;
	pidmap_put(&sv->pids, pid, slot, PID_LIMITS);
	u->changing = pid;
	return true;
}

bool sv_slice_arm(struct supervisor *sv, uint32_t slot)
{
	return start_change(sv, slot, arm_wire);
}

static void change(struct supervisor *sv, uint32_t slot)
{
	struct unit *u = &sv->unit[slot];

	/* The wire, a value of memory.high, is written over. */
	sv_warn_forget(sv, slot);
	if (start_change(sv, slot, change_limits))
		return;
	u->change_again = u->changing;
	if (u->changing)
		return;
	u->limits_stale = true;
	log_warning(sv->service[slot].name, "its new limits hold from its next start on: no process "
					    "could be made to set them");
}

void sv_slice_changed(struct supervisor *sv, uint32_t slot, pid_t pid, bool well)
{
	struct unit *u = &sv->unit[slot];

	if (!u->sliced || pid != u->changing) /* it was for an earlier slice */
		return;
	u->changing = 0;
	if (u->change_again) {
		u->change_again = false;
		change(sv, slot);
		return;
	}
	u->limits_stale |= !well;
	if (!well)
		log_warning(sv->service[slot].name,
		    "not all of its new limits could be set; sinitctl restart sets them anew");
	sv_warn_begin(sv, slot);
}

static bool limits_differ(const struct supervisor *sv, struct place a, struct place b)
{
	for (unsigned i = 0; i < CGROUP_LIMITS; i++)
		if (!same_text(limit_of(sv, a, (enum cgroup_limit)i), limit_of(sv, b, (enum cgroup_limit)i)))
			return true;
	return false;
}

static bool warn_differs(const struct supervisor *sv, struct place a, struct place b)
{
	return !same_text(image_string(place_image(sv, a), place_settings(sv, a)->memory_warn),
	    image_string(place_image(sv, b), place_settings(sv, b)->memory_warn));
}

void sv_slice_settings(struct supervisor *sv, uint32_t slot, struct place from, struct place to)
{
	struct unit *u = &sv->unit[slot];

	if (!u->sliced)
		return;
	if (place_settings(sv, from)->oom_policy != place_settings(sv, to)->oom_policy)
		slice_oom_group(&u->slice, place_settings(sv, to)->oom_policy != OOM_IGNORE);
	for (unsigned i = 0; i < CGROUP_LIMITS; i++)
		if (limit_of(sv, to, (enum cgroup_limit)i) &&
		    !has_controller(sv, cgroup_limit_controller((enum cgroup_limit)i)))
			tell_controller(sv, slot, (enum cgroup_limit)i);
	if (limits_differ(sv, from, to)) {
		change(sv, slot);
	} else if (warn_differs(sv, from, to)) {
		sv_warn_end(sv, slot);
		sv_warn_begin(sv, slot);
	}
}

/* --- out of memory ---------------------------------------------------------------------------- */

static void tell_oom(struct supervisor *sv, uint32_t slot)
{
	const struct board_service *s = &sv->service[slot];
	struct board_event event = {.kind = EV_OOM,
	    .pid = s->pid,
	    .value = (uint32_t)(s->oom_used / 1024),
	    .detail = s->oom_limit == UINT64_MAX ? -1 : (int32_t)(s->oom_limit / 1024),
	    .blocker = -1};
	char buffer[256];
	struct text text;

	memcpy(event.name, s->name, sizeof(event.name));
	sv_event(sv, &event);
	sv_trouble(sv, slot);
	text_init(&text, buffer, sizeof(buffer));
	explain_event(&text, &event, NULL);
	if (sv_may_say(sv, slot))
		log_error(s->name, "%s", text.data);
}

/* The numbers may be read in the middle of a kill of all together: what follows without the
 * limit having been met again is more of the same. */
static void note_oom(struct supervisor *sv, uint32_t slot, const struct slice_memory *memory)
{
	struct board_service *s = &sv->service[slot];
	struct unit *u = &sv->unit[slot];
	bool own = memory->own_oom > u->oom, more = !own && u->oom_at && sv->now - u->oom_at < OOM_FRESH;
	const char *max = limit_of(sv, u->life, CGROUP_MEMORY_MAX);
	uint64_t peak = slice_memory_peak(&u->slice), kills = killed(memory);

	board_begin(s);
	if (kills > u->killed)
		s->total.oom_kills += (uint32_t)(kills - u->killed);
	if (!more) {
		s->oom_limit = own ? cgroup_size(max) : memory->oom > u->oom_below ? 0 : UINT64_MAX;
		/* What it had in use was the limit, if the kernel keeps no record of it. */
		s->oom_used = peak ? peak : own ? s->oom_limit : 1;
	}
	board_end(s);
	u->killed = kills > u->killed ? kills : u->killed;
	u->oom = memory->own_oom;
	u->oom_below = memory->oom;
	u->oom_kills = memory->oom_kill;
	u->oom_at = sv->now;
	if (!more)
		tell_oom(sv, slot);
}

bool sv_oom_killed(struct supervisor *sv, uint32_t slot)
{
	struct unit *u = &sv->unit[slot];
	struct slice_memory memory;

	if (!u->sliced || !has_controller(sv, CGROUP_MEMORY))
		return false;
	if (slice_memory(&u->slice, &memory) == 0 && memory.oom_kill > u->oom_kills)
		note_oom(sv, slot, &memory);
	return u->oom_at && sv->now - u->oom_at <= OOM_FRESH;
}

/* A worker may have been killed and the main process left: with oom_policy=ignore; on a kernel
 * that cannot kill all together; or the kernel is at it. Who is still there after a while is. */
void sv_memory_event(struct supervisor *sv, uint32_t slot)
{
	struct unit *u = &sv->unit[slot];
	struct slice_memory memory;

	if (slice_memory(&u->slice, &memory) < 0)
		return;
	if (memory.high > u->high) {
		u->high = memory.high;
		sv_warn_tripped(sv, slot);
	}
	if (memory.oom_kill <= u->oom_kills)
		return;
	note_oom(sv, slot, &memory);
	/* A limit that the service has set in its slice is its own business. */
	if (place_settings(sv, u->life)->oom_policy == OOM_IGNORE || sv->service[slot].oom_limit == 0)
		return;
	u->oom_due = sv->now + OOM_SURVIVED;
	sv->slices_due = sooner(sv->slices_due, u->oom_due);
}

/* Looks at those whose time has come. */
void sv_slices_due(struct supervisor *sv)
{
	if (!sv->slices_due || sv->slices_due > sv->now)
		return;
	sv->slices_due = 0;
	sv->recheck = true;
	for (uint32_t slot = 0; slot < sv->count; slot++) {
		struct unit *u = &sv->unit[slot];

		if (u->oom_due && u->oom_due <= sv->now) {
			u->oom_due = 0;
			sv_deliver_kind(sv, slot, EVENT_UNHEALTHY, CAUSE_OOM);
		}
		if (u->warn_at && u->warn_at <= sv->now)
			sv_warn_look(sv, slot);
		sv->slices_due = sooner(sv->slices_due, sooner(u->oom_due, u->warn_at));
	}
}

void supervisor_slice_event(struct supervisor *sv, int wd)
{
	sv->recheck = true;
	for (uint32_t slot = 0; slot < sv->count; slot++) {
		const struct unit *u = &sv->unit[slot];

		if (u->sliced && has_controller(sv, CGROUP_MEMORY) &&
		    (wd < 0 || u->slice.memory_wd == wd))
			sv_memory_event(sv, slot);
	}
}

/* --- pause -------------------------------------------------------------------------------------- */

void sv_thaw(struct supervisor *sv, uint32_t slot)
{
	struct unit *u = &sv->unit[slot];
	struct board_service *s = &sv->service[slot];

	if (!u->sliced || !(s->slice & SLICE_PAUSED))
		return;
	slice_freeze(&u->slice, false);
	set_flags(sv, slot, s->slice & ~(unsigned)SLICE_PAUSED);
	if (u->beat) /* it could not, meanwhile */
		u->beat = sv->now;
}

void sv_slice_unfreeze(struct supervisor *sv, uint32_t slot)
{
	if (sv->unit[slot].sliced)
		slice_freeze(&sv->unit[slot].slice, false);
}

int supervisor_pause(struct supervisor *sv, uint32_t slot, bool paused)
{
	struct unit *u = &sv->unit[slot];
	struct board_service *s = &sv->service[slot];
	int rc;

	if (s->m.state != STATE_RUNNING || !s->m.main_alive)
		return -ESRCH;
	if (!u->sliced)
		return -EOPNOTSUPP;
	if (!paused && !(s->slice & SLICE_PAUSED)) /* perhaps somebody else has frozen it */
		slice_freeze(&u->slice, false);
	if (paused == !!(s->slice & SLICE_PAUSED))
		return -EALREADY;
	if (paused) {
		rc = slice_freeze(&u->slice, true);
		if (rc < 0)
			return rc;
		set_flags(sv, slot, s->slice | SLICE_PAUSED);
	} else {
		sv_thaw(sv, slot);
	}
	log_info(s->name, paused ? "paused" : "resumed");
	sv_probes_follow(sv, slot);
	sv_recovery(sv, slot);
	sv_touch(sv, slot, !paused);
	return 0;
}

/* --- measuring ------------------------------------------------------------------------------------ */

bool supervisor_measuring(const struct supervisor *sv)
{
	return sv->measuring;
}

bool supervisor_measure(struct supervisor *sv)
{
	int64_t last = atomic_load_explicit(&sv->board.head->measured, memory_order_relaxed);

	if (!can_have_slices(sv) || (last && sv->now - last < SUPERVISOR_MEASURE_AGE))
		return true;
	if (!sv->measuring)
		sv->measure_next = 0;
	sv->measuring = true;
	return false;
}

static void measure_one(struct supervisor *sv, uint32_t slot)
{
	struct board_service *s = &sv->service[slot];
	struct board_reading reading = {.time = sv->now};

	/* Where the kernel cannot tell of it (no watches left), it is seen now. */
	if (has_controller(sv, CGROUP_MEMORY) && sv->unit[slot].slice.memory_wd < 0)
		sv_memory_event(sv, slot);
	slice_read(&sv->unit[slot].slice, &reading);
	board_begin(s);
	if (board_write_reading(&sv->board, slot, &reading) == 0)
		s->slice |= SLICE_MEASURED;
	board_end(s);
}

void sv_measure_some(struct supervisor *sv)
{
	uint32_t left = SUPERVISOR_MEASURES;

	if (!sv->measuring)
		return;
	for (; sv->measure_next < sv->count && left; sv->measure_next++)
		if (sv->unit[sv->measure_next].sliced) {
			measure_one(sv, sv->measure_next);
			left--;
		}
	if (sv->measure_next < sv->count)
		return;
	sv->measuring = false;
	atomic_store(&sv->board.head->measured, sv->now);
}
