#include "probes/alarms.h"

#include <stddef.h>

static void put(struct alarms *alarms, struct alarm_entry entry, uint32_t place)
{
	alarms->heap[place] = entry;
	entry.alarm->place = place;
}

/* Puts the entry where it belongs: from the free place up or down, to which others give way. */
static void settle(struct alarms *alarms, struct alarm_entry entry, uint32_t place)
{
	struct alarm_entry *heap = alarms->heap;

	for (; place > 1 && heap[place / 2].at > entry.at; place /= 2)
		put(alarms, heap[place / 2], place);
	for (uint32_t next = place * 2; next <= alarms->count; next = place * 2) {
		if (next < alarms->count && heap[next + 1].at < heap[next].at)
			next++;
		if (heap[next].at >= entry.at)
			break;
		put(alarms, heap[next], place);
		place = next;
	}
	put(alarms, entry, place);
}

void alarms_set(struct alarms *alarms, struct alarm *alarm, int64_t at)
{
	uint32_t place = alarm->place ? alarm->place : ++alarms->count;

	alarm->at = at;
	settle(alarms, (struct alarm_entry){at, alarm}, place);
}

void alarms_remove(struct alarms *alarms, struct alarm *alarm)
{
	uint32_t place = alarm->place;
	struct alarm_entry last;

	if (!place)
		return;
	last = alarms->heap[alarms->count--];
	alarm->place = 0;
	if (last.alarm != alarm)
		settle(alarms, last, place);
}

struct alarm *alarms_first(const struct alarms *alarms)
{
	return alarms->count ? alarms->heap[1].alarm : NULL;
}
