/* What the prober believes of PID 1's messages, and what it asks a server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "init/base.h"
#include "init/board.h"
#include "probe_message.h"
#include "probes/http_request.h"
#include "probes/prober_message.h"

#include <errno.h>
#include <string.h>

static void check(const struct prober_begin *begin, int result)
{
	assert_int_equal(prober_begin_check(begin, probe_message_size(begin)), result);
}

static void test_good(void **state)
{
	struct prober_begin *begin = probe_message();

	(void)state;
	check(begin, 0);
	begin->fallback = begin->target;
	begin->fallback.kind = CHECK_GRPC;
	check(begin, 0);
	begin->method = probe_message_text(begin, "POST");
	begin->headers = probe_message_text(begin, "A: b\r\nC: \r\n");
	begin->body = probe_message_text(begin, "any \r\n text");
	check(begin, 0);
	assert_string_equal(prober_text(begin, begin->method), "POST");
	assert_string_equal(prober_text(begin, 0), "");
}

static void test_sizes(void **state)
{
	struct prober_begin *begin = probe_message();
	size_t size = probe_message_size(begin);

	(void)state;
	for (size_t less = 0; less < size; less++)
		assert_int_equal(prober_begin_check(begin, less), -EINVAL);
	assert_int_equal(prober_begin_check(begin, size + 1), -EINVAL);
	begin->text[begin->size - 1] = 'x';
	check(begin, -EINVAL);
	begin = probe_message();
	begin->text[0] = 'x';
	check(begin, -EINVAL);
}

/* One thing is wrong with each. */
static void test_numbers(void **state)
{
	static const struct {
		size_t offset;
		uint32_t bad;
	} wrong[] = {
	    {offsetof(struct prober_begin, kind), PROBER_END},
	    {offsetof(struct prober_begin, check), PROBER_CHECKS},
	    {offsetof(struct prober_begin, interval), 0},
	    {offsetof(struct prober_begin, interval), UINT32_MAX},
	    {offsetof(struct prober_begin, timeout), 0},
	    {offsetof(struct prober_begin, timeout), UINT32_MAX},
	    {offsetof(struct prober_begin, initial_delay), UINT32_MAX},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct prober_begin *begin = probe_message();
		memcpy((char *)begin + wrong[i].offset, &wrong[i].bad, sizeof(wrong[i].bad));
		check(begin, -EINVAL);
	}
	struct prober_begin *begin = probe_message();
	begin->role = PROBE_ROLES;
	check(begin, -EINVAL);
	begin = probe_message();
	begin->health = HEALTH_FAILING + 1;
	check(begin, -EINVAL);
	begin = probe_message();
	begin->ranges = PROBE_RANGES + 1;
	check(begin, -EINVAL);
}

static void test_targets(void **state)
{
	static const struct {
		unsigned kind;
		const char *host;
		uint16_t port;
		const char *path;
		int result;
	} target[] = {
	    {CHECK_HTTP, "::1", 80, "/", 0},
	    {CHECK_HTTP, "", 80, "/", -EINVAL},
	    {CHECK_HTTP, "a", 0, "/", -EINVAL},
	    {CHECK_HTTP, "a", 80, "", -EINVAL},
	    {CHECK_HTTP, "a", 80, "x", -EINVAL},
	    {CHECK_HTTP, "a", 80, "/a b", -EINVAL},
	    {CHECK_HTTP, "a", 80, "/\r\nX: y", -EINVAL},
	    {CHECK_HTTP, "a\r\nX: y", 80, "/", -EINVAL},
	    {CHECK_TCP, "a", 1, "", 0},
	    {CHECK_TCP, "a", 0, "", -EINVAL},
	    {CHECK_GRPC, "a", 65535, "", 0},
	    {CHECK_GRPC, "", 65535, "", -EINVAL},
	    {CHECK_UNIX, "a", 1, "/", -EINVAL},
	    {CHECK_FILE, "a", 1, "/", -EINVAL},
	    {CHECK_NONE, "a", 1, "/", -EINVAL},
	    {CHECK_EXEC, "a", 1, "/", -EINVAL},
	    {CHECK_KINDS, "a", 1, "/", -EINVAL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(target); i++) {
		struct prober_begin *begin = probe_message();
		struct probe_target made = {
		    .kind = (uint16_t)target[i].kind, .port = target[i].port};
		made.host = probe_message_text(begin, target[i].host);
		made.path = probe_message_text(begin, target[i].path);
		begin->fallback = made;
		check(begin, target[i].kind == CHECK_NONE ? 0 : target[i].result);
		begin->fallback.kind = CHECK_NONE;
		begin->target = made;
		check(begin, target[i].result);
		begin->target.service = begin->size;
		check(begin, -EINVAL);
	}
}

static void test_texts(void **state)
{
	static const char *const bad[] = {
	    "A: b", "A: b\n", "A: b\r", "\r\n", "A: b\r\n\r\n", "A\rb\r\n", "A: b\r\nC: d"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct prober_begin *begin = probe_message();
		begin->headers = probe_message_text(begin, bad[i]);
		check(begin, -EINVAL);
	}
	struct prober_begin *begin = probe_message();
	begin->method = probe_message_text(begin, "GET /x");
	check(begin, -EINVAL);
	for (unsigned i = 0; i < 3; i++) {
		begin = probe_message();
		*(i == 0 ? &begin->method : i == 1 ? &begin->headers : &begin->body) = begin->size;
		check(begin, -EINVAL);
	}
}

/* --- requests ----------------------------------------------------------------------- */

static void check_request(const struct prober_begin *begin, const char *request)
{
	static char buffer[HTTP_REQUEST_SIZE];
	struct text text;

	check(begin, 0);
	text_init(&text, buffer, sizeof(buffer));
	http_request(&text, begin, &begin->target);
	assert_false(text.cut);
	assert_string_equal(buffer, request);
}

#define AGENT "User-Agent: sinit/" SINIT_VERSION "\r\n"

static void test_request(void **state)
{
	struct prober_begin *begin = probe_message();

	(void)state;
	check_request(begin, "GET /path HTTP/1.1\r\nHost: host:8080\r\n" AGENT
			     "Accept: */*\r\nConnection: close\r\n\r\n");
	begin->target.port = 80;
	begin->target.host = probe_message_text(begin, "::1");
	begin->method = probe_message_text(begin, "PUT");
	check_request(begin, "PUT /path HTTP/1.1\r\nHost: [::1]\r\n" AGENT
			     "Accept: */*\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
	begin->headers = probe_message_text(
	    begin, "X: Host: no\r\nHOST: a\r\nuser-agent: b\r\naccept: c\r\ncontent-length: 0\r\n");
	check_request(begin,
	    "PUT /path HTTP/1.1\r\nConnection: close\r\n"
	    "X: Host: no\r\nHOST: a\r\nuser-agent: b\r\naccept: c\r\ncontent-length: 0\r\n\r\n");
}

/* The longest that a message can ask for has room. */
static void test_request_room(void **state)
{
	static char buffer[HTTP_REQUEST_SIZE], path[HELPER_MESSAGE];
	struct prober_begin *begin = probe_message();
	struct text text;

	(void)state;
	size_t length = HELPER_MESSAGE - probe_message_size(begin) - 1;
	memset(path, '/', length);
	/* All texts may be the same one. */
	begin->target.path = begin->target.host = begin->method = probe_message_text(begin, path);
	check(begin, 0);
	assert_int_equal(probe_message_size(begin), HELPER_MESSAGE);
	text_init(&text, buffer, sizeof(buffer));
	http_request(&text, begin, &begin->target);
	assert_false(text.cut);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_good),
	    cmocka_unit_test(test_sizes),
	    cmocka_unit_test(test_numbers),
	    cmocka_unit_test(test_targets),
	    cmocka_unit_test(test_texts),
	    cmocka_unit_test(test_request),
	    cmocka_unit_test(test_request_room),
	};

	return cmocka_run_group_tests_name("prober messages", tests, NULL, NULL);
}
