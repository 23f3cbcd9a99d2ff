/* Splitting commands: stays inside its buffers, and each word that comes out can be written
 * so that it is read again as the same word.
 *
 * The first byte says how much room there is and whether anything is expanded. */
#include "init/words.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
	if (!condition)
		abort();
}

static const char *look_up(const void *context, const char *name, size_t length)
{
	(void)context;
	check(words_is_variable(name, length));
	if (length == 1)
		return "x 'y' ${A} %n";
	return length == 2 ? "" : NULL;
}

static const struct words_source source = {"name@1", "1", look_up, NULL};

/* The word alone, quoted, comes back alone. */
static void check_quoted(const char *word, const struct words_source *from)
{
	size_t length = strlen(word);
	size_t room = length * 4 + 3;
	char *quoted = malloc(room);
	char *again = malloc(length + 1);
	char why[64];
	struct text text;
	struct text reason;
	struct words words = {.data = again, .size = length + 1};

	check(quoted && again);
	text_init(&text, quoted, room);
	words_quote(&text, word);
	check(!text.cut);
	text_init(&reason, why, sizeof(why));
	check(words_split(&words, quoted, from, &reason) == 0);
	check(words.count == 1 && strcmp(again, word) == 0);
	free(quoted);
	free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	const struct words_source *from = data[0] & 1 ? &source : NULL;
	size_t room = data[0] & 2 ? data[0] : size * 16 + 16;
	char *line = malloc(size);
	char *buffer = malloc(room);
	char why[128];
	struct text reason;
	struct words words = {.data = buffer, .size = room};

	/* Buffers of exact size, so that the sanitizer sees a step too far. */
	check(line && buffer);
	memcpy(line, data + 1, size - 1);
	line[size - 1] = '\0';
	text_init(&reason, why, sizeof(why));
	int error = words_split(&words, line, from, &reason);
	check(words.used <= words.size);
	check(!error == !reason.used);
	check(!error || error == -EINVAL || error == -E2BIG);
	if (!error) {
		const char *word = buffer;
		for (uint32_t i = 0; i < words.count; i++) {
			check_quoted(word, from);
			word += strlen(word) + 1;
		}
		check(word == buffer + words.used);
	}
	free(line);
	free(buffer);
	return 0;
}
