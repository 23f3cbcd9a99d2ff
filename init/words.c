#include "init/words.h"

#include <errno.h>
#include <string.h>

/* The longest name that is quoted in a message. */
enum { NAME_SHOWN = 64 };

struct splitter {
	struct words *words;
	const char *at;
	const struct words_source *source;
	struct text *reason;
	bool in_word;
};

static int put(struct splitter *splitter, const char *bytes, size_t length)
{
	struct words *words = splitter->words;

	splitter->in_word = true;
	if (length > words->size - words->used) {
		text_add(splitter->reason, "too long");
		return -E2BIG;
	}
	memcpy(words->data + words->used, bytes, length);
	words->used += length;
	return 0;
}

static int end_word(struct splitter *splitter)
{
	if (!splitter->in_word)
		return 0;
	int error = put(splitter, "", 1);
	if (error)
		return error;
	splitter->words->count++;
	splitter->in_word = false;
	return 0;
}

bool words_is_variable(const char *name, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		char c = name[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
		if (!letter && (i == 0 || c < '0' || c > '9'))
			return false;
	}
	return length > 0;
}

/* At "${": its value. */
static int put_variable(struct splitter *splitter)
{
	const char *name = splitter->at + 2;
	const char *end = strchr(name, '}');
	struct text *reason = splitter->reason;

	if (!end) {
		text_add(reason, "${ without }");
		return -EINVAL;
	}
	size_t length = (size_t)(end - name);
	size_t shown = length < NAME_SHOWN ? length : NAME_SHOWN;
	if (!words_is_variable(name, length)) {
		text_add(reason, "${");
		text_add_bytes(reason, name, shown);
		text_add(reason, "} is not the name of a variable; write $$ for a plain $");
		return -EINVAL;
	}
	const char *value = splitter->source->lookup(splitter->source->context, name, length);
	if (!value) {
		text_add(reason, "the variable ");
		text_add_bytes(reason, name, shown);
		text_add(reason, " is not set; set it with environment =");
		return -EINVAL;
	}
	splitter->at = end + 1;
	return put(splitter, value, strlen(value));
}

/* At a % or $ outside of '...'. */
static int put_special(struct splitter *splitter)
{
	const char *at = splitter->at;
	const struct words_source *source = splitter->source;

	if (source && at[0] == '$' && at[1] == '{')
		return put_variable(splitter);
	splitter->at++;
	if (!source)
		return put(splitter, at, 1);
	const char *value = NULL;
	if (at[0] == '%' && at[1] == 'n')
		value = source->name;
	else if (at[0] == '%' && at[1] == 'i')
		value = source->instance;
	else if (at[1] != at[0])
		return put(splitter, at, 1);
	splitter->at++;
	return value ? put(splitter, value, strlen(value)) : put(splitter, at, 1);
}

/* A run of characters that mean nothing but themselves. */
static int put_plain(struct splitter *splitter, const char *special)
{
	const char *at = splitter->at;
	size_t length = strcspn(at, special);

	splitter->at += length;
	return put(splitter, at, length);
}

static int unclosed(struct splitter *splitter, const char *quote)
{
	text_add(splitter->reason, "the quote ");
	text_add_bytes(splitter->reason, quote, 1);
	text_add(splitter->reason, " is not closed");
	return -EINVAL;
}

static int take_single(struct splitter *splitter)
{
	const char *start = splitter->at + 1;
	const char *end = strchr(start, '\'');

	if (!end)
		return unclosed(splitter, "'");
	splitter->at = end + 1;
	return put(splitter, start, (size_t)(end - start));
}

static int take_double(struct splitter *splitter)
{
	int error = 0;

	splitter->in_word = true;
	splitter->at++;
	while (!error && *splitter->at != '"') {
		const char *at = splitter->at;
		switch (*at) {
		case '\0':
			return unclosed(splitter, "\"");
		case '\\':
			if (at[1] == '"' || at[1] == '\\' || at[1] == '$') {
				error = put(splitter, at + 1, 1);
				splitter->at += 2;
			} else {
				error = put(splitter, at, 1);
				splitter->at++;
			}
			break;
		case '$':
		case '%':
			error = put_special(splitter);
			break;
		default:
			error = put_plain(splitter, "\"\\$%");
			break;
		}
	}
	splitter->at++;
	return error;
}

static int take(struct splitter *splitter)
{
	const char *at = splitter->at;

	switch (*at) {
	case ' ':
	case '\t':
		splitter->at++;
		return end_word(splitter);
	case '\'':
		return take_single(splitter);
	case '"':
		return take_double(splitter);
	case '$':
	case '%':
		return put_special(splitter);
	case '\\':
		if (at[1])
			at++;
		splitter->at = at + 1;
		return put(splitter, at, 1);
	default:
		return put_plain(splitter, " \t'\"\\$%");
	}
}

int words_split(
    struct words *words, const char *line, const struct words_source *source, struct text *reason)
{
	struct splitter splitter = {
	    .words = words,
	    .at = line,
	    .source = source,
	    .reason = reason,
	};

	while (*splitter.at) {
		int error = take(&splitter);
		if (error)
			return error;
	}
	return end_word(&splitter);
}

void words_quote(struct text *text, const char *word)
{
	if (*word && !word[strcspn(word, " \t'\"\\$%")]) {
		text_add(text, word);
		return;
	}
	text_add(text, "'");
	for (;;) {
		size_t plain = strcspn(word, "'");
		text_add_bytes(text, word, plain);
		text_add(text, "'");
		word += plain;
		if (!*word)
			return;
		/* A ' cannot stand between two of them: close, \', open. */
		text_add(text, "\\''");
		word++;
	}
}
