/* What PID 1 sends as a rule, and an alert in words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "probes/alert_text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- rules -------------------------------------------------------------------------- */

static union {
	struct alerter_rule rule;
	char bytes[512];
} message;

#define TEXTS "\0ops\0h.example\0/p\0/dir\0curl\0-x\0\0a*\0b"
enum { NAME = 1, HOST = 5, PATH = 15, DIRECTORY = 18, COMMAND = 23, SERVICES = 32 };

static size_t good(void)
{
	memset(&message, 0, sizeof(message));
	message.rule = (struct alerter_rule){.kind = ALERTER_RULE,
	    .events = 127,
	    .port = 80,
	    .host = HOST,
	    .path = PATH,
	    .file = DIRECTORY,
	    .name = NAME,
	    .command = COMMAND,
	    .words = 3, /* the last one is empty */
	    .services = SERVICES,
	    .patterns = 2,
	    .size = sizeof(TEXTS)};
	memcpy(message.rule.text, TEXTS, sizeof(TEXTS));
	return sizeof(message.rule) + sizeof(TEXTS);
}

static void test_rule(void **state)
{
	(void)state;
	size_t size = good();
	assert_int_equal(alert_rule_check(&message.rule, size), 0);
	const char *word = alert_rule_text(&message.rule, message.rule.command);
	assert_string_equal(word, "curl");
	word = alert_rule_next(word);
	assert_string_equal(word, "-x");
	assert_string_equal(alert_rule_next(word), "");
	assert_string_equal(alert_rule_text(&message.rule, 0), "");
	for (size_t other = 0; other < sizeof(message); other++)
		if (other != size)
			assert_int_equal(alert_rule_check(&message.rule, other), -EINVAL);
	/* Each way alone is enough. */
	message.rule.host = message.rule.file = 0;
	assert_int_equal(alert_rule_check(&message.rule, size), 0);
	message.rule.command = message.rule.words = 0;
	assert_int_equal(alert_rule_check(&message.rule, size), -EINVAL);
	message.rule.file = DIRECTORY;
	message.rule.services = message.rule.patterns = 0;
	assert_int_equal(alert_rule_check(&message.rule, size), 0);
}

static void test_bad_rules(void **state)
{
	(void)state;
#define BAD(change)                                                                                \
	{                                                                                          \
		size_t size = good();                                                              \
		struct alerter_rule *r = &message.rule;                                            \
		change;                                                                            \
		assert_int_equal(alert_rule_check(&message.rule, size), -EINVAL);                  \
	}
	BAD(r->kind = ALERTER_SENT)
	BAD(r->number = ALERT_RULES)
	BAD(r->events = 256)
	BAD(r->format = 2)
	BAD(r->port = 0)
	BAD(r->path = 0)
	BAD(r->path = NAME)
	BAD(r->name = 0)
	BAD(r->file = NAME)
	BAD(r->command = 0)
	BAD(r->words = 0)
	BAD(r->words = 6)
	BAD(r->patterns = 3)
	BAD(r->patterns = 65535)
	BAD(r->services = 0)
	BAD(r->services = sizeof(TEXTS))
	BAD(r->host = 65535)
	BAD(r->size++)
	BAD(r->size = 0)
	BAD(r->text[sizeof(TEXTS) - 1] = 'x')
	BAD(r->text[HOST] = '\0')
	BAD(r->text[HOST + 1] = ' ')
	BAD(r->text[PATH + 1] = '\r')
	BAD(r->text[NAME + 1] = '\n')
	BAD(r->text[COMMAND] = '\0')
}

/* --- words -------------------------------------------------------------------------- */

static const struct alert example = {
    .kind = ALERT_FATAL,
    .time = 1714564800123456789,
    .suppressed = 3,
    .service = "web@1",
    .message = "exited \"3\"",
    .host = "h1",
    .rule = "ops",
};

static char buffer[ALERT_REQUEST];

static struct text fresh(void)
{
	struct text text;

	text_init(&text, buffer, sizeof(buffer));
	return text;
}

static void test_json(void **state)
{
	struct text text = fresh();

	(void)state;
	alert_json(&text, &example);
	assert_string_equal(text.data,
	    "{\"severity\":\"critical\",\"timestamp\":\"2024-05-01T12:00:00.123Z\",\"event\":"
	    "\"fatal\","
	    "\"service\":\"web@1\",\"summary\":\"web@1 on h1 is down and stays down: exited "
	    "\\\"3\\\"; 3 "
	    "more like this since the last alert\",\"message\":\"exited \\\"3\\\"\","
	    "\"requires_attention\":true,\"suppressed\":3,\"missed\":0,\"dropped\":0,\"host\":"
	    "\"h1\","
	    "\"alert\":\"ops\"}\n");
}

static void test_kinds(void **state)
{
	static const char *const words[] = {"restart warning", "fatal critical", "failed critical",
	    "recovered info", "unhealthy warning", "oom warning", "memory warning",
	    "critical-down critical"};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(words); i++) {
		struct text text = fresh();
		enum alert_kind kind = (enum alert_kind)(1u << i);
		text_addf(&text, "%s %s", alert_kind_name(kind), alert_severity(kind));
		assert_string_equal(text.data, words[i]);
	}
}

static void test_file_name(void **state)
{
	struct text text = fresh();
	struct alert old = example;

	(void)state;
	alert_file_name(&text, &example, 1);
	assert_string_equal(text.data, "20240501T120000.123Z-web@1-fatal.json");
	text = fresh();
	alert_file_name(&text, &example, 12);
	assert_string_equal(text.data, "20240501T120000.123Z-web@1-fatal-12.json");
	text = fresh();
	old.time = -1;
	alert_file_name(&text, &old, 1);
	assert_string_equal(text.data, "19000100T000000.000Z-web@1-fatal.json");
}

static void test_request(void **state)
{
	struct text text = fresh();

	(void)state;
	good();
	message.rule.format = ALERT_NTFY;
	alert_request(&text, &example, &message.rule);
	assert_string_equal(text.data,
	    "POST /p HTTP/1.1\r\nHost: h.example\r\nUser-Agent: sinit\r\nConnection: close\r\n"
	    "Title: web@1: fatal\r\nPriority: 5\r\nTags: rotating_light,fatal\r\n"
	    "Content-Type: text/plain\r\nContent-Length: 85\r\n\r\n"
	    "web@1 on h1 is down and stays down: exited \"3\"; 3 more like this since the last "
	    "alert");
	message.rule.format = ALERT_JSON;
	message.rule.port = 8080;
	memcpy(message.rule.text + HOST, "::1", 4);
	text = fresh();
	alert_request(&text, &example, &message.rule);
	assert_non_null(strstr(text.data, "\r\nHost: [::1]:8080\r\n"));
	assert_non_null(strstr(text.data, "\r\nContent-Type: application/json\r\n"));
	const char *body = strstr(text.data, "\r\n\r\n{");
	assert_non_null(body);
	assert_int_equal(strlen(body + 4), atoi(strstr(text.data, "Content-Length: ") + 16));
}

/* The longest of everything, and all of it to be escaped. */
static void test_longest(void **state)
{
	char long_message[ALERT_MESSAGE], name[RESPONDER_NAME], host[65];
	struct alert alert = {.kind = ALERT_CRITICAL_DOWN,
	    .time = INT64_MAX,
	    .suppressed = UINT32_MAX,
	    .missed = UINT32_MAX,
	    .dropped = UINT32_MAX,
	    .service = name,
	    .message = long_message,
	    .host = host,
	    .rule = name};
	struct text text = fresh();

	(void)state;
	memset(long_message, '\x01', sizeof(long_message));
	memset(name, 'n', sizeof(name)); /* no name has anything to be escaped */
	memset(host, '\x01', sizeof(host));
	long_message[sizeof(long_message) - 1] = name[sizeof(name) - 1] = host[sizeof(host) - 1] =
	    '\0';
	text.size = ALERT_TEXT;
	alert_json(&text, &alert);
	assert_false(text.cut);
	assert_string_equal(text.data + text.used - 2, "}\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rule),
	    cmocka_unit_test(test_bad_rules),
	    cmocka_unit_test(test_json),
	    cmocka_unit_test(test_kinds),
	    cmocka_unit_test(test_file_name),
	    cmocka_unit_test(test_request),
	    cmocka_unit_test(test_longest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
