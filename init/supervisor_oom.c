/* Kills for memory in a service's slice, and who is told of them. */
#include "init/supervisor_internal.h"

#include "cgroup/tree.h"
#include "init/explain.h"
#include "init/log.h"

#include <string.h>

enum {
	OOM_FRESH = 1000,   /* ms in which a death by KILL, or another kill, is of the same kill */
	OOM_SURVIVED = 250, /* ms after which a main process that lives has survived it */
};

/* How many have been killed in the slice. Where all are killed together, the kernel counts the
 * one that it had chosen twice. */
static uint64_t killed(const struct slice_memory *memory)
{
	return memory->oom_kill > memory->group ? memory->oom_kill - memory->group : 0;
}

void sv_oom_begin(struct supervisor *sv, uint32_t slot, bool fresh)
{
	struct unit *u = &sv->unit[slot];
	struct slice_memory memory = {0};

	if (!fresh) /* those of a new one are 0 */
		slice_memory(&u->slice, &memory);
	u->oom = memory.own_oom;
	u->oom_below = memory.oom;
	u->oom_kills = memory.oom_kill;
	u->killed = killed(&memory);
	u->high = memory.high;
}

void sv_memory_tell(struct supervisor *sv, uint32_t slot, struct board_event *event,
    void (*log)(const char *service, const char *format, ...))
{
	const struct board_service *s = &sv->service[slot];
	char buffer[256];
	struct text text;

	event->pid = s->pid;
	event->blocker = -1;
	memcpy(event->name, s->name, sizeof(event->name));
	sv_event(sv, event);
	text_init(&text, buffer, sizeof(buffer));
	explain_event(&text, event, NULL);
	if (sv_may_say(sv, slot))
		log(s->name, "%s", text.data);
}

static void tell_oom(struct supervisor *sv, uint32_t slot)
{
	const struct board_service *s = &sv->service[slot];
	struct board_event event = {.kind = EV_OOM,
	    .value = (uint32_t)(s->oom_used / 1024),
	    .detail = s->oom_limit == UINT64_MAX ? -1 : (int32_t)(s->oom_limit / 1024)};

	sv_memory_tell(sv, slot, &event, log_error);
	sv_trouble(sv, slot);
}

/* The numbers may be read in the middle of a kill of all together: what follows without the
 * limit having been met again is more of the same, in the next life, too. Returns whether it is a
 * kill of its own, and was told. */
static bool note_oom(struct supervisor *sv, uint32_t slot, const struct slice_memory *memory)
{
	struct board_service *s = &sv->service[slot];
	struct unit *u = &sv->unit[slot];
	bool own = memory->own_oom > u->oom;
	bool more = !own && u->oom_told && sv->now - u->oom_told < OOM_FRESH;
	const char *max = sv_limit(sv, u->life, CGROUP_MEMORY_MAX);
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
	u->oom_at = u->oom_told = sv->now;
	if (!more)
		tell_oom(sv, slot);
	return !more;
}

bool sv_oom_killed(struct supervisor *sv, uint32_t slot)
{
	struct unit *u = &sv->unit[slot];
	struct slice_memory memory;

	if (!u->sliced || !sv_has_controller(sv, CGROUP_MEMORY))
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
	bool in_this_life = u->oom_at;
	struct slice_memory memory;

	if (slice_memory(&u->slice, &memory) < 0)
		return;
	if (memory.high > u->high) {
		u->high = memory.high;
		sv_warn_tripped(sv, slot);
	}
	if (memory.oom_kill <= u->oom_kills)
		return;
	if (!note_oom(sv, slot, &memory) && !in_this_life)
		return;
	/* A limit that the service has set in its slice is its own business. */
	if (place_settings(sv, u->life)->oom_policy == OOM_IGNORE ||
	    sv->service[slot].oom_limit == 0)
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

		if (u->sliced && sv_has_controller(sv, CGROUP_MEMORY) &&
		    (wd < 0 || u->slice.memory_wd == wd))
			sv_memory_event(sv, slot);
	}
}
