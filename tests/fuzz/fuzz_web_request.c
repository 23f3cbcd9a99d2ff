/* A request as the responder reads it from any stranger: the parser keeps its header's
 * promises, reads the same from any pieces, and no route does anything wrong with it. */
#include "probes/site.h"
#include "probes/web_request.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
	if (!condition)
		abort();
}

static bool inside(struct http_piece piece, const char *data, size_t size)
{
	return piece.length == 0 || (piece.at >= data && piece.at + piece.length <= data + size) ||
	       http_is(piece, "/");
}

/* A board with services in several states. */
static struct site *a_site(void)
{
	static struct site site;
	static const char names[][8] = {"web", "a.b-c@1", "x"};

	if (site.copies)
		return &site;
	check(board_create(&site.board, -1, 4) == 0);
	for (uint32_t i = 0; i < ARRAY_LEN(names); i++) {
		struct board_service *s = &site.board.services[i];
		s->used = s->enabled = 1;
		s->blocker = -1;
		strcpy(s->name, names[i]);
		s->m.state = (uint8_t)(STATE_RUNNING + i * 2);
		struct board_reading reading;
		memset(&reading, 0x7f, sizeof(reading));
		check(board_write_reading(&site.board, i, &reading) == 0);
		s->slice = i ? SLICE_THERE : SLICE_THERE | SLICE_MEASURED | SLICE_PAUSED;
	}
	site.board.head->count = ARRAY_LEN(names);
	site.dashboard = site.control = true;
	site.pulse = PULSE_ALIVE;
	site.measured = true;
	site.copies = calloc(4, sizeof(*site.copies));
	site.readings = calloc(4, sizeof(*site.readings));
	return &site;
}

static void answer(const struct http_request *request)
{
	static char *buffer;
	struct site *site = a_site();
	struct http_answer answer;
	struct responder_order order;
	size_t room = site_room(&site->board);

	if (!buffer)
		buffer = malloc(room);
	text_init(&answer.body, buffer, room);
	enum site_verdict verdict = site_answer(site, request, &answer, &order);
	check(verdict != SITE_NEEDS_PULSE && verdict != SITE_NEEDS_READINGS);
	if (verdict == SITE_ORDERED) {
		check(memchr(order.name, 0, sizeof(order.name)) && memchr(order.verb, 0, 16));
		check(memchr(order.token, 0, sizeof(order.token)) != NULL);
	} else {
		check(answer.status >= 200 && answer.status < 600 && !answer.body.cut);
		check(answer.body.used > 0 && answer.body.data[answer.body.used - 1] == '\n');
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_request request;
	size_t length = 0;

	/* A buffer of the exact size, so that the sanitizer sees a step too far. */
	char *copy = malloc(size ? size : 1);
	check(copy != NULL);
	if (size)
		memcpy(copy, data, size);
	int result = http_parse(copy, size, &request, &length);
	check(result == 0 || result == -EAGAIN || (result >= 400 && result <= 505));
	if (result == 0) {
		check(length > 0 && length <= size && copy[length - 1] == '\n');
		check(request.body <= HTTP_BODY_MAX && request.path.length > 0);
		check(inside(request.path, copy, length) && inside(request.query, copy, length) &&
		      inside(request.token, copy, length));
		answer(&request);
		/* A part of it is not whole, and good so far. */
		struct http_request part;
		size_t ignored;
		check(http_parse(copy, length - 1, &part, &ignored) == -EAGAIN);
		check(http_parse(copy, length / 2, &part, &ignored) == -EAGAIN);
	}
	free(copy);
	return 0;
}
