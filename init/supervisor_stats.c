/* What is counted for metrics: probes that PID 1 makes itself, and the totals of a service;
 * and what a single check of a start has found. */
#include "init/supervisor_internal.h"

#include "probes/stats.h"

/* Why a startup probe has not passed yet, though it may have failed less often than counts. */
static void note_start(struct supervisor *sv, uint32_t slot, enum probe_fault fault, int32_t detail)
{
	struct board_service *s = &sv->service[slot];
	struct board_probe *probe = &s->probe[PROBE_STARTUP];

	if (s->m.state != STATE_STARTING || probe->health != HEALTH_UNKNOWN)
		return;
	board_begin(s);
	probe->fault = (uint8_t)fault;
	probe->detail = detail;
	board_end(s);
}

void sv_stats_start(struct supervisor *sv, uint32_t slot)
{
	const struct probe_stats *stats =
	    sv->stats ? &sv->stats[slot * PROBE_ROLES + PROBE_STARTUP] : NULL;
	const struct board_service *s = &sv->service[slot];

	/* The prober may write there what it likes. */
	if (!stats || stats->generation != s->used || !s->m.started ||
	    stats->last_time < s->m.started)
		return;
	uint8_t fault = stats->fault;
	if (fault < FAULT_COUNT)
		note_start(sv, slot, (enum probe_fault)fault, stats->detail);
}

void sv_stats(struct supervisor *sv, uint32_t slot, enum probe_role role, enum check_kind kind,
    enum probe_fault fault, int32_t detail, int64_t ms)
{
	struct probe_stats *stats;

	if (role == PROBE_STARTUP)
		note_start(sv, slot, fault, detail);
	if (!sv->stats)
		return;
	stats = &sv->stats[slot * PROBE_ROLES + role];
	if (stats->generation != sv->service[slot].used) {
		*stats = (struct probe_stats){0};
		stats->generation = sv->service[slot].used;
	}
	stats_count(stats, kind, fault, detail, (uint64_t)ms * 1000, sv->now);
}

static enum restart_reason reason_of(enum cause cause)
{
	switch (cause) {
	case CAUSE_NONE:
	case CAUSE_EXIT:
		return RESTARTED_EXIT;
	case CAUSE_SPAWN:
	case CAUSE_PRE_START:
	case CAUSE_RESOURCES:
	case CAUSE_CONFIG:
		return RESTARTED_SPAWN;
	case CAUSE_START_TIMEOUT:
	case CAUSE_STARTUP:
		return RESTARTED_STARTUP;
	case CAUSE_LIVENESS:
		return RESTARTED_LIVENESS;
	case CAUSE_OOM:
		return RESTARTED_OOM;
	case CAUSE_OPERATOR:
	case CAUSE_RESTART:
	case CAUSE_RELOAD:
	case CAUSE_SHUTDOWN:
	case CAUSE_DEPENDENCY:
	case CAUSE_RESTART_WITH:
	case CAUSE_REMOVED:
		return RESTARTED_ASKED;
	}
	return RESTARTED_ASKED;
}

/* Into back-off, or given up; or straight into the next life, without a delay. */
static bool has_failed(const struct machine *m, const struct before *before)
{
	bool entered = m->state != before->state;

	if (m->cause == CAUSE_RESOURCES || m->cause == CAUSE_DEPENDENCY)
		return false;
	if (entered &&
	    (m->state == STATE_BACKOFF || m->state == STATE_FATAL || m->state == STATE_FAILED))
		return true;
	return m->restarts != before->restarts && before->state != STATE_BACKOFF;
}

void sv_start_times(struct supervisor *sv, uint32_t slot, enum event event)
{
	const struct machine *m = &sv->service[slot].m;
	struct board_start *start = &sv->service[slot].start;
	bool oneshot = sv->service[slot].type == TYPE_ONESHOT; /* its end is what makes it ready */
	const struct {
		int64_t *at;
		bool happened;
	} times[] = {
	    {&start->wanted, m->want == WANT_UP}, {&start->executed, event == EVENT_SPAWNED},
	    {&start->failed, sv->service[slot].total.failures || m->state == STATE_FAILED},
	    {&start->ended,
		event == EVENT_EXITED && (start->ready ? !oneshot : m->want == WANT_DOWN)},
	    {&start->ready, m->ready}, /* last: what ends now was not ready before */
	};
	int64_t now = 0;

	for (unsigned i = 0; i < ARRAY_LEN(times); i++)
		if (times[i].happened && !*times[i].at) {
			now = now ? now : platform_now_us();
			*times[i].at = now;
		}
}

void sv_totals(struct supervisor *sv, uint32_t slot, const struct before *before)
{
	struct board_service *s = &sv->service[slot];
	struct board_totals *total = &s->total;
	bool restarted = s->m.life != before->life && s->m.life > 1;
	bool failed = has_failed(&s->m, before);

	if (before->ready && !s->m.ready && before->ready_at)
		total->ready_ms += (uint64_t)(sv->now - before->ready_at);
	if (restarted)
		total->restarts[reason_of((enum cause)s->m.cause)]++;
	if (failed) {
		total->failures++;
		if (!total->failed_at)
			total->failed_at = sv->now;
	}
	if (s->m.ready && !before->ready && total->failed_at) {
		total->recoveries++;
		total->repair_ms += (uint64_t)(sv->now - total->failed_at);
		total->failed_at = 0;
	}
}
