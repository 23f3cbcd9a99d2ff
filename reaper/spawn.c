#include "reaper/spawn.h"

#include "init/clock.h"
#include "init/raw_syscall.h"
#include "reaper/child.h"
#include "reaper/clone_into.h"
#include "reaper/leave.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

enum {
	/* How long a birth may hold up PID 1; an exec takes well under 1 ms. */
	WAIT_MS = 50,
	/* exec_command() needs 6 KiB; what is not touched is not there. A multiple of any
	 * page size, as is the guard below each stack. */
	STACK_BYTES = 64 * 1024,
	GUARD_BYTES = 64 * 1024,
};

struct slot {
	struct birth *birth; /* in memory that a child without CLONE_VM shares as well */
	char *stack;         /* its lowest byte */
	pid_t pid;           /* 0: the slot is free; else its spawn is pending */
	int done_fd;         /* without CLONE_VM: at its end when the child has left; or -1 */
};

struct spawner {
	struct slot slots[SPAWN_SLOTS];
	int null_fd;
	uint64_t reset_signals;
	bool no_clone_into; /* it was refused once */
};

/* --- Creation ---------------------------------------------------------------------- */

static uint64_t differing_signals(void)
{
	uint64_t set = 0;

	/* Asked of the kernel: the C library hides signals 32 to 34, which it keeps for itself
	 * and which whoever started sinit may have ignored all the same. */
	for (int sig = 1; sig <= 64; sig++) {
		unsigned long action[8] = {0}; /* the handler comes first, SIG_DFL is 0 */

		if (raw_syscall4(SYS_rt_sigaction, sig, 0, (long)action, 8) == 0 && action[0] != 0)
			set |= UINT64_C(1) << (sig - 1);
	}
	return set;
}

struct spawner *spawner_new(void)
{
	struct spawner *spawner = calloc(1, sizeof(*spawner));
	size_t span = STACK_BYTES + GUARD_BYTES;
	char *stacks = mmap(NULL, SPAWN_SLOTS * span, PROT_NONE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
	struct birth *births = mmap(NULL, SPAWN_SLOTS * sizeof(*births), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (!spawner || stacks == MAP_FAILED || births == MAP_FAILED)
		goto fail;
	for (size_t i = 0; i < SPAWN_SLOTS; i++) {
		struct slot *slot = &spawner->slots[i];
		slot->birth = &births[i];
		slot->stack = stacks + i * span + GUARD_BYTES;
		slot->done_fd = -1;
		if (mprotect(slot->stack, STACK_BYTES, PROT_READ | PROT_WRITE) < 0)
			goto fail;
	}
	spawner->null_fd = -1;
	spawner->reset_signals = differing_signals();
	return spawner;
fail:
	if (stacks != MAP_FAILED)
		munmap(stacks, SPAWN_SLOTS * span);
	if (births != MAP_FAILED)
		munmap(births, SPAWN_SLOTS * sizeof(*births));
	free(spawner);
	return NULL;
}

void spawner_free(struct spawner *spawner)
{
	if (!spawner)
		return;
	for (size_t i = 0; i < SPAWN_SLOTS; i++)
		if (spawner->slots[i].done_fd >= 0)
			close(spawner->slots[i].done_fd);
	if (spawner->null_fd >= 0)
		close(spawner->null_fd);
	munmap(spawner->slots[0].stack - GUARD_BYTES, SPAWN_SLOTS * (STACK_BYTES + GUARD_BYTES));
	munmap(spawner->slots[0].birth, SPAWN_SLOTS * sizeof(struct birth));
	free(spawner);
}

/* --- Slots ------------------------------------------------------------------------- */

/* True if the process is dead: a zombie, or nobody's any more. */
static bool is_dead(pid_t pid)
{
	siginfo_t info = {0};

	if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0)
		return errno == ECHILD;
	return info.si_pid == pid;
}

static void release(struct slot *slot)
{
	if (slot->done_fd >= 0)
		close(slot->done_fd);
	slot->done_fd = -1;
	slot->pid = 0;
}

/* A slot to be used, or NULL. The lowest, so that one stack is used over and over. */
static struct slot *free_slot(struct spawner *spawner)
{
	for (size_t i = 0; i < SPAWN_SLOTS; i++)
		if (spawner->slots[i].pid == 0)
			return &spawner->slots[i];
	/* One whose process was reaped before its end was asked for. */
	for (size_t i = 0; i < SPAWN_SLOTS; i++) {
		siginfo_t info;
		struct slot *slot = &spawner->slots[i];
		if (waitid(P_PID, (id_t)slot->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 ||
		    errno != ECHILD)
			continue;
		release(slot);
		return slot;
	}
	return NULL;
}

/* True if the child has left sinit's memory (or is dead). Waits at most `timeout` ms. */
static bool settled(struct slot *slot, int64_t timeout)
{
	if (slot->done_fd < 0)
		return leave_wait(&slot->birth->word, timeout);

	int64_t end = clock_ms() + timeout;
	struct pollfd end_of_file = {.fd = slot->done_fd, .events = POLLIN};
	int result;
	do
		result = poll(&end_of_file, 1, (int)timeout);
	while (result < 0 && errno == EINTR && (timeout = end - clock_ms()) > 0);
	return result > 0;
}

static void answer(const struct slot *slot, bool pending, struct spawn_result *ret)
{
	const struct birth *birth = slot->birth;

	*ret = (struct spawn_result){.pid = slot->pid, .pending = pending};
	if (pending)
		return;
	ret->step = birth->step;
	ret->error = birth->error;
	memcpy(ret->detail, birth->detail, sizeof(ret->detail));
}

/* --- Births ------------------------------------------------------------------------ */

static int fill(struct spawner *spawner, struct birth *birth, const struct spawn *spawn)
{
	if (spawn->limit_count > SPAWN_LIMITS)
		return -EINVAL;
	if (spawner->null_fd < 0)
		spawner->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC | O_NOCTTY);
	birth->begun = false;
	birth->step = STEP_NONE;
	birth->error = 0;
	birth->detail[0] = '\0';
	birth->what = *spawn;
	if (spawn->limit_count > 0)
		memcpy(birth->limits, spawn->limits, spawn->limit_count * sizeof(*spawn->limits));
	birth->oom_score_adj[0] = '\0';
	if (spawn->oom_score_adj != INT32_MIN)
		snprintf(
		    birth->oom_score_adj, sizeof(birth->oom_score_adj), "%d", spawn->oom_score_adj);
	birth->null_fd = spawner->null_fd;
	birth->reset_signals = spawner->reset_signals;
	/* A value written to oom_score_adj holds for every process that shares the memory,
	 * unless it is a vfork child (fs/proc/base.c, __set_oom_adj): sinit itself would get
	 * it. So such a child has a memory of its own; and so has one that may be killed for
	 * want of memory, with all who share it. */
	birth->shares_memory =
	    birth->oom_score_adj[0] == '\0' && !(spawn->in_slice && spawn->may_oom);
	atomic_store_explicit(&birth->word, 1, memory_order_release);
	return 0;
}

/* Whether the kernel, or a filter, does not know the call: the child can move itself then. */
static bool is_unknown(long error)
{
	return error == -ENOSYS || error == -EPERM || error == -EINVAL || error == -E2BIG;
}

static pid_t clone_child(struct spawner *spawner, struct slot *slot, int flags)
{
#ifdef __SANITIZE_ADDRESS__
	__asan_unpoison_memory_region(slot->stack, STACK_BYTES);
#endif
	slot->birth->moves = false;
	if (slot->birth->what.in_slice && !slot->birth->what.walks_in && !spawner->no_clone_into) {
		struct clone_request request = {.flags = (uint64_t)flags | CLONE_TO_CGROUP,
		    .exit_signal = SIGCHLD,
		    .stack = (uintptr_t)slot->stack,
		    .stack_size = STACK_BYTES,
		    .cgroup = (uint64_t)slot->birth->what.slice_fd};
		long result = clone_request(&request, child_main, slot->birth);
		if (!is_unknown(result))
			return (pid_t)result;
		spawner->no_clone_into = true;
	}
	slot->birth->moves = slot->birth->what.in_slice;
	pid_t pid = clone(child_main, slot->stack + STACK_BYTES, flags | SIGCHLD, slot->birth);
	return pid < 0 ? -errno : pid;
}

/* Without shared memory there is no word to wait for: its end is that of a pipe which
 * only the child can write to. */
static pid_t clone_apart(struct spawner *spawner, struct slot *slot)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	pid_t pid = clone_child(spawner, slot, 0);
	close(ends[1]);
	if (pid > 0)
		slot->done_fd = ends[0];
	else
		close(ends[0]);
	return pid;
}

/* The slice cannot take a process: it was removed (ENOENT, ENODEV), gives its controllers to
 * cgroups below it (EBUSY), is not of a kind that can (EOPNOTSUPP), is
 * not ours to write (EACCES). */
static bool is_slice_error(int error)
{
	return error == -ENOENT || error == -ENODEV || error == -EBUSY || error == -EOPNOTSUPP ||
	       error == -EACCES;
}

int spawn_start(struct spawner *spawner, const struct spawn *spawn, struct spawn_result *ret)
{
	if (spawn->unknown_user) {
		*ret = (struct spawn_result){.step = STEP_USER, .error = ENOENT};
		return 0;
	}
	struct slot *slot = free_slot(spawner);
	if (!slot)
		return -EBUSY;
	int error = fill(spawner, slot->birth, spawn);
	if (error)
		return error;
	pid_t pid = slot->birth->shares_memory ? clone_child(spawner, slot, CLONE_VM)
					       : clone_apart(spawner, slot);
	if (pid < 0 && spawn->in_slice && is_slice_error(pid)) {
		*ret = (struct spawn_result){.step = STEP_CGROUP, .error = -pid};
		return 0;
	}
	if (pid < 0)
		return pid;
	slot->pid = pid;
	bool done = settled(slot, WAIT_MS) || is_dead(pid);
	bool stillborn = done && !slot->birth->begun && spawn->in_slice && !slot->birth->moves;
	answer(slot, !done, ret);
	if (done)
		release(slot);
	if (!stillborn)
		return 0;
	struct spawn again = *spawn;
	again.walks_in = true;
	error = spawn_start(spawner, &again, ret);
	if (error == 0)
		ret->stillborn = true;
	return error;
}

int spawn_poll(struct spawner *spawner, pid_t pid, struct spawn_result *ret)
{
	for (size_t i = 0; pid > 0 && i < SPAWN_SLOTS; i++) {
		struct slot *slot = &spawner->slots[i];
		if (slot->pid != pid)
			continue;
		bool done = settled(slot, 0) || is_dead(pid);
		answer(slot, !done, ret);
		if (done)
			release(slot);
		return 0;
	}
	return -ENOENT;
}
