#include "probes/alert_rule.h"

#include "init/base.h"
#include "init/schema.h"

#include <errno.h>
#include <string.h>

enum { ALL_KINDS = 2 * ALERT_CRITICAL_DOWN - 1 };

const char *alert_rule_text(const struct alerter_rule *rule, uint16_t offset)
{
	return offset ? rule->text + offset : "";
}

const char *alert_rule_next(const char *text)
{
	return text + strlen(text) + 1;
}

/* Are there `count` texts from `offset` on? The last byte of all is NUL. */
static bool good_list(const struct alerter_rule *rule, uint16_t offset, uint16_t count)
{
	const char *at = rule->text + offset, *end = rule->text + rule->size;

	if (!offset)
		return count == 0;
	for (; count > 0 && at < end; count--)
		at = alert_rule_next(at);
	return count == 0;
}

static bool good_texts(const struct alerter_rule *rule)
{
	const char *name = alert_rule_text(rule, rule->name);
	const char *host = alert_rule_text(rule, rule->host);
	const char *path = alert_rule_text(rule, rule->path);

	if (!*name || strlen(name) >= RESPONDER_NAME || !is_one_word(name))
		return false;
	if (rule->host &&
	    (!*host || !is_one_word(host) || !rule->port || *path != '/' || !is_one_word(path)))
		return false;
	if (rule->file && *alert_rule_text(rule, rule->file) != '/')
		return false;
	if (rule->command && (!*alert_rule_text(rule, rule->command) || !rule->words))
		return false;
	return rule->host || rule->file || rule->command;
}

int alert_rule_check(const struct alerter_rule *rule, size_t size)
{
	if (size <= sizeof(*rule) || rule->kind != ALERTER_RULE || rule->size < 1 ||
	    rule->size != size - sizeof(*rule) || rule->text[rule->size - 1] != '\0')
		return -EINVAL;
	if (rule->number >= ALERT_RULES || rule->events & ~(uint32_t)ALL_KINDS ||
	    rule->format > ALERT_NTFY || rule->words > ALERT_WORDS)
		return -EINVAL;
	const uint16_t offsets[] = {
	    rule->host, rule->path, rule->file, rule->name, rule->command, rule->services};
	for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++)
		if (offsets[i] >= rule->size)
			return -EINVAL;
	if (!good_list(rule, rule->command, rule->words) ||
	    !good_list(rule, rule->services, rule->patterns) || !good_texts(rule))
		return -EINVAL;
	return 0;
}
