/* What is captured, once more to another machine, as lines of RFC 5424: by UDP a datagram each, by
 * TCP a line each (RFC 6587, 3.4.2). The rings are the queue: who does not take them in time loses
 * the oldest, which are counted. Nobody waits for it. */
#include "init/backoff.h"
#include "log/forward_line.h"
#include "log/syslog_message.h"
#include "probes/resolver.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	LINES = 65536,                       /* bytes that are on their way */
	LINE = SYSLOG_HEAD + 4 * LINES_MOST, /* bytes of a line at most */
	DATAGRAMS = 256,                     /* in one turn */
	DELAY = 1000,                        /* ms until the next attempt; doubles */
	DELAY_MAX = 30000,
	TELL = 60000,      /* ms between two words about lines lost for one who is there */
	GOOD_TIME = 10000, /* ms: who was up for so long begins with the first delay again */
	CONNECT = 10000,   /* ms that a connection may take to be made, or a name to be found */
	FRESH = 60000,     /* ms that an address found is used again */
	DOUBTFUL = 10000,  /* ms, if the last datagram was refused there */
};

enum forward_state { FORWARD_DOWN, FORWARD_NAME, FORWARD_CONNECTING, FORWARD_UP };

struct forward {
	struct resolver resolver;
	struct waiter waiter;
	uint8_t state; /* enum forward_state */
	bool watched;  /* epoll tells of fd */
	int fd;
	int64_t up_since;  /* ms: UP */
	int64_t due;       /* ms: DOWN: next attempt; else its time is up; UP: 0 */
	int64_t asked;     /* ms: when its name was last asked for */
	bool refused;      /* the last datagram was */
	uint32_t failures; /* in a row */
	int error;         /* that was told */
	uint64_t lost;     /* lines */
	uint64_t told;
	int64_t told_at; /* ms */
	bool more;       /* there was more than one turn sends */
	uint32_t next;   /* stream that comes first, so that all have their turn */
	char hostname[256];
	size_t used, sent; /* of lines[] */
	char lines[LINES];
};

static void set_watch(struct logger *logger, uint32_t events)
{
	struct forward *f = logger->forward;

	if (f->watched)
		logger_watch(logger, f->fd, 0, TAG_FORWARD, 0);
	f->watched = events && logger_watch(logger, f->fd, events, TAG_FORWARD, 0) == 0;
}

static void tell(struct logger *logger, int error)
{
	struct forward *f = logger->forward;

	if (error == f->error && f->told == f->lost)
		return;
	f->error = error;
	f->told = f->lost;
	f->told_at = logger->now;
	logger_tell(
	    &(struct logger_message){.kind = LOGGER_FORWARD, .error = error, .count = f->lost});
}

/* --- the connection -------------------------------------------------------------------------- */

static void fail(struct logger *logger, int error)
{
	struct forward *f = logger->forward;

	if (f->state == FORWARD_UP && logger->now - f->up_since >= GOOD_TIME)
		f->failures = 0;
	if (f->fd >= 0) {
		set_watch(logger, 0);
		close(f->fd);
	}
	resolver_forget(&f->resolver, &f->waiter);
	f->fd = -1;
	f->state = FORWARD_DOWN;
	/* A line that was cut off is sent anew, as a whole. */
	while (f->sent > 0 && f->lines[f->sent - 1] != '\n')
		f->sent--;
	f->failures++;
	f->due = logger->now + backoff_delay(DELAY, BACKOFF_DOUBLE, DELAY_MAX, f->failures);
	tell(logger, error);
}

static void is_up(struct logger *logger)
{
	struct forward *f = logger->forward;

	f->state = FORWARD_UP;
	f->due = 0;
	f->up_since = logger->now;
	/* What the other side says is of no interest, but that it has gone is. */
	set_watch(logger, logger->orders->forward_tcp ? EPOLLIN | EPOLLRDHUP : 0);
	tell(logger, 0);
}

static void connect_to(struct logger *logger, const struct addresses *addresses)
{
	struct forward *f = logger->forward;
	int type = logger->orders->forward_tcp ? SOCK_STREAM : SOCK_DGRAM;
	const struct address *address =
	    &addresses->list[f->failures % (addresses->count ? addresses->count : 1)];
	struct sockaddr_in6 to;
	socklen_t size;

	if (addresses->error || !addresses->count) {
		fail(logger, EDESTADDRREQ); /* that is: it has no address */
		return;
	}
	size = resolver_sockaddr(address, logger->orders->forward_port, &to);
	f->fd = socket(address->family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (f->fd < 0) {
		fail(logger, errno);
		return;
	}
	if (connect(f->fd, (const struct sockaddr *)&to, size) == 0) {
		is_up(logger);
	} else if (errno == EINPROGRESS) {
		f->state = FORWARD_CONNECTING;
		f->due = logger->now + CONNECT;
		set_watch(logger, EPOLLOUT);
	} else {
		fail(logger, errno);
	}
}

static void answered(void *context, struct waiter *waiter, const struct addresses *addresses)
{
	struct logger *logger = context;
	struct forward *f = logger->forward;

	(void)waiter;
	if (f->state == FORWARD_UP) { /* it was asked for once more */
		if (addresses->error || !addresses->count)
			return;
		close(f->fd);
	}
	connect_to(logger, addresses);
}

static void begin(struct logger *logger)
{
	struct forward *f = logger->forward;
	struct addresses addresses;
	int rc;

	f->state = FORWARD_NAME;
	f->due = logger->now + CONNECT;
	f->asked = logger->now;
	f->refused = false;
	rc = resolver_ask(
	    &f->resolver, logger->orders->forward_host, logger->now, FRESH, &f->waiter, &addresses);
	if (rc == 1)
		connect_to(logger, &addresses);
	else if (rc < 0)
		fail(logger, -rc);
}

/* No connection tells that a receiver of datagrams is at another address by now. Until there is an
 * answer the old one is used. */
static void ask_again(struct logger *logger)
{
	struct forward *f = logger->forward;
	struct addresses addresses;

	if (logger->now - f->asked < (f->refused ? DOUBTFUL : FRESH))
		return;
	f->asked = logger->now;
	f->refused = false;
	resolver_forget(&f->resolver, &f->waiter);
	if (resolver_ask(&f->resolver, logger->orders->forward_host, logger->now, 0, &f->waiter,
		&addresses) == 1)
		answered(logger, &f->waiter, &addresses);
}

/* --- lines ----------------------------------------------------------------------------------- */

static uint64_t behind_line(const struct stream *stream, uint64_t at)
{
	const char *from = stream->ring + at % STORE_RING;
	const char *newline = memchr(from, '\n', (size_t)(stream->s->head - at));

	return newline ? at + (uint64_t)(newline - from) + 1 : stream->s->head;
}

void forward_make_room(struct logger *logger, struct stream *stream, size_t size)
{
	struct store_stream *s = stream->s;
	uint64_t least = s->head + size > STORE_RING ? s->head + size - STORE_RING : 0;

	if (!logger->forward || stream->forwarding >= least)
		return;
	while (stream->forwarding < least && stream->forwarding < s->head) {
		stream->forwarding = behind_line(stream, stream->forwarding);
		logger->forward->lost++;
	}
	s->forwarded = stream->forwarding;
}

static bool send_datagrams(struct logger *logger)
{
	struct forward *f = logger->forward;
	int count = 0;

	for (uint32_t i = 0; i < logger->streams && count < DATAGRAMS; i++) {
		struct stream *stream = &logger->stream[(f->next + i) % logger->streams];
		struct text line;

		text_init(&line, f->lines, LINE);
		while (count < DATAGRAMS && forward_line(stream, f->hostname, &line)) {
			/* Whom nobody hears is not waited for: so it is with UDP. */
			if (send(f->fd, line.data, line.used, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
				f->lost++;
				f->refused |= errno != EAGAIN;
			}
			stream->s->forwarded = stream->forwarding;
			text_init(&line, f->lines, LINE);
			count++;
		}
	}
	f->next++;
	return count == DATAGRAMS;
}

/* All that was in lines[] is out: a logger after this one begins behind it. */
static void remember(struct logger *logger)
{
	for (uint32_t i = 0; i < logger->streams; i++)
		logger->stream[i].s->forwarded = logger->stream[i].forwarding;
}

static void fill(struct logger *logger)
{
	struct forward *f = logger->forward;
	bool any = true;

	f->used = f->sent = 0;
	while (any && f->used + LINE < sizeof(f->lines)) {
		any = false;
		for (uint32_t i = 0; i < logger->streams && f->used + LINE < sizeof(f->lines);
		     i++) {
			struct stream *stream = &logger->stream[(f->next + i) % logger->streams];
			struct text line;

			text_init(&line, f->lines + f->used, LINE - 1);
			if (!forward_line(stream, f->hostname, &line))
				continue;
			any = true;
			f->used += line.used;
			f->lines[f->used++] = '\n';
		}
	}
	f->next++;
}

/* True: there is more that can be sent. */
static bool send_lines(struct logger *logger)
{
	struct forward *f = logger->forward;
	ssize_t count;

	if (f->sent == f->used)
		fill(logger);
	if (!f->used)
		return false;
	count = send(f->fd, f->lines + f->sent, f->used - f->sent, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (count < 0 && errno == EAGAIN) {
		set_watch(logger, EPOLLOUT | EPOLLIN | EPOLLRDHUP);
		return false;
	}
	if (count < 0) {
		fail(logger, errno);
		return false;
	}
	f->sent += (size_t)count;
	if (f->sent < f->used)
		return true;
	f->used = f->sent = 0;
	remember(logger);
	return true;
}

/* --- the loop's part ------------------------------------------------------------------------- */

void forward_ready(struct logger *logger, uint32_t events)
{
	struct forward *f = logger->forward;
	socklen_t size = sizeof(int);
	char bytes[512];
	int error = 0;

	if (f->state == FORWARD_CONNECTING) {
		if (getsockopt(f->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
			error = errno;
		if (error)
			fail(logger, error);
		else
			is_up(logger);
		return;
	}
	if (f->state != FORWARD_UP)
		return;
	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLERR | EPOLLHUP)) {
		ssize_t count = recv(f->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

		if (count == 0 || (count < 0 && errno != EAGAIN)) {
			fail(logger, count ? errno : ECONNRESET);
			return;
		}
	}
	if (events & EPOLLOUT)
		set_watch(logger, EPOLLIN | EPOLLRDHUP);
}

void forward_resolved(struct logger *logger, uint32_t number)
{
	resolver_ready(&logger->forward->resolver, number, logger->now);
}

/* Whether anything is still to be sent. */
static bool has_lines(const struct logger *logger)
{
	for (uint32_t i = 0; i < logger->streams; i++)
		if (logger->stream[i].forwarding < logger->stream[i].s->head)
			return true;
	return logger->forward->sent < logger->forward->used;
}

void forward_turn(struct logger *logger)
{
	struct forward *f = logger->forward;

	if (!f)
		return;
	resolver_reap(&f->resolver);
	if (f->state != FORWARD_UP && f->due && f->due <= logger->now && f->state != FORWARD_DOWN)
		fail(logger, ETIMEDOUT);
	if (f->state == FORWARD_DOWN && f->due <= logger->now && has_lines(logger))
		begin(logger);
	if (f->state == FORWARD_UP && !logger->orders->forward_tcp && has_lines(logger))
		ask_again(logger);
	if (f->state == FORWARD_UP && logger->now - f->told_at >= TELL)
		tell(logger, 0);
	f->more = f->state == FORWARD_UP &&
		  (logger->orders->forward_tcp ? send_lines(logger) : send_datagrams(logger));
}

/* What is not sent by now never will be. */
void forward_end(struct logger *logger)
{
	struct forward *f = logger->forward;

	if (!f)
		return;
	for (uint32_t i = 0; i < logger->streams; i++)
		while (logger->stream[i].forwarding < logger->stream[i].s->head) {
			logger->stream[i].forwarding =
			    behind_line(&logger->stream[i], logger->stream[i].forwarding);
			f->lost++;
		}
	for (; f->sent < f->used; f->sent++)
		f->lost += f->lines[f->sent] == '\n';
	tell(logger, f->error);
}

bool forward_is_out(const struct logger *logger)
{
	return !logger->forward || logger->forward->state != FORWARD_UP || !has_lines(logger);
}

int64_t forward_deadline(const struct logger *logger)
{
	const struct forward *f = logger->forward;

	if (!f)
		return 0;
	if (f->more)
		return logger->now;
	if (f->state == FORWARD_DOWN)
		return !has_lines(logger) ? 0 : f->due ? f->due : logger->now;
	return f->due;
}

int forward_open(struct logger *logger)
{
	struct forward *f;

	if (!logger->orders->forward_port) {
		for (uint32_t i = 0; i < logger->streams; i++)
			logger->stream[i].s->forwarded = STORE_NEVER;
		return 0;
	}
	f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	f->fd = -1;
	f->told_at = -TELL;
	f->resolver.epoll_fd = logger->epoll;
	f->resolver.tag = (uint64_t)TAG_RESOLVER << 32;
	f->resolver.answer = answered;
	f->resolver.context = logger;
	gethostname(f->hostname, sizeof(f->hostname) - 1);
	logger->forward = f;
	for (uint32_t i = 0; i < logger->streams; i++) {
		struct stream *stream = &logger->stream[i];
		uint64_t oldest = stream->s->head > STORE_RING ? stream->s->head - STORE_RING : 0;

		stream->forwarding =
		    stream->s->forwarded == STORE_NEVER ? stream->s->head : stream->s->forwarded;
		/* They were on their way, and there is no telling how many. */
		if (stream->forwarding < oldest) {
			stream->forwarding = behind_line(stream, oldest);
			f->lost++;
		}
		stream->s->forwarded = stream->forwarding;
	}
	return 0;
}
