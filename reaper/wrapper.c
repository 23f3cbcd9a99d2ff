#include "reaper/wrapper.h"

#include "init/base.h"
#include "init/platform.h"
#include "reaper/exec.h"
#include "reaper/wrapper_impl.h"

#include <errno.h>
#include <sys/prctl.h>
#include <unistd.h>

#define NS_PER_MS INT64_C(1000000)

/* How often to look whether processes that are no children of ours have gone, and how
 * long to wait for those that were sent KILL. */
#define POLL_NS       (20 * NS_PER_MS)
#define KILL_PATIENCE (1000 * NS_PER_MS)

/* --- Forwarding --------------------------------------------------------------------- */

static int send_to_command(const struct wrapper *wrapper, int signal)
{
	pid_t target = wrapper->options->group ? -wrapper->main : wrapper->main;

	return kill(target, signal) == 0 ? 0 : -errno;
}

static bool is_job_control(int signal)
{
	return signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU;
}

static void forward(struct wrapper *wrapper, int signal)
{
	const struct wrapper_options *options = wrapper->options;
	int as = options->rewrite[signal];
	bool rewritten = options->rewritten >> (signal - 1) & 1;

	/* The terminal's complaint about some process of *our* group is not the command's
	 * business: TTIN and TTOU would stop it. */
	if ((signal == SIGTTIN || signal == SIGTTOU) && !rewritten &&
	    options->personality != PERSONALITY_DUMB_INIT)
		as = 0;
	tell_forwarded(wrapper, signal, as, as != 0 ? send_to_command(wrapper, as) : 0);
	if (is_job_control(signal) && options->personality == PERSONALITY_DUMB_INIT) {
		tell_suspending(wrapper);
		kill(wrapper->self, SIGSTOP);
	}
}

/* A signal other than SIGCHLD, while the command runs. */
static void take_signal(struct wrapper *wrapper, int signal, const siginfo_t *info)
{
	uint64_t bit = UINT64_C(1) << (signal - 1);

	/* Our own, of a message that nobody reads. */
	if (signal == SIGPIPE && info->si_code <= 0 && info->si_pid == wrapper->self)
		return;
	tell_received(wrapper, signal);
	if (wrapper->skip_once & bit) {
		wrapper->skip_once &= ~bit;
		tell_skipped(wrapper, signal);
		return;
	}
	forward(wrapper, signal);
}

/* --- Deaths ------------------------------------------------------------------------- */

static void main_ended(struct wrapper *wrapper, const struct death *death)
{
	wrapper->ended = true;
	wrapper->status = death->status;
	tell_reaped(wrapper, death);
}

/* Asks for the command by its number: its end is seen at once, whatever else dies or lives
 * in the thousands. */
static void reap_main(struct wrapper *wrapper)
{
	struct death death;

	if (wrapper->options->personality != PERSONALITY_DUMB_INIT) {
		if (reap_wait(wrapper->main, &death) == 1)
			main_ended(wrapper, &death);
	} else if (reap_look(wrapper->main, &death) == 1) {
		main_ended(wrapper, &death);
		/* At once, to the group. Its number is ours while its leader is a zombie. */
		forward(wrapper, SIGTERM);
		reap_wait(wrapper->main, &death);
	}
}

/* Reaps all that have died. Returns false if no child is left. */
static bool reap_deaths(struct wrapper *wrapper)
{
	struct death death;
	int result;

	while ((result = reaper_next(&wrapper->reaper, &death, &wrapper->reap_again)) == 1) {
		if (death.pid == wrapper->main && !wrapper->ended)
			main_ended(wrapper, &death);
		else
			tell_reaped(wrapper, &death);
	}
	return result != -ECHILD;
}

/* A SIGCHLD that names `pid`, or 0. Returns false if no child is left. */
static bool take_death(struct wrapper *wrapper, pid_t pid)
{
	bool first = wrapper->options->personality == PERSONALITY_DUMB_INIT;
	bool ended = wrapper->ended;

	if (!ended && (first || pid == wrapper->main))
		reap_main(wrapper);
	reaper_notice(&wrapper->reaper, pid == wrapper->main ? 0 : pid);
	bool children = reap_deaths(wrapper);
	if (ended || wrapper->reap_again == 0)
		return children;
	/* The reaper rests, but the command's death, whose signal may be merged with
	 * another's, does not wait for it. */
	if (!wrapper->ended)
		reap_main(wrapper);
	if (!wrapper->ended)
		return children;
	/* Is anybody left? That must be known now, at any price. */
	wrapper->reaper.rest_until = 0;
	return reap_deaths(wrapper);
}

/* --- After the command's end -------------------------------------------------------- */

/* Whether processes remain that are none of our children: as PID 1, those that joined
 * the namespace from outside (docker exec). */
static bool others_remain(const struct wrapper *wrapper)
{
	return wrapper->self == 1 && kill(-1, 0) == 0;
}

/* When to wake up: at `deadline`, or before it to look again. */
static int64_t next_look(const struct wrapper *wrapper, bool children, int64_t deadline)
{
	int64_t poll = reap_clock() + POLL_NS;

	if (wrapper->reap_again != 0 && wrapper->reap_again < deadline)
		deadline = wrapper->reap_again;
	return !children && poll < deadline ? poll : deadline;
}

/* Waits until `deadline` for all to end, passing signals on to them. `children` tells
 * whether any child is left. True: no process is. */
static bool wait_for_rest(struct wrapper *wrapper, bool children, int64_t deadline)
{
	siginfo_t info;

	while (children || others_remain(wrapper)) {
		if (reap_clock() >= deadline)
			return false;
		int64_t until = next_look(wrapper, children, deadline);
		int signal = wrapper_wait_signal(until, &info);
		if (signal == SIGCHLD || signal == 0)
			children = take_death(wrapper, signal == 0 ? 0 : info.si_pid);
		else if (!is_job_control(signal) && info.si_pid != wrapper->self &&
			 wrapper->options->rewrite[signal] != 0)
			platform_kill_everything(wrapper->options->rewrite[signal]);
	}
	return true;
}

/* TERM and the grace time for what the command left running. */
static void end_rest(struct wrapper *wrapper, bool children)
{
	int64_t grace = wrapper->options->grace_ms * NS_PER_MS;

	if (!children && !others_remain(wrapper))
		return;
	tell_grace(wrapper);
	platform_kill_everything(SIGTERM);
	if (wait_for_rest(wrapper, true, reap_clock() + grace))
		return;
	tell_killed(wrapper);
	if (wrapper->self == 1) /* with us the kernel kills all (pid_namespaces(7)) */
		return;
	/* Whoever is killed may leave orphans that were not found below us before. */
	int64_t patience = reap_clock() + KILL_PATIENCE;
	do {
		platform_kill_everything(SIGKILL);
	} while (!wait_for_rest(wrapper, true, reap_clock() + POLL_NS) && reap_clock() < patience);
}

/* --- Start and loop ----------------------------------------------------------------- */

static void adopt_orphans(const struct wrapper *wrapper)
{
	int is_subreaper = 0;

	if (wrapper->self == 1)
		return;
	if (wrapper->options->subreaper) {
		prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	} else if (wrapper->options->personality == PERSONALITY_TINI) {
		prctl(PR_GET_CHILD_SUBREAPER, &is_subreaper, 0, 0, 0);
		if (!is_subreaper)
			tell_no_reaping(wrapper);
	}
}

/* The code to leave with: `code`, unless -e made it a success. */
static int exit_code(const struct wrapper *wrapper, int code)
{
	return wrapper->options->ok_codes[code / 32] >> (code % 32) & 1 ? 0 : code;
}

static int failure_code(const struct wrapper *wrapper, const struct exec_failure *failure)
{
	switch ((enum personality)wrapper->options->personality) {
	case PERSONALITY_SINIT:
		break;
	case PERSONALITY_TINI:
		if (failure->error != ENOENT && failure->error != EACCES)
			return 1;
		break;
	case PERSONALITY_DUMB_INIT:
		return 2;
	}
	return exec_failure_code(failure);
}

/* Returns 0, or the exit code if the command could not be started. */
static int start(struct wrapper *wrapper)
{
	struct exec_failure failure;
	pid_t parent = getppid();

	wrapper_take_signals(wrapper);
	/* Zombies that whoever executed sinit has left it. Not later, when it could be the
	 * command: its end is the loop's business. */
	reaper_init(&wrapper->reaper);
	reap_deaths(wrapper);
	adopt_orphans(wrapper);
	if (wrapper->options->parent_death)
		prctl(PR_SET_PDEATHSIG, wrapper->options->parent_death, 0, 0, 0);
	int error = wrapper_start(wrapper, &failure);
	if (error == 0) {
		tell_started(wrapper);
		/* The parent may have died before prctl(2). */
		if (wrapper->options->parent_death && getppid() != parent)
			forward(wrapper, wrapper->options->parent_death);
		return 0;
	}
	wrapper_return_terminal(wrapper);
	if (failure.kind == EXEC_OK) {
		tell_no_process(wrapper, error);
		return EXIT_CODE_INTERNAL;
	}
	tell_exec_failure(wrapper, &failure);
	return failure_code(wrapper, &failure);
}

int wrapper_run(const struct wrapper_options *options, char **argv)
{
	struct wrapper wrapper = {.options = options, .argv = argv, .self = getpid()};
	siginfo_t info;
	int code = start(&wrapper);

	if (code != 0)
		return exit_code(&wrapper, code);
	bool children = true;
	while (!wrapper.ended) {
		int signal = wrapper_wait_signal(wrapper.reap_again, &info);
		if (signal != 0 && signal != SIGCHLD) {
			take_signal(&wrapper, signal, &info);
			continue;
		}
		if (signal == SIGCHLD)
			tell_received(&wrapper, signal);
		children = take_death(&wrapper, signal == 0 ? 0 : info.si_pid);
	}
	code = exit_status_code(&wrapper.status);
	wrapper_return_terminal(&wrapper);
	if (options->personality == PERSONALITY_SINIT && options->grace_ms > 0)
		end_rest(&wrapper, children);
	tell_goodbye(&wrapper, code);
	return exit_code(&wrapper, code);
}
