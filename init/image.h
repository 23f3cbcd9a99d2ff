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

#include "cgroup/limits.h"
#include "init/machine.h"
#include "init/schema.h"
#include "probes/helper.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint32_t ref;

#define IMAGE_MAGIC        0x746e6973u /* "sint" */
#define IMAGE_VERSION      6u
#define IMAGE_MAX_SERVICES 4096u
#define IMAGE_MAX_NAME     63u
#define IMAGE_MAX_ALERTS   64u
#define IMAGE_MAX_LISTEN   16u         /* addresses of [http] */
#define IMAGE_EMERGENCY    "emergency" /* name of the service, see CONFIG_MACHINE */
#define IMAGE_MAX_NETS     64u
#define IMAGE_MAX_AWAITED  256u       /* things that services wait for, in all */
#define IMAGE_MAX_WAIT_FOR 32u        /* for one service */
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
	ref http;              /* struct http_settings, 0: nothing listens */
	ref alerts;            /* struct alert_settings [alert_count], in the order of names */
	uint32_t alert_count;
	ref nets; /* struct net_settings [net_count], in the order of names */
	uint32_t net_count;
	ref syslog;  /* struct syslog_settings, 0: neither listens nor forwards */
	ref awaited; /* list of texts: all that services wait for, each once */
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
#define SETTING_C_WORD        ref
#define SETTING_C_CGROUP      ref
#define SETTING_C_WARN        ref
#define SETTING_C_CHECK       ref
#define SETTING_C_URL         ref
#define SETTING_C_FORWARD     ref
#define SETTING_C_ACCOUNT     ref
#define SETTING_C_COMMAND     ref
#define SETTING_C_ENVIRONMENT ref
#define SETTING_C_PATHS       ref
#define SETTING_C_ACCOUNTS    ref
#define SETTING_C_HEADERS     ref
#define SETTING_C_LISTEN      ref
#define SETTING_C_PATTERNS    ref
#define SETTING_C_AWAITED     ref
#define SETTING_C_ADDRESSES   ref
#define SETTING_C_GATEWAYS    ref
#define SETTING_C_NAMES       ref
#define SETTING_C_CODES       ref
#define SETTING_C_RANGES      ref
#define SETTING_C_BOOL        uint32_t
#define SETTING_C_ENUM        uint32_t
#define SETTING_C_MASK        uint32_t
#define SETTING_C_COUNT       uint32_t
#define SETTING_C_OCTAL       uint32_t
#define SETTING_C_PERCENT     uint32_t
#define SETTING_C_FACTOR      uint32_t
#define SETTING_C_DURATION    uint32_t
#define SETTING_C_SIZE        uint32_t
#define SETTING_C_INT         int32_t
#define SETTING_C_SIGNAL      int32_t

/* Section [sinit]: one member a key, named like it. */
struct sinit_settings {
#define SCHEMA_PARTS SCHEMA_SINIT
#define LATER(...)
#define KEY_NAMED(section, member, name, type, ...) SETTING_C_##type member;
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
	SERVICE_LAST_RESORT = 64, /* made of [sinit] emergency */
};

/* A service: one member a key, named like it (but `stdin`, a macro of <stdio.h>, which is
 * standard_input), and what was found out from them. */
struct service_settings {
#define SCHEMA_PARTS SCHEMA_SERVICE
#define LATER(...)
#define LIMIT(...)
#define KEY_NAMED(section, member, name, type, ...) SETTING_C_##type member;
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
	/* log_user as numbers, SETTING_UNSET if it is not set or unknown. */
	uint32_t log_uid;
	uint32_t log_gid;
	/* Edges found from the keys; all are lists of service indexes, ascending. */
	ref order_after; /* whom it starts after by order alone: `after`, and who names it in
			  * `before`; without those that are in requires or wants, and
			  * without those dropped since they would close a cycle */
	ref dependents;  /* whose requires, wants or order_after has this service */
	ref restarts;    /* whose restart_with has this service */
	ref machine;     /* struct machine_settings; equal ones are stored once */
	/* struct probe_settings, 0: none; image_probe() finds them. */
	ref startup;
	ref liveness;
	ref readiness;
};

/* A check, or the address of a webhook, in its parts (probes/check.h). What a kind needs is
 * there: host and port (http, tcp, grpc), port (listen), path (unix, file), command (exec). */
struct image_target {
	uint32_t kind; /* enum check_kind of probes/helper.h; CHECK_NONE: no fallback */
	uint32_t port;
	uint32_t udp; /* listen, `forward`: 1 for UDP, else 0 */
	ref host;     /* http, tcp, grpc: a name or an address, without [] */
	ref path;     /* http: what is asked for, from its /; unix, file: absolute path */
	ref service;  /* grpc: the service asked for; 0: the whole server */
	ref command;  /* exec: argv, list of texts */
};

/* An item of KIND_RANGES: `least` to `most`. */
#define IMAGE_RANGE(least, most) ((uint32_t)(least) << 16 | (uint32_t)(most))
#define IMAGE_RANGE_LEAST(range) ((range) >> 16)
#define IMAGE_RANGE_MOST(range)  ((range)&0xffffu)

/* A probe of a service: one member a key, named like it, and what was found out from them.
 * timeout is never above interval; max_age is 0 if unset; expect_status has at most
 * PROBE_RANGES items; all its texts fit into one message to the prober. */
struct probe_settings {
#define SCHEMA_PARTS SCHEMA_PROBE
#define LATER(...)
#define KEY_NAMED(section, member, name, type, ...) SETTING_C_##type member;
#include "init/schema.def"
	ref name; /* of its service */
	struct image_target target;
	struct image_target fallback_target;
};

/* Section [http], if it says where to listen. */
struct http_settings {
#define SCHEMA_PARTS SCHEMA_HTTP
#define LATER(...)
#define KEY_NAMED(section, member, name, type, ...) SETTING_C_##type member;
#include "init/schema.def"
};

/* A section [alert NAME]. At least one of command, webhook and file is there. `events` has the
 * bits of enum alert_kind; no `services` means all. */
struct alert_settings {
#define SCHEMA_PARTS SCHEMA_ALERT
#define LATER(...)
#define KEY_NAMED(section, member, name, type, ...) SETTING_C_##type member;
#include "init/schema.def"
	ref name;
	struct image_target target; /* of the webhook: CHECK_HTTP, or CHECK_NONE without */
};

/* A section [net INTERFACE]: one member a key, named like it; mtu is SETTING_UNSET_INT if it is
 * not set. */
struct net_settings {
#define SCHEMA_PARTS SCHEMA_NET
#define LATER(...)
#define KEY_NAMED(section, member, name, type, ...) SETTING_C_##type member;
#include "init/schema.def"
	ref name; /* of the interface */
};

/* Section [syslog], if it listens or forwards: one member a key, named like it. */
struct syslog_settings {
#define SCHEMA_PARTS SCHEMA_SYSLOG
#define LATER(...)
#define KEY_NAMED(section, member, name, type, ...) SETTING_C_##type member;
#include "init/schema.def"
	uint32_t log_uid; /* as in struct service_settings */
	uint32_t log_gid;
	struct image_target target; /* of `forward`: CHECK_TCP, with udp; CHECK_NONE without */
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

/* A service's limit of its slice as it was written, NULL: none. */
const char *image_cgroup(
    const struct image *image, const struct service_settings *service, enum cgroup_limit limit);

/* What the machine needs to know of a service. */
static inline const struct machine_settings *image_machine(
    const struct image *image, const struct service_settings *service)
{
	return (const void *)((const char *)image + service->machine);
}

/* Finds that out from the keys and the probes, for what is to be stored or checked. All of
 * *ret is set, its padding to 0. */
void image_fill_machine(const struct image *image, const struct service_settings *service,
    struct machine_settings *ret);

/* A probe of a service, NULL if it has none of that role. */
const struct probe_settings *image_probe(
    const struct image *image, const struct service_settings *service, enum probe_role role);

/* Whether a probe makes a check of this kind, or has it as its fallback. */
bool image_probe_has(const struct probe_settings *probe, enum check_kind kind);

/* Whether it is the prober that looks at this target. */
bool image_is_network(const struct image_target *target);

/* Whether the prober makes the probe by itself. It does not if only one of the check and its
 * fallback is of the network: then PID 1 makes the probe, and asks the prober for that one. */
bool image_by_prober(const struct probe_settings *probe);

/* Bytes that a probe's texts take in struct prober_begin: each with its NUL, headers with CR
 * and LF, and the NUL that text[] begins with. */
size_t image_probe_text(const struct image *image, const struct probe_settings *probe);

/* Most bytes of them. */
enum { IMAGE_PROBE_TEXT = HELPER_MESSAGE - (int)sizeof(struct prober_begin) };

/* The same of an alert, in struct alerter_rule. */
size_t image_alert_text(const struct image *image, const struct alert_settings *alert);
enum { IMAGE_ALERT_TEXT = HELPER_MESSAGE - (int)sizeof(struct alerter_rule) };

/* [http], NULL if nothing is to listen. */
static inline const struct http_settings *image_http(const struct image *image)
{
	return image->http ? (const void *)((const char *)image + image->http) : NULL;
}

/* `index` must be less than image->alert_count. */
static inline const struct alert_settings *image_alert(const struct image *image, uint32_t index)
{
	return (const struct alert_settings *)(const void *)((const char *)image + image->alerts) +
	       index;
}

/* `index` must be less than image->net_count. */
static inline const struct net_settings *image_net(const struct image *image, uint32_t index)
{
	return (const struct net_settings *)(const void *)((const char *)image + image->nets) +
	       index;
}

/* [syslog], NULL if it neither listens nor forwards. image_log.h says where its lines go. */
static inline const struct syslog_settings *image_syslog(const struct image *image)
{
	return image->syslog ? (const void *)((const char *)image + image->syslog) : NULL;
}

/* The place in image->awaited of an item of wait_for of the same image, IMAGE_NONE: it is not
 * there. */
uint32_t image_awaited(const struct image *image, ref item);

/* Whether a service is the same in two images: name, every key, identity, probes. Places of
 * texts, indexes and FILE:LINE do not count. */
bool image_service_equal(const struct image *a, uint32_t ia, const struct image *b, uint32_t ib);

/* The same, but only what matters to a running process (KEY_SPAWN, identity, the ways of its
 * output): if this is true and image_service_equal() is not, the new settings can be taken over
 * without a restart. */
bool image_service_same_process(
    const struct image *a, uint32_t ia, const struct image *b, uint32_t ib);

/* Whether a probe of a service is the same in two images; not having it in both is so, too. */
bool image_probe_equal(
    const struct image *a, uint32_t ia, const struct image *b, uint32_t ib, enum probe_role role);

/* Whether [http], and all of the alerts in their order, are the same in two images. */
bool image_http_equal(const struct image *a, const struct image *b);
bool image_alerts_equal(const struct image *a, const struct image *b);

/* Whether all that is waited for, in its order, and all of [net], are the same. */
bool image_devices_equal(const struct image *a, const struct image *b);

/* Whether [syslog] is the same; not having it in both is so, too. */
bool image_syslog_equal(const struct image *a, const struct image *b);

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
