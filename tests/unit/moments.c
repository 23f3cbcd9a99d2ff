#include "tests/unit/moments.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	PARTS = 3,   /* one byte, half of them, all but one */
	MOST = 4096, /* bytes of memory that are looked at */
};

static void fail(const char *what, int status)
{
	fprintf(stderr, "moments: %s: status %#x, %s\n", what, (unsigned)status, strerror(errno));
	abort();
}

/* --- the child ------------------------------------------------------------------------------ */

static pid_t start(void (*work)(void *), void *context, bool traced)
{
	pid_t parent = getpid(), pid = fork();

	if (pid < 0)
		fail("fork", 0);
	if (pid > 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent || (traced && ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0))
		_exit(1);
	work(context);
	_exit(0);
}

static bool traced_child;

void moments_begin(void)
{
	if (traced_child)
		raise(SIGSTOP);
}

static int wait_for(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			fail("waitpid", 0);
	return status;
}

void moment_none(void (*work)(void *), void *context)
{
	int status;

	traced_child = false;
	status = wait_for(start(work, context, false));
	if (status != 0)
		fail("a child that was to end well", status);
}

/* --- one step of it -------------------------------------------------------------------------- */

/* Lets it go on until its next stop; its signals are delivered. False: it has come to its end. */
static bool go_on(pid_t pid, enum __ptrace_request how)
{
	long signal = 0;
	int status;

	for (;;) {
		if (ptrace(how, pid, NULL, signal) < 0)
			fail("ptrace", 0);
		status = wait_for(pid);
		if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
			return false;
		if (!WIFSTOPPED(status))
			fail("a child that was to be killed", status);
		signal = WSTOPSIG(status);
		if (signal == SIGTRAP || signal == (SIGTRAP | 0x80))
			return true;
	}
}

static struct __ptrace_syscall_info info_of(pid_t pid)
{
	struct __ptrace_syscall_info info = {0};

	if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) < 0)
		fail("PTRACE_GET_SYSCALL_INFO", 0);
	return info;
}

/* Whether its next instruction is a system call. The code of parent and child is the same. */
static bool is_before_call(pid_t pid)
{
#if defined(__x86_64__)
	static const unsigned char call[] = {0x0f, 0x05};
#elif defined(__aarch64__)
	static const unsigned char call[] = {0x01, 0x00, 0x00, 0xd4};
#else
	static const unsigned char call[] = {0};
#endif
	const void *at = (const void *)(uintptr_t)info_of(pid).instruction_pointer;

	return sizeof(call) == 1 || memcmp(at, call, sizeof(call)) == 0;
}

/* At the entry of a call: makes it move less. False: it moves nothing that could be less. */
static bool cut(pid_t pid, unsigned part)
{
#if defined(__x86_64__)
	struct __ptrace_syscall_info info = info_of(pid);
	bool splices = info.entry.nr == SYS_splice;
	unsigned long size = (unsigned long)info.entry.args[splices ? 4 : 2];
	size_t place = splices ? offsetof(struct user, regs.r8) : offsetof(struct user, regs.rdx);

	if ((!splices && info.entry.nr != SYS_write && info.entry.nr != SYS_read) || size < 2)
		return false;
	size = part == 1 ? 1 : part == 2 ? size / 2 : size - 1;
	if (ptrace(PTRACE_POKEUSER, pid, place, size) < 0)
		fail("PTRACE_POKEUSER", 0);
	return true;
#else
	(void)pid;
	(void)part;
	return false;
#endif
}

/* --- moments --------------------------------------------------------------------------------- */

enum result {
	ENDED, /* it has no such moment, and came to its end */
	KILLED,
	LAST,   /* likewise, and no store follows before the next call */
	UNCUT,  /* the call has no part */
	PASSED, /* there are not so many stores before the next call */
	STORES, /* there are some */
};

static char at_next_call[MOST];

/* Steps take long: so whether there is anything to be seen on the way is found out first. */
static enum result look_ahead(pid_t pid, const void *memory, size_t size)
{
	char before[MOST];

	memcpy(before, memory, size);
	if (!go_on(pid, PTRACE_SYSCALL))
		return ENDED;
	memcpy(at_next_call, memory, size);
	return memcmp(before, memory, size) ? STORES : PASSED;
}

static enum result step(const struct moment *moment, pid_t pid, const void *memory, size_t size)
{
	char before[MOST];

	for (unsigned store = 0; store < moment->store;) {
		memcpy(before, memory, size);
		if (is_before_call(pid))
			return PASSED;
		if (!go_on(pid, PTRACE_SINGLESTEP))
			return ENDED;
		store += memcmp(before, memory, size) != 0;
	}
	return moment->store && memcmp(at_next_call, memory, size) == 0 ? LAST : KILLED;
}

static enum result come_to(const struct moment *moment, pid_t pid, const void *memory, size_t size)
{
	for (unsigned call = 1; call <= moment->call; call++) {
		if (!go_on(pid, PTRACE_SYSCALL))
			return ENDED;
		if (call == moment->call && moment->part && !cut(pid, moment->part))
			return UNCUT;
		if (!go_on(pid, PTRACE_SYSCALL))
			return ENDED;
	}
	if (moment->store && !moment->stores)
		return look_ahead(pid, memory, size);
	return step(moment, pid, memory, size);
}

static void next(struct moment *moment, enum result result)
{
	moment->over = result == ENDED;
	if (moment->part && result == KILLED)
		moment->part = (moment->part + 1) % (PARTS + 1);
	else if (moment->part)
		moment->part = 0;
	else if (result == STORES)
		moment->stores = true;
	else if (result == KILLED && !moment->calls_only)
		moment->store++;
	else
		*moment = (struct moment){.call = moment->call + 1,
		    .part = !moment->whole,
		    .calls_only = moment->calls_only,
		    .whole = moment->whole,
		    .over = moment->over};
}

void moment_kill(
    struct moment *moment, void (*work)(void *), void *context, const void *memory, size_t size)
{
	enum result result;
	int status;
	pid_t pid;

	if (size > MOST)
		fail("too much memory", 0);
	traced_child = true;
	pid = start(work, context, true);
	status = wait_for(pid);
	if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGSTOP)
		fail("before its moments", status);
	if (ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL) < 0)
		fail("PTRACE_SETOPTIONS", 0);
	result = come_to(moment, pid, memory, size);
	if (result != ENDED) {
		kill(pid, SIGKILL);
		status = wait_for(pid);
		if (!WIFSIGNALED(status))
			fail("killed", status);
	}
	next(moment, result);
}
