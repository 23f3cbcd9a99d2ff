/* What the files of the supervisor share with each other and with nobody else. */
#ifndef SINIT_INIT_SUPERVISOR_INTERNAL_H
#define SINIT_INIT_SUPERVISOR_INTERNAL_H

#include "init/supervisor.h"

static inline const struct image *place_image(const struct supervisor *sv, struct place place)
{
	return sv->set[place.set].image;
}

static inline const struct service_settings *place_settings(
    const struct supervisor *sv, struct place place)
{
	return image_service(place_image(sv, place), place.index);
}

/* A list of services in a place's image; item i is the slot sv_slot(sv, place, list, i). */
static inline uint32_t sv_slot(const struct supervisor *sv, struct place place,
    const struct image_list *list, uint32_t i)
{
	return sv->set[place.set].slot_of[list->item[i]];
}

/* --- supervisor.c --- */

/* Gives the machine an event and carries out what it answers. */
void sv_deliver(struct supervisor *sv, uint32_t slot, const struct machine_event *event);
void sv_deliver_kind(struct supervisor *sv, uint32_t slot, enum event kind, enum cause cause);

/* True if a session of the service has processes; forgets it if not. A session must be
 * forgotten as soon as it is empty, since the kernel may then give its number to a stranger:
 * this is asked whenever a process of it, or an orphan that may be of it, was reaped. */
bool sv_session_left(struct supervisor *sv, uint32_t slot, unsigned i);

/* --- supervisor_spawn.c --- */

/* Starts a process of a service in the given role and delivers what comes of it. */
void sv_spawn(struct supervisor *sv, uint32_t slot, enum pid_role role, ref command);
/* A spawn failed for want of descriptors: not the service's fault. */
bool sv_is_shortage(const struct spawn_result *result);
/* Asks for the spawns that were pending. */
void sv_poll_pending(struct supervisor *sv);
/* A process in a pending spawn has died: true if it had failed before its exec. */
bool sv_pending_failed(struct supervisor *sv, uint32_t slot, unsigned which, pid_t pid,
    struct spawn_result *ret);
/* Rooms for every service of the image. 0 or -ENOMEM. */
int sv_make_rooms(struct supervisor *sv, const struct image *image);

/* --- supervisor_deps.c --- */

enum deps sv_dependencies(const struct supervisor *sv, uint32_t slot, int32_t *ret_blocker);
/* A service's state, readiness or want has changed: whom does it concern? */
void sv_touch(struct supervisor *sv, uint32_t slot, bool became_ready);

/* --- supervisor_report.c --- */

struct before {
	uint8_t state, want, ready;
	bool active;
	uint32_t life, restarts;
};
void sv_report(struct supervisor *sv, uint32_t slot, const struct before *before,
    const struct machine_event *event, unsigned actions);
void sv_report_spawn_error(struct supervisor *sv, uint32_t slot, enum pid_role role,
    const char *command, const struct spawn_result *result);
void sv_report_leftovers(struct supervisor *sv, uint32_t slot);
void sv_event(struct supervisor *sv, const struct board_event *event);

/* --- supervisor_requests.c --- */

/* Asks for a service and all that it needs; not for what was stopped by hand. */
void sv_want_up(struct supervisor *sv, uint32_t slot, enum cause cause);

/* --- supervisor_adopt.c --- */

/* The service's next processes live by the settings at `place`. */
void sv_take_settings(struct supervisor *sv, uint32_t slot, struct place place);

/* A removed service is down: its slot can be used again. */
void sv_free_slot(struct supervisor *sv, uint32_t slot);

/* Gives back images that nobody refers to any more. */
void sv_sweep_sets(struct supervisor *sv);

#endif
