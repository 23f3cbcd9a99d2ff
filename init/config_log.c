/* Where output goes: the keys log_... of a service, and [syslog]. */
#include "init/base.h"
#include "init/loader.h"
#include "probes/check.h"

#include <limits.h>
#include <string.h>

/* The numbers of log_user, whose name is `account`; they stay as they are if it is unknown. */
static void find_user(struct loader *loader, const struct draft *draft, unsigned key, ref account,
    uint32_t *ret_uid, uint32_t *ret_gid)
{
	const struct entry *entry = loader_effective(loader, draft, key);

	if (!account || !entry || loader->builder.failed)
		return;
	const char *name = image_string(builder_image(&loader->builder), account);
	if (!loader_user(loader, name, ret_uid, ret_gid))
		loader_warning(loader, entry->file, entry->line,
		    "log_user = %s: no such user; the files stay with sinit's own user", name);
}

void loader_log_user(struct loader *loader, const struct draft *draft,
    struct service_settings *service, const struct service_settings *base)
{
	/* Equal texts have equal references. */
	if (service->log_user == base->log_user)
		return;
	service->log_uid = service->log_gid = SETTING_UNSET;
	find_user(loader, draft, KEY_SERVICE_log_user, service->log_user, &service->log_uid,
	    &service->log_gid);
}

/* The terminal has all its output. What [defaults] says is not meant for such a service. */
void loader_check_log(
    struct loader *loader, const struct draft *draft, const struct service_settings *service)
{
	static const uint8_t keys[] = {KEY_SERVICE_log, KEY_SERVICE_log_stderr};
	char shown[LOADER_SHOWN];

	for (size_t i = 0; i < ARRAY_LEN(keys) && service->tty; i++) {
		const struct entry *entry = loader_effective(loader, draft, keys[i]);
		if (!entry || entry == loader_effective(loader, &loader->defaults, keys[i]) ||
		    strcmp(entry->value, "inherit") == 0)
			continue;
		loader_warning(loader, entry->file, entry->line,
		    "%s = %s: passed over, since its output goes to its tty; leave one out",
		    schema_name(schema_at(keys[i])), loader_show(entry->value, shown));
	}
}

/* A path for many services: %n is the service's name, %% a percent sign. */
static ref expand(struct loader *loader, ref at, const char *name)
{
	const char *path = image_string(builder_image(&loader->builder), at);
	char buffer[PATH_MAX];
	struct text text;

	if (!path || *path != '/' || !strchr(path, '%'))
		return at;
	text_init(&text, buffer, sizeof(buffer));
	for (; *path; path++) {
		bool is_name = path[0] == '%' && path[1] == 'n';

		if (is_name)
			text_add(&text, name);
		else
			text_add_bytes(&text, path, 1);
		path += is_name || (path[0] == '%' && path[1] == '%');
	}
	return builder_text(&loader->builder, text.data, text.used);
}

void loader_log_paths(
    struct loader *loader, const struct draft *draft, struct service_settings *service)
{
	if (loader->builder.failed)
		return;
	service->log = expand(loader, service->log, draft->name);
	service->log_stderr = expand(loader, service->log_stderr, draft->name);
}

/* --- [syslog] --- */

/* A path that bind(2) takes. */
static void check_socket(struct loader *loader, struct draft *draft)
{
	const struct entry *entry = loader_effective(loader, draft, KEY_SYSLOG_socket);
	struct check_target target;
	char buffer[128];
	struct text reason;

	text_init(&reason, buffer, sizeof(buffer));
	if (entry && *entry->value == '/' &&
	    check_parse_address(entry->value, &target, &reason) < 0)
		loader_fault(loader, draft, entry, buffer);
}

void loader_syslog(struct loader *loader)
{
	struct draft *draft = &loader->syslog;
	struct syslog_settings base = {.log_uid = SETTING_UNSET, .log_gid = SETTING_UNSET};

	loader_defaults(loader, SECTION_SYSLOG, &base);
	struct syslog_settings syslog = base;
	loader_apply(loader, draft, &syslog, &base);
	loader_target(loader, draft, KEY_SYSLOG_forward, NULL, &syslog.forward, &syslog.target);
	check_socket(loader, draft);
	find_user(
	    loader, draft, KEY_SYSLOG_log_user, syslog.log_user, &syslog.log_uid, &syslog.log_gid);
	/* Keys, but no word of what it is to do: that was forgotten. */
	if (draft->first && !draft->broken && !loader_has(draft, KEY_SYSLOG_listen) &&
	    !loader_has(draft, KEY_SYSLOG_forward))
		loader_error(loader, draft, draft->file, draft->line,
		    "[syslog]: it neither listens nor forwards; write listen = yes or "
		    "forward = udp://HOST, or leave out [syslog]");
	if ((!syslog.listen && !syslog.forward) || draft->broken || loader->builder.failed)
		return;
	ref at = builder_block(
	    &loader->builder, &syslog, sizeof(syslog), _Alignof(struct syslog_settings));
	builder_image(&loader->builder)->syslog = at;
}
