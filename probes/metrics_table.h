/* The families of metrics: the table, and what it is made of. For metrics.c alone. */
#ifndef SINIT_PROBES_METRICS_TABLE_H
#define SINIT_PROBES_METRICS_TABLE_H

#include "probes/metrics.h"

#define NO_SAMPLE INT64_MIN /* a getter has nothing to say */

enum unit { UNIT_ONE, UNIT_MS, UNIT_US, UNIT_PERCENT_100 };

enum family_type { COUNTER, GAUGE, HISTOGRAM };

enum scope { OF_SINIT, OF_SERVICE, OF_PROBE, OF_READING };

/* One probe of one service. */
struct probe {
	const struct board_probe *verdict;
	const struct probe_stats *stats; /* NULL: none, or of the slot's former service */
};

/* A label with several values: a sample for each. */
struct variants {
	const char *label;
	unsigned count;
	const char *(*name)(unsigned i);
};

struct family {
	const char *name; /* after "sinit_" */
	const char *help;
	const struct variants *variants; /* NULL: one sample */
	union {                          /* by `scope`; NULL, and of readings: see `field` */
		int64_t (*sinit)(const struct metrics *m, unsigned i);
		int64_t (*service)(
		    const struct metrics *m, const struct board_service *s, unsigned i);
		int64_t (*probe)(const struct probe *p, unsigned i);
	} get;
	uint8_t type;   /* enum family_type; the histogram has neither getter nor field */
	uint8_t unit;   /* enum unit */
	uint8_t scope;  /* enum scope */
	uint8_t part;   /* OF_READING: enum reading_part */
	uint8_t size;   /* OF_READING: of the field, 4 or 8; all bits set are no sample */
	uint16_t field; /* offset of a counter: of an uint64_t in the board's header, of an
			   uint32_t in a service's record; OF_READING: in a struct
			   board_reading; of the first one, with variants */
};

extern const struct family metrics_families[]; /* the last one's name is NULL */

#endif
