/* Answers of http and grpc checks, whole and in pieces of every size. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "init/base.h"
#include "probe_message.h"
#include "probes/grpc_message.h"
#include "probes/http_answer.h"
#include "probes/prober_message.h"
#include "probes/search.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- http --------------------------------------------------------------------------- */

enum { NOT_YET = -1, TEXT = 256 };

/* The fault once all was fed in pieces of `piece` bytes; NOT_YET: it wants more. */
static int feed(struct http_answer *answer, const struct prober_begin *begin, const uint16_t *table,
    const char *bytes, size_t size, size_t piece)
{
	http_answer_init(answer, begin, table);
	for (size_t at = 0; at < size; at += piece) {
		/* On the heap and of the exact size, for the sanitizer. */
		size_t part = piece < size - at ? piece : size - at;
		char *copy = malloc(part);
		assert_non_null(copy);
		memcpy(copy, bytes + at, part);
		bool done = http_answer_feed(answer, copy, part);
		free(copy);
		assert_int_equal(done, answer->done);
		if (done)
			return answer->fault;
	}
	return NOT_YET;
}

/* `fed` after all bytes, `ended` when the connection then ends. */
static void check_bytes(const char *bytes, size_t size, const char *body, int fed,
    enum probe_fault ended, int32_t detail)
{
	struct prober_begin *begin = probe_message();
	uint16_t table[TEXT];
	struct http_answer answer;

	begin->body = probe_message_text(begin, body);
	search_table(body, strlen(body), table);
	for (size_t piece = 1; piece <= size; piece += piece < 40 ? 1 : size / 5 + 1) {
		assert_int_equal(feed(&answer, begin, table, bytes, size, piece), fed);
		http_answer_end(&answer, 0);
		assert_true(answer.done);
		assert_int_equal(answer.fault, ended);
		assert_int_equal(answer.detail, detail);
	}
}

static void check(
    const char *bytes, const char *body, int fed, enum probe_fault ended, int32_t detail)
{
	check_bytes(bytes, strlen(bytes), body, fed, ended, detail);
}

#define OK_HEAD "HTTP/1.1 200 OK\r\n"

static void test_head(void **state)
{
	(void)state;
	check(OK_HEAD "\r\n", "", FAULT_NONE, FAULT_NONE, 0);
	check(OK_HEAD "A: b\r\n\r\nmore", "", FAULT_NONE, FAULT_NONE, 0);
	check("HTTP/1.0 399 X\n\n", "", FAULT_NONE, FAULT_NONE, 0);
	check("HTTP/1.1 400 X\r\n\r\n", "", FAULT_STATUS, FAULT_STATUS, 400);
	check("HTTP/1.1 199 X\r\n\r\n", "", NOT_YET, FAULT_CLOSED, 0);
	check("HTTP/1.1 101 X\r\n\r\n", "", FAULT_STATUS, FAULT_STATUS, 101);
	check("HTTP/1.1 100 X\r\n\r\n" OK_HEAD "\r\n", "", FAULT_NONE, FAULT_NONE, 0);
	check("HTTP/1.1 103 X\r\nLink: a\r\n\r\nHTTP/1.1 500 Y\r\n\r\n", "", FAULT_STATUS,
	    FAULT_STATUS, 500);
	check(OK_HEAD, "", NOT_YET, FAULT_CLOSED, 0);
	check("H", "", NOT_YET, FAULT_CLOSED, 0);
	check("hello", "", FAULT_PROTOCOL, FAULT_PROTOCOL, 0);
	check("HTTP/1.1 2000 OK\r\n\r\n", "", FAULT_PROTOCOL, FAULT_PROTOCOL, 0);
}

static void test_body(void **state)
{
	(void)state;
	check(OK_HEAD "\r\nhay needle hay", "needle", FAULT_NONE, FAULT_NONE, 0);
	check(OK_HEAD "\r\nhay nedle hay", "needle", NOT_YET, FAULT_BODY, 0);
	check(OK_HEAD "Content-Length: 3\r\n\r\nhay needle", "needle", FAULT_BODY, FAULT_BODY, 0);
	check(OK_HEAD "Content-Length: 30\r\n\r\nhay", "needle", NOT_YET, FAULT_CLOSED, 0);
	check(OK_HEAD "Transfer-Encoding: chunked\r\n\r\n3\r\nnee\r\n3;a=b\r\ndle\r\n", "needle",
	    FAULT_NONE, FAULT_NONE, 0);
	check(OK_HEAD "Transfer-Encoding: chunked\r\n\r\n3\r\nnee\r\n0\r\nA: b\r\n\r\n", "needle",
	    FAULT_BODY, FAULT_BODY, 0);
	check(OK_HEAD "Needle: needle\r\n\r\n", "needle", NOT_YET, FAULT_BODY, 0);
	check("HTTP/1.1 100 X\r\n\r\n" OK_HEAD "\r\nneedle", "needle", FAULT_NONE, FAULT_NONE, 0);
}

/* The limits are the same whatever the size of the pieces. */
static void test_limits(void **state)
{
	static char bytes[HTTP_ANSWER_HEAD + HTTP_ANSWER_BODY + 100];
	size_t head = strlen(OK_HEAD);

	(void)state;
	memset(bytes, 'x', sizeof(bytes));
	memcpy(bytes, OK_HEAD "A: ", head + 3);
	memcpy(bytes + HTTP_ANSWER_HEAD - 4, "\r\n\r\n", 4);
	check_bytes(bytes, HTTP_ANSWER_HEAD, "", FAULT_NONE, FAULT_NONE, 0);
	memcpy(bytes + HTTP_ANSWER_HEAD + HTTP_ANSWER_BODY - 3, "end", 3);
	check_bytes(bytes, HTTP_ANSWER_HEAD + HTTP_ANSWER_BODY, "end", FAULT_NONE, FAULT_NONE, 0);
	memcpy(bytes + HTTP_ANSWER_HEAD + HTTP_ANSWER_BODY - 3, "xend", 4);
	check_bytes(
	    bytes, HTTP_ANSWER_HEAD + HTTP_ANSWER_BODY + 1, "end", FAULT_BODY, FAULT_BODY, 0);
	memcpy(bytes + HTTP_ANSWER_HEAD - 4, "x\r\n\r\n", 5);
	check_bytes(
	    bytes, HTTP_ANSWER_HEAD + 1, "", FAULT_TOO_LONG, FAULT_TOO_LONG, HTTP_ANSWER_HEAD);
}

static void test_end(void **state)
{
	struct prober_begin *begin = probe_message();
	struct http_answer answer;

	(void)state;
	http_answer_init(&answer, begin, NULL);
	http_answer_end(&answer, 0);
	assert_int_equal(answer.fault, FAULT_CLOSED);
	http_answer_init(&answer, begin, NULL);
	http_answer_end(&answer, ECONNRESET);
	assert_int_equal(answer.fault, FAULT_CLOSED);
	assert_int_equal(answer.detail, ECONNRESET);
	begin->method = probe_message_text(begin, "HEAD");
	begin->body = probe_message_text(begin, "x");
	uint16_t table[1];
	search_table("x", 1, table);
	assert_int_equal(
	    feed(&answer, begin, table, OK_HEAD "\r\n", strlen(OK_HEAD) + 2, 5), FAULT_BODY);
}

/* --- grpc --------------------------------------------------------------------------- */

static void test_grpc_request(void **state)
{
	uint8_t buffer[GRPC_REQUEST];
	char name[GRPC_SERVICE + 2];

	(void)state;
	assert_int_equal(grpc_request("", buffer), 5);
	assert_memory_equal(buffer, "\0\0\0\0\0", 5);
	assert_int_equal(grpc_request("a.B", buffer), 10);
	assert_memory_equal(buffer, "\0\0\0\0\5\x0a\3a.B", 10);
	memset(name, 'x', sizeof(name));
	name[127] = '\0';
	assert_int_equal(grpc_request(name, buffer), 5 + 2 + 127);
	name[127] = 'x';
	name[300] = '\0';
	assert_int_equal(grpc_request(name, buffer), 5 + 3 + 300);
	assert_memory_equal(buffer, "\0\0\0\x01\x2f\x0a\xac\2x", 9);
	name[300] = 'x';
	name[GRPC_SERVICE] = '\0';
	assert_int_equal(grpc_request(name, buffer), GRPC_REQUEST);
	name[GRPC_SERVICE] = 'x';
	name[GRPC_SERVICE + 1] = '\0';
	assert_int_equal(grpc_request(name, buffer), -ENAMETOOLONG);
}

static void check_response(const char *bytes, size_t size, int result, int32_t status)
{
	uint8_t *copy = malloc(size ? size : 1);
	int32_t got = -7;

	assert_non_null(copy);
	memcpy(copy, bytes, size);
	assert_int_equal(grpc_response(copy, size, &got), result);
	assert_int_equal(got, result == 0 ? status : -7);
	free(copy);
}

#define RESPONSE(bytes, result, status) check_response(bytes, sizeof(bytes) - 1, result, status)

static void test_grpc_response(void **state)
{
	(void)state;
	RESPONSE("\0\0\0\0\2\x08\1", 0, 1);
	RESPONSE("\0\0\0\0\0", 0, 0);
	RESPONSE("\0\0\0\0\3\x08\x82\0", 0, 2);
	RESPONSE("\0\0\0\0\4\x08\1\x08\2", 0, 2);   /* the last one counts */
	RESPONSE("\0\0\0\0\6\x12\2ab\x08\1", 0, 1); /* a field of a later version */
	RESPONSE("\0\0\0\0\x10\x1d\1\2\3\4\x21\1\2\3\4\5\6\7\x8\x8\1", 0, 1);
	RESPONSE("\0\0\0\0\2\x0a\0", 0, 0); /* field 1 of another type is not the status */
	RESPONSE("", -EPROTO, 0);
	RESPONSE("\0\0\0\0", -EPROTO, 0);
	RESPONSE("\1\0\0\0\2\x08\1", -EPROTO, 0);
	RESPONSE("\0\0\0\0\3\x08\1", -EPROTO, 0);
	RESPONSE("\0\0\0\0\1\x08\1", -EPROTO, 0);
	RESPONSE("\0\0\0\0\1\x08", -EPROTO, 0);
	RESPONSE("\0\0\0\0\2\x08\x80", -EPROTO, 0);
	RESPONSE("\0\0\0\0\2\x12\2", -EPROTO, 0);
	RESPONSE("\0\0\0\0\2\x1d\2", -EPROTO, 0);
	RESPONSE("\0\0\0\0\1\x0b", -EPROTO, 0);
	RESPONSE("\0\0\0\0\xb\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\1", -EPROTO, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_head),
	    cmocka_unit_test(test_body),
	    cmocka_unit_test(test_limits),
	    cmocka_unit_test(test_end),
	    cmocka_unit_test(test_grpc_request),
	    cmocka_unit_test(test_grpc_response),
	};

	return cmocka_run_group_tests_name("answers of probes", tests, NULL, NULL);
}
