/* Probes: which of them run in a life, and what their verdicts mean.
 *
 * The network ones are the prober's: it is told what to check, and tells only when a verdict
 * changes. The others are made by PID 1, see supervisor_checks.c. What is to run follows from
 * the service's state alone, so that a prober that is new, or whose channel was full, is
 * brought up to date by comparing what it was told with what holds. */
#include "init/supervisor_internal.h"

#include "init/log.h"
#include "init/render.h"
#include "probes/fault.h"
#include "probes/verdict.h"

#include <string.h>

enum { SENTENCE = 256 };

const struct probe_settings *sv_probe(
    const struct supervisor *sv, uint32_t slot, enum probe_role role)
{
	struct place place = sv->unit[slot].life;

	return image_probe(place_image(sv, place), place_settings(sv, place), role);
}

static void set_health(struct supervisor *sv, uint32_t slot, enum probe_role role,
    enum health health, enum probe_fault fault, int32_t detail)
{
	struct board_service *s = &sv->service[slot];

	board_begin(s);
	s->probe[role] = (struct board_probe){
	    .health = (uint8_t)health, .fault = (uint8_t)fault, .detail = detail};
	board_end(s);
}

/* Nothing is known (any more); `fault` and `detail` are of an earlier failure, or none. */
static void forget(struct supervisor *sv, uint32_t slot, enum probe_role role,
    enum probe_fault fault, int32_t detail)
{
	set_health(
	    sv, slot, role, sv_probe(sv, slot, role) ? HEALTH_UNKNOWN : HEALTH_NONE, fault, detail);
}

/* --- what runs ------------------------------------------------------------------------ */

static void begin(struct supervisor *sv, uint32_t slot, enum probe_role role)
{
	const struct probe_settings *probe = sv_probe(sv, slot, role);
	struct unit *u = &sv->unit[slot];

	if (!probe || u->probing & 1 << role)
		return;
	u->probing |= (uint8_t)(1 << role);
	set_health(sv, slot, role, HEALTH_UNKNOWN, FAULT_NONE, 0);
	sv_check(sv, slot, role)->ticket = ++sv->ticket;
	if (image_by_prober(probe))
		sv_prober_stale(sv, slot);
	else
		sv_check_begin(sv, slot, role);
}

static void end(struct supervisor *sv, uint32_t slot, enum probe_role role)
{
	struct unit *u = &sv->unit[slot];

	if (!(u->probing & 1 << role))
		return;
	u->probing &= (uint8_t) ~(1 << role);
	/* Why it failed stays to be told, until the next life. */
	forget(sv, slot, role, (enum probe_fault)sv->service[slot].probe[role].fault,
	    sv->service[slot].probe[role].detail);
	sv_check_end(sv, slot, role);
	if (u->told & 1 << role)
		sv_prober_stale(sv, slot);
}

void sv_probes_describe(struct supervisor *sv, uint32_t slot)
{
	for (unsigned role = 0; role < PROBE_ROLES; role++)
		forget(sv, slot, role, FAULT_NONE, 0);
}

/* Whether the start is over: what has to be told before it has been. */
static void look_at_start(struct supervisor *sv, uint32_t slot)
{
	const struct board_service *s = &sv->service[slot];
	uint8_t startup = s->probe[PROBE_STARTUP].health;

	if (s->m.state != STATE_STARTING || !s->m.main_alive)
		return;
	if (startup != HEALTH_NONE && startup != HEALTH_PASSING)
		return;
	if (s->type == TYPE_NOTIFY && !sv->unit[slot].notified)
		return;
	sv_deliver_kind(sv, slot, EVENT_READY, CAUSE_NONE);
}

void sv_notified(struct supervisor *sv, uint32_t slot)
{
	sv->unit[slot].notified = true;
	look_at_start(sv, slot);
}

void sv_probes_follow(struct supervisor *sv, uint32_t slot)
{
	const struct machine *m = &sv->service[slot].m;

	/* One that is frozen cannot answer, and is not to be judged. */
	if (sv->service[slot].slice & SLICE_PAUSED) {
		end(sv, slot, PROBE_LIVENESS);
		end(sv, slot, PROBE_READINESS);
		return;
	}
	switch ((enum state)m->state) {
	case STATE_STARTING: /* also from running or an earlier start, where nothing is to be
				cleaned up or waited for */
		end(sv, slot, PROBE_LIVENESS);
		end(sv, slot, PROBE_READINESS);
		if (m->started)
			begin(sv, slot, PROBE_STARTUP);
		else
			end(sv, slot, PROBE_STARTUP);
		return;
	case STATE_RUNNING:
		end(sv, slot, PROBE_STARTUP);
		if (sv_probe(sv, slot, PROBE_STARTUP))
			set_health(sv, slot, PROBE_STARTUP, HEALTH_PASSING, FAULT_NONE, 0);
		begin(sv, slot, PROBE_LIVENESS);
		begin(sv, slot, PROBE_READINESS);
		return;
	case STATE_STOPPED:
	case STATE_WAITING:
	case STATE_STOPPING:
	case STATE_CLEANUP:
	case STATE_BACKOFF:
	case STATE_DONE:
	case STATE_FAILED:
	case STATE_FATAL:
		break;
	}
	for (unsigned role = 0; role < PROBE_ROLES; role++)
		end(sv, slot, role);
	if (sv->service[slot].probe[PROBE_STARTUP].health == HEALTH_PASSING)
		set_health(sv, slot, PROBE_STARTUP, HEALTH_UNKNOWN, FAULT_NONE, 0);
}

/* What was known holds until the changed probe has found out otherwise: a reload is no outage.
 * False if nothing was known, or nothing is asked any more. */
static bool keep(
    struct supervisor *sv, uint32_t slot, enum probe_role role, const struct board_probe *before)
{
	if (!(sv->unit[slot].probing & 1 << role) ||
	    (before->health != HEALTH_PASSING && before->health != HEALTH_FAILING))
		return false;
	set_health(sv, slot, role, (enum health)before->health, (enum probe_fault)before->fault,
	    before->detail);
	verdict_init(&sv_check(sv, slot, role)->verdict, before->health);
	return true;
}

void sv_probes_changed(struct supervisor *sv, uint32_t slot, unsigned roles)
{
	const struct machine *m = &sv->service[slot].m;
	struct board_probe before[PROBE_ROLES];

	memcpy(before, sv->service[slot].probe, sizeof(before));
	for (unsigned role = 0; role < PROBE_ROLES; role++) {
		if (!(roles & 1u << role))
			continue;
		end(sv, slot, role);
		forget(sv, slot, role, FAULT_NONE, 0);
	}
	sv_probes_follow(sv, slot);
	for (unsigned role = 0; role < PROBE_ROLES; role++)
		if (roles & 1u << role && keep(sv, slot, role, &before[role]))
			roles &= ~(1u << role);
	if (m->state == STATE_STARTING)
		look_at_start(sv, slot);
	else if (roles & 1u << PROBE_READINESS)
		sv_deliver_kind(sv, slot,
		    sv_probe(sv, slot, PROBE_READINESS) ? EVENT_NOT_SERVING : EVENT_SERVING,
		    CAUSE_NONE);
	sv_recovery(sv, slot);
}

/* --- what a verdict means --------------------------------------------------------------- */

static void report(
    struct supervisor *sv, uint32_t slot, enum probe_role role, bool passing, uint8_t before)
{
	static const uint8_t causes[PROBE_ROLES] = {CAUSE_STARTUP, CAUSE_LIVENESS, CAUSE_NONE};
	const struct board_service *s = &sv->service[slot];
	const struct board_probe *probe = &s->probe[role];
	struct board_event event = {.kind = passing ? EV_HEALTHY : EV_UNHEALTHY,
	    .cause = causes[role],
	    .pid = s->pid,
	    .fault = probe->fault,
	    .detail = probe->detail,
	    .blocker = -1};
	char buffer[SENTENCE];
	struct board_words words;
	struct text text;

	/* The first pass of a life is what its "ready" tells. */
	if (passing && before != HEALTH_FAILING)
		return;
	memcpy(event.name, s->name, sizeof(event.name));
	sv_event(sv, &event);
	if (!passing)
		sv_trouble(sv, slot);
	text_init(&text, buffer, sizeof(buffer));
	board_read_words(&sv->board, slot, s, &words);
	fault_sentence(&text, probe->fault, probe->detail, words.thief);
	if (!sv_may_say(sv, slot))
		return;
	if (passing)
		log_info(s->name, "%s probe passes again", render_role(role));
	else
		log_warning(s->name, "%s probe fails: %s", render_role(role), text.data);
}

void sv_verdict(struct supervisor *sv, uint32_t slot, enum probe_role role, bool passing,
    enum probe_fault fault, int32_t detail)
{
	uint8_t before = sv->service[slot].probe[role].health;

	if (!(sv->unit[slot].probing & 1 << role))
		return;
	set_health(sv, slot, role, passing ? HEALTH_PASSING : HEALTH_FAILING, fault, detail);
	if (before != sv->service[slot].probe[role].health)
		report(sv, slot, role, passing, before);
	switch (role) {
	case PROBE_STARTUP:
		if (passing)
			look_at_start(sv, slot);
		else
			sv_deliver_kind(sv, slot, EVENT_UNHEALTHY, CAUSE_STARTUP);
		break;
	case PROBE_LIVENESS:
		if (!passing)
			sv_deliver_kind(sv, slot, EVENT_UNHEALTHY, CAUSE_LIVENESS);
		break;
	case PROBE_READINESS:
		sv_deliver_kind(sv, slot, passing ? EVENT_SERVING : EVENT_NOT_SERVING, CAUSE_NONE);
		break;
	}
	sv_recovery(sv, slot);
}

void supervisor_verdict(struct supervisor *sv, const struct prober_verdict *verdict)
{
	uint32_t slot = verdict->check / PROBE_ROLES;
	enum probe_role role = verdict->check % PROBE_ROLES;

	/* It may be about an earlier life, other settings, or another service in the same place. */
	if (slot >= sv->count || !sv->service[slot].used || verdict->fault >= FAULT_COUNT ||
	    verdict->ticket != sv_check(sv, slot, role)->ticket)
		return;
	if (sv_check(sv, slot, role)->asked)
		sv_check_answered(
		    sv, slot, role, (enum probe_fault)verdict->fault, verdict->detail);
	else if (sv->unit[slot].told & 1 << role)
		sv_verdict(sv, slot, role, verdict->passing, (enum probe_fault)verdict->fault,
		    verdict->detail);
}
