/* The parser of HTTP requests: what is whole, what goes on, what is refused and how. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "probes/web_answer.h"
#include "probes/web_request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LINE "GET /health HTTP/1.1\r\n"
#define HOST "Host: x\r\n"
#define END  "\r\n"

/* In a buffer of just its size, so that the sanitizer sees a step too far. */
static int parse(const char *string, struct http_request *request, size_t *length)
{
	static char *copy;
	size_t size = strlen(string);

	free(copy);
	copy = malloc(size + 1);
	assert_non_null(copy);
	memmove(copy, string, size);
	copy = realloc(copy, size ? size : 1);
	return http_parse(copy, size, request, length);
}

static void assert_piece(struct http_piece piece, const char *string)
{
	if (!http_is(piece, string))
		fail_msg("\"%.*s\" is not \"%s\"", (int)piece.length, piece.at, string);
}

static struct http_request good(const char *string)
{
	struct http_request request;
	size_t length = 0;
	int error = parse(string, &request, &length);

	if (error)
		fail_msg("%d for:\n%s", error, string);
	assert_int_equal(length, strlen(string));
	return request;
}

static void test_pieces(void **state)
{
	(void)state;
	struct http_request r =
	    good("GET /a/b?c=1&d HTTP/1.1\r\nhOST:\t x \r\nAccept: */*\r\n" END);
	assert_int_equal(r.method, HTTP_GET);
	assert_piece(r.path, "/a/b");
	assert_piece(r.query, "c=1&d");
	assert_true(r.http11 && r.keep_alive && !r.expects && !r.origin);
	assert_int_equal(r.token.length, 0);
	assert_int_equal(r.body, 0);

	r = good("POST / HTTP/1.1\r\n" HOST "Authorization: bEARER   to.k=en \r\n"
		 "Content-Length: 4096\r\nExpect: 100-Continue\r\nOrigin: null\r\n" END);
	assert_int_equal(r.method, HTTP_POST);
	assert_piece(r.token, "to.k=en");
	assert_int_equal(r.body, 4096);
	assert_true(r.expects && r.origin);

	assert_int_equal(good("HEAD / HTTP/1.1\r\n" HOST END).method, HTTP_HEAD);
	assert_int_equal(good("get / HTTP/1.1\r\n" HOST END).method, HTTP_OTHER);
	assert_int_equal(good("M-SEARCH * HTTP/1.1\r\n" HOST END).method, HTTP_OTHER);
	assert_int_equal(good(LINE HOST "Authorization: Basic eA==\r\n" END).token.length, 0);
	assert_int_equal(good(LINE HOST "Content-Length: 0000000000000000012\r\n" END).body, 12);
	/* Empty lines before it, and lines that end in LF alone. */
	assert_piece(good("\r\n\n\r\n" LINE HOST END).path, "/health");
	assert_piece(good("GET /x HTTP/1.1\nHost: x\n\n").path, "/x");
}

static void test_targets(void **state)
{
	static const struct {
		const char *target, *path, *query;
	} rows[] = {
	    {"http://example.org/health?x", "/health", "x"},
	    {"HTTPS://[::1]:80/../x", "/../x", ""},
	    {"http://example.org", "/", ""},
	    {"http://example.org?q", "/", "q"},
	    {"/?", "/", ""},
	    {"/%zz?a?b", "/%zz", "a?b"},
	    {"*", "*", ""},
	    {"//x", "//x", ""},
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char buffer[128];
		struct text text;
		text_init(&text, buffer, sizeof(buffer));
		text_addf(&text, "GET %s HTTP/1.1\r\n" HOST END, rows[i].target);
		struct http_request r = good(buffer);
		assert_piece(r.path, rows[i].path);
		assert_piece(r.query, rows[i].query);
	}
}

static void test_connection(void **state)
{
	(void)state;
	assert_false(good(LINE HOST "Connection: close\r\n" END).keep_alive);
	assert_false(good(LINE HOST "Connection: x,  CLOSE ,y\r\n" END).keep_alive);
	assert_true(good(LINE HOST "Connection: closed\r\n" END).keep_alive);
	assert_true(good(LINE HOST "Connection: ,\r\n" END).keep_alive);
	struct http_request r = good("GET / HTTP/1.0\r\n" END);
	assert_false(r.http11 || r.keep_alive);
	assert_true(good("GET / HTTP/1.0\r\nConnection: keep-alive\r\n" END).keep_alive);
	assert_false(good("GET / HTTP/1.0\r\nExpect: 100-continue\r\n" END).expects);
	assert_true(good("GET / HTTP/1.7\r\n" HOST END).http11);
}

static void test_refused(void **state)
{
	static const struct {
		int status;
		const char *request;
	} rows[] = {
	    {400, "\x16\x03\x01"},
	    {400, "GET / HTTP/1.1\rX"},
	    {400, "GET\r\n"},
	    {400, "GET /\r\n"},
	    {400, " GET / HTTP/1.1\r\n"},
	    {400, "GET  / HTTP/1.1\r\n"},
	    {400, "GET / HTTP/1.1 \r\n"},
	    {400, "GET / HTTP/1.10\r\n"},
	    {400, "GET / http/1.1\r\n"},
	    {400, "GET /#a HTTP/1.1\r\n"},
	    {400, "GET /\xc3\xa9 HTTP/1.1\r\n"},
	    {400, "GET x HTTP/1.1\r\n"},
	    {400, "GET http:// HTTP/1.1\r\n"},
	    {400, "GET http:///x HTTP/1.1\r\n"},
	    {400, "GET ** HTTP/1.1\r\n"},
	    {400, "G(T / HTTP/1.1\r\n"},
	    {505, "GET / HTTP/2.0\r\n"},
	    {505, "GET / HTTP/0.9\r\n"},
	    {400, LINE END},
	    {400, LINE HOST HOST END},
	    {400, LINE HOST "x\r\n"},
	    {400, LINE HOST ": x\r\n"},
	    {400, LINE HOST "A : x\r\n"},
	    {400, LINE HOST " A: x\r\n"},
	    {400, LINE HOST "A: x\r\n\tfolded\r\n"},
	    {400, LINE HOST "A: \x01\r\n"},
	    {400, LINE HOST "A: \x7f\r\n"},
	    {400, LINE HOST "Content-Length:\r\n"},
	    {400, LINE HOST "Content-Length: +1\r\n"},
	    {400, LINE HOST "Content-Length: 1, 1\r\n"},
	    {400, LINE HOST "Content-Length: 99999999999999999999x\r\n"},
	    {400, LINE HOST "Content-Length: 1\r\ncontent-length: 1\r\n"},
	    {413, LINE HOST "Content-Length: 4097\r\n" END},
	    {413, LINE HOST "Content-Length: 99999999999999999999999999999999\r\n" END},
	    {413, LINE HOST "Content-Length: 4294967296\r\n" END},
	    {411, LINE HOST "Transfer-Encoding: chunked\r\n"},
	    {400, "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n"},
	    {417, LINE HOST "Expect: x\r\n"},
	    {400, LINE HOST "Authorization: Bearer a\r\nAuthorization: Bearer b\r\n"},
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct http_request request;
		size_t length;
		int error = parse(rows[i].request, &request, &length);
		if (error != rows[i].status)
			fail_msg("%d, not %d, for:\n%s", error, rows[i].status, rows[i].request);
	}
}

static void test_every_beginning_goes_on(void **state)
{
	static const char whole[] = "\r\nPOST /a?b HTTP/1.1\r\n" HOST "Content-Length: 3\r\n"
				    "Connection: close\r\n" END;
	(void)state;

	for (size_t size = 0; size < sizeof(whole) - 1; size++) {
		char part[sizeof(whole)];
		struct http_request request;
		size_t length;
		memcpy(part, whole, size);
		part[size] = '\0';
		assert_int_equal(parse(part, &request, &length), -EAGAIN);
	}
	assert_int_equal(good(whole).body, 3);
}

static int decode(const char *string, char *buffer, size_t size)
{
	return http_decode((struct http_piece){string, strlen(string)}, buffer, size);
}

static void test_decode(void **state)
{
	char buffer[8];
	(void)state;

	assert_int_equal(decode("a%41%2e.%2F", buffer, sizeof(buffer)), 0);
	assert_string_equal(buffer, "aA../");
	assert_int_equal(decode("", buffer, sizeof(buffer)), 0);
	assert_string_equal(buffer, "");
	assert_int_equal(decode("1234567", buffer, sizeof(buffer)), 0);
	assert_int_equal(decode("12345678", buffer, sizeof(buffer)), -E2BIG);
	assert_int_equal(decode("", buffer, 0), -E2BIG);
	static const char *const bad[] = {"%", "%4", "%4g", "%g4", "%00", "%1f", "%7f", "a%"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(decode(bad[i], buffer, sizeof(buffer)), -EINVAL);
}

static int query(const char *string, uint32_t *number)
{
	return http_query_number((struct http_piece){string, strlen(string)}, "limit", number);
}

static void test_query(void **state)
{
	uint32_t number = 0;
	(void)state;

	assert_int_equal(query("limit=12", &number), 0);
	assert_int_equal(number, 12);
	assert_int_equal(query("x=1&limit=7&limit=8", &number), 0);
	assert_int_equal(number, 7);
	assert_int_equal(query("", &number), -ENOENT);
	assert_int_equal(query("limits=1&xlimit=2&&=", &number), -ENOENT);
	assert_int_equal(query("limit", &number), -EINVAL);
	assert_int_equal(query("limit=", &number), -EINVAL);
	assert_int_equal(query("limit=-1", &number), -EINVAL);
	assert_int_equal(query("limit=4294967296", &number), -ERANGE);
	assert_int_equal(query("limit=99999999999999999999", &number), -ERANGE);
}

static void test_answer_head(void **state)
{
	char buffer[HTTP_ANSWER_HEAD], body[8], date[HTTP_DATE];
	struct http_answer answer = {.status = 405, .type = "text/plain", .more = "Allow: GET\r\n"};
	struct text text;
	(void)state;

	http_date(date, 784111777);
	assert_string_equal(date, "Sun, 06 Nov 1994 08:49:37 GMT");
	text_init(&answer.body, body, sizeof(body));
	text_add(&answer.body, "hello");
	text_init(&text, buffer, sizeof(buffer));
	http_answer_head(&text, &answer, date, true, true);
	assert_string_equal(buffer,
	    "HTTP/1.1 405 Method Not Allowed\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
	    "Content-Type: text/plain\r\nContent-Length: 5\r\nCache-Control: no-store\r\n"
	    "X-Content-Type-Options: nosniff\r\nAllow: GET\r\n\r\n");
	text_init(&text, buffer, sizeof(buffer));
	http_answer_head(&text, &answer, date, true, false);
	assert_non_null(strstr(buffer, "\r\nConnection: close\r\n\r\n"));
	text_init(&text, buffer, sizeof(buffer));
	http_answer_head(&text, &answer, date, false, true);
	assert_non_null(strstr(buffer, "\r\nConnection: keep-alive\r\n\r\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_pieces),
	    cmocka_unit_test(test_targets),
	    cmocka_unit_test(test_connection),
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_every_beginning_goes_on),
	    cmocka_unit_test(test_decode),
	    cmocka_unit_test(test_query),
	    cmocka_unit_test(test_answer_head),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
