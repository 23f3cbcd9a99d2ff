/* The configuration: any text gives messages or an image that keeps its header's promises.
 *
 * The first byte says in which mode; the rest up to a byte 0x01 is the configuration, what
 * follows is the content of every file that it refers to. */
#include "init/base.h"
#include "init/config.h"
#include "init/files.h"
#include "init/image_log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t *file;
static size_t file_size;

/* In the place of init/arena.c: each piece by itself, so that the sanitizer sees a step too
 * far. */
struct arena_chunk {
	struct arena_chunk *next;
	_Alignas(16) char bytes[];
};

void *arena_get(struct arena *arena, size_t size)
{
	struct arena_chunk *chunk = calloc(1, sizeof(*chunk) + size);

	if (!chunk)
		return NULL;
	chunk->next = arena->chunks;
	arena->chunks = chunk;
	return chunk->bytes;
}

char *arena_copy(struct arena *arena, const char *bytes, size_t length)
{
	char *copy = arena_get(arena, length + 1);

	if (copy && length)
		memcpy(copy, bytes, length);
	return copy;
}

void arena_free(struct arena *arena)
{
	while (arena->chunks) {
		struct arena_chunk *next = arena->chunks->next;
		free(arena->chunks);
		arena->chunks = next;
	}
}

/* In the place of init/files.c: no real file is read. */
int files_read(struct arena *arena, const char *path, char **ret_bytes, size_t *ret_size)
{
	static const char passwd[] = "root:x:0:0::/root:/bin/sh\nweb:x:33:33::/var/www:\n";
	static const char group[] = "root:x:0:\ntty:x:5:web\n";
	const uint8_t *bytes = file;
	size_t size = file_size;

	if (strcmp(path, "/etc/passwd") == 0) {
		bytes = (const uint8_t *)passwd;
		size = strlen(passwd);
	} else if (strcmp(path, "/etc/group") == 0) {
		bytes = (const uint8_t *)group;
		size = strlen(group);
	} else if (!bytes) {
		return -ENOENT;
	}
	*ret_bytes = arena_copy(arena, (const char *)bytes, size);
	*ret_size = size;
	return *ret_bytes ? 0 : -ENOMEM;
}

const char *files_error(int error)
{
	return strerror(-error);
}

int files_list(struct arena *arena, const char *directory, const char *suffix, char ***ret_names,
    uint32_t *ret_count)
{
	(void)arena, (void)directory, (void)suffix, (void)ret_names, (void)ret_count;
	return -ENOENT;
}

static void check(bool condition)
{
	if (!condition)
		abort();
}

static void take_line(void *context, const char *line)
{
	check(*line && !strchr(line, '\n'));
	++*(uint32_t *)context;
}

static void check_messages(const struct config_errors *errors, int error)
{
	uint32_t lines = 0;

	config_errors_write(errors, take_line, &lines);
	check(lines == errors->errors.count + (errors->errors.dropped ? 1 : 0));
	check(errors->errors.count <= CONFIG_MAX_MESSAGES);
	if (error)
		check(error == -EINVAL && errors->errors.count > 0);
	for (const struct config_message *m = errors->errors.first; m && m->next; m = m->next)
		check(m->file < m->next->file ||
		      (m->file == m->next->file && m->line <= m->next->line));
	lines = 0;
	config_warnings_write(errors, take_line, &lines);
}

/* Whoever waits comes later, in the order and in nobody's own list. */
static void check_edges(const struct image *image, const uint32_t *place, uint32_t index)
{
	const struct service_settings *service = image_service(image, index);
	const struct image_list *before = image_list(image, service->order_after);
	const struct image_list *behind = image_list(image, service->dependents);

	for (uint32_t i = 0; i < before->count; i++) {
		check(before->item[i] != index && (!i || before->item[i - 1] < before->item[i]));
		check(image->broken_count || place[before->item[i]] < place[index]);
	}
	for (uint32_t i = 0; i < behind->count; i++) {
		check(behind->item[i] != index && (!i || behind->item[i - 1] < behind->item[i]));
		check(image->broken_count || place[behind->item[i]] > place[index]);
	}
}

static void check_order(const struct image *image)
{
	size_t count = image->service_count;
	uint32_t *order = malloc((count + 1) * sizeof(*order));
	uint32_t *place = malloc((count + 1) * sizeof(*place));
	uint32_t *scratch = malloc((image_order_scratch(image) + 1) * sizeof(*scratch));

	check(order && place && scratch);
	image_order(image, order, scratch);
	for (size_t i = 0; i < count; i++)
		place[i] = UINT32_MAX;
	for (size_t i = 0; i < count; i++) {
		check(order[i] < count && place[order[i]] == UINT32_MAX);
		place[order[i]] = (uint32_t)i;
	}
	for (uint32_t i = 0; i < count; i++)
		check_edges(image, place, i);
	free(order);
	free(place);
	free(scratch);
}

static void print(const struct image *image, enum schema_section section, const void *settings)
{
	static char buffer[1 << 16];
	struct text text;

	for (unsigned k = 0; k < schema_count(); k++) {
		text_init(&text, buffer, sizeof(buffer));
		if (schema_at(k)->section == section)
			schema_print_value(&text, image, schema_at(k), settings);
	}
}

static void check_probe(const struct image *image, const struct service_settings *service,
    const struct probe_settings *probe)
{
	check(!service->broken || probe->target.kind != CHECK_NONE);
	check(service->broken || service->type != TYPE_ONESHOT);
	check(probe->timeout <= probe->interval && probe->interval >= 10 && probe->failures);
	check(image_probe_text(image, probe) <= IMAGE_PROBE_TEXT);
	check(probe->target.kind != CHECK_HEARTBEAT || probe->max_age);
	print(image, SECTION_PROBE, probe);
}

static void check_log(const struct image_log *log)
{
	check((log->sink == SINK_FILE) == (log->path != NULL));
	check(!log->path || (*log->path == '/' && log->path[strlen(log->path) - 1] != '/'));
	check((log->way == WAY_NULL) == (log->sink == SINK_NULL));
	check(log->way == WAY_CAPTURED || log->way == WAY_SAME || log->format == OUTPUT_RAW);
	check(log->max_size && (log->uid == SETTING_UNSET) == (log->gid == SETTING_UNSET));
}

static void check_logs(const struct image *image, const struct service_settings *service)
{
	struct image_log out, err;

	image_log(image, service, STREAM_STDOUT, &out);
	image_log(image, service, STREAM_STDERR, &err);
	check(out.way != WAY_SAME && (err.way != WAY_SAME || out.way == WAY_CAPTURED));
	check_log(&out);
	check_log(&err);
}

static void check_outside(const struct image *image)
{
	struct image_log log;

	if (image_http(image))
		print(image, SECTION_HTTP, image_http(image));
	for (uint32_t i = 0; i < image->alert_count; i++) {
		print(image, SECTION_ALERT, image_alert(image, i));
		check(!i || strcmp(image_string(image, image_alert(image, i - 1)->name),
				image_string(image, image_alert(image, i)->name)) < 0);
	}
	for (uint32_t i = 0; i < image->net_count; i++) {
		print(image, SECTION_NET, image_net(image, i));
		check(!i || strcmp(image_string(image, image_net(image, i - 1)->name),
				image_string(image, image_net(image, i)->name)) < 0);
	}
	if (image_syslog(image)) {
		const struct syslog_settings *syslog = image_syslog(image);
		check(syslog->listen || syslog->target.host);
		print(image, SECTION_SYSLOG, syslog);
		image_log_syslog(image, syslog, &log);
		check_log(&log);
	}
	check(image_syslog_equal(image, image));
	check(image_devices_equal(image, image));
	check(image_http_equal(image, image) && image_alerts_equal(image, image));
}

static void check_image(const struct image *image)
{
	uint32_t broken = 0;

	check(image_check(image, image->size) == 0);
	for (uint32_t i = 0; i < image->service_count; i++) {
		const struct service_settings *service = image_service(image, i);
		check(image_find(image, image_name(image, i)) == i);
		check(image_service_equal(image, i, image, i));
		broken += service->broken != 0;
		print(image, SECTION_SERVICE, service);
		check_logs(image, service);
		for (unsigned role = 0; role < PROBE_ROLES; role++) {
			const struct probe_settings *probe =
			    image_probe(image, service, (enum probe_role)role);
			if (probe)
				check_probe(image, service, probe);
		}
	}
	check_outside(image);
	check(broken == image->broken_count);
	check_order(image);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *const environment[] = {"HOME=/root", "A=b c", "EMPTY=", NULL};
	char *const argv[] = {"sh", "-c", "${A} %n", NULL};
	struct config_input input = {.environ = environment};
	struct image *image[2] = {NULL, NULL};

	if (size < 1)
		return 0;
	if (data[0] & 1)
		input.flags = CONFIG_TOLERANT;
	if (data[0] & 2)
		input.main_argv = argv;
	const uint8_t *end = memchr(data, 0x01, size);
	size_t length = (end ? (size_t)(end - data) : size) - (end != data);
	file = end ? end + 1 : NULL;
	file_size = end ? size - (size_t)(end + 1 - data) : 0;
	char *text = malloc(length + 1);
	check(text != NULL);
	memcpy(text, data + (end != data), length);
	text[length] = '\0';
	for (unsigned i = 0; i < 2; i++) {
		struct config_errors errors = {0};
		int error = config_load_text("t", text, &input, &errors, &image[i]);
		check_messages(&errors, error);
		check(!error == (image[i] != NULL));
		check(!(input.flags & CONFIG_TOLERANT) || !error);
		config_errors_free(&errors);
	}
	free(text);
	if (image[0]) {
		check_image(image[0]);
		/* The same text gives the same image, to the byte. */
		check(image[0]->size == image[1]->size &&
		      memcmp(image[0], image[1], image[0]->size) == 0);
	}
	config_free(image[0]);
	config_free(image[1]);
	return 0;
}
