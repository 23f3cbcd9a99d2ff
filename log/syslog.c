/* /dev/log: messages of programs that know only syslog(3), into the stream of their service if it
 * is captured, else into one of their own.
 *
 * A message is looked at first (MSG_PEEK), put into the ring, and taken off the socket then. When a
 * logger is killed in between, its time of arrival tells the next one whether it was taken off. */
#include "init/format.h"
#include "log/logger.h"
#include "log/syslog_message.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	MESSAGE = 16384, /* bytes of a message; the rest is cut off */
	LINE = SYSLOG_HEAD + 4 * MESSAGE < STORE_RING ? SYSLOG_HEAD + 4 * MESSAGE : STORE_RING / 2,
	AT_ONCE = 64, /* messages in one turn */
	AGAIN = 20,   /* ms until a stream is asked for room again */
};

struct arrival {
	pid_t pid; /* of the sender, 0: not known */
	struct timespec time;
	char bytes[MESSAGE];
	size_t size;
};

/* Looks at the next message. False: there is none. */
static bool look(const struct logger *logger, struct arrival *ret)
{
	/* There is no room for descriptors that somebody sends along: the kernel closes them. */
	_Alignas(struct cmsghdr) char
	    control[CMSG_SPACE(sizeof(struct timespec)) + CMSG_SPACE(sizeof(struct ucred))];
	struct iovec part = {.iov_base = ret->bytes, .iov_len = sizeof(ret->bytes)};
	struct msghdr message = {.msg_iov = &part,
	    .msg_iovlen = 1,
	    .msg_control = control,
	    .msg_controllen = sizeof(control)};
	ssize_t size =
	    recvmsg(logger->orders->syslog, &message, MSG_PEEK | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (size < 0)
		return false;
	ret->size = (size_t)size;
	ret->pid = 0;
	ret->time = (struct timespec){0};
	/* By hand: musl's CMSG_NXTHDR() mixes signs. */
	for (size_t at = 0; at + sizeof(struct cmsghdr) <= message.msg_controllen;) {
		const struct cmsghdr *c = (const void *)(control + at);

		if (c->cmsg_len < sizeof(*c))
			break;
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_CREDENTIALS)
			ret->pid = ((const struct ucred *)(const void *)CMSG_DATA(c))->pid;
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS)
			memcpy(&ret->time, CMSG_DATA(c), sizeof(ret->time));
		at += CMSG_ALIGN(c->cmsg_len);
	}
	return true;
}

static void take_off(const struct logger *logger)
{
	char byte;

	while (recv(logger->orders->syslog, &byte, 1, MSG_DONTWAIT) < 0 && errno == EINTR)
		;
}

static struct stream *find_named(const struct logger *logger, const char *name)
{
	for (uint32_t i = 0; i < logger->streams; i++)
		if (logger->stream[i].s->kind == STORE_OUTPUT && !logger->stream[i].retired &&
		    strcmp(logger->stream[i].s->name, name) == 0)
			return &logger->stream[i];
	return NULL;
}

/* The stream of the service that the sender is of: of its session.
 * NULL: of none that is captured. */
static struct stream *find_service(const struct logger *logger, pid_t pid)
{
	pid_t sid = pid > 0 ? getsid(pid) : -1;
	struct board_service s;

	for (uint32_t i = 0; sid > 0 && logger->board.head && i < logger->board.head->count; i++)
		if (board_read(&logger->board, i, &s) && (s.pid == sid || s.aux_pid == sid))
			return find_named(logger, s.name);
	return NULL;
}

static void add_piece(struct text *line, const struct syslog_piece *piece, const char *after)
{
	if (!piece->length)
		return;
	format_clean_bytes(line, piece->at, piece->length);
	text_add(line, after);
}

/* This machine's own name says nothing, and would hide the tag from who takes the line apart. */
static bool is_here(const struct syslog_piece *host)
{
	char name[HOST_NAME_MAX + 1] = "";

	gethostname(name, sizeof(name) - 1);
	return host->length == strlen(name) && memcmp(host->at, name, host->length) == 0;
}

/* "daemon.err TAG[PID]: text" */
static size_t make_line(const struct arrival *arrival, char *buffer, size_t size)
{
	struct syslog_message message;
	struct text line;

	syslog_parse(arrival->bytes, arrival->size, &message);
	/* Who does not say who it is, is at least a number. */
	if (!message.tag.length && !message.pid)
		message.pid = (int32_t)arrival->pid;
	text_init(&line, buffer, size); /* its NUL's place is the newline's */
	text_addf(&line, "%s.%s ", syslog_facility_name(message.facility),
	    syslog_severity_name(message.severity));
	if (message.host.length && !is_here(&message.host))
		add_piece(&line, &message.host, " ");
	add_piece(&line, &message.tag, "");
	if (message.pid)
		text_addf(&line, "[%d]", (int)message.pid);
	if (message.pid || message.tag.length)
		text_add(&line, ": ");
	add_piece(&line, &message.data, " ");
	add_piece(&line, &message.text, "");
	buffer[line.used] = '\n';
	return line.used + 1;
}

/* What its pipe has by now comes before the message: PID 1 may have counted that to say where a
 * life has ended. False: there is no room for it. */
static bool take_before(struct logger *logger, struct stream *stream)
{
	size_t left = take_waiting(logger, stream), taken = 0;

	for (; left > 0; left -= taken < left ? taken : left) {
		taken = stream_serve(logger, stream);
		if (!taken)
			return false;
	}
	return true;
}

/* Into the ring behind what is there. False: there is no room yet. */
static bool put_line(struct logger *logger, struct stream *stream, const struct arrival *arrival)
{
	static char line[LINE];
	struct store_message *m = &logger->head->message;
	struct store_stream *s = stream->s;
	size_t length = make_line(arrival, line, sizeof(line) - 1), cut = 0;
	char *to;

	if (!take_before(logger, stream))
		return false;
	to = stream->ring + s->head % STORE_RING;
	/* A line of the service's that has no end yet gets one. */
	if (s->head && stream->ring[(s->head - 1) % STORE_RING] != '\n')
		cut = 1;
	if (store_room(s) < length + cut) {
		if (stream->sink && !stream->sink->dropping)
			return false;
		take_drop(stream, length + cut);
		if (store_room(s) < length + cut)
			return false;
	}
	forward_make_room(logger, stream, length + cut);
	take_announce(s, length + cut);
	take_note_time(s, s->head);
	if (cut)
		*to++ = '\n';
	memcpy(to, line, length);
	m->head = s->head + length + cut;
	m->seconds = arrival->time.tv_sec;
	m->nanoseconds = arrival->time.tv_nsec;
	atomic_store_explicit(&m->stream, stream->index + 1, memory_order_release);
	atomic_store_explicit(&s->head, m->head, memory_order_release);
	return true;
}

static struct stream *target_of(const struct logger *logger, const struct arrival *arrival)
{
	struct stream *stream = find_service(logger, arrival->pid);

	if (stream || logger->orders->syslog_stream >= logger->head->capacity)
		return stream;
	return logger->by_index[logger->orders->syslog_stream];
}

/* One message; false: there is none, or no room for it. */
static bool one(struct logger *logger)
{
	static struct arrival arrival;
	struct stream *stream;

	if (!look(logger, &arrival))
		return false;
	stream = target_of(logger, &arrival);
	if (stream && !put_line(logger, stream, &arrival)) {
		logger_watch(logger, logger->orders->syslog, 0, TAG_SYSLOG, 0);
		logger->syslog_at = logger->now + AGAIN;
		return false;
	}
	take_off(logger);
	atomic_store_explicit(&logger->head->message.stream, 0, memory_order_release);
	if (stream)
		put(logger, stream);
	return true;
}

void syslog_ready(struct logger *logger)
{
	for (int i = 0; i < AT_ONCE && one(logger); i++)
		;
}

bool syslog_drain(struct logger *logger)
{
	syslog_turn(logger);
	syslog_ready(logger);
	return logger->orders->syslog < 0 || !logger->syslog_at;
}

void syslog_turn(struct logger *logger)
{
	if (!logger->syslog_at || logger->syslog_at > logger->now)
		return;
	logger->syslog_at = 0;
	logger_watch(logger, logger->orders->syslog, EPOLLIN, TAG_SYSLOG, 0);
}

void syslog_recover(struct logger *logger)
{
	struct store_message *m = &logger->head->message;
	uint32_t number = m->stream;
	struct stream *stream =
	    number && number <= logger->head->capacity ? logger->by_index[number - 1] : NULL;
	static struct arrival arrival;

	if (stream && m->head > stream->s->head)
		atomic_store_explicit(&stream->s->head, m->head, memory_order_release);
	if (number && logger->orders->syslog >= 0 && look(logger, &arrival) &&
	    arrival.time.tv_sec == m->seconds && arrival.time.tv_nsec == m->nanoseconds)
		take_off(logger);
	m->stream = 0;
	if (logger->orders->syslog >= 0)
		logger_watch(logger, logger->orders->syslog, EPOLLIN, TAG_SYSLOG, 0);
}
