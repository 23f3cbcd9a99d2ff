/* The settings of each service. */
#include "init/base.h"
#include "init/loader.h"
#include "init/value.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

/* Room for a path and a number. */
enum { PLACE_SIZE = 1200 };

#define CONSOLE "/dev/console" /* console(4): wherever the kernel's messages go */

ref loader_texts(struct loader *loader, const char *const *texts, uint32_t count)
{
	loader->list->count = 0;
	for (uint32_t i = 0; i < count && i < LOADER_ITEMS; i++)
		loader->list->item[loader->list->count++] =
		    builder_text(&loader->builder, texts[i], strlen(texts[i]));
	return builder_list(&loader->builder, loader->list);
}

static ref text(struct loader *loader, const char *string)
{
	return builder_text(&loader->builder, string, strlen(string));
}

/* What COMMAND's service is unless its own section says otherwise: run once, on sinit's own
 * standard input, in the directory that sinit was started in. */
static void main_base(struct loader *loader, struct service_settings *base)
{
	base->enabled = 1;
	base->type = TYPE_SIMPLE;
	base->restart = RESTART_NEVER;
	base->standard_input = text(loader, "inherit");
	/* [defaults] may have set another; but / is only for want of a better one. */
	if (base->working_directory == loader->builtin.working_directory)
		base->working_directory = 0;
}

/* [service main] may say how COMMAND runs, but not what it is. */
static void check_main(struct loader *loader, struct draft *draft)
{
	static const uint8_t fixed[] = {
	    KEY_SERVICE_command, KEY_SERVICE_type, KEY_SERVICE_restart, KEY_SERVICE_enabled};

	for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
		for (const struct entry *e = draft->first; e; e = e->next)
			if (e->key == fixed[i] && *e->value)
				loader_error(loader, draft, e->file, e->line,
				    "%s: main is the COMMAND of the command line; "
				    "this cannot be set for it",
				    schema_name(schema_at(fixed[i])));
}

/* COMMAND as it stands: nothing in it is expanded. It may have any number of words. */
static ref main_command(struct loader *loader)
{
	char *const *argv = loader->input->main_argv;
	size_t count = 0;

	while (argv[count])
		count++;
	struct image_list *list =
	    arena_get(&loader->arena, sizeof(*list) + count * sizeof(list->item[0]));
	if (!list) {
		loader->no_memory = true;
		return 0;
	}
	for (; list->count < count; list->count++)
		list->item[list->count] = text(loader, argv[list->count]);
	return builder_list(&loader->builder, list);
}

static void check_delays(
    struct loader *loader, const struct draft *draft, const struct service_settings *service)
{
	char buffer[64];
	struct text shown;

	if (service->restart_delay <= service->max_backoff)
		return;
	const struct entry *entry = loader_effective(loader, draft, KEY_SERVICE_restart_delay);
	if (!entry)
		entry = loader_effective(loader, draft, KEY_SERVICE_max_backoff);
	if (!entry)
		return;
	text_init(&shown, buffer, sizeof(buffer));
	value_print_duration(&shown, service->restart_delay);
	text_add(&shown, " is above max_backoff, ");
	value_print_duration(&shown, service->max_backoff);
	loader_warning(
	    loader, entry->file, entry->line, "restart_delay = %s, which is what counts", buffer);
}

/* memory_warn is for before the limit. */
static void check_warn(
    struct loader *loader, struct draft *draft, const struct service_settings *service)
{
	const struct image *image = builder_image(&loader->builder);
	const char *value = image_string(image, service->memory_warn);
	uint64_t max = cgroup_size(image_string(image, service->memory_max)), bytes;
	const struct entry *entry = loader_effective(loader, draft, KEY_SERVICE_memory_warn);

	if (!value || !entry)
		return;
	if (cgroup_warn_value(value, max, &bytes) == -ENOENT)
		loader_fault(loader, draft, entry, "a part of memory_max, which is not set");
	else if (bytes >= max)
		loader_fault(
		    loader, draft, entry, "it is not below memory_max, and would never come");
	else if (bytes >= cgroup_size(image_string(image, service->memory_high)))
		loader_fault(
		    loader, draft, entry, "it is not below memory_high, where the service is held");
}

/* FILE:LINE of its section. */
static const char *place(const struct loader *loader, const struct draft *draft, char *buffer)
{
	char digits[12] = "";
	size_t at = sizeof(digits) - 1;
	struct text where;

	if (!draft->used)
		return "command line";
	/* By hand: printf(3) a thousand times is half a millisecond. */
	for (uint32_t line = draft->line; line; line /= 10)
		digits[--at] = (char)('0' + line % 10);
	text_init(&where, buffer, PLACE_SIZE);
	text_add(&where, loader->files[draft->file]);
	text_add(&where, ":");
	text_add(&where, digits + at);
	return buffer;
}

/* Nothing of [defaults]: it has to work when all else is wrong. A shell passes TERM over, and
 * HUP is what its terminal would send. */
void loader_emergency(struct loader *loader, uint32_t index)
{
	const struct service_settings *before = builder_service(&loader->builder, index);
	struct service_settings service = loader->builtin;

	service.dependents = before->dependents;
	service.restarts = before->restarts;
	service.name = text(loader, IMAGE_EMERGENCY);
	service.where = text(loader, "[sinit] emergency");
	service.description = text(loader, "shell on the console, for when nothing else can run");
	service.tty = text(loader, CONSOLE);
	service.flags |= SERVICE_LAST_RESORT;
	service.enabled = 0;
	service.restart = RESTART_ALWAYS;
	service.max_restarts = SETTING_UNLIMITED;
	service.stop_signal = SIGHUP;
	loader->list->count = 1;
	loader->list->item[0] = image_settings(builder_image(&loader->builder))->emergency;
	service.command = builder_list(&loader->builder, loader->list);
	*builder_service(&loader->builder, index) = service;
}

static void make_service(struct loader *loader, struct draft *draft, uint32_t index)
{
	struct service_settings base = loader->template;
	char where[PLACE_SIZE];

	if (draft->is_emergency) {
		loader_emergency(loader, index);
		return;
	}
	if (draft->is_main) {
		main_base(loader, &base);
		check_main(loader, draft);
	}
	struct service_settings service = base;
	loader_apply(loader, draft, &service, &base);
	loader_limits(loader, draft, &service, &base);
	service.name = text(loader, draft->name);
	service.where = text(loader, place(loader, draft, where));
	loader_identity(loader, &service);
	loader_log_user(loader, draft, &service, &base);
	loader_environment(loader, draft, &service);
	if (draft->is_main) {
		service.flags |= SERVICE_MAIN;
		service.command = main_command(loader);
		builder_image(&loader->builder)->main_service = index;
	} else if (!draft->misspelt && !loader_effective(loader, draft, KEY_SERVICE_command)) {
		loader_error(loader, draft, draft->file, draft->line,
		    "[service %s]: command is missing; write command = PROGRAM ARGUMENTS",
		    draft->name);
	}
	check_delays(loader, draft, &service);
	check_warn(loader, draft, &service);
	loader_log_paths(loader, draft, &service);
	loader_check_log(loader, draft, &service);
	*builder_service(&loader->builder, index) = service;
}

void loader_services(struct loader *loader)
{
	for (uint32_t i = 0; i < loader->count && !loader->no_memory; i++)
		make_service(loader, loader->drafts[i], i);
}
