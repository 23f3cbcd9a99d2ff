/* When a service is well again after trouble: it is a oneshot that is done, or it has been
 * ready, with no probe of its life but passing, for its min_uptime. */
#include "init/supervisor_internal.h"

#include <string.h>

static bool is_well(const struct board_service *s)
{
	uint8_t liveness = s->probe[PROBE_LIVENESS].health;

	return board_service_ready(s) && board_service_healthy(s) &&
	       (s->m.state == STATE_DONE || liveness != HEALTH_UNKNOWN);
}

static void tell(struct supervisor *sv, uint32_t slot)
{
	const struct board_service *s = &sv->service[slot];
	struct unit *u = &sv->unit[slot];
	struct board_event event = {.kind = EV_RECOVERED, .pid = s->pid, .blocker = -1};

	if (s->m.state == STATE_DONE)
		event.exit_kind = s->m.exit_kind, event.code = s->m.exit_code;
	else
		event.value = supervisor_settings(sv, slot)->min_uptime;
	memcpy(event.name, s->name, sizeof(event.name));
	u->trouble = false;
	u->recovers = 0;
	sv_event(sv, &event);
}

void sv_trouble(struct supervisor *sv, uint32_t slot)
{
	sv->unit[slot].trouble = true;
	sv->unit[slot].recovers = 0;
}

void sv_recovery(struct supervisor *sv, uint32_t slot)
{
	const struct board_service *s = &sv->service[slot];
	struct unit *u = &sv->unit[slot];
	uint32_t uptime = s->m.state == STATE_DONE ? 0 : supervisor_settings(sv, slot)->min_uptime;

	if (!u->trouble)
		return;
	if (!is_well(s)) {
		u->recovers = 0;
	} else if (!uptime) {
		tell(sv, slot);
	} else if (!u->recovers) {
		u->recovers = sv->now + uptime;
		sv->recovery = sooner(sv->recovery, u->recovers);
	}
}

void sv_recoveries_due(struct supervisor *sv)
{
	if (!sv->recovery || sv->recovery > sv->now)
		return;
	sv->recovery = 0;
	for (uint32_t slot = 0; slot < sv->count; slot++) {
		int64_t due = sv->unit[slot].recovers;

		if (due && due <= sv->now)
			tell(sv, slot);
		else
			sv->recovery = sooner(sv->recovery, due);
	}
}
