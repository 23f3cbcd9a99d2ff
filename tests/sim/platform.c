/* init/platform.h as the simulated kernel answers it. */
#include "init/platform.h"

#include "tests/sim/kernel.h"
#include "tests/sim/kernel_internal.h"
#include "tests/sim/prober.h"
#include "tests/sim/slices.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static const int64_t midnight = INT64_C(1700000000000000000);

int64_t platform_now(void)
{
	return kernel.now;
}

int64_t platform_now_us(void)
{
	return kernel.now * 1000;
}

/* It is set back and forth, which nobody may mind. */
int64_t platform_wall(void)
{
	return midnight + (kernel.now % (7 * HOUR)) * 1000000;
}

pid_t platform_parent(pid_t pid)
{
	return pid > 1 && pid < KERNEL_PIDS && kernel.process[pid].state != PROCESS_FREE
		   ? kernel.process[pid].parent
		   : 0;
}

pid_t platform_session(pid_t pid)
{
	return pid > 1 && pid < KERNEL_PIDS && kernel.process[pid].state != PROCESS_FREE
		   ? kernel.process[pid].sid
		   : 0;
}

bool platform_is_child(pid_t pid)
{
	return pid > 1 && pid < KERNEL_PIDS && kernel.process[pid].state != PROCESS_FREE &&
	       kernel.process[pid].parent == 1;
}

int platform_send(int fd, const void *message, size_t size)
{
	return fd == PROBER_FD ? prober_take(message, size) : -EPIPE;
}

/* Captured output is not simulated: there is none. */
int platform_capture(int ret_pipe[static 2])
{
	ret_pipe[0] = ret_pipe[1] = -1;
	return -ENOSYS;
}

void platform_capture_close(int pipe[static 2])
{
	(void)pipe;
}

bool platform_capture_alone(int pipe[static 2])
{
	(void)pipe;
	return true;
}

void platform_capture_owner(const int pipe[static 2], uint32_t uid, uint32_t gid)
{
	(void)pipe, (void)uid, (void)gid;
}

void platform_capture_renew(const int pipe[static 2])
{
	(void)pipe;
}

int platform_store(int dirfd, uint32_t capacity, uint32_t group, bool *ret_file)
{
	(void)dirfd, (void)capacity, (void)group;
	*ret_file = false;
	return -ENOSYS;
}

int platform_store_written(int fd, uint32_t number, int pipe, uint64_t *ret_bytes)
{
	(void)fd, (void)number, (void)pipe, (void)ret_bytes;
	return -ENOSYS;
}

int platform_store_copy(int from, int to, uint32_t capacity)
{
	(void)from, (void)to, (void)capacity;
	return -ENOSYS;
}

int platform_store_allocate(int fd, uint32_t capacity, uint32_t number)
{
	(void)fd, (void)capacity, (void)number;
	return -ENOSYS;
}

void platform_store_release(int fd, uint32_t capacity, uint32_t number)
{
	(void)fd, (void)capacity, (void)number;
}

void platform_close(int fd)
{
	(void)fd;
}

void platform_unmap(void *memory, size_t size)
{
	munmap(memory, size);
}

bool platform_is_pid1(void)
{
	return true;
}

struct spawner *spawner_new(void)
{
	return malloc(1);
}

void spawner_free(struct spawner *spawner)
{
	free(spawner);
}

/* What a command's words tell. */
struct words {
	enum role role;
	int service, behaviour;
	bool shell;
};

static enum role role_of(const char *path)
{
	static const char *const names[] = {"main", "pre", "stop", "post", "reload"};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(path, names[i]))
			return (enum role)i;
	sim_fail("spawn: what is /sim/%s?", path);
}

static struct words words_of(const struct spawn *spawn)
{
	const char *program = spawn->argv[0] + sizeof("/sim/") - 1;
	struct words shell = {.role = ROLE_MAIN, .service = KERNEL_EMERGENCY, .shell = true};

	if (sscanf(program, "shell%d", &shell.behaviour) == 1)
		return shell;
	return (struct words){.role = role_of(program),
	    .service = kernel_service(spawn->argv[1]),
	    .behaviour = atoi(spawn->argv[2])};
}

static bool exec_fails(enum behaviour behaviour)
{
	if (kernel.calm)
		return false;
	return behaviour == MISSING || (behaviour == SOMETIMES && kernel_chance(30)) ||
	       (behaviour == HANGING && kernel_chance(20));
}

int platform_prepare(void)
{
	return 0;
}

/* Without memory for another page, say: nothing was made. */
static bool slice_refuses(uint8_t slice, struct spawn_result *ret)
{
	if (!slice || kernel.calm || kernel_pick(1000) >= 3)
		return false;
	*ret = (struct spawn_result){.step = STEP_CGROUP, .error = EACCES};
	return true;
}

int platform_spawn(struct spawner *spawner, const struct spawn *spawn, struct spawn_result *ret)
{
	struct words words = words_of(spawn);
	int service = words.service, behaviour = words.behaviour;
	uint64_t life = kernel_watch.spawn(service, words.role);
	uint8_t slice = spawn->in_slice ? slices_of(spawn->slice_fd) : 0;
	bool hangs = behaviour == HANGING && !kernel.calm && kernel_chance(80);
	pid_t pid;

	(void)spawner;
	if (kernel.now < kernel.short_until)
		return kernel_chance(50) ? -EAGAIN : -ENOMEM;
	/* It would hang until the others go on, with one of the few slots for spawns. */
	if (slice && slices[slice - 1].frozen)
		sim_fail("s%02d: a birth into a frozen slice", service);
	if (slice && slices[slice - 1].killed && !spawn->walks_in)
		sim_fail("s%02d: a birth into a slice that was killed", service);
	if (hangs && kernel.pendings == SPAWN_SLOTS)
		return -EBUSY;
	if (slice_refuses(slice, ret))
		return 0;
	pid = kernel_new_pid();
	if (!pid)
		return -EAGAIN;
	kernel.spawned++;
	kernel.process[pid] = (struct process){.parent = 1,
	    .sid = 1,
	    .role = (uint8_t)words.role,
	    .behaviour = (uint8_t)behaviour,
	    .ours = true,
	    .shell = words.shell,
	    .exec_fails = exec_fails((enum behaviour)behaviour),
	    .service = service,
	    .life = life};
	*ret = (struct spawn_result){.pid = pid};
	slices_enter(pid, slice);
	sim_trace("  kernel: pid %d is s%02d role %d behaviour %d%s", (int)pid, service,
	    (int)words.role, behaviour, hangs ? ", exec pending" : "");
	if (hangs) {
		kernel.process[pid].state = PROCESS_PENDING;
		kernel.process[pid].stop_time = kernel_pick(50);
		if (kernel_chance(50))
			kernel_set_session(pid, pid);
		kernel.at[pid] = kernel.now + 1 + kernel_pick(kernel_chance(1) ? 90000 : 300);
		kernel.pendings++;
		ret->pending = true;
	} else if (kernel.process[pid].exec_fails) {
		ret->step = STEP_EXEC;
		ret->error = ENOENT;
		kernel_end(pid, EXIT_EXITED, 127);
	} else {
		kernel_execute(pid);
	}
	return 0;
}

int platform_spawn_poll(struct spawner *spawner, pid_t pid, struct spawn_result *ret)
{
	const struct process *p = &kernel.process[pid];

	(void)spawner;
	if (pid < 2 || pid >= KERNEL_PIDS || !p->ours)
		sim_fail("poll of pid %d, which is no child", (int)pid);
	*ret = (struct spawn_result){.pid = pid};
	if (p->state == PROCESS_PENDING) {
		ret->pending = true;
	} else if (p->exec_fails) {
		ret->step = STEP_EXEC;
		ret->error = ENOENT;
	}
	return 0;
}

/* What writes the limits of a slice that is in use. */
pid_t platform_fork(int (*main_of_child)(void *), void *arg)
{
	pid_t pid = kernel.now < kernel.short_until || kernel_chance(20) ? 0 : kernel_new_pid();

	if (!pid)
		return -EAGAIN;
	kernel.process[pid] = (struct process){
	    .parent = 1, .sid = 1, .role = ROLE_LIMITS, .ours = true, .service = KERNEL_SERVICES};
	kernel_end(pid, EXIT_EXITED, main_of_child(arg));
	return pid;
}

/* One of our zombies: that of the hint, or any. */
static pid_t find_zombie(pid_t hint)
{
	pid_t from = (pid_t)kernel_pick(KERNEL_PIDS);

	if (hint > 1 && kernel.process[hint].state == PROCESS_ZOMBIE &&
	    kernel.process[hint].parent == 1)
		return hint;
	for (pid_t i = 0; i < KERNEL_PIDS; i++) {
		pid_t pid = (from + i) % KERNEL_PIDS;

		if (kernel.process[pid].state == PROCESS_ZOMBIE && kernel.process[pid].parent == 1)
			return pid;
	}
	return 0;
}

static bool has_children(void)
{
	for (pid_t pid = 2; pid < KERNEL_PIDS; pid++)
		if (kernel.process[pid].state != PROCESS_FREE && kernel.process[pid].parent == 1)
			return true;
	return false;
}

int platform_reap(pid_t hint, pid_t *ret_pid, struct exit_status *ret, int64_t *ret_again)
{
	pid_t pid = find_zombie(hint);
	struct process *p = &kernel.process[pid];

	*ret_again = 0;
	if (!pid) {
		kernel.rested = false;
		return has_children() ? 0 : -ECHILD;
	}
	/* A scan that is put off, as reaper/reap.h says; then it is made. */
	if (pid != hint && !kernel.rested && kernel_chance(10)) {
		kernel.rested = true;
		*ret_again = kernel.now + 1 + kernel_pick(4);
		return 0;
	}
	if (p->ours && p->role == ROLE_MAIN && !p->exec_fails)
		kernel.exits[p->service]++;
	if (p->oomed && p->ours && p->role == ROLE_MAIN)
		kernel_watch.oom(pid);
	kernel.reaped++;
	*ret_pid = pid;
	*ret = p->how;
	kernel_free(pid);
	return 1;
}

int platform_kill(pid_t pid, int sig)
{
	struct process *p;

	if (pid < 2 || pid >= KERNEL_PIDS)
		sim_fail("kill of pid %d", (int)pid);
	p = &kernel.process[pid];
	if (p->state == PROCESS_FREE || !p->ours)
		sim_fail("kill of pid %d, which is no child that was started", (int)pid);
	kernel_watch.signal(pid, sig, true);
	kernel_take_signal(pid, sig);
	return 0;
}

/* A session whose number is no process's, no group's and no session's is nobody's. */
int platform_kill_session(pid_t sid, int sig)
{
	int any = 0;

	if (sid < 2 || sid >= KERNEL_PIDS)
		sim_fail("kill of session %d", (int)sid);
	for (pid_t pid = 2; pid < KERNEL_PIDS; pid++) {
		struct process *p = &kernel.process[pid];

		if (p->sid != sid || (p->state != PROCESS_ALIVE && p->state != PROCESS_PENDING))
			continue;
		any = 1;
		if (sig)
			kernel_watch.signal(pid, sig, false);
		kernel_take_signal(pid, sig);
	}
	return any;
}

int platform_marker_set(const char *state_dir, const char *name, bool stopped)
{
	(void)state_dir;
	if (kernel_chance(2))
		return -EROFS;
	kernel.marker[kernel_service(name)] = stopped;
	return 0;
}

bool platform_marker_get(const char *state_dir, const char *name)
{
	(void)state_dir;
	return kernel.marker[kernel_service(name)];
}

int platform_kill_everything(int sig)
{
	for (pid_t pid = 2; pid < KERNEL_PIDS; pid++)
		if (kernel.process[pid].state != PROCESS_FREE)
			kernel_take_signal(pid, sig);
	return 0;
}
