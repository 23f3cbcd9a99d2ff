#include "probes/http_answer.h"

#include "probes/prober_message.h"
#include "probes/search.h"

#include <string.h>

enum { STOP = -1, GO_ON = 0, NO_BODY = 1 }; /* what http-parser's callbacks answer */

enum { SWITCHING_PROTOCOLS = 101, FIRST_FINAL = 200 };

static int finish(struct http_answer *answer, enum probe_fault fault, int32_t detail)
{
	if (!answer->done) {
		answer->done = true;
		answer->fault = (uint8_t)fault;
		answer->detail = detail;
	}
	return STOP;
}

/* 100 and its like, after which the answer proper comes. After 101 none does. */
static bool is_interim(const struct http_parser *parser)
{
	return parser->status_code < FIRST_FINAL && parser->status_code != SWITCHING_PROTOCOLS;
}

static bool expected(const struct prober_begin *begin, unsigned status)
{
	for (unsigned i = 0; i < begin->ranges; i++)
		if (status >= begin->status[i].least && status <= begin->status[i].most)
			return true;
	return false;
}

static const char *wanted(const struct http_answer *answer)
{
	return prober_text(answer->begin, answer->begin->body);
}

static int on_head(struct http_parser *parser)
{
	struct http_answer *answer = parser->data;

	if (is_interim(parser))
		return NO_BODY;
	if (!expected(answer->begin, parser->status_code))
		return finish(answer, FAULT_STATUS, parser->status_code);
	if (!*wanted(answer))
		return finish(answer, FAULT_NONE, 0);
	if (strcmp(prober_text(answer->begin, answer->begin->method), "HEAD") == 0)
		return finish(answer, FAULT_BODY, 0);
	answer->in_body = true;
	return GO_ON;
}

static int on_body(struct http_parser *parser, const char *bytes, size_t size)
{
	struct http_answer *answer = parser->data;
	const char *text = wanted(answer);
	size_t room = HTTP_ANSWER_BODY - answer->body;

	if (size > room)
		size = room;
	answer->body += (uint32_t)size;
	if (search_feed(text, strlen(text), answer->table, &answer->matched, bytes, size))
		return finish(answer, FAULT_NONE, 0);
	return answer->body == HTTP_ANSWER_BODY ? finish(answer, FAULT_BODY, 0) : GO_ON;
}

static int on_end(struct http_parser *parser)
{
	return is_interim(parser) ? GO_ON : finish(parser->data, FAULT_BODY, 0);
}

static const struct http_parser_settings callbacks = {
    .on_headers_complete = on_head,
    .on_body = on_body,
    .on_message_complete = on_end,
};

void http_answer_init(
    struct http_answer *answer, const struct prober_begin *begin, const uint16_t *table)
{
	*answer = (struct http_answer){.begin = begin, .table = table};
	http_parser_init(&answer->parser, HTTP_RESPONSE);
	answer->parser.data = answer;
}

/* As much as the head may still have; the body is counted by itself. */
static size_t portion(const struct http_answer *answer, size_t size)
{
	size_t room = HTTP_ANSWER_HEAD - answer->head;

	return answer->in_body || size < room ? size : room;
}

bool http_answer_feed(struct http_answer *answer, const char *bytes, size_t size)
{
	while (size > 0 && !answer->done) {
		size_t part = portion(answer, size);
		size_t taken = http_parser_execute(&answer->parser, &callbacks, bytes, part);
		if (answer->done)
			break;
		if (taken != part || answer->parser.http_errno != HPE_OK) {
			finish(answer, FAULT_PROTOCOL, 0);
			break;
		}
		if (!answer->in_body)
			answer->head += (uint32_t)part;
		if (answer->head == HTTP_ANSWER_HEAD && !answer->in_body)
			finish(answer, FAULT_TOO_LONG, HTTP_ANSWER_HEAD);
		bytes += part;
		size -= part;
	}
	return answer->done;
}

void http_answer_end(struct http_answer *answer, int error)
{
	/* A body without a length ends with the connection: the parser knows. */
	if (!answer->done && !error)
		http_parser_execute(&answer->parser, &callbacks, "", 0);
	finish(answer, FAULT_CLOSED, error);
}
