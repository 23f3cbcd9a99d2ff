/* PID 1's side of the alerter: its rules, when it is woken, and what it tells. */
#include "init/helper_run.h"

#include "init/log.h"
#include "init/sinit.h"

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
static uint16_t put_list(
    struct rule *rule, const struct image *image, ref at, uint16_t *ret_count)
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

void helpers_alert_rules(struct sinit *sinit)
{
	const struct image *image = sinit->supervisor.set[sinit->supervisor.current].image;
	int channel = sinit->helpers.helper[HELPER_ALERTER].channel;

	for (uint32_t i = 0; i < image->alert_count; i++) {
		const struct alert_settings *alert = image_alert(image, i);
		static struct rule rule;

		rule.used = 1;
		rule.u.head = (struct alerter_rule){.kind = ALERTER_RULE,
		    .number = i,
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
		if (platform_send(channel, &rule.u.head, sizeof(rule.u.head) + rule.used) < 0)
			log_warning(image_string(image, alert->name),
			    "this alert could not be handed to the alerter");
	}
}

void helpers_alert(struct sinit *sinit)
{
	struct helpers *h = &sinit->helpers;
	uint64_t last = atomic_load(&sinit->supervisor.board.head->last_event);
	uint32_t kind = ALERTER_EVENTS;

	if (h->helper[HELPER_ALERTER].channel < 0 || last == h->alert_poked)
		return;
	/* A full channel is no loss: it has not yet looked at what it was told of before. */
	platform_send(h->helper[HELPER_ALERTER].channel, &kind, sizeof(kind));
	h->alert_poked = last;
}

void helpers_alert_sent(struct sinit *sinit, struct alerter_sent *sent)
{
	struct board_event event = {.kind = EV_ALERT, .code = !sent->ok, .blocker = -1};

	_Static_assert(sizeof(sent->service) <= sizeof(event.name), "a service's name fits");
	sent->service[sizeof(sent->service) - 1] = '\0';
	sent->alert[sizeof(sent->alert) - 1] = '\0';
	memcpy(event.name, sent->service, sizeof(sent->service));
	board_event(&sinit->supervisor.board, &event, platform_wall());
	/* Not an event to be told of again. */
	sinit->helpers.alert_poked = atomic_load(&sinit->supervisor.board.head->last_event);
	if (!sent->ok)
		log_warning(NULL, "alert %s about %s could not be delivered", sent->alert, sent->service);
}
