/* What sinit tells others: [http] and the alerts. */
#include "init/base.h"
#include "init/loader.h"
#include "probes/check.h"

#include <arpa/inet.h>
#include <string.h>

/* --- [http] --- */

static bool list_has(const struct image_list *list, uint32_t item)
{
	for (uint32_t i = 0; i < list->count; i++)
		if (list->item[i] == item)
			return true;
	return false;
}

/* Where a socket is bound: `family` 0 is every address of both. */
struct place {
	int family;
	unsigned port; /* 0: a path */
	unsigned char bytes[16];
};

static void find_place(const char *word, struct place *ret)
{
	struct check_target target;
	char address[INET6_ADDRSTRLEN] = "", why[64];
	struct text reason;

	*ret = (struct place){0};
	text_init(&reason, why, sizeof(why));
	if (check_parse_address(word, &target, &reason) < 0 || target.kind != CHECK_TCP)
		return;
	ret->port = target.port;
	if (!target.host.length || target.host.length >= sizeof(address))
		return;
	ret->family = *word == '[' ? AF_INET6 : AF_INET;
	memcpy(address, word + target.host.at, target.host.length);
	inet_pton(ret->family, address, ret->bytes);
}

/* Whether the kernel would refuse the second one. That [::] takes IPv4 with it is a setting
 * of the system, and passed over. */
static bool is_in_use(const char *word, const char *other)
{
	static const unsigned char every[16];
	struct place a, b;

	find_place(word, &a);
	find_place(other, &b);
	if (!a.port || a.port != b.port)
		return false;
	if (!a.family || !b.family)
		return true;
	return a.family == b.family && (!memcmp(a.bytes, b.bytes, sizeof(every)) ||
					   !memcmp(a.bytes, every, sizeof(every)) ||
					   !memcmp(b.bytes, every, sizeof(every)));
}

/* Adds an address to loader->list, unless one of those there leaves no room for it. */
static void add_address(
    struct loader *loader, struct draft *draft, const struct entry *entry, const char *word)
{
	struct image_list *list = loader->list;
	ref text = builder_text(&loader->builder, word, strlen(word));

	if (loader->builder.failed)
		return;
	if (list_has(list, text)) {
		loader_fault(loader, draft, entry, "it stands there twice");
		return;
	}
	for (uint32_t i = 0; i < list->count; i++) {
		const char *other = image_string(builder_image(&loader->builder), list->item[i]);
		char shown[LOADER_SHOWN], second[LOADER_SHOWN];

		if (!is_in_use(word, other))
			continue;
		loader_error(loader, draft, entry->file, entry->line,
		    "listen: %s cannot be bound beside %s, which has it already; leave one out",
		    loader_show(word, shown), loader_show(other, second));
		return;
	}
	if (list->count == IMAGE_MAX_LISTEN)
		loader_fault(loader, draft, entry, "too many addresses");
	else
		list->item[list->count++] = text;
}

/* Adds the addresses of one line to loader->list. */
static void take_addresses(struct loader *loader, struct draft *draft, const struct entry *entry)
{
	struct words words;

	if (!loader_split(loader, draft, entry, entry->value, NULL, &words))
		return;
	const char *word = words.data;
	for (uint32_t i = 0; i < words.count; i++, word += strlen(word) + 1) {
		struct check_target target;
		char buffer[256];
		struct text reason;
		text_init(&reason, buffer, sizeof(buffer));
		if (check_parse_address(word, &target, &reason) < 0) {
			loader_fault(loader, draft, entry, buffer);
			return;
		}
		add_address(loader, draft, entry, word);
	}
}

void loader_http(struct loader *loader)
{
	struct draft *draft = &loader->http;
	struct http_settings base = {0};

	loader_defaults(loader, SECTION_HTTP, &base);
	struct http_settings http = base;
	loader_apply(loader, draft, &http, &base);
	loader->list->count = 0;
	for (const struct entry *e = NULL; (e = loader_next_line(draft, KEY_HTTP_listen, e));)
		take_addresses(loader, draft, e);
	http.listen = builder_list(&loader->builder, loader->list);
	const struct entry *control = loader_effective(loader, draft, KEY_HTTP_control);
	if (control && http.control && !http.token_file)
		loader_warning(loader, control->file, control->line,
		    "control = %s: without token_file no POST is accepted", control->value);
	/* Keys, but no word of where it is to answer: that was forgotten. */
	if (draft->first && !draft->broken && !loader_has(draft, KEY_HTTP_listen))
		loader_error(loader, draft, draft->file, draft->line,
		    "[http]: listen is missing; write listen = 127.0.0.1:PORT, or leave out "
		    "[http]");
	if (!http.listen || draft->broken || loader->builder.failed)
		return;
	ref at =
	    builder_block(&loader->builder, &http, sizeof(http), _Alignof(struct http_settings));
	builder_image(&loader->builder)->http = at;
}

/* --- Alerts --- */

static const char *look_up(const void *context, const char *name, size_t length)
{
	return loader_environ(context, name, length);
}

/* A pattern that can match the name of a service. One without a wildcard should be one. */
static void check_pattern(
    struct loader *loader, struct draft *draft, const struct entry *entry, const char *pattern)
{
	size_t length = strlen(pattern);

	if (pattern[strspn(pattern, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_-.@*?[]!^")])
		loader_bad_value(loader, draft, entry);
	else if (!pattern[strcspn(pattern, "*?[")] && !loader_find(loader, pattern, length, NULL)) {
		const char *nearest = loader_nearest(loader, pattern, NULL);
		loader_warning(loader, entry->file, entry->line,
		    nearest ? "services = %s: no such service; did you mean '%s'?"
			    : "services = %s: no such service",
		    pattern, nearest);
	}
}

static ref patterns(struct loader *loader, struct draft *draft)
{
	const struct entry *entry = loader_effective(loader, draft, KEY_ALERT_services);
	struct words words;

	if (!entry || !loader_split(loader, draft, entry, entry->value, NULL, &words))
		return 0;
	const char *word = words.data;
	loader->list->count = 0;
	for (uint32_t i = 0; i < words.count; i++, word += strlen(word) + 1) {
		check_pattern(loader, draft, entry, word);
		loader->list->item[loader->list->count++] =
		    builder_text(&loader->builder, word, strlen(word));
	}
	return builder_list(&loader->builder, loader->list);
}

static void make_alert(struct loader *loader, struct draft *draft,
    const struct alert_settings *base, struct alert_settings *alert)
{
	const struct words_source source = {
	    .name = draft->name, .instance = "1", .lookup = look_up, .context = loader};
	const struct entry *entry = loader_effective(loader, draft, KEY_ALERT_command);
	const struct entry *format = loader_effective(loader, draft, KEY_ALERT_format);

	*alert = *base;
	loader_apply(loader, draft, alert, base);
	alert->name = builder_text(&loader->builder, draft->name, strlen(draft->name));
	alert->services = patterns(loader, draft);
	if (entry)
		alert->command = loader_command(loader, draft, entry, entry->value, &source);
	loader_target(loader, draft, KEY_ALERT_webhook, &source, &alert->webhook, &alert->target);
	if (format && alert->format != ALERT_JSON &&
	    !loader_effective(loader, draft, KEY_ALERT_webhook))
		loader_fault(loader, draft, format, "only for a webhook");
	if (!draft->broken && !alert->command && !alert->webhook && !alert->file)
		loader_error(loader, draft, draft->file, draft->line,
		    "[alert %s]: it tells nobody; write command, webhook or file", draft->name);
	if (!draft->broken && !loader->builder.failed &&
	    image_alert_text(builder_image(&loader->builder), alert) > IMAGE_ALERT_TEXT)
		loader_error(loader, draft, draft->file, draft->line,
		    "[alert %s]: its command, services, webhook and file are too long; put the "
		    "command into a script",
		    draft->name);
}

void loader_alerts(struct loader *loader)
{
	struct alert_settings *alerts =
	    arena_get(&loader->arena, (loader->alert_count + 1) * sizeof(*alerts));
	struct alert_settings base = {0};
	uint32_t count = 0;

	if (!alerts) {
		loader->no_memory = true;
		return;
	}
	loader_defaults(loader, SECTION_ALERT, &base);
	for (struct draft *draft = loader->alerts; draft; draft = draft->next) {
		make_alert(loader, draft, &base, &alerts[count]);
		if (!draft->broken)
			count++;
	}
	if (!count || loader->builder.failed)
		return;
	ref at = builder_block(
	    &loader->builder, alerts, count * sizeof(*alerts), _Alignof(struct alert_settings));
	builder_image(&loader->builder)->alerts = at;
	builder_image(&loader->builder)->alert_count = count;
}
