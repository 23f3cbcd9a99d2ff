/* The checks that PID 1 makes itself: those that need the service's own user, environment
 * and processes (unix, file, exec, listen), those that it knows the answer to (process,
 * heartbeat), and those of which one side is one of these and the other one the prober's.
 *
 * One process a check at a time. When its time is up its whole session is killed, and the
 * next one does not begin before that is gone. */
#include "init/supervisor_internal.h"

#include "probes/schedule.h"
#include "probes/verdict.h"

#include <errno.h>
#include <signal.h>

enum {
	KILL_AGAIN = 100,    /* ms between KILLs of what a check has left behind */
	ASK_AGAIN = 200,     /* ms until a prober that is not there may be */
	ANSWER_GRACE = 2000, /* ms that the prober may be late */
};

/* What is looked at now. */
static const struct image_target *target_of(
    const struct check *c, const struct probe_settings *probe)
{
	return c->fallback ? &probe->fallback_target : &probe->target;
}

static bool is_idle(const struct check *c)
{
	return !c->active && !c->pid && !c->sid;
}

/* Finds out when something is to be done for the service's checks. */
static void schedule(struct supervisor *sv, uint32_t slot)
{
	int64_t next = 0;

	for (unsigned role = 0; role < PROBE_ROLES; role++) {
		const struct check *c = sv_check(sv, slot, role);
		bool busy = c->pid || c->sid || c->asked;

		next = sooner(next, busy ? c->deadline : c->active ? c->due : 0);
	}
	sv->check_due[slot] = next;
}

void sv_check_begin(struct supervisor *sv, uint32_t slot, enum probe_role role)
{
	const struct probe_settings *probe = sv_probe(sv, slot, role);
	struct check *c = sv_check(sv, slot, role);

	if (is_idle(c))
		sv->checks++;
	c->active = true;
	c->fallback = false;
	c->due = schedule_first(
	    sv->now, probe->initial_delay, probe->interval, sv_probe_seed(sv, slot, role));
	verdict_init(&c->verdict, HEALTH_UNKNOWN);
	/* Awaited from now on: a long start, or a time without this check, was no silence. */
	if (image_probe_has(probe, CHECK_HEARTBEAT))
		sv->unit[slot].beat = sv->now;
	schedule(sv, slot);
}

static void kill_session(struct supervisor *sv, struct check *c)
{
	if (c->sid)
		platform_kill_session(c->sid, SIGKILL);
	if (c->pid)
		platform_kill(c->pid, SIGKILL);
	c->deadline = sv->now + KILL_AGAIN;
}

void sv_check_end(struct supervisor *sv, uint32_t slot, enum probe_role role)
{
	struct check *c = sv_check(sv, slot, role);

	if (!sv->checks || !c->active)
		return;
	c->active = c->asked = false;
	c->dropped = true;
	if (c->pid || c->sid)
		kill_session(sv, c);
	else
		sv->checks--;
	schedule(sv, slot);
}

/* One probe has ended; the fallback comes at once when it has failed. */
static void finish(struct supervisor *sv, uint32_t slot, enum probe_role role,
    enum probe_fault fault, int32_t detail)
{
	const struct probe_settings *probe = sv_probe(sv, slot, role);
	struct check *c = sv_check(sv, slot, role);
	const struct image_target *target = target_of(c, probe);

	if (!image_is_network(target)) /* else the prober has counted it */
		sv_stats(sv, slot, role, (enum check_kind)target->kind, fault, detail,
		    sv->now - c->began);
	if (fault != FAULT_NONE && !c->fallback && probe->fallback_target.kind != CHECK_NONE) {
		c->fallback = true;
		c->due = sv->now;
		return;
	}
	c->fallback = false;
	c->due = schedule_next(c->due, probe->interval, sv->now);
	if (fault == FAULT_INTERNAL)
		return;
	if (verdict_step(&c->verdict, fault == FAULT_NONE, probe->failures, probe->successes))
		sv_verdict(sv, slot, role, fault == FAULT_NONE, fault, detail);
}

/* Starts the process of a check. */
static void spawn(struct supervisor *sv, uint32_t slot, enum probe_role role,
    const struct probe_settings *probe, const struct image_target *target)
{
	struct check *c = sv_check(sv, slot, role);
	struct spawn_result result = {0};
	int rc;

	/* Born there it would hang before its exec, and take the place of others that are born. */
	if (sv_slice_frozen(sv, slot)) {
		finish(sv, slot, role, FAULT_TIMEOUT, (int32_t)probe->timeout);
		return;
	}
	rc = sv_spawn_check(sv, slot, probe, target, &result);
	if (sv_slice_full(sv, slot, rc)) {
		finish(sv, slot, role, FAULT_SPAWN, -rc);
		return;
	}
	if (rc < 0 || (result.step && sv_is_shortage(&result))) {
		finish(sv, slot, role, FAULT_INTERNAL, rc < 0 ? -rc : result.error);
		return;
	}
	if (!result.pid) { /* there is no cgroup to be born in */
		finish(sv, slot, role, FAULT_SPAWN, result.error);
		return;
	}
	c->pid = c->sid = result.pid;
	c->late = c->dropped = false;
	c->error = result.step ? result.error : 0;
	c->detail = 0;
	c->deadline = sv->now + probe->timeout;
}

/* No service is judged while there is no prober. */
static void ask(struct supervisor *sv, uint32_t slot, enum probe_role role,
    const struct probe_settings *probe, const struct image_target *target)
{
	struct check *c = sv_check(sv, slot, role);

	if (sv_ask_prober(sv, slot, role, target) < 0) {
		c->due = sv->now + ASK_AGAIN;
		return;
	}
	c->asked = true;
	c->deadline = sv->now + probe->timeout + ANSWER_GRACE;
}

static int32_t as_detail(int64_t ms)
{
	return ms < INT32_MAX ? (int32_t)ms : INT32_MAX;
}

static void run(struct supervisor *sv, uint32_t slot, enum probe_role role)
{
	const struct probe_settings *probe = sv_probe(sv, slot, role);
	struct check *c = sv_check(sv, slot, role);
	const struct image_target *target = target_of(c, probe);
	const struct machine *m = &sv->service[slot].m;
	int64_t beat = sv->unit[slot].beat > m->started ? sv->unit[slot].beat : m->started;

	c->began = sv->now;
	switch ((enum check_kind)target->kind) {
	case CHECK_HTTP:
	case CHECK_TCP:
	case CHECK_GRPC:
		ask(sv, slot, role, probe, target);
		break;
	case CHECK_UNIX:
	case CHECK_FILE:
	case CHECK_EXEC:
	case CHECK_LISTEN:
		spawn(sv, slot, role, probe, target);
		break;
	case CHECK_PROCESS:
		finish(sv, slot, role, m->main_alive ? FAULT_NONE : FAULT_NO_PROCESS, 0);
		break;
	case CHECK_HEARTBEAT:
		if (sv->now - beat > probe->max_age)
			finish(sv, slot, role, FAULT_SILENT, as_detail(sv->now - beat));
		else
			finish(sv, slot, role, FAULT_NONE, 0);
		break;
	case CHECK_NONE: /* no probe is without a check */
		finish(sv, slot, role, FAULT_INTERNAL, EINVAL);
		break;
	}
}

/* The process of a check is gone; is its session? */
static void look_after(struct supervisor *sv, uint32_t slot, struct check *c)
{
	if (c->pid || !c->sid)
		return;
	if (platform_kill_session(c->sid, SIGKILL) > 0) {
		c->deadline = sv->now + KILL_AGAIN;
		return;
	}
	c->sid = 0;
	c->deadline = 0;
	if (is_idle(c))
		sv->checks--;
	schedule(sv, slot);
}

static void one_due(struct supervisor *sv, uint32_t slot, enum probe_role role)
{
	struct check *c = sv_check(sv, slot, role);

	if (c->pid && c->deadline <= sv->now) {
		c->late = true;
		kill_session(sv, c);
	} else if (c->sid && !c->pid && c->deadline <= sv->now) {
		look_after(sv, slot, c);
	} else if (c->asked && c->deadline <= sv->now) {
		c->asked = false;
		finish(sv, slot, role, FAULT_INTERNAL, ETIMEDOUT);
	} else if (c->active && !c->pid && !c->sid && !c->asked && c->due <= sv->now) {
		run(sv, slot, role);
	}
}

void sv_checks_due(struct supervisor *sv)
{
	if (!sv->checks)
		return;
	for (uint32_t slot = 0; slot < sv->count; slot++) {
		if (!sv->check_due[slot] || sv->check_due[slot] > sv->now)
			continue;
		for (unsigned role = 0; role < PROBE_ROLES; role++)
			one_due(sv, slot, role);
		schedule(sv, slot);
	}
}

int64_t sv_checks_deadline(const struct supervisor *sv)
{
	int64_t next = 0;

	for (uint32_t slot = 0; slot < sv->count && sv->checks; slot++)
		next = sooner(next, sv->check_due[slot]);
	return next;
}

static enum probe_fault fault_of(const struct check *c, const struct image_target *target,
    const struct probe_settings *probe, const struct exit_status *status, int32_t *ret_detail)
{
	*ret_detail = status->code;
	if (c->late) {
		*ret_detail = (int32_t)probe->timeout;
		return FAULT_TIMEOUT;
	}
	if (c->error) {
		*ret_detail = c->error;
		return FAULT_SPAWN;
	}
	if (status->kind != EXIT_EXITED)
		return FAULT_KILLED;
	if (status->code == 0)
		return FAULT_NONE;
	if (target->kind == CHECK_EXEC)
		return FAULT_EXIT;
	*ret_detail = c->detail;
	if (status->code <= CHECKER_FAULT || status->code >= CHECKER_FAULT + FAULT_COUNT)
		return FAULT_INTERNAL;
	return (enum probe_fault)(status->code - CHECKER_FAULT);
}

bool sv_check_ended(
    struct supervisor *sv, uint32_t slot, pid_t pid, const struct exit_status *status)
{
	for (unsigned role = 0; role < PROBE_ROLES; role++) {
		struct check *c = sv_check(sv, slot, role);
		const struct probe_settings *probe;
		enum probe_fault fault;
		int32_t detail;

		if (c->pid != pid)
			continue;
		c->pid = 0;
		/* The check may be active anew, in another life or by other settings. */
		if (c->active && !c->dropped) {
			probe = sv_probe(sv, slot, role);
			fault = fault_of(c, target_of(c, probe), probe, status, &detail);
			finish(sv, slot, role, fault, detail);
		}
		look_after(sv, slot, c);
		schedule(sv, slot);
		return true;
	}
	return false;
}

void sv_check_failed(struct supervisor *sv, uint32_t slot, pid_t pid, int error)
{
	for (unsigned role = 0; role < PROBE_ROLES; role++)
		if (sv_check(sv, slot, role)->pid == pid)
			sv_check(sv, slot, role)->error = error;
}

void sv_check_detail(struct supervisor *sv, uint32_t slot, pid_t checker, int32_t detail)
{
	for (unsigned role = 0; role < PROBE_ROLES; role++)
		if (sv_check(sv, slot, role)->pid == checker)
			sv_check(sv, slot, role)->detail = detail;
}

void sv_check_answered(struct supervisor *sv, uint32_t slot, enum probe_role role,
    enum probe_fault fault, int32_t detail)
{
	sv_check(sv, slot, role)->asked = false;
	finish(sv, slot, role, fault, detail);
	schedule(sv, slot);
}
