/* http: one request on a connection of its own, and as much of the answer as is needed. */
#include "probes/prober.h"
#include "probes/prober_message.h"

#include <errno.h>
#include <sys/socket.h>

/* The request is the same each time it is made, so what is left of it need not be kept. */
static enum talk send_request(struct prober *prober, struct check *check, struct probe_outcome *ret)
{
	struct http_talk *http = &check->talk.http;
	struct text text;

	(void)ret;
	text_init(&text, prober->buffer.bytes, sizeof(prober->buffer));
	http_request(&text, check->begin, probe_target(check));
	while (http->sent < text.used) {
		ssize_t size = send(check->fd, text.data + http->sent, text.used - http->sent,
		    MSG_NOSIGNAL | MSG_DONTWAIT);
		if (size < 0 && errno == EAGAIN)
			return TALK_GOES_ON;
		if (size < 0)
			break; /* there may be an answer all the same: reading will tell */
		http->sent += (size_t)size;
	}
	http->sent = SIZE_MAX;
	return TALK_GOES_ON;
}

static bool writes(const struct check *check)
{
	return check->talk.http.sent != SIZE_MAX;
}

static enum talk start(struct prober *prober, struct check *check, struct probe_outcome *ret)
{
	check->talk.http.sent = 0;
	http_answer_init(&check->talk.http.answer, check->begin, check->table);
	return send_request(prober, check, ret);
}

static enum talk read_answer(struct prober *prober, struct check *check, struct probe_outcome *ret)
{
	struct http_answer *answer = &check->talk.http.answer;
	ssize_t size = recv(check->fd, prober->buffer.bytes, sizeof(prober->buffer), MSG_DONTWAIT);

	if (size < 0 && errno == EAGAIN)
		return TALK_GOES_ON;
	if (size < 0 && probe_own_fault(errno))
		return probe_closed(ret, errno);
	if (size <= 0)
		http_answer_end(answer, size < 0 ? errno : 0);
	else if (!http_answer_feed(answer, prober->buffer.bytes, (size_t)size))
		return TALK_GOES_ON;
	*ret = (struct probe_outcome){answer->fault, answer->detail};
	return TALK_OVER;
}

const struct protocol http_protocol = {
    .start = start,
    .read = read_answer,
    .write = send_request,
    .writes = writes,
};
