#include "reaper/wrapper_impl.h"

#include "init/raw_syscall.h"
#include "reaper/exec.h"

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* The kernel's signal sets are 64 bits. Those of the C library are not used: musl's leave
 * out the signals 32 to 34, which it keeps for itself though nothing here uses them, and
 * 34 is what others call SIGRTMIN. */
#define MASK_SIZE sizeof(uint64_t)

/* exec_command() needs 6 KiB, and below it a frame of ours; sanitizers multiply that.
 * What is not touched costs nothing. */
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#define STACK_SIZE (256 * 1024)
#else
#define STACK_SIZE (16 * 1024)
#endif

extern char **environ;

/* What the child needs and what it answers, in memory that both see. */
struct birth {
	struct wrapper *wrapper;
	const char *path;
	int directory; /* where the command starts; -1: where we are */
	struct exec_failure failure;
	int session_error; /* -errno of setsid(2) */
};

/* --- Signals ------------------------------------------------------------------------ */

static long set_mask(const uint64_t *mask, uint64_t *ret_old)
{
	return raw_syscall4(SYS_rt_sigprocmask, SIG_SETMASK, (long)mask, (long)ret_old, MASK_SIZE);
}

void wrapper_take_signals(struct wrapper *wrapper)
{
	static const uint64_t all = ~UINT64_C(0);
	struct sigaction action = {.sa_handler = SIG_DFL};
	struct sigaction old = {.sa_handler = SIG_DFL};

	set_mask(&all, &wrapper->given_mask);
	/* Ignored, it would make the kernel reap behind our back (waitpid(2), NOTES). The
	 * other dispositions need not be touched: a blocked signal is never ignored. */
	sigaction(SIGCHLD, &action, &old);
	wrapper->ignored_children = old.sa_handler == SIG_IGN;
}

int wrapper_wait_signal(int64_t deadline, siginfo_t *ret_info)
{
	static const uint64_t all = ~UINT64_C(0);
	long timeout[2] = {0, 0}; /* struct timespec as this system call has it everywhere */

	if (deadline != 0) {
		int64_t left = deadline - reap_clock();
		if (left > 0) {
			timeout[0] = (long)(left / 1000000000);
			timeout[1] = (long)(left % 1000000000);
		}
	}
	long signal = raw_syscall4(SYS_rt_sigtimedwait, (long)&all, (long)ret_info,
	    deadline != 0 ? (long)timeout : 0, MASK_SIZE);
	return signal > 0 ? (int)signal : 0;
}

/* --- In the child: raw system calls only, see reaper/exec.h ------------------------- */

/* A group of its own, and the terminal for it if sinit had it: a group in the background
 * would be stopped as soon as it reads (or writes, with tostop). All signals are still
 * blocked, so TTOU does not stop us here. Done by the child, so that the command never
 * runs without. */
static void lead_group(struct wrapper *wrapper)
{
	int foreground = -1;
	int own = (int)raw_syscall3(SYS_getpid, 0, 0, 0);

	raw_syscall3(SYS_setpgid, 0, 0, 0);
	/* Only if ours was the foreground group: a background job has no right to it. */
	if (raw_syscall3(SYS_ioctl, 0, TIOCGPGRP, (long)&foreground) == 0 &&
	    foreground == wrapper->group && raw_syscall3(SYS_ioctl, 0, TIOCSPGRP, (long)&own) == 0)
		wrapper->took_terminal = true;
}

static int become_command(void *argument)
{
	struct birth *birth = argument;
	struct wrapper *wrapper = birth->wrapper;
	/* struct sigaction of the kernel: the handler comes first, the rest is zero. */
	const unsigned long ignore[8] = {(unsigned long)SIG_IGN};

	if (wrapper->options->new_session) {
		birth->session_error = (int)raw_syscall3(SYS_setsid, 0, 0, 0);
		raw_syscall3(SYS_ioctl, 0, TIOCSCTTY, 0);
	} else if (wrapper->options->personality != PERSONALITY_DUMB_INIT) {
		lead_group(wrapper);
	}
	if (birth->directory >= 0)
		raw_syscall3(SYS_fchdir, birth->directory, 0, 0);
	if (wrapper->ignored_children)
		raw_syscall4(SYS_rt_sigaction, SIGCHLD, (long)ignore, 0, MASK_SIZE);
	set_mask(&wrapper->given_mask, NULL);
	exec_command(wrapper->argv, environ, birth->path, &birth->failure);
	raw_syscall3(SYS_exit_group, exec_failure_code(&birth->failure), 0, 0);
	return 0;
}

/* --- In the parent ------------------------------------------------------------------ */

/* The child's session can get the terminal only if ours lets go of it. That sends HUP and
 * CONT to the foreground group if we lead the session (tty_ioctl(4), TIOCNOTTY): to us,
 * not meant for the command. */
static void detach_terminal(struct wrapper *wrapper)
{
	long error = raw_syscall3(SYS_ioctl, 0, TIOCNOTTY, 0);
	bool leader = error == 0 && raw_syscall3(SYS_getsid, 0, 0, 0) == wrapper->self;

	if (leader)
		wrapper->skip_once = UINT64_C(1) << (SIGHUP - 1) | UINT64_C(1) << (SIGCONT - 1);
	tell_detached(wrapper, (int)error, leader);
}

/* To "/", not to keep a file system busy, and before the command could look where we are.
 * Returns the old directory for the command, or -1 if it cannot be held (one without
 * search permission, say): then we follow later. */
static int leave_directory(void)
{
	int directory = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (directory >= 0 && chdir("/") != 0) {
		close(directory);
		return -1;
	}
	return directory;
}

/* The command has the directory, or has failed. */
static void forget_directory(int directory)
{
	if (directory >= 0)
		close(directory);
	else if (chdir("/") != 0)
		return; /* then it stays busy */
}

int wrapper_start(struct wrapper *wrapper, struct exec_failure *ret_failure)
{
	struct birth birth = {.wrapper = wrapper, .path = getenv("PATH")};
	_Alignas(16) char stack[STACK_SIZE];
	struct death death;

	wrapper->group = (pid_t)raw_syscall3(SYS_getpgid, 0, 0, 0);
	if (wrapper->options->new_session)
		detach_terminal(wrapper);
	birth.failure.kind = EXEC_OK;
	birth.directory = leave_directory();
	/* As vfork(2), but with a stack for the child: no page tables are copied, and when
	 * this returns the child has executed the command or told why not. */
	wrapper->main =
	    clone(become_command, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | SIGCHLD, &birth);
#ifdef __SANITIZE_ADDRESS__
	/* The child's frames were never left: exec(3) ended them, and their notes remain. */
	__asan_unpoison_memory_region(stack, sizeof(stack));
#endif
	int error = wrapper->main < 0 ? -errno : 0;
	forget_directory(birth.directory);
	*ret_failure = birth.failure;
	if (error)
		return error;
	if (birth.failure.kind == EXEC_OK)
		return 0;
	while (reap_wait(wrapper->main, &death) == 0) /* it is past its exit(2) */
		raw_syscall3(SYS_sched_yield, 0, 0, 0);
	return -birth.failure.error;
}

void wrapper_return_terminal(const struct wrapper *wrapper)
{
	int group = wrapper->group;

	/* Not if somebody else has taken it meanwhile; TTOU is blocked. */
	if (wrapper->took_terminal)
		raw_syscall3(SYS_ioctl, 0, TIOCSPGRP, (long)&group);
}
