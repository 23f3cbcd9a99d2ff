/* Probes: which of them run in a life, and what their verdicts mean.
 *
 * The network ones are the prober's: it is told what to check, and tells only when a verdict
 * changes. The others are made by PID 1, see supervisor_checks.c. What is to run follows from
 * the service's state alone, so that a prober that is new, or whose channel was full, is
 * brought up to date by comparing what it was told with what holds. */
#include "init/supervisor_internal.h"

#include "init/log.h"
#include "probes/fault.h"

#include <errno.h>
#include <string.h>

enum { SENTENCE = 256 };

static const char *const role_names[PROBE_ROLES] = {"startup", "liveness", "readiness"};

const struct probe_settings *sv_probe(const struct supervisor *sv, uint32_t slot, enum probe_role role)
{
	struct place place = sv->unit[slot].life;

	return image_probe(place_image(sv, place), place_settings(sv, place), role);
}

static bool is_network(const struct probe_settings *probe)
{
	return probe->target.kind < CHECK_EXEC;
}

static void set_health(struct supervisor *sv, uint32_t slot, enum probe_role role, enum health health,
    enum probe_fault fault, int32_t detail)
{
	struct board_service *s = &sv->service[slot];

	board_begin(s);
	s->probe[role] = (struct board_probe){
	    .health = (uint8_t)health, .fault = (uint8_t)fault, .detail = detail};
	board_end(s);
}

/* --- what runs ------------------------------------------------------------------------ */

static void tell_prober(struct supervisor *sv, uint32_t slot)
{
	sv->unit[slot].telling = true;
	ranks_add(&sv->tell, sv->unit[slot].rank);
}

static void begin(struct supervisor *sv, uint32_t slot, enum probe_role role)
{
	const struct probe_settings *probe = sv_probe(sv, slot, role);
	struct unit *u = &sv->unit[slot];

	if (!probe || u->probing & 1 << role)
		return;
	u->probing |= (uint8_t)(1 << role);
	set_health(sv, slot, role, HEALTH_UNKNOWN, FAULT_NONE, 0);
	if (is_network(probe))
		tell_prober(sv, slot);
	else
		sv_check_begin(sv, slot, role);
}

static void end(struct supervisor *sv, uint32_t slot, enum probe_role role)
{
	struct unit *u = &sv->unit[slot];

	if (!(u->probing & 1 << role))
		return;
	u->probing &= (uint8_t)~(1 << role);
	/* Why it failed stays to be told, until the next life. */
	set_health(sv, slot, role, sv_probe(sv, slot, role) ? HEALTH_UNKNOWN : HEALTH_NONE,
	    (enum probe_fault)sv->service[slot].probe[role].fault, sv->service[slot].probe[role].detail);
	sv_check_end(sv, slot, role);
	if (u->told & 1 << role)
		tell_prober(sv, slot);
}

void sv_probes_describe(struct supervisor *sv, uint32_t slot)
{
	for (unsigned role = 0; role < PROBE_ROLES; role++)
		set_health(sv, slot, role, sv_probe(sv, slot, role) ? HEALTH_UNKNOWN : HEALTH_NONE,
		    FAULT_NONE, 0);
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

	switch ((enum state)m->state) {
	case STATE_STARTING:
		if (m->started)
			begin(sv, slot, PROBE_STARTUP);
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

void sv_probes_changed(struct supervisor *sv, uint32_t slot, unsigned roles)
{
	const struct machine *m = &sv->service[slot].m;

	for (unsigned role = 0; role < PROBE_ROLES; role++) {
		if (!(roles & 1u << role))
			continue;
		end(sv, slot, role);
		set_health(sv, slot, role, sv_probe(sv, slot, role) ? HEALTH_UNKNOWN : HEALTH_NONE,
		    FAULT_NONE, 0);
	}
	sv_probes_follow(sv, slot);
	if (m->state == STATE_STARTING)
		look_at_start(sv, slot);
	else if (roles & 1u << PROBE_READINESS)
		sv_deliver_kind(sv, slot,
		    sv_probe(sv, slot, PROBE_READINESS) ? EVENT_NOT_SERVING : EVENT_SERVING, CAUSE_NONE);
}

/* --- what a verdict means --------------------------------------------------------------- */

static void report(struct supervisor *sv, uint32_t slot, enum probe_role role, bool passing,
    uint8_t before)
{
	static const uint8_t causes[PROBE_ROLES] = {CAUSE_STARTUP, CAUSE_LIVENESS, CAUSE_NONE};
	const struct board_service *s = &sv->service[slot];
	const struct board_probe *probe = &s->probe[role];
	struct board_event event = {.kind = passing ? EV_HEALTHY : EV_UNHEALTHY,
	    .cause = causes[role],
	    .pid = s->pid,
	    .step = probe->fault,
	    .code = probe->detail,
	    .blocker = -1};
	char buffer[SENTENCE];
	struct text text;

	/* The first pass of a life is what its "ready" tells. */
	if (passing && before != HEALTH_FAILING)
		return;
	memcpy(event.name, s->name, sizeof(event.name));
	sv_event(sv, &event);
	text_init(&text, buffer, sizeof(buffer));
	fault_sentence(&text, probe->fault, probe->detail);
	if (!sv_may_say(sv, slot))
		return;
	if (passing)
		log_info(s->name, "%s probe passes again", role_names[role]);
	else
		log_warning(s->name, "%s probe fails: %s", role_names[role], text.data);
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
		sv_deliver_kind(
		    sv, slot, passing ? EVENT_SERVING : EVENT_NOT_SERVING, CAUSE_NONE);
		break;
	}
}

void supervisor_verdict(struct supervisor *sv, const struct prober_verdict *verdict)
{
	uint32_t slot = verdict->check / PROBE_ROLES;
	enum probe_role role = verdict->check % PROBE_ROLES;

	/* It may be about an earlier life, or another service in the same place. */
	if (slot >= sv->count || !sv->service[slot].used || verdict->fault >= FAULT_COUNT ||
	    verdict->life != sv->service[slot].m.life || !(sv->unit[slot].told & 1 << role))
		return;
	sv_verdict(sv, slot, role, verdict->passing, (enum probe_fault)verdict->fault,
	    verdict->detail);
}

/* --- what the prober is told ---------------------------------------------------------------- */

struct writer {
	struct prober_begin *message;
	size_t used;
};

/* A text's place in the message; 0 if it has none. The image is checked to fit. */
static uint16_t put(struct writer *w, const struct image *image, ref at, const char *end_of)
{
	const char *string = image_string(image, at);
	size_t length = string ? strlen(string) : 0, more = strlen(end_of);
	uint16_t place = (uint16_t)w->used;

	if (!string || w->used + length + more + 1 > IMAGE_PROBE_TEXT)
		return 0;
	memcpy(w->message->text + w->used, string, length);
	memcpy(w->message->text + w->used + length, end_of, more + 1);
	w->used += length + more + 1;
	return place;
}

static struct probe_target put_target(
    struct writer *w, const struct image *image, const struct image_target *target)
{
	return (struct probe_target){.kind = (uint16_t)target->kind,
	    .port = (uint16_t)target->port,
	    .host = put(w, image, target->host, ""),
	    .path = put(w, image, target->path, ""),
	    .service = put(w, image, target->service, "")};
}

static uint16_t put_headers(struct writer *w, const struct image *image, ref headers)
{
	const struct image_list *list = image_list(image, headers);
	uint16_t first = 0;

	for (uint32_t i = 0; i < list->count; i++) {
		uint16_t place = put(w, image, list->item[i], "\r\n");

		if (!first)
			first = place;
		w->used -= i + 1 < list->count; /* one text: no NUL between them */
	}
	return first;
}

static void put_ranges(struct prober_begin *begin, const struct image_list *list)
{
	for (uint32_t i = 0; i < list->count && i < PROBE_RANGES; i++, begin->ranges++) {
		begin->status[i].least = (uint16_t)IMAGE_RANGE_LEAST(list->item[i]);
		begin->status[i].most = (uint16_t)IMAGE_RANGE_MOST(list->item[i]);
	}
}

/* FNV-1a: a service's probes are always at the same phase, whatever else is configured. */
uint32_t sv_probe_seed(const struct supervisor *sv, uint32_t slot, enum probe_role role)
{
	uint32_t hash = 2166136261u + role;

	for (const char *c = sv->service[slot].name; *c; c++)
		hash = (hash ^ (uint8_t)*c) * 16777619u;
	return hash;
}

static int send_begin(struct supervisor *sv, uint32_t slot, enum probe_role role)
{
	_Alignas(struct prober_begin) char buffer[HELPER_MESSAGE];
	const struct image *image = place_image(sv, sv->unit[slot].life);
	const struct probe_settings *probe = sv_probe(sv, slot, role);
	struct prober_begin *begin = (struct prober_begin *)(void *)buffer;
	struct writer w = {begin, 1};

	*begin = (struct prober_begin){.kind = PROBER_BEGIN,
	    .check = slot * PROBE_ROLES + role,
	    .life = sv->service[slot].m.life,
	    .generation = sv->service[slot].used,
	    .seed = sv_probe_seed(sv, slot, role),
	    .interval = probe->interval,
	    .timeout = probe->timeout,
	    .initial_delay = probe->initial_delay,
	    .max_age = probe->max_age,
	    .failures = probe->failures,
	    .successes = probe->successes,
	    .role = (uint8_t)role,
	    .health = sv->service[slot].probe[role].health};
	begin->text[0] = '\0';
	begin->target = put_target(&w, image, &probe->target);
	begin->fallback = put_target(&w, image, &probe->fallback_target);
	begin->method = put(&w, image, probe->method, "");
	begin->body = put(&w, image, probe->expect_body, "");
	begin->headers = put_headers(&w, image, probe->header);
	put_ranges(begin, image_list(image, probe->expect_status));
	begin->size = (uint16_t)w.used;
	return platform_send(sv->prober_fd, begin, sizeof(*begin) + w.used);
}

/* Brings the prober up to date about one service. 0, or -errno of the channel. */
static int tell_one(struct supervisor *sv, uint32_t slot)
{
	struct unit *u = &sv->unit[slot];

	for (unsigned role = 0; role < PROBE_ROLES; role++) {
		uint8_t bit = (uint8_t)(1 << role);
		const struct probe_settings *probe = sv_probe(sv, slot, role);
		bool wanted = u->probing & bit && probe && is_network(probe);
		struct prober_end end_message = {PROBER_END, slot * PROBE_ROLES + role};
		int rc = 0;

		if (wanted)
			rc = send_begin(sv, slot, role);
		else if (u->told & bit)
			rc = platform_send(sv->prober_fd, &end_message, sizeof(end_message));
		if (rc < 0)
			return rc;
		u->told = (uint8_t)(wanted ? u->told | bit : u->told & ~bit);
	}
	return 0;
}

void sv_tell_prober(struct supervisor *sv)
{
	if (sv->prober_fd < 0 || sv->prober_full)
		return;
	for (uint32_t rank = ranks_next(&sv->tell, 0); rank != RANKS_END;
	     rank = ranks_next(&sv->tell, rank + 1)) {
		int rc = tell_one(sv, sv->order[rank]);

		if (rc == -EAGAIN || rc == -ENOBUFS) {
			sv->prober_full = true;
			return;
		}
		if (rc < 0)
			return; /* it is dead: all is told again to the next one */
		sv->unit[sv->order[rank]].telling = false;
		ranks_remove(&sv->tell, rank);
	}
}

void supervisor_prober(struct supervisor *sv, int fd)
{
	sv->prober_fd = fd;
	sv->prober_full = false;
	for (uint32_t slot = 0; slot < sv->count; slot++) {
		sv->unit[slot].told = 0;
		if (fd >= 0 && sv->service[slot].used && sv->unit[slot].probing)
			tell_prober(sv, slot);
	}
	sv_tell_prober(sv); /* at once: nothing else may happen for long */
}

void supervisor_prober_room(struct supervisor *sv)
{
	sv->prober_full = false;
	sv_tell_prober(sv);
}

bool supervisor_has_network_probes(const struct supervisor *sv)
{
	const struct image *image = sv->set[sv->current].image;

	for (uint32_t i = 0; i < image->service_count; i++)
		for (unsigned role = 0; role < PROBE_ROLES; role++) {
			const struct probe_settings *probe =
			    image_probe(image, image_service(image, i), role);

			if (probe && is_network(probe))
				return true;
		}
	return false;
}
