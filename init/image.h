/* The configuration as PID 1 uses it: one read-only, position-independent block, made by
 * config.h in one go and never changed after.
 *
 * References are byte offsets from the block's beginning (`ref`, 0 = absent), so it can be
 * written to a memfd by a child, mapped by PID 1 and kept over an exec. The services are
 * sorted by name (strcmp); a service's index is its place in that order and has a meaning
 * in this image only. Equal texts and equal lists are stored once.
 *
 * Owns nothing and changes nothing: pure. Every function but image_check() takes an image
 * that image_check() has accepted, or that config_load() made.
 */
#ifndef SINIT_IMAGE_H
#define SINIT_IMAGE_H

#include "init/schema.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint32_t ref;

#define IMAGE_MAGIC        0x746e6973u /* "sint" */
#define IMAGE_VERSION      2u
#define IMAGE_MAX_SERVICES 4096u
#define IMAGE_MAX_NAME     63u
#define IMAGE_NONE         UINT32_MAX /* no such service */

struct image {
	uint32_t magic;
	uint32_t version;
	uint32_t size; /* bytes in all, a multiple of 8 */
	uint32_t service_count;
	ref settings;          /* struct sinit_settings */
	ref services;          /* struct service_settings [service_count] */
	uint32_t main_service; /* index of the service made of COMMAND, IMAGE_NONE without */
	uint32_t broken_count; /* services whose `broken` is set */
};

struct image_list {
	uint32_t count;
	uint32_t item[];
};

struct image_limit {
	uint64_t soft; /* UINT64_MAX (RLIM_INFINITY): unlimited */
	uint64_t hard;
};

/* The limits that a service sets; image_limit() finds one. */
#define IMAGE_LIMITS 16
struct image_limits {
	uint64_t set;               /* bit n: there is one of resource n */
	struct image_limit limit[]; /* those, in the order of their resources */
};

/* The C type of a setting (schema.h says what it holds). */
#define SETTING_C_TEXT        ref
#define SETTING_C_PATH        ref
#define SETTING_C_ACCOUNT     ref
#define SETTING_C_COMMAND     ref
#define SETTING_C_ENVIRONMENT ref
#define SETTING_C_PATHS       ref
#define SETTING_C_ACCOUNTS    ref
#define SETTING_C_NAMES       ref
#define SETTING_C_CODES       ref
#define SETTING_C_BOOL        uint32_t
#define SETTING_C_ENUM        uint32_t
#define SETTING_C_COUNT       uint32_t
#define SETTING_C_OCTAL       uint32_t
#define SETTING_C_PERCENT     uint32_t
#define SETTING_C_FACTOR      uint32_t
#define SETTING_C_DURATION    uint32_t
#define SETTING_C_INT         int32_t
#define SETTING_C_SIGNAL      int32_t

#define SETTING_ONLY_SINIT_SINIT(...) __VA_ARGS__
#define SETTING_ONLY_SINIT_SERVICE(...)
#define SETTING_ONLY_SERVICE_SINIT(...)
#define SETTING_ONLY_SERVICE_SERVICE(...) __VA_ARGS__

/* Section [sinit]: one member a key, named like it. */
struct sinit_settings {
#define LATER(...)
#define KEY_NAMED(section, member, name, type, ...)                                                \
	SETTING_ONLY_SINIT_##section(SETTING_C_##type member;)
#include "init/schema.def"
	/* control_group as a number, SETTING_UNSET if it is not set or unknown. */
	uint32_t control_gid;
};

enum service_flag {
	SERVICE_MAIN = 1,          /* made of COMMAND */
	SERVICE_SET_UID = 2,       /* run as `uid` */
	SERVICE_SET_GID = 4,       /* run as `gid` */
	SERVICE_SET_GROUPS = 8,    /* setgroups(`group_ids`), which may be empty */
	SERVICE_UNKNOWN_USER = 16, /* `user` is not known: starting it must fail, step user */
	SERVICE_UNKNOWN_GROUP =
	    32, /* `group` or one of `groups` is not known: likewise, step group */
};

/* A service: one member a key, named like it (but `stdin`, a macro of <stdio.h>, which is
 * standard_input), and what was found out from them. */
struct service_settings {
#define LATER(...)
#define LIMIT(...)
#define KEY_NAMED(section, member, name, type, ...)                                                \
	SETTING_ONLY_SERVICE_##section(SETTING_C_##type member;)
#include "init/schema.def"
	ref limits; /* struct image_limits: all keys limit_ */
	ref name;
	ref where;      /* FILE:LINE of its first section, for messages */
	ref broken;     /* CONFIG_TOLERANT: the first error of its configuration; the service must
			 * not be started */
	uint32_t flags; /* enum service_flag */
	/* Identity: valid where the flag says so. */
	uint32_t uid;
	uint32_t gid;
	ref group_ids; /* list of numbers */
	/* With `user` set, for LOGNAME and USER, HOME, SHELL; 0 if the user has no entry in
	 * /etc/passwd. */
	ref user_name;
	ref home;
	ref shell;
	/* Edges found from the keys; all are lists of service indexes, ascending. */
	ref order_after; /* whom it starts after by order alone: `after`, and who names it in
			  * `before`; without those that are in requires or wants, and
			  * without those dropped since they would close a cycle */
	ref dependents;  /* whose requires, wants or order_after has this service */
	ref restarts;    /* whose restart_with has this service */
};

static inline const struct sinit_settings *image_settings(const struct image *image)
{
	return (const void *)((const char *)image + image->settings);
}

/* `index` must be less than image->service_count. */
static inline const struct service_settings *image_service(
    const struct image *image, uint32_t index)
{
	return (const struct service_settings *)(const void *)((const char *)image +
							       image->services) +
	       index;
}

/* The text at a reference; NULL if it is absent. */
static inline const char *image_string(const struct image *image, ref at)
{
	return at ? (const char *)image + at : NULL;
}

/* A service's name. */
static inline const char *image_name(const struct image *image, uint32_t index)
{
	return image_string(image, image_service(image, index)->name);
}

/* The list at a reference; an empty one if it is absent. */
const struct image_list *image_list(const struct image *image, ref at);

/* Whether [0 .. length-1] may be the name of a service: letters, digits, _ - . @, at most
 * IMAGE_MAX_NAME, and neither . nor .. since names become names of files. */
bool image_good_name(const char *name, size_t length);

/* Index of the service of that name, or IMAGE_NONE. */
uint32_t image_find(const struct image *image, const char *name);

/* A service's limit of a resource (RLIMIT_CPU to RLIMIT_RTTIME, 0 to 15), NULL if unset. */
const struct image_limit *image_limit(
    const struct image *image, const struct service_settings *service, unsigned resource);

/* Whether a service is the same in two images: name, every key, identity. Places of texts,
 * indexes and FILE:LINE do not count. */
bool image_service_equal(const struct image *a, uint32_t ia, const struct image *b, uint32_t ib);

/* The same, but only what matters to a running process (KEY_SPAWN, identity): if this is
 * true and image_service_equal() is not, the new settings can be taken over without a restart. */
bool image_service_same_process(
    const struct image *a, uint32_t ia, const struct image *b, uint32_t ib);

/* Whether the two images have equal [sinit] settings. */
bool image_settings_equal(const struct image *a, const struct image *b);

/* Fills order[0 .. service_count-1] with all services in the order in which they may be
 * started: what is waited for first; among those that may go, by (priority, name).
 * Broken services are in it too. `scratch` must have image_order_scratch() words. */
size_t image_order_scratch(const struct image *image);
void image_order(const struct image *image, uint32_t *order, uint32_t *scratch);

/* Whether a block that somebody else made can be used: header, each reference, each index,
 * each enumeration, the order of names. 0 or -EINVAL. `block` must be 8 byte aligned. */
int image_check(const void *block, size_t size);

#endif
