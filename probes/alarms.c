#include "probes/alarms.h"

#include <stddef.h>

static void put(struct alarms *alarms, struct alarm *alarm, uint32_t place)
{
	alarms->heap[place] = alarm;
	alarm->place = place;
}

/* Both move *alarm from a free place to where it belongs. */
static void rise(struct alarms *alarms, struct alarm *alarm, uint32_t place)
{
	for (; place > 1 && alarms->heap[place / 2]->at > alarm->at; place /= 2)
		put(alarms, alarms->heap[place / 2], place);
	put(alarms, alarm, place);
}

static void sink(struct alarms *alarms, struct alarm *alarm, uint32_t place)
{
	for (uint32_t next = place * 2; next <= alarms->count; next = place * 2) {
		if (next < alarms->count && alarms->heap[next + 1]->at < alarms->heap[next]->at)
			next++;
		if (alarms->heap[next]->at >= alarm->at)
			break;
		put(alarms, alarms->heap[next], place);
		place = next;
	}
	put(alarms, alarm, place);
}

void alarms_set(struct alarms *alarms, struct alarm *alarm, int64_t at)
{
	uint32_t place = alarm->place ? alarm->place : ++alarms->count;

	alarm->at = at;
	rise(alarms, alarm, place);
	sink(alarms, alarm, alarm->place);
}

void alarms_remove(struct alarms *alarms, struct alarm *alarm)
{
	uint32_t place = alarm->place;
	struct alarm *last;

	if (!place)
		return;
	last = alarms->heap[alarms->count--];
	alarm->place = 0;
	if (last == alarm)
		return;
	rise(alarms, last, place);
	sink(alarms, last, last->place);
}

struct alarm *alarms_first(const struct alarms *alarms)
{
	return alarms->count ? alarms->heap[1] : NULL;
}
