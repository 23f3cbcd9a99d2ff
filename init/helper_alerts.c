/* PID 1's side of the alerter: its rules, when it is woken, and what it tells. */
#include "init/helper_run.h"

#include "init/log.h"
#include "init/sinit.h"
#include "probes/fault.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

struct rule {
	union {
		struct alerter_rule head;
		char room[HELPER_MESSAGE];
	} u;
	size_t used;
};

static uint16_t put(struct rule *rule, const char *string)
{
	const size_t room = sizeof(rule->u) - sizeof(rule->u.head);
	size_t size = string ? strlen(string) + 1 : 0;
	uint16_t place = (uint16_t)rule->used;

	if (!string || rule->used + size > room)
		return 0;
	memcpy(rule->u.head.text + rule->used, string, size);
	rule->used += size;
	return place;
}

/* The first of a list's texts; they stand one after the other. */
static uint16_t put_list(struct rule *rule, const struct image *image, ref at, uint16_t *ret_count)
{
	const struct image_list *list = image_list(image, at);
	uint16_t first = 0;

	*ret_count = 0;
	for (uint32_t i = 0; i < list->count; i++) {
		uint16_t place = put(rule, image_string(image, list->item[i]));

		if (!place)
			break;
		first = first ? first : place;
		++*ret_count;
	}
	return first;
}

/* --- what the alerter is told, one message after the other ----------------------------------- */

static uint64_t last_event(const struct sinit *sinit)
{
	return atomic_load(&sinit->supervisor.board.head->last_event);
}

static int send_number(uint32_t kind, uint64_t event, int channel)
{
	struct alerter_number number = {.kind = kind, .event = event};

	return platform_send(channel, &number, sizeof(number));
}

static int send_rule(const struct image *image, uint32_t number, int channel)
{
	const struct alert_settings *alert = image_alert(image, number);
	static struct rule rule;

	rule.used = 1;
	rule.u.head = (struct alerter_rule){.kind = ALERTER_RULE,
	    .number = number,
	    .events = alert->events,
	    .cooldown = alert->cooldown,
	    .format = alert->format,
	    .port = (uint16_t)alert->target.port};
	rule.u.head.text[0] = '\0';
	if (alert->target.kind == CHECK_HTTP) {
		const char *path = image_string(image, alert->target.path);

		rule.u.head.host = put(&rule, image_string(image, alert->target.host));
		rule.u.head.path = put(&rule, path ? path : "/");
	}
	rule.u.head.file = put(&rule, image_string(image, alert->file));
	rule.u.head.name = put(&rule, image_string(image, alert->name));
	rule.u.head.command = put_list(&rule, image, alert->command, &rule.u.head.words);
	rule.u.head.services = put_list(&rule, image, alert->services, &rule.u.head.patterns);
	rule.u.head.size = (uint16_t)rule.used;
	return platform_send(channel, &rule.u.head, sizeof(rule.u.head) + rule.used);
}

static int send_events(struct sinit *sinit, int channel)
{
	uint64_t last = last_event(sinit);
	int rc = send_number(ALERTER_EVENTS, last, channel);

	if (rc == 0)
		sinit->helpers.alerts.poked = last;
	return rc;
}

static bool has_news(const struct sinit *sinit)
{
	return last_event(sinit) != sinit->helpers.alerts.poked;
}

static bool knows_rules(const struct alerts *alerts)
{
	return alerts->told != ALERTS_END && alerts->told == ALERTS_BEGUN + alerts->rules;
}

/* 1: a message has been sent; 0: there is none to send; -errno. */
static int tell_next(struct sinit *sinit)
{
	struct alerts *alerts = &sinit->helpers.alerts;
	const struct helper *helper = &sinit->helpers.helper[HELPER_ALERTER];
	const struct image *image = sinit->supervisor.set[sinit->supervisor.current].image;
	bool leaving = !helper->wanted || helper->stale;
	uint32_t next = alerts->told + 1;
	int rc;

	if (leaving ? alerts->told == ALERTS_END : knows_rules(alerts) && !has_news(sinit))
		return 0;
	if (leaving) {
		next = ALERTS_END;
		rc = send_number(ALERTER_END, last_event(sinit), helper->channel);
	} else if (alerts->told == ALERTS_NONE) {
		rc = send_number(ALERTER_BEGIN, alerts->seen, helper->channel);
	} else if (!knows_rules(alerts)) {
		rc = send_rule(image, alerts->told - ALERTS_BEGUN, helper->channel);
	} else {
		next = alerts->told;
		rc = send_events(sinit, helper->channel);
	}
	if (rc < 0)
		return rc;
	alerts->told = next;
	return 1;
}

void helpers_alert(struct sinit *sinit)
{
	struct alerts *alerts = &sinit->helpers.alerts;
	int rc = 1;

	if (sinit->helpers.helper[HELPER_ALERTER].channel < 0 || alerts->full)
		return;
	while (rc > 0)
		rc = tell_next(sinit);
	alerts->full = rc == -EAGAIN || rc == -ENOBUFS;
}

void helpers_alert_room(struct sinit *sinit)
{
	sinit->helpers.alerts.full = false;
	helpers_alert(sinit);
}

/* A new alerter: it is told everything, and looks at the events that are there already. */
void helpers_alert_start(struct sinit *sinit)
{
	struct alerts *alerts = &sinit->helpers.alerts;

	alerts->told = ALERTS_NONE;
	alerts->poked = alerts->seen;
	alerts->full = false;
	helpers_alert(sinit);
}

void helpers_alert_configure(struct sinit *sinit, const struct image *image)
{
	struct helper *helper = &sinit->helpers.helper[HELPER_ALERTER];
	struct alerts *alerts = &sinit->helpers.alerts;
	bool wanted = image->alert_count > 0;

	/* What came about so far is for the rules that it has. */
	if (helper->channel >= 0 && !alerts->full && knows_rules(alerts) && has_news(sinit))
		send_events(sinit, helper->channel);
	/* What came about without any alert is for none of the new ones. */
	if (wanted && alerts->absent)
		alerts->seen = last_event(sinit);
	alerts->absent = !wanted;
	alerts->rules = image->alert_count;
	helper->wanted = wanted;
	if (wanted)
		alerts->told = ALERTS_NONE;
}

/* --- what the alerter says -------------------------------------------------------------------- */

void helpers_alert_seen(struct sinit *sinit, uint64_t seen)
{
	struct alerts *alerts = &sinit->helpers.alerts;

	if (seen > alerts->seen && seen <= last_event(sinit))
		alerts->seen = seen;
}

void helpers_alert_sent(struct sinit *sinit, struct alerter_sent *sent)
{
	struct board_event event = {
	    .kind = EV_ALERT, .fault = sent->fault, .detail = sent->detail, .blocker = -1};
	struct alerts *alerts = &sinit->helpers.alerts;
	bool all_told = !has_news(sinit);
	char buffer[256];
	struct text why;

	_Static_assert(sizeof(sent->service) <= sizeof(event.name), "a service's name fits");
	sent->service[sizeof(sent->service) - 1] = '\0';
	sent->alert[sizeof(sent->alert) - 1] = '\0';
	sent->where[sizeof(sent->where) - 1] = '\0';
	memcpy(event.name, sent->service, sizeof(sent->service));
	memcpy(event.alert, sent->alert, sizeof(sent->alert));
	board_event(&sinit->supervisor.board, &event, platform_wall());
	helpers_alert_seen(sinit, sent->seen);
	/* Not an event to be told of again. */
	if (all_told)
		alerts->poked = last_event(sinit);
	if (sent->fault == FAULT_NONE)
		return;
	text_init(&why, buffer, sizeof(buffer));
	fault_sentence(&why, sent->fault, sent->detail, "");
	log_warning(sent->service, "alert %s could not be delivered: %s: %s", sent->alert,
	    sent->where, why.data);
}
