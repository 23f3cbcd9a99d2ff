/* Splitting a line into words as a shell does, and nothing more: quotes, backslashes,
 * ${NAME}, %i, %n (the rules are in sinit.conf(5) and at words_split()).
 *
 * Pure: owns nothing, calls base only. Time and memory are bounded by the input and by the
 * size of the output buffer.
 */
#ifndef SINIT_INIT_WORDS_H
#define SINIT_INIT_WORDS_H

#include "init/base.h"

/* Where ${NAME}, %n and %i come from. */
struct words_source {
	const char *name;     /* %n */
	const char *instance; /* %i */
	/* Value of a variable, or NULL; `name` is not NUL-terminated. */
	const char *(*lookup)(const void *context, const char *name, size_t length);
	const void *context;
};

/* The result: words one after the other, each with its NUL, in the caller's buffer. */
struct words {
	char *data;
	size_t size;
	size_t used;
	uint32_t count;
};

/* Splits `line` and appends its words.
 *
 * Words are separated by blanks and tabs. '...' is literal. In "..." a backslash before
 * " \ $ removes their meaning and is itself before anything else. Outside of quotes a
 * backslash makes the next character an ordinary one; as the last character of the line it
 * is itself. Quotes may stand in the middle of a word; empty ones make an empty word.
 * With `source`, outside of '...': ${NAME} is the variable's value, which is not split or
 * looked at again; %n and %i; %% is a % and $$ is a $; any other % or $ is itself. Without
 * `source` all of these are ordinary characters.
 *
 * 0, or -EINVAL, or -E2BIG (it does not fit), each with the reason added to *reason, as in
 * "the quote ' is not closed". */
int words_split(
    struct words *words, const char *line, const struct words_source *source, struct text *reason);

/* Whether [0 .. length-1] is the name of a variable: [A-Za-z_][A-Za-z0-9_]*. */
bool words_is_variable(const char *name, size_t length);

/* Adds a word so that words_split() reads it back, with quotes only if it needs them. */
void words_quote(struct text *text, const char *word);

#endif
