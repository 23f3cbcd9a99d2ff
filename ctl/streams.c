#include "ctl/streams.h"

#include "ctl/match.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What is no service's has a name all the same, unless a service has that. */
static const struct {
	enum store_kind kind;
	const char *name;
	const char *absent; /* why there may be no such stream */
} strangers[] = {
    {STORE_SINIT, "sinit",
	"its own messages are not kept; with log_target = FILE the last 64 KiB of them are"},
    {STORE_SYSLOG, "syslog",
	"sinit takes no messages of syslog(3); [syslog] with listen = yes does, and keeps the last "
	"64 KiB of them"},
};

static const char *label(const struct store_who *who)
{
	for (size_t i = 0; i < ARRAY_LEN(strangers); i++)
		if (strangers[i].kind == who->kind)
			return strangers[i].name;
	return who->name;
}

const char *streams_label(const struct source *source)
{
	return label(&source->who);
}

static bool is_service(const struct view *view, const char *name)
{
	struct board_service s;
	uint32_t count = view->board.head->count;

	for (uint32_t i = 0; i < count; i++)
		if (board_read(&view->board, i, &s) && match_service(name, s.name))
			return true;
	return false;
}

static bool matches(const struct streams *streams, const char *name, const struct store_who *who)
{
	if (who->kind == STORE_OUTPUT || who->kind == STORE_ERROR)
		return match_service(name, who->name);
	return strcmp(name, label(who)) == 0 && !is_service(&streams->view, name);
}

static bool is_meant(const struct streams *streams, const struct store_who *who)
{
	for (size_t i = 0; i < streams->ctl->argc; i++)
		if (matches(streams, streams->ctl->argv[i], who))
			return true;
	return false;
}

static int by_name(const void *a, const void *b)
{
	const struct source *const *left = a;
	const struct source *const *right = b;
	int order = strcmp(streams_label(*left), streams_label(*right));

	return order ? order : (int)(*left)->who.kind - (int)(*right)->who.kind;
}

uint32_t streams_index(const struct streams *streams, const struct source *source)
{
	return (uint32_t)(source - streams->source);
}

bool streams_same(const struct streams *streams, const struct source *source)
{
	struct store_who who;
	bool used = store_read_who(&streams->store, streams_index(streams, source), &who);

	return used == source->used &&
	       (!used || (who.kind == source->who.kind && strcmp(who.name, source->who.name) == 0));
}

/* Looks at the stream again. True: it is another one now. */
static bool renew(const struct streams *streams, struct source *source)
{
	if (streams_same(streams, source))
		return false;
	*source = (struct source){.used = false};
	source->used =
	    store_read_who(&streams->store, streams_index(streams, source), &source->who);
	source->shown = source->used && is_meant(streams, &source->who);
	return true;
}

void streams_scan(struct streams *streams)
{
	bool changed = false;

	for (uint32_t i = 0; i < streams->store.capacity; i++)
		changed |= renew(streams, &streams->source[i]);
	if (!changed)
		return;
	streams->shown = 0;
	for (uint32_t i = 0; i < streams->store.capacity; i++)
		if (streams->source[i].shown)
			streams->sorted[streams->shown++] = &streams->source[i];
	qsort(streams->sorted, streams->shown, sizeof(struct source *), by_name);
}

/* Without a store nothing is captured, or only sinit's logger can see it. */
static int open_store(struct streams *streams)
{
	const char *rundir = streams->ctl->rundir;
	int rc = store_read_open(&streams->store, rundir);

	streams->absent = rc == -ENOENT;
	if (rc == 0 || rc == -ENOENT)
		return CTL_OK;
	if (rc == -EACCES || rc == -EPERM)
		ctl_error(
		    "permission denied: %s/" STORE_FILE " cannot be read; what services write "
		    "is for root, the user that sinit runs as and the members of control_group",
		    rundir);
	else if (rc == -EPROTO)
		ctl_error("%s/" STORE_FILE
			  " has another layout than that of sinitctl " SINIT_VERSION
			  ": use the sinitctl that came with the running sinit",
		    rundir);
	else
		ctl_error("cannot read %s/" STORE_FILE ": %s", rundir, strerror(-rc));
	return CTL_FAILED;
}

int streams_open(struct streams *streams, const struct ctl *ctl)
{
	streams->ctl = ctl;
	int code = view_open(&streams->view, ctl);

	if (code == CTL_OK)
		code = open_store(streams);
	if (code != CTL_OK)
		return code;
	streams->source = calloc(streams->store.capacity + 1, sizeof(struct source));
	streams->sorted = calloc(streams->store.capacity + 1, sizeof(struct source *));
	if (!streams->source || !streams->sorted) {
		ctl_error("out of memory");
		return CTL_FAILED;
	}
	streams_scan(streams);
	return CTL_OK;
}

void streams_close(struct streams *streams)
{
	free(streams->source);
	free(streams->sorted);
	store_read_close(&streams->store);
	view_close(&streams->view, CTL_OK);
}

/* --- Names that mean no stream ------------------------------------------------------- */

static bool is_shown(const struct streams *streams, const char *name)
{
	for (uint32_t i = 0; i < streams->shown; i++)
		if (matches(streams, name, &streams->sorted[i]->who))
			return true;
	return false;
}

/* Says why there is nothing of sinit, or of syslog. False: `name` is neither. */
static bool say_stranger(const struct streams *streams, const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(strangers); i++)
		if (strcmp(name, strangers[i].name) == 0 && !is_service(&streams->view, name)) {
			ctl_error("%s: %s", name, strangers[i].absent);
			return true;
		}
	return false;
}

static void say_not_captured(const struct streams *streams, const char *name)
{
	static const char why[] = "captured (log = inherit or null, or a tty)";
	static const char advice[] = "log = prefix or a file keeps the last 64 KiB of it";

	if (streams->absent)
		ctl_error("%s: no output is kept: none is %s, or %s/" STORE_FILE
			  " could not be made, as sinit's log says then; %s",
		    name, why, streams->ctl->rundir, advice);
	else if (match_is_pattern(name))
		ctl_error("of no service that matches %s the output is %s; %s", name, why, advice);
	else
		ctl_error("%s: its output is not %s; %s", name, why, advice);
}

int streams_check(struct streams *streams)
{
	const struct ctl *ctl = streams->ctl;
	struct view *view = &streams->view;
	const char **left = arena_get(&view->arena, ctl->argc * sizeof(*left));
	size_t count = 0;
	int code = CTL_OK;

	if (!left) {
		ctl_error("out of memory");
		return CTL_FAILED;
	}
	for (size_t i = 0; i < ctl->argc; i++)
		if (is_shown(streams, ctl->argv[i]))
			continue;
		else if (say_stranger(streams, ctl->argv[i]))
			code = CTL_FAILED;
		else
			left[count++] = ctl->argv[i];
	int unknown = count ? view_load(view, left, count) : CTL_OK;
	for (size_t i = 0; i < count; i++)
		if (is_service(view, left[i])) {
			say_not_captured(streams, left[i]);
			code = CTL_FAILED;
		}
	return unknown != CTL_OK ? unknown : code;
}
