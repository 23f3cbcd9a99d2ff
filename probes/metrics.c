#include "probes/metrics.h"

#include "init/format.h"
#include "init/render.h"
#include "probes/metrics_table.h"

#include <string.h>

static const char type_names[][10] = {
    [COUNTER] = "counter", [GAUGE] = "gauge", [HISTOGRAM] = "histogram"};

/* --- Labels and values ------------------------------------------------------------- */

/* A label's value: backslash, quote and line feed are escaped. */
static void add_label(struct text *text, const char *name, const char *value)
{
	text_add(text, name);
	text_add(text, "=\"");
	for (;;) {
		size_t plain = strcspn(value, "\\\"\n");
		text_add_bytes(text, value, plain);
		value += plain;
		if (!*value)
			break;
		text_add_bytes(text, (char[]){'\\', *value == '\n' ? 'n' : *value}, 2);
		value++;
	}
	text_add(text, "\"");
}

/* Prometheus counts in seconds, and in shares of one. */
static void add_value(struct text *text, int64_t value, enum unit unit)
{
	static const uint32_t scales[] = {
	    [UNIT_ONE] = 1, [UNIT_MS] = 1000, [UNIT_US] = 1000000, [UNIT_PERCENT_100] = 10000};
	uint64_t scale = scales[unit];
	char fraction[8] = ".";

	if (scale == 1 || value < 0) {
		format_number(text, scale == 1 ? value : 0);
		return;
	}
	uint64_t rest = (uint64_t)value % scale;
	format_number(text, (int64_t)((uint64_t)value / scale));
	size_t digits = 1;
	for (scale /= 10; scale && rest; scale /= 10) {
		fraction[digits++] = (char)('0' + rest / scale);
		rest %= scale;
	}
	if (digits > 1)
		text_add_bytes(text, fraction, digits);
}

bool metrics_document(unsigned row, struct metrics_doc *ret)
{
	const struct family *family = &metrics_families[row];

	*ret = (struct metrics_doc){family->name, type_names[family->type], family->help};
	return family->name;
}

/* --- Writing --------------------------------------------------------------------------- */

struct writer {
	struct text *text;
	const struct metrics *metrics;
	const struct family *family;
	bool begun; /* HELP and TYPE are written: not for a family without samples */
};

static void begin(struct writer *w)
{
	const struct family *family = w->family;

	if (w->begun)
		return;
	w->begun = true;
	text_add(w->text, "# HELP sinit_");
	text_add(w->text, family->name);
	text_add(w->text, " ");
	text_add(w->text, family->help);
	text_add(w->text, "\n# TYPE sinit_");
	text_add(w->text, family->name);
	text_add(w->text, " ");
	text_add(w->text, type_names[family->type]);
	text_add(w->text, "\n");
}

/* sinit_NAME{service="...",probe="...",LABEL="VALUE"}, each where there is one. */
static void begin_sample(struct writer *w, const char *suffix, const struct board_service *s,
    const char *probe, const char *label, const char *value)
{
	const struct {
		const char *name, *value;
	} labels[] = {{"service", s ? s->name : NULL}, {"probe", probe}, {label, value}};
	const char *mark = "{";

	begin(w);
	text_add(w->text, "sinit_");
	text_add(w->text, w->family->name);
	text_add(w->text, suffix);
	for (size_t i = 0; i < ARRAY_LEN(labels); i++) {
		if (!labels[i].value)
			continue;
		text_add(w->text, mark);
		add_label(w->text, labels[i].name, labels[i].value);
		mark = ",";
	}
	text_add(w->text, *mark == ',' ? "} " : " ");
}

static void sample(
    struct writer *w, const struct board_service *s, const char *probe, unsigned i, int64_t value)
{
	const struct variants *variants = w->family->variants;

	if (value == NO_SAMPLE)
		return;
	begin_sample(w, "", s, probe, variants ? variants->label : NULL,
	    variants ? variants->name(i) : NULL);
	add_value(w->text, value, (enum unit)w->family->unit);
	text_add(w->text, "\n");
}

static void bucket(struct writer *w, const struct board_service *s, const char *probe,
    const char *edge, uint64_t count)
{
	begin_sample(w, "_bucket", s, probe, "le", edge);
	format_number(w->text, (int64_t)count);
	text_add(w->text, "\n");
}

/* Each number is read once: _count has to be what the last bucket says. */
static void put_histogram(struct writer *w, const struct board_service *s, const char *probe,
    const struct probe_stats *stats)
{
	static const uint32_t edges[] = {PROBE_BUCKET_EDGES};
	char buffer[24];
	struct text edge;
	uint64_t count = 0;
	_Static_assert(ARRAY_LEN(edges) == PROBE_BUCKETS, "an edge for each bucket");

	for (unsigned i = 0; i < PROBE_BUCKETS; i++) {
		text_init(&edge, buffer, sizeof(buffer));
		add_value(&edge, edges[i], UNIT_US);
		count += stats->bucket[i];
		bucket(w, s, probe, buffer, count);
	}
	count += stats->bucket[PROBE_BUCKETS];
	bucket(w, s, probe, "+Inf", count);
	begin_sample(w, "_sum", s, probe, NULL, NULL);
	add_value(w->text, (int64_t)stats->latency_sum, UNIT_US);
	text_add(w->text, "\n");
	begin_sample(w, "_count", s, probe, NULL, NULL);
	format_number(w->text, (int64_t)count);
	text_add(w->text, "\n");
}

static const struct probe_stats *stats_of(
    const struct metrics *m, uint32_t slot, unsigned role, uint32_t generation)
{
	size_t check = (size_t)slot * PROBE_ROLES + role;

	if (!m->stats || check >= m->stats_count || m->stats[check].generation != generation)
		return NULL;
	return &m->stats[check];
}

static void put_probes(struct writer *w, uint32_t slot, unsigned variants)
{
	const struct board_service *s = &w->metrics->services[slot];

	for (unsigned role = 0; role < PROBE_ROLES; role++) {
		struct probe probe = {&s->probe[role], stats_of(w->metrics, slot, role, s->used)};
		const char *name = render_role((enum probe_role)role);
		if (probe.verdict->health == HEALTH_NONE)
			continue;
		for (unsigned i = 0; w->family->get.probe && i < variants; i++)
			sample(w, s, name, i, w->family->get.probe(&probe, i));
		if (!w->family->get.probe && probe.stats)
			put_histogram(w, s, name, probe.stats);
	}
}

static int64_t of_sinit(const struct family *family, const struct metrics *m, unsigned i)
{
	const char *field = (const char *)m->head + family->field;

	return family->get.sinit ? family->get.sinit(m, i)
				 : (int64_t)((const _Atomic uint64_t *)(const void *)field)[i];
}

static int64_t of_service(
    const struct family *family, const struct metrics *m, const struct board_service *s, unsigned i)
{
	const char *field = (const char *)s + family->field;

	return family->get.service ? family->get.service(m, s, i)
				   : ((const uint32_t *)(const void *)field)[i];
}

static int64_t of_reading(
    const struct family *family, const struct board_reading *reading, unsigned i)
{
	const char *field = (const char *)reading + family->field + i * family->size;
	uint64_t wide;
	uint32_t narrow;

	if (!(reading->have & family->part))
		return NO_SAMPLE;
	if (family->size == sizeof(narrow)) {
		memcpy(&narrow, field, sizeof(narrow));
		return narrow == UINT32_MAX ? NO_SAMPLE : narrow;
	}
	memcpy(&wide, field, sizeof(wide));
	return wide == UINT64_MAX ? NO_SAMPLE : (int64_t)wide;
}

static void put_service(struct writer *w, uint32_t slot, unsigned variants)
{
	const struct family *family = w->family;
	const struct metrics *m = w->metrics;
	const struct board_service *s = &m->services[slot];
	bool measured = m->readings && s->slice & SLICE_MEASURED;

	if (family->scope == OF_PROBE)
		put_probes(w, slot, variants);
	for (unsigned i = 0; family->scope == OF_SERVICE && i < variants; i++)
		sample(w, s, NULL, i, of_service(family, m, s, i));
	for (unsigned i = 0; family->scope == OF_READING && measured && i < variants; i++)
		sample(w, s, NULL, i, of_reading(family, &m->readings[slot], i));
}

static void put_family(struct writer *w)
{
	const struct family *family = w->family;
	const struct metrics *m = w->metrics;
	unsigned variants = family->variants ? family->variants->count : 1;

	if (family->scope == OF_SINIT) {
		for (unsigned i = 0; i < variants; i++)
			sample(w, NULL, NULL, i, of_sinit(family, m, i));
		return;
	}
	for (uint32_t slot = 0; slot < m->count; slot++)
		if (m->services[slot].used)
			put_service(w, slot, variants);
}

void metrics_render(struct text *text, const struct metrics *metrics)
{
	for (const struct family *family = metrics_families; family->name; family++) {
		struct writer writer = {.text = text, .metrics = metrics, .family = family};
		put_family(&writer);
	}
}
