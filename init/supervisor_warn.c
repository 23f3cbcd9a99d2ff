/* memory_warn: an event before a service reaches its limit.
 *
 * cgroup v2 has no notification at a threshold of one's own. What it has is memory.high: when
 * it is passed, memory.events changes. So memory.high is a trip wire: set to memory_warn, and
 * taken away as soon as it is passed, so that the service is not slowed down for long. What
 * passes it may be no more than cache, which the kernel drops by itself: then, and after an
 * event, the wire is set again in a while, when there is room below it (set above what is in
 * use, it would make the kernel reclaim, and PID 1 wait for that). Nothing is polled as long
 * as a service stays below. */
#include "init/supervisor_internal.h"

#include "cgroup/tree.h"
#include "init/explain.h"
#include "init/log.h"

#include <string.h>

enum {
	AGAIN_CACHE = 5000,   /* ms until the next look when only cache was above */
	AGAIN_WARNED = 30000, /* ms between looks after an event */
};

static const char *setting(const struct supervisor *sv, uint32_t slot, enum cgroup_limit limit)
{
	struct place place = sv->unit[slot].life;

	return image_cgroup(place_image(sv, place), place_settings(sv, place), limit);
}

/* memory.high as configured, beside the wire. */
static uint64_t own_high(const struct supervisor *sv, uint32_t slot)
{
	return cgroup_size(setting(sv, slot, CGROUP_MEMORY_HIGH));
}

/* memory_warn in bytes, 0: there is none. */
static uint64_t threshold(const struct supervisor *sv, uint32_t slot)
{
	struct place place = sv->unit[slot].life;
	const char *value =
	    image_string(place_image(sv, place), place_settings(sv, place)->memory_warn);
	uint64_t bytes;

	if (!value ||
	    cgroup_warn_value(value, cgroup_size(setting(sv, slot, CGROUP_MEMORY_MAX)), &bytes) < 0)
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
	struct board_service *s = &sv->service[slot];
	struct unit *u = &sv->unit[slot];
	struct board_event event = {.kind = EV_MEMORY,
	    .pid = s->pid,
	    .blocker = -1,
	    .value = (uint32_t)(needed / 1024),
	    .detail = (int32_t)(u->warn / 1024)};
	char buffer[128];
	struct text text;

	u->warned = true;
	memcpy(event.name, s->name, sizeof(event.name));
	sv_event(sv, &event);
	text_init(&text, buffer, sizeof(buffer));
	explain_event(&text, &event, NULL);
	if (sv_may_say(sv, slot))
		log_warning(s->name, "%s", text.data);
}

/* A look at what it needs: warn, wait, or set the wire. */
void sv_warn_look(struct supervisor *sv, uint32_t slot)
{
	struct unit *u = &sv->unit[slot];
	uint64_t needed = slice_memory_needed(&u->slice);

	u->warn_at = 0;
	if (needed >= u->warn) {
		if (!u->warned)
			warn(sv, slot, needed);
	} else if (needed < u->warn - u->warn / 10) {
		u->warned = false;
	}
	/* Without a watch nobody would tell that it was passed. */
	if (!u->warned && u->slice.memory_wd >= 0 && slice_memory_used(&u->slice) < u->warn)
		set_wire(sv, slot, true);
	else
		look_again(sv, u, u->warned ? AGAIN_WARNED : AGAIN_CACHE);
}

void sv_warn_begin(struct supervisor *sv, uint32_t slot)
{
	struct unit *u = &sv->unit[slot];

	u->warned = false;
	u->warn = sv->cgroups->enabled & 1u << CGROUP_MEMORY ? threshold(sv, slot) : 0;
	if (u->warn)
		sv_warn_look(sv, slot);
}

void sv_warn_end(struct supervisor *sv, uint32_t slot)
{
	struct unit *u = &sv->unit[slot];

	if (u->wire)
		set_wire(sv, slot, false);
	u->warned = false;
	u->warn = 0;
	u->warn_at = 0;
}

void sv_warn_tripped(struct supervisor *sv, uint32_t slot)
{
	struct unit *u = &sv->unit[slot];

	if (!u->wire)
		return;
	set_wire(sv, slot, false);
	sv_warn_look(sv, slot);
}
