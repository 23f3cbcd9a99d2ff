/* When the pipe of a stream is looked at.
 *
 * Not when epoll says so. Once somebody has polled a pipe, each write into it looks for sleepers,
 * whether or not there is something in it already (fs/pipe.c, poll_usage): a program that writes a
 * line at a time loses a fifth of its speed to that, for good. So the kernel sends SIGIO when
 * something comes into a pipe that is armed (fcntl(2), O_ASYNC). There is one such signal at a
 * time, which does not say where from, and all that are armed are looked at. It costs the writer
 * more still: who has something to say again and again is disarmed, and looked at by the clock
 * until it is silent. */
#include "log/logger.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

enum {
	HASTE = 5,   /* ms: who has something again so soon has a burst */
	BURST = 4,   /* times, until it is followed by the clock */
	SILENT = 10, /* ms without anything, and PAUSES pauses, until it is not */
	PAUSES = 3,
	BLIND = 100, /* ms between looks at all where no signal tells */
	CROWD = 8,   /* so many that are armed are not looked at all the time, but in pauses of */
	ARMED_EACH = 10000,    /* ns for each of them */
	ARMED_MOST = 10000000, /* ns at most */
	MS = 1000000,          /* ns */
};

int pace_open(struct logger *logger)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGIO);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	logger->pace.signal = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
	if (logger->pace.signal < 0)
		return -errno;
	return logger_watch(logger, logger->pace.signal, EPOLLIN, TAG_SIGNAL, 0);
}

/* The owner of the signal may still be the logger before this one. */
static bool set_async(int fd, bool on)
{
	if (on && fcntl(fd, F_SETOWN, getpid()) < 0)
		return false;
	if (fcntl(fd, F_SETFL, on ? O_NONBLOCK | O_ASYNC : O_NONBLOCK) < 0)
		return false;
	return !on || fcntl(fd, F_GETFL) & O_ASYNC;
}

static void again(struct logger *logger, struct stream *stream)
{
	stream->due = true;
	logger->pace.due = true;
}

static void set_wake(struct logger *logger, struct stream *stream, enum stream_wake wake)
{
	bool signal = wake == WAKE_SIGNAL;

	if (stream->wake == WAKE_CLOCK)
		logger->pace.followed--;
	if (wake == WAKE_CLOCK)
		logger->pace.followed++;
	take_touch(logger, stream);
	if (signal != (stream->wake == WAKE_SIGNAL) && !set_async(stream->fd, signal))
		logger->pace.blind |= signal;
	take_leave(logger);
	stream->wake = (uint8_t)wake;
	stream->burst = 0;
	stream->full = false;
	if (signal)
		again(logger, stream); /* of what was written before no signal tells */
}

void pace_arm(struct logger *logger, struct stream *stream, bool armed)
{
	if (stream->fd < 0)
		return;
	if (armed != (stream->wake != WAKE_NEVER))
		set_wake(logger, stream, armed ? WAKE_SIGNAL : WAKE_NEVER);
	if (armed)
		again(logger, stream);
}

void pace_signalled(struct logger *logger)
{
	struct signalfd_siginfo info;

	while (read(logger->pace.signal, &info, sizeof(info)) > 0)
		;
	logger->pace.signalled = true;
}

/* ns between looks at all that are armed. */
static uint32_t rest(const struct logger *logger)
{
	uint32_t armed = logger->streams - logger->pace.followed;

	if (armed < CROWD)
		return 0;
	return armed < ARMED_MOST / ARMED_EACH ? armed * ARMED_EACH : ARMED_MOST;
}

/* How full its pipe was, in STORE_RINGths; a pipe may be smaller or larger. */
static size_t fill(struct logger *logger, const struct stream *stream, size_t taken)
{
	int capacity;

	if (stream->full)
		return PACE_FULL;
	if (!taken)
		return 0;
	take_touch(logger, stream);
	capacity = fcntl(stream->fd, F_GETPIPE_SZ);
	take_leave(logger);
	return capacity > 0 ? taken * STORE_RING / (size_t)capacity : taken;
}

static void look_followed(struct logger *logger, struct stream *stream)
{
	struct pace *pace = &logger->pace;
	size_t taken, filled;

	stream->full = false;
	taken = stream_serve(logger, stream);
	filled = fill(logger, stream, taken);
	if (taken)
		stream->said_at = logger->now;
	if (filled > pace->most)
		pace->most = filled;
	if (stream->wake == WAKE_CLOCK &&
	    logger->now - stream->said_at > SILENT + PAUSES * (int64_t)pace->pause / MS)
		set_wake(logger, stream, WAKE_SIGNAL);
}

static void look_armed(struct logger *logger, struct stream *stream)
{
	/* A stream is looked at no more often than the pauses allow. */
	bool soon =
	    logger->now - stream->said_at <= HASTE + (rest(logger) + logger->pace.pause) / MS;

	if (!stream_serve(logger, stream))
		return;
	again(logger, stream); /* there may be more than was taken at once */
	stream->said_at = logger->now;
	stream->burst = soon ? stream->burst + 1 : 0;
	if (stream->burst >= BURST && stream->wake == WAKE_SIGNAL)
		set_wake(logger, stream, WAKE_CLOCK);
}

void pace_turn(struct logger *logger)
{
	struct pace *pace = &logger->pace;
	bool all = pace->blind || (pace->signalled && logger->now >= pace->all_at);

	pace->most = 0;
	pace->looked = all;
	if (!all && !pace->due && !pace->followed)
		return;
	pace->signalled &= !all;
	pace->due = false;
	for (uint32_t i = 0; i < logger->streams; i++) {
		struct stream *stream = &logger->stream[i];
		bool due = stream->due || (all && stream->wake == WAKE_SIGNAL);

		stream->due = false;
		if (stream->wake == WAKE_CLOCK)
			look_followed(logger, stream);
		else if (due)
			look_armed(logger, stream);
	}
}

int64_t pace_deadline(const struct logger *logger)
{
	const struct pace *pace = &logger->pace;

	/* At the end all are served in each turn anyway. */
	if (pace->due || (pace->followed && !logger->finishing))
		return logger->now;
	if (pace->signalled)
		return pace->all_at > logger->now ? pace->all_at : logger->now;
	return pace->blind ? logger->now + BLIND : 0;
}

uint32_t pace_next_pause(uint32_t before, uint32_t followed, size_t most)
{
	uint64_t least = PACE_LEAST + (uint64_t)(followed ? followed - 1 : 0) * PACE_EACH;
	uint64_t limit, next = before;

	least = least < PACE_MOST ? least : PACE_MOST;
	limit = least > PACE_CALM ? least : PACE_CALM;
	if (most >= PACE_FULL)
		return 0;
	if (most >= PACE_FULL / 2)
		next /= 2;
	else if (most < PACE_FULL / 4)
		next *= 2;
	if (next < least)
		next = least;
	return (uint32_t)(next < limit ? next : limit);
}

/* Many small takings cost more than few large ones. Who is alone and has been silent before is
 * never kept waiting. */
void pace_pause(struct logger *logger)
{
	struct pace *pace = &logger->pace;
	struct timespec time = {0};

	if (pace->looked) {
		time.tv_nsec = (long)rest(logger);
		pace->all_at = logger->now + time.tv_nsec / MS;
	}
	if (pace->followed) {
		pace->pause = pace_next_pause(pace->pause, pace->followed, pace->most);
		time.tv_nsec = (long)pace->pause;
	} else {
		pace->pause = 0;
	}
	if (time.tv_nsec)
		nanosleep(&time, NULL);
}
