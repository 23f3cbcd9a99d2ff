/* Files of variables: environment_file. */
#include "init/files.h"
#include "init/loader.h"
#include "init/words.h"

#include <errno.h>
#include <string.h>

static const char *trim(char *start)
{
	char *end = start + strlen(start);

	while (end > start && strchr(" \t\r", end[-1]))
		end--;
	*end = '\0';
	return start + strspn(start, " \t");
}

/* Takes the quotes off a value in place. false: the closing one is missing, or something
 * follows it. */
static bool unquote(char *value)
{
	char quote = *value;
	char *to = value;

	if (quote != '"' && quote != '\'')
		return true;
	char *from = value + 1;
	for (; *from && *from != quote; from++) {
		if (quote == '"' && *from == '\\' && from[1] && strchr("\"\\$", from[1]))
			from++;
		*to++ = *from;
	}
	bool closed = *from && !from[1];
	*to = '\0';
	return closed;
}

/* One line of a file: NULL, or what is wrong with it. *ret_variable is NULL for a line that
 * sets nothing. */
static const char *parse_line(char *line, const char **ret_variable)
{
	char *start = (char *)trim(line);
	size_t length = strcspn(start, "=");

	*ret_variable = NULL;
	if (!*start || *start == '#' || *start == ';')
		return NULL;
	if (!start[length])
		return "expected NAME=VALUE";
	if (!words_is_variable(start, length))
		return "the name before the = has only letters, digits and _";
	char *value = start + length + 1;
	char *body = value + strspn(value, " \t");
	if (!unquote(body))
		return "a quoted value ends with its quote";
	/* Blanks between the = and the value are no part of it. */
	memmove(value, body, strlen(body) + 1);
	*ret_variable = start;
	return NULL;
}

static void parse_file(
    struct loader *loader, struct draft *draft, struct env_file *file, char *text)
{
	uint32_t number = 0;
	uint32_t line = 0;

	file->variables = arena_get(&loader->arena, LOADER_VARIABLES * sizeof(*file->variables));
	if (!file->variables || loader_add_file(loader, file->path, &number) < 0) {
		loader->no_memory = true;
		return;
	}
	while (text) {
		char *next = strchr(text, '\n');
		const char *variable;
		if (next)
			*next++ = '\0';
		line++;
		const char *fault = parse_line(text, &variable);
		if (variable && file->count == LOADER_VARIABLES) {
			variable = NULL;
			fault = "more than 1024 variables";
		}
		if (fault) {
			loader_error(loader, draft, number, line, "%s", fault);
			file->broken = draft->broken;
		}
		if (variable)
			file->variables[file->count++] = variable;
		text = next;
	}
}

const struct env_file *loader_env_file(
    struct loader *loader, struct draft *draft, const struct entry *entry, const char *path)
{
	struct env_file *file = loader->env_files;
	bool optional = *path == '-';
	char *text = NULL;
	size_t size;

	path += optional;
	for (; file; file = file->next)
		if (strcmp(file->path, path) == 0)
			return file;
	int error = files_read(&loader->arena, path, &text, &size);
	if ((error == -ENOENT || error == -ENOLINK) && optional)
		return NULL;
	if (!error && memchr(text, '\0', size))
		error = -EILSEQ;
	if (error) {
		char shown[LOADER_SHOWN];
		const char *reason = error == -EILSEQ ? "it has a NUL byte" : files_error(error);
		loader_error(loader, draft, entry->file, entry->line, "environment_file = %s: %s%s",
		    loader_show(path, shown), reason,
		    error == -ENOENT ? "; a - before the path lets it be missing" : "");
		return NULL;
	}
	file = arena_get(&loader->arena, sizeof(*file));
	char *copy = arena_copy(&loader->arena, path, strlen(path));
	if (!file || !copy) {
		loader->no_memory = true;
		return NULL;
	}
	file->path = copy;
	file->next = loader->env_files;
	loader->env_files = file;
	parse_file(loader, draft, file, text);
	return file;
}
