/* From a service's settings to what reaper/spawn.h wants to know: words, environment, limits,
 * identity, files. All in room that was made when the configuration was taken over. */
#include "init/supervisor_internal.h"

#include "probes/check.h"

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
		const ref commands[] = {
		    s->command, s->pre_start, s->post_stop, s->stop_command, s->reload_command};
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

		if (probe && image_probe_has(probe, CHECK_HEARTBEAT) &&
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

static size_t make_limits(const struct supervisor *sv, const struct image *image,
    const struct service_settings *s, struct spawn_limit limits[SPAWN_LIMITS])
{
	size_t count = 0;

	/* sinit has raised its own, for the descriptors of the slices. */
	if (sv->nofile.hard && !image_limit(image, s, RLIMIT_NOFILE))
		limits[count++] = sv->nofile;

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

static void set_stdio(
    const struct image *image, const struct service_settings *s, struct spawn *spawn)
{
	const char *in = image_string(image, s->standard_input);

	spawn->in = STDIO_NULL;
	if (in && !strcmp(in, "inherit"))
		spawn->in = STDIO_INHERIT;
	else if (in && *in == '/')
		spawn->in = STDIO_PATH;
	spawn->stdin_path = in;
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
static const char *find_directory(
    const struct supervisor *sv, const struct image *image, const struct service_settings *s)
{
	if (s->flags & SERVICE_MAIN && !s->working_directory)
		return sv->main_directory;
	return image_string(image, s->working_directory);
}

void sv_fill_spawn(const struct supervisor *sv, struct place place, ref command, enum pid_role role,
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
	spawn->limit_count = make_limits(sv, image, s, room->limits);
	set_identity(sv, image, s, spawn);
	set_stdio(image, s, spawn);
	if (role != PID_MAIN)
		plain_stdio(spawn);
}

/* The words of a check in a process of its own: see probes/helper.h. They end up in the room. */
static void checker_words(const struct supervisor *sv, uint32_t slot, const struct image *image,
    const struct probe_settings *probe, const struct image_target *target, struct spawn_room *room)
{
	bool listens = target->kind == CHECK_LISTEN;
	const char *subject =
	    listens ? target->udp ? "udp" : "tcp" : image_string(image, target->path);
	const char *const words[] = {HELPER_NAME_CHECKER, sv->notify ? sv->notify : "-",
	    check_name((enum check_kind)target->kind), subject, room->numbers,
	    room->numbers + sizeof(room->numbers) / 2};

	snprintf(room->numbers, sizeof(room->numbers) / 2, "%u",
	    listens ? (unsigned)target->port : (unsigned)probe->max_age);
	snprintf(room->numbers + sizeof(room->numbers) / 2, sizeof(room->numbers) / 2, "%d",
	    (int)sv->service[slot].pid);
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		room->words[i] = (char *)(uintptr_t)words[i];
	room->words[ARRAY_LEN(words)] = NULL;
}

void sv_fill_check(const struct supervisor *sv, uint32_t slot, const struct probe_settings *probe,
    const struct image_target *target, struct spawn_room *room, struct spawn *spawn)
{
	sv_fill_spawn(sv, sv->unit[slot].life, target->command, PID_PROBE, room, spawn);
	spawn->out.kind = spawn->err.kind = STDIO_NULL;
	if (target->kind == CHECK_EXEC)
		return;
	checker_words(sv, slot, place_image(sv, sv->unit[slot].life), probe, target, room);
	spawn->envp = (char **)(uintptr_t)no_environment;
	spawn->program = "/proc/self/exe";
	spawn->directory = NULL;
	spawn->limit_count = 0;
}
