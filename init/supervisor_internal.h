/* What the files of the supervisor share with each other and with nobody else. */
#ifndef SINIT_INIT_SUPERVISOR_INTERNAL_H
#define SINIT_INIT_SUPERVISOR_INTERNAL_H

#include "cgroup/tree.h"
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

/* Whether a stop by hand outlives sinit. That of sinit's own emergency shell does not: it is the
 * last resort of the next start, too. */
static inline bool sv_remembers(const struct supervisor *sv, struct place place)
{
	return sv->state_dir && !(place_settings(sv, place)->flags & SERVICE_LAST_RESORT);
}

/* A list of services in a place's image; item i is the slot sv_slot(sv, place, list, i). */
static inline uint32_t sv_slot(
    const struct supervisor *sv, struct place place, const struct image_list *list, uint32_t i)
{
	return sv->set[place.set].slot_of[list->item[i]];
}

/* A record before a step of the machine. */
struct before {
	uint8_t state, want, ready, deps;
	bool active;
	uint32_t life, restarts;
	int64_t ready_at;
};

/* --- supervisor.c --- */

/* Gives the machine an event and carries out what it answers. */
void sv_deliver(struct supervisor *sv, uint32_t slot, const struct machine_event *event);
void sv_deliver_kind(struct supervisor *sv, uint32_t slot, enum event kind, enum cause cause);

/* True if a session of the service has processes; forgets it if not. A session must be
 * forgotten as soon as it is empty, since the kernel may then give its number to a stranger:
 * this is asked whenever a process of it, or an orphan that may be of it, was reaped. */
bool sv_session_left(struct supervisor *sv, uint32_t slot, unsigned i);

/* --- supervisor_emergency.c --- */

/* There is a new configuration. */
void sv_find_emergency(struct supervisor *sv);
/* The init of a machine: starts the emergency shell if nothing else can run, and lets it go
 * when that is over. */
void sv_emergency(struct supervisor *sv);

/* --- supervisor_fill.c --- */

/* Rooms for every service of the image. 0 or -ENOMEM. */
int sv_make_rooms(struct supervisor *sv, const struct image *image);
/* Fills *spawn for a command of the settings at `place`; its words are in the room. */
void sv_fill_spawn(const struct supervisor *sv, struct place place, ref command, enum pid_role role,
    struct spawn_room *room, struct spawn *spawn);
/* The same for a check of the service's present life that is a process. */
void sv_fill_check(const struct supervisor *sv, uint32_t slot, const struct probe_settings *probe,
    const struct image_target *target, struct spawn_room *room, struct spawn *spawn);

/* --- supervisor_capture.c --- */

/* Makes the pipes that a service's settings ask for, and gives up those that they do not. */
void sv_capture_follow(struct supervisor *sv, uint32_t slot);
/* The service is no more. */
void sv_capture_leave(struct supervisor *sv, uint32_t slot);
/* Sets what stdout and stderr of a process are. */
void sv_capture_spawn(struct supervisor *sv, uint32_t slot, struct spawn *spawn);
/* Its last line ends here, even if it does not. `event`: of the end of its main process, 0: it is
 * not that. */
void sv_capture_ended(struct supervisor *sv, uint32_t slot, uint64_t event);

/* --- supervisor_spawn.c --- */

/* Starts a process of a service in the given role and delivers what comes of it. */
void sv_spawn(struct supervisor *sv, uint32_t slot, enum pid_role role, ref command);
/* A process whose exec was pending has ended, or been given up: its room is free. */
void sv_leave_room(struct supervisor *sv, pid_t pid);
/* A spawn failed for want of descriptors: not the service's fault. */
bool sv_is_shortage(const struct spawn_result *result);
/* A process in a pending spawn has died: true if it had failed before its exec. */
bool sv_pending_failed(
    struct supervisor *sv, uint32_t slot, unsigned which, pid_t pid, struct spawn_result *ret);
/* Starts the process of a check. 0: *ret is filled; -errno: there is none. */
int sv_spawn_check(struct supervisor *sv, uint32_t slot, const struct probe_settings *probe,
    const struct image_target *target, struct spawn_result *ret);

/* --- supervisor_probes.c --- */

/* The probe of a service's present life, NULL: it has none of that role. */
const struct probe_settings *sv_probe(
    const struct supervisor *sv, uint32_t slot, enum probe_role role);
/* Sets what the record says of probes, when a service is new or its settings are. */
void sv_probes_describe(struct supervisor *sv, uint32_t slot);
/* The service's state or life has changed: begins and ends its probes. */
void sv_probes_follow(struct supervisor *sv, uint32_t slot);
/* A reload has changed the probes with these bits, and the service runs on. */
void sv_probes_changed(struct supervisor *sv, uint32_t slot, unsigned roles);
/* What has passed or failed often enough. */
void sv_verdict(struct supervisor *sv, uint32_t slot, enum probe_role role, bool passing,
    enum probe_fault fault, int32_t detail);
/* READY=1. */
void sv_notified(struct supervisor *sv, uint32_t slot);

/* --- supervisor_tell.c --- */

/* A number of its own for each probe, always the same. */
uint32_t sv_probe_seed(const struct supervisor *sv, uint32_t slot, enum probe_role role);
/* What the prober was told of the service holds no longer. */
void sv_prober_stale(struct supervisor *sv, uint32_t slot);
/* Sends the prober what is new. */
void sv_tell_prober(struct supervisor *sv);
/* Asks the prober for one look at `target`. 0, or -errno: it cannot be asked now. */
int sv_ask_prober(
    struct supervisor *sv, uint32_t slot, enum probe_role role, const struct image_target *target);

/* --- supervisor.c --- */

/* A service's start is over, or one is no longer waited for: is that of all? */
void sv_look_at_starts(struct supervisor *sv);

/* --- supervisor_notify.c --- */

/* The service has said so, or says so no longer. */
void sv_said(struct supervisor *sv, uint32_t slot, enum board_said which, bool said);
/* One of its words; an empty one takes it away. */
void sv_set_words(
    struct supervisor *sv, uint32_t slot, enum board_said which, const char *text, size_t length);
/* The main process has ended, with this status: true if another, which it named, has taken its
 * place. */
bool sv_hand_over(struct supervisor *sv, uint32_t slot, const struct exit_status *status);

/* --- supervisor_slices.c --- */

static inline bool sv_can_have_slices(const struct supervisor *sv)
{
	return sv->cgroups && sv->cgroups->root_fd >= 0;
}
static inline bool sv_has_controller(const struct supervisor *sv, enum cgroup_controller controller)
{
	return sv->cgroups->enabled & 1u << controller;
}
/* A limit as the service has it by the settings at `place`, NULL: none. */
static inline const char *sv_limit(
    const struct supervisor *sv, struct place place, enum cgroup_limit limit)
{
	return image_cgroup(place_image(sv, place), place_settings(sv, place), limit);
}
/* Sets what the record says of the slice: bits of enum board_slice. */
void sv_slice_flags(struct supervisor *sv, uint32_t slot, unsigned flags);

/* Makes the service's slice, if it has none and there can be any, for the next process of it.
 * 0; -errno: it must have one, or the system is short of descriptors. */
int sv_slice_enter(struct supervisor *sv, uint32_t slot);
/* Gives it back. */
void sv_slice_leave(struct supervisor *sv, uint32_t slot);
/* A new life begins, and nothing of the one before is left. */
void sv_slice_new_life(struct supervisor *sv, uint32_t slot);
/* Its state has changed: gives the slice back when it is no longer needed. */
void sv_slice_follow(struct supervisor *sv, uint32_t slot);
/* Signals all that is in its slice (0: asks). False: there was nobody, or it has none. */
bool sv_slice_signal(struct supervisor *sv, uint32_t slot, int sig);
/* Whether anybody is in it; when the last one goes, the kernel tells. */
bool sv_slice_left(struct supervisor *sv, uint32_t slot);
/* A running service's settings have changed: so do its limits. */
void sv_slice_settings(struct supervisor *sv, uint32_t slot, struct place from, struct place to);
/* Whether the kernel may kill in slices for want of memory. */
bool sv_slice_may_oom(const struct supervisor *sv);
/* Whether its slice is frozen, by whomever. */
bool sv_slice_frozen(const struct supervisor *sv, uint32_t slot);
/* Whether no process could be made since the service has as many as it may. */
bool sv_slice_full(const struct supervisor *sv, uint32_t slot, int error);
/* A slice, `fresh`: new, is there: what its counters say now is no news. */
void sv_oom_begin(struct supervisor *sv, uint32_t slot, bool fresh);
/* Whether the kernel has killed in its slice for want of memory, just now. */
bool sv_oom_killed(struct supervisor *sv, uint32_t slot);
/* Lets its slice go on, whoever has frozen it. */
void sv_slice_unfreeze(struct supervisor *sv, uint32_t slot);
/* Lets it go on if it is paused. */
void sv_thaw(struct supervisor *sv, uint32_t slot);
/* The child that was to change limits has ended. */
void sv_slice_changed(struct supervisor *sv, uint32_t slot, pid_t pid, bool well);
/* Has a child set memory.high to memory_warn, for which the kernel reclaims. False: it cannot
 * be done now; else sv_warn_begin() follows. */
bool sv_slice_arm(struct supervisor *sv, uint32_t slot);
/* memory.events may have changed. */
void sv_memory_event(struct supervisor *sv, uint32_t slot);
/* Puts an event about memory on the board and into the log; fills in whom it is about. */
void sv_memory_tell(struct supervisor *sv, uint32_t slot, struct board_event *event,
    void (*log)(const char *service, const char *format, ...));
/* Looks at those whose time has come. */
void sv_slices_due(struct supervisor *sv);
/* Reads some slices, if anybody has asked. */
void sv_measure_some(struct supervisor *sv);

/* --- supervisor_warn.c --- */

/* Its slice is new, or memory_warn is; it goes, or memory_warn does. */
void sv_warn_begin(struct supervisor *sv, uint32_t slot);
void sv_warn_end(struct supervisor *sv, uint32_t slot);
/* memory.high becomes what it is configured to be. */
void sv_warn_unset(struct supervisor *sv, uint32_t slot);
/* The wire is about to be written over: it is set again by sv_warn_begin(). */
void sv_warn_forget(struct supervisor *sv, uint32_t slot);
/* memory.high was passed. */
void sv_warn_tripped(struct supervisor *sv, uint32_t slot);
/* It is time to look. */
void sv_warn_look(struct supervisor *sv, uint32_t slot);

/* --- supervisor_recovery.c --- */

/* An event tells that something is wrong with the service. */
void sv_trouble(struct supervisor *sv, uint32_t slot);
/* Its state or its health may have changed: whether it is on its way out of trouble. */
void sv_recovery(struct supervisor *sv, uint32_t slot);
/* Tells of those that have been well for long enough. */
void sv_recoveries_due(struct supervisor *sv);

/* --- supervisor_stats.c --- */

/* One check has been made: for the metrics. `ms`: how long it took. */
void sv_stats(struct supervisor *sv, uint32_t slot, enum probe_role role, enum check_kind kind,
    enum probe_fault fault, int32_t detail, int64_t ms);
/* A start has taken too long: what its startup probe's last check has found goes into the
 * record, also if it was the prober's. */
void sv_stats_start(struct supervisor *sv, uint32_t slot);
/* Keeps the record's totals; called after each step of the machine. */
void sv_totals(struct supervisor *sv, uint32_t slot, const struct before *before);
/* Notes the times of the first start; called after sv_totals(). */
void sv_start_times(struct supervisor *sv, uint32_t slot, enum event event);

/* --- supervisor_checks.c --- */

static inline struct check *sv_check(
    const struct supervisor *sv, uint32_t slot, enum probe_role role)
{
	return &sv->check_state[slot * PROBE_ROLES + role];
}
void sv_check_begin(struct supervisor *sv, uint32_t slot, enum probe_role role);
void sv_check_end(struct supervisor *sv, uint32_t slot, enum probe_role role);
/* Those whose time has come; the next one's time, 0: none. */
void sv_checks_due(struct supervisor *sv);
int64_t sv_checks_deadline(const struct supervisor *sv);
/* A process of a check has ended. False: there is no such check any more. */
bool sv_check_ended(
    struct supervisor *sv, uint32_t slot, pid_t pid, const struct exit_status *status);
/* The exec of a check's process has failed, late; its death follows. */
void sv_check_failed(struct supervisor *sv, uint32_t slot, pid_t pid, int error);
/* What process `checker`, which makes a check, has said of its fault. */
void sv_check_detail(struct supervisor *sv, uint32_t slot, pid_t checker, int32_t detail);
/* The prober's answer to what it was asked. */
void sv_check_answered(struct supervisor *sv, uint32_t slot, enum probe_role role,
    enum probe_fault fault, int32_t detail);

/* --- supervisor_deps.c --- */

enum deps sv_dependencies(const struct supervisor *sv, uint32_t slot, int32_t *ret_blocker);
/* A service's state, readiness, want or dependencies have changed: whom does it concern? */
void sv_touch(struct supervisor *sv, uint32_t slot, bool became_ready);

/* --- supervisor_devices.c --- */

/* Whether all that the service waits for by wait_for is there. */
bool sv_devices_there(const struct supervisor *sv, uint32_t slot);
/* Keeps the record's word of what is missing, where that is all that a start waits for. */
void sv_devices_note(struct supervisor *sv, uint32_t slot, bool waits);
/* What is known of the things that the image before waited for holds for this one. */
void sv_devices_adopt(struct supervisor *sv, const struct image *before);

/* --- supervisor_report.c --- */

void sv_report(struct supervisor *sv, uint32_t slot, const struct before *before,
    const struct machine_event *event, unsigned actions);
void sv_report_spawn_error(struct supervisor *sv, uint32_t slot, enum pid_role role,
    const char *command, const struct spawn_result *result);
/* Whether a line of the log is still allowed to a service in a hurry. */
bool sv_may_say(struct supervisor *sv, uint32_t slot);
void sv_report_leftovers(struct supervisor *sv, uint32_t slot);
void sv_event(struct supervisor *sv, const struct board_event *event);

/* --- supervisor_requests.c --- */

/* Asks for a service and all that it needs; not for what was stopped by hand. */
void sv_want_up(struct supervisor *sv, uint32_t slot, enum cause cause);

/* --- supervisor_adopt.c --- */

/* A service gets a slot that nobody has: its unit, and its record on the board. */
void sv_make_unit(struct supervisor *sv, uint32_t slot, struct place place);

/* Order of starting: that of the set's image, then whatever else is still there. `scratch` is
 * image_order()'s. */
void sv_rank_all(struct supervisor *sv, const struct config_set *set, uint32_t *scratch);

/* The service's next processes live by the settings at `place`. */
void sv_take_settings(struct supervisor *sv, uint32_t slot, struct place place);

/* A removed service is down: its slot can be used again. */
void sv_free_slot(struct supervisor *sv, uint32_t slot);

/* Gives back images that nobody refers to any more. */
void sv_sweep_sets(struct supervisor *sv);

#endif
