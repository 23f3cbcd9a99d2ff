/* What the prober is told, see supervisor_probes.c: all that a check needs, in one message;
 * what finds no room in the channel is told when there is some. */
#include "init/supervisor_internal.h"

#include <errno.h>
#include <string.h>

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

/* `once`: what alone is to be looked at, and once; NULL: the probe as it is configured. */
static int send_begin(
    struct supervisor *sv, uint32_t slot, enum probe_role role, const struct image_target *once)
{
	static const struct image_target none = {.kind = CHECK_NONE};
	_Alignas(struct prober_begin) char buffer[HELPER_MESSAGE];
	const struct image *image = place_image(sv, sv->unit[slot].life);
	const struct probe_settings *probe = sv_probe(sv, slot, role);
	struct prober_begin *begin = (struct prober_begin *)(void *)buffer;
	struct writer w = {begin, 1};

	*begin = (struct prober_begin){.kind = PROBER_BEGIN,
	    .check = slot * PROBE_ROLES + role,
	    .ticket = sv_check(sv, slot, role)->ticket,
	    .generation = sv->service[slot].used,
	    .seed = sv_probe_seed(sv, slot, role),
	    .interval = probe->interval,
	    .timeout = probe->timeout,
	    .initial_delay = probe->initial_delay,
	    .failures = probe->failures,
	    .successes = probe->successes,
	    .role = (uint8_t)role,
	    .once = once != NULL,
	    .health = sv->service[slot].probe[role].health};
	begin->text[0] = '\0';
	begin->target = put_target(&w, image, once ? once : &probe->target);
	begin->fallback = put_target(&w, image, once ? &none : &probe->fallback_target);
	begin->method = put(&w, image, probe->method, "");
	begin->body = put(&w, image, probe->expect_body, "");
	begin->headers = put_headers(&w, image, probe->header);
	put_ranges(begin, image_list(image, probe->expect_status));
	begin->size = (uint16_t)w.used;
	return platform_send(sv->prober_fd, begin, sizeof(*begin) + w.used);
}

int sv_ask_prober(
    struct supervisor *sv, uint32_t slot, enum probe_role role, const struct image_target *target)
{
	sv_check(sv, slot, role)->ticket = ++sv->ticket;
	return sv->prober_fd < 0 ? -ENOTCONN : send_begin(sv, slot, role, target);
}

void sv_prober_stale(struct supervisor *sv, uint32_t slot)
{
	sv->unit[slot].telling = true;
	ranks_add(&sv->tell, sv->unit[slot].rank);
}

/* Brings the prober up to date about one service. 0, or -errno of the channel. */
static int tell_one(struct supervisor *sv, uint32_t slot)
{
	struct unit *u = &sv->unit[slot];

	for (unsigned role = 0; role < PROBE_ROLES; role++) {
		uint8_t bit = (uint8_t)(1 << role);
		const struct probe_settings *probe = sv_probe(sv, slot, role);
		bool wanted = u->probing & bit && probe && image_by_prober(probe);
		struct prober_end end_message = {PROBER_END, slot * PROBE_ROLES + role};
		int rc = 0;

		if (wanted)
			rc = send_begin(sv, slot, role, NULL);
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
			sv_prober_stale(sv, slot);
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

			if (probe && (image_is_network(&probe->target) ||
					 image_is_network(&probe->fallback_target)))
				return true;
		}
	return false;
}
