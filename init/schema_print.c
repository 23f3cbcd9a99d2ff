/* What people read out of the table: values, expectations, the defaults, the manual. */
#include "init/base.h"
#include "init/image.h"
#include "init/schema.h"
#include "init/value.h"
#include "init/words.h"
#include "probes/check.h"
#include "reaper/signals.h"

#include <inttypes.h>
#include <string.h>

/* A line of the output, the longest documentation line included. */
enum { LINE_SIZE = 512 };

/* "a, b or c": the words of this version. */
static void print_words(struct text *text, const struct schema_key *key)
{
	unsigned count = 0;
	char word[32];

	for (unsigned i = 0; schema_word_supported(key, i); i++)
		count++;
	for (unsigned i = 0; i < count; i++) {
		struct text one;
		text_init(&one, word, sizeof(word));
		schema_word(key, i, &one);
		if (i)
			text_add(text, i + 1 == count ? " or " : ", ");
		text_add(text, strcmp(word, "/") == 0 ? "an absolute path" : word);
	}
}

static void print_number(struct text *text, const struct schema_key *key, uint32_t value)
{
	if (key->kind == KIND_DURATION)
		value_print_duration(text, value);
	else if (key->kind == KIND_SIZE)
		value_print_size(text, value);
	else if (key->kind == KIND_FACTOR)
		value_print_factor(text, value);
	else if (key->kind == KIND_OCTAL)
		text_addf(text, "%03" PRIo32, value);
	else
		text_addf(text, "%" PRId32, (int32_t)value);
	if (key->kind == KIND_PERCENT)
		text_add(text, "%");
}

/* " from A to B", where that says anything. */
static void print_range(struct text *text, const struct schema_key *key)
{
	if (key->kind == KIND_DURATION && !key->least)
		return;
	bool open = key->kind == KIND_DURATION || key->kind == KIND_SIZE;
	text_add(text, open ? ", at least " : " from ");
	print_number(text, key, (uint32_t)key->least);
	if (key->kind == KIND_SIZE)
		text_add(text, " and less than 4G, or max");
	if (!open) {
		text_add(text, " to ");
		print_number(text, key, key->most);
	}
}

static const char *kind_expected(enum schema_kind kind)
{
	switch (kind) {
	case KIND_TEXT:
		return "text";
	case KIND_PATH:
		return "an absolute path";
	case KIND_WARN:
		return "a percentage of memory_max such as 80%, or a size such as 64M";
	case KIND_CHECK:
		return check_forms;
	case KIND_URL:
		return "http://HOST[:PORT]/PATH";
	case KIND_FORWARD:
		return "udp://HOST[:PORT] or tcp://HOST[:PORT]";
	case KIND_HEADERS:
		return "Name: value";
	case KIND_LISTEN:
		return "ADDRESS:PORT, [IPV6]:PORT, :PORT, or the absolute path of a socket";
	case KIND_PATTERNS:
		return "names of services or shell patterns, separated by blanks";
	case KIND_AWAITED:
		return "absolute paths and names of interfaces, separated by blanks";
	case KIND_ADDRESSES:
		return "ADDRESS/PREFIX such as 192.168.1.2/24 or 2001:db8::2/64";
	case KIND_GATEWAYS:
		return "one address of IPv4, one of IPv6, or both";
	case KIND_RANGES:
		return "up to 8 status codes and ranges such as 200-399, separated by blanks";
	case KIND_ACCOUNT:
		return "a name or a number";
	case KIND_ACCOUNTS:
		return "names or numbers, separated by blanks";
	case KIND_COMMAND:
		return "a command";
	case KIND_ENVIRONMENT:
		return "NAME=VALUE, quoted if it has blanks";
	case KIND_PATHS:
		return "absolute paths, each with a - before it if it may be missing";
	case KIND_NAMES:
		return "names of services, separated by blanks";
	case KIND_CODES:
		return "exit codes";
	case KIND_LIMIT:
		return "SOFT or SOFT:HARD, each a number such as 1024 or 64M, or unlimited";
	case KIND_BOOL:
		return "yes or no";
	case KIND_COUNT:
	case KIND_INT:
		return "a number";
	case KIND_OCTAL:
		return "an octal number";
	case KIND_PERCENT:
		return "a percentage";
	case KIND_FACTOR:
		return "a number such as 2 or 1.5";
	case KIND_DURATION:
		return "a duration such as 250ms, 10s, 5m or 1h";
	case KIND_SIZE:
		return "a size such as 512K or 10M";
	case KIND_SIGNAL:
		return "a signal such as TERM, RTMIN+3 or 15";
	case KIND_CGROUP:
	case KIND_WORD:
	case KIND_ENUM:
	case KIND_MASK:
	case KIND_LATER:
		break;
	}
	return "";
}

void schema_expected(const struct schema_key *key, struct text *text)
{
	if (key->kind != KIND_LATER && schema_word_count(key)) {
		print_words(text, key);
		if (key->kind == KIND_MASK)
			text_add(text, ", separated by blanks");
		return;
	}
	if (key->kind == KIND_CGROUP)
		text_add(text, cgroup_limit_expected(schema_limit(key)));
	text_add(text, kind_expected((enum schema_kind)key->kind));
	if (key->kind != KIND_LATER && key->kind != KIND_RANGES && key->most)
		print_range(text, key);
	if (key->flags & KEY_UNLIMITED)
		text_add(text, ", or unlimited");
}

static void print_list(
    struct text *text, const struct image *image, const struct schema_key *key, ref at)
{
	const struct image_list *list = image_list(image, at);

	for (uint32_t i = 0; i < list->count; i++) {
		if (i)
			text_add(text, " ");
		if (key->kind == KIND_NAMES)
			text_add(text, image_name(image, list->item[i]));
		else if (key->kind == KIND_CODES)
			text_addf(text, "%" PRIu32, list->item[i]);
		else
			words_quote(text, image_string(image, list->item[i]));
	}
}

/* Each a line of its own in a file. */
static void print_headers(struct text *text, const struct image *image, ref at)
{
	const struct image_list *list = image_list(image, at);

	for (uint32_t i = 0; i < list->count; i++) {
		text_add(text, i ? ", " : "");
		text_add(text, image_string(image, list->item[i]));
	}
}

static void print_ranges(struct text *text, const struct image *image, ref at)
{
	const struct image_list *list = image_list(image, at);

	for (uint32_t i = 0; i < list->count; i++) {
		uint32_t least = IMAGE_RANGE_LEAST(list->item[i]);
		uint32_t most = IMAGE_RANGE_MOST(list->item[i]);
		text_addf(text, "%s%" PRIu32, i ? " " : "", least);
		if (most != least)
			text_addf(text, "-%" PRIu32, most);
	}
}

static void print_mask(struct text *text, const struct schema_key *key, uint32_t mask)
{
	unsigned words = schema_word_count(key) - 1;

	if (mask == schema_mask_all(key)) {
		schema_word(key, words, text);
		return;
	}
	for (unsigned i = 0; i < words; i++) {
		if (!(mask >> i & 1))
			continue;
		if (mask & ((1u << i) - 1))
			text_add(text, " ");
		schema_word(key, i, text);
	}
}

static void print_limit(struct text *text, const struct image_limit *limit)
{
	if (!limit)
		return;
	value_print_size(text, limit->soft);
	if (limit->hard != limit->soft) {
		text_add(text, ":");
		value_print_size(text, limit->hard);
	}
}

void schema_print_value(struct text *text, const struct image *image, const struct schema_key *key,
    const void *settings)
{
	char signal[SIGNAL_NAME_SIZE];
	uint32_t value;

	if (key->kind == KIND_LATER)
		return;
	memcpy(&value, (const char *)settings + key->offset, sizeof(value));
	switch ((enum schema_kind)key->kind) {
	case KIND_TEXT:
	case KIND_PATH:
	case KIND_WORD:
	case KIND_CGROUP:
	case KIND_WARN:
	case KIND_CHECK:
	case KIND_URL:
	case KIND_FORWARD:
	case KIND_ACCOUNT:
		if (value)
			text_add(text, image_string(image, value));
		break;
	case KIND_COMMAND:
	case KIND_ENVIRONMENT:
	case KIND_PATHS:
	case KIND_ACCOUNTS:
	case KIND_LISTEN:
	case KIND_PATTERNS:
	case KIND_AWAITED:
	case KIND_ADDRESSES:
	case KIND_GATEWAYS:
	case KIND_NAMES:
	case KIND_CODES:
		print_list(text, image, key, value);
		break;
	case KIND_HEADERS:
		print_headers(text, image, value);
		break;
	case KIND_RANGES:
		print_ranges(text, image, value);
		break;
	case KIND_LIMIT:
		print_limit(
		    text, image_limit(image, settings, schema_index(key) - KEY_SERVICE_limit_cpu));
		break;
	case KIND_BOOL:
		text_add(text, value ? "yes" : "no");
		break;
	case KIND_ENUM:
		schema_word(key, value, text);
		break;
	case KIND_MASK:
		print_mask(text, key, value);
		break;
	case KIND_SIGNAL:
		/* Without SIG, as the defaults and most people write it. */
		text_add(text,
		    signal_name((int)value, signal) + (strncmp(signal, "SIG", 3) == 0 ? 3 : 0));
		break;
	case KIND_INT:
		if ((int32_t)value != SETTING_UNSET_INT)
			print_number(text, key, value);
		break;
	case KIND_DURATION:
		if (!value && !*schema_default(key))
			break;
		/* fall through */
	case KIND_COUNT:
	case KIND_OCTAL:
	case KIND_PERCENT:
	case KIND_FACTOR:
	case KIND_SIZE:
		if (value != UINT32_MAX)
			print_number(text, key, value);
		else if (key->kind == KIND_SIZE)
			text_add(text, "max");
		else if (key->flags & KEY_UNLIMITED)
			text_add(text, "unlimited");
		break;
	case KIND_LATER:
		break;
	}
}

static const struct {
	char title[52];  /* how its headers look */
	char header[20]; /* in a file of defaults: those with a name can only be an example */
} sections[SECTION_COUNT] = {
    [SECTION_SINIT] = {"[sinit]", "[sinit]"},
    [SECTION_SERVICE] = {"[service NAME] or [defaults]", "[defaults]"},
    [SECTION_PROBE] = {"[startup NAME], [liveness NAME] or [readiness NAME]", ";[readiness NAME]"},
    [SECTION_HTTP] = {"[http]", "[http]"},
    [SECTION_ALERT] = {"[alert NAME]", ";[alert NAME]"},
    [SECTION_NET] = {"[net INTERFACE]", ";[net INTERFACE]"},
    [SECTION_SYSLOG] = {"[syslog]", "[syslog]"},
};

const char *schema_section_title(enum schema_section section)
{
	return sections[section].title;
}

void schema_write_defaults(schema_write *write, void *context)
{
	char line[LINE_SIZE];
	int section = -1;

	write(context,
	    "# Every key of sinit with its default. The keys of [defaults] may also stand\n"
	    "# in a [service NAME], where they count for that service alone; those of\n"
	    "# [readiness NAME] also in a [startup NAME] and a [liveness NAME].\n");
	for (unsigned i = 0; i < schema_count(); i++) {
		const struct schema_key *key = schema_at(i);
		struct text text;
		if (key->kind == KIND_LATER)
			continue;
		text_init(&text, line, sizeof(line));
		if (key->section != section)
			text_addf(&text, "\n%s\n", sections[key->section].header);
		section = key->section;
		text_addf(&text, "\n# %s\n# ", schema_doc(key));
		schema_expected(key, &text);
		const char *preset = schema_default(key);
		text_addf(&text, "\n;%s =%s%s\n", schema_name(key), *preset ? " " : "", preset);
		write(context, line);
	}
}

/* Adds text for man(7): a - is a minus to copy, a line never begins with . or '. */
static void manual_text(struct text *text, const char *string)
{
	if (*string == '.' || *string == '\'')
		text_add(text, "\\&");
	for (; *string; string++) {
		if (*string == '-')
			text_add(text, "\\-");
		else if (*string == '\\')
			text_add(text, "\\e");
		else
			text_add_bytes(text, string, 1);
	}
}

void schema_write_manual(schema_write *write, void *context)
{
	char line[LINE_SIZE * 2];
	char plain[LINE_SIZE];
	int section = -1;

	for (unsigned i = 0; i < schema_count(); i++) {
		const struct schema_key *key = schema_at(i);
		struct text text;
		struct text expected;
		if (key->kind == KIND_LATER)
			continue;
		text_init(&text, line, sizeof(line));
		if (key->section != section)
			text_addf(&text, ".SS %s\n", sections[key->section].title);
		section = key->section;
		text_addf(&text, ".TP\n.B %s\n", schema_name(key));
		manual_text(&text, schema_doc(key));
		text_add(&text, ".\n");
		text_init(&expected, plain, sizeof(plain));
		schema_expected(key, &expected);
		text_add(&text, "Value: ");
		manual_text(&text, plain);
		if (*schema_default(key)) {
			text_add(&text, "; default\n.BR ");
			manual_text(&text, schema_default(key));
			text_add(&text, " .\n");
		} else {
			text_add(&text, ".\n");
		}
		write(context, line);
	}
}
