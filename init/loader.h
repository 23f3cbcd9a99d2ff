/* Inside of the configuration loader: what its files share. Everybody else uses config.h.
 *
 * The steps, each in its file:
 *     config_collect.c      lines to keys, as they stand
 *     config_sections.c     headers to sections
 *     config_values.c       keys to settings; [sinit], [defaults] and the table's defaults
 *     config_service.c      each service: its settings, and from them
 *     config_identity.c         user and groups
 *     config_environment.c      variables and commands
 *     config_envfile.c          files of variables
 *     config_probes.c           probes
 *     config_http.c         [http] and alerts
 *     config_log.c          where output goes: keys log_... and [syslog]
 *     config_net.c          [net], and all that is waited for
 *     config_links.c        dependencies between services
 *     config_cycles.c       cycles of them
 *     config_errors.c       messages
 *     config.c              the order of all this
 */
#ifndef SINIT_INIT_LOADER_H
#define SINIT_INIT_LOADER_H

#include "init/arena.h"
#include "init/builder.h"
#include "init/config.h"
#include "init/graph.h"
#include "init/schema.h"
#include "init/words.h"

/* Places in the hash table of names; more than twice IMAGE_MAX_SERVICES. */
#define LOADER_SLOTS 64u
/* The same for the keys. */
#define LOADER_KEY_SLOTS 512u
/* Room for one service's command or one `environment` line after expansion, in bytes: what
 * the kernel takes for one argument (MAX_ARG_STRLEN of execve(2)). */
#define LOADER_WORDS (128u << 10)
/* Variables of one service. */
#define LOADER_VARIABLES 1024u
/* Items of one list. */
#define LOADER_ITEMS 8192u

/* KEY = VALUE on one line. */
struct entry {
	struct entry *next;
	const char *value; /* "" resets the key */
	uint32_t line;
	uint16_t file;
	uint8_t key; /* index in the schema */
};

/* A section, with what all files say about it. */
struct draft {
	const char *name;  /* of the service, alert or interface; "" for those without one */
	const char *title; /* what stands in its first header */
	struct entry *first;
	struct entry *last;
	uint32_t file; /* its first header, for messages */
	uint32_t line;
	uint32_t last_file; /* its latest header */
	uint32_t last_line;
	uint64_t seen[3];   /* keys set in the latest header's file */
	const char *broken; /* the first error, in the order of files and lines */
	uint64_t broken_at;
	struct draft *probe[PROBE_ROLES]; /* of a service: its probes, NULL: none */
	struct draft *owner;              /* of a probe: its service, which its errors break */
	struct draft *next;               /* of an alert or [net]: the one behind it by name */
	bool optional;     /* CONFIG_TOLERANT: its errors are warnings, and it is left out */
	bool used;         /* there is such a section */
	bool is_main;      /* made of COMMAND */
	bool is_emergency; /* made of [sinit] emergency; [defaults] is not for it */
	bool misspelt;     /* it has a key that was probably meant to be `command` (or `check`) */
};

struct identity;

/* A file of variables; many services may share it. */
struct env_file {
	struct env_file *next;
	const char *path;
	const char **variables;
	uint32_t count;
	const char *broken; /* the first error in it */
};

struct loader {
	struct arena arena;
	struct builder builder;
	struct config_errors *errors;
	const struct config_input *input;
	bool no_memory;

	const char **files; /* by their number */
	uint32_t file_count;
	uint32_t file_room;

	struct draft sinit;
	struct draft defaults;
	struct draft http;
	struct draft syslog;
	struct draft *alerts; /* in the order of names */
	uint32_t alert_count;
	struct draft *nets; /* likewise */
	uint32_t net_count;
	struct draft **drafts; /* services; in the order of names once all are read */
	uint32_t count;
	uint32_t room;
	uint32_t *slots;                      /* hash table: place in drafts[] + 1 */
	uint32_t slot_count;                  /* of slots[], a power of two, at least twice count */
	uint32_t key_slots[LOADER_KEY_SLOTS]; /* hash table: key's place + 1 */
	struct draft *current;                /* section being read; NULL: one to pass over */
	enum schema_section section;

	struct service_settings builtin;  /* the table's defaults */
	struct service_settings template; /* with [defaults] over them */
	struct probe_settings probe;      /* the table's defaults */

	/* Read when first asked for. */
	const char *passwd;
	const char *group;
	struct env_file *env_files;
	struct identity *identities;

	/* Scratch. */
	struct image_list *list; /* LOADER_ITEMS */
	char *words;             /* LOADER_WORDS */
	uint32_t *mark;          /* a number for each service */
};

/* --- config_errors.c --- */

/* An error at FILE:LINE (line 0: FILE). It makes `draft` (or NULL) broken. */
void loader_error(struct loader *loader, struct draft *draft, uint32_t file, uint32_t line,
    const char *format, ...) __attribute__((format(printf, 5, 6)));
void loader_warning(struct loader *loader, uint32_t file, uint32_t line, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Room for what a message quotes. */
#define LOADER_SHOWN 80u

/* A value for a message: control characters as ?, cut with ... if it is long. */
const char *loader_show(const char *value, char buffer[static LOADER_SHOWN]);

/* --- config_collect.c --- */

/* Gives a file its number. 0 or -ENOMEM. */
int loader_add_file(struct loader *loader, const char *name, uint32_t *ret_number);

/* Makes the hash table of keys; once, before anything is collected. */
void loader_index_keys(struct loader *loader);

/* Takes in the text of a file; text[size] must be writable. */
void loader_collect(struct loader *loader, uint32_t file, char *text, size_t size);

/* The service of that name, or NULL; loader_add() makes it if there is none (NULL: no memory,
 * or too many). */
struct draft *loader_find(
    struct loader *loader, const char *name, size_t length, uint32_t *ret_index);
struct draft *loader_add(struct loader *loader, const char *name);

/* Sorts the services by name; from then on places in drafts[] are indexes of the image. */
void loader_sort(struct loader *loader);

/* The line that decides about a key which does not repeat: the draft's last, else that of
 * [defaults], else NULL. */
const struct entry *loader_effective(
    const struct loader *loader, const struct draft *draft, unsigned key);

/* Whether a section has a line of that key, be it one that resets it. */
bool loader_has(const struct draft *draft, unsigned key);

/* --- config_sections.c --- */

/* Takes the text between [ and ]; loader->current is then the section. */
void loader_section(struct loader *loader, uint32_t file, uint32_t line, const char *title);

/* Tells of probes whose service there is not, and forgets them. Before loader_sort(). */
void loader_orphans(struct loader *loader);

/* --- config_values.c --- */

/* The message for a bad value: "KEY = VALUE: reason", or what was expected. */
void loader_fault(
    struct loader *loader, struct draft *draft, const struct entry *entry, const char *reason);
void loader_bad_value(struct loader *loader, struct draft *draft, const struct entry *entry);

/* Makes `builtin`, the settings of [sinit], `template` and `probe`. */
void loader_fixed_settings(struct loader *loader);

/* The table's defaults for the keys of one section. */
void loader_defaults(struct loader *loader, enum schema_section section, void *settings);

/* Applies the lines of a draft whose values do not depend on the service to its settings.
 * The member of a key that is reset becomes that of `base`. */
void loader_apply(struct loader *loader, struct draft *draft, void *settings, const void *base);

/* The same for the limits, which are one member. */
void loader_limits(struct loader *loader, struct draft *draft, struct service_settings *service,
    const struct service_settings *base);

/* --- config_service.c --- */

/* Makes the settings of every service. */
void loader_services(struct loader *loader);

/* Makes service `index` the shell of last resort, whatever it was; others may name it. */
void loader_emergency(struct loader *loader, uint32_t index);

/* Stores an array of texts as a list. */
ref loader_texts(struct loader *loader, const char *const *texts, uint32_t count);

/* --- config_identity.c --- */

void loader_identity(struct loader *loader, struct service_settings *service);

/* Number of a group (control_group), or of a user and its group (log_user). false: unknown. */
bool loader_group(struct loader *loader, const char *name, uint32_t *ret_gid);
bool loader_user(struct loader *loader, const char *name, uint32_t *ret_uid, uint32_t *ret_gid);

/* --- config_envfile.c --- */

/* The file at `path`, which may have a - before it, read once. NULL: it is not there and may
 * be missing, or it cannot be read, which is an error of the draft. */
const struct env_file *loader_env_file(
    struct loader *loader, struct draft *draft, const struct entry *entry, const char *path);

/* --- config_environment.c --- */

/* `environment` with its files, then the commands and the probes, which may use it. */
void loader_environment(
    struct loader *loader, struct draft *draft, struct service_settings *service);

/* Splits a value into words, which are in loader->words until the next call. false: it was told
 * what is wrong. */
bool loader_split(struct loader *loader, struct draft *draft, const struct entry *entry,
    const char *value, const struct words_source *source, struct words *words);

/* The words of a command, which is the entry's value or a part of it. 0: it was told what is
 * wrong. */
ref loader_command(struct loader *loader, struct draft *draft, const struct entry *entry,
    const char *value, const struct words_source *source);

/* The value of a variable that sinit was given, NULL if there is none. */
const char *loader_environ(const struct loader *loader, const char *name, size_t length);

/* The lines of a repeated key that count, each the next of the one before: those after the last
 * that is empty. `entry` is NULL for the first of them. */
const struct entry *loader_next_line(
    const struct draft *draft, unsigned key, const struct entry *entry);

/* --- config_probes.c --- */

/* The probes of a service, whose commands have words of `source`. */
void loader_probes(struct loader *loader, struct draft *draft, struct service_settings *service,
    const struct words_source *source);

/* Parses a check, a webhook's URL, or `forward`: its text into *ret_text and its parts into
 * *ret_target, which both stay as they are if the key is not set.
 * false: it was told what is wrong. */
bool loader_target(struct loader *loader, struct draft *draft, unsigned key,
    const struct words_source *source, ref *ret_text, struct image_target *ret_target);

/* --- config_http.c --- */

void loader_http(struct loader *loader);
void loader_alerts(struct loader *loader);

/* --- config_log.c --- */

/* Finds log_user of a service or of [defaults], whose settings were made from `base`. */
void loader_log_user(struct loader *loader, const struct draft *draft,
    struct service_settings *service, const struct service_settings *base);

/* Expands %n in the paths of `log` and `log_stderr`. */
void loader_log_paths(
    struct loader *loader, const struct draft *draft, struct service_settings *service);

/* Warns of what the keys of a service's output say in vain. */
void loader_check_log(
    struct loader *loader, const struct draft *draft, const struct service_settings *service);

void loader_syslog(struct loader *loader);

/* --- config_net.c --- */

void loader_nets(struct loader *loader);

/* Lists what services wait for; once their settings are made. */
void loader_awaited(struct loader *loader);

/* --- config_links.c --- */

/* The lists of names, and all edges between services. */
void loader_links(struct loader *loader);

/* The name of the service, another than `but`, that is nearest to a misspelt one, or NULL. */
const char *loader_nearest(const struct loader *loader, const char *name, const struct draft *but);

/* The graph of the lists at the given bytes of each service's settings: edges lead from a
 * service to those it names, or the other way. false: no memory, which is noted. */
bool loader_member_graph(struct loader *loader, const size_t *members, size_t member_count,
    bool reverse, struct graph *ret_graph);

/* --- config_cycles.c --- */

struct pair {
	uint32_t from;
	uint32_t to;
};

/* The graph of the services with these edges, those of one node in the order of the pairs.
 * false: no memory (or pairs is NULL), which is noted. */
bool loader_graph(
    struct loader *loader, const struct pair *pairs, uint32_t count, struct graph *ret_graph);

/* `after` or `before`: `from` waits for `to`. */
struct order_edge {
	uint32_t from;
	uint32_t to;
	uint32_t owner; /* whose key says so */
	uint8_t key;    /* its place in the schema */
	bool dropped;
};

/* Reports cycles of requires and wants, and of restart_with (errors), and drops order edges
 * that would close one (warnings). */
void loader_cycles(struct loader *loader, struct order_edge *edges, uint32_t count);

#endif
