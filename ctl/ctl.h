/* What every verb of sinitctl is given, and the table of the verbs.
 *
 * A verb is a function of a struct ctl that writes to ctl->out and returns the exit
 * code (enum ctl_code). What went wrong goes to standard error by ctl_error(), as a
 * sentence: what, where, why, what next. May call: everything in ctl/, the readers of
 * init/ (board, explain, config). */
#ifndef SINIT_CTL_CTL_H
#define SINIT_CTL_CTL_H

#include "ctl/request.h"
#include "init/base.h"

#include <sys/types.h>

#ifndef SINIT_VERSION
#define SINIT_VERSION "0"
#endif

#define CTL_RUNDIR "/run/sinit"

enum {
	OUT_SIZE = 65536,
	OUT_ROOM = 12288,     /* bytes that out_text() promises */
	CTL_ANSWER_MS = 5000, /* how long PID 1 has to answer */
	CTL_WAIT_MS = 90000,  /* how long to wait for services to start or stop */
	CTL_DELAY_MS = 1000,  /* between two looks of top, if -d says nothing */
	CTL_DELAY_LEAST = 100,
	CTL_POLL_MS = 10, /* between two looks at the board */
};

/* Output in few large writes. */
struct out {
	struct text text;
	int fd;
	int error; /* errno of the first write that failed; then nothing more is written */
	char buffer[OUT_SIZE];
};

/* What the standard output can show. */
struct style {
	bool colour;
	bool utf8;      /* a terminal that knows UTF-8 */
	unsigned width; /* columns of the terminal; 0: no terminal, lines are never cut */
};

enum ctl_option {
	OPT_JSON = 1 << 0,
	OPT_TIMEOUT = 1 << 1,
	OPT_NO_WAIT = 1 << 2,
	OPT_READY = 1 << 3,
	OPT_STOPPED = 1 << 4,
	OPT_FOLLOW = 1 << 5,
	OPT_LINES = 1 << 6,
	OPT_DOT = 1 << 7,
	OPT_CONFIG = 1 << 8,
	OPT_RUNDIR = 1 << 9, /* good for every verb */
	OPT_HELP = 1 << 10,  /* likewise */
	OPT_VERSION = 1 << 11,
	OPT_KIND = 1 << 12,
	OPT_DELAY = 1 << 13,
};

struct ctl {
	const struct ctl_verb *verb;
	const char *rundir;
	const char *config; /* -c DIR */
	unsigned options;   /* enum ctl_option: those given */
	int64_t timeout;    /* ms of --timeout; only with OPT_TIMEOUT */
	uint32_t lines;     /* of -n; only with OPT_LINES */
	uint32_t delay;     /* ms of -d; only with OPT_DELAY */
	uint32_t kinds;     /* bits of enum event_kind; only with OPT_KIND */
	size_t argc;        /* after the verb */
	const char **argv;
	struct style style;
	struct out *out;
};

struct ctl_verb {
	const char *name;
	const char *usage;           /* arguments and options, for people */
	const char *help;            /* one line */
	unsigned options;            /* enum ctl_option: those it knows */
	unsigned least, most;        /* number of arguments */
	int (*run)(struct ctl *ctl); /* NULL: of a later version */
};

extern const struct ctl_verb ctl_verbs[]; /* the last one's name is NULL */

/* The whole of sinitctl: reads the command line, runs the verb, flushes *out. Returns the
 * exit code. `argv` is reordered. */
int ctl_main(int argc, char **argv, struct out *out, const struct style *style);

/* Reads the command line into *ctl. CTL_OK, or CTL_USAGE after saying what is wrong. With
 * OPT_HELP or OPT_VERSION set, ctl->verb may be NULL. */
int ctl_parse(struct ctl *ctl, int argc, char **argv);

/* A line on standard error: "sinitctl: ...". Control characters are made harmless. */
void ctl_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

static inline bool ctl_has(const struct ctl *ctl, enum ctl_option option)
{
	return ctl->options & option;
}

/* --- output (out.c) --------------------------------------------------------- */

void out_init(struct out *out, int fd);

/* The text to add to, with room for OUT_ROOM bytes. */
struct text *out_text(struct out *out);

/* Adds a string of any length as it is, or made harmless for a terminal. */
void out_add(struct out *out, const char *string);
void out_clean(struct out *out, const char *string);

/* The same for bytes that may hold NULs. Harmless is here what somebody's lines are made: tabs
 * stay, and with `colour` colours (SGR sequences) do, which then end with the bytes. */
void out_add_bytes(struct out *out, const char *bytes, size_t size);
void out_clean_bytes(struct out *out, const char *bytes, size_t size, bool colour);

/* Adds bytes as a JSON string, like text_json_bytes(). */
void out_json_bytes(struct out *out, const char *bytes, size_t size);

/* Writes what there is. 0 or -errno of the first failure so far. */
int out_flush(struct out *out);

/* What file descriptor `fd` can show, by terminal, TERM, NO_COLOR and the locale. */
struct style style_of(int fd);

/* --- verbs ------------------------------------------------------------------ */

int ctl_status(struct ctl *ctl);   /* verb_status.c */
int ctl_summary(struct ctl *ctl);  /* verb_summary.c */
int ctl_health(struct ctl *ctl);   /* verb_health.c */
int ctl_events(struct ctl *ctl);   /* verb_events.c */
int ctl_logs(struct ctl *ctl);     /* verb_logs.c */
int ctl_operate(struct ctl *ctl);  /* verb_operate.c: start, stop, restart */
int ctl_wait(struct ctl *ctl);     /* verb_operate.c */
int ctl_order(struct ctl *ctl);    /* verb_order.c: reload, signal, reset, rotate, ping, ... */
int ctl_shutdown(struct ctl *ctl); /* verb_order.c: shutdown, reboot, poweroff */
int ctl_show(struct ctl *ctl);     /* verb_show.c */
int ctl_top(struct ctl *ctl);      /* verb_top.c */
int ctl_graph(struct ctl *ctl);    /* verb_graph.c */
int ctl_plot(struct ctl *ctl);     /* verb_startup.c */
int ctl_blame(struct ctl *ctl);    /* verb_startup.c */
int ctl_check(struct ctl *ctl);    /* verb_check.c */
int ctl_help(struct ctl *ctl);     /* usage.c */

#endif
