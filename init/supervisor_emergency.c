/* The shell of last resort: the service `emergency` of a machine's init. */
#include "init/supervisor_internal.h"

#include "init/log.h"

enum { AGAIN = 1000 }; /* ms after which a shell comes again that has ended, whatever its restart */

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
			if (s->held)
				break;
			return false;
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

/* One of the configuration's own may have failed for good; sinit's fails only before it becomes
 * that, by a reload. */
static bool may_start(const struct board_service *s)
{
	return !s->by_hand &&
	       (s->m.state == STATE_STOPPED || (s->last_resort && machine_settled(&s->m)));
}

static void start(struct supervisor *sv)
{
	const struct machine *m = &sv->service[sv->emergency].m;

	if (m->started && sv->now < m->since + AGAIN) {
		sv->emergency_at = m->since + AGAIN;
		return;
	}
	log_error(NULL,
	    "%s: starting a shell on the console; sinitctl status tells why, sinitctl reload "
	    "takes a better configuration",
	    sv->single ? "sinit.single" : "nothing is there that can run");
	sv_want_up(sv, sv->emergency, CAUSE_NONE);
}

void sv_emergency(struct supervisor *sv)
{
	const struct board_service *s;
	bool needed;

	sv->emergency_at = 0;
	if (sv->emergency == SUPERVISOR_NONE || sv->stopping)
		return;
	s = &sv->service[sv->emergency];
	if (!may_start(s) && s->m.state != STATE_BACKOFF)
		return;
	needed = sv->single || (!sv->active && is_hopeless(sv));
	if (s->m.state != STATE_BACKOFF && needed)
		start(sv);
	else if (s->m.state == STATE_BACKOFF && !needed && !s->enabled)
		sv_deliver_kind(sv, sv->emergency, EVENT_WANT_DOWN, CAUSE_NONE);
}

void supervisor_start_single(struct supervisor *sv)
{
	sv->single = true;
	log_info(NULL, "sinit.single: only a shell is started; sinitctl start NAME starts more");
	if (sv->emergency != SUPERVISOR_NONE)
		supervisor_up(sv, sv->emergency); /* whoever has stopped it before */
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
