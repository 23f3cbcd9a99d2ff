/* The keys of the configuration: one table (schema.def), from which come parsing, --check,
 * --print-defaults, the manual's key table and `sinitctl show`.
 *
 * Owns the table, which is constant and holds no pointers. Pure: calls base, value and the
 * accessors of image only.
 */
#ifndef SINIT_SCHEMA_H
#define SINIT_SCHEMA_H

#include "cgroup/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct image;
struct text;

/* The kinds of section. The three kinds of probe share their keys, and so do [defaults]
 * and [service NAME]. */
enum schema_section {
	SECTION_SINIT,
	SECTION_SERVICE,
	SECTION_PROBE,
	SECTION_HTTP,
	SECTION_ALERT,
	SECTION_NET,
	SECTION_SYSLOG,
	SECTION_COUNT,
};

/* A bit for each, to have schema.def with some of them only. */
#define SCHEMA_SINIT   1
#define SCHEMA_SERVICE 2
#define SCHEMA_PROBE   4
#define SCHEMA_HTTP    8
#define SCHEMA_ALERT   16
#define SCHEMA_NET     32
#define SCHEMA_SYSLOG  64
#define SCHEMA_ALL     127

/* Kinds of value, and what the 4 byte member of the settings holds. A `ref` is an offset
 * into the image, 0 if unset (image.h). */
enum schema_kind {
	KIND_TEXT,        /* ref: text */
	KIND_PATH,        /* ref: text, an absolute path or one of the key's words */
	KIND_WORD,        /* ref: text, one of the key's words */
	KIND_CGROUP,      /* ref: text, a limit (cgroup/limits.h) */
	KIND_WARN,        /* ref: text, a size or a percentage of memory_max */
	KIND_CHECK,       /* ref: text, a check (probes/check.h) */
	KIND_URL,         /* ref: text, http://HOST[:PORT]/PATH */
	KIND_FORWARD,     /* ref: text, udp://HOST[:PORT] or tcp://HOST[:PORT] */
	KIND_ACCOUNT,     /* ref: text, name or number of a user or group */
	KIND_COMMAND,     /* ref: list of texts, argv */
	KIND_ENVIRONMENT, /* ref: list of texts NAME=VALUE */
	KIND_PATHS,       /* ref: list of texts */
	KIND_ACCOUNTS,    /* ref: list of texts */
	KIND_HEADERS,     /* ref: list of texts "Name: value" */
	KIND_LISTEN,      /* ref: list of texts, addresses (check_parse_address()) */
	KIND_PATTERNS,    /* ref: list of texts, shell patterns */
	KIND_AWAITED,     /* ref: list of texts, absolute paths or names of interfaces */
	KIND_ADDRESSES,   /* ref: list of texts ADDRESS/PREFIX (init/netaddr.h) */
	KIND_GATEWAYS,    /* ref: list of texts, addresses, at most one of IPv4 and one of IPv6 */
	KIND_NAMES,       /* ref: list of service indexes */
	KIND_CODES,       /* ref: list of numbers */
	KIND_RANGES,      /* ref: list of numbers, each IMAGE_RANGE() */
	KIND_LIMIT,       /* ref: struct image_limits, shared by all keys of this kind */
	KIND_BOOL,        /* uint32_t: 0, 1 */
	KIND_ENUM,        /* uint32_t: position among the key's words, see below */
	KIND_MASK,        /* uint32_t: a bit for each of the key's words but the last, which is
			   * all of them */
	KIND_COUNT,       /* uint32_t, SETTING_UNLIMITED */
	KIND_OCTAL,       /* uint32_t, SETTING_UNSET */
	KIND_PERCENT,     /* uint32_t */
	KIND_FACTOR,      /* uint32_t: thousandths */
	KIND_DURATION,    /* uint32_t: milliseconds, SETTING_UNLIMITED; 0 if the key has no default
			   * and was not set */
	KIND_SIZE,        /* uint32_t: bytes, SETTING_UNLIMITED for `max` */
	KIND_INT,         /* int32_t, SETTING_UNSET_INT */
	KIND_SIGNAL,      /* int32_t: the signal's number */
	KIND_LATER,       /* nothing: not supported by this build */
};

/* The key has no default and was not set. */
#define SETTING_UNSET     UINT32_MAX
#define SETTING_UNSET_INT INT32_MIN
/* max_restarts, start_timeout, stop_timeout = unlimited; log_max_size = max. As milliseconds it is
 * 49 days, so code that forgets the difference is still right for long enough. */
#define SETTING_UNLIMITED UINT32_MAX

/* Values of the enumerations, in the order of the words in schema.def. log_level and
 * log_format of [sinit] are enum log_level and enum log_format of init/log.h; log_format of
 * the others is enum output_format. */
enum service_type { TYPE_SIMPLE, TYPE_ONESHOT, TYPE_NOTIFY, TYPE_FORKING };
enum restart { RESTART_ALWAYS, RESTART_ON_FAILURE, RESTART_NEVER };
enum kill_mode { KILL_MAIN, KILL_GROUP, KILL_PROCESS };
enum output_format { OUTPUT_RAW, OUTPUT_TIMESTAMPS, OUTPUT_JSON };
enum cgroups_use { CGROUPS_AUTO, CGROUPS_REQUIRED, CGROUPS_OFF };
enum oom_policy { OOM_RESTART, OOM_STOP, OOM_IGNORE };
enum critical_action { CRITICAL_REBOOT, CRITICAL_ALERT };
enum alert_format { ALERT_JSON, ALERT_NTFY };

/* Bits of `events` of an alert, in the order of the words. */
enum alert_kind {
	ALERT_RESTART = 1,
	ALERT_FATAL = 2,
	ALERT_FAILED = 4,
	ALERT_RECOVERED = 8,
	ALERT_UNHEALTHY = 16,
	ALERT_OOM = 32,
	ALERT_MEMORY = 64,
	ALERT_CRITICAL_DOWN = 128,
};

enum schema_flag {
	KEY_SPAWN = 1,      /* takes effect when the process starts: a change needs a restart */
	KEY_REPEATS = 2,    /* may stand more than once; the lines add up */
	KEY_UNLIMITED = 4,  /* the word `unlimited` is a value */
	KEY_DEFAULT_OK = 8, /* KIND_LATER: the default may be written */
	KEY_FILE = 16,      /* KIND_PATH: of a file, so it does not end in / */
};

/* A row. The texts are offsets into the table's own pool: use the functions below. */
struct schema_key {
	uint16_t name;
	uint16_t preset;
	uint16_t words;
	uint16_t doc;
	uint16_t offset; /* of the member in the settings of its section (image.h) */
	uint8_t section; /* enum schema_section */
	uint8_t kind;    /* enum schema_kind */
	uint8_t flags;   /* enum schema_flag */
	uint32_t most;
	int32_t least;
};

/* The place of each row, KEY_SECTION_member, and their number. */
enum schema_place {
#define KEY_NAMED(section, member, ...) KEY_##section##_##member,
#define LATER(section, name, ...)       KEY_##section##_##name,
#include "init/schema.def"
	SCHEMA_KEYS
};

/* Number of rows, and each of them. `index` must be less than schema_count(). */
unsigned schema_count(void);
const struct schema_key *schema_at(unsigned index);
unsigned schema_index(const struct schema_key *key);

/* Which limit a key of KIND_CGROUP is. */
enum cgroup_limit schema_limit(const struct schema_key *key);

/* The row of a name, or NULL. */
const struct schema_key *schema_find(enum schema_section section, const char *name);

const char *schema_name(const struct schema_key *key);
const char *schema_default(const struct schema_key *key); /* "" if it has none */
const char *schema_doc(const struct schema_key *key);     /* "" for KIND_LATER */

/* Word number `index` of a key's words into *text. false if there are not so many. */
bool schema_word(const struct schema_key *key, unsigned index, struct text *text);

/* Whether word number `index` exists and is one of this version. */
bool schema_word_supported(const struct schema_key *key, unsigned index);

/* The bits of KIND_MASK that mean something. */
uint32_t schema_mask_all(const struct schema_key *key);

/* Number of words of a key, those of later versions included. */
unsigned schema_word_count(const struct schema_key *key);

/* A name of the section's keys that is at most two slips of the pen away, or NULL. */
const char *schema_nearest(enum schema_section section, const char *name);

/* The headers of a section: "[service NAME] or [defaults]". */
const char *schema_section_title(enum schema_section section);

/* What a good value would be, as the end of a sentence: "a duration such as 250ms". */
void schema_expected(const struct schema_key *key, struct text *text);

/* Finds a value among the key's words; a path where the key has the word /.
 * -EINVAL: it is none of them. -EOPNOTSUPP: a value of a later version. */
int schema_parse_word(const struct schema_key *key, const char *value, uint32_t *ret_index);

/* Parses the value of a key whose member is a number (KIND_BOOL and all after it).
 * -EINVAL: it is no such value. -EOPNOTSUPP: a value of a later version. */
int schema_parse_number(const struct schema_key *key, const char *value, uint32_t *ret_value);

/* Adds a setting as it would be written in a file; nothing if it is unset. `settings` is
 * what the key's section has in `image`: struct sinit_settings, service_settings and so on. */
void schema_print_value(struct text *text, const struct image *image, const struct schema_key *key,
    const void *settings);

/* Receives output piece by piece; each is NUL-terminated. */
typedef void schema_write(void *context, const char *piece);

/* The whole configuration as a commented INI file: each supported key with its
 * documentation and default (--print-defaults). */
void schema_write_defaults(schema_write *write, void *context);

/* The key table of the manual page sinit.conf(5), as man(7) source: .SS a section, .TP a key.
 * Keys of later versions are left out. */
void schema_write_manual(schema_write *write, void *context);

#endif
