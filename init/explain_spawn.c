#include "init/explain.h"

#include <errno.h>
#include <string.h>

const char *explain_step(enum spawn_step step)
{
	static const char labels[STEP_COUNT][20] = {
	    [STEP_NONE] = "start",
	    [STEP_FORK] = "new process",
	    [STEP_SESSION] = "session",
	    [STEP_LIMITS] = "limits",
	    [STEP_PRIORITY] = "nice",
	    [STEP_OOM_SCORE] = "oom_score_adj",
	    [STEP_TTY] = "tty",
	    [STEP_STDIN] = "stdin",
	    [STEP_STDOUT] = "stdout",
	    [STEP_GROUPS] = "groups",
	    [STEP_USER] = "user",
	    [STEP_DIRECTORY] = "working_directory",
	    [STEP_EXEC] = "command",
	    [STEP_INTERPRETER] = "interpreter",
	    [STEP_CGROUP] = "cgroup",
	};

	return (unsigned)step < STEP_COUNT ? labels[step] : "start";
}

/* What an error of a step means, and what to try; instead of the system's own words where
 * `whole` is set, else after them. One row adds one. */
static const struct {
	uint8_t step;
	bool whole;
	int error;
	const char *hint;
} hints[] = {
    {STEP_EXEC, true, ENOENT, "command not found; install it or give its full path"},
    {STEP_EXEC, false, EACCES,
	"not executable, a directory, or out of its user's reach; try chmod +x"},
    {STEP_EXEC, false, ENOEXEC, "no #! line, or a program for another machine"},
    {STEP_EXEC, false, ENOTDIR, "part of its path is no directory"},
    {STEP_EXEC, false, E2BIG, "arguments and environment are too long"},
    {STEP_EXEC, false, EAGAIN, "its user has too many processes; see limit_nproc"},
    {STEP_EXEC, false, ETXTBSY, "the file is being written"},
    {STEP_INTERPRETER, true, ENOENT,
	"the interpreter on the #! line (or the program's loader) does not exist"},
    {STEP_INTERPRETER, true, EACCES, "the interpreter on the #! line may not be executed"},
    {STEP_FORK, false, EAGAIN, "the limit of processes is reached; see pids.max and ulimit -u"},
    {STEP_FORK, false, EBUSY, "other starts hang before their exec"},
    {STEP_USER, true, ENOENT, "unknown user or group; see user, group and groups"},
    {STEP_USER, false, EPERM, "sinit must be root (CAP_SETUID) to change the user"},
    {STEP_USER, false, EINVAL, "the number has no meaning in this user namespace"},
    {STEP_GROUPS, true, ENOENT, "unknown group; see group and groups"},
    {STEP_GROUPS, false, EPERM, "sinit must be root (CAP_SETGID) to change groups"},
    {STEP_GROUPS, false, EINVAL, "the number has no meaning in this user namespace"},
    {STEP_DIRECTORY, false, ENOENT, "make it, or change the setting"},
    {STEP_DIRECTORY, false, EACCES, "the service's user may not enter it"},
    {STEP_LIMITS, false, EPERM, "only root (CAP_SYS_RESOURCE) may raise a hard limit"},
    {STEP_LIMITS, false, EINVAL, "the soft limit is above the hard one"},
    {STEP_PRIORITY, false, EACCES, "only root (CAP_SYS_NICE) may go below the present value"},
    {STEP_PRIORITY, false, EPERM, "only root (CAP_SYS_NICE) may go below the present value"},
    {STEP_OOM_SCORE, false, EACCES, "only root (CAP_SYS_RESOURCE) may lower it"},
    {STEP_OOM_SCORE, false, ENOENT, "/proc is not mounted"},
    {STEP_CGROUP, false, EBUSY, "its slice has cgroups of others below it with controllers of it"},
    {STEP_CGROUP, false, ENODEV, "its slice was removed; the next start makes another"},
    {STEP_CGROUP, false, ENOENT, "its slice was removed; the next start makes another"},
    {STEP_CGROUP, false, EACCES, "its slice cannot be entered; see who owns the cgroup above"},
    {STEP_CGROUP, false, EROFS, "the cgroup file system is read-only"},
    {STEP_TTY, false, ENOENT, "there is no such terminal"},
    {STEP_TTY, false, ENXIO, "there is no such terminal"},
    {STEP_TTY, false, ENOTTY, "it is no terminal"},
    {STEP_TTY, false, EPERM, "it is the terminal of another session"},
};

void explain_spawn_error(struct text *text, enum spawn_step step, int error)
{
	const char *label = explain_step(step);

	for (size_t i = 0; i < ARRAY_LEN(hints); i++) {
		if (hints[i].step != step || hints[i].error != error)
			continue;
		if (hints[i].whole)
			text_add(text, hints[i].hint);
		else
			text_addf(text, "%s: %s; %s", label, strerror(error), hints[i].hint);
		return;
	}
	text_addf(text, "%s: %s", label, strerror(error));
}
