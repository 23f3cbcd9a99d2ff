#include "log/logger.h"

#include "init/clock.h"
#include "probes/drop.h"

#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	EVENTS = 64,    /* descriptors that are looked at in one turn */
	FINISHING = 10, /* ms between looks at the end */
	FINISH = 2000,  /* ms that it has to end when nobody writes any more */
	TAKES = 64,     /* from one pipe in a row: somebody may write all the time, after all */
};

/* --- epoll and the channel ------------------------------------------------------------------- */

int logger_watch(
    struct logger *logger, int fd, uint32_t events, enum logger_tag tag, uint32_t number)
{
	struct epoll_event event = {.events = events, .data.u64 = (uint64_t)tag << 32 | number};
	int result = epoll_ctl(logger->epoll, events ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, fd, &event);

	return result < 0 ? -errno : 0;
}

bool logger_tell(const struct logger_message *message)
{
	return send(HELPER_CHANNEL, message, sizeof(*message), MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

/* --- what PID 1 says ------------------------------------------------------------------------- */

static void finish(struct logger *logger)
{
	if (!logger->finishing)
		logger->finish_by = logger->now + FINISH;
	logger->finishing = true;
}

static void one_message(struct logger *logger, const struct logger_message *message)
{
	struct stream *stream =
	    message->stream < logger->head->capacity ? logger->by_index[message->stream] : NULL;

	switch (message->kind) {
	case LOGGER_PING:
		logger->pace.signalled =
		    true; /* should ever a signal be missing, it is not for long */
		logger_tell(message);
		break;
	case LOGGER_ENDED:
		if (!stream)
			break;
		stream_end(logger, stream, message->event, message->count, message->end);
		stream_serve(logger, stream);
		break;
	case LOGGER_REOPEN:
		sinks_reopen(logger);
		break;
	case LOGGER_LEAVE:
		logger->leaving = true;
		break;
	case LOGGER_FINISH:
		finish(logger);
		break;
	default:
		break;
	}
}

/* PID 1 holds both ends of each pipe. When it is gone, and has not said that another logger will
 * come, services live on: then there is to be somebody who reads what they say. The next sinit may
 * log to the same files meanwhile, and it is the one that rotates and compresses them. */
static void be_orphaned(struct logger *logger)
{
	logger->orphaned = true;
	rotate_pack_no_more(logger);
	logger_watch(logger, HELPER_CHANNEL, 0, TAG_CHANNEL, 0);
}

static void read_channel(struct logger *logger)
{
	struct logger_message message;
	ssize_t size;

	do {
		memset(&message, 0, sizeof(message));
		size = recv(HELPER_CHANNEL, &message, sizeof(message), MSG_DONTWAIT);
		if (size > 0)
			one_message(logger, &message);
	} while (size > 0 || (size < 0 && errno == EINTR));
	if (size == 0 || errno != EAGAIN)
		be_orphaned(logger);
}

/* Whether nobody is left who could write. */
static bool is_alone(const struct logger *logger)
{
	for (uint32_t i = 0; i < logger->streams; i++)
		if (logger->stream[i].fd >= 0 && !logger->stream[i].closed)
			return false;
	return true;
}

/* --- turns ----------------------------------------------------------------------------------- */

/* What is not out by now is lost, and is told. */
static void give_up(struct logger *logger)
{
	for (uint32_t i = 0; i < logger->streams; i++) {
		struct stream *stream = &logger->stream[i];
		int takes = 0;

		do
			if (stream->sink && stream->s->out < stream->s->head)
				take_drop(stream, STORE_RING);
		while (stream_serve(logger, stream) > 0 && ++takes < TAKES);
	}
}

/* True: everything is out, or will not be. */
static bool finished(struct logger *logger)
{
	bool all;

	if (!logger->finishing)
		return false;
	all = syslog_drain(logger);
	for (uint32_t i = 0; i < logger->streams; i++) {
		struct stream *stream = &logger->stream[i];

		for (int takes = 0; takes < TAKES && stream_serve(logger, stream) > 0; takes++)
			;
		if (stream->idle)
			stream->s->end = stream->s->head;
		all &= put(logger, stream) && stream->idle && !stream->more;
	}
	if (logger->now >= logger->finish_by) {
		give_up(logger);
		return true;
	}
	return all && forward_is_out(logger);
}

/* Goes on where it was the others' turn. */
static void put_more(struct logger *logger)
{
	if (!logger->more)
		return;
	logger->more = false;
	for (uint32_t i = 0; i < logger->streams; i++)
		if (logger->stream[i].more)
			put(logger, &logger->stream[i]);
}

static int wait_time(const struct logger *logger)
{
	int64_t next = sinks_deadline(logger), left;

	next = sooner(next, pace_deadline(logger));
	next = sooner(next, forward_deadline(logger));
	next = sooner(next, logger->syslog_at);
	if (logger->finishing)
		next = sooner(next, logger->now + FINISHING);
	if (logger->more)
		return 0;
	if (!next)
		return -1;
	left = next - logger->now;
	return left > 0 ? (int)left : 0;
}

static void one_event(struct logger *logger, const struct epoll_event *event)
{
	uint32_t number = (uint32_t)event->data.u64;

	switch ((enum logger_tag)(event->data.u64 >> 32)) {
	case TAG_CHANNEL:
		read_channel(logger);
		break;
	case TAG_SIGNAL:
		pace_signalled(logger);
		break;
	case TAG_SINK:
		sink_writable(logger, number);
		break;
	case TAG_PACKER:
		rotate_packed(logger);
		break;
	case TAG_SYSLOG:
		syslog_ready(logger);
		break;
	case TAG_FORWARD:
		forward_ready(logger, event->events);
		break;
	case TAG_RESOLVER:
		forward_resolved(logger, number);
		break;
	}
}

/* False: it is over. */
static bool turn(struct logger *logger, struct epoll_event events[EVENTS])
{
	int count = epoll_wait(logger->epoll, events, EVENTS, wait_time(logger));

	logger->now = clock_ms();
	put_more(logger);
	for (int i = 0; i < count; i++)
		one_event(logger, &events[i]);
	pace_turn(logger);
	if (logger->orphaned && !logger->finishing && is_alone(logger))
		finish(logger);
	sinks_turn(logger);
	if (!logger->orphaned)
		rotate_pack(logger);
	syslog_turn(logger);
	forward_turn(logger);
	if (logger->leaving || finished(logger))
		return false;
	if (logger->orphaned)
		sinks_let_go(logger);
	if (!logger->finishing)
		pace_pause(logger);
	return true;
}

static void ignore_signals(void)
{
	static const int signals[] = {
	    SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE, SIGUSR1, SIGUSR2, SIGXFSZ};

	for (size_t i = 0; i < ARRAY_LEN(signals); i++)
		signal(signals[i], SIG_IGN);
}

int logger_main(void)
{
	static struct logger logger;
	static struct epoll_event events[EVENTS];
	int error;

	prctl(PR_SET_NAME, "sinit-logger");
	ignore_signals();
	logger.epoll = epoll_create1(EPOLL_CLOEXEC);
	error = logger.epoll < 0 ? -errno : logger_load(&logger);
	if (!error)
		error = forward_open(&logger);
	if (!error)
		error = pace_open(&logger);
	if (!error)
		error = logger_watch(&logger, HELPER_CHANNEL, EPOLLIN, TAG_CHANNEL, 0);
	if (error) {
		fprintf(stderr, "sinit: logger: %s\n", strerror(-error));
		return EXIT_CODE_INTERNAL;
	}
	if (board_map(&logger.board, HELPER_LOGGER_BOARD) < 0)
		logger.board.head = NULL;
	drop_capabilities_but(1u << CAP_CHOWN | 1u << CAP_DAC_OVERRIDE | 1u << CAP_FOWNER);
	logger.now = clock_ms();
	take_recover(&logger);
	sinks_open(&logger);
	put_recover(&logger);
	syslog_recover(&logger);
	sinks_tell_dropped(&logger); /* what the one before this one did not come to */
	for (uint32_t i = 0; i < logger.streams; i++)
		pace_arm(&logger, &logger.stream[i], true);
	while (turn(&logger, events))
		;
	if (!logger.leaving) {
		sinks_tell_dropped(&logger);
		forward_end(&logger);
	}
	return EXIT_CODE_OK;
}
