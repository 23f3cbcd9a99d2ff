#include "init/config.h"

#include "init/base.h"
#include "init/files.h"
#include "init/loader.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

/* The longest path of a configuration file. */
enum { PATH_SIZE = 1024 };

static int start(
    struct loader *loader, const struct config_input *input, struct config_errors *errors)
{
	*loader = (struct loader){.input = input, .errors = errors};
	loader->drafts =
	    arena_get(&loader->arena, (IMAGE_MAX_SERVICES + 1) * sizeof(*loader->drafts));
	loader->slot_count = LOADER_SLOTS;
	loader->slots = arena_get(&loader->arena, LOADER_SLOTS * sizeof(*loader->slots));
	loader->list = arena_get(
	    &loader->arena, sizeof(*loader->list) + LOADER_ITEMS * sizeof(loader->list->item[0]));
	loader->words = arena_get(&loader->arena, LOADER_WORDS);
	loader->mark = arena_get(&loader->arena, (IMAGE_MAX_SERVICES + 1) * sizeof(*loader->mark));
	if (!loader->drafts || !loader->slots || !loader->list || !loader->words || !loader->mark)
		return -ENOMEM;
	loader->sinit.name = loader->defaults.name = "";
	loader->http.name = loader->syslog.name = "";
	loader->http.optional = loader->syslog.optional = true;
	loader_index_keys(loader);
	return 0;
}

/* Adds the service of COMMAND. */
static void add_main(struct loader *loader)
{
	const struct config_input *input = loader->input;

	if (!input->main_argv || !input->main_argv[0])
		return;
	struct draft *draft = loader_add(loader, "main");
	if (draft)
		draft->is_main = true;
	else
		loader->no_memory = true;
}

/* Adds the shell of last resort, unless there is a service of that name. */
static void add_emergency(struct loader *loader)
{
	if (!(loader->input->flags & CONFIG_MACHINE))
		return;
	struct draft *draft = loader_add(loader, IMAGE_EMERGENCY);
	if (draft)
		draft->is_emergency = !draft->used;
	else
		loader->no_memory = true;
}

/* With CONFIG_TOLERANT the image is made in spite of errors: it says which services not to
 * start, and why. The last resort is not given up for errors in a section of its own. */
static void mark_broken(struct loader *loader)
{
	bool machine = loader->input->flags & CONFIG_MACHINE;

	for (uint32_t i = 0; i < loader->count; i++) {
		const char *broken = loader->drafts[i]->broken;
		if (!broken)
			continue;
		if (machine && !strcmp(loader->drafts[i]->name, IMAGE_EMERGENCY)) {
			loader_emergency(loader, i);
			continue;
		}
		ref at = builder_text(&loader->builder, broken, strlen(broken));
		builder_service(&loader->builder, i)->broken = at;
		builder_image(&loader->builder)->broken_count++;
	}
}

/* Last, since it depends on the probes as well. */
static void add_machines(struct loader *loader)
{
	for (uint32_t i = 0; i < loader->count; i++) {
		struct machine_settings settings;
		struct builder *builder = &loader->builder;

		if (builder->failed)
			return;
		image_fill_machine(builder_image(builder), builder_service(builder, i), &settings);
		ref at = builder_block(
		    builder, &settings, sizeof(settings), _Alignof(struct machine_settings));
		builder_service(builder, i)->machine = at;
	}
}

/* From what was collected to the image. */
static int finish(struct loader *loader, struct image **ret_image)
{
	add_main(loader);
	add_emergency(loader);
	if (loader->no_memory)
		return -ENOMEM;
	loader_orphans(loader);
	loader_sort(loader);
	int error = builder_start(&loader->builder, loader->count);
	if (error)
		return error;
	loader_fixed_settings(loader);
	loader_services(loader);
	if (!loader->no_memory && !loader->builder.failed)
		loader_links(loader);
	loader_http(loader);
	loader_alerts(loader);
	loader_syslog(loader);
	loader_nets(loader);
	loader_awaited(loader);
	if (loader->no_memory)
		return -ENOMEM;
	if (loader->errors->errors.count && !(loader->input->flags & CONFIG_TOLERANT))
		return -EINVAL;
	mark_broken(loader);
	add_machines(loader);
	return builder_finish(&loader->builder, ret_image);
}

static void end(struct loader *loader)
{
	builder_free(&loader->builder);
	arena_free(&loader->arena);
}

/* What cannot be read is an error at that file; that it is not there is not. */
static int take_file(struct loader *loader, const char *path)
{
	char *bytes = NULL;
	size_t size;
	uint32_t number = 0;
	int error = files_read(&loader->arena, path, &bytes, &size);

	if (error == -ENOENT)
		return 0;
	if (error == -ENOMEM || loader_add_file(loader, path, &number) < 0)
		return -ENOMEM;
	if (error)
		loader_error(loader, NULL, number, 0, "cannot be read: %s", files_error(error));
	else
		loader_collect(loader, number, bytes, size);
	return loader->no_memory ? -ENOMEM : 0;
}

static int take_directory(struct loader *loader, struct text *path)
{
	char **names = NULL;
	uint32_t count = 0;
	uint32_t number = 0;
	size_t length = path->used;
	int error = files_list(&loader->arena, path->data, ".ini", &names, &count);

	if (error == -ENOMEM)
		return error;
	if (error && error != -ENOENT) {
		if (loader_add_file(loader, path->data, &number) < 0)
			return -ENOMEM;
		loader_error(loader, NULL, number, 0, "cannot be read: %s", strerror(-error));
		return 0;
	}
	for (uint32_t i = 0; i < count; i++) {
		path->used = length;
		text_addf(path, "/%s", names[i]);
		error = path->cut ? -ENAMETOOLONG : take_file(loader, path->data);
		if (error)
			return error;
	}
	return 0;
}

static int take_all(struct loader *loader, const char *dir)
{
	char buffer[PATH_SIZE];
	struct text path;

	text_init(&path, buffer, sizeof(buffer));
	text_addf(&path, "%s/sinit.ini", dir);
	if (path.cut)
		return -ENAMETOOLONG;
	int error = take_file(loader, buffer);
	if (error)
		return error;
	text_init(&path, buffer, sizeof(buffer));
	text_addf(&path, "%s/conf.d", dir);
	return take_directory(loader, &path);
}

/* A directory without anything in it is a slip of the pen, or not mounted. */
static int need_something(struct loader *loader, const char *dir)
{
	uint32_t number;

	if (loader->file_count || (loader->input->main_argv && loader->input->main_argv[0]))
		return 0;
	if (loader_add_file(loader, dir, &number) < 0)
		return -ENOMEM;
	loader_error(loader, NULL, number, 0,
	    "there is no sinit.ini and no conf.d/*.ini in it; write one, or name another directory "
	    "with -c");
	return 0;
}

int config_load(const char *dir, const struct config_input *input, struct config_errors *errors,
    struct image **ret_image)
{
	struct loader loader;
	int error = start(&loader, input, errors);

	if (!error)
		error = take_all(&loader, dir);
	if (!error)
		error = need_something(&loader, dir);
	if (!error)
		error = finish(&loader, ret_image);
	end(&loader);
	return error;
}

int config_load_text(const char *name, const char *text, const struct config_input *input,
    struct config_errors *errors, struct image **ret_image)
{
	struct loader loader;
	uint32_t number;
	size_t size = strlen(text);
	int error = start(&loader, input, errors);

	if (!error)
		error = loader_add_file(&loader, name, &number);
	if (!error) {
		char *copy = arena_copy(&loader.arena, text, size);
		if (copy)
			loader_collect(&loader, number, copy, size);
		error = copy && !loader.no_memory ? finish(&loader, ret_image) : -ENOMEM;
	}
	end(&loader);
	return error;
}

void config_free(struct image *image)
{
	if (image)
		munmap(image, image->size);
}

int config_write_order(const struct image *image, config_write *write, void *context)
{
	struct arena arena = {0};
	uint32_t count = image->service_count;
	uint32_t *order = arena_get(&arena, (count + image_order_scratch(image)) * sizeof(*order));

	if (!order)
		return -ENOMEM;
	image_order(image, order, order + count);
	for (uint32_t i = 0; i < count; i++)
		if (image_service(image, order[i])->enabled)
			write(context, image_name(image, order[i]));
	arena_free(&arena);
	return 0;
}
