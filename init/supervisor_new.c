/* The supervisor of the first configuration: its memory, the board, the start of its services. */
#include "init/supervisor_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { SPARE_SLOTS = 64, SPARE_CAPTURES = 2 /* of sinit itself, of syslog */ };

static void *zeroed(size_t count, size_t size, bool *failed)
{
	void *result = calloc(count ? count : 1, size);

	*failed |= !result;
	return result;
}

uint32_t supervisor_capacity(uint32_t services)
{
	uint32_t capacity = services + services / 2 + SPARE_SLOTS;

	return capacity < IMAGE_MAX_SERVICES ? capacity : IMAGE_MAX_SERVICES;
}

static int allocate(struct supervisor *sv, uint32_t services)
{
	uint32_t capacity = supervisor_capacity(services);
	/* Room for twice as many processes as services: main and one aux process each. */
	size_t entries = pidmap_entries(capacity), words = ranks_words(capacity);
	struct ranks *sets[] = {&sv->dirty, &sv->hold, &sv->check, &sv->tell};
	bool failed = false;

	sv->capacity = capacity;
	sv->captures_max = 2 * capacity + SPARE_CAPTURES;
	sv->capture = zeroed(sv->captures_max, sizeof(*sv->capture), &failed);
	sv->unit = zeroed(capacity, sizeof(*sv->unit), &failed);
	sv->history = zeroed(capacity, sizeof(*sv->history), &failed);
	sv->check_state = zeroed(capacity * (size_t)PROBE_ROLES, sizeof(*sv->check_state), &failed);
	sv->check_due = zeroed(capacity, sizeof(*sv->check_due), &failed);
	sv->deadline = zeroed(capacity, sizeof(*sv->deadline), &failed);
	sv->order = zeroed(capacity, sizeof(*sv->order), &failed);
	sv->work = zeroed(capacity, sizeof(*sv->work), &failed);
	for (unsigned i = 0; i < SUPERVISOR_SETS; i++)
		sv->set[i].slot_of = zeroed(capacity, sizeof(uint32_t), &failed);
	for (unsigned i = 0; i < ARRAY_LEN(sets); i++) {
		sets[i]->bits = zeroed(words, sizeof(uint64_t), &failed);
		sets[i]->words = (uint32_t)words;
	}
	pidmap_init(&sv->pids, zeroed(entries, sizeof(struct pid_entry), &failed), entries);
	sv->spawner = spawner_new();
	platform_prepare();
	return failed || !sv->spawner ? -ENOMEM : 0;
}

int supervisor_new(struct supervisor *ret, const struct supervisor_input *input)
{
	struct supervisor *sv = ret;
	uint32_t services = input->image->service_count;
	struct config_set *set = &sv->set[0];
	uint32_t *scratch;
	int rc;

	memset(sv, 0, sizeof(*sv));
	sv->environ = input->environ;
	sv->state_dir = input->state_dir;
	sv->uid = input->uid;
	sv->gid = input->gid;
	sv->main_directory = input->main_directory;
	sv->main_slot = SUPERVISOR_NONE;
	sv->machine = input->mode == MODE_BOOT;
	sv->prober_fd = -1;
	sv->notify = input->notify;
	sv->stats = input->stats;
	sv->cgroups = input->cgroups;
	sv->nofile = input->nofile;
	sv->slices_max = input->slices_max;
	sv->captures_files = input->captures_max;
	sv->rundir = input->rundir;
	sv->store_fd = -1;
	sv->cgroups_required = image_settings(input->image)->cgroups == CGROUPS_REQUIRED;
	supervisor_clock(sv);
	rc = allocate(sv, services);
	if (rc < 0)
		return rc;
	rc = sv_make_rooms(sv, input->image);
	if (rc < 0)
		return rc;
	rc = board_create(&sv->board, input->rundir, sv->capacity);
	if (rc < 0)
		return rc;
	sv->service = sv->board.services;
	set->image = input->image;
	set->size = input->image_size;
	for (uint32_t i = 0; i < services; i++) {
		set->slot_of[i] = i;
		sv_make_unit(sv, i, (struct place){0, i});
	}
	for (uint32_t i = 0; i < services; i++)
		sv_capture_follow(sv, i);
	if (input->image->main_service != IMAGE_NONE)
		sv->main_slot = input->image->main_service;
	scratch = calloc(image_order_scratch(input->image), sizeof(*scratch));
	if (!scratch)
		return -ENOMEM;
	sv_rank_all(sv, set, scratch);
	free(scratch);
	sv_find_emergency(sv);
	sv->board.head->mode = input->mode;
	sv->board.head->began = input->began;
	sv->board.head->started = sv->now;
	sv->board.head->started_wall = platform_wall();
	return 0;
}

void supervisor_start(struct supervisor *sv)
{
	for (uint32_t rank = 0; rank < sv->count; rank++) {
		uint32_t slot = sv->order[rank];
		const struct service_settings *s = place_settings(sv, sv->unit[slot].graph);

		if (s->enabled && !s->broken && !sv->service[slot].by_hand)
			sv_want_up(sv, slot, CAUSE_NONE);
	}
	atomic_store(&sv->board.head->asked, platform_now_us());
	sv_look_at_starts(sv); /* there may be none */
	/* Who reads "running" finds no service that is only about to be started. */
	atomic_store(&sv->board.head->phase, PHASE_RUNNING);
}
