/* Variables and commands. */
#include "init/base.h"
#include "init/loader.h"

#include <string.h>

/* The service's own variables, NAME=VALUE, each name once. */
struct variables {
	const char **list;
	uint32_t count;
	bool full;
};

static size_t name_length(const char *variable)
{
	return strcspn(variable, "=");
}

static void add_variable(struct variables *variables, const char *variable)
{
	size_t length = name_length(variable) + 1;

	for (uint32_t i = 0; i < variables->count; i++)
		if (strncmp(variables->list[i], variable, length) == 0) {
			variables->list[i] = variable;
			return;
		}
	if (variables->count == LOADER_VARIABLES)
		variables->full = true;
	else
		variables->list[variables->count++] = variable;
}

/* --- The service's own variables --- */

bool loader_split(struct loader *loader, struct draft *draft, const struct entry *entry,
    const char *value, const struct words_source *source, struct words *words)
{
	char buffer[256];
	struct text reason;

	*words = (struct words){.data = loader->words, .size = LOADER_WORDS};
	text_init(&reason, buffer, sizeof(buffer));
	int error = words_split(words, value, source, &reason);
	if (error || words->count > LOADER_ITEMS)
		loader_fault(loader, draft, entry, error ? buffer : "too many words");
	return !error && words->count <= LOADER_ITEMS;
}

static void take_file_line(struct loader *loader, struct draft *draft, const struct entry *entry,
    struct variables *variables, const char **paths, uint32_t *path_count)
{
	struct words words;

	if (!loader_split(loader, draft, entry, entry->value, NULL, &words))
		return;
	/* loader_env_file() does not split, so the words stay; but they are needed for longer. */
	const char *path = arena_copy(&loader->arena, words.data, words.used);
	if (!path) {
		loader->no_memory = true;
		return;
	}
	for (uint32_t i = 0; i < words.count; i++, path += strlen(path) + 1) {
		if (path[*path == '-'] != '/' || *path_count == LOADER_VARIABLES) {
			loader_bad_value(loader, draft, entry);
			return;
		}
		paths[(*path_count)++] = path;
		const struct env_file *file = loader_env_file(loader, draft, entry, path);
		if (!file)
			continue;
		if (file->broken && !draft->broken)
			draft->broken = file->broken;
		for (uint32_t v = 0; v < file->count; v++)
			add_variable(variables, file->variables[v]);
	}
}

static void take_line(struct loader *loader, struct draft *draft, const struct entry *entry,
    struct variables *variables)
{
	struct words words;
	char shown[LOADER_SHOWN];

	if (!loader_split(loader, draft, entry, entry->value, NULL, &words))
		return;
	const char *word = words.used ? arena_copy(&loader->arena, words.data, words.used) : "";
	if (!word) {
		loader->no_memory = true;
		return;
	}
	for (uint32_t i = 0; i < words.count; i++, word += strlen(word) + 1) {
		size_t length = name_length(word);
		loader_show(word, shown);
		if (!word[length])
			loader_error(loader, draft, entry->file, entry->line,
			    "environment: '%s' has no =; a value with blanks is quoted: "
			    "environment = \"NAME=two words\"",
			    shown);
		else if (!words_is_variable(word, length))
			loader_error(loader, draft, entry->file, entry->line,
			    "environment: '%s': a name has only letters, digits and _, "
			    "and no digit first",
			    shown);
		else
			add_variable(variables, word);
	}
}

const struct entry *loader_next_line(
    const struct draft *draft, unsigned key, const struct entry *entry)
{
	const struct entry *first = NULL;
	bool fresh = true;

	if (entry) {
		do
			entry = entry->next;
		while (entry && entry->key != key);
		return entry;
	}
	for (entry = draft->first; entry; entry = entry->next) {
		if (entry->key != key)
			continue;
		if (fresh && *entry->value)
			first = entry;
		fresh = !*entry->value;
	}
	return fresh ? NULL : first;
}

static void own_variables(struct loader *loader, struct draft *draft,
    struct service_settings *service, struct variables *variables)
{
	const struct draft *const from[] = {&loader->defaults, draft};
	unsigned file_key = KEY_SERVICE_environment_file;
	unsigned key = KEY_SERVICE_environment;
	const char *paths[LOADER_VARIABLES];
	uint32_t path_count = 0;

	for (size_t i = 0; i < ARRAY_LEN(from); i++)
		for (const struct entry *e = NULL; (e = loader_next_line(from[i], file_key, e));)
			take_file_line(loader, draft, e, variables, paths, &path_count);
	for (size_t i = 0; i < ARRAY_LEN(from); i++)
		for (const struct entry *e = NULL; (e = loader_next_line(from[i], key, e));)
			take_line(loader, draft, e, variables);
	if (variables->full)
		loader_error(loader, draft, draft->file, draft->line,
		    "[service %s]: more than %u variables", draft->name, LOADER_VARIABLES);
	service->environment_file = loader_texts(loader, paths, path_count);
	service->environment = loader_texts(loader, variables->list, variables->count);
}

/* --- Commands --- */

struct lookup {
	const struct loader *loader;
	const struct service_settings *service;
	const struct variables *variables;
};

static const char *find_variable(
    const char *const *list, uint32_t count, const char *name, size_t length)
{
	for (uint32_t i = 0; i < count; i++)
		if (strncmp(list[i], name, length) == 0 && list[i][length] == '=')
			return list[i] + length + 1;
	return NULL;
}

const char *loader_environ(const struct loader *loader, const char *name, size_t length)
{
	char *const *environ = loader->input->environ;
	uint32_t count = 0;

	while (environ && environ[count])
		count++;
	return find_variable((const char *const *)environ, count, name, length);
}

static bool is(const char *name, size_t length, const char *string)
{
	return strlen(string) == length && memcmp(name, string, length) == 0;
}

/* The environment that the service will have: its own variables, then those of its user,
 * then what sinit was given. */
static const char *look_up(const void *context, const char *name, size_t length)
{
	const struct lookup *lookup = context;
	const struct service_settings *service = lookup->service;
	const struct image *image = builder_image(&lookup->loader->builder);
	const char *found =
	    find_variable(lookup->variables->list, lookup->variables->count, name, length);

	if (found)
		return found;
	if (service->user_name) {
		if (is(name, length, "HOME"))
			return image_string(image, service->home);
		if (is(name, length, "SHELL"))
			return image_string(image, service->shell);
		if (is(name, length, "USER") || is(name, length, "LOGNAME"))
			return image_string(image, service->user_name);
	}
	return service->clear_environment ? NULL : loader_environ(lookup->loader, name, length);
}

ref loader_command(struct loader *loader, struct draft *draft, const struct entry *entry,
    const char *value, const struct words_source *source)
{
	struct words words;

	if (!loader_split(loader, draft, entry, value, source, &words))
		return 0;
	if (!words.count || !*words.data) {
		loader_fault(loader, draft, entry, "the command is empty");
		return 0;
	}
	const char *word = words.data;
	loader->list->count = 0;
	for (uint32_t i = 0; i < words.count; i++) {
		size_t length = strlen(word);
		loader->list->item[loader->list->count++] =
		    builder_text(&loader->builder, word, length);
		word += length + 1;
	}
	return builder_list(&loader->builder, loader->list);
}

void loader_environment(
    struct loader *loader, struct draft *draft, struct service_settings *service)
{
	const char *list[LOADER_VARIABLES];
	struct variables variables = {.list = list};
	struct lookup lookup = {loader, service, &variables};
	const char *at = strchr(draft->name, '@');
	struct words_source source = {
	    .name = draft->name,
	    .instance = at ? at + 1 : "1",
	    .lookup = look_up,
	    .context = &lookup,
	};
	static const uint8_t keys[] = {KEY_SERVICE_command, KEY_SERVICE_stop_command,
	    KEY_SERVICE_reload_command, KEY_SERVICE_pre_start, KEY_SERVICE_post_stop};

	own_variables(loader, draft, service, &variables);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		const struct entry *entry = loader_effective(loader, draft, keys[i]);
		ref argv = entry ? loader_command(loader, draft, entry, entry->value, &source) : 0;
		memcpy((char *)service + schema_at(keys[i])->offset, &argv, sizeof(argv));
	}
	loader_probes(loader, draft, service, &source);
}
