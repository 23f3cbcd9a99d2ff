/* Slices: each service that runs has one, with its limits; what happens to it there. */
#include "init/supervisor_internal.h"

#include "cgroup/tree.h"
#include "init/log.h"

#include <errno.h>
#include <string.h>

enum { LOOK_AGAIN = 50 }; /* ms between looks at a slice of which the kernel cannot tell */

bool sv_slice_may_oom(const struct supervisor *sv)
{
	return sv_can_have_slices(sv) && sv_has_controller(sv, CGROUP_MEMORY);
}

bool sv_slice_frozen(const struct supervisor *sv, uint32_t slot)
{
	return sv->unit[slot].sliced && slice_frozen(&sv->unit[slot].slice);
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
	log_warning(
	    sv->service[slot].name, "%s has no effect: %s", cgroup_limit_key(limit), text.data);
}

static void set_limit(
    struct supervisor *sv, uint32_t slot, enum cgroup_limit limit, const char *value)
{
	int rc;

	if (!sv_has_controller(sv, cgroup_limit_controller(limit))) {
		tell_controller(sv, slot, limit);
		return;
	}
	rc = slice_limit(&sv->unit[slot].slice, limit, value);
	if (rc < 0)
		log_warning(sv->service[slot].name, "%s = %s has no effect: %s",
		    cgroup_limit_key(limit), value ? value : "", strerror(-rc));
}

/* `fresh`: the slice is new. Else it may have limits of older settings; and where it is `used` by
 * those whom a life with kill_mode=process has left there, change() sets them, as those of a
 * service that runs. */
static void set_limits(struct supervisor *sv, uint32_t slot, bool fresh, bool used)
{
	struct unit *u = &sv->unit[slot];
	const struct service_settings *s = place_settings(sv, u->life);

	for (unsigned i = 0; i < CGROUP_LIMITS && !used; i++) {
		enum cgroup_limit limit = (enum cgroup_limit)i;
		const char *value = sv_limit(sv, u->life, limit);

		if (value ? fresh || !slice_has_limit(&u->slice, limit, value)
			  : !fresh && sv_has_controller(sv, cgroup_limit_controller(limit)) &&
				!slice_has_limit(&u->slice, limit, NULL))
			set_limit(sv, slot, limit, value);
	}
	if (!sv_has_controller(sv, CGROUP_MEMORY))
		return;
	if (!fresh || s->oom_policy != OOM_IGNORE)
		slice_oom_group(&u->slice, s->oom_policy != OOM_IGNORE);
	sv_oom_begin(sv, slot, fresh);
	if (!used)
		sv_warn_begin(sv, slot);
}

/* --- the slice itself ---------------------------------------------------------------------- */

void sv_slice_flags(struct supervisor *sv, uint32_t slot, unsigned flags)
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
	log_warning(name,
	    "runs without a cgroup and its limits, and so will others: sinit's limit of "
	    "open files allows for %u; raise it (ulimit -Hn, docker run --ulimit nofile=)",
	    (unsigned)sv->slices_max);
}

/* Once: the limit is the machine's (fs.inotify.max_user_watches). */
static void tell_no_watch(struct supervisor *sv, uint32_t slot)
{
	if (sv->watch_told || !sv_has_controller(sv, CGROUP_MEMORY) ||
	    sv->unit[slot].slice.memory_wd >= 0)
		return;
	sv->watch_told = true;
	log_warning(sv->service[slot].name,
	    "the kernel has no watch to give (fs.inotify.max_user_watches): kills for memory of "
	    "workers are told late, and memory_warn is looked at every 30s only");
}

static void change(struct supervisor *sv, uint32_t slot);

int sv_slice_enter(struct supervisor *sv, uint32_t slot)
{
	struct unit *u = &sv->unit[slot];
	const char *name = sv->service[slot].name;
	/* The shell of last resort comes without one, too. */
	bool required = sv->cgroups_required && slot != sv->emergency, used;
	int rc;

	if (!sv_can_have_slices(sv))
		return 0;
	if (u->sliced || has_outsiders(u))
		return 0;
	rc = sv->slices < sv->slices_max ? slice_open(sv->cgroups, name, &u->slice) : -EDQUOT;
	if (rc == -EDQUOT && !required) {
		tell_no_room(sv, name);
		return 0;
	}
	if (rc < 0) {
		if (required || rc == -EMFILE || rc == -ENFILE || rc == -ENOMEM)
			return rc;
		if (!u->slice_told)
			log_warning(name,
			    "runs without limits: its cgroup %s/%s.service cannot be made: %s",
			    sv->cgroups->path, name, strerror(-rc));
		u->slice_told = true;
		return 0;
	}
	u->sliced = true;
	sv->slices++;
	u->limits_stale = u->slice_told = false;
	sv_slice_flags(sv, slot, SLICE_THERE);
	tell_no_watch(sv, slot);
	used = u->slice.killed && sv_slice_signal(sv, slot, 0);
	set_limits(sv, slot, !u->slice.killed, used);
	if (used)
		change(sv, slot);
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
	sv_slice_flags(sv, slot, 0);
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

	return u->sliced && slice_signal(&u->slice, sig);
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

	cgroup_tree_forget(sv->cgroups);
	for (unsigned i = 0; i < CGROUP_LIMITS; i++) {
		enum cgroup_limit limit = (enum cgroup_limit)i;
		const char *value = sv_limit(sv, u->life, limit);

		if (sv_has_controller(sv, cgroup_limit_controller(limit)) &&
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

	cgroup_tree_forget(change->sv->cgroups);
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
	sv_warn_unset(sv, slot);
	u->limits_stale = true;
	log_warning(sv->service[slot].name,
	    "its new limits hold from its next start on: no process could be made to set them");
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
	/* What the child has set may no longer be wanted. */
	if (!u->wire)
		sv_warn_unset(sv, slot);
	sv_warn_begin(sv, slot);
}

static bool limits_differ(const struct supervisor *sv, struct place a, struct place b)
{
	for (unsigned i = 0; i < CGROUP_LIMITS; i++)
		if (!same_text(sv_limit(sv, a, (enum cgroup_limit)i),
			sv_limit(sv, b, (enum cgroup_limit)i)))
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
		if (sv_limit(sv, to, (enum cgroup_limit)i) &&
		    !sv_has_controller(sv, cgroup_limit_controller((enum cgroup_limit)i)))
			tell_controller(sv, slot, (enum cgroup_limit)i);
	if (limits_differ(sv, from, to)) {
		change(sv, slot);
	} else if (warn_differs(sv, from, to)) {
		sv_warn_end(sv, slot);
		sv_warn_begin(sv, slot);
	}
}
