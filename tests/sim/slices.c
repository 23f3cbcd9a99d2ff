#include "tests/sim/slices.h"

#include "cgroup/slice.h"
#include "init/base.h"
#include "tests/sim/kernel_internal.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum { QUEUE = 64, FIRST_FD = 1000, PAGE = 4096 };

struct sim_slice slices[KERNEL_SERVICES];

static struct {
	int queue[QUEUE]; /* watches that have something to tell */
	unsigned queued;
	bool overflow;
	bool signalling;
	int last_fd, last_wd; /* never used again, so that what is stale shows */
	uint32_t open, frozen, there;
} all;

void slices_reset(void)
{
	memset(&all, 0, sizeof(all));
	memset(slices, 0, sizeof(slices));
	all.last_fd = FIRST_FD;
	for (unsigned i = 0; i < KERNEL_SERVICES; i++)
		slices[i].fd = -1;
}

void slices_tree(struct cgroup_tree *ret, bool memory)
{
	*ret = (struct cgroup_tree){.root_fd = FIRST_FD - 1,
	    .watch_fd = FIRST_FD - 2,
	    .enabled = (uint8_t)(1u << CGROUP_PIDS | (memory ? 1u << CGROUP_MEMORY : 0)),
	    .path = "/sim/cgroup"};
}

uint32_t slices_open_count(void)
{
	return all.open;
}

uint32_t slices_frozen_count(void)
{
	return all.frozen;
}

bool slices_signalling(void)
{
	return all.signalling;
}

/* --- events -------------------------------------------------------------------------- */

static void tell(int wd)
{
	if (wd < 0)
		return;
	if (all.queued == QUEUE || (!kernel.calm && kernel_chance(3))) {
		all.overflow = true;
		return;
	}
	all.queue[all.queued++] = wd;
}

bool slices_have_events(void)
{
	return all.queued || all.overflow;
}

void slices_tell(void (*event)(int wd))
{
	unsigned count = all.queued;
	bool overflow = all.overflow;
	int queue[QUEUE];

	memcpy(queue, all.queue, sizeof(queue));
	all.queued = 0;
	all.overflow = false;
	for (unsigned i = 0; i < count; i++)
		event(queue[i]);
	if (overflow)
		event(-1);
}

/* --- who is in them --------------------------------------------------------------------- */

uint8_t slices_of(int fd)
{
	for (unsigned i = 0; i < KERNEL_SERVICES; i++)
		if (slices[i].there && slices[i].fd == fd)
			return (uint8_t)(i + 1);
	sim_fail("descriptor %d of a slice is used, which is not open", fd);
}

static struct sim_slice *slice_of(const struct slice *slice)
{
	return &slices[slices_of(slice->fd) - 1];
}

static int64_t some_time(void)
{
	return kernel.now + 1 + kernel_spread(500, 8 * HOUR);
}

void slices_enter(pid_t pid, uint8_t slice)
{
	struct sim_slice *s = slice ? &slices[slice - 1] : NULL;

	kernel.process[pid].slice = slice;
	if (!s)
		return;
	kernel.process[pid].frozen = s->frozen;
	s->full_until = 0;
	if (!s->live++)
		tell(s->events_wd);
	if (s->capped && !s->oom_at && !kernel.calm && kernel_chance(15))
		s->oom_at = some_time();
}

/* Its last process may be reaped before the slice says that it is gone. */
void slices_leave(pid_t pid)
{
	struct process *p = &kernel.process[pid];
	struct sim_slice *s = p->slice ? &slices[p->slice - 1] : NULL;

	p->slice = 0;
	p->frozen = p->waiting = false;
	if (!s || --s->live)
		return;
	s->oom_at = 0;
	s->oom_kill += s->late;
	s->late = 0;
	if (!s->left && s->events_wd >= 0 && !kernel.calm && kernel_chance(10))
		s->full_until = kernel.now + 1 + kernel_pick(20);
	else
		tell(s->events_wd);
}

/* --- what happens by itself ---------------------------------------------------------------- */

static void oom(unsigned number)
{
	struct sim_slice *s = &slices[number];
	uint32_t victim = kernel_pick(s->live), seen = 0;

	sim_trace("  kernel: no memory for s%02u, %s", number, s->together ? "all of it" : "one");
	s->oom++;
	s->group += s->together;
	s->oom_kill += s->together; /* it counts the chosen one twice */
	for (pid_t pid = 2; pid < KERNEL_PIDS; pid++) {
		struct process *p = &kernel.process[pid];

		if (p->slice != number + 1 || !kernel_lives(p))
			continue;
		if (seen++ != victim && !s->together)
			continue;
		s->oom_kill++;
		p->oomed = true;
		kernel_take_signal(pid, SIGKILL);
	}
	/* It may not have counted all of them when the first ones are seen to die, and it tells of
	 * each file a hundred times a second at most. */
	if (s->together && s->memory_wd >= 0 && !kernel.calm && kernel_chance(30)) {
		s->late++;
		s->oom_kill--;
		s->late_at = kernel.now + 1 + kernel_pick(10);
	}
	tell(s->memory_wd);
}

static void pass_high(struct sim_slice *s)
{
	s->high++;
	s->used = s->wire + PAGE * (1 + kernel_pick(100));
	/* What is cache the kernel drops, and the wire may stay for the next time. */
	s->cache = kernel_chance(50) ? s->used / 2 : 0;
	s->slow_since = s->cache ? 0 : kernel.now;
	s->high_at = kernel_chance(50) ? some_time() : 0;
	sim_trace("  kernel: memory.high of s%02u is passed", (unsigned)(s - slices));
	tell(s->memory_wd);
}

/* Takes the time off, if it has come. */
static bool is_due(int64_t *at)
{
	if (!*at || *at > kernel.now)
		return false;
	*at = 0;
	return true;
}

void slices_run(void)
{
	for (unsigned i = 0; i < KERNEL_SERVICES && all.there; i++) {
		struct sim_slice *s = &slices[i];

		if (!s->there || s->frozen)
			continue;
		if (is_due(&s->full_until))
			tell(s->events_wd);
		if (is_due(&s->late_at)) {
			s->oom_kill += s->late;
			s->late = 0;
			tell(s->memory_wd);
		}
		if (is_due(&s->oom_at) && s->live && !kernel.calm)
			oom(i);
		if (is_due(&s->high_at) && s->live && s->wire != UINT64_MAX)
			pass_high(s);
	}
}

int64_t slices_next(void)
{
	int64_t next = 0;

	for (unsigned i = 0; i < KERNEL_SERVICES && all.there; i++) {
		const struct sim_slice *s = &slices[i];

		if (s->there && !s->frozen)
			next = sooner(sooner(next, s->full_until),
			    sooner(s->late_at, sooner(s->oom_at, s->high_at)));
	}
	return next;
}

/* --- cgroup/slice.h --------------------------------------------------------------------------- */

static int watch(bool wanted)
{
	return wanted && (kernel.calm || !kernel_chance(2)) ? ++all.last_wd : -1;
}

int slice_open(struct cgroup_tree *tree, const char *service, struct slice *ret)
{
	unsigned number = (unsigned)kernel_service(service);
	struct sim_slice *s = &slices[number];
	struct sim_slice before = *s;

	if (s->fd >= 0)
		sim_fail("%s: its slice is opened though it is open", service);
	if (!kernel.calm && kernel_chance(2))
		return kernel_chance(50) ? -EMFILE : -EACCES;
	if (!s->there)
		*s = (struct sim_slice){.there = true, .wire = UINT64_MAX};
	else if (!before.left)
		sim_fail("%s: its slice was not removed", service);
	all.there += !before.there;
	all.open++;
	s->left = false;
	s->fd = ++all.last_fd;
	s->events_wd = -1;
	s->memory_wd = watch(tree->enabled & 1u << CGROUP_MEMORY);
	*ret = (struct slice){.fd = s->fd,
	    .events_wd = s->events_wd,
	    .memory_wd = s->memory_wd,
	    .killed = before.there};
	return 0;
}

bool slice_has_limit(const struct slice *slice, enum cgroup_limit limit, const char *value)
{
	(void)slice;
	(void)limit;
	(void)value;
	return false;
}

bool slice_high_is(const struct slice *slice, uint64_t bytes)
{
	return slice_of(slice)->wire == bytes;
}

bool slice_frozen(const struct slice *slice)
{
	return slice_of(slice)->frozen;
}

void slice_tidy(struct slice *slice)
{
	slice_freeze(slice, false);
}

int slice_leaf(const struct slice *slice)
{
	(void)slice;
	return -ENOTSUP;
}

void slice_close_leaf(int fd)
{
	(void)fd;
}

bool slice_full(const struct slice *slice)
{
	(void)slice;
	return false;
}

bool slice_watch(struct cgroup_tree *tree, const char *service, struct slice *slice)
{
	struct sim_slice *s = slice_of(slice);

	(void)tree;
	(void)service;
	if (slice->events_wd >= 0)
		return false;
	s->events_wd = slice->events_wd = watch(true);
	return slice->events_wd >= 0;
}

int slice_remove(struct cgroup_tree *tree, const char *service, struct slice *slice)
{
	struct sim_slice *s = slice_of(slice);
	unsigned number = (unsigned)(s - slices);

	(void)tree;
	if (number != (unsigned)kernel_service(service))
		sim_fail("%s: the slice of s%02u is removed for it", service, number);
	if (s->frozen)
		sim_fail("%s: its slice is given back frozen", service);
	*slice = (struct slice){.fd = -1, .events_wd = -1, .memory_wd = -1};
	all.open--;
	s->fd = s->events_wd = s->memory_wd = -1;
	kernel_watch.leave((int)number);
	if (s->live) {
		s->left = true;
		s->oom_at = 0;
		return -EBUSY;
	}
	all.there--;
	s->there = false;
	return 0;
}

int slice_limit(const struct slice *slice, enum cgroup_limit limit, const char *value)
{
	struct sim_slice *s = slice_of(slice);

	if (!kernel.calm && kernel_chance(1))
		return -EINVAL;
	if (limit == CGROUP_MEMORY_MAX)
		s->capped = value != NULL;
	return 0;
}

int slice_oom_group(const struct slice *slice, bool together)
{
	slice_of(slice)->together = together;
	return 0;
}

int slice_high(const struct slice *slice, uint64_t bytes)
{
	struct sim_slice *s = slice_of(slice);

	s->wire = bytes;
	s->slow_since = 0;
	s->high_at = bytes != UINT64_MAX && !kernel.calm && kernel_chance(50) ? some_time() : 0;
	return 0;
}

bool slice_signal(struct slice *slice, int sig)
{
	struct sim_slice *s = slice_of(slice);
	unsigned number = (unsigned)(s - slices);
	bool any = s->live || s->full_until;

	if (any && sig == SIGKILL)
		slice->killed = s->killed = true;
	all.signalling = true;
	for (pid_t pid = 2; pid < KERNEL_PIDS && sig && s->live; pid++) {
		const struct process *p = &kernel.process[pid];

		if (p->slice != number + 1 || !kernel_lives(p))
			continue;
		if (p->service != (int)number)
			sim_fail("pid %d of s%02d is in the slice of s%02u", (int)pid, p->service,
			    number);
		kernel_watch.signal(pid, sig, false);
		kernel_take_signal(pid, sig);
	}
	all.signalling = false;
	return any;
}

static void set_frozen(unsigned number, bool frozen)
{
	for (pid_t pid = 2; pid < KERNEL_PIDS; pid++) {
		struct process *p = &kernel.process[pid];
		bool waiting = p->waiting;

		if (p->slice != number + 1 || !kernel_lives(p))
			continue;
		p->frozen = frozen;
		p->waiting = false;
		if (waiting)
			kernel_take_stop(pid);
	}
}

int slice_freeze(const struct slice *slice, bool frozen)
{
	struct sim_slice *s = slice_of(slice);

	if (frozen && kernel_chance(3))
		return -ENOMEM;
	sim_trace("  kernel: s%02u is %s", (unsigned)(s - slices), frozen ? "frozen" : "thawed");
	all.frozen += (uint32_t)frozen - (uint32_t)s->frozen;
	s->frozen = frozen;
	set_frozen((unsigned)(s - slices), frozen);
	return 0;
}

int slice_memory(const struct slice *slice, struct slice_memory *ret)
{
	const struct sim_slice *s = slice_of(slice);

	*ret = (struct slice_memory){.high = s->high,
	    .oom = s->oom,
	    .own_oom = s->oom,
	    .oom_kill = s->oom_kill,
	    .group = s->group};
	return 0;
}

/* It may have dropped, since it was last asked for. */
uint64_t slice_memory_used(const struct slice *slice)
{
	struct sim_slice *s = slice_of(slice);

	if (kernel_chance(30))
		s->used = s->cache = 0;
	return s->used;
}

uint64_t slice_memory_needed(const struct slice *slice)
{
	const struct sim_slice *s = slice_of(slice);

	return s->used - s->cache;
}

uint64_t slice_memory_peak(const struct slice *slice)
{
	return slice_of(slice)->used;
}

void slice_read(const struct slice *slice, struct board_reading *ret)
{
	ret->pids_current = slice_of(slice)->live;
	ret->have = READING_PIDS;
}
