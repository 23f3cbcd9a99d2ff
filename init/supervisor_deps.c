/* What services mean to each other: who may start, who must wait, who goes first. */
#include "init/supervisor_internal.h"

#include "init/log.h"

/* Whether a service that is only wanted, or only came first in order, has had its chance. */
static bool had_its_chance(const struct supervisor *sv, uint32_t slot, bool wanted)
{
	const struct machine *m = &sv->service[slot].m;

	if (m->ready || machine_settled(m))
		return true;
	if (m->want == WANT_DOWN)
		return !sv->unit[slot].renew;
	/* One that would be tried for ever has failed for our purpose once it has failed. */
	if (wanted && supervisor_settings(sv, slot)->max_restarts != UINT32_MAX)
		return false;
	return m->state == STATE_BACKOFF || m->failures > 0 || m->cause == CAUSE_RESOURCES;
}

/* What the required service `slot` means to a dependent. One that ended well by itself is
 * no loss to a dependent that runs, but there is nothing that another could wait for. One
 * that is down for what it requires itself, or has to go down for that, is as good as told
 * to stop: its own dependents go first. */
static enum deps required(const struct supervisor *sv, uint32_t slot, bool running)
{
	const struct machine *m = &sv->service[slot].m;

	if (m->state == STATE_FAILED || m->state == STATE_FATAL)
		return DEPS_FAILED;
	if (m->state == STATE_STOPPED && m->want == WANT_UP && m->life > 0)
		return running ? DEPS_WAIT : DEPS_FAILED;
	if (m->want == WANT_DOWN)
		return sv->unit[slot].renew ? DEPS_WAIT : DEPS_DOWN;
	/* One that is paused answers nobody who is still to begin. */
	if (m->ready)
		return !running && sv->service[slot].slice & SLICE_PAUSED ? DEPS_WAIT : DEPS_READY;
	return m->deps == DEPS_DOWN || m->deps == DEPS_FAILED ? DEPS_DOWN : DEPS_WAIT;
}

/* From the mildest to the one that outweighs the others. */
static bool outweighs(enum deps a, enum deps b)
{
	static const uint8_t weight[] = {
	    [DEPS_READY] = 0, [DEPS_WAIT] = 1, [DEPS_DOWN] = 2, [DEPS_FAILED] = 3};

	return weight[a] > weight[b];
}

enum deps sv_dependencies(const struct supervisor *sv, uint32_t slot, int32_t *ret_blocker)
{
	struct place place = sv->unit[slot].graph;
	const struct image *image = place_image(sv, place);
	const struct service_settings *settings = place_settings(sv, place);
	const struct image_list *list = image_list(image, settings->requires);
	bool running = sv->service[slot].m.main_alive;
	enum deps result = DEPS_READY;

	*ret_blocker = -1;
	for (uint32_t i = 0; i < list->count && result != DEPS_FAILED; i++) {
		uint32_t other = sv_slot(sv, place, list, i);
		enum deps deps =
		    other == SUPERVISOR_NONE ? DEPS_READY : required(sv, other, running);

		if (!outweighs(deps, result))
			continue;
		result = deps;
		*ret_blocker = (int32_t)other;
	}
	for (unsigned wanted = 0; wanted < 2 && result == DEPS_READY; wanted++) {
		list = image_list(image, wanted ? settings->wants : settings->order_after);
		for (uint32_t i = 0; i < list->count && result == DEPS_READY; i++) {
			uint32_t other = sv_slot(sv, place, list, i);

			if (other == SUPERVISOR_NONE || had_its_chance(sv, other, wanted))
				continue;
			result = DEPS_WAIT;
			*ret_blocker = (int32_t)other;
		}
	}
	if (result == DEPS_READY && !sv_devices_there(sv, slot))
		result = DEPS_WAIT;
	return result;
}

static void mark_dependents(struct supervisor *sv, uint32_t slot)
{
	struct place place = sv->unit[slot].graph;
	const struct image_list *list =
	    image_list(place_image(sv, place), place_settings(sv, place)->dependents);

	for (uint32_t i = 0; i < list->count; i++) {
		uint32_t other = sv_slot(sv, place, list, i);

		if (other != SUPERVISOR_NONE)
			ranks_add(&sv->dirty, sv->unit[other].rank);
	}
}

/* restart_with: those which were started before this life began are restarted. A life that
 * such a restart brought about counts as begun when the first one of the chain did, so that
 * services that name each other do not restart each other for ever. */
static void restart_others(struct supervisor *sv, uint32_t slot)
{
	struct place place = sv->unit[slot].graph;
	const struct image_list *list =
	    image_list(place_image(sv, place), place_settings(sv, place)->restarts);
	const struct machine *m = &sv->service[slot].m;
	int64_t wave = m->cause == CAUSE_RESTART_WITH ? sv->unit[slot].wave : m->started;

	if (m->life < 2 || sv->stopping)
		return;
	for (uint32_t i = 0; i < list->count; i++) {
		uint32_t other = sv_slot(sv, place, list, i);
		const struct machine *o;

		if (other == SUPERVISOR_NONE)
			continue;
		o = &sv->service[other].m;
		if (o->want != WANT_UP || !o->started || o->started >= wave ||
		    (o->state != STATE_RUNNING && o->state != STATE_STARTING))
			continue;
		sv->unit[other].wave = wave;
		sv_deliver_kind(sv, other, EVENT_RESTART, CAUSE_RESTART_WITH);
	}
}

void sv_touch(struct supervisor *sv, uint32_t slot, bool became_ready)
{
	sv->rehold = true;
	mark_dependents(sv, slot);
	if (sv->service[slot].m.state == STATE_WAITING)
		ranks_add(&sv->dirty, sv->unit[slot].rank);
	if (became_ready)
		restart_others(sv, slot);
}

/* A stop is held while a dependent is on its way down. One that stays up (it only wants
 * this service, or was started in spite of it) holds nothing up. */
static bool is_held(const struct supervisor *sv, uint32_t slot)
{
	struct place place = sv->unit[slot].graph;
	const struct image_list *list =
	    image_list(place_image(sv, place), place_settings(sv, place)->dependents);

	for (uint32_t i = 0; i < list->count; i++) {
		uint32_t other = sv_slot(sv, place, list, i);
		const struct machine *m;

		if (other == SUPERVISOR_NONE)
			continue;
		m = &sv->service[other].m;
		if (machine_active(m) && (m->state == STATE_STOPPING || m->state == STATE_CLEANUP ||
					     m->want == WANT_DOWN))
			return true;
	}
	return false;
}

static void release(struct supervisor *sv)
{
	sv->rehold = false;
	for (uint32_t rank = ranks_previous(&sv->hold, sv->count); rank != RANKS_END;
	     rank = ranks_previous(&sv->hold, rank)) {
		uint32_t slot = sv->order[rank];
		const struct machine *m = &sv->service[slot].m;

		if (m->state == STATE_STOPPING && m->holding && is_held(sv, slot))
			continue;
		ranks_remove(&sv->hold, rank);
		sv_deliver_kind(sv, slot, EVENT_RELEASED, CAUSE_NONE);
	}
}

static bool is_empty(struct supervisor *sv, uint32_t slot)
{
	bool left = sv_slice_left(sv, slot);

	for (unsigned i = 0; i < SUPERVISOR_SESSIONS; i++)
		left |= sv_session_left(sv, slot, i);
	return !left;
}

static void check_empty(struct supervisor *sv)
{
	sv->recheck = false;
	for (uint32_t rank = ranks_next(&sv->check, 0); rank != RANKS_END;
	     rank = ranks_next(&sv->check, rank + 1)) {
		uint32_t slot = sv->order[rank];
		const struct machine *m = &sv->service[slot].m;

		if (m->state == STATE_CLEANUP && !m->aux && !is_empty(sv, slot))
			continue;
		ranks_remove(&sv->check, rank);
		sv_deliver_kind(sv, slot, EVENT_EMPTY, CAUSE_NONE);
	}
}

/* Whom it waits for in the end, and whether that one is to stay down. */
static void note_blocker(struct supervisor *sv, uint32_t slot, int32_t blocker)
{
	struct board_service *s = &sv->service[slot];
	const struct board_service *other = blocker >= 0 ? &sv->service[blocker] : NULL;
	bool held = false;

	if (other && other->m.state == STATE_WAITING && other->held) {
		blocker = other->blocker;
		held = true;
	} else if (other) {
		held = other->m.want == WANT_DOWN && other->m.state == STATE_STOPPED;
	}
	if (blocker == s->blocker && held == s->held)
		return;
	sv->helds += (uint32_t)held - (uint32_t)s->held;
	board_begin(s);
	s->blocker = blocker;
	s->held = held;
	board_end(s);
	if (s->m.state == STATE_WAITING)
		mark_dependents(sv, slot);
}

static void settle_dependencies(struct supervisor *sv)
{
	for (uint32_t rank = ranks_next(&sv->dirty, 0); rank != RANKS_END && sv->starts;
	     rank = ranks_next(&sv->dirty, rank + 1)) {
		uint32_t slot = sv->order[rank];
		const struct machine *m = &sv->service[slot].m;
		int32_t blocker;
		enum deps deps = sv_dependencies(sv, slot, &blocker);

		ranks_remove(&sv->dirty, rank);
		note_blocker(sv, slot, blocker);
		sv_devices_note(sv, slot, deps == DEPS_WAIT && blocker < 0);
		if (deps != m->deps || m->state == STATE_WAITING)
			sv_deliver(
			    sv, slot, &(struct machine_event){.kind = EVENT_DEPS, .deps = deps});
	}
}

/* The exec that tied it to the old image is over: it moves to the new one, which says the
 * same. True while it is not. */
static bool still_lags(struct supervisor *sv, uint32_t slot)
{
	struct unit *u = &sv->unit[slot];

	u->lagging = u->pending[0] || u->pending[1];
	if (!u->lagging)
		sv_take_settings(sv, slot, u->graph);
	return u->lagging;
}

/* Those that were removed or changed by a reload and are down now. */
static void finish_reload(struct supervisor *sv)
{
	sv->reloading = false;
	sv_tell_prober(sv);
	for (uint32_t slot = 0; slot < sv->count; slot++) {
		struct unit *u = &sv->unit[slot];
		struct board_service *s = &sv->service[slot];

		if (!s->used)
			continue;
		if (!u->removed && !u->renew) {
			if (u->lagging && still_lags(sv, slot))
				sv->reloading = true;
			continue;
		}
		/* Nor is it forgotten before the prober has let go of it. */
		if (machine_active(&s->m) || (u->removed && u->told)) {
			sv->reloading = true;
			continue;
		}
		if (u->removed) {
			sv_free_slot(sv, slot);
			continue;
		}
		u->renew = false;
		sv_take_settings(sv, slot, u->graph);
		if (u->again && !s->by_hand && !place_settings(sv, u->graph)->broken)
			sv_want_up(sv, slot, CAUSE_RELOAD);
		/* Who waits for it has not been told yet if it stays down. */
		sv_touch(sv, slot, false);
	}
	sv_sweep_sets(sv);
}

void supervisor_settle(struct supervisor *sv)
{
	if (sv->reloading)
		finish_reload(sv);
	while (sv->starts) {
		if (sv->check.count && sv->recheck)
			check_empty(sv);
		else if (sv->dirty.count) /* before holds: it tells dependents to go */
			settle_dependencies(sv);
		else if (sv->hold.count && sv->rehold)
			release(sv);
		else
			break;
		if (sv->reloading)
			finish_reload(sv);
	}
	sv_emergency(sv);
	sv_tell_prober(sv);
	sv_measure_some(sv);
}
