/* Processes: how they come, live and end. platform.c is what sinit sees of them. */
#include "tests/sim/kernel.h"

#include "init/base.h"
#include "tests/sim/kernel_internal.h"
#include "tests/sim/slices.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

struct kernel kernel;
struct kernel_watch kernel_watch;

void kernel_reset(uint64_t seed, int64_t now)
{
	memset(&kernel, 0, sizeof(kernel));
	kernel.random = seed * 0x9e3779b97f4a7c15 + 1;
	kernel.now = now;
	kernel.last = (pid_t)(2 + kernel_pick(KERNEL_PIDS - 2));
	slices_reset();
}

int kernel_service(const char *name)
{
	return strcmp(name, "emergency") ? atoi(name + 1) : KERNEL_EMERGENCY;
}

uint32_t kernel_pick(uint32_t n)
{
	uint64_t z = kernel.random += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return (uint32_t)((z ^ z >> 31) >> 11) % n;
}

bool kernel_chance(uint32_t percent)
{
	return kernel_pick(100) < percent;
}

uint32_t kernel_spread(uint32_t least, uint32_t most)
{
	while (least < most && kernel_chance(50))
		least *= 2;
	return least < most ? least + kernel_pick(least) : most;
}

/* In a row and round again, as the kernel does; not while a session has the number. */
pid_t kernel_new_pid(void)
{
	for (int tries = 0; tries < KERNEL_PIDS; tries++) {
		kernel.last = kernel.last + 1 < KERNEL_PIDS ? kernel.last + 1 : 2;
		if (kernel.process[kernel.last].state == PROCESS_FREE &&
		    !kernel.session[kernel.last])
			return kernel.last;
	}
	return 0;
}

void kernel_set_session(pid_t pid, pid_t sid)
{
	struct process *p = &kernel.process[pid];

	if (p->sid > 1)
		kernel.session[p->sid]--;
	p->sid = sid;
	if (sid > 1)
		kernel.session[sid]++;
}

void kernel_free(pid_t pid)
{
	kernel_set_session(pid, 0);
	kernel.process[pid].state = PROCESS_FREE;
	kernel.at[pid] = 0;
}

static void notify(pid_t pid)
{
	if (!kernel.chld)
		kernel.chld_pid = pid; /* the first one stays: standard signals do not queue */
	kernel.chld = true;
}

void kernel_end(pid_t pid, uint8_t kind, int code)
{
	struct process *p = &kernel.process[pid];

	p->how = (struct exit_status){
	    .kind = kind, .code = code, .core = kind == EXIT_KILLED && code == SIGSEGV};
	p->state = PROCESS_ZOMBIE;
	kernel.at[pid] = 0;
	slices_leave(pid);
	sim_trace("  kernel: pid %d (s%02d role %u) ends, %s %d", (int)pid, p->service, p->role,
	    kind == EXIT_EXITED ? "exit" : "signal", code);
	for (pid_t other = 2; other < KERNEL_PIDS; other++) {
		struct process *o = &kernel.process[other];

		if (o->state == PROCESS_FREE || o->parent != pid)
			continue;
		o->parent = 1;
		if (o->state == PROCESS_ZOMBIE)
			notify(other);
	}
	if (p->parent == 1)
		notify(pid);
	else if (kernel_chance(80))
		kernel_free(pid); /* its parent looks after it; not all do */
}

/* How long it lives, and how it takes signals. */
static void be_main(struct process *p, int64_t *at)
{
	uint32_t life = HOUR + kernel_pick(40 * HOUR);

	switch ((enum behaviour)p->behaviour) {
	case FLAKY:
	case SOMETIMES:
		life = kernel_spread(1000, 4 * HOUR);
		break;
	case CRASHING:
		life = kernel_pick(200);
		break;
	case BRIEF:
		life = kernel_spread(200, HOUR);
		break;
	case QUICK:
		life = kernel_chance(5) ? 20 * HOUR : kernel_pick(kernel_chance(20) ? 60000 : 500);
		break;
	case STEADY:
	case DEAF:
	case SLOW:
	case FAMILY:
	case MISSING:
	case HANGING:
	case BEHAVIOURS:
		break;
	}
	p->deaf = p->behaviour == DEAF;
	p->stop_time = p->behaviour == SLOW ? kernel_pick(20000) : kernel_pick(20);
	*at = kernel.calm && p->behaviour != QUICK ? 0 : kernel.now + life;
	if (kernel.calm && p->behaviour == QUICK)
		*at = kernel.now + kernel_pick(500);
}

static void be_helper(struct process *p, int64_t *at)
{
	uint32_t life = kernel_pick(kernel_chance(10) ? 30000 : 200);

	if (p->behaviour == DEAF && !kernel.calm)
		life = kernel_chance(50) ? life : HOUR;
	p->deaf = p->behaviour == DEAF && kernel_chance(50);
	p->stop_time = kernel_pick(50);
	*at = kernel.now + life;
}

static void make_child(pid_t parent);

/* Some make a session of their own, as daemons do: then only their slice tells whose they are,
 * and without one they would be nobody's. */
static void make_session(pid_t pid)
{
	if (!kernel.process[pid].slice || !kernel_chance(40))
		return;
	kernel_set_session(pid, pid);
	sim_trace("  kernel: pid %d makes a session of its own", (int)pid);
	if (kernel_chance(40))
		make_child(pid);
}

static void make_child(pid_t parent)
{
	pid_t pid = kernel_new_pid();

	if (!pid)
		return;
	struct process *p = &kernel.process[pid];

	*p = (struct process){.parent = parent,
	    .state = PROCESS_ALIVE,
	    .role = ROLE_CHILD,
	    .executed = true,
	    .service = kernel.process[parent].service,
	    .life = kernel.process[parent].life,
	    .shell = kernel.process[parent].shell,
	    .deaf = kernel_chance(20) && !kernel.calm,
	    .stop_time = kernel_pick(kernel_chance(20) ? 15000 : 50)};
	kernel_set_session(pid, kernel.process[parent].sid);
	kernel.at[pid] = kernel.now + kernel_spread(100, 10 * HOUR);
	sim_trace("  kernel: pid %d is a child of %d (s%02d)%s", (int)pid, (int)parent, p->service,
	    p->deaf ? ", deaf" : "");
	slices_enter(pid, kernel.process[parent].slice);
	make_session(pid);
}

void kernel_execute(pid_t pid)
{
	struct process *p = &kernel.process[pid];
	uint32_t children = 0;

	p->state = PROCESS_ALIVE;
	p->executed = true;
	kernel_set_session(pid, pid);
	if (p->role == ROLE_MAIN)
		be_main(p, &kernel.at[pid]);
	else
		be_helper(p, &kernel.at[pid]);
	if (p->behaviour == FAMILY)
		children = p->role == ROLE_MAIN ? 1 + kernel_pick(3) : kernel_pick(2);
	while (children--)
		make_child(pid);
}

/* The stop_command has worked: its service's main process goes. */
static void tell_main(int service)
{
	for (pid_t pid = 2; pid < KERNEL_PIDS; pid++) {
		struct process *p = &kernel.process[pid];

		if (p->state == PROCESS_ALIVE && p->role == ROLE_MAIN && p->service == service)
			kernel_take_stop(pid);
	}
}

static void by_itself(pid_t pid)
{
	struct process *p = &kernel.process[pid];
	bool well = kernel.calm || p->behaviour == BRIEF ||
		    kernel_chance(p->behaviour == QUICK || p->role != ROLE_MAIN ? 90 : 25);

	if (p->state == PROCESS_PENDING) {
		kernel.pendings--;
		if (!p->exec_fails) {
			kernel_execute(pid);
			return;
		}
		/* The failure can be read now, and its end is not far. */
		p->state = PROCESS_ALIVE;
		kernel.at[pid] = kernel.now + kernel_pick(20);
		if (kernel.at[pid] > kernel.now)
			return;
	}
	if (p->exec_fails) {
		kernel_end(pid, EXIT_EXITED, 127);
		return;
	}
	if (p->told) {
		bool dies = kernel_chance(50);

		kernel_end(pid, dies ? EXIT_KILLED : EXIT_EXITED, dies ? SIGTERM : 0);
		return;
	}
	if (well && p->role == ROLE_STOP)
		tell_main(p->service);
	if (well || kernel_chance(70))
		kernel_end(pid, EXIT_EXITED, well ? 0 : 1 + (int)kernel_pick(4));
	else
		kernel_end(pid, EXIT_KILLED, kernel_chance(50) ? SIGSEGV : SIGKILL);
}

static bool ends(const struct process *p, int sig)
{
	return p->shell ? sig == SIGHUP : sig != SIGHUP && sig != SIGUSR1;
}

void kernel_take_stop(pid_t pid)
{
	kernel_take_signal(pid, kernel.process[pid].shell ? SIGHUP : SIGTERM);
}

/* Returns nothing: whoever sends it learns only that it was sent. */
void kernel_take_signal(pid_t pid, int sig)
{
	struct process *p = &kernel.process[pid];

	if (!sig || p->state == PROCESS_ZOMBIE)
		return;
	if (sig == SIGKILL) {
		if (p->state == PROCESS_PENDING) {
			kernel.pendings--;
			p->exec_fails = false; /* killed before it could fail */
		}
		kernel_end(pid, EXIT_KILLED, SIGKILL);
		return;
	}
	if (p->frozen) {
		p->waiting |= ends(p, sig);
		return;
	}
	if (p->state == PROCESS_PENDING) {
		p->told = true; /* it waits until the exec is done: see kernel_run() */
		return;
	}
	if (p->deaf || p->told || p->exec_fails || !ends(p, sig))
		return;
	p->told = true;
	kernel.at[pid] = kernel.now + p->stop_time;
}

int64_t kernel_next(void)
{
	int64_t next = 0;

	for (pid_t pid = 2; pid < KERNEL_PIDS; pid++)
		if (kernel.at[pid] && !kernel.process[pid].frozen &&
		    (!next || kernel.at[pid] < next))
			next = kernel.at[pid];
	return sooner(next, slices_next());
}

void kernel_run(void)
{
	for (pid_t pid = 2; pid < KERNEL_PIDS; pid++) {
		struct process *p = &kernel.process[pid];
		bool was_told = p->told;

		if (!kernel.at[pid] || kernel.at[pid] > kernel.now || p->frozen)
			continue;
		if (p->state == PROCESS_PENDING && was_told && !p->exec_fails) {
			p->told = false;
			by_itself(pid);
			kernel_take_stop(pid);
			continue;
		}
		by_itself(pid);
	}
	slices_run();
}

bool kernel_is_living(int service)
{
	for (pid_t pid = 2; pid < KERNEL_PIDS; pid++) {
		const struct process *p = &kernel.process[pid];

		if (kernel_lives(p) && p->service == service &&
		    (p->role != ROLE_RELOAD || p->slice))
			return true;
	}
	return false;
}
