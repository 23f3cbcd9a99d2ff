/* One probe: names, connections, the time they may take, and the fallback. */
#include "init/clock.h"
#include "probes/prober.h"
#include "probes/prober_message.h"

#include <errno.h>
#include <netdb.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static const struct protocol tcp_protocol = {0};

static const struct protocol *const protocols[CHECK_KINDS] = {
    [CHECK_HTTP] = &http_protocol,
    [CHECK_TCP] = &tcp_protocol,
    [CHECK_GRPC] = &grpc_protocol,
};

const struct probe_target *probe_target(const struct check *check)
{
	return check->fallback ? &check->begin->fallback : &check->begin->target;
}

static const struct protocol *protocol_of(const struct check *check)
{
	return protocols[probe_target(check)->kind];
}

bool probe_own_fault(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS;
}

enum talk probe_closed(struct probe_outcome *ret, int error)
{
	*ret =
	    (struct probe_outcome){probe_own_fault(error) ? FAULT_INTERNAL : FAULT_CLOSED, error};
	return TALK_OVER;
}

/* --- the end of a try --------------------------------------------------------------- */

/* This side closes first, and would keep each connection for a minute in TIME_WAIT: tens of
 * thousands of them. A reset spares that, but a service may take it for an error and log it
 * each time. So it gets an orderly end, and then the reset: after a FIN it reads the end of
 * the stream and no error (tcp_reset() and tcp_recvmsg() of Linux). */
static void close_connection(struct prober *prober, struct check *check)
{
	static const struct linger at_once = {.l_onoff = 1, .l_linger = 0};

	if (check->fd < 0)
		return;
	/* A resolver's child may have it open for a moment, and epoll would go on with it. */
	if (check->watched)
		epoll_ctl(prober->epoll_fd, EPOLL_CTL_DEL, check->fd, NULL);
	setsockopt(check->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	shutdown(check->fd, SHUT_WR);
	close(check->fd);
	check->fd = -1;
	check->watched = 0;
}

void probe_stop(struct prober *prober, struct check *check)
{
	const struct protocol *protocol = protocol_of(check);

	resolver_forget(&prober->resolver, &check->waiter);
	if (check->step == TRY_TALKING && protocol->stop)
		protocol->stop(check);
	close_connection(prober, check);
	check->step = TRY_NONE;
}

static void start_try(struct prober *prober, struct check *check);

static void end_try(struct prober *prober, struct check *check, struct probe_outcome outcome)
{
	probe_stop(prober, check);
	if (outcome.fault != FAULT_NONE && outcome.fault != FAULT_INTERNAL && !check->fallback &&
	    check->begin->fallback.kind != CHECK_NONE) {
		check->fallback = true;
		start_try(prober, check);
	} else {
		prober_result(prober, check, outcome.fault, outcome.detail);
	}
}

static void fail(struct prober *prober, struct check *check, enum probe_fault fault, int32_t detail)
{
	end_try(prober, check, (struct probe_outcome){fault, detail});
}

/* --- talking ------------------------------------------------------------------------ */

/* Has epoll watch for what the try waits for. */
static void watch(struct prober *prober, struct check *check, uint32_t events)
{
	struct epoll_event event = {
	    .events = events, .data.u64 = (uint64_t)check->serial << 32 | check->number};
	int operation = check->watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

	if (events == check->watched)
		return;
	if (epoll_ctl(prober->epoll_fd, operation, check->fd, &event) < 0)
		fail(prober, check, FAULT_INTERNAL, errno);
	else
		check->watched = events;
}

static void go_on(
    struct prober *prober, struct check *check, enum talk talk, const struct probe_outcome *outcome)
{
	if (talk == TALK_OVER)
		end_try(prober, check, *outcome);
	else
		watch(prober, check,
		    protocol_of(check)->writes(check) ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static void connected(struct prober *prober, struct check *check)
{
	const struct protocol *protocol = protocol_of(check);
	struct probe_outcome outcome = {FAULT_NONE, 0};

	if (!protocol->start) {
		end_try(prober, check, outcome);
		return;
	}
	check->step = TRY_TALKING;
	enum talk talk = protocol->start(prober, check, &outcome);
	go_on(prober, check, talk, &outcome);
}

static void talk_ready(struct prober *prober, struct check *check, uint32_t events)
{
	const struct protocol *protocol = protocol_of(check);
	enum talk talk = TALK_GOES_ON;
	struct probe_outcome outcome;

	if (events & ~(uint32_t)EPOLLOUT)
		talk = protocol->read(prober, check, &outcome);
	if (talk == TALK_GOES_ON && events & EPOLLOUT && protocol->writes(check))
		talk = protocol->write(prober, check, &outcome);
	go_on(prober, check, talk, &outcome);
}

/* --- connecting --------------------------------------------------------------------- */

/* Where nothing listens, TCP may connect a socket with itself, if the port that it is given
 * happens to be the one it asks for. */
static bool is_itself(int fd, const struct sockaddr_in6 *other)
{
	struct sockaddr_in6 own = {0};
	socklen_t size = sizeof(own);

	if (getsockname(fd, (struct sockaddr *)&own, &size) < 0 ||
	    own.sin6_port != other->sin6_port)
		return false;
	if (own.sin6_family == AF_INET)
		return memcmp(&((struct sockaddr_in *)&own)->sin_addr,
			   &((const struct sockaddr_in *)other)->sin_addr,
			   sizeof(struct in_addr)) == 0;
	return memcmp(&own.sin6_addr, &other->sin6_addr, sizeof(own.sin6_addr)) == 0;
}

/* 0: connected, -EINPROGRESS, or another -errno. */
static int open_connection(struct check *check, const struct sockaddr *name, socklen_t size)
{
	check->fd = socket(name->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (check->fd < 0)
		return -errno;
	if (connect(check->fd, name, size) == 0)
		return 0;
	if (errno != EINPROGRESS)
		return -errno;
	/* Within one machine all has happened by now: asking again spares two turns. */
	if (connect(check->fd, name, size) == 0 || errno == EISCONN)
		return 0;
	return errno == EALREADY ? -EINPROGRESS : -errno;
}

static struct sockaddr_in6 current_address(const struct check *check, socklen_t *ret_size)
{
	struct sockaddr_in6 name;

	*ret_size = resolver_sockaddr(
	    &check->addresses.list[check->address], probe_target(check)->port, &name);
	return name;
}

static bool inet_connected(const struct check *check)
{
	socklen_t size;
	struct sockaddr_in6 name = current_address(check, &size);

	return !is_itself(check->fd, &name);
}

/* One address after the other, until one is being connected to. `error` is that of the one
 * before, 0: there was none. */
static void connect_next(struct prober *prober, struct check *check, int error)
{
	for (; check->address < check->addresses.count; check->address++) {
		socklen_t size;
		struct sockaddr_in6 name = current_address(check, &size);
		int rc = open_connection(check, (struct sockaddr *)&name, size);

		if (rc == 0 && inet_connected(check)) {
			connected(prober, check);
			return;
		}
		if (rc == -EINPROGRESS) {
			check->step = TRY_CONNECTING;
			watch(prober, check, EPOLLOUT);
			return;
		}
		if (probe_own_fault(-rc)) {
			fail(prober, check, FAULT_INTERNAL, -rc);
			return;
		}
		error = rc == 0 ? ECONNREFUSED : -rc;
		close_connection(prober, check);
	}
	resolver_distrust(&prober->resolver, prober_text(check->begin, probe_target(check)->host));
	fail(prober, check, FAULT_CONNECT, error);
}

static void connect_ready(struct prober *prober, struct check *check)
{
	socklen_t size = sizeof(int);
	int error = 0;

	if (getsockopt(check->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
		error = errno;
	if (error == 0 && inet_connected(check)) {
		connected(prober, check);
		return;
	}
	close_connection(prober, check);
	check->address++;
	connect_next(prober, check, error ? error : ECONNREFUSED);
}

/* --- the beginning of a try --------------------------------------------------------- */

static void have_addresses(struct prober *prober, struct check *check)
{
	check->address = 0;
	if (check->addresses.error == 0)
		connect_next(prober, check, 0);
	else
		fail(prober, check, FAULT_RESOLVE, check->addresses.error);
}

void probe_resolved(void *context, struct waiter *waiter, const struct addresses *addresses)
{
	struct check *check = (void *)((char *)waiter - offsetof(struct check, waiter));

	check->addresses = *addresses;
	have_addresses(context, check);
}

static void resolve(struct prober *prober, struct check *check, int64_t now)
{
	const char *host = prober_text(check->begin, probe_target(check)->host);
	int rc = resolver_ask(&prober->resolver, host, now, check->begin->interval, &check->waiter,
	    &check->addresses);

	check->step = TRY_RESOLVING;
	if (rc < 0)
		fail(prober, check, FAULT_INTERNAL, -rc);
	else if (rc > 0)
		have_addresses(prober, check);
}

static void start_try(struct prober *prober, struct check *check)
{
	int64_t now = clock_ms();

	check->serial++;
	check->deadline = now + check->begin->timeout;
	resolve(prober, check, now);
	/* Most are over by now, and what has set the alarm then is the next one's due time. */
	if (check->step != TRY_NONE)
		alarms_set(&prober->alarms, &check->alarm, check->deadline);
}

/* --- what it waits for has come ----------------------------------------------------- */

void probe_alarm(struct prober *prober, struct check *check)
{
	if (check->step == TRY_NONE) {
		check->fallback = false;
		check->started = clock_us();
		start_try(prober, check);
	} else if (check->step == TRY_RESOLVING) {
		fail(prober, check, FAULT_RESOLVE, EAI_AGAIN);
	} else {
		fail(prober, check, FAULT_TIMEOUT, (int32_t)check->begin->timeout);
	}
}

void probe_ready(struct prober *prober, struct check *check, uint32_t events)
{
	if (check->step == TRY_CONNECTING)
		connect_ready(prober, check);
	else if (check->step == TRY_TALKING)
		talk_ready(prober, check, events);
}
