#include "reaper/leftovers.h"

#include "init/clock.h"
#include "reaper/procs.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	DEPTH_MAX = 64,  /* generations that are walked up to find out a descent */
	BELOW_MAX = 8,   /* and down from an orphan */
	SEEN_MAX = 4096, /* as many as there can be services */
	SEEN_MS = 20,    /* how long a look at the children may serve */
};

/* False if no process, not even a zombie, has the number `sid` as its own, its group's or
 * its session's. True may be wrong: the number is a stranger's by now, or the kernel (before
 * 4.13) does not tell. F_SETOWN (fcntl(2)) is the cheapest way to ask; it wants a descriptor
 * that can have an owner and whose owner means nothing to anybody. */
static int asking = -1;

int leftovers_open(void)
{
	if (asking < 0)
		asking = eventfd(0, EFD_CLOEXEC);
	return asking < 0 ? -errno : 0;
}

static bool may_exist(pid_t sid)
{
	return leftovers_open() < 0 || fcntl(asking, F_SETOWN, sid) == 0 || errno != ESRCH;
}

/* --- Children of ours -------------------------------------------------------------- */

/* Our children, or, on a kernel that does not list them, all processes. */
static int children_open(struct procs *procs)
{
	int error = procs_open(procs, "/proc/thread-self/children", false);

	if (error == -ENOENT)
		error = procs_open(procs, "/proc", true);
	return error;
}

/* --- One session ------------------------------------------------------------------- */

/* What the last look at all children found. When a thousand services end at once, each of
 * them is asked about within the same few milliseconds, and one look is enough for all:
 * acting on it is the same as having acted when it was made. */
static struct {
	int64_t time; /* CLOCK_MONOTONIC ms; 0: none, or there were more than fit */
	size_t orphans, leaders;
	struct {
		pid_t pid, sid;
	} orphan[SEEN_MAX]; /* children in a session that is not their own */
	struct {
		pid_t pid;
		bool alive;
	} leader[SEEN_MAX]; /* children with one of their own: services */
} seen;

/* False if there are more children than can be noted. */
static bool note(pid_t pid)
{
	pid_t sid = getsid(pid);

	if (sid <= 0)
		return true;
	if (sid != pid) {
		if (seen.orphans == SEEN_MAX)
			return false;
		seen.orphan[seen.orphans].pid = pid;
		seen.orphan[seen.orphans++].sid = sid;
	} else {
		if (seen.leaders == SEEN_MAX)
			return false;
		seen.leader[seen.leaders].pid = pid;
		seen.leader[seen.leaders++].alive = procs_alive(pid);
	}
	return true;
}

/* Looks at all children. On failure nothing is known, as if there were none. */
static void look(void)
{
	struct procs procs;
	bool all = true;

	seen.orphans = seen.leaders = 0;
	seen.time = clock_ms();
	if (children_open(&procs) < 0)
		return;
	for (pid_t pid; all && (pid = procs_next(&procs)) > 0;)
		all = note(pid);
	procs_close(&procs);
	if (!all)
		seen.time = 0;
}

/* Whether the last look tells of this session. What its leader left came to us when that
 * died, so it must have been dead by then (or not be dead yet). A session that the look
 * has nothing of may be younger. */
static bool look_serves(pid_t sid)
{
	siginfo_t info;

	if (seen.time == 0 || clock_ms() - seen.time > SEEN_MS)
		return false;
	for (size_t i = 0; i < seen.leaders; i++)
		if (seen.leader[i].pid == sid)
			return !seen.leader[i].alive ||
			       waitid(P_PID, (id_t)sid, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
	for (size_t i = 0; i < seen.orphans; i++)
		if (seen.orphan[i].sid == sid)
			return true;
	return false;
}

/* Signals what of the session is below one of its processes, outside of the first group. */
static void signal_below(pid_t pid, pid_t sid, int sig, int depth)
{
	char path[48];
	struct procs procs;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
	if (depth == BELOW_MAX || procs_open(&procs, path, false) < 0)
		return;
	for (pid_t child; (child = procs_next(&procs)) > 0;) {
		signal_below(child, sid, sig, depth + 1);
		if (getsid(child) == sid && getpgid(child) != sid)
			kill(child, sig);
	}
	procs_close(&procs);
}

/* One that was in the session when it was looked at; perhaps it is no more, and its number
 * somebody else's. Returns whether it lives, in another group than the first. */
static bool signal_orphan(pid_t pid, pid_t sid, int sig)
{
	if (getsid(pid) != sid || getpgid(pid) == sid || !procs_alive(pid))
		return false;
	if (sig != 0) {
		/* Those below first: they would become orphans at its death. */
		signal_below(pid, sid, sig, 0);
		kill(pid, sig);
	}
	return true;
}

/* Signals the orphans that were seen. Returns how many of them live; *ret_seen: in all. */
static size_t signal_seen(pid_t sid, int sig, size_t *ret_seen)
{
	size_t alive = 0;

	*ret_seen = 0;
	for (size_t i = 0; i < seen.orphans; i++) {
		if (seen.orphan[i].sid != sid)
			continue;
		++*ret_seen;
		alive += signal_orphan(seen.orphan[i].pid, sid, sig);
	}
	return alive;
}

/* The same in one pass over the children, for when there are too many to be noted. */
static size_t signal_directly(pid_t sid, int sig)
{
	struct procs procs;
	size_t alive = 0;

	if (children_open(&procs) < 0)
		return 0;
	for (pid_t pid; (pid = procs_next(&procs)) > 0;)
		alive += pid != sid && signal_orphan(pid, sid, sig);
	procs_close(&procs);
	return alive;
}

/* Whether there were any outside of the first group, which has `group` processes or none. */
static bool signal_outside(pid_t sid, int sig, bool group)
{
	size_t noted;
	bool fresh = !look_serves(sid);

	if (fresh)
		look();
	if (seen.time == 0)
		return signal_directly(sid, sig) > 0;
	if (signal_seen(sid, sig, &noted) > 0)
		return true;
	/* Those that were seen are gone: there may be others, which their deaths brought. */
	if (fresh || group || noted == 0)
		return false;
	look();
	return signal_seen(sid, sig, &noted) > 0;
}

int leftovers_signal(pid_t sid, int sig)
{
	if (sid <= 1)
		return -EINVAL;
	if (sig == 0 && !may_exist(sid))
		return 0;
	bool group = kill(-sid, sig) == 0;
	if (!group && errno != ESRCH)
		return -errno;
	if (group && sig == 0)
		return 1;
	if (!may_exist(sid) || !procs_ours())
		return group;
	return signal_outside(sid, sig, group) || group;
}

/* --- Everybody --------------------------------------------------------------------- */

static bool is_descendant(pid_t pid)
{
	pid_t self = getpid();
	char state;

	for (int depth = 0; depth < DEPTH_MAX && pid > 1; depth++) {
		if (!procs_stat(pid, &state, &pid))
			return false;
		if (pid == self)
			return true;
	}
	return false;
}

int leftovers_signal_descendants(int sig)
{
	struct procs procs;

	if (!procs_ours())
		return -ENOENT;
	int error = procs_open(&procs, "/proc", true);
	if (error)
		return error;
	for (pid_t pid; (pid = procs_next(&procs)) > 0;)
		if (is_descendant(pid))
			kill(pid, sig);
	procs_close(&procs);
	return 0;
}
