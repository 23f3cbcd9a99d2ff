#include "init/cmdline.h"

#include <string.h>

static void take_single(struct cmdline *cmdline, const char *value)
{
	(void)value;
	cmdline->single = true;
}

static void take_debug(struct cmdline *cmdline, const char *value)
{
	(void)value;
	cmdline->debug = true;
}

static void take_config(struct cmdline *cmdline, const char *value)
{
	size_t length = strlen(value);

	if (length < sizeof(cmdline->config))
		memcpy(cmdline->config, value, length + 1);
	else if (!cmdline->unknown[0])
		strcpy(cmdline->unknown, "sinit.conf= with so long a path");
}

static const struct {
	const char *name;
	void (*take)(struct cmdline *cmdline, const char *value);
} options[] = {
    {"sinit.single", take_single},
    {"sinit.debug", take_debug},
    {"sinit.conf=", take_config},
};

enum { OPTIONS = sizeof(options) / sizeof(options[0]) };

static void take_option(struct cmdline *cmdline, const char *word)
{
	if (strncmp(word, "sinit.", 6) != 0)
		return;
	for (unsigned i = 0; i < OPTIONS; i++) {
		size_t length = strlen(options[i].name);
		bool has_value = options[i].name[length - 1] == '=';

		if (strncmp(word, options[i].name, length) != 0 || (!has_value && word[length]))
			continue;
		options[i].take(cmdline, word + length);
		return;
	}
	if (!cmdline->unknown[0])
		strncat(cmdline->unknown, word, sizeof(cmdline->unknown) - 1);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\0';
}

void cmdline_parse(struct cmdline *ret, const char *bytes, size_t size)
{
	size_t used = 0;
	bool dashes = false;
	unsigned after = 0;

	*ret = (struct cmdline){0};
	for (size_t at = 0; at < size;) {
		char *word = ret->text + used;
		bool quoted = false;

		for (; at < size && is_blank(bytes[at]); at++)
			;
		if (at == size)
			break;
		for (; at < size && (quoted || !is_blank(bytes[at])); at++) {
			if (bytes[at] == '"')
				quoted = !quoted;
			else if (used < sizeof(ret->text) - 1)
				ret->text[used++] = bytes[at];
		}
		if (used == sizeof(ret->text) - 1)
			break; /* this word may be cut */
		ret->text[used++] = '\0';
		if (dashes && after == CMDLINE_WORDS)
			break;
		if (dashes) {
			ret->word[after++] = word;
		} else if (strcmp(word, "--") == 0) {
			dashes = true;
			continue;
		} else {
			take_option(ret, word);
			ret->before++;
		}
		ret->count++;
	}
}

size_t cmdline_foreign(const struct cmdline *cmdline, char *const *argv)
{
	const char *word = cmdline->text;
	size_t count = 0;

	for (unsigned i = 0; i < cmdline->before && argv[count]; i++) {
		count += strcmp(word, argv[count]) == 0;
		word += strlen(word) + 1;
	}
	return count;
}
