#include "init/format.h"
#include "init/render.h"

/* A number behind its key, or null. */
static void amount(struct text *text, const char *key, bool there, uint64_t value)
{
	text_add(text, key);
	if (there)
		format_number(text, (int64_t)value);
	else
		text_add(text, "null");
}

/* A number with so many decimals, which `scale` says: 100 or 1000000. */
static void fraction(struct text *text, const char *key, bool there, uint64_t value, uint64_t scale)
{
	uint64_t rest = value % scale;

	amount(text, key, there, value / scale);
	if (!there)
		return;
	text_add(text, ".");
	for (scale /= 10; scale > 1 && rest < scale; scale /= 10)
		text_add(text, "0");
	format_number(text, (int64_t)rest);
}

static void pressures(struct text *text, const struct board_reading *r)
{
	static const char *const names[PRESSURES] = {[PRESSURE_MEMORY] = "\"memory\":",
	    [PRESSURE_CPU] = ",\"cpu\":",
	    [PRESSURE_IO] = ",\"io\":"};
	bool there = r->have & READING_PRESSURE;

	for (unsigned i = 0; i < PRESSURES; i++) {
		text_add(text, names[i]);
		fraction(text, "{\"avg10\":", there, r->pressure[i], 100);
		fraction(text, ",\"stalled_seconds\":", there, r->stalled[i], 1000000);
		text_add(text, "}");
	}
}

void render_resources(struct text *text, const struct board_reading *r, int64_t now)
{
	bool memory = r->have & READING_MEMORY;
	bool pids = r->have & READING_PIDS;
	bool io = r->have & READING_IO;

	text_add(text, "{\"measured_seconds_ago\":");
	format_seconds(text, now - r->time);
	amount(text, ",\"memory\":{\"current\":", memory, r->memory_current);
	amount(text, ",\"peak\":", r->have & READING_PEAK, r->memory_peak);
	amount(text, ",\"max\":", memory && r->memory_max != UINT64_MAX, r->memory_max);
	amount(text, ",\"swap\":", r->have & READING_SWAP, r->swap_current);
	fraction(
	    text, "},\"cpu\":{\"usage_seconds\":", r->have & READING_CPU, r->cpu_usage, 1000000);
	fraction(text, ",\"throttled_seconds\":", r->have & READING_THROTTLED, r->cpu_throttled,
	    1000000);
	amount(text, "},\"pids\":{\"current\":", pids, r->pids_current);
	amount(text, ",\"max\":", pids && r->pids_max != UINT32_MAX, r->pids_max);
	amount(text, "},\"io\":{\"read_bytes\":", io, r->io_read);
	amount(text, ",\"written_bytes\":", io, r->io_written);
	text_add(text, "},\"pressure\":{");
	pressures(text, r);
	text_add(text, "}}");
}

void render_slice(struct text *text, const char *cgroup, const struct board_service *s)
{
	text_add(text, cgroup);
	text_add(text, "/");
	text_add(text, s->name);
	text_add(text, ".service");
}
