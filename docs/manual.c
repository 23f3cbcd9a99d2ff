/* Makes a manual page from a template: docs/PAGE.in on standard input, man(7) source on
 * standard output.
 *
 * A line that is one of these marks is replaced by a table of the program's own; in any
 * other line @NAME@ is replaced by a number or the version. A mark that nobody knows is
 * an error, so a page cannot lose a table unseen. Runs on the building machine only. */
#include "ctl/ctl.h"
#include "init/base.h"
#include "init/board.h"
#include "init/config.h"
#include "init/ini.h"
#include "init/machine.h"
#include "init/options.h"
#include "init/schema.h"
#include "probes/metrics.h"
#include "probes/server.h"
#include "probes/site.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Text of the tables as it is to look: minus signs to copy, no backslash lost. */
static void put_text(const char *string, size_t length)
{
	if (length && (*string == '.' || *string == '\''))
		fputs("\\&", stdout);
	for (size_t i = 0; i < length; i++) {
		if (string[i] == '-')
			fputs("\\-", stdout);
		else if (string[i] == '\\')
			fputs("\\e", stdout);
		else
			putchar(string[i]);
	}
}

static void put_string(const char *string)
{
	put_text(string, strlen(string));
}

/* --- sinit.conf(5) ------------------------------------------------------------------ */

static void write_piece(void *context, const char *piece)
{
	(void)context;
	fputs(piece, stdout);
}

static void put_keys(void)
{
	schema_write_manual(write_piece, NULL);
}

/* Names of the keys that are known but not supported, by section. */
static void put_later_keys(void)
{
	for (unsigned section = 0; section < SECTION_COUNT; section++) {
		bool first = true;
		for (unsigned i = 0; i < schema_count(); i++) {
			const struct schema_key *key = schema_at(i);
			if (key->section != section || key->kind != KIND_LATER)
				continue;
			if (first)
				printf(".TP\n.B %s\n",
				    schema_section_title((enum schema_section)section));
			else
				puts(",");
			put_string(schema_name(key));
			first = false;
		}
		if (!first)
			puts(".");
	}
}

/* --- sinit(8) ----------------------------------------------------------------------- */

static void put_options(void)
{
	static char buffer[16384];
	struct text text;

	text_init(&text, buffer, sizeof(buffer));
	options_manual(&text);
	fputs(text.data, stdout);
}

static void put_endpoints(void)
{
	struct site_route_doc doc;

	for (unsigned row = 0; site_document(row, &doc); row++) {
		printf(".TP\n.B %s \\fR", doc.method);
		for (const char *at = doc.pattern; *at; at++)
			fputs(*at == '*' ? "\\fINAME\\fR" : (char[]){*at, '\0'}, stdout);
		puts("");
		put_string(doc.doc);
		puts(".");
	}
}

static void put_metrics(void)
{
	struct metrics_doc doc;

	for (unsigned row = 0; metrics_document(row, &doc); row++) {
		printf(".TP\n.B sinit_%s\\fR, %s\n", doc.name, doc.type);
		put_string(doc.help);
		puts("");
	}
}

/* --- sinitctl(1) -------------------------------------------------------------------- */

static void put_verbs(void)
{
	for (const struct ctl_verb *verb = ctl_verbs; verb->name; verb++) {
		if (!verb->run)
			continue;
		printf(".TP\n.B %s", verb->name);
		if (*verb->usage) {
			fputs(" \\fR", stdout);
			put_string(verb->usage);
		}
		puts("");
		put_string(verb->help);
		puts(".");
	}
}

static void put_later_verbs(void)
{
	bool first = true;

	for (const struct ctl_verb *verb = ctl_verbs; verb->name; verb++) {
		if (verb->run)
			continue;
		if (!first)
			puts(",");
		put_string(verb->name);
		first = false;
	}
	puts(".");
}

/* The options come from "sinitctl help": two blanks, the option, blanks, what it means;
 * a long option has a line of its own. */
static void put_ctl_options(void)
{
	static struct out out;
	struct ctl ctl = {.out = &out};
	char *line;

	out_init(&out, -1);
	ctl_help(&ctl);
	line = strstr(out.text.data, "\noptions:\n");
	if (!line) {
		fputs("manual: sinitctl help has no options\n", stderr);
		exit(1);
	}
	line += strlen("\noptions:\n");
	while (!strncmp(line, "  ", 2)) {
		char *option = line + 2, *help = strstr(option, "  ");
		char *end = strchr(option, '\n');
		if (!help || !end)
			exit(1);
		fputs(".TP\n.B ", stdout);
		put_text(option, (size_t)((help < end ? help : end) - option));
		puts("");
		help += strspn(help, " \n");
		end = strchr(help, '\n');
		put_text(help, (size_t)(end - help));
		puts(".");
		line = end + 1;
	}
}

/* --- templates ---------------------------------------------------------------------- */

static const struct {
	char name[16];
	void (*put)(void);
} tables[] = {
    {"@KEYS@", put_keys},
    {"@LATER_KEYS@", put_later_keys},
    {"@OPTIONS@", put_options},
    {"@ENDPOINTS@", put_endpoints},
    {"@METRICS@", put_metrics},
    {"@VERBS@", put_verbs},
    {"@LATER_VERBS@", put_later_verbs},
    {"@CTL_OPTIONS@", put_ctl_options},
};

static const struct {
	char name[16];
	unsigned long value;
} numbers[] = {
    {"SERVICES", IMAGE_MAX_SERVICES},
    {"NAME", IMAGE_MAX_NAME},
    {"LINE", INI_LINE_MAX},
    {"MESSAGES", CONFIG_MAX_MESSAGES},
    {"RESTARTS", MACHINE_RESTARTS_MAX},
    {"EVENTS", BOARD_EVENTS},
    {"REQUEST", REQUEST_LINE},
    {"ARGS", REQUEST_ARGS},
    {"CONNECTIONS", SERVER_CONNECTIONS},
    {"HEAD", HTTP_HEAD_MAX / 1024},
    {"BODY", HTTP_BODY_MAX / 1024},
    {"ORDERS", SERVER_ORDERS},
    {"ANSWER", CTL_ANSWER_MS / 1000},
    {"WAIT", CTL_WAIT_MS / 1000},
};

static bool put_word(const char *word, size_t length)
{
	if (length == 7 && !memcmp(word, "VERSION", 7)) {
		fputs(SINIT_VERSION, stdout);
		return true;
	}
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		if (strlen(numbers[i].name) == length && !memcmp(numbers[i].name, word, length)) {
			printf("%lu", numbers[i].value);
			return true;
		}
	return false;
}

/* false: there is a mark in it that nobody knows. */
static bool put_line(const char *line)
{
	for (size_t i = 0; i < ARRAY_LEN(tables); i++)
		if (!strncmp(line, tables[i].name, strlen(tables[i].name))) {
			tables[i].put();
			return true;
		}
	while (*line) {
		size_t length = *line == '@' ? strspn(line + 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") : 0;
		if (!length || line[length + 1] != '@') {
			putchar(*line++);
			continue;
		}
		if (!put_word(line + 1, length))
			return false;
		line += length + 2;
	}
	return true;
}

int main(void)
{
	char line[1024];

	while (fgets(line, sizeof(line), stdin))
		if (!put_line(line)) {
			fprintf(stderr, "manual: unknown mark: %s", line);
			return 1;
		}
	return ferror(stdin) || fflush(stdout) ? 1 : 0;
}
