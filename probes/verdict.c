#include "probes/verdict.h"

#include "init/board.h"

void verdict_init(struct verdict *verdict, uint8_t health)
{
	*verdict = (struct verdict){.health = health};
	if (health != HEALTH_PASSING && health != HEALTH_FAILING)
		verdict->health = HEALTH_UNKNOWN;
}

bool verdict_step(struct verdict *verdict, bool passed, uint32_t failures, uint32_t successes)
{
	uint8_t health = passed ? HEALTH_PASSING : HEALTH_FAILING;

	if (verdict->passed != passed)
		verdict->run = 0;
	verdict->passed = passed;
	if (verdict->run < UINT32_MAX)
		verdict->run++;
	if (verdict->health == health || verdict->run < (passed ? successes : failures))
		return false;
	verdict->health = health;
	return true;
}
