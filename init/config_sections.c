/* Headers to sections. */
#include "init/base.h"
#include "init/loader.h"
#include "init/netaddr.h"
#include "init/value.h"

#include <inttypes.h>
#include <string.h>

/* The words that a section's name may begin with. */
static const struct section_word {
	char word[10];
	uint8_t section; /* enum schema_section */
	uint8_t named;   /* a name follows */
	uint8_t role;    /* enum probe_role */
} section_words[] = {
    {"sinit", SECTION_SINIT, 0, 0},
    {"defaults", SECTION_SERVICE, 0, 0},
    {"service", SECTION_SERVICE, 1, 0},
    {"startup", SECTION_PROBE, 1, PROBE_STARTUP},
    {"liveness", SECTION_PROBE, 1, PROBE_LIVENESS},
    {"readiness", SECTION_PROBE, 1, PROBE_READINESS},
    {"http", SECTION_HTTP, 0, 0},
    {"alert", SECTION_ALERT, 1, 0},
    {"net", SECTION_NET, 1, 0},
    {"syslog", SECTION_SYSLOG, 0, 0},
};

static void unknown_section(struct loader *loader, uint32_t file, uint32_t line, const char *name)
{
	char shown[LOADER_SHOWN];
	char first[16];
	size_t length = strcspn(name, " \t");
	const char *nearest = NULL;

	if (length < sizeof(first)) {
		memcpy(first, name, length);
		first[length] = '\0';
		unsigned best = value_slips(first) + 1;
		for (size_t i = 0; i < ARRAY_LEN(section_words); i++)
			value_nearer(first, section_words[i].word, &best, &nearest);
	}
	loader_show(name, shown);
	if (nearest)
		loader_error(loader, NULL, file, line, "[%s]: unknown section; did you mean '%s'?",
		    shown, nearest);
	else
		loader_error(loader, NULL, file, line,
		    "[%s]: unknown section; a service's is [service NAME]", shown);
}

static struct draft *new_draft(struct loader *loader, const char *name)
{
	struct draft *draft = arena_get(&loader->arena, sizeof(*draft));

	if (draft)
		draft->name = name;
	else
		loader->no_memory = true;
	return draft;
}

/* The probe of a service, which may come later or not at all. */
static struct draft *probe_section(struct loader *loader, struct draft *service, unsigned role)
{
	struct draft **probe = &service->probe[role];

	if (!*probe)
		*probe = new_draft(loader, service->name);
	if (*probe)
		(*probe)->owner = service;
	return *probe;
}

/* An alert or an interface: `list` is in the order of names, and has at most `most`. */
static struct draft *listed_section(
    struct loader *loader, struct draft **list, uint32_t *count, uint32_t most, const char *name)
{
	struct draft **at = list;

	while (*at && strcmp((*at)->name, name) < 0)
		at = &(*at)->next;
	if (*at && strcmp((*at)->name, name) == 0)
		return *at;
	if (*count == most)
		return NULL;
	struct draft *draft = new_draft(loader, name);
	if (!draft)
		return NULL;
	draft->optional = true;
	draft->next = *at;
	*at = draft;
	++*count;
	return draft;
}

static void too_many(struct loader *loader, uint32_t file, uint32_t line,
    const struct section_word *word, const char *name)
{
	uint32_t most = IMAGE_MAX_SERVICES;
	const char *what = "services";

	if (word->section == SECTION_ALERT) {
		most = IMAGE_MAX_ALERTS;
		what = "alerts";
	} else if (word->section == SECTION_NET) {
		most = IMAGE_MAX_NETS;
		what = "interfaces";
	}
	loader_error(
	    loader, NULL, file, line, "[%s %s]: more than %u %s", word->word, name, most, what);
}

static bool check_name(struct loader *loader, uint32_t file, uint32_t line,
    const struct section_word *word, const char *name)
{
	bool net = word->section == SECTION_NET;
	char shown[LOADER_SHOWN];

	if (!*name) {
		loader_error(loader, NULL, file, line, "[%s]: the name is missing; write [%s %s]",
		    word->word, word->word, net ? "INTERFACE" : "NAME");
		return false;
	}
	if (net ? netaddr_good_interface(name) : image_good_name(name, strlen(name)))
		return true;
	loader_show(name, shown);
	if (net)
		loader_error(loader, NULL, file, line,
		    "[net %s]: bad name; an interface's has 1 to %d bytes, and no / : or blank",
		    shown, NETADDR_INTERFACE - 1);
	else
		loader_error(loader, NULL, file, line,
		    "[%s %s]: bad name; it has 1 to %u letters, digits, _ - . @", word->word, shown,
		    IMAGE_MAX_NAME);
	return false;
}

static struct draft *named_section(struct loader *loader, uint32_t file, uint32_t line,
    const struct section_word *word, const char *name)
{
	struct draft *draft;

	if (!check_name(loader, file, line, word, name))
		return NULL;
	if (word->section == SECTION_ALERT)
		draft = listed_section(
		    loader, &loader->alerts, &loader->alert_count, IMAGE_MAX_ALERTS, name);
	else if (word->section == SECTION_NET)
		draft =
		    listed_section(loader, &loader->nets, &loader->net_count, IMAGE_MAX_NETS, name);
	else
		draft = loader_add(loader, name);
	if (!draft && !loader->no_memory)
		too_many(loader, file, line, word, name);
	if (draft && word->section == SECTION_PROBE)
		draft = probe_section(loader, draft, word->role);
	return draft;
}

/* Notes that the section begins here; each stands once in a file. */
static void open_draft(
    struct loader *loader, struct draft *draft, uint32_t file, uint32_t line, const char *name)
{
	if (draft->used && draft->last_file == file) {
		char shown[LOADER_SHOWN];
		loader_error(loader, draft, file, line,
		    "[%s]: duplicate section; it begins in line %" PRIu32, loader_show(name, shown),
		    draft->last_line);
		return;
	}
	if (!draft->used) {
		draft->title = name;
		draft->file = file;
		draft->line = line;
		draft->used = true;
	}
	draft->last_file = file;
	draft->last_line = line;
	memset(draft->seen, 0, sizeof(draft->seen));
}

void loader_section(struct loader *loader, uint32_t file, uint32_t line, const char *title)
{
	size_t length = strcspn(title, " \t");
	const char *name = title + length + strspn(title + length, " \t");
	const struct section_word *word = NULL;
	char shown[LOADER_SHOWN];

	loader->current = NULL;
	for (size_t i = 0; i < ARRAY_LEN(section_words) && !word; i++)
		if (strncmp(section_words[i].word, title, length) == 0 &&
		    !section_words[i].word[length])
			word = &section_words[i];
	if (!word || !length) {
		unknown_section(loader, file, line, title);
		return;
	}
	if (!word->named && *name) {
		loader_error(loader, NULL, file, line, "[%s]: [%s] has no name",
		    loader_show(title, shown), word->word);
		return;
	}
	struct draft *draft = word->named ? named_section(loader, file, line, word, name)
			      : word->section == SECTION_SINIT  ? &loader->sinit
			      : word->section == SECTION_HTTP   ? &loader->http
			      : word->section == SECTION_SYSLOG ? &loader->syslog
								: &loader->defaults;
	loader->section = (enum schema_section)word->section;
	if (draft)
		open_draft(loader, draft, file, line, title);
	loader->current = draft;
}

/* --- Probes of nobody --- */

static void orphaned(struct loader *loader, const struct draft *service)
{
	for (size_t role = 0; role < PROBE_ROLES; role++) {
		const struct draft *probe = service->probe[role];
		char shown[LOADER_SHOWN];
		if (!probe)
			continue;
		const char *nearest = loader_nearest(loader, service->name, service);
		loader_show(probe->title, shown);
		if (nearest)
			loader_error(loader, NULL, probe->file, probe->line,
			    "[%s]: no such service; did you mean '%s'?", shown, nearest);
		else
			loader_error(loader, NULL, probe->file, probe->line,
			    "[%s]: no such service; it needs a section [service %s]", shown,
			    service->name);
	}
}

void loader_orphans(struct loader *loader)
{
	struct draft **drafts = loader->drafts;
	uint32_t all = loader->count;
	uint32_t orphans = 0;

	/* The services to the front, so that only they are near to any name. */
	loader->count = 0;
	for (uint32_t i = 0; i < all; i++) {
		struct draft *draft = drafts[i];
		if (!draft->used && !draft->is_main && !draft->is_emergency)
			continue;
		drafts[i] = drafts[loader->count];
		drafts[loader->count++] = draft;
	}
	orphans = all - loader->count;
	for (uint32_t i = 0; i < orphans; i++)
		orphaned(loader, drafts[loader->count + i]);
}
