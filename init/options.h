/* The command line, of sinit and of sinit called as tini or dumb-init.
 *
 * Pure: reads argv and the environment that it is given, writes one struct and a text,
 * prints nothing. Calls init/base and reaper/signals. One table (options.c) says which
 * options there are; parsing, the help text and
 * the manual page come from it. */
#ifndef SINIT_OPTIONS_H
#define SINIT_OPTIONS_H

#include "reaper/signals.h"

#include <stdbool.h>
#include <stdint.h>

struct text;

#define OPTIONS_DEFAULT_CONFIG "/etc/sinit"
#define OPTIONS_DEFAULT_RUN    "/run/sinit"
#define OPTIONS_DEFAULT_GRACE  5000 /* ms */

/* Whose part sinit plays: by the last component of argv[0]. */
enum personality {
	PERSONALITY_SINIT,
	PERSONALITY_TINI,      /* tini, tini-static, tini-ARCH; docker-init, which is tini */
	PERSONALITY_DUMB_INIT, /* dumb-init */
};

enum options_action {
	ACTION_RUN,
	ACTION_CHECK,          /* --check */
	ACTION_PRINT_DEFAULTS, /* --print-defaults */
	ACTION_VERSION,
	ACTION_HELP,
	ACTION_LICENSE,
};

struct wrapper_options {
	uint8_t personality;             /* enum personality */
	uint8_t verbosity;               /* number of -v; tini starts at 1 (warnings) */
	uint8_t parent_death;            /* -p: signal to get when the parent dies, 0: none */
	bool subreaper;                  /* adopt orphans when not PID 1 */
	bool warn_on_reap;               /* -w */
	bool group;                      /* -g: signals go to the command's process group */
	bool new_session;                /* dumb-init: the command leads a session of its own */
	uint32_t grace_ms;               /* for what is left when the command has ended */
	uint32_t ok_codes[8];            /* -e: bit set of exit codes that become 0 */
	uint64_t rewritten;              /* bit N-1: --rewrite N:… was given (or is a default) */
	uint8_t rewrite[SIGNAL_MAX + 1]; /* what a signal is forwarded as; 0: not at all */
};

struct options {
	uint8_t action;      /* enum options_action */
	uint8_t personality; /* enum personality */
	const char *name;    /* last component of argv[0]: borrowed */
	const char *config;  /* -c: configuration directory; borrowed from argv */
	const char *run_dir; /* -r; borrowed from argv */
	bool dash_dash;      /* a "--" came before the command */
	char **command;      /* the rest of argv, NULL-terminated; NULL if there is none */
	struct wrapper_options wrapper;
};

/* Reads argv (argc >= 1) and, for tini and dumb-init, their environment variables through
 * `lookup` (getenv or a test's; NULL: none).
 * 0: *ret_options is filled. -EINVAL: *error holds a message of one or more lines without
 * the last newline, meant for stderr as it is; the exit code is options_usage_code(). */
int options_parse(char **argv, const char *(*lookup)(const char *name), struct options *ret_options,
    struct text *error);

/* Whose part a program started as `argv0` plays; NULL is sinit's. */
enum personality options_personality(const char *argv0);

/* The exit code for a wrong command line: 1 as tini and dumb-init, else 78. */
int options_usage_code(enum personality personality);

/* Adds what -h, --version and -l print; about 3 KiB. */
void options_help(const struct options *options, struct text *text);
void options_version(const struct options *options, struct text *text);
void options_license(struct text *text);

/* Adds the OPTIONS section of the manual page (man(7) macros, without its .SH line). */
void options_manual(struct text *text);

/* True if that text goes to standard error (dumb-init prints everything there). */
bool options_to_stderr(const struct options *options);

#endif
