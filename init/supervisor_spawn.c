/* Births: from a service's settings to a process, and what comes of it. */
#include "init/supervisor_internal.h"

#include "init/log.h"
#include "reaper/exec.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	USER_VARIABLES = 4,
	NOTIFY_VARIABLES = 2,
	ARGV_SPARE = 2,
	LISTEN_WORDS = 5,
	PENDING_POLL = 10, /* ms until the second look at a spawn that hangs; then ever longer */
};

static size_t list_count(const struct image *image, ref at)
{
	return image_list(image, at)->count;
}

/* The greater of `most` and what a probe's commands need. */
static size_t most_of_probe(
    const struct image *image, const struct probe_settings *probe, size_t most)
{
	for (unsigned i = 0; probe && i < 2; i++) {
		const struct image_target *target = i ? &probe->fallback_target : &probe->target;
		size_t words = target->kind == CHECK_LISTEN ? LISTEN_WORDS
							    : list_count(image, target->command);

		if (words > most)
			most = words;
	}
	return most;
}

static size_t most_words(const struct image *image, char *const *environ)
{
	size_t inherited = 0, most = 0;

	while (environ && environ[inherited])
		inherited++;
	for (uint32_t i = 0; i < image->service_count; i++) {
		const struct service_settings *s = image_service(image, i);
		const ref commands[] = {s->command, s->pre_start, s->post_stop, s->stop_command,
		    s->reload_command};
		size_t argv = 0, total;

		for (unsigned c = 0; c < ARRAY_LEN(commands); c++)
			if (list_count(image, commands[c]) > argv)
				argv = list_count(image, commands[c]);
		for (unsigned role = 0; role < PROBE_ROLES; role++)
			argv = most_of_probe(image, image_probe(image, s, role), argv);
		total = argv + list_count(image, s->environment);
		if (total > most)
			most = total;
	}
	return most + inherited + USER_VARIABLES + NOTIFY_VARIABLES + ARGV_SPARE;
}

int sv_make_rooms(struct supervisor *sv, const struct image *image)
{
	size_t words = most_words(image, sv->environ);

	if (words <= sv->words)
		return 0;
	for (unsigned i = 0; i < ARRAY_LEN(sv->room); i++) {
		char **grown;

		if (sv->room[i].pid)
			return -EBUSY; /* its pointers are being read by a process on its way */
		grown = realloc(sv->room[i].words, words * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		sv->room[i].words = grown;
	}
	sv->words = words;
	return 0;
}

static size_t name_length(const char *variable)
{
	return strcspn(variable, "=");
}

static char *const no_environment[] = {NULL};

static bool is_set(char *const *from, size_t count, const char *variable)
{
	size_t length = name_length(variable);

	for (size_t i = 0; i < count; i++)
		if (!strncmp(from[i], variable, length) && from[i][length] == '=')
			return true;
	return false;
}

/* HOME and the like of the service's user, as far as they fit. Returns their number. */
static size_t user_variables(const struct image *image, const struct service_settings *s,
    struct spawn_room *room, char **ret)
{
	static const char names[USER_VARIABLES][8] = {"HOME", "SHELL", "USER", "LOGNAME"};
	const ref values[USER_VARIABLES] = {s->home, s->shell, s->user_name, s->user_name};
	size_t count = 0, used = 0;

	for (unsigned i = 0; i < USER_VARIABLES; i++) {
		struct text text;

		if (!values[i] || used + 2 > sizeof(room->user))
			continue;
		text_init(&text, room->user + used, sizeof(room->user) - used);
		text_addf(&text, "%s=%s", names[i], image_string(image, values[i]));
		if (text.cut)
			continue;
		ret[count++] = text.data;
		used += text.used + 1;
	}
	return count;
}

/* The longest that a heartbeat of the service may be away, ms; 0: it has no such check. */
static uint32_t heartbeat(const struct image *image, const struct service_settings *s)
{
	uint32_t age = 0;

	for (unsigned role = 0; role < PROBE_ROLES; role++) {
		const struct probe_settings *probe = image_probe(image, s, role);

		if (probe && (probe->target.kind == CHECK_HEARTBEAT ||
				 probe->fallback_target.kind == CHECK_HEARTBEAT) &&
		    (!age || probe->max_age < age))
			age = probe->max_age;
	}
	return age;
}

/* NOTIFY_SOCKET and WATCHDOG_USEC (sd_notify(3), sd_watchdog_enabled(3)), for those who are
 * to notify. Returns their number. */
static size_t notify_variables(const struct supervisor *sv, const struct image *image,
    const struct service_settings *s, struct spawn_room *room, char **ret)
{
	uint32_t age = heartbeat(image, s);
	struct text text;
	size_t count = 0;

	if (!sv->notify || (s->type != TYPE_NOTIFY && !age))
		return 0;
	text_init(&text, room->notify, sizeof(room->notify));
	text_addf(&text, "NOTIFY_SOCKET=%s", sv->notify);
	if (text.cut)
		return 0;
	ret[count++] = text.data;
	if (age) {
		text_init(&text, room->watchdog, sizeof(room->watchdog));
		text_addf(&text, "WATCHDOG_USEC=%llu", (unsigned long long)age * 1000);
		ret[count++] = text.data;
	}
	return count;
}

/* The service's environment in `words`: its own variables, those of its user, and those
 * that sinit was given and that neither of them sets. */
static char **make_environment(const struct supervisor *sv, const struct image *image,
    const struct service_settings *s, struct spawn_room *room, char **words)
{
	const struct image_list *own = image_list(image, s->environment);
	char *user[USER_VARIABLES + NOTIFY_VARIABLES];
	size_t count = 0, user_count = user_variables(image, s, room, user);

	user_count += notify_variables(sv, image, s, room, user + user_count);
	if (!own->count && !user_count && !s->clear_environment)
		return (char **)(uintptr_t)sv->environ;
	for (uint32_t i = 0; i < own->count; i++)
		words[count++] = (char *)(uintptr_t)image_string(image, own->item[i]);
	for (size_t i = 0; i < user_count; i++)
		if (!is_set(words, own->count, user[i]))
			words[count++] = user[i];
	if (!s->clear_environment && sv->environ) {
		size_t set = count;

		for (char *const *e = sv->environ; *e; e++)
			if (!is_set(words, set, *e))
				words[count++] = *e;
	}
	words[count] = NULL;
	return words;
}

static const char *find_path(char *const *envp)
{
	for (; envp && *envp; envp++)
		if (!strncmp(*envp, "PATH=", 5))
			return *envp + 5;
	return EXEC_DEFAULT_PATH;
}

static size_t make_limits(const struct image *image, const struct service_settings *s,
    struct spawn_limit limits[SPAWN_LIMITS])
{
	size_t count = 0;

	for (unsigned i = 0; i < IMAGE_LIMITS; i++) {
		const struct image_limit *limit = image_limit(image, s, i);

		if (limit)
			limits[count++] = (struct spawn_limit){
			    .resource = (int)i, .soft = limit->soft, .hard = limit->hard};
	}
	return count;
}

static void set_identity(const struct supervisor *sv, const struct image *image,
    const struct service_settings *s, struct spawn *spawn)
{
	const struct image_list *groups = image_list(image, s->group_ids);

	spawn->unknown_user = s->flags & (SERVICE_UNKNOWN_USER | SERVICE_UNKNOWN_GROUP);
	spawn->set_ids = s->flags & (SERVICE_SET_UID | SERVICE_SET_GID | SERVICE_SET_GROUPS);
	spawn->uid = s->flags & SERVICE_SET_UID ? s->uid : sv->uid;
	spawn->gid = s->flags & SERVICE_SET_GID ? s->gid : sv->gid;
	spawn->groups = s->flags & SERVICE_SET_GROUPS ? groups->item : NULL;
	spawn->group_count = groups->count;
}

static void set_stdio(const struct image *image, const struct service_settings *s,
    struct spawn *spawn)
{
	const char *in = image_string(image, s->standard_input);

	spawn->in = STDIO_NULL;
	if (in && !strcmp(in, "inherit"))
		spawn->in = STDIO_INHERIT;
	else if (in && *in == '/')
		spawn->in = STDIO_PATH;
	spawn->stdin_path = in;
	spawn->out = s->log == LOG_NULL ? STDIO_NULL : STDIO_INHERIT;
	spawn->tty = image_string(image, s->tty);
	spawn->foreground = s->flags & SERVICE_MAIN;
}

/* Only the main process has the terminal, the standard input and the foreground. */
static void plain_stdio(struct spawn *spawn)
{
	spawn->tty = NULL;
	spawn->in = STDIO_NULL;
	spawn->foreground = false;
}

/* COMMAND has none unless it is set, and runs where sinit was started. */
static const char *find_directory(const struct supervisor *sv, const struct image *image,
    const struct service_settings *s)
{
	if (s->flags & SERVICE_MAIN && !s->working_directory)
		return sv->main_directory;
	return image_string(image, s->working_directory);
}

static void fill(const struct supervisor *sv, struct place place, ref command,
    struct spawn_room *room, struct spawn *spawn)
{
	const struct image *image = place_image(sv, place);
	const struct service_settings *s = place_settings(sv, place);
	const struct image_list *argv = image_list(image, command);

	for (uint32_t i = 0; i < argv->count; i++)
		room->words[i] = (char *)(uintptr_t)image_string(image, argv->item[i]);
	room->words[argv->count] = NULL;
	*spawn = (struct spawn){.argv = room->words,
	    .directory = find_directory(sv, image, s),
	    .umask = s->umask == SETTING_UNSET ? -1 : (int)s->umask,
	    .nice = s->nice == SETTING_UNSET_INT ? INT_MIN : s->nice,
	    .oom_score_adj = s->oom_score_adj == SETTING_UNSET_INT ? INT_MIN : s->oom_score_adj,
	    .limits = room->limits};
	spawn->envp = make_environment(sv, image, s, room, room->words + argv->count + 1);
	spawn->path = find_path(spawn->envp);
	spawn->limit_count = make_limits(image, s, room->limits);
	set_identity(sv, image, s, spawn);
	set_stdio(image, s, spawn);
}

static struct spawn_room *free_room(struct supervisor *sv)
{
	for (unsigned i = 0; i < ARRAY_LEN(sv->room); i++)
		if (!sv->room[i].pid)
			return &sv->room[i];
	return NULL;
}

static bool is_shortage(int error)
{
	return error == -EAGAIN || error == -ENOMEM || error == -EBUSY || error == -EMFILE ||
	       error == -ENFILE;
}

/* Nothing is running. `shortage`: the system's fault, not the service's, so it is tried
 * again and does not count. */
static void nothing_runs(struct supervisor *sv, uint32_t slot, enum pid_role role,
    const char *command, const struct spawn_result *result, bool shortage)
{
	bool before_life = role == PID_MAIN || sv->service[slot].m.aux == AUX_PRE_START;

	sv_report_spawn_error(sv, slot, role, command, result);
	if (role == PID_RELOAD)
		return;
	if (before_life && shortage)
		sv_deliver_kind(sv, slot, EVENT_SPAWN_LATER, CAUSE_RESOURCES);
	else
		sv_deliver(sv, slot,
		    &(struct machine_event){
			.kind = role == PID_MAIN ? EVENT_SPAWN_FAILED : EVENT_AUX_EXITED,
			.exit_kind = LAST_SPAWN_ERROR,
			.exit_code = result->error});
}

static void not_spawned(struct supervisor *sv, uint32_t slot, enum pid_role role, int error)
{
	struct spawn_result result = {.step = STEP_FORK, .error = -error};

	nothing_runs(sv, slot, role, NULL, &result, is_shortage(error));
}

/* No free descriptor is sinit's own limit, or the system's: that of the service is set when
 * all its files are open. */
bool sv_is_shortage(const struct spawn_result *result)
{
	return result->error == EMFILE || result->error == ENFILE;
}

/* The child could not make itself what it was to be. */
static void spawn_failed(struct supervisor *sv, uint32_t slot, enum pid_role role,
    const char *command, const struct spawn_result *result)
{
	nothing_runs(sv, slot, role, command, result, sv_is_shortage(result));
}

/* A stop_command comes when pre_start may have left something behind, post_stop when
 * nothing of either is left. */
static unsigned session_index(const struct supervisor *sv, uint32_t slot, enum pid_role role)
{
	if (role == PID_MAIN)
		return 0;
	return sv->service[slot].m.aux == AUX_STOP_COMMAND ? 2 : 1;
}

static void note_process(struct supervisor *sv, uint32_t slot, enum pid_role role, pid_t pid)
{
	struct board_service *s = &sv->service[slot];
	unsigned which = role == PID_AUX;

	if (role == PID_RELOAD)
		return;
	sv->unit[slot].sid[session_index(sv, slot, role)] = pid;
	board_begin(s);
	if (which) {
		s->aux_pid = pid;
	} else {
		s->pid = pid;
		s->starts++;
	}
	board_end(s);
}

/* Makes the process that `spawn` describes, whose words are in `room`. */
static int make_process(struct supervisor *sv, uint32_t slot, enum pid_role role,
    struct spawn_room *room, const struct spawn *spawn, struct spawn_result *ret)
{
	int rc = platform_spawn(sv->spawner, spawn, ret);

	if (rc < 0)
		return rc;
	if (ret->pid > 0)
		pidmap_put(&sv->pids, ret->pid, slot, ret->step && role != PID_PROBE ? PID_FAILED : role);
	if (ret->pending) {
		room->pid = ret->pid;
		sv->pendings++;
		sv->poll_at = sv->now;
		sv->poll_wait = PENDING_POLL / 2;
	}
	return 0;
}

void sv_spawn(struct supervisor *sv, uint32_t slot, enum pid_role role, ref command)
{
	struct unit *u = &sv->unit[slot];
	struct spawn_room *room = free_room(sv);
	struct spawn_result result = {0};
	struct spawn spawn;
	int rc = -EBUSY;

	if (room) {
		fill(sv, u->life, command, room, &spawn);
		if (role != PID_MAIN)
			plain_stdio(&spawn);
		rc = make_process(sv, slot, role, room, &spawn, &result);
	}
	if (rc < 0) {
		not_spawned(sv, slot, role, rc);
		return;
	}
	if (result.step) {
		spawn_failed(sv, slot, role, spawn.argv[0], &result);
		return;
	}
	note_process(sv, slot, role, result.pid);
	if (role == PID_RELOAD)
		return;
	if (result.pending)
		u->pending[role == PID_AUX] = true;
	else if (role == PID_MAIN)
		sv_deliver_kind(sv, slot, EVENT_SPAWNED, CAUSE_NONE);
}

/* The words of a listen check: see probes/helper.h. They end up in the room. */
static void listen_words(const struct supervisor *sv, uint32_t slot,
    const struct image_target *target, struct spawn_room *room)
{
	struct text numbers;
	size_t n = 0;

	text_init(&numbers, room->numbers, sizeof(room->numbers));
	text_addf(&numbers, "%u", (unsigned)target->port);
	room->words[n++] = (char *)(uintptr_t)HELPER_NAME_LISTEN;
	room->words[n++] = room->numbers;
	room->words[n++] = (char *)(uintptr_t)(target->udp ? "udp" : "tcp");
	room->words[n++] = room->numbers + numbers.used + 1;
	snprintf(room->numbers + numbers.used + 1, sizeof(room->numbers) - numbers.used - 1, "%d",
	    (int)sv->service[slot].pid);
	room->words[n++] = (char *)(uintptr_t)(sv->notify ? sv->notify : "-");
	room->words[n] = NULL;
}

int sv_spawn_check(struct supervisor *sv, uint32_t slot, const struct image_target *target,
    struct spawn_result *ret)
{
	struct unit *u = &sv->unit[slot];
	struct spawn_room *room = free_room(sv);
	struct spawn spawn;

	if (!room)
		return -EBUSY;
	fill(sv, u->life, target->command, room, &spawn);
	plain_stdio(&spawn);
	spawn.out = STDIO_NULL;
	if (target->kind == CHECK_LISTEN) {
		listen_words(sv, slot, target, room);
		spawn.envp = (char **)(uintptr_t)no_environment;
		spawn.program = "/proc/self/exe";
		spawn.directory = NULL;
		spawn.limit_count = 0;
	}
	return make_process(sv, slot, PID_PROBE, room, &spawn, ret);
}

static void leave(struct supervisor *sv, pid_t pid)
{
	for (unsigned i = 0; i < ARRAY_LEN(sv->room); i++) {
		if (sv->room[i].pid != pid)
			continue;
		sv->room[i].pid = 0;
		sv->pendings--;
	}
}

void sv_leave_room(struct supervisor *sv, pid_t pid)
{
	struct spawn_result result = {0};

	if (!sv->pendings)
		return;
	platform_spawn_poll(sv->spawner, pid, &result); /* gives its slot back */
	leave(sv, pid);
}

bool sv_pending_failed(struct supervisor *sv, uint32_t slot, unsigned which, pid_t pid,
    struct spawn_result *ret)
{
	*ret = (struct spawn_result){0};
	platform_spawn_poll(sv->spawner, pid, ret);
	sv->unit[slot].pending[which] = false;
	leave(sv, pid);
	return ret->step != STEP_NONE;
}

/* The exec of a main or aux process has come to its end. */
static void birth_ended(struct supervisor *sv, uint32_t slot, enum pid_role role, pid_t pid,
    const struct spawn_result *result)
{
	unsigned which = role == PID_AUX;

	sv->unit[slot].pending[which] = false;
	if (!result->step) {
		if (!which)
			sv_deliver_kind(sv, slot, EVENT_SPAWNED, CAUSE_NONE);
		return;
	}
	pidmap_put(&sv->pids, pid, slot, PID_FAILED);
	sv->unit[slot].sid[session_index(sv, slot, role)] = 0;
	board_begin(&sv->service[slot]);
	*(which ? &sv->service[slot].aux_pid : &sv->service[slot].pid) = 0;
	board_end(&sv->service[slot]);
	spawn_failed(sv, slot, role, NULL, result);
}

void sv_poll_pending(struct supervisor *sv)
{
	for (unsigned i = 0; i < ARRAY_LEN(sv->room) && sv->pendings; i++) {
		pid_t pid = sv->room[i].pid;
		const struct pid_entry *entry = pid ? pidmap_get(&sv->pids, pid) : NULL;
		struct spawn_result result = {0};
		enum pid_role role;
		uint32_t slot;

		if (!entry || platform_spawn_poll(sv->spawner, pid, &result) < 0 || result.pending)
			continue;
		slot = entry->slot;
		role = (enum pid_role)entry->role;
		leave(sv, pid);
		if (role == PID_MAIN || role == PID_AUX)
			birth_ended(sv, slot, role, pid, &result);
		else if (role == PID_PROBE && result.step)
			sv_check_failed(sv, slot, pid, result.error);
		else if (role == PID_RELOAD && result.step)
			spawn_failed(sv, slot, role, NULL, &result);
	}
}
