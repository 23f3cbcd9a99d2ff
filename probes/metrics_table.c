#include "probes/metrics_table.h"

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

/* Nothing is known of either without cgroups. */
static int64_t log_dropped(const struct metrics *m, const struct board_service *s, unsigned i)
{
	(void)m;
	(void)i;
	return (int64_t)s->log_dropped;
}

static int64_t oom_kills(const struct metrics *m, const struct board_service *s, unsigned i)
{
	(void)i;
	return *m->head->cgroup ? (int64_t)s->total.oom_kills : NO_SAMPLE;
}

static int64_t paused(const struct metrics *m, const struct board_service *s, unsigned i)
{
	(void)i;
	return *m->head->cgroup ? (s->slice & SLICE_PAUSED) != 0 : NO_SAMPLE;
}

/* --- Of a probe ---------------------------------------------------------------------- */

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

static const char *resource_label(unsigned i)
{
	static const char names[][8] = {
	    [PRESSURE_MEMORY] = "memory", [PRESSURE_CPU] = "cpu", [PRESSURE_IO] = "io"};
	_Static_assert(ARRAY_LEN(names) == PRESSURES, "a name for each resource");

	return names[i];
}

static const char *version_label(unsigned i)
{
	(void)i;
	return SINIT_VERSION;
}

static const struct variants by_state = {"state", STATE_COUNT, state_label};
static const struct variants by_event = {"event", EV_KIND_COUNT, event_label};
static const struct variants by_reason = {"reason", RESTART_REASONS, reason_label};
static const struct variants by_result = {"result", 2, result_label};
static const struct variants by_resource = {"resource", PRESSURES, resource_label};
static const struct variants by_version = {"version", 1, version_label};

#define SINIT(name, type, help, variants, unit, get)                                               \
	{                                                                                          \
		name, help, variants, {.sinit = get}, type, unit, OF_SINIT, 0, 0, 0                \
	}
#define SINIT_FIELD(name, help, variants, field)                                                   \
	{                                                                                          \
		name, help, variants, {NULL}, COUNTER, UNIT_ONE, OF_SINIT, 0, 0,                   \
		    offsetof(struct board_header, field)                                           \
	}
#define SERVICE(name, type, help, variants, unit, get)                                             \
	{                                                                                          \
		"service_" name, help, variants, {.service = get}, type, unit, OF_SERVICE, 0, 0, 0 \
	}
#define SERVICE_FIELD(name, help, variants, field)                                                 \
	{                                                                                          \
		"service_" name, help, variants, {NULL}, COUNTER, UNIT_ONE, OF_SERVICE, 0, 0,      \
		    offsetof(struct board_service, field)                                          \
	}
#define PROBE(name, type, help, variants, get)                                                     \
	{                                                                                          \
		"probe_" name, help, variants, {.probe = get}, type, UNIT_ONE, OF_PROBE, 0, 0, 0   \
	}

#define READING(name, type, help, variants, unit, part, field)                                     \
	{                                                                                          \
		"service_" name, help, variants, {NULL}, type, unit, OF_READING, part,             \
		    sizeof(((struct board_reading *)NULL)->field),                                 \
		    offsetof(struct board_reading, field)                                          \
	}

const struct family metrics_families[] = {
    SINIT("info", GAUGE, "The version of sinit.", &by_version, UNIT_ONE, one),
    SINIT("up", GAUGE, "Whether PID 1 answers.", NULL, UNIT_ONE, alive),
    SINIT("start_time_seconds", GAUGE, "When sinit was started, since 1970.", NULL, UNIT_MS,
	start_time),
    SINIT("uptime_seconds", GAUGE, "How long sinit has been running.", NULL, UNIT_MS, uptime),
    SINIT("services", GAUGE, "Services that are configured.", NULL, UNIT_ONE, services),
    SINIT_FIELD("orphans_reaped_total", "Processes reaped that were no service's.", NULL, orphans),
    SINIT_FIELD("events_total", "Events so far.", &by_event, kind_count),
    SINIT_FIELD("reloads_total", "Configurations taken over.", NULL, reloads),
    SINIT_FIELD("reload_errors_total", "Configurations refused.", NULL, reload_errors),
    SINIT_FIELD(
	"requests_refused_total", "Lines of the control FIFO that were refused.", NULL, refused),
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
    SERVICE_FIELD("starts_total", "Lives so far.", NULL, starts),
    SERVICE_FIELD("exits_total", "Ends of the main process.", NULL, exits),
    SERVICE_FIELD("restarts_total", "Restarts, by what they were for.", &by_reason, total.restarts),
    SERVICE_FIELD("failures_total", "Ends that were failures.", NULL, total.failures),
    SERVICE_FIELD("recoveries_total", "How often it was ready again after a failure.", NULL,
	total.recoveries),
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
    READING("memory_bytes", GAUGE, "Memory in use, with the page cache.", NULL, UNIT_ONE,
	READING_MEMORY, memory_current),
    READING("memory_peak_bytes", GAUGE, "The most memory that was in use since its slice was made.",
	NULL, UNIT_ONE, READING_PEAK, memory_peak),
    READING("memory_limit_bytes", GAUGE, "memory_max.", NULL, UNIT_ONE, READING_MEMORY, memory_max),
    READING("swap_bytes", GAUGE, "Swap in use.", NULL, UNIT_ONE, READING_SWAP, swap_current),
    READING("cpu_seconds_total", COUNTER, "CPU time used since its slice was made.", NULL, UNIT_US,
	READING_CPU, cpu_usage),
    READING("cpu_throttled_seconds_total", COUNTER, "Time in which cpu_max held it back.", NULL,
	UNIT_US, READING_THROTTLED, cpu_throttled),
    READING("pids", GAUGE, "Processes and threads.", NULL, UNIT_ONE, READING_PIDS, pids_current),
    READING("pids_limit", GAUGE, "pids_max.", NULL, UNIT_ONE, READING_PIDS, pids_max),
    READING("io_read_bytes_total", COUNTER,
	"Bytes read from block devices since its slice was made.", NULL, UNIT_ONE, READING_IO,
	io_read),
    READING("io_written_bytes_total", COUNTER,
	"Bytes written to block devices since its slice was made.", NULL, UNIT_ONE, READING_IO,
	io_written),
    READING("pressure_ratio", GAUGE,
	"Share of the last 10 s in which some process waited for the resource.", &by_resource,
	UNIT_PERCENT_100, READING_PRESSURE, pressure[0]),
    READING("stalled_seconds_total", COUNTER, "Time in which some process waited for the resource.",
	&by_resource, UNIT_US, READING_PRESSURE, stalled[0]),
    SERVICE("log_dropped_lines_total", COUNTER, "Lines of its output that could not be written.",
	NULL, UNIT_ONE, log_dropped),
    SERVICE("oom_kills_total", COUNTER, "Processes that the kernel killed for want of memory.",
	NULL, UNIT_ONE, oom_kills),
    SERVICE("paused", GAUGE, "Whether sinitctl pause has frozen it.", NULL, UNIT_ONE, paused),
    PROBE("passing", GAUGE, "Whether the probe's verdict is good.", NULL, passing),
    PROBE("failing", GAUGE, "Whether the probe's verdict is bad.", NULL, failing),
    PROBE("checks_total", COUNTER, "Checks made, by result.", &by_result, checks),
    PROBE("timeouts_total", COUNTER, "Checks that took too long.", NULL, timeouts),
    PROBE("duration_seconds", HISTOGRAM, "How long checks took.", NULL, NULL),
    {NULL, NULL, NULL, {NULL}, 0, 0, 0, 0, 0, 0},
};
