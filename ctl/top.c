#include "ctl/top.h"

#include "init/format.h"

#include <stdlib.h>
#include <string.h>

enum column {
	COL_NAME,
	COL_STATE,
	COL_PID,
	COL_CPU,
	COL_MEMORY,
	COL_LIMIT,
	COL_PIDS,
	COL_RESTARTS,
	COL_PRESSURE,
	COL_HEALTH,
	COL_COUNT
};

enum { BAR = 8 };

static const struct table_column columns[COL_COUNT] = {
    [COL_NAME] = {"NAME", .free = true},
    [COL_STATE] = {"STATE"},
    [COL_PID] = {"PID", .right = true, .drop = 5},
    [COL_CPU] = {"CPU%", .right = true},
    [COL_MEMORY] = {"MEMORY", .right = true},
    [COL_LIMIT] = {"OF LIMIT", .drop = 6},
    [COL_PIDS] = {"PIDS", .right = true, .drop = 4},
    [COL_RESTARTS] = {"RESTARTS", .right = true, .drop = 1},
    [COL_PRESSURE] = {"MEM/CPU/IO WAIT%", .right = true, .drop = 2},
    [COL_HEALTH] = {"HEALTH", .drop = 3},
};

int32_t top_cpu(
    struct top_last *last, const struct board_service *s, const struct board_reading *reading)
{
	bool same = last->used == s->used && last->life == s->m.life;
	int64_t took = reading->time - last->time;
	int32_t cpu = TOP_UNKNOWN;

	if (!(reading->have & READING_CPU))
		return TOP_UNKNOWN;
	if (same && took == 0)
		return last->cpu;
	if (same && took > 0 && reading->cpu_usage >= last->usage) {
		/* 1 us in 1 ms is a tenth of a percent. */
		uint64_t tenths = (reading->cpu_usage - last->usage) / (uint64_t)took;
		cpu = tenths < INT32_MAX ? (int32_t)tenths : INT32_MAX;
	}
	*last = (struct top_last){s->used, s->m.life, reading->time, reading->cpu_usage, cpu};
	return cpu;
}

static int compare(const void *a, const void *b)
{
	const struct top_row *left = a, *right = b;
	uint64_t mine = left->reading.memory_current, other = right->reading.memory_current;

	if (left->cpu != right->cpu)
		return left->cpu < right->cpu ? 1 : -1;
	if (mine != other)
		return mine < other ? 1 : -1;
	return strcmp(left->row->s.name, right->row->s.name);
}

void top_sort(struct top_row *rows, size_t count)
{
	qsort(rows, count, sizeof(*rows), compare);
}

void top_sum(const struct top_row *rows, size_t count, struct top_totals *ret)
{
	*ret = (struct top_totals){.services = (unsigned)count, .cpu = TOP_UNKNOWN};
	for (size_t i = 0; i < count; i++) {
		const struct board_service *s = &rows[i].row->s;

		ret->ready += board_service_ready(s);
		ret->failed += s->m.state == STATE_FAILED || s->m.state == STATE_FATAL;
		ret->memory += rows[i].reading.memory_current;
		ret->pids += rows[i].reading.pids_current;
		if (rows[i].cpu != TOP_UNKNOWN)
			ret->cpu = (ret->cpu == TOP_UNKNOWN ? 0 : ret->cpu) + rows[i].cpu;
	}
}

/* --- Cells --------------------------------------------------------------------------- */

void top_tenths(struct text *text, int64_t tenths, const char *unknown)
{
	if (tenths == TOP_UNKNOWN) {
		text_add(text, unknown);
		return;
	}
	format_number(text, tenths / 10);
	text_add(text, ".");
	format_number(text, tenths % 10);
}

void top_bytes(struct text *text, uint64_t bytes)
{
	static const char units[] = "KMGTPE";
	unsigned shift = 0;

	while (shift < 60 && bytes >> shift >= 1024)
		shift += 10;
	if (!shift) {
		format_number(text, (int64_t)bytes);
		return;
	}
	/* Cut, not rounded, so that 1023.9K does not become 1024.0K. */
	uint64_t rest = (bytes >> (shift - 10)) & 1023;
	top_tenths(text, (int64_t)((bytes >> shift) * 10 + rest * 10 / 1024), "");
	text_add_bytes(text, &units[shift / 10 - 1], 1);
}

/* "[####----] 64.0M" */
static void limit(struct text *text, const struct board_reading *r)
{
	uint64_t most = r->memory_max;

	if (!(r->have & READING_MEMORY) || most == UINT64_MAX) {
		text_add(text, r->have & READING_MEMORY ? "no limit" : "-");
		return;
	}
	/* Both by the same power of two, so that nothing overflows. */
	uint64_t full = (most >> 10) ? (r->memory_current >> 10) * BAR / (most >> 10) : BAR;
	text_add(text, "[");
	for (unsigned i = 0; i < BAR; i++)
		text_add(text, i < full ? "#" : "-");
	text_add(text, "] ");
	top_bytes(text, most);
}

static void pressure(struct text *text, const struct board_reading *r)
{
	if (!(r->have & READING_PRESSURE)) {
		text_add(text, "-");
		return;
	}
	for (unsigned i = 0; i < PRESSURES; i++) {
		text_add(text, i ? " " : "");
		top_tenths(text, r->pressure[i] / 10, "");
	}
}

static void pids(struct text *text, const struct board_reading *r)
{
	if (!(r->have & READING_PIDS)) {
		text_add(text, "-");
		return;
	}
	format_number(text, r->pids_current);
	if (r->pids_max == UINT32_MAX)
		return;
	text_add(text, "/");
	format_number(text, r->pids_max);
}

/* The worst of its probes. */
static const char *health(const struct board_service *s)
{
	static const char names[][8] = {[HEALTH_NONE] = "-",
	    [HEALTH_UNKNOWN] = "unknown",
	    [HEALTH_PASSING] = "passing",
	    [HEALTH_FAILING] = "failing"};
	static const uint8_t order[] = {HEALTH_FAILING, HEALTH_UNKNOWN, HEALTH_PASSING};

	for (size_t i = 0; i < ARRAY_LEN(order); i++)
		for (unsigned role = 0; role < PROBE_ROLES; role++)
			if (s->probe[role].health == order[i])
				return names[order[i]];
	return names[HEALTH_NONE];
}

static void cell(const void *context, size_t number, unsigned column, struct text *text)
{
	const struct top_row *row = (const struct top_row *)context + number;
	const struct board_reading *r = &row->reading;
	const struct board_service *s = &row->row->s;

	switch ((enum column)column) {
	case COL_NAME:
		format_clean(text, s->name);
		break;
	case COL_STATE:
		text_add(text, state_name((enum state)s->m.state));
		text_add(text, s->slice & SLICE_PAUSED ? " (paused)" : "");
		break;
	case COL_PID:
		if (s->pid > 0)
			format_number(text, s->pid);
		else
			text_add(text, "-");
		break;
	case COL_CPU:
		top_tenths(text, row->cpu, "-");
		break;
	case COL_MEMORY:
		if (r->have & READING_MEMORY)
			top_bytes(text, r->memory_current);
		else
			text_add(text, "-");
		break;
	case COL_LIMIT:
		limit(text, r);
		break;
	case COL_PIDS:
		pids(text, r);
		break;
	case COL_RESTARTS:
		format_number(text, s->m.restarts);
		break;
	case COL_PRESSURE:
		pressure(text, r);
		break;
	case COL_HEALTH:
		text_add(text, health(s));
		break;
	case COL_COUNT:
		break;
	}
}

static const struct board_service *service(const void *context, size_t number)
{
	return &((const struct top_row *)context)[number].row->s;
}

void top_source(struct table_source *ret, const struct top_row *rows, size_t count)
{
	*ret = (struct table_source){.columns = columns,
	    .count = COL_COUNT,
	    .service = service,
	    .cell = cell,
	    .context = rows,
	    .rows = count};
}
