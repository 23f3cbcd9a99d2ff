#include "ctl/outcome.h"

#include "init/schema.h"

/* The first life that the request can have made. */
static uint32_t first_life(const struct outcome *outcome)
{
	bool up = outcome->state == STATE_STARTING || outcome->state == STATE_RUNNING ||
		  outcome->state == STATE_DONE;

	return outcome->goal == GOAL_START && up ? outcome->life : outcome->life + 1;
}

/* Was the last stop the service's own failure, and not somebody's wish? */
static bool own_failure(enum cause cause)
{
	switch (cause) {
	case CAUSE_EXIT:
	case CAUSE_START_TIMEOUT:
	case CAUSE_PRE_START:
	case CAUSE_SPAWN:
	case CAUSE_STARTUP:
	case CAUSE_LIVENESS:
	case CAUSE_OOM:
		return true;
	case CAUSE_NONE:
	case CAUSE_OPERATOR:
	case CAUSE_RESTART:
	case CAUSE_RELOAD:
	case CAUSE_SHUTDOWN:
	case CAUSE_DEPENDENCY:
	case CAUSE_RESTART_WITH:
	case CAUSE_RESOURCES: /* the system's, and sinit tries again soon */
	case CAUSE_CONFIG:
	case CAUSE_REMOVED:
		return false;
	}
	return false;
}

bool outcome_died(const struct outcome *outcome, const struct board_service *s)
{
	return (outcome->goal == GOAL_START || outcome->goal == GOAL_RESTART) &&
	       s->m.life > first_life(outcome) && own_failure((enum cause)s->m.cause);
}

/* Ready, and not only because nobody has looked yet. */
static bool settled_ready(const struct board_service *s, int64_t now)
{
	bool tells = s->type != TYPE_SIMPLE || s->probe[PROBE_STARTUP].health != HEALTH_NONE ||
		     s->probe[PROBE_READINESS].health != HEALTH_NONE;

	return s->m.ready && (tells || now - s->m.started >= OUTCOME_SETTLE);
}

static enum verdict judge_start(
    const struct outcome *outcome, const struct board_service *s, int64_t now)
{
	const struct machine *m = &s->m;
	bool new_life = m->life >= first_life(outcome);

	if (outcome_died(outcome, s))
		return OUTCOME_MISSED;
	switch ((enum state)m->state) {
	case STATE_RUNNING:
	case STATE_DONE:
		return new_life && settled_ready(s, now) ? OUTCOME_REACHED : OUTCOME_PENDING;
	case STATE_FAILED:
	case STATE_FATAL:
		return OUTCOME_MISSED;
	case STATE_STOPPED:
		return new_life || m->want == WANT_DOWN ? OUTCOME_MISSED : OUTCOME_PENDING;
	case STATE_BACKOFF:
		return new_life && m->cause != CAUSE_RESOURCES ? OUTCOME_MISSED : OUTCOME_PENDING;
	case STATE_WAITING: /* only an operator can end a wait for what is stopped */
		return s->held ? OUTCOME_MISSED : OUTCOME_PENDING;
	case STATE_STARTING:
	case STATE_STOPPING:
	case STATE_CLEANUP:
		break;
	}
	return OUTCOME_PENDING;
}

enum verdict outcome_judge(
    const struct outcome *outcome, const struct board_service *s, int64_t now)
{
	const struct machine *m = &s->m;
	bool down = machine_settled(m) && !machine_active(m);

	switch (outcome->goal) {
	case GOAL_START:
	case GOAL_RESTART:
		return judge_start(outcome, s, now);
	case GOAL_STOP: /* a later life: it was down, and somebody has started it since */
		return down || m->life > outcome->life ? OUTCOME_REACHED : OUTCOME_PENDING;
	case GOAL_STOPPED:
		return down ? OUTCOME_REACHED : OUTCOME_PENDING;
	case GOAL_READY:
		if (m->ready)
			return OUTCOME_REACHED;
		return down && (m->state != STATE_STOPPED || m->want == WANT_UP) ? OUTCOME_MISSED
										 : OUTCOME_PENDING;
	}
	return OUTCOME_PENDING;
}
