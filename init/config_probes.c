/* The probes of each service. */
#include "init/base.h"
#include "init/loader.h"
#include "init/value.h"
#include "probes/check.h"

#include <string.h>
#include <strings.h>

static ref part(struct loader *loader, const char *string, struct check_part part)
{
	return part.length ? builder_text(&loader->builder, string + part.at, part.length) : 0;
}

bool loader_target(struct loader *loader, struct draft *draft, unsigned key,
    const struct words_source *source, ref *ret_text, struct image_target *ret_target)
{
	const struct entry *entry = loader_effective(loader, draft, key);
	struct check_target target;
	char buffer[256];
	struct text reason;

	if (!entry)
		return true;
	const char *value = entry->value;
	if (schema_at(key)->kind == KIND_URL && strncmp(value, "http://", 7) != 0) {
		if (strncmp(value, "https", 5) == 0)
			loader_fault(loader, draft, entry,
			    "https is not supported, since sinit has no TLS; use command = curl");
		else
			loader_bad_value(loader, draft, entry);
		return false;
	}
	text_init(&reason, buffer, sizeof(buffer));
	int error = schema_at(key)->kind == KIND_FORWARD
			? check_parse_forward(value, &target, &reason)
			: check_parse(value, &target, &reason);
	if (error) {
		loader_fault(loader, draft, entry, buffer);
		return false;
	}
	*ret_text = builder_text(&loader->builder, value, strlen(value));
	*ret_target = (struct image_target){
	    .kind = target.kind,
	    .port = target.port,
	    .udp = target.udp,
	    .host = part(loader, value, target.host),
	    .path = part(loader, value, target.path),
	    .service = part(loader, value, target.service),
	};
	if (target.kind == CHECK_HTTP && !ret_target->path)
		ret_target->path = builder_text(&loader->builder, "/", 1);
	if (target.kind == CHECK_EXEC)
		ret_target->command =
		    loader_command(loader, draft, entry, value + target.command.at, source);
	return target.kind != CHECK_EXEC || ret_target->command;
}

/* RFC 9110, 5.6.2: what the name of a header may consist of. */
static size_t token_length(const char *string)
{
	return strspn(string, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
			      "!#$%&'*+-.^_`|~");
}

/* Headers that say where a message ends, or what becomes of its connection, belong to who
 * sends it. A probe has no body, and a connection of its own. */
static bool is_framing(const char *name, size_t length)
{
	static const char names[][20] = {"Connection", "Content-Length", "Expect", "Keep-Alive",
	    "Proxy-Connection", "TE", "Trailer", "Transfer-Encoding", "Upgrade"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (length == strlen(names[i]) && strncasecmp(name, names[i], length) == 0)
			return true;
	return false;
}

/* "Name: value" as it will be sent. */
static ref header(struct loader *loader, struct draft *draft, const struct entry *entry)
{
	const char *line = entry->value;
	size_t length = token_length(line);
	const char *value = line + length + 1;
	bool good = length && line[length] == ':';

	for (const char *c = value; good && *c; c++)
		good = (unsigned char)*c >= ' ' && *c != 0x7f;
	if (!good) {
		loader_bad_value(loader, draft, entry);
		return 0;
	}
	if (is_framing(line, length)) {
		loader_fault(loader, draft, entry,
		    "this header is sinit's to send, or not to send; leave it out");
		return 0;
	}
	char *text = arena_get(&loader->arena, strlen(line) + 2);
	if (!text) {
		loader->no_memory = true;
		return 0;
	}
	memcpy(text, line, length);
	memcpy(text + length, ": ", 2);
	strcpy(text + length + 2, value + strspn(value, " \t"));
	return builder_text(&loader->builder, text, strlen(text));
}

static ref headers(struct loader *loader, struct draft *draft)
{
	struct image_list *list = loader->list;

	list->count = 0;
	for (const struct entry *e = NULL; (e = loader_next_line(draft, KEY_PROBE_header, e));) {
		if (list->count == LOADER_ITEMS) {
			loader_fault(loader, draft, e, "too many headers");
			return 0;
		}
		list->item[list->count++] = header(loader, draft, e);
	}
	return builder_list(&loader->builder, list);
}

/* An error at the line of a key, if that is set. */
static void refuse(struct loader *loader, struct draft *draft, unsigned key, const char *reason)
{
	const struct entry *entry = loader_effective(loader, draft, key);

	if (entry)
		loader_fault(loader, draft, entry, reason);
}

/* A section as it is named in messages. */
static void section_error(struct loader *loader, struct draft *draft, const char *reason)
{
	char shown[LOADER_SHOWN];

	loader_error(loader, draft, draft->file, draft->line, "[%s]: %s",
	    loader_show(draft->title, shown), reason);
}

/* Keys that go together, once all are known to be good by themselves. */
static void check_keys(struct loader *loader, struct draft *draft, enum probe_role role,
    const struct probe_settings *probe)
{
	static const uint8_t http[] = {
	    KEY_PROBE_expect_status, KEY_PROBE_expect_body, KEY_PROBE_header, KEY_PROBE_method};

	if (probe->timeout > probe->interval)
		refuse(loader, draft, KEY_PROBE_timeout,
		    "it is longer than interval, so checks would overlap");
	if (role == PROBE_LIVENESS && probe->successes != 1)
		refuse(loader, draft, KEY_PROBE_successes,
		    "for liveness it can only be 1; one success is a sign of life");
	if (!image_probe_has(probe, CHECK_FILE) && !image_probe_has(probe, CHECK_HEARTBEAT))
		refuse(loader, draft, KEY_PROBE_max_age, "only for file: and heartbeat");
	if (image_probe_has(probe, CHECK_HEARTBEAT) && !probe->max_age)
		refuse(loader, draft,
		    probe->target.kind == CHECK_HEARTBEAT ? KEY_PROBE_check : KEY_PROBE_fallback,
		    "max_age is missing; write max_age = 30s");
	for (size_t i = 0; i < ARRAY_LEN(http) && !image_probe_has(probe, CHECK_HTTP); i++)
		refuse(loader, draft, http[i], "only for http://");
	if (image_probe_text(builder_image(&loader->builder), probe) > IMAGE_PROBE_TEXT)
		section_error(loader, draft, "its checks, headers and expect_body are too long");
}

static ref make_probe(struct loader *loader, struct draft *draft, enum probe_role role,
    const struct service_settings *service, const struct words_source *source)
{
	struct probe_settings probe = loader->probe;
	bool good;

	loader_apply(loader, draft, &probe, &loader->probe);
	probe.name = service->name;
	good = loader_target(loader, draft, KEY_PROBE_check, source, &probe.check, &probe.target);
	good &= loader_target(
	    loader, draft, KEY_PROBE_fallback, source, &probe.fallback, &probe.fallback_target);
	probe.header = headers(loader, draft);
	if (probe.timeout > probe.interval && !loader_effective(loader, draft, KEY_PROBE_timeout))
		probe.timeout = probe.interval;
	if (service->type == TYPE_ONESHOT)
		section_error(loader, draft,
		    "a oneshot has no probes; it is ready when it has exited with 0");
	if (good && !probe.check && !draft->misspelt)
		section_error(loader, draft,
		    "check is missing; write check = http://HOST/PATH, "
		    "tcp://HOST:PORT or another");
	else if (good && !loader->builder.failed)
		check_keys(loader, draft, role, &probe);
	/* Of a broken service the probes are never made. */
	if (draft->owner->broken || loader->builder.failed)
		return 0;
	return builder_block(
	    &loader->builder, &probe, sizeof(probe), _Alignof(struct probe_settings));
}

/* ms within which a startup probe has come to a verdict if nothing changes in between. */
static uint64_t start_window(const struct probe_settings *probe)
{
	uint32_t times = probe->failures > probe->successes ? probe->failures : probe->successes;

	return probe->initial_delay + (uint64_t)times * probe->interval;
}

/* The default of start_timeout is too short for a startup probe that may take longer. Who
 * sets both gets what was set. */
static void fit_start_timeout(
    struct loader *loader, const struct draft *draft, struct service_settings *service)
{
	const struct entry *entry = loader_effective(loader, draft, KEY_SERVICE_start_timeout);
	const struct probe_settings *probe =
	    image_probe(builder_image(&loader->builder), service, PROBE_STARTUP);
	char set[32], needed[32];
	struct text text;

	if (!probe || loader->builder.failed)
		return;
	uint64_t window = start_window(probe);
	uint64_t most = window + (uint64_t)probe->timeout * (probe->fallback ? 2 : 1);
	if (!entry) {
		if (most > service->start_timeout)
			service->start_timeout =
			    most < UINT32_MAX ? (uint32_t)most : UINT32_MAX - 1;
		return;
	}
	if (service->start_timeout >= window)
		return;
	text_init(&text, set, sizeof(set));
	value_print_duration(&text, service->start_timeout);
	text_init(&text, needed, sizeof(needed));
	value_print_duration(&text, window < UINT32_MAX ? (uint32_t)window : UINT32_MAX - 1);
	loader_warning(loader, entry->file, entry->line,
	    "start_timeout = %s: ends a start of %s before its startup probe fails, which takes %s "
	    "(initial_delay and failures times interval); without start_timeout it would fit",
	    set, draft->name, needed);
}

void loader_probes(struct loader *loader, struct draft *draft, struct service_settings *service,
    const struct words_source *source)
{
	ref *const probes[PROBE_ROLES] = {
	    [PROBE_STARTUP] = &service->startup,
	    [PROBE_LIVENESS] = &service->liveness,
	    [PROBE_READINESS] = &service->readiness,
	};

	for (unsigned role = 0; role < PROBE_ROLES; role++)
		if (draft->probe[role])
			*probes[role] = make_probe(
			    loader, draft->probe[role], (enum probe_role)role, service, source);
	fit_start_timeout(loader, draft, service);
}
