/* Many times, of which the least is wanted: a binary heap. Pure; the array and the alarms
 * belong to the caller. */
#ifndef SINIT_PROBES_ALARMS_H
#define SINIT_PROBES_ALARMS_H

#include <stdint.h>

struct alarm {
	int64_t at;
	uint32_t place; /* in the heap, from 1; 0: not in it */
};

/* With its time, so that to compare them does not touch the alarms, each of which is somewhere
 * else in memory. */
struct alarm_entry {
	int64_t at;
	struct alarm *alarm;
};

struct alarms {
	struct alarm_entry *heap; /* room for one more than the alarms in it: heap[0] is not used */
	uint32_t count;
};

/* Puts *alarm in, or moves it if it is there already. Room must be there. */
void alarms_set(struct alarms *alarms, struct alarm *alarm, int64_t at);

/* Takes *alarm out, if it is in. */
void alarms_remove(struct alarms *alarms, struct alarm *alarm);

/* The least, NULL: there is none. */
struct alarm *alarms_first(const struct alarms *alarms);

#endif
