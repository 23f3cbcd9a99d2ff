#include "ctl/ctl.h"
#include "init/board.h"
#include "init/format.h"
#include "init/value.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct option {
	char letter;       /* 0: none */
	const char *name;  /* without the two dashes; NULL: none */
	const char *value; /* what follows it, for people; NULL: nothing */
	enum ctl_option bit;
	const char *help;
} options[] = {
    {'r', "rundir", "DIR", OPT_RUNDIR, "sinit's directory ($SINIT_RUNDIR, else " CTL_RUNDIR ")"},
    {'c', "config", "DIR", OPT_CONFIG, "the configuration to look at, without any sinit"},
    {0, "json", NULL, OPT_JSON, "JSON instead of text, one object a line"},
    {0, "timeout", "T", OPT_TIMEOUT, "how long to wait: 500ms, 10s, 5m (90s)"},
    {0, "no-wait", NULL, OPT_NO_WAIT, "do not wait for the outcome"},
    {0, "ready", NULL, OPT_READY, "wait until it is ready (this is the default)"},
    {0, "stopped", NULL, OPT_STOPPED, "wait until nothing of it runs"},
    {'f', "follow", NULL, OPT_FOLLOW, "go on with what happens from now on"},
    {'n', "lines", "N", OPT_LINES, "only the last N; top: so many tables, and then no more"},
    {'d', "delay", "T", OPT_DELAY, "time between two of them: 500ms, 5s (1s)"},
    {'k', "kind", "KIND", OPT_KIND, "only events of this kind, such as restart; may be repeated"},
    {0, "dot", NULL, OPT_DOT, "for graphviz"},
    {'h', "help", NULL, OPT_HELP, "this text; after a verb: its usage"},
    {0, "version", NULL, OPT_VERSION, "the version"},
};

static int take_kind(struct ctl *ctl, const char *value)
{
	struct text *text = out_text(ctl->out);
	size_t before = text->used;

	for (unsigned kind = 0; kind < EV_KIND_COUNT; kind++)
		if (strcmp(event_kind_name((enum event_kind)kind), value) == 0) {
			ctl->kinds |= 1u << kind;
			return CTL_OK;
		}
	for (unsigned kind = 0; kind < EV_KIND_COUNT; kind++)
		text_addf(text, " %s", event_kind_name((enum event_kind)kind));
	ctl_error("--kind %s: there is no such kind; there are%s", value, text->data + before);
	text->used = before;
	text->data[before] = '\0';
	return CTL_USAGE;
}

static int take(struct ctl *ctl, const struct option *option, const char *value)
{
	uint32_t ms;

	ctl->options |= option->bit;
	if (option->bit == OPT_RUNDIR)
		ctl->rundir = value;
	if (option->bit == OPT_CONFIG)
		ctl->config = value;
	if (option->bit == OPT_TIMEOUT) {
		if (value_duration(value, &ms) != 0) {
			ctl_error("--timeout %s: not a duration such as 500ms, 10s or 5m", value);
			return CTL_USAGE;
		}
		ctl->timeout = ms;
	}
	if (option->bit == OPT_DELAY &&
	    (value_duration(value, &ctl->delay) != 0 || ctl->delay < CTL_DELAY_LEAST)) {
		ctl_error("-d %s: not a duration of 100ms at least, such as 500ms or 5s", value);
		return CTL_USAGE;
	}
	if (option->bit == OPT_KIND)
		return take_kind(ctl, value);
	if (option->bit == OPT_LINES && parse_u32(value, &ctl->lines) != 0) {
		ctl_error("-n %s: not a number", value);
		return CTL_USAGE;
	}
	return CTL_OK;
}

/* --name, --name=value or --name value. */
static int take_long(struct ctl *ctl, const char *word, char ***next)
{
	size_t length = strcspn(word, "=");

	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		const char *name = options[i].name;
		const char *value = word[length] ? word + length + 1 : NULL;
		if (!name || strlen(name) != length || memcmp(name, word, length) != 0)
			continue;
		if (!options[i].value && value) {
			ctl_error("--%s takes no value", name);
			return CTL_USAGE;
		}
		if (options[i].value && !value && !(value = *(*next)++)) {
			ctl_error("--%s needs a value: --%s %s", name, name, options[i].value);
			return CTL_USAGE;
		}
		return take(ctl, &options[i], value);
	}
	ctl_error("there is no option --%s; sinitctl -h lists them", word);
	return CTL_USAGE;
}

/* -f, -n5, -n 5, -fn5. */
static int take_short(struct ctl *ctl, const char *word, char ***next)
{
	int code = CTL_OK;

	for (; *word && code == CTL_OK; word++) {
		const struct option *option = NULL;
		for (size_t i = 0; i < ARRAY_LEN(options); i++)
			if (options[i].letter == *word)
				option = &options[i];
		if (!option) {
			char letter[2] = {*word, '\0'};
			ctl_error("there is no option -%s; sinitctl -h lists them", letter);
			return CTL_USAGE;
		}
		if (!option->value) {
			code = take(ctl, option, NULL);
			continue;
		}
		const char *value = word[1] ? word + 1 : *(*next)++;
		if (!value) {
			ctl_error("-%c needs a value: -%c %s", *word, *word, option->value);
			return CTL_USAGE;
		}
		return take(ctl, option, value);
	}
	return code;
}

static int find_verb(struct ctl *ctl, const char *word)
{
	const struct ctl_verb *near = NULL;
	unsigned best = value_slips(word) + 1;

	for (const struct ctl_verb *verb = ctl_verbs; verb->name; verb++) {
		if (strcmp(verb->name, word) == 0) {
			ctl->verb = verb;
			return CTL_OK;
		}
		unsigned slips = value_distance(word, verb->name, best);
		if (verb->run && strncmp(verb->name, word, strlen(word)) == 0)
			slips = 0; /* half a word is likelier than a slip */
		if (verb->run && slips < best) {
			best = slips;
			near = verb;
		}
	}
	if (near)
		ctl_error("there is no verb %s; did you mean %s?", word, near->name);
	else
		ctl_error("there is no verb %s; sinitctl -h lists them", word);
	return CTL_USAGE;
}

/* Do the options and the number of arguments fit the verb? */
static int fits(const struct ctl *ctl)
{
	const struct ctl_verb *verb = ctl->verb;
	unsigned known = verb->options | OPT_RUNDIR | OPT_HELP | OPT_VERSION;

	if (ctl->options & (OPT_HELP | OPT_VERSION))
		return CTL_OK;
	if (!verb->run) {
		ctl_error("%s: not supported by this build", verb->name);
		return CTL_USAGE;
	}
	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		if (ctl->options & options[i].bit & ~known) {
			ctl_error("%s has no option --%s; usage: sinitctl %s%s%s", verb->name,
			    options[i].name, verb->name, *verb->usage ? " " : "", verb->usage);
			return CTL_USAGE;
		}
	if (ctl_has(ctl, OPT_READY) && ctl_has(ctl, OPT_STOPPED)) {
		ctl_error("--ready and --stopped at once cannot be; leave one out");
		return CTL_USAGE;
	}
	if (ctl->argc < verb->least || ctl->argc > verb->most) {
		ctl_error("%s: %s; usage: sinitctl %s%s%s", verb->name,
		    ctl->argc < verb->least ? "something is missing" : "too many arguments",
		    verb->name, *verb->usage ? " " : "", verb->usage);
		return CTL_USAGE;
	}
	return CTL_OK;
}

int ctl_parse(struct ctl *ctl, int argc, char **argv)
{
	const char *rundir = getenv("SINIT_RUNDIR");
	const char **words = (const char **)argv;
	size_t count = 0;
	bool only_words = false;
	int code = CTL_OK;

	ctl->rundir = rundir && *rundir ? rundir : CTL_RUNDIR;
	for (char **next = argv + (argc > 0); code == CTL_OK && *next;) {
		const char *word = *next++;
		if (only_words || word[0] != '-' || !word[1])
			words[count++] = word; /* never ahead of `next` */
		else if (strcmp(word, "--") == 0)
			only_words = true;
		else if (word[1] == '-')
			code = take_long(ctl, word + 2, &next);
		else
			code = take_short(ctl, word + 1, &next);
	}
	if (code != CTL_OK)
		return code;
	if (count == 0) {
		if (ctl->options & (OPT_HELP | OPT_VERSION))
			return CTL_OK;
		ctl_error("what is to be done? sinitctl -h lists the verbs");
		return CTL_USAGE;
	}
	code = find_verb(ctl, words[0]);
	ctl->argc = count - 1;
	ctl->argv = words + 1;
	return code == CTL_OK ? fits(ctl) : code;
}

static void add_row(struct text *text, const char *left, const char *right)
{
	enum { LEFT = 26 };
	size_t length = strlen(left);

	text_add(text, "  ");
	text_add(text, left);
	if (length + 2 > LEFT) {
		text_add(text, "\n");
		length = (size_t)-2; /* the indentation counts as well */
	}
	format_spaces(text, LEFT - length);
	text_add(text, right);
	text_add(text, "\n");
}

static void add_options(struct text *text, unsigned which)
{
	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		const struct option *option = &options[i];
		char left[64];
		struct text row;
		if (!(which & option->bit))
			continue;
		text_init(&row, left, sizeof(left));
		if (option->letter)
			text_addf(&row, "-%c, ", option->letter);
		text_addf(&row, "--%s", option->name);
		if (option->value)
			text_addf(&row, " %s", option->value);
		add_row(text, left, option->help);
	}
}

static int help_verb(struct ctl *ctl, const struct ctl_verb *verb)
{
	struct text *text = out_text(ctl->out);

	text_addf(text, "usage: sinitctl %s%s%s\n  %s\n", verb->name, *verb->usage ? " " : "",
	    verb->usage, verb->help);
	if (!verb->run)
		text_add(text, "  not supported by this build\n");
	add_options(text, verb->options | OPT_RUNDIR);
	return CTL_OK;
}

int ctl_help(struct ctl *ctl)
{
	if (ctl->argc > 0) {
		int code = find_verb(ctl, ctl->argv[0]);
		return code == CTL_OK ? help_verb(ctl, ctl->verb) : code;
	}
	struct text *text = out_text(ctl->out);
	text_add(text, "usage: sinitctl [-r DIR] [--json] VERB [ARGUMENT...]\n\nverbs:\n");
	for (const struct ctl_verb *verb = ctl_verbs; verb->name; verb++)
		if (verb->run)
			add_row(text, verb->name, verb->help);
	text_add(text, "\nnot supported by this build:");
	for (const struct ctl_verb *verb = ctl_verbs; verb->name; verb++)
		if (!verb->run)
			text_addf(text, " %s", verb->name);
	text_add(text, "\n\noptions:\n");
	add_options(text, ~0u);
	text_add(text,
	    "\nNAME may be a pattern: 'web*'.\n"
	    "exit codes: 0 done, 1 failed, 2 usage, 3 no sinit there, 4 no such service,\n"
	    "5 timed out. status: 0 running, 3 not running, 4 no such service.\n");
	return CTL_OK;
}

static int dispatch(struct ctl *ctl)
{
	if (ctl_has(ctl, OPT_VERSION)) {
		text_add(out_text(ctl->out), "sinitctl " SINIT_VERSION "\n");
		return CTL_OK;
	}
	if (ctl_has(ctl, OPT_HELP))
		return ctl->verb ? help_verb(ctl, ctl->verb) : ctl_help(ctl);
	return ctl->verb->run(ctl);
}

int ctl_main(int argc, char **argv, struct out *out, const struct style *style)
{
	struct ctl ctl = {.out = out, .style = *style};
	int code = ctl_parse(&ctl, argc, argv);

	if (code != CTL_OK)
		return code;
	code = dispatch(&ctl);
	int error = out_flush(out);
	if (error) {
		if (error != -EPIPE)
			ctl_error("cannot write the output: %s", strerror(-error));
		return CTL_FAILED;
	}
	return code;
}
