/* The configurations that a reload puts in the place of the first one. */
#include "init/supervisor_internal.h"

#include "init/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void use(struct supervisor *sv, struct place *place, struct place next)
{
	sv->set[next.set].users++;
	sv->set[place->set].users--;
	*place = next;
}

/* The record's descriptive fields. */
static void describe(struct supervisor *sv, uint32_t slot, struct place place)
{
	const struct service_settings *s = place_settings(sv, place);
	struct board_service *record = &sv->service[slot];

	board_begin(record);
	record->type = (uint8_t)s->type;
	record->enabled = (uint8_t)s->enabled;
	record->critical = (uint8_t)s->critical;
	record->last_resort = (s->flags & SERVICE_LAST_RESORT) != 0;
	record->priority = s->priority;
	record->start_timeout = s->start_timeout;
	board_end(record);
	if (!machine_active(&record->m))
		sv_probes_describe(sv, slot);
}

void sv_take_settings(struct supervisor *sv, uint32_t slot, struct place place)
{
	struct place before = sv->unit[slot].life;

	use(sv, &sv->unit[slot].life, place);
	describe(sv, slot, place);
	sv_slice_settings(sv, slot, before, place);
	sv_capture_follow(sv, slot);
}

void sv_make_unit(struct supervisor *sv, uint32_t slot, struct place place)
{
	struct board_service *s = &sv->service[slot];
	const char *name = image_name(place_image(sv, place), place.index);

	memset(&sv->unit[slot], 0, sizeof(sv->unit[slot]));
	sv->unit[slot].life = sv->unit[slot].graph = place;
	sv->set[place.set].users += 2;
	if (s->m.failures) /* of the slot's last owner */
		memset(&sv->history[slot], 0, sizeof(sv->history[slot]));
	board_begin(s);
	memset((char *)s + sizeof(s->seq), 0, sizeof(*s) - sizeof(s->seq));
	s->used = ++sv->generation;
	strncpy(s->name, name, sizeof(s->name) - 1);
	s->blocker = -1;
	s->m.since = sv->now;
	s->m.seed = (uint32_t)(platform_wall() ^ sv->now) * 2654435761u + slot;
	s->by_hand = sv_remembers(sv, place) && platform_marker_get(sv->state_dir, name);
	if (place_settings(sv, place)->broken) {
		s->m.state = STATE_FAILED;
		s->m.cause = CAUSE_CONFIG;
	}
	board_end(s);
	describe(sv, slot, place);
	if (slot >= sv->count) {
		sv->count = slot + 1;
		atomic_store(&sv->board.head->count, sv->count);
	}
}

void sv_free_slot(struct supervisor *sv, uint32_t slot)
{
	struct unit *u = &sv->unit[slot];

	log_info(sv->service[slot].name, "removed");
	for (unsigned i = 0; i < SUPERVISOR_SETS; i++)
		for (uint32_t k = 0; sv->set[i].image && k < sv->set[i].image->service_count; k++)
			if (sv->set[i].slot_of[k] == slot)
				sv->set[i].slot_of[k] = SUPERVISOR_NONE;
	sv->set[u->life.set].users--;
	sv->set[u->graph.set].users--;
	ranks_remove(&sv->dirty, u->rank);
	ranks_remove(&sv->hold, u->rank);
	ranks_remove(&sv->check, u->rank);
	ranks_remove(&sv->tell, u->rank);
	sv_slice_leave(sv, slot);
	sv_capture_leave(sv, slot);
	board_begin(&sv->service[slot]);
	sv->helds -= sv->service[slot].held;
	sv->service[slot].held = false;
	sv->service[slot].used = 0;
	sv->service[slot].name[0] = '\0';
	board_end(&sv->service[slot]);
	sv->deadline[slot] = 0;
	u->removed = u->trouble = false;
	u->recovers = 0;
}

void sv_sweep_sets(struct supervisor *sv)
{
	for (uint8_t i = 0; i < SUPERVISOR_SETS; i++) {
		struct config_set *set = &sv->set[i];

		if (!set->image || set->users || i == sv->current || sv->pendings)
			continue;
		platform_unmap(set->image, set->size);
		set->image = NULL;
	}
}

void sv_rank_all(struct supervisor *sv, const struct config_set *set, uint32_t *scratch)
{
	const struct image *image = set->image;
	uint32_t *order = sv->work, n = 0;

	image_order(image, order, scratch);
	for (uint32_t slot = 0; slot < sv->count; slot++)
		sv->unit[slot].visited = false;
	for (uint32_t i = 0; i < image->service_count; i++) {
		sv->order[n++] = set->slot_of[order[i]];
		sv->unit[set->slot_of[order[i]]].visited = true;
	}
	for (uint32_t slot = 0; slot < sv->count; slot++)
		if (!sv->unit[slot].visited)
			sv->order[n++] = slot;
	ranks_clear(&sv->dirty);
	ranks_clear(&sv->hold);
	ranks_clear(&sv->check);
	ranks_clear(&sv->tell);
	for (uint32_t rank = 0; rank < n; rank++) {
		uint32_t slot = sv->order[rank];
		const struct machine *m = &sv->service[slot].m;

		sv->unit[slot].rank = rank;
		sv->unit[slot].visited = false;
		if (!sv->service[slot].used)
			continue;
		ranks_add(&sv->dirty, rank);
		if (m->state == STATE_STOPPING && m->holding)
			ranks_add(&sv->hold, rank);
		if (m->state == STATE_CLEANUP && !m->aux)
			ranks_add(&sv->check, rank);
		if (sv->unit[slot].telling)
			ranks_add(&sv->tell, rank);
	}
	sv->recheck = sv->rehold = true;
}

static uint8_t free_set(const struct supervisor *sv)
{
	uint8_t i = 0;

	while (i < SUPERVISOR_SETS && sv->set[i].image)
		i++;
	return i;
}

static uint32_t free_slot(const struct supervisor *sv)
{
	uint32_t slot = 0;

	while (slot < sv->count && sv->service[slot].used)
		slot++;
	return slot;
}

static uint32_t room_for_new(const struct supervisor *sv)
{
	uint32_t room = sv->capacity - sv->count;

	for (uint32_t slot = 0; slot < sv->count; slot++)
		room += !sv->service[slot].used;
	return room;
}

/* A service that is in both configurations. */
static void meet(
    struct supervisor *sv, uint32_t slot, struct place next, struct reload_counts *counts)
{
	struct unit *u = &sv->unit[slot];
	const struct image *old = place_image(sv, u->graph), *new = place_image(sv, next);
	struct place before = u->graph;
	bool was_enabled =
	    place_settings(sv, before)->enabled && !place_settings(sv, before)->broken;
	bool enabled = place_settings(sv, next)->enabled;
	bool toggled = enabled != was_enabled;
	bool is_pending = u->pending[0] || u->pending[1], same_process;

	use(sv, &u->graph, next);
	u->was_enabled = was_enabled;
	u->changed = !image_service_equal(old, before.index, new, next.index);
	if (u->renew) { /* it takes the newest when it is down */
		u->again = toggled ? enabled : u->again;
		return;
	}
	if (!u->changed) {
		counts->same++;
		/* A process on its way to its exec reads the old image: it moves later. */
		u->lagging = is_pending;
		sv->reloading |= is_pending;
		if (!is_pending)
			use(sv, &u->life, next);
		return;
	}
	u->lagging = false;
	for (unsigned role = 0; role < PROBE_ROLES; role++)
		if (!image_probe_equal(old, before.index, new, next.index, role))
			u->moved |= (uint8_t)(1 << role);
	same_process = image_service_same_process(old, before.index, new, next.index);
	if (machine_active(&sv->service[slot].m) && (is_pending || !same_process)) {
		counts->restarted++;
		u->renew = true;
		u->again = toggled ? enabled : sv->service[slot].m.want == WANT_UP;
		return;
	}
	if (same_process)
		counts->changed++;
	else
		counts->restarted++;
	sv_take_settings(sv, slot, next);
}

/* A service that an earlier reload removed is back before it has gone: it is no second one
 * beside it, but goes down and starts anew. */
static void come_back(struct supervisor *sv, uint32_t slot, struct place next)
{
	struct unit *u = &sv->unit[slot];

	use(sv, &u->graph, next);
	u->removed = false;
	u->renew = true;
	u->again = place_settings(sv, next)->enabled;
}

static void compare(
    struct supervisor *sv, struct config_set *set, uint8_t number, struct reload_counts *counts)
{
	for (uint32_t i = 0; i < set->image->service_count; i++)
		set->slot_of[i] = SUPERVISOR_NONE;
	for (uint32_t slot = 0; slot < sv->count; slot++) {
		struct unit *u = &sv->unit[slot];
		uint32_t index;

		u->changed = u->fresh = false;
		if (!sv->service[slot].used)
			continue;
		index = image_find(set->image, sv->service[slot].name);
		if (index == IMAGE_NONE) {
			counts->removed += !u->removed;
			u->removed = true;
			continue;
		}
		set->slot_of[index] = slot;
		if (u->removed) {
			come_back(sv, slot, (struct place){number, index});
			counts->added++;
		} else {
			meet(sv, slot, (struct place){number, index}, counts);
		}
	}
	for (uint32_t i = 0; i < set->image->service_count; i++) {
		uint32_t slot;

		if (set->slot_of[i] != SUPERVISOR_NONE)
			continue;
		slot = free_slot(sv);
		set->slot_of[i] = slot;
		sv_make_unit(sv, slot, (struct place){number, i});
		sv->unit[slot].fresh = true;
		counts->added++;
	}
}

/* Carries out what compare() has found. */
static void apply(struct supervisor *sv)
{
	for (uint32_t slot = 0; slot < sv->count; slot++) {
		struct unit *u = &sv->unit[slot];
		struct board_service *s = &sv->service[slot];
		bool enabled;

		if (!s->used)
			continue;
		sv_capture_follow(sv, slot);
		if (u->moved && !u->removed && !u->renew)
			sv_probes_changed(sv, slot, u->moved);
		u->moved = 0;
		if (u->removed || u->renew) {
			sv->reloading = true;
			sv_deliver_kind(
			    sv, slot, EVENT_WANT_DOWN, u->removed ? CAUSE_REMOVED : CAUSE_RELOAD);
			continue;
		}
		enabled = place_settings(sv, u->graph)->enabled;
		if (place_settings(sv, u->graph)->broken)
			continue;
		if (s->m.state == STATE_FAILED && s->m.cause == CAUSE_CONFIG) /* it was */
			sv_deliver_kind(sv, slot, EVENT_RESET, CAUSE_RELOAD);
		if (s->by_hand)
			continue;
		if (u->fresh ? enabled : u->changed && enabled && !u->was_enabled)
			sv_want_up(sv, slot, CAUSE_RELOAD);
		else if (u->changed && u->was_enabled && !enabled)
			sv_deliver_kind(sv, slot, EVENT_WANT_DOWN, CAUSE_RELOAD);
		else if (u->changed && s->m.want == WANT_UP && machine_settled(&s->m))
			sv_deliver_kind(sv, slot, EVENT_RESTART, CAUSE_RELOAD);
	}
}

bool supervisor_can_adopt(struct supervisor *sv)
{
	sv_sweep_sets(sv);
	return sv->stopping || free_set(sv) < SUPERVISOR_SETS;
}

int supervisor_adopt(
    struct supervisor *sv, struct image *image, size_t size, struct reload_counts *ret_counts)
{
	uint8_t number;
	uint32_t news = 0, *scratch;
	const struct image *before;
	int rc;

	sv_sweep_sets(sv);
	number = free_set(sv);
	if (number == SUPERVISOR_SETS || sv->stopping)
		return -EBUSY;
	for (uint32_t i = 0; i < image->service_count; i++)
		news += supervisor_find(sv, image_name(image, i)) == SUPERVISOR_NONE;
	if (news > room_for_new(sv) || image->service_count > sv->capacity)
		return -ENOSPC;
	rc = sv_make_rooms(sv, image);
	if (rc < 0)
		return rc;
	scratch = calloc(image_order_scratch(image), sizeof(*scratch));
	if (!scratch)
		return -ENOMEM;
	*ret_counts = (struct reload_counts){0};
	sv->set[number].image = image;
	sv->set[number].size = size;
	before = sv->set[sv->current].image;
	sv->current = number;
	sv_devices_adopt(sv, before);
	compare(sv, &sv->set[number], number, ret_counts);
	sv_rank_all(sv, &sv->set[number], scratch);
	free(scratch);
	apply(sv);
	sv_sweep_sets(sv);
	sv_look_at_starts(sv);
	sv_find_emergency(sv);
	sv->captures_changed |= sv->captures > 0; /* where they go, perhaps */
	return 0;
}
