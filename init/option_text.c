/* What -h, --version and -l print, and the options of the manual page. */
#include "init/base.h"
#include "init/option_table.h"
#include "init/options.h"

#ifndef SINIT_VERSION
#define SINIT_VERSION "unknown"
#endif

#define HELP_COLUMN 28
#define HELP_WIDTH  80

/* Breaks `words` into lines that begin at HELP_COLUMN; the first has begun already. */
static void add_wrapped(struct text *text, const char *words)
{
	size_t column = HELP_COLUMN;

	while (*words != '\0') {
		size_t length = 0;
		while (words[length] != '\0' && words[length] != ' ')
			length++;
		if (column > HELP_COLUMN && column + 1 + length > HELP_WIDTH) {
			text_addf(text, "\n%*s", HELP_COLUMN, "");
			column = HELP_COLUMN;
		} else if (column > HELP_COLUMN) {
			text_add(text, " ");
			column++;
		}
		text_add_bytes(text, words, length);
		column += length;
		words += length;
		if (*words == ' ')
			words++;
	}
	text_add(text, "\n");
}

static void add_row(struct text *text, const struct option_row *row)
{
	size_t start = text->used;

	if (row->letter != '\0')
		text_addf(text, "  -%c", row->letter);
	else
		text_add(text, "    ");
	text_addf(text, "%s--%s", row->letter != '\0' ? ", " : "  ", row->name);
	if (row->argument[0] != '\0')
		text_addf(text, " %s", row->argument);
	size_t width = text->used - start;
	if (width + 1 >= HELP_COLUMN) {
		text_add(text, "\n");
		width = 0;
	}
	text_addf(text, "%*s", (int)(HELP_COLUMN - width), "");
	add_wrapped(text, row->help);
}

void options_help(const struct options *options, struct text *text)
{
	if (options->personality == PERSONALITY_SINIT)
		text_addf(text,
		    "Usage: %s [options] [--] [COMMAND [ARG...]]\n\n"
		    "PID 1 and service supervisor. Starts what the configuration says; with a\n"
		    "COMMAND and no configuration it is a wrapper that forwards signals, reaps\n"
		    "orphans and exits with COMMAND's code.\n\n",
		    options->name);
	else
		text_addf(text,
		    "Usage: %s [options] [--] COMMAND [ARG...]\n\n"
		    "sinit " SINIT_VERSION " in the part of %s: runs COMMAND, forwards signals,\n"
		    "reaps orphans and exits with COMMAND's code.\n\n",
		    options->name, options->name);
	for (size_t i = 0; i < option_count; i++)
		if (option_table[i].who & 1 << options->personality)
			add_row(text, &option_table[i]);
}

void options_version(const struct options *options, struct text *text)
{
	switch ((enum personality)options->personality) {
	case PERSONALITY_SINIT:
		text_add(text, "sinit " SINIT_VERSION "\n");
		break;
	case PERSONALITY_TINI: /* what follows the name is parsed by some image builders */
		text_add(text, "tini version 0.19.0 (sinit " SINIT_VERSION ")\n");
		break;
	case PERSONALITY_DUMB_INIT:
		text_add(text, "dumb-init v1.2.5\n");
		break;
	}
}

void options_license(struct text *text)
{
	text_add(text, "sinit " SINIT_VERSION " is free software under the MIT license:\n"
		       "https://spdx.org/licenses/MIT.html\n");
}

void options_manual(struct text *text)
{
	for (size_t i = 0; i < option_count; i++) {
		const struct option_row *row = &option_table[i];
		if (!(row->who & 1 << PERSONALITY_SINIT))
			continue;
		text_add(text, ".TP\n");
		if (row->letter != '\0')
			text_addf(text, ".BR \\-%c \", \"", row->letter);
		else
			text_add(text, ".B");
		text_addf(text, " \\-\\-%s", row->name);
		if (row->argument[0] != '\0')
			text_addf(text, " \" \\fI%s\\fR\"", row->argument);
		text_addf(text, "\n%s.\n", row->help);
	}
}

bool options_to_stderr(const struct options *options)
{
	return options->personality == PERSONALITY_DUMB_INIT;
}
