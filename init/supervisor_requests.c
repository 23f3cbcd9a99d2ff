/* What operators want of services. */
#include "init/supervisor_internal.h"

#include "init/log.h"

#include <errno.h>
#include <string.h>

uint32_t supervisor_find(const struct supervisor *sv, const char *name)
{
	for (uint32_t slot = 0; slot < sv->count; slot++)
		if (sv->service[slot].used && !strcmp(sv->service[slot].name, name))
			return slot;
	return SUPERVISOR_NONE;
}

const char *supervisor_broken(const struct supervisor *sv, uint32_t slot)
{
	struct place place = sv->unit[slot].graph;

	return image_string(place_image(sv, place), place_settings(sv, place)->broken);
}

/* On the board, and in the state directory for the next sinit. -errno: not there. */
static int set_by_hand(struct supervisor *sv, uint32_t slot, bool by_hand)
{
	board_begin(&sv->service[slot]);
	sv->service[slot].by_hand = by_hand;
	board_end(&sv->service[slot]);
	return sv_remembers(sv, sv->unit[slot].graph)
		   ? platform_marker_set(sv->state_dir, sv->service[slot].name, by_hand)
		   : 0;
}

static void forget_stop(struct supervisor *sv, uint32_t slot)
{
	if (set_by_hand(sv, slot, false) < 0)
		log_warning(sv->service[slot].name,
		    "the note that it was stopped by hand cannot be removed from %s/stopped; "
		    "it will be down again after the next start of sinit",
		    sv->state_dir);
}

/* Adds what a service needs and what is not on the list yet; a stop by hand holds. */
static uint32_t add_needed(struct supervisor *sv, uint32_t slot, uint32_t count)
{
	struct place place = sv->unit[slot].graph;
	const struct image *image = place_image(sv, place);
	const struct service_settings *s = place_settings(sv, place);
	const ref lists[] = {s->requires, s->wants};

	for (unsigned k = 0; k < ARRAY_LEN(lists); k++) {
		const struct image_list *list = image_list(image, lists[k]);

		for (uint32_t i = 0; i < list->count; i++) {
			uint32_t other = sv_slot(sv, place, list, i);

			if (other == SUPERVISOR_NONE || sv->unit[other].visited ||
			    sv->service[other].by_hand)
				continue;
			sv->unit[other].visited = true;
			sv->work[count++] = other;
		}
	}
	return count;
}

/* Up with `slot` and all that it needs. A failure of what it needs is not forgotten by
 * this: only the service asked for gets a fresh start. */
void sv_want_up(struct supervisor *sv, uint32_t slot, enum cause cause)
{
	uint32_t count = 1;

	if (sv->stopping || sv->unit[slot].removed)
		return;
	sv->work[0] = slot;
	sv->unit[slot].visited = true;
	for (uint32_t i = 0; i < count; i++)
		count = add_needed(sv, sv->work[i], count);
	for (uint32_t i = 0; i < count; i++)
		sv->unit[sv->work[i]].visited = false;
	for (uint32_t i = count; i-- > 0;) {
		uint32_t other = sv->work[i];
		const struct machine *m = &sv->service[other].m;

		if (sv->unit[other].renew) {
			sv->unit[other].again = true;
			continue;
		}
		ranks_add(&sv->dirty, sv->unit[other].rank);
		if (supervisor_broken(sv, other))
			continue;
		if (other == slot || m->state == STATE_STOPPED ||
		    (m->want == WANT_DOWN && m->state != STATE_FAILED && m->state != STATE_FATAL))
			sv_deliver_kind(sv, other, EVENT_WANT_UP, cause);
	}
}

/* Who waits for one that is to stay down is looked at anew, and until then not told to be: one
 * order may start both. */
static void forget_holds(struct supervisor *sv)
{
	for (uint32_t slot = 0; slot < sv->count && sv->helds; slot++) {
		struct board_service *s = &sv->service[slot];

		if (!s->held)
			continue;
		sv->helds--;
		board_begin(s);
		s->held = false;
		board_end(s);
		ranks_add(&sv->dirty, sv->unit[slot].rank);
	}
}

void supervisor_up(struct supervisor *sv, uint32_t slot)
{
	forget_stop(sv, slot);
	forget_holds(sv);
	sv_want_up(sv, slot, CAUSE_OPERATOR);
}

int supervisor_down(struct supervisor *sv, uint32_t slot)
{
	int rc = set_by_hand(sv, slot, true);

	sv_deliver_kind(sv, slot, EVENT_WANT_DOWN, CAUSE_OPERATOR);
	return rc;
}

int supervisor_stop(struct supervisor *sv, uint32_t slot)
{
	int rc = supervisor_down(sv, slot);

	if (rc < 0)
		log_warning(sv->service[slot].name,
		    "stopped by hand, but that cannot be remembered in %s/stopped: %s; it will be "
		    "up again after the next start of sinit",
		    sv->state_dir, strerror(-rc));
	return rc;
}

void supervisor_restart(struct supervisor *sv, uint32_t slot)
{
	const struct machine *m = &sv->service[slot].m;

	if (sv->stopping || sv->unit[slot].removed)
		return;
	if (!machine_active(m) || sv->unit[slot].renew) {
		/* It goes up with what it needs; a run that is over is begun anew. */
		bool over = m->state == STATE_DONE || m->state == STATE_WAITING ||
			    m->state == STATE_BACKOFF;

		supervisor_up(sv, slot);
		if (over && !sv->unit[slot].renew)
			sv_deliver_kind(sv, slot, EVENT_RESTART, CAUSE_RESTART);
		return;
	}
	forget_stop(sv, slot);
	sv_deliver_kind(sv, slot, EVENT_RESTART, CAUSE_RESTART);
	sv_want_up(sv, slot, CAUSE_RESTART); /* what it needs, and that may have ended */
}

void supervisor_reset(struct supervisor *sv, uint32_t slot)
{
	if (!supervisor_broken(sv, slot))
		sv_deliver_kind(sv, slot, EVENT_RESET, CAUSE_OPERATOR);
}

int supervisor_signal(struct supervisor *sv, uint32_t slot, int sig)
{
	pid_t pid = sv->service[slot].pid;

	return pid ? platform_kill(pid, sig) : -ESRCH;
}

int supervisor_reload_service(struct supervisor *sv, uint32_t slot)
{
	const struct service_settings *s = place_settings(sv, sv->unit[slot].life);

	if (!sv->service[slot].pid)
		return -ESRCH;
	if (!s->reload_command)
		return supervisor_signal(sv, slot, s->reload_signal);
	if (sv->service[slot].slice & SLICE_PAUSED) /* it would be frozen before its exec */
		return -EAGAIN;
	sv_spawn(sv, slot, PID_RELOAD, s->reload_command);
	return 0;
}
