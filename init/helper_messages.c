/* What helpers say: small messages of known size, a few of each channel in a turn. */
#include "init/helper_run.h"

#include "init/sinit.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>

union message {
	uint32_t kind;
	struct prober_verdict verdict;
	struct responder_ping ping;
	struct responder_order order;
	struct alerter_sent sent;
	struct alerter_number number;
	struct devices_message devices;
	struct logger_message logger;
};

static void one_message(
    struct sinit *sinit, enum helper_kind kind, union message *message, size_t size)
{
	struct helper *helper = &sinit->helpers.helper[kind];

	helper->heard = sinit->supervisor.now;
	helper->pinged = 0;
	switch (kind) {
	case HELPER_PROBER:
		if (message->kind == PROBER_VERDICT && size == sizeof(message->verdict))
			supervisor_verdict(&sinit->supervisor, &message->verdict);
		return;
	case HELPER_RESPONDER:
		if (message->kind == RESPONDER_PING && size == sizeof(message->ping))
			helpers_pong(sinit, &message->ping);
		else if (message->kind == RESPONDER_ORDER && size == sizeof(message->order))
			helpers_order(sinit, &message->order);
		else if (message->kind == RESPONDER_MEASURE && size == sizeof(message->kind))
			helpers_measure(sinit);
		return;
	case HELPER_ALERTER:
		helpers_more_time(sinit, kind);
		if (message->kind == ALERTER_SENT && size == sizeof(message->sent))
			helpers_alert_sent(sinit, &message->sent);
		else if (message->kind == ALERTER_SEEN && size == sizeof(message->number))
			helpers_alert_seen(sinit, message->number.event);
		return;
	case HELPER_DEVICES:
		if (size == sizeof(message->devices))
			helpers_devices_message(sinit, &message->devices);
		return;
	case HELPER_LOGGER:
		if (size == sizeof(message->logger))
			helpers_logger_message(sinit, &message->logger);
		return;
	}
}

int helpers_read(struct sinit *sinit, enum helper_kind kind)
{
	union message message;
	ssize_t size = 0;
	int count = 0;

	while (count < HELPER_AT_ONCE) {
		size = recv(
		    sinit->helpers.helper[kind].channel, &message, sizeof(message), MSG_DONTWAIT);
		/* It has ended without reading all; what it has said before follows. */
		if (size < 0 && errno != ECONNRESET)
			return errno == EAGAIN || errno == EINTR ? count : -errno;
		if (size == 0)
			return -ENOTCONN;
		if (size >= (ssize_t)sizeof(message.kind))
			one_message(sinit, kind, &message, (size_t)size);
		count++;
	}
	return count;
}

bool helpers_event(struct sinit *sinit, int fd, uint32_t events)
{
	for (unsigned kind = 0; kind < HELPER_KINDS; kind++) {
		if (sinit->helpers.helper[kind].channel != fd)
			continue;
		if (helpers_read(sinit, kind) < 0)
			helpers_disconnect(sinit, kind); /* its death follows */
		else if (events & EPOLLOUT && kind == HELPER_PROBER)
			supervisor_prober_room(&sinit->supervisor);
		else if (events & EPOLLOUT && kind == HELPER_ALERTER)
			helpers_alert_room(sinit);
		return true;
	}
	return false;
}
