#include "probes/metrics.h"

#include "init/format.h"
#include "init/render.h"

#include <string.h>

#define NO_SAMPLE INT64_MIN /* a getter has nothing to say */

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

enum unit { UNIT_ONE, UNIT_MS, UNIT_US };

/* Prometheus counts in seconds. */
static void add_value(struct text *text, int64_t value, enum unit unit)
{
	uint64_t scale = unit == UNIT_MS ? 1000 : unit == UNIT_US ? 1000000 : 1;
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

/* --- sinit's own ------------------------------------------------------------------- */

static int64_t one(const struct metrics *m, unsigned i)
{
	(void)m;
	(void)i;
	return 1;
}

static int64_t alive(const struct metrics *m, unsigned i)
{
	(void)i;
	return m->alive;
}

static int64_t start_time(const struct metrics *m, unsigned i)
{
	(void)i;
	return m->head->started_wall / 1000000;
}

static int64_t uptime(const struct metrics *m, unsigned i)
{
	(void)i;
	return m->now - m->head->started;
}

static int64_t services(const struct metrics *m, unsigned i)
{
	int64_t count = 0;
	(void)i;

	for (uint32_t slot = 0; slot < m->count; slot++)
		count += m->services[slot].used != 0;
	return count;
}

static int64_t orphans(const struct metrics *m, unsigned i)
{
	(void)i;
	return (int64_t)m->head->orphans;
}

static int64_t events(const struct metrics *m, unsigned i)
{
	return (int64_t)m->head->kind_count[i];
}

static int64_t reloads(const struct metrics *m, unsigned i)
{
	(void)i;
	return (int64_t)m->head->reloads;
}

static int64_t reload_errors(const struct metrics *m, unsigned i)
{
	(void)i;
	return (int64_t)m->head->reload_errors;
}

static int64_t refused(const struct metrics *m, unsigned i)
{
	(void)i;
	return (int64_t)m->head->refused;
}

static int64_t resident(const struct metrics *m, unsigned i)
{
	(void)i;
	return m->pong ? (int64_t)m->pong->resident_kib * 1024 : NO_SAMPLE;
}

static int64_t open_files(const struct metrics *m, unsigned i)
{
	(void)i;
	return m->pong ? (int64_t)m->pong->open_files : NO_SAMPLE;
}

static int64_t loop_lag(const struct metrics *m, unsigned i)
{
	(void)i;
	return m->pong ? (int64_t)m->pong->loop_lag_us : NO_SAMPLE;
}

static int64_t turns(const struct metrics *m, unsigned i)
{
	(void)i;
	return m->pong ? (int64_t)m->pong->turns : NO_SAMPLE;
}

/* --- Of a service ------------------------------------------------------------------- */

static bool is_up(const struct board_service *s)
{
	return s->m.main_alive && s->m.started;
}

static int64_t in_state(const struct metrics *m, const struct board_service *s, unsigned i)
{
	(void)m;
	return s->m.state == i;
}

static int64_t up(const struct metrics *m, const struct board_service *s, unsigned i)
{
	(void)m;
	(void)i;
	return is_up(s);
}

static int64_t ready(const struct metrics *m, const struct board_service *s, unsigned i)
{
	(void)m;
	(void)i;
	return board_service_ready(s);
}

static int64_t enabled(const struct metrics *m, const struct board_service *s, unsigned i)
{
	(void)m;
	(void)i;
	return s->enabled != 0;
}

static int64_t service_start(const struct metrics *m, const struct board_service *s, unsigned i)
{
	(void)i;
	return is_up(s) ? m->head->started_wall / 1000000 + s->m.started - m->head->started
			: NO_SAMPLE;
}

static int64_t service_uptime(const struct metrics *m, const struct board_service *s, unsigned i)
{
	(void)i;
	return is_up(s) ? m->now - s->m.started : 0;
}

static int64_t starts(const struct metrics *m, const struct board_service *s, unsigned i)
{
	(void)m;
	(void)i;
	return s->starts;
}

static int64_t exits(const struct metrics *m, const struct board_service *s, unsigned i)
{
	(void)m;
	(void)i;
	return s->exits;
}

static int64_t restarts(const struct metrics *m, const struct board_service *s, unsigned i)
{
	(void)m;
	return s->total.restarts[i];
}

static int64_t failures(const struct metrics *m, const struct board_service *s, unsigned i)
{
	(void)m;
	(void)i;
	return s->total.failures;
}

static int64_t recoveries(const struct metrics *m, const struct board_service *s, unsigned i)
{
	(void)m;
	(void)i;
	return s->total.recoveries;
}

/* With the present time of being ready, which the board does not count yet. */
static int64_t ready_time(const struct metrics *m, const struct board_service *s, unsigned i)
{
	(void)i;
	int64_t present = s->ready_at && m->now > s->ready_at ? m->now - s->ready_at : 0;
	return (int64_t)s->total.ready_ms + present;
}

static int64_t mtbf(const struct metrics *m, const struct board_service *s, unsigned i)
{
	return s->total.failures ? ready_time(m, s, i) / s->total.failures : NO_SAMPLE;
}

static int64_t mttr(const struct metrics *m, const struct board_service *s, unsigned i)
{
	(void)m;
	(void)i;
	return s->total.recoveries ? (int64_t)s->total.repair_ms / s->total.recoveries : NO_SAMPLE;
}

static int64_t backoff(const struct metrics *m, const struct board_service *s, unsigned i)
{
	(void)m;
	(void)i;
	return s->m.state == STATE_BACKOFF ? s->m.delay : 0;
}

/* One of code and signal is 0, so that a rule can be written about either. */
static int64_t exit_code(const struct metrics *m, const struct board_service *s, unsigned i)
{
	(void)m;
	(void)i;
	return s->m.exit_kind == LAST_EXITED   ? s->m.exit_code
	       : s->m.exit_kind == LAST_KILLED ? 0
					       : NO_SAMPLE;
}

static int64_t exit_signal(const struct metrics *m, const struct board_service *s, unsigned i)
{
	(void)m;
	(void)i;
	return s->m.exit_kind == LAST_KILLED   ? s->m.exit_code
	       : s->m.exit_kind == LAST_EXITED ? 0
					       : NO_SAMPLE;
}

static int64_t exit_time(const struct metrics *m, const struct board_service *s, unsigned i)
{
	(void)m;
	(void)i;
	return s->exit_time ? s->exit_time / 1000000 : NO_SAMPLE;
}

/* --- Of a probe ---------------------------------------------------------------------- */

/* One probe of one service. */
struct probe {
	const struct board_probe *verdict;
	const struct probe_stats *stats; /* NULL: none, or of the slot's former service */
};

static int64_t passing(const struct probe *p, unsigned i)
{
	(void)i;
	return p->verdict->health == HEALTH_PASSING;
}

static int64_t failing(const struct probe *p, unsigned i)
{
	(void)i;
	return p->verdict->health == HEALTH_FAILING;
}

static int64_t checks(const struct probe *p, unsigned i)
{
	return !p->stats ? NO_SAMPLE : (int64_t)(i ? p->stats->failed : p->stats->passed);
}

static int64_t timeouts(const struct probe *p, unsigned i)
{
	(void)i;
	return p->stats ? (int64_t)p->stats->timeouts : NO_SAMPLE;
}

/* --- The table ------------------------------------------------------------------------ */

static const char *state_label(unsigned i)
{
	return state_name((enum state)i);
}

static const char *event_label(unsigned i)
{
	return event_kind_name((enum event_kind)i);
}

static const char *reason_label(unsigned i)
{
	static const char names[][10] = {[RESTARTED_EXIT] = "exit",
	    [RESTARTED_SPAWN] = "spawn",
	    [RESTARTED_STARTUP] = "startup",
	    [RESTARTED_LIVENESS] = "liveness",
	    [RESTARTED_OOM] = "oom",
	    [RESTARTED_ASKED] = "asked"};
	_Static_assert(ARRAY_LEN(names) == RESTART_REASONS, "a name for each reason");

	return names[i];
}

static const char *result_label(unsigned i)
{
	return i ? "failed" : "passed";
}

static const char *version_label(unsigned i)
{
	(void)i;
	return SINIT_VERSION;
}

/* A label with several values: a sample for each. */
struct variants {
	const char *label;
	unsigned count;
	const char *(*name)(unsigned i);
};

static const struct variants by_state = {"state", STATE_COUNT, state_label};
static const struct variants by_event = {"event", EV_KIND_COUNT, event_label};
static const struct variants by_reason = {"reason", RESTART_REASONS, reason_label};
static const struct variants by_result = {"result", 2, result_label};
static const struct variants by_version = {"version", 1, version_label};

enum type { COUNTER, GAUGE, HISTOGRAM };

static const char type_names[][10] = {
    [COUNTER] = "counter", [GAUGE] = "gauge", [HISTOGRAM] = "histogram"};

enum scope { OF_SINIT, OF_SERVICE, OF_PROBE };

/* One row for each family. The histogram has no getter. */
static const struct family {
	const char *name; /* after "sinit_" */
	const char *help;
	const struct variants *variants; /* NULL: one sample */
	union {                          /* by `scope` */
		int64_t (*sinit)(const struct metrics *m, unsigned i);
		int64_t (*service)(
		    const struct metrics *m, const struct board_service *s, unsigned i);
		int64_t (*probe)(const struct probe *p, unsigned i);
	} get;
	uint8_t type;  /* enum type */
	uint8_t unit;  /* enum unit */
	uint8_t scope; /* enum scope */
} families[] = {
#define SINIT(name, type, help, variants, unit, get)                                               \
	{                                                                                          \
		name, help, variants, {.sinit = get}, type, unit, OF_SINIT                         \
	}
#define SERVICE(name, type, help, variants, unit, get)                                             \
	{                                                                                          \
		"service_" name, help, variants, {.service = get}, type, unit, OF_SERVICE          \
	}
#define PROBE(name, type, help, variants, get)                                                     \
	{                                                                                          \
		"probe_" name, help, variants, {.probe = get}, type, UNIT_ONE, OF_PROBE            \
	}
    SINIT("info", GAUGE, "The version of sinit.", &by_version, UNIT_ONE, one),
    SINIT("up", GAUGE, "Whether PID 1 answers.", NULL, UNIT_ONE, alive),
    SINIT("start_time_seconds", GAUGE, "When sinit was started, since 1970.", NULL, UNIT_MS,
	start_time),
    SINIT("uptime_seconds", GAUGE, "How long sinit has been running.", NULL, UNIT_MS, uptime),
    SINIT("services", GAUGE, "Services that are configured.", NULL, UNIT_ONE, services),
    SINIT("orphans_reaped_total", COUNTER, "Processes reaped that were no service's.", NULL,
	UNIT_ONE, orphans),
    SINIT("events_total", COUNTER, "Events so far.", &by_event, UNIT_ONE, events),
    SINIT("reloads_total", COUNTER, "Configurations taken over.", NULL, UNIT_ONE, reloads),
    SINIT("reload_errors_total", COUNTER, "Configurations refused.", NULL, UNIT_ONE, reload_errors),
    SINIT("requests_refused_total", COUNTER, "Lines of the control FIFO that were refused.", NULL,
	UNIT_ONE, refused),
    SINIT("resident_memory_bytes", GAUGE, "Memory of PID 1.", NULL, UNIT_ONE, resident),
    SINIT("open_fds", GAUGE, "Descriptors of PID 1.", NULL, UNIT_ONE, open_files),
    SINIT("loop_lag_seconds", GAUGE, "The longest turn of PID 1's loop between the last two looks.",
	NULL, UNIT_US, loop_lag),
    SINIT("loop_turns_total", COUNTER, "Turns of PID 1's loop.", NULL, UNIT_ONE, turns),
    SERVICE(
	"state", GAUGE, "1 for the state that the service is in.", &by_state, UNIT_ONE, in_state),
    SERVICE("up", GAUGE, "Whether its main process lives.", NULL, UNIT_ONE, up),
    SERVICE("ready", GAUGE, "Whether it is ready.", NULL, UNIT_ONE, ready),
    SERVICE("enabled", GAUGE, "Whether it is started by itself.", NULL, UNIT_ONE, enabled),
    SERVICE("start_time_seconds", GAUGE, "When this life began, since 1970.", NULL, UNIT_MS,
	service_start),
    SERVICE("uptime_seconds", GAUGE, "How long this life has lasted, 0 without one.", NULL, UNIT_MS,
	service_uptime),
    SERVICE("starts_total", COUNTER, "Lives so far.", NULL, UNIT_ONE, starts),
    SERVICE("exits_total", COUNTER, "Ends of the main process.", NULL, UNIT_ONE, exits),
    SERVICE("restarts_total", COUNTER, "Restarts, by what they were for.", &by_reason, UNIT_ONE,
	restarts),
    SERVICE("failures_total", COUNTER, "Ends that were failures.", NULL, UNIT_ONE, failures),
    SERVICE("recoveries_total", COUNTER, "How often it was ready again after a failure.", NULL,
	UNIT_ONE, recoveries),
    SERVICE(
	"ready_seconds_total", COUNTER, "Time in which it was ready.", NULL, UNIT_MS, ready_time),
    SERVICE("mtbf_seconds", GAUGE, "Mean time between failures.", NULL, UNIT_MS, mtbf),
    SERVICE("mttr_seconds", GAUGE, "Mean time to recovery.", NULL, UNIT_MS, mttr),
    SERVICE("backoff_seconds", GAUGE, "The delay that it waits before its next start, or 0.", NULL,
	UNIT_MS, backoff),
    SERVICE("last_exit_code", GAUGE, "Exit code of its last end, 0 if a signal was it.", NULL,
	UNIT_ONE, exit_code),
    SERVICE("last_exit_signal", GAUGE, "Signal of its last end, 0 if it exited.", NULL, UNIT_ONE,
	exit_signal),
    SERVICE("last_exit_time_seconds", GAUGE, "When it last ended, since 1970.", NULL, UNIT_MS,
	exit_time),
    PROBE("passing", GAUGE, "Whether the probe's verdict is good.", NULL, passing),
    PROBE("failing", GAUGE, "Whether the probe's verdict is bad.", NULL, failing),
    PROBE("checks_total", COUNTER, "Checks made, by result.", &by_result, checks),
    PROBE("timeouts_total", COUNTER, "Checks that took too long.", NULL, timeouts),
    PROBE("duration_seconds", HISTOGRAM, "How long checks took.", NULL, NULL),
#undef SINIT
#undef SERVICE
#undef PROBE
};

bool metrics_document(unsigned row, struct metrics_doc *ret)
{
	if (row >= ARRAY_LEN(families))
		return false;
	*ret = (struct metrics_doc){
	    families[row].name, type_names[families[row].type], families[row].help};
	return true;
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

static void put_family(struct writer *w)
{
	const struct family *family = w->family;
	const struct metrics *m = w->metrics;
	unsigned variants = family->variants ? family->variants->count : 1;

	if (family->scope == OF_SINIT) {
		for (unsigned i = 0; i < variants; i++)
			sample(w, NULL, NULL, i, family->get.sinit(m, i));
		return;
	}
	for (uint32_t slot = 0; slot < m->count; slot++) {
		const struct board_service *s = &m->services[slot];
		if (!s->used)
			continue;
		if (family->scope == OF_PROBE)
			put_probes(w, slot, variants);
		for (unsigned i = 0; family->scope == OF_SERVICE && i < variants; i++)
			sample(w, s, NULL, i, family->get.service(m, s, i));
	}
}

void metrics_render(struct text *text, const struct metrics *metrics)
{
	for (size_t i = 0; i < ARRAY_LEN(families); i++) {
		struct writer writer = {.text = text, .metrics = metrics, .family = &families[i]};
		put_family(&writer);
	}
}
