#include "probes/stats.h"

/* There is one writer, so no locked instruction is needed. */
static void add(_Atomic uint64_t *number, uint64_t more)
{
	uint64_t value = atomic_load_explicit(number, memory_order_relaxed);

	atomic_store_explicit(number, value + more, memory_order_relaxed);
}

void stats_count(struct probe_stats *stats, enum check_kind kind, enum probe_fault fault,
    int32_t detail, uint64_t us, int64_t now)
{
	static const uint32_t edges[PROBE_BUCKETS] = {PROBE_BUCKET_EDGES};
	unsigned bucket = 0;

	stats->fault = (uint8_t)fault;
	stats->kind = (uint8_t)kind;
	stats->detail = detail;
	stats->last_time = now;
	if (fault == FAULT_INTERNAL)
		return;
	while (bucket < PROBE_BUCKETS && us > edges[bucket])
		bucket++;
	stats->last_latency = us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
	add(&stats->latency_sum, us);
	add(&stats->bucket[bucket], 1);
	add(fault == FAULT_NONE ? &stats->passed : &stats->failed, 1);
	add(&stats->timeouts, fault == FAULT_TIMEOUT);
}
