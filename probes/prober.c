/* The prober: a helper that runs the checks that need the network, and tells PID 1 when one
 * has passed or failed often enough. */
#include "probes/prober.h"
#include "init/clock.h"
#include "probes/drop.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	EVENTS = 64,     /* taken from epoll at a time */
	MESSAGES = 64,   /* taken from PID 1 in a turn, so that the probes go on */
	SLACK = 8000000, /* ns that a wake-up may be late, so that what is due soon comes with it */
};

/* --- one turn ----------------------------------------------------------------------- */

static void read_channel(struct prober *prober)
{
	for (unsigned i = 0; i < MESSAGES && !prober->over; i++) {
		ssize_t size = recv(HELPER_CHANNEL, prober->buffer.bytes, sizeof(prober->buffer),
		    MSG_DONTWAIT | MSG_TRUNC);
		if (size < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (size <= 0)
			prober->over = true;
		else if (size <= HELPER_MESSAGE)
			prober_take(prober, &prober->buffer.message, (size_t)size);
	}
}

static void one_event(struct prober *prober, const struct epoll_event *event)
{
	uint32_t number = (uint32_t)event->data.u64, serial = (uint32_t)(event->data.u64 >> 32);

	if (number & PROBER_TAG_CHANNEL) {
		if (event->events & EPOLLOUT)
			prober_flush(prober);
		if (event->events & ~(uint32_t)EPOLLOUT)
			read_channel(prober);
		return;
	}
	if (number & PROBER_TAG_RESOLVER) {
		resolver_ready(
		    &prober->resolver, number & ~(uint32_t)PROBER_TAG_RESOLVER, clock_ms());
		return;
	}
	struct check *check = number < prober->capacity ? prober->table[number] : NULL;
	if (check && check->serial == serial)
		probe_ready(prober, check, event->events);
}

/* Answers come before alarms: one that came in time is not late because we are. */
static void ring(struct prober *prober)
{
	int64_t now = clock_ms();
	struct alarm *first;

	/* A probe that ends at once is never due again before its interval is over. */
	while ((first = alarms_first(&prober->alarms)) && first->at <= now)
		probe_alarm(prober, (struct check *)first);
}

/* ms for epoll_wait(2): it waits for at least this long, by CLOCK_MONOTONIC. */
static int wait_time(const struct prober *prober)
{
	const struct alarm *first = alarms_first(&prober->alarms);
	int64_t left;

	if (!first)
		return -1;
	left = first->at - clock_ms();
	if (left < 0)
		return 0;
	return left < INT_MAX ? (int)left : INT_MAX;
}

static void turn(struct prober *prober)
{
	struct epoll_event events[EVENTS];
	int count = epoll_wait(prober->epoll_fd, events, EVENTS, wait_time(prober));

	for (int i = 0; i < count && !prober->over; i++)
		one_event(prober, &events[i]);
	if (prober->over)
		return;
	ring(prober);
	resolver_reap(&prober->resolver);
	if (prober->unsent && !prober->waits_to_send)
		prober_flush(prober);
}

/* --- beginning and end -------------------------------------------------------------- */

/* As many descriptors as it may have: each probe under way needs one. */
static void raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static int open_all(struct prober *prober)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = PROBER_TAG_CHANNEL};

	if (fcntl(HELPER_CHANNEL, F_SETFD, FD_CLOEXEC) < 0)
		return -errno;
	fcntl(HELPER_CHANNEL, F_SETFL, O_RDWR | O_NONBLOCK);
	fcntl(HELPER_STATS, F_SETFD, FD_CLOEXEC);
	prober->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (prober->epoll_fd < 0 ||
	    epoll_ctl(prober->epoll_fd, EPOLL_CTL_ADD, HELPER_CHANNEL, &event) < 0)
		return -errno;
	return 0;
}

int prober_main(void)
{
	static struct prober prober;
	int rc;

	raise_limit();
	prctl(PR_SET_TIMERSLACK, (unsigned long)SLACK, 0, 0, 0);
	drop_privileges();
	rc = open_all(&prober);
	if (rc < 0) {
		fprintf(stderr, "sinit: prober: no channel to PID 1: %s\n", strerror(-rc));
		return EXIT_CODE_INTERNAL;
	}
	prober.unsent_end = &prober.unsent;
	prober.resolver.epoll_fd = prober.epoll_fd;
	prober.resolver.tag = PROBER_TAG_RESOLVER;
	prober.resolver.answer = probe_resolved;
	prober.resolver.context = &prober;
	while (!prober.over)
		turn(&prober);
	prober_clear(&prober);
	return EXIT_CODE_OK;
}
