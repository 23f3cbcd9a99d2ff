/* memory_warn: an event before a service reaches its limit.
 *
 * cgroup v2 has no notification at a threshold of one's own. What it has is memory.high: when
 * it is passed, memory.events changes. So memory.high is a trip wire, set to memory_warn. What
 * passes it may be no more than cache: the kernel drops that, as it would at the limit, and the
 * wire stays. If more is needed than that, an event tells, and the wire is taken away so that
 * the service is not slowed down; it is looked at now and then until it needs less again.
 * Where it needs less, nothing is polled. */
#include "init/supervisor_internal.h"

#include "cgroup/tree.h"
#include "init/log.h"

enum {
	AGAIN = 30000, /* ms between looks after an event, or where the wire could not be set */
	AGAIN_TRIPPED = 100, /* ms between looks while the kernel drops cache at the wire */
};

/* memory.high as configured, beside the wire. */
static uint64_t own_high(const struct supervisor *sv, uint32_t slot)
{
	return cgroup_size(sv_limit(sv, sv->unit[slot].life, CGROUP_MEMORY_HIGH));
}

/* memory_warn in bytes, 0: there is none. */
static uint64_t threshold(const struct supervisor *sv, uint32_t slot)
{
	struct place place = sv->unit[slot].life;
	const char *value =
	    image_string(place_image(sv, place), place_settings(sv, place)->memory_warn);
	uint64_t bytes;

	if (!value || cgroup_warn_value(
			  value, cgroup_size(sv_limit(sv, place, CGROUP_MEMORY_MAX)), &bytes) < 0)
		return 0;
	return bytes;
}

static void look_again(struct supervisor *sv, struct unit *u, int64_t after)
{
	u->warn_at = sv->now + after;
	sv->slices_due = sooner(sv->slices_due, u->warn_at);
}

static void set_wire(struct supervisor *sv, uint32_t slot, bool set)
{
	struct unit *u = &sv->unit[slot];

	slice_high(&u->slice, set ? u->warn : own_high(sv, slot));
	u->wire = set;
}

static void warn(struct supervisor *sv, uint32_t slot, uint64_t needed)
{
	struct unit *u = &sv->unit[slot];
	struct board_event event = {.kind = EV_MEMORY,
	    .value = (uint32_t)(needed / 1024),
	    .detail = (int32_t)(u->warn / 1024)};

	u->warned = true;
	sv_memory_tell(sv, slot, &event, log_warning);
}

static void arm(struct supervisor *sv, uint32_t slot)
{
	struct unit *u = &sv->unit[slot];

	if (u->wire)
		return;
	if (slice_high_is(&u->slice, u->warn))
		u->wire = true;
	else if (u->slice.memory_wd >= 0 && slice_memory_used(&u->slice) < u->warn)
		set_wire(sv, slot, true);
	else if (u->slice.memory_wd >= 0 && sv_slice_arm(sv, slot))
		u->wire = true; /* or will be, when the child has done it */
	else
		/* Without a watch nobody would tell that it was passed, nor take it away. */
		look_again(sv, u, AGAIN);
}

void sv_warn_look(struct supervisor *sv, uint32_t slot)
{
	struct unit *u = &sv->unit[slot];
	uint64_t needed = slice_memory_needed(&u->slice);

	u->warn_at = 0;
	u->warn_seen = sv->now;
	if (needed >= u->warn) {
		if (u->wire)
			set_wire(sv, slot, false);
		if (!u->warned)
			warn(sv, slot, needed);
	} else if (needed < u->warn - u->warn / 10) {
		u->warned = false;
	}
	if (u->warned)
		look_again(sv, u, AGAIN);
	else
		arm(sv, slot);
}

void sv_warn_begin(struct supervisor *sv, uint32_t slot)
{
	struct unit *u = &sv->unit[slot];

	u->warn = sv_has_controller(sv, CGROUP_MEMORY) ? threshold(sv, slot) : 0;
	if (u->warn)
		sv_warn_look(sv, slot);
	else
		u->warned = false;
}

void sv_warn_forget(struct supervisor *sv, uint32_t slot)
{
	struct unit *u = &sv->unit[slot];

	u->wire = false;
	u->warn = 0;
	u->warn_at = 0;
}

void sv_warn_unset(struct supervisor *sv, uint32_t slot)
{
	if (sv_has_controller(sv, CGROUP_MEMORY))
		set_wire(sv, slot, false);
}

void sv_warn_end(struct supervisor *sv, uint32_t slot)
{
	if (sv->unit[slot].wire)
		set_wire(sv, slot, false);
	sv_warn_forget(sv, slot);
	sv->unit[slot].warned = false;
}

/* The kernel tells each time that cache is dropped, up to a hundred times a second. */
void sv_warn_tripped(struct supervisor *sv, uint32_t slot)
{
	struct unit *u = &sv->unit[slot];

	if (!u->wire)
		return;
	if (sv->now - u->warn_seen < AGAIN_TRIPPED)
		look_again(sv, u, AGAIN_TRIPPED);
	else
		sv_warn_look(sv, slot);
}
