#include "reaper/child.h"

#include "init/raw_syscall.h"
#include "reaper/exec.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>

/* The child never returns from its functions, and its stack is used by the next one: the
 * sanitizers' notes about stack frames would be left over. */
#define CHILD __attribute__((no_sanitize("address", "undefined")))

/* The calls with 32-bit ids where the plain names mean those with 16 bits. */
#ifdef SYS_setgroups32
#define CALL_SETGROUPS SYS_setgroups32
#define CALL_SETGID    SYS_setgid32
#define CALL_SETUID    SYS_setuid32
#define CALL_GETUID    SYS_getuid32
#define CALL_GETGID    SYS_getgid32
#else
#define CALL_SETGROUPS SYS_setgroups
#define CALL_SETGID    SYS_setgid
#define CALL_SETUID    SYS_setuid
#define CALL_GETUID    SYS_getuid
#define CALL_GETGID    SYS_getgid
#endif

#ifndef SYS_close_range
#define SYS_close_range 436
#endif
enum { RANGE_CLOEXEC = 4 }; /* CLOSE_RANGE_CLOEXEC of close_range(2), Linux 5.11 */

enum { SIGNAL_SET_BYTES = 8 }; /* the kernel's sigset_t */

CHILD static long open_file(const char *path, int flags)
{
	return raw_syscall4(SYS_openat, AT_FDCWD, (long)path, flags | O_NOCTTY | O_LARGEFILE, 0);
}

/* Puts a descriptor into the place of `target`, open over the exec. */
CHILD static long place(long fd, int target)
{
	if (fd == target)
		return 0;
	long result = raw_syscall3(SYS_dup3, fd, target, 0);
	return result < 0 ? result : 0;
}

CHILD static long place_null(const struct birth *birth, int target)
{
	/* A system without /dev/null (an empty chroot): what sinit has will have to do. */
	return birth->null_fd < 0 ? 0 : place(birth->null_fd, target);
}

/* --- The steps, in their order; each returns 0 or -errno ------------------------------ */

CHILD static long step_cgroup(const struct birth *birth)
{
	if (!birth->moves)
		return 0;
	long fd = raw_syscall4(SYS_openat, birth->what.slice_fd, (long)"cgroup.procs", O_WRONLY, 0);
	if (fd < 0)
		return fd;
	long result = raw_syscall3(SYS_write, fd, (long)"0", 1);
	raw_syscall3(SYS_close, fd, 0, 0);
	return result < 0 ? result : 0;
}

CHILD static long step_session(const struct birth *birth)
{
	if (birth->what.foreground && !birth->what.tty)
		return raw_syscall3(SYS_setpgid, 0, 0, 0);
	long result = raw_syscall3(SYS_setsid, 0, 0, 0);
	return result < 0 ? result : 0;
}

CHILD static long step_tty(const struct birth *birth)
{
	if (!birth->what.tty)
		return 0;
	long fd = open_file(birth->what.tty, O_RDWR);
	if (fd < 0)
		return fd;
	/* 1 takes the terminal away from a session that has it (ioctl_tty(2)); only root
	 * may, and only this service was told to have it. */
	long result = raw_syscall3(SYS_ioctl, fd, TIOCSCTTY, 0);
	if (result == -EPERM)
		result = raw_syscall3(SYS_ioctl, fd, TIOCSCTTY, 1);
	for (int target = 0; target <= 2 && result >= 0; target++)
		result = place(fd, target);
	return result;
}

CHILD static long step_stdin(const struct birth *birth)
{
	if (birth->what.tty)
		return 0;
	if (birth->what.in == STDIO_NULL)
		return place_null(birth, 0);
	if (birth->what.in != STDIO_PATH)
		return 0;
	long fd = open_file(birth->what.stdin_path, O_RDONLY);
	return fd < 0 ? fd : place(fd, 0);
}

CHILD static long step_stdout(const struct birth *birth)
{
	const struct spawn_output *outputs[] = {&birth->what.out, &birth->what.err};
	long result = 0;

	for (int i = 0; i < 2 && result >= 0 && !birth->what.tty; i++) {
		if (outputs[i]->kind == STDIO_NULL)
			result = place_null(birth, i + 1);
		else if (outputs[i]->kind == STDIO_PIPE)
			result = place(outputs[i]->fd, i + 1);
	}
	return result;
}

/* Makes the child's process group the foreground one. SIGTTOU is blocked, so that this is
 * allowed from the background (tcsetpgrp(3)). Failing is no reason not to run: stdin is no
 * terminal (ENOTTY), or it went away (EIO, ENXIO), or it is another session's. */
CHILD static long step_foreground(const struct birth *birth)
{
	if (birth->what.foreground && !birth->what.tty) {
		int group = (int)raw_syscall3(SYS_getpid, 0, 0, 0);
		raw_syscall3(SYS_ioctl, 0, TIOCSPGRP, (long)&group);
	}
	return 0;
}

CHILD static long step_priority(const struct birth *birth)
{
	enum { WHICH_PROCESS = 0 }; /* PRIO_PROCESS */

	if (birth->what.nice == INT32_MIN)
		return 0;
	return raw_syscall3(SYS_setpriority, WHICH_PROCESS, 0, birth->what.nice);
}

CHILD static long step_oom_score(const struct birth *birth)
{
	if (birth->oom_score_adj[0] == '\0')
		return 0;
	long fd = open_file("/proc/self/oom_score_adj", O_WRONLY);
	if (fd < 0)
		return fd;
	long result = raw_syscall3(
	    SYS_write, fd, (long)birth->oom_score_adj, (long)strlen(birth->oom_score_adj));
	raw_syscall3(SYS_close, fd, 0, 0);
	return result < 0 ? result : 0;
}

/* After everything that opens a file: a low limit_nofile would be in its way. */
CHILD static long step_limits(const struct birth *birth)
{
	for (size_t i = 0; i < birth->what.limit_count; i++) {
		const struct spawn_limit *limit = &birth->limits[i];
		uint64_t pair[2] = {limit->soft, limit->hard}; /* struct rlimit64 */
		long result = raw_syscall4(SYS_prlimit64, 0, limit->resource, (long)pair, 0);
		if (result < 0)
			return result;
	}
	return 0;
}

CHILD static long step_umask(const struct birth *birth)
{
	if (birth->what.umask >= 0)
		raw_syscall3(SYS_umask, birth->what.umask, 0, 0);
	return 0;
}

/* True for a user who asks to be what he is already. Without privileges setgroups(2) is
 * refused even then (EPERM); the groups stay his own. */
CHILD static bool same_identity(const struct spawn *what)
{
	return (uid_t)raw_syscall3(CALL_GETUID, 0, 0, 0) == what->uid &&
	       (gid_t)raw_syscall3(CALL_GETGID, 0, 0, 0) == what->gid;
}

CHILD static long step_groups(const struct birth *birth)
{
	const struct spawn *what = &birth->what;

	if (!what->set_ids)
		return 0;
	long result = raw_syscall3(CALL_SETGROUPS, (long)what->group_count, (long)what->groups, 0);
	if (result == -EPERM && same_identity(what))
		return 0;
	if (result < 0)
		return result;
	return raw_syscall3(CALL_SETGID, (long)what->gid, 0, 0);
}

CHILD static long step_user(const struct birth *birth)
{
	if (!birth->what.set_ids)
		return 0;
	return raw_syscall3(CALL_SETUID, (long)birth->what.uid, 0, 0);
}

/* As the user it will run as: what it may not enter is an error now. */
CHILD static long step_directory(const struct birth *birth)
{
	const char *directory = birth->what.directory ? birth->what.directory : "/";

	return raw_syscall3(SYS_chdir, (long)directory, 0, 0);
}

/* --- The last things ------------------------------------------------------------------ */

/* All signals to their default, first the dispositions, then the mask: no handler of
 * sinit's may run here. */
CHILD static void reset_signals(uint64_t differing)
{
	unsigned long action[8] = {0}; /* the kernel's struct sigaction: SIG_DFL, no flags */
	unsigned char none[SIGNAL_SET_BYTES] = {0};

	for (int sig = 1; differing; sig++, differing >>= 1)
		if (differing & 1)
			raw_syscall4(SYS_rt_sigaction, sig, (long)action, 0, SIGNAL_SET_BYTES);
	raw_syscall4(SYS_rt_sigprocmask, SIG_SETMASK, (long)none, 0, SIGNAL_SET_BYTES);
}

/* Marks each open descriptor above 2 close-on-exec by /proc/self/fd. */
CHILD static void mark_each(void)
{
	_Alignas(struct directory_entry) char buffer[1024];
	long directory = open_file("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	long count;

	if (directory < 0)
		return;
	while (
	    (count = raw_syscall3(SYS_getdents64, directory, (long)buffer, sizeof(buffer))) > 0) {
		for (long at = 0; at < count;) {
			const struct directory_entry *entry = (const void *)(buffer + at);
			long fd = 0;
			for (const char *c = entry->name; *c >= '0' && *c <= '9'; c++)
				fd = fd * 10 + (*c - '0');
			if (fd > 2)
				raw_syscall3(SYS_fcntl, fd, F_SETFD, FD_CLOEXEC);
			at += entry->length;
		}
	}
	raw_syscall3(SYS_close, directory, 0, 0);
}

/* sinit's own descriptors are close-on-exec; those that it was given may not be. */
CHILD static void mark_descriptors(void)
{
	/* Older than 5.11 (ENOSYS, EINVAL), or a seccomp profile that does not know it. */
	if (raw_syscall3(SYS_close_range, 3, -1L, RANGE_CLOEXEC) < 0)
		mark_each();
}

CHILD static void leave(struct birth *birth, enum spawn_step step, int error)
{
	birth->step = (uint8_t)step;
	birth->error = error;
	for (;;)
		raw_syscall3(SYS_exit_group, 127, 0, 0);
}

CHILD static void execute(struct birth *birth)
{
	const struct spawn *what = &birth->what;
	struct exec_failure failure;
	enum spawn_step step = STEP_EXEC;

	if (what->program)
		leave(birth, STEP_EXEC,
		    (int)-raw_syscall3(
			SYS_execve, (long)what->program, (long)what->argv, (long)what->envp));
	exec_command(what->argv, what->envp, what->path, &failure);
	if (failure.kind == EXEC_INTERPRETER_MISSING || failure.kind == EXEC_LOADER_MISSING ||
	    failure.kind == EXEC_INTERPRETER_REFUSED)
		step = STEP_INTERPRETER;
	const char *detail = failure.detail[0] ? failure.detail : failure.file;
	size_t length = strnlen(detail, sizeof(birth->detail) - 1);
	memcpy(birth->detail, detail, length);
	birth->detail[length] = '\0';
	leave(birth, step, failure.error);
}

CHILD int child_main(void *argument)
{
	static const struct {
		long (*run)(const struct birth *birth);
		enum spawn_step step;
	} steps[] = {
	    {step_cgroup, STEP_CGROUP},
	    {step_session, STEP_SESSION},
	    {step_tty, STEP_TTY},
	    {step_stdin, STEP_STDIN},
	    {step_stdout, STEP_STDOUT},
	    {step_foreground, STEP_SESSION},
	    {step_priority, STEP_PRIORITY},
	    {step_oom_score, STEP_OOM_SCORE},
	    {step_limits, STEP_LIMITS},
	    {step_umask, STEP_NONE},
	    {step_groups, STEP_GROUPS},
	    {step_user, STEP_USER},
	    {step_directory, STEP_DIRECTORY},
	};
	struct birth *birth = argument;

	birth->begun = true;
	if (birth->shares_memory)
		raw_syscall3(SYS_set_tid_address, (long)&birth->word, 0, 0);
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		long result = steps[i].run(birth);
		if (result < 0)
			leave(birth, steps[i].step, (int)-result);
	}
	reset_signals(birth->reset_signals);
	mark_descriptors();
	execute(birth);
	return 127;
}
