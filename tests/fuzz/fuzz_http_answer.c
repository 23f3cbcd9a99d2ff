/* What a server says to an http check: it stays inside its limits, has one result, and that
 * is the same in whatever pieces the bytes come.
 *
 * The first byte is the size of the pieces, and says whether a text is looked for. */
#include "probes/http_answer.h"
#include "probes/search.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
	if (!condition)
		abort();
}

static const char wanted[] = "ok ok!";

static struct http_answer answer(const struct prober_begin *begin, const uint16_t *table,
    const uint8_t *bytes, size_t size, size_t piece)
{
	struct http_answer made;

	http_answer_init(&made, begin, table);
	for (size_t at = 0; at < size && !made.done; at += piece) {
		size_t part = piece < size - at ? piece : size - at;
		/* Of the exact size, so that the sanitizer sees a step too far. */
		char *copy = malloc(part);
		check(copy != NULL);
		memcpy(copy, bytes + at, part);
		check(http_answer_feed(&made, copy, part) == made.done);
		free(copy);
		check(made.head <= HTTP_ANSWER_HEAD && made.body <= HTTP_ANSWER_BODY);
	}
	bool done = made.done;
	struct http_answer before = made;
	http_answer_end(&made, 0);
	check(made.done && made.fault < FAULT_COUNT);
	check(!done || (made.fault == before.fault && made.detail == before.detail));
	return made;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_Alignas(8) char buffer[sizeof(struct prober_begin) + 1 + sizeof(wanted)] = {0};
	struct prober_begin *begin = (void *)buffer;
	uint16_t table[sizeof(wanted)];

	if (size < 1)
		return 0;
	begin->ranges = 1;
	begin->status[0].least = 200;
	begin->status[0].most = 399;
	begin->size = 1 + sizeof(wanted);
	begin->body = data[0] & 1;
	memcpy(begin->text + 1, wanted, sizeof(wanted));
	search_table(wanted, sizeof(wanted) - 1, table);
	struct http_answer whole = answer(begin, table, data + 1, size - 1, size);
	struct http_answer parts = answer(begin, table, data + 1, size - 1, 1 + data[0] / 2);
	check(whole.fault == parts.fault && whole.detail == parts.detail);
	return 0;
}
