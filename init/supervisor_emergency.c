/* The shell of last resort: the service `emergency` of a machine's init. */
#include "init/supervisor_internal.h"

#include "init/log.h"

void sv_find_emergency(struct supervisor *sv)
{
	sv->emergency = sv->machine ? supervisor_find(sv, IMAGE_EMERGENCY) : SUPERVISOR_NONE;
}

/* Whether nothing runs and nothing will, though something was to. */
static bool is_hopeless(const struct supervisor *sv)
{
	bool failed = false, wanted = false;

	for (uint32_t slot = 0; slot < sv->count; slot++) {
		const struct board_service *s = &sv->service[slot];

		if (!s->used || slot == sv->emergency)
			continue;
		wanted |= s->enabled;
		switch ((enum state)s->m.state) {
		case STATE_FAILED:
		case STATE_FATAL:
			failed = true;
			break;
		case STATE_STOPPED:
		case STATE_DONE:
			break;
		case STATE_WAITING:
		case STATE_STARTING:
		case STATE_RUNNING:
		case STATE_STOPPING:
		case STATE_CLEANUP:
		case STATE_BACKOFF:
			return false;
		}
	}
	return failed || !wanted;
}

static void start(struct supervisor *sv)
{
	log_error(NULL, "nothing is there that can run: starting a shell on the console; sinitctl status "
	    "tells why, sinitctl reload takes a better configuration");
	sv_want_up(sv, sv->emergency, CAUSE_NONE);
}

void sv_emergency(struct supervisor *sv)
{
	const struct machine *m;

	if (!sv->machine || sv->emergency == SUPERVISOR_NONE || sv->stopping || sv->single)
		return;
	m = &sv->service[sv->emergency].m;
	if (m->state == STATE_STOPPED && !sv->active && !sv->service[sv->emergency].by_hand &&
	    is_hopeless(sv))
		start(sv);
	else if (m->state == STATE_BACKOFF && !is_hopeless(sv))
		sv_deliver_kind(sv, sv->emergency, EVENT_WANT_DOWN, CAUSE_NONE);
}

void supervisor_start_single(struct supervisor *sv)
{
	sv->single = true;
	log_info(NULL, "sinit.single: only a shell is started; sinitctl start NAME starts more");
	if (sv->emergency != SUPERVISOR_NONE)
		sv_want_up(sv, sv->emergency, CAUSE_NONE);
	atomic_store(&sv->board.head->phase, PHASE_RUNNING);
}

const char *supervisor_critical_down(const struct supervisor *sv)
{
	for (uint32_t slot = 0; slot < sv->count; slot++) {
		const struct board_service *s = &sv->service[slot];

		if (s->used && s->critical &&
		    (s->m.state == STATE_FAILED || s->m.state == STATE_FATAL))
			return s->name;
	}
	return NULL;
}
