/* A rule as PID 1 sends it: whatever passes can be used without looking again. */
#include "init/base.h"
#include "probes/alert_text.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
	if (!condition)
		abort();
}

/* Reads each text to its end, which is where the sanitizer would see one too long. */
static size_t walk(const struct alerter_rule *rule, uint16_t offset, unsigned count)
{
	const char *text = alert_rule_text(rule, offset);
	size_t sum = 0;

	for (; count > 0; count--, text = alert_rule_next(text))
		sum += strlen(text);
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char buffer[ALERT_REQUEST];
	struct alert alert = {.kind = ALERT_OOM, .service = "web", .message = "m", .host = "h"};
	struct text text;

	if (size > HELPER_MESSAGE)
		return 0;
	struct alerter_rule *rule = malloc(size ? size : 1);
	check(rule != NULL);
	memcpy(rule, data, size);
	if (alert_rule_check(rule, size) == 0) {
		check(walk(rule, rule->command, rule->words) < size);
		check(walk(rule, rule->services, rule->patterns) < size);
		check(walk(rule, rule->file, 1) < size);
		alert.rule = alert_rule_text(rule, rule->name);
		check(*alert.rule && strlen(alert.rule) < RESPONDER_NAME);
		text_init(&text, buffer, sizeof(buffer));
		alert_request(&text, &alert, rule);
		check(!text.cut);
	}
	free(rule);
	return 0;
}
