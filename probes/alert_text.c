#include "probes/alert_text.h"

#include <string.h>
#include <time.h>

enum severity { INFO, WARNING, CRITICAL };

static const struct {
	enum alert_kind kind;
	enum severity severity;
	bool attention; /* nobody mends it unless somebody does */
	char name[16];
	char does[28]; /* after "redis on web1 " */
} kinds[] = {
    {ALERT_RESTART, WARNING, false, "restart", "was restarted"},
    {ALERT_FATAL, CRITICAL, true, "fatal", "is down and stays down"},
    {ALERT_FAILED, CRITICAL, true, "failed", "is down and stays down"},
    {ALERT_RECOVERED, INFO, false, "recovered", "is well again"},
    {ALERT_UNHEALTHY, WARNING, false, "unhealthy", "is not healthy"},
    {ALERT_OOM, WARNING, false, "oom", "ran out of memory"},
    {ALERT_MEMORY, WARNING, false, "memory", "is short of memory"},
    {ALERT_CRITICAL_DOWN, CRITICAL, true, "critical-down", "is critical and stays down"},
};

/* `priority` and `tag` are ntfy's: docs.ntfy.sh/publish. */
static const struct {
	char name[12];
	char priority;
	char tag[20];
} severities[] = {
    [INFO] = {"info", '3', "white_check_mark"},
    [WARNING] = {"warning", '4', "warning"},
    [CRITICAL] = {"critical", '5', "rotating_light"},
};

static size_t row(enum alert_kind kind)
{
	size_t i = 0;

	while (i < ARRAY_LEN(kinds) - 1 && kinds[i].kind != kind)
		i++;
	return i;
}

const char *alert_kind_name(enum alert_kind kind)
{
	return kinds[row(kind)].name;
}

const char *alert_severity(enum alert_kind kind)
{
	return severities[kinds[row(kind)].severity].name;
}

/* `separate`: RFC 3339, else ISO 8601's basic form, which any file system takes. */
static void add_time(struct text *text, int64_t ns, bool separate)
{
	time_t seconds = (time_t)(ns / 1000000000);
	struct tm tm;

	if (ns < 0 || !gmtime_r(&seconds, &tm))
		memset(&tm, 0, sizeof(tm));
	text_addf(text,
	    separate ? "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ" : "%04d%02d%02dT%02d%02d%02d.%03dZ",
	    tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
	    ns < 0 ? 0 : (int)(ns / 1000000 % 1000));
}

static void add_count(struct text *text, uint32_t count, const char *what)
{
	if (count)
		text_addf(text, "; %u %s", count, what);
}

void alert_summary(struct text *text, const struct alert *alert)
{
	text_addf(text, "%s on %s %s: %s", alert->service, alert->host,
	    kinds[row(alert->kind)].does, alert->message);
	add_count(text, alert->suppressed, "more like this since the last alert");
	add_count(text, alert->missed, "events went by unseen");
	add_count(text, alert->dropped, "alerts could not be sent");
}

static void add_member(struct text *text, const char *name, const char *value)
{
	text_addf(text, ",\"%s\":", name);
	text_json(text, value);
}

void alert_json(struct text *text, const struct alert *alert)
{
	size_t i = row(alert->kind);
	char buffer[2 * ALERT_MESSAGE];
	struct text summary;

	text_init(&summary, buffer, sizeof(buffer));
	alert_summary(&summary, alert);
	text_addf(text, "{\"severity\":\"%s\",\"timestamp\":\"", alert_severity(alert->kind));
	add_time(text, alert->time, true);
	text_addf(text, "\",\"event\":\"%s\"", kinds[i].name);
	add_member(text, "service", alert->service);
	add_member(text, "summary", summary.data);
	add_member(text, "message", alert->message);
	text_addf(text, ",\"requires_attention\":%s,\"suppressed\":%u,\"missed\":%u,\"dropped\":%u",
	    kinds[i].attention ? "true" : "false", alert->suppressed, alert->missed,
	    alert->dropped);
	add_member(text, "host", alert->host);
	add_member(text, "alert", alert->rule);
	text_add(text, "}\n");
}

static void add_ntfy(struct text *head, struct text *body, const struct alert *alert)
{
	size_t i = row(alert->kind);
	enum severity severity = kinds[i].severity;

	text_addf(head,
	    "Title: %s: %s\r\nPriority: %c\r\nTags: %s,%s\r\nContent-Type: text/plain\r\n",
	    alert->service, kinds[i].name, severities[severity].priority, severities[severity].tag,
	    kinds[i].name);
	alert_summary(body, alert);
}

void alert_request(struct text *text, const struct alert *alert, const struct alerter_rule *rule)
{
	const char *host = alert_rule_text(rule, rule->host);
	bool brackets = strchr(host, ':') != NULL; /* an IPv6 address */
	char buffer[ALERT_TEXT];
	struct text body;

	text_init(&body, buffer, sizeof(buffer));
	text_addf(text, "POST %s HTTP/1.1\r\nHost: %s%s%s", alert_rule_text(rule, rule->path),
	    brackets ? "[" : "", host, brackets ? "]" : "");
	if (rule->port != 80)
		text_addf(text, ":%u", (unsigned)rule->port);
	text_add(text, "\r\nUser-Agent: sinit\r\nConnection: close\r\n");
	if (rule->format == ALERT_NTFY) {
		add_ntfy(text, &body, alert);
	} else {
		text_add(text, "Content-Type: application/json\r\n");
		alert_json(&body, alert);
	}
	text_addf(text, "Content-Length: %zu\r\n\r\n", body.used);
	text_add(text, body.data);
}

void alert_file_name(struct text *text, const struct alert *alert, unsigned attempt)
{
	add_time(text, alert->time, false);
	text_addf(text, "-%s-%s", alert->service, alert_kind_name(alert->kind));
	if (attempt > 1)
		text_addf(text, "-%u", attempt);
	text_add(text, ".json");
}
