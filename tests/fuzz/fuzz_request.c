/* The control line, as PID 1 reads it from anybody who may write the FIFO.
 * What is accepted must keep the header's promises, and must come back the same when
 * it is written again and read again. */
#include "ctl/request.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
	if (!condition)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct request first;
	struct request second;
	const char *reason = NULL;
	char again[REQUEST_LINE];
	size_t len;

	/* A buffer of the exact size, so that the sanitizer sees a step too far. */
	char *line = malloc(size + 1);
	check(line != NULL);
	memcpy(line, data, size);
	line[size] = '\n';
	if (request_parse(line, size, &first, &reason) != 0) {
		check(reason != NULL);
		free(line);
		return 0;
	}
	check(size < REQUEST_LINE && first.argc <= REQUEST_ARGS);
	check(!first.reply || request_reply_valid(first.reply, strlen(first.reply)));
	check(strlen(first.verb) >= 1 && strlen(first.verb) <= REQUEST_VERB);

	/* Written again it is never longer: each byte takes the least room it can. */
	check(request_format(&first, again, &len) == 0 && len <= size + 1);
	check(again[len - 1] == '\n' && !memchr(again, '\n', len - 1));
	check(request_parse(again, len - 1, &second, &reason) == 0);
	check(second.argc == first.argc && strcmp(second.verb, first.verb) == 0);
	check(!first.reply == !second.reply);
	check(!first.reply || strcmp(first.reply, second.reply) == 0);
	for (size_t i = 0; i < first.argc; i++)
		check(strcmp(first.argv[i], second.argv[i]) == 0);
	free(line);
	return 0;
}
