#include "probes/schedule.h"

enum { PHASE = 1000 }; /* ms */

int64_t schedule_first(int64_t now, uint32_t delay, uint32_t interval, uint32_t seed)
{
	uint32_t range = interval > PHASE ? PHASE : interval;

	return now + delay + (range ? seed % range : 0);
}

int64_t schedule_next(int64_t due, uint32_t interval, int64_t now)
{
	int64_t step = interval ? interval : 1;
	int64_t missed = now > due ? (now - due) / step : 0;

	return due + (missed ? missed : 1) * step;
}
