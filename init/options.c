#include "init/options.h"

#include "init/base.h"
#include "init/option_table.h"
#include "init/value.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define DUMB_INIT_SIGNALS 31 /* dumb-init rewrites no real-time signals */

/* --- What one option does ----------------------------------------------------------- */

static int set_parent_death(struct wrapper_options *wrapper, const char *argument)
{
	int signal;

	if (signal_parse(argument, &signal) != 0)
		return -EINVAL;
	wrapper->parent_death = (uint8_t)signal;
	return 0;
}

static int set_ok_code(struct wrapper_options *wrapper, const char *argument)
{
	uint32_t code;

	if (parse_u32(argument, &code) != 0 || code > 255)
		return -EINVAL;
	wrapper->ok_codes[code / 32] |= UINT32_C(1) << (code % 32);
	return 0;
}

/* One side of FROM:TO. As dumb-init only numbers count, as its own suite demands. */
static int rewrite_side(const char *word, bool numbers_only, bool zero, int *ret_signal)
{
	uint32_t number;
	int error = parse_u32(word, &number);

	if (error == 0 && number == 0 && zero) {
		*ret_signal = 0;
		return 0;
	}
	if (numbers_only && (error != 0 || number > DUMB_INIT_SIGNALS))
		return -EINVAL;
	return signal_parse(word, ret_signal);
}

static int set_rewrite(struct wrapper_options *wrapper, const char *argument)
{
	char from_word[SIGNAL_NAME_SIZE];
	bool numbers_only = wrapper->personality == PERSONALITY_DUMB_INIT;
	const char *colon = strchr(argument, ':');
	int from;
	int to;

	if (!colon || (size_t)(colon - argument) >= sizeof(from_word))
		return -EINVAL;
	memcpy(from_word, argument, (size_t)(colon - argument));
	from_word[colon - argument] = '\0';
	if (rewrite_side(from_word, numbers_only, false, &from) != 0 ||
	    rewrite_side(colon + 1, numbers_only, true, &to) != 0)
		return -EINVAL;
	/* Never received, or never forwarded: a wish that could not come true. */
	if (!numbers_only && (from == SIGKILL || from == SIGSTOP || from == SIGCHLD))
		return -EINVAL;
	wrapper->rewrite[from] = (uint8_t)to;
	wrapper->rewritten |= UINT64_C(1) << (from - 1);
	return 0;
}

/* Returns 0, or -EINVAL if the argument is not what the option takes. */
static int apply(enum option_id id, const char *argument, struct options *options)
{
	struct wrapper_options *wrapper = &options->wrapper;

	switch (id) {
	case OPTION_CONFIG:
		options->config = argument;
		return argument[0] != '\0' ? 0 : -EINVAL;
	case OPTION_RUN:
		options->run_dir = argument;
		return argument[0] != '\0' ? 0 : -EINVAL;
	case OPTION_CHECK:
		options->action = ACTION_CHECK;
		return 0;
	case OPTION_PRINT_DEFAULTS:
		options->action = ACTION_PRINT_DEFAULTS;
		return 0;
	case OPTION_HELP:
		options->action = ACTION_HELP;
		return 0;
	case OPTION_VERSION:
		options->action = ACTION_VERSION;
		return 0;
	case OPTION_LICENSE:
		options->action = ACTION_LICENSE;
		return 0;
	case OPTION_SUBREAPER:
		wrapper->subreaper = true;
		return 0;
	case OPTION_PARENT_DEATH:
		return set_parent_death(wrapper, argument);
	case OPTION_VERBOSE:
		if (wrapper->verbosity < UINT8_MAX)
			wrapper->verbosity++;
		return 0;
	case OPTION_WARN:
		wrapper->warn_on_reap = true;
		return 0;
	case OPTION_GROUP:
		wrapper->group = true;
		return 0;
	case OPTION_SINGLE_CHILD:
		wrapper->group = false;
		wrapper->new_session = false;
		return 0;
	case OPTION_OK_CODE:
		return set_ok_code(wrapper, argument);
	case OPTION_REWRITE:
		return set_rewrite(wrapper, argument);
	case OPTION_GRACE:
		return value_duration(argument, &wrapper->grace_ms) == 0 ? 0 : -EINVAL;
	}
	return -EINVAL;
}

/* --- What is said when it is wrong -------------------------------------------------- */

static int fail_unknown(const struct options *options, const char *word, struct text *error)
{
	if (options->personality == PERSONALITY_DUMB_INIT)
		text_addf(error, "%s: unrecognized option '%s'", options->name, word);
	else
		text_addf(error,
		    "%s: unknown option %s; %s -h lists the options. To run a command "
		    "whose name begins with a dash, put -- before it",
		    options->name, word, options->name);
	return -EINVAL;
}

static int fail_argument(const struct options *options, const struct option_row *row,
    const char *argument, struct text *error)
{
	const char *name = row->name[0] != '\0' ? row->name : &row->letter;
	int length = row->name[0] != '\0' ? (int)sizeof(row->name) : 1;

	if (row->id == OPTION_REWRITE && options->personality == PERSONALITY_DUMB_INIT && argument)
		text_addf(error,
		    "Usage: -r option takes <signum>:<signum>, where <signum> is between "
		    "1 and %d.\nThis option can be specified multiple times.\n"
		    "Use --help for full usage.",
		    DUMB_INIT_SIGNALS);
	else if (!argument)
		text_addf(error, "%s: option %s%.*s needs %s after it", options->name,
		    length == 1 ? "-" : "--", length, name, row->argument);
	else
		text_addf(error, "%s: %s%.*s %s: not a valid %s%s", options->name,
		    length == 1 ? "-" : "--", length, name, argument, row->argument, row->example);
	return -EINVAL;
}

static int fail_no_command(const struct options *options, struct text *error)
{
	if (options->personality == PERSONALITY_DUMB_INIT)
		text_addf(error, "Usage: %s [option] program [args]\nTry %s --help for full usage.",
		    options->name, options->name);
	else
		options_help(options, error);
	return -EINVAL;
}

/* --- Reading argv ------------------------------------------------------------------- */

static const struct option_row *find_letter(const struct options *options, char letter)
{
	for (size_t i = 0; i < option_count; i++)
		if (option_table[i].letter == letter &&
		    (option_table[i].who & 1 << options->personality))
			return &option_table[i];
	return NULL;
}

static const struct option_row *find_name(
    const struct options *options, const char *name, size_t length)
{
	for (size_t i = 0; i < option_count; i++) {
		const struct option_row *row = &option_table[i];
		if ((row->who & 1 << options->personality) && strlen(row->name) == length &&
		    memcmp(row->name, name, length) == 0 && length > 0)
			return row;
	}
	return NULL;
}

/* True for an option after which nothing else on the line counts. */
static bool is_final(const struct options *options)
{
	return options->action == ACTION_HELP || options->action == ACTION_VERSION ||
	       options->action == ACTION_LICENSE;
}

/* Takes "--name", "--name=argument" or "--name argument". *argv is at it, and is moved
 * on to the argument if that is a word of its own. */
static int take_long(char ***argv, struct options *options, struct text *error)
{
	const char *word = **argv;
	const char *equals = strchr(word, '=');
	size_t length = equals ? (size_t)(equals - word) - 2 : strlen(word) - 2;
	const struct option_row *row = find_name(options, word + 2, length);
	const char *argument = equals ? equals + 1 : NULL;

	if (!row || (equals && row->argument[0] == '\0'))
		return fail_unknown(options, word, error);
	if (row->argument[0] != '\0' && !argument) {
		argument = (*argv)[1];
		if (!argument)
			return fail_argument(options, row, NULL, error);
		++*argv;
	}
	if (apply(row->id, argument, options) != 0)
		return fail_argument(options, row, argument, error);
	return 0;
}

/* Takes "-vvw", "-e5" or "-e 5" likewise. */
static int take_short(char ***argv, struct options *options, struct text *error)
{
	const char *word = **argv;

	for (const char *letter = word + 1; *letter != '\0'; letter++) {
		const struct option_row *row = find_letter(options, *letter);
		const char *argument = NULL;

		if (!row)
			return fail_unknown(options, word, error);
		if (row->argument[0] != '\0') {
			argument = letter[1] != '\0' ? letter + 1 : (*argv)[1];
			if (!argument)
				return fail_argument(options, row, NULL, error);
			if (letter[1] == '\0')
				++*argv;
		}
		if (apply(row->id, argument, options) != 0)
			return fail_argument(options, row, argument, error);
		if (argument || is_final(options))
			break;
	}
	return 0;
}

/* --- Personalities ------------------------------------------------------------------ */

/* The last component of argv[0]. */
static const char *name_of(const char *argv0)
{
	const char *slash = argv0 ? strrchr(argv0, '/') : NULL;

	if (!argv0)
		return "sinit";
	return slash ? slash + 1 : argv0;
}

enum personality options_personality(const char *argv0)
{
	const char *name = name_of(argv0);

	if (name[0] == '-') /* a login shell's dash: some start PID 1 so */
		name++;
	if (strcmp(name, "tini") == 0 || strncmp(name, "tini-", 5) == 0 ||
	    strcmp(name, "docker-init") == 0)
		return PERSONALITY_TINI;
	if (strcmp(name, "dumb-init") == 0)
		return PERSONALITY_DUMB_INIT;
	return PERSONALITY_SINIT;
}

static void set_defaults(const char *argv0, struct options *options)
{
	enum personality personality = options_personality(argv0);

	*options = (struct options){
	    .personality = (uint8_t)personality,
	    .name = name_of(argv0),
	    .config = OPTIONS_DEFAULT_CONFIG,
	    .run_dir = OPTIONS_DEFAULT_RUN,
	    .wrapper =
		{
		    .personality = (uint8_t)personality,
		    .verbosity = personality == PERSONALITY_TINI,
		    .subreaper = personality == PERSONALITY_SINIT,
		    .group = personality == PERSONALITY_DUMB_INIT,
		    .new_session = personality == PERSONALITY_DUMB_INIT,
		    .grace_ms = personality == PERSONALITY_SINIT ? OPTIONS_DEFAULT_GRACE : 0,
		},
	};
	for (int signal = 1; signal <= SIGNAL_MAX; signal++)
		options->wrapper.rewrite[signal] = (uint8_t)signal;
}

static void read_environment(const char *(*lookup)(const char *), struct wrapper_options *wrapper)
{
	const char *value;

	if (wrapper->personality == PERSONALITY_TINI && lookup) {
		if (lookup("TINI_SUBREAPER"))
			wrapper->subreaper = true;
		if (lookup("TINI_KILL_PROCESS_GROUP"))
			wrapper->group = true;
		value = lookup("TINI_VERBOSITY");
		if (value)
			wrapper->verbosity = (uint8_t)(atoi(value) & 0x7f);
	}
	if (wrapper->personality == PERSONALITY_DUMB_INIT && lookup) {
		value = lookup("DUMB_INIT_DEBUG");
		if (value && strcmp(value, "1") == 0)
			wrapper->verbosity = 1;
		value = lookup("DUMB_INIT_SETSID");
		if (value && strcmp(value, "0") == 0) {
			wrapper->group = false;
			wrapper->new_session = false;
		}
	}
}

/* dumb-init's session has no shell above it that could stop its jobs: what the terminal
 * asks for by job control becomes SIGSTOP there, unless rewritten otherwise. */
static void default_rewrites(struct wrapper_options *wrapper)
{
	static const uint8_t job_control[] = {SIGTSTP, SIGTTIN, SIGTTOU};

	for (size_t i = 0; i < ARRAY_LEN(job_control); i++) {
		uint64_t bit = UINT64_C(1) << (job_control[i] - 1);
		if (wrapper->rewritten & bit)
			continue;
		wrapper->rewrite[job_control[i]] = SIGSTOP;
		wrapper->rewritten |= bit;
	}
}

int options_parse(char **argv, const char *(*lookup)(const char *name), struct options *ret_options,
    struct text *error)
{
	struct options options;
	int result = 0;

	set_defaults(argv[0], &options);
	if (argv[0])
		argv++;
	/* The first word that is no option begins the command: what comes after it is the
	 * command's. (tini with glibc's getopt goes on looking for its own options there.) */
	for (; *argv && (*argv)[0] == '-' && (*argv)[1] != '\0'; argv++) {
		if (strcmp(*argv, "--") == 0) {
			options.dash_dash = true;
			argv++;
			break;
		}
		result = (*argv)[1] == '-' ? take_long(&argv, &options, error)
					   : take_short(&argv, &options, error);
		if (result != 0)
			return result;
		if (is_final(&options))
			break;
	}
	if (!is_final(&options) && *argv)
		options.command = argv;
	if (!is_final(&options) && !options.command && options.personality != PERSONALITY_SINIT)
		return fail_no_command(&options, error);
	read_environment(lookup, &options.wrapper);
	if (options.wrapper.new_session)
		default_rewrites(&options.wrapper);
	*ret_options = options;
	return 0;
}

int options_usage_code(enum personality personality)
{
	return personality == PERSONALITY_SINIT ? EXIT_CODE_CONFIG : 1;
}
