/* Pause, and what services use: asked for by people and programs. */
#include "init/supervisor_internal.h"

#include "cgroup/tree.h"
#include "init/log.h"

#include <errno.h>

/* --- pause ----------------------------------------------------------------------------------- */

void sv_thaw(struct supervisor *sv, uint32_t slot)
{
	struct unit *u = &sv->unit[slot];
	struct board_service *s = &sv->service[slot];

	if (!u->sliced || !(s->slice & SLICE_PAUSED))
		return;
	slice_freeze(&u->slice, false);
	sv_slice_flags(sv, slot, s->slice & ~(unsigned)SLICE_PAUSED);
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
		sv_slice_flags(sv, slot, s->slice | SLICE_PAUSED);
	} else {
		sv_thaw(sv, slot);
	}
	log_info(s->name, paused ? "paused" : "resumed");
	sv_probes_follow(sv, slot);
	sv_recovery(sv, slot);
	sv_touch(sv, slot, !paused);
	return 0;
}

/* --- measuring ------------------------------------------------------------------------------- */

bool supervisor_measuring(const struct supervisor *sv)
{
	return sv->measuring;
}

bool supervisor_measure(struct supervisor *sv)
{
	int64_t last = atomic_load_explicit(&sv->board.head->measured, memory_order_relaxed);

	if (!sv_can_have_slices(sv) || (last && sv->now - last < SUPERVISOR_MEASURE_AGE))
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
	if (sv_has_controller(sv, CGROUP_MEMORY) && sv->unit[slot].slice.memory_wd < 0)
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
