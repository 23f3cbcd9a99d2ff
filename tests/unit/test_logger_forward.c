/* What the logger sends to another machine: lines that are whole, and a count of those that are
 * lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/logger_lab.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	LINE = 128,       /* bytes of each of the many lines, about */
	SOME = 200,       /* lines: fewer than are on their way at a time */
	LITTLE = 8192,    /* bytes that a connection holds, about */
	PATIENCE = 20000, /* ms until a test gives up */
};

static struct logger_lab lab;
static struct logger *logger;
static char content[LOGLAB_BYTES];

static int set_up(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	loglab_make(&lab);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	loglab_stop(logger);
	loglab_free(&lab);
	return 0;
}

static void start(void)
{
	loglab_add(&lab, &(struct loglab_stream){.name = "one"});
	logger = loglab_start(&lab);
	loglab_recover(logger);
}

static struct stream *one(void)
{
	return &logger->stream[0];
}

static void send_message(const char *text)
{
	assert_int_equal(send(lab.syslog[1], text, strlen(text), 0), strlen(text));
}

static int listen_here(bool waits)
{
	struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	int low = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), little = LITTLE;
	int fd = fcntl(low, F_DUPFD_CLOEXEC, LOGLAB_ABOVE);

	assert_return_code(fd, errno);
	close(low);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &little, sizeof(little));
	assert_return_code(bind(fd, (struct sockaddr *)&address, size), errno);
	assert_return_code(getsockname(fd, (struct sockaddr *)&address, &size), errno);
	assert_return_code(waits ? listen(fd, 4) : 0, errno);
	lab.forward_port = ntohs(address.sin_port);
	lab.forward_tcp = true;
	return fd;
}

/* Turns until the logger is connected. */
static int accept_logger(int listener)
{
	struct pollfd ready = {.fd = listener, .events = POLLIN};
	int fd;

	forward_turn(logger);
	assert_int_equal(poll(&ready, 1, PATIENCE), 1);
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	assert_return_code(fd, errno);
	forward_ready(logger, 0);
	return fd;
}

/* It tries, and is refused. */
static void be_refused(void)
{
	struct logger_message message;

	forward_turn(logger);
	forward_ready(logger, 0);
	assert_true(loglab_heard(&lab, LOGGER_FORWARD, &message));
	assert_int_equal(message.error, ECONNREFUSED);
}

/* The logger's own end of a connection. */
static int find_other_end(int fd)
{
	struct sockaddr_in wanted, address;
	socklen_t size = sizeof(wanted);

	assert_return_code(getpeername(fd, (struct sockaddr *)&wanted, &size), errno);
	for (int other = 0; other < 1024; other++) {
		size = sizeof(address);
		if (getsockname(other, (struct sockaddr *)&address, &size) == 0 &&
		    address.sin_family == AF_INET && address.sin_port == wanted.sin_port)
			return other;
	}
	fail_msg("it is not connected");
	return -1;
}

static void say_numbers(int from, int to)
{
	char line[LINE + 8];

	for (int i = from; i < to; i++) {
		snprintf(line, sizeof(line), "number %08d %*s\n", i, LINE - 18, "end");
		loglab_print(&lab, 0, line);
	}
	while (take(logger, one()) > 0)
		put(logger, one());
}

/* All that is sent on a connection while it is read; bytes, behind `used` of content. */
static size_t read_all(int fd, int other, size_t used)
{
	struct pollfd ready = {.fd = fd, .events = POLLIN};
	int waiting = 1;
	ssize_t count;

	for (;;) {
		while ((count = read(fd, content + used, sizeof(content) - used - 1)) > 0)
			used += (size_t)count;
		content[used] = '\0';
		assert_return_code(ioctl(other, SIOCOUTQ, &waiting), errno);
		if (!waiting && !loglab_waiting(fd))
			return used;
		poll(&ready, 1, 10);
	}
}

/* Lines come in the right order, each of them whole; the number of the
 * first, and behind the last. */
static void check_numbers(const char *text, int *ret_from, int *ret_to)
{
	int next = -1, number;

	for (const char *at = text, *newline; *at; at = newline + 1) {
		newline = strchr(at, '\n');
		assert_non_null(newline);
		assert_memory_equal(newline - 3, "end", 3);
		at = strstr(at, "number ");
		assert_true(at && at < newline && sscanf(at, "number %d", &number) == 1);
		assert_true(next < 0 || number == next);
		if (next < 0)
			*ret_from = number;
		next = number + 1;
	}
	*ret_to = next;
}

/* All that is to be forwarded comes by a new connection, which is closed then. */
static void take_all(int listener, int *ret_from, int *ret_to)
{
	int fd = accept_logger(listener), other = find_other_end(fd);
	size_t used = 0;

	while (!forward_is_out(logger)) {
		forward_turn(logger);
		used = read_all(fd, other, used);
	}
	check_numbers(content, ret_from, ret_to);
	close(fd);
}

static void test_connection_is_cut(void **state)
{
	int listener = listen_here(true), fd, other, little = 1, from, to, all = 300;
	size_t used;
	char *newline;

	(void)state;
	start();
	say_numbers(0, all);
	fd = accept_logger(listener);
	other = find_other_end(fd);
	assert_return_code(
	    setsockopt(other, SOL_SOCKET, SO_SNDBUF, &little, sizeof(little)), errno);
	forward_turn(logger);
	assert_false(forward_is_out(logger));
	used = read_all(fd, other, 0);
	assert_true(used > 0 && content[used - 1] != '\n');
	newline = memrchr(content, '\n', used);
	newline[1] = '\0'; /* half a line */
	check_numbers(content, &from, &to);
	assert_int_equal(from, 0);
	assert_in_range(to, 1, all - 1);
	close(fd);
	forward_ready(logger, EPOLLIN);
	logger->now += 60000;
	from = to;
	take_all(listener, &little, &to);
	assert_int_equal(little, from);
	assert_int_equal(to, all);
	close(listener);
}

/* Lines that nobody takes go when the ring is full: as many as are told. */
static void test_nobody_listens(void **state)
{
	int listener = listen_here(false), from, to, all = 3 * STORE_RING / LINE;
	struct logger_message message = {0};

	(void)state;
	start();
	say_numbers(0, 16);
	be_refused();
	for (int i = 16; i < all; i += 16)
		say_numbers(i, i + 16);
	assert_return_code(listen(listener, 4), errno);
	logger->now += 60000;
	take_all(listener, &from, &to);
	assert_int_equal(to, all);
	assert_true(from > STORE_RING / LINE);
	assert_true(loglab_heard(&lab, LOGGER_FORWARD, &message));
	assert_int_equal(message.error, 0);
	assert_int_equal(message.count, from);
	close(listener);
}

/* Of what was on its way when a logger was killed the next one has the
 * rest of a line in its ring. */
static void test_killed_while_it_sends(void **state)
{
	int listener = listen_here(true), fd, little = 1, from, to, all = STORE_RING / LINE + SOME;
	struct logger_message message = {0};

	(void)state;
	start();
	loglab_print(&lab, 0, "of another length\n");
	say_numbers(0, STORE_RING / LINE - 1);
	fd = accept_logger(listener);
	assert_return_code(
	    setsockopt(find_other_end(fd), SOL_SOCKET, SO_SNDBUF, &little, sizeof(little)), errno);
	forward_turn(logger);
	say_numbers(STORE_RING / LINE - 1, all);
	close(fd);
	loglab_stop(logger);
	while (loglab_heard(&lab, LOGGER_FORWARD, &message))
		;
	logger = loglab_start(&lab);
	loglab_recover(logger);
	take_all(listener, &from, &to);
	assert_int_equal(to, all);
	assert_in_range(from, SOME / 2, SOME);
	assert_true(loglab_heard(&lab, LOGGER_FORWARD, &message));
	assert_true(message.count > 0);
	close(listener);
}

/* Messages of /dev/log go into the ring by another way. */
static void test_messages_that_nobody_takes(void **state)
{
	int listener = listen_here(false), from, to, all = 2 * STORE_RING / LINE;
	struct logger_message message = {0};
	char line[LINE + 8];

	(void)state;
	loglab_add(&lab, &(struct loglab_stream){.name = "", .kind = STORE_SYSLOG});
	loglab_make_syslog(&lab, 0);
	logger = loglab_start(&lab);
	loglab_recover(logger);
	for (int i = 0; i < all; i++) {
		snprintf(line, sizeof(line), "<30>tag[7]: number %08d %*s", i, LINE - 40, "end");
		send_message(line);
		syslog_ready(logger);
		if (i == 0)
			be_refused();
		put(logger, one());
	}
	assert_return_code(listen(listener, 4), errno);
	logger->now += 60000;
	take_all(listener, &from, &to);
	assert_int_equal(to, all);
	assert_true(from > 0);
	while (loglab_heard(&lab, LOGGER_FORWARD, &message))
		;
	assert_int_equal(message.count, from);
	close(listener);
}

#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_connection_is_cut),
	    TEST(test_nobody_listens),
	    TEST(test_killed_while_it_sends),
	    TEST(test_messages_that_nobody_takes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
