#include "init/base.h"
#include "init/loader.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MESSAGE_SIZE = 1024 };

/* Messages live in an arena that lives in itself. */
static void *get(struct config_errors *errors, size_t size)
{
	struct arena first = {0};

	if (!errors->memory) {
		struct arena *arena = arena_get(&first, sizeof(*arena));
		if (!arena)
			return NULL;
		*arena = first;
		errors->memory = arena;
	}
	return arena_get(errors->memory, size);
}

void config_errors_free(struct config_errors *errors)
{
	if (errors->memory) {
		struct arena arena = *(struct arena *)errors->memory;
		arena_free(&arena);
	}
	*errors = (struct config_errors){0};
}

/* Puts a message behind those of the same or an earlier line; not twice. */
static void add(struct config_errors *errors, struct config_messages *messages, uint32_t file,
    uint32_t line, const char *text)
{
	struct config_message **at = &messages->first;

	for (; *at; at = &(*at)->next) {
		const struct config_message *other = *at;
		if (other->file > file || (other->file == file && other->line > line))
			break;
		if (other->file == file && other->line == line && !strcmp(other->text, text))
			return;
	}
	if (messages->count == CONFIG_MAX_MESSAGES) {
		messages->dropped++;
		return;
	}
	size_t length = strlen(text) + 1;
	struct config_message *message = get(errors, sizeof(*message) + length);
	if (!message) {
		messages->dropped++;
		return;
	}
	char *copy = (char *)(message + 1);
	memcpy(copy, text, length);
	*message = (struct config_message){file, line, copy, *at};
	*at = message;
	messages->count++;
}

static void print_message(const struct loader *loader, struct text *text, uint32_t file,
    uint32_t line, const char *format, va_list arguments)
{
	char message[MESSAGE_SIZE / 2];

	vsnprintf(message, sizeof(message), format, arguments);
	text_add(text, loader->files[file]);
	if (line)
		text_addf(text, ":%" PRIu32, line);
	text_addf(text, ": %s", message);
}

void loader_error(struct loader *loader, struct draft *draft, uint32_t file, uint32_t line,
    const char *format, ...)
{
	char buffer[MESSAGE_SIZE];
	struct text text;
	va_list arguments;
	struct config_messages *messages = &loader->errors->errors;

	if (draft && draft->optional && loader->input->flags & CONFIG_TOLERANT)
		messages = &loader->errors->warnings;
	if (draft && draft->owner)
		draft = draft->owner;
	/* A configuration of nothing but errors costs no more than to count them. */
	if (messages->count == CONFIG_MAX_MESSAGES && (!draft || draft->broken)) {
		messages->dropped++;
		return;
	}
	text_init(&text, buffer, sizeof(buffer));
	va_start(arguments, format);
	print_message(loader, &text, file, line, format, arguments);
	va_end(arguments);
	add(loader->errors, messages, file, line, buffer);
	uint64_t at = (uint64_t)file << 32 | line;
	if (draft && (!draft->broken || at < draft->broken_at)) {
		draft->broken = arena_copy(&loader->arena, buffer, strlen(buffer));
		draft->broken_at = at;
		if (!draft->broken)
			loader->no_memory = true;
	}
}

void loader_warning(struct loader *loader, uint32_t file, uint32_t line, const char *format, ...)
{
	char buffer[MESSAGE_SIZE];
	struct text text;
	va_list arguments;

	text_init(&text, buffer, sizeof(buffer));
	va_start(arguments, format);
	print_message(loader, &text, file, line, format, arguments);
	va_end(arguments);
	add(loader->errors, &loader->errors->warnings, file, line, buffer);
}

const char *loader_show(const char *value, char buffer[static LOADER_SHOWN])
{
	size_t length = 0;

	for (; value[length] && length < LOADER_SHOWN - 1; length++)
		buffer[length] = (unsigned char)value[length] < ' ' || value[length] == 0x7f
				     ? '?'
				     : value[length];
	if (value[length])
		memcpy(buffer + length - 3, "...", 3);
	buffer[length] = '\0';
	return buffer;
}

static void write_all(
    const struct config_messages *messages, const char *kind, config_write *write, void *context)
{
	char line[64];

	for (const struct config_message *m = messages->first; m; m = m->next)
		write(context, m->text);
	if (messages->dropped) {
		snprintf(line, sizeof(line), "and %" PRIu32 " more %s", messages->dropped, kind);
		write(context, line);
	}
}

void config_errors_write(const struct config_errors *errors, config_write *write, void *context)
{
	write_all(&errors->errors, "errors", write, context);
}

void config_warnings_write(const struct config_errors *errors, config_write *write, void *context)
{
	write_all(&errors->warnings, "warnings", write, context);
}
