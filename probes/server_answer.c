/* From a whole request to the bytes of its answer, and what PID 1 has to say to it. */
#include "probes/server.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

enum { AREA_KEPT = 256 * 1024 /* of the area's memory after a large answer */ };

/* --- Writing ------------------------------------------------------------------------- */

/* Keeps the rest of an answer. Who has been reading the longest has to go when all of
 * that becomes too much. */
static int put_aside(struct server *server, struct conn *conn, const char *data, size_t size)
{
	while (server->waiting + size > SERVER_WAITING_MAX) {
		uint16_t oldest = server->phases[CONN_SEND].head;
		if (oldest == SERVER_CONNECTIONS)
			return -ENOMEM;
		server_close(server, &server->conns[oldest]);
	}
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return -ENOMEM;
	memcpy(memory, data, size);
	conn->waiting = memory;
	conn->waiting_size = size;
	conn->waiting_done = 0;
	server->waiting += size;
	return 0;
}

/* Sends an answer, or begins to. */
static void put(struct server *server, struct conn *conn, const char *data, size_t size)
{
	ssize_t count = write(conn->fd, data, size);

	if (count == (ssize_t)size) {
		server_answered(server, conn);
		return;
	}
	bool gone = count < 0 && errno != EAGAIN && errno != EINTR;
	size_t done = count > 0 ? (size_t)count : 0;
	if (gone || put_aside(server, conn, data + done, size - done) != 0) {
		server_close(server, conn);
		return;
	}
	server_enter(server, conn, CONN_SEND);
	server_watch(server, conn, EPOLLOUT);
}

void server_send(struct server *server, struct conn *conn)
{
	ssize_t count = write(
	    conn->fd, conn->waiting + conn->waiting_done, conn->waiting_size - conn->waiting_done);

	if (count < 0 && errno != EAGAIN && errno != EINTR) {
		server_close(server, conn);
		return;
	}
	conn->waiting_done += count > 0 ? (size_t)count : 0;
	if (conn->waiting_done < conn->waiting_size)
		return;
	munmap(conn->waiting, conn->waiting_size);
	server->waiting -= conn->waiting_size;
	conn->waiting = NULL;
	server_answered(server, conn);
	server_serve(server, conn);
}

static const char *date(struct server *server)
{
	int64_t second = server->site.wall / 1000000000;

	if (second != server->date_second) {
		http_date(server->date, second);
		server->date_second = second;
	}
	return server->date;
}

static void begin_answer(struct server *server, struct http_answer *answer)
{
	*answer = (struct http_answer){0};
	text_init(
	    &answer->body, server->area + HTTP_ANSWER_HEAD, server->area_size - HTTP_ANSWER_HEAD);
}

/* The head goes right before the body, so that both are one piece. */
static void finish(struct server *server, struct conn *conn, const struct http_answer *answer)
{
	char buffer[HTTP_ANSWER_HEAD];
	struct text head;

	text_init(&head, buffer, sizeof(buffer));
	http_answer_head(&head, answer, date(server), conn->request.http11, conn->keep);
	char *start = server->area + HTTP_ANSWER_HEAD - head.used;
	memcpy(start, buffer, head.used);
	bool body = conn->request.method != HTTP_HEAD;
	put(server, conn, start, head.used + (body ? answer->body.used : 0));
	if (answer->body.used >= SERVER_LARGE)
		server->made_large = true;
	if (answer->body.used > AREA_KEPT)
		madvise(server->area + AREA_KEPT, server->area_size - AREA_KEPT, MADV_DONTNEED);
}

void server_refuse(struct server *server, struct conn *conn, unsigned status)
{
	struct http_answer answer;

	/* The request is not read, or only in part: what it says does not count. */
	conn->request = (struct http_request){.method = HTTP_GET, .http11 = true};
	conn->keep = false;
	conn->lingers = true;
	begin_answer(server, &answer);
	site_refuse(&answer, status, http_reason(status));
	finish(server, conn, &answer);
}

/* --- PID 1 --------------------------------------------------------------------------- */

/* A question that has been without an answer for so long is an answer. */
static enum pulse pulse(const struct server *server)
{
	int64_t now = server->site.now;

	if (server->answered_at && now - server->answered_at < SERVER_ASK_MS)
		return PULSE_ALIVE;
	if (server->unanswered_since && now - server->unanswered_since >= SERVER_PULSE_MS)
		return PULSE_NONE;
	return PULSE_UNKNOWN;
}

/* Asks PID 1, at most once a second: only requests make us ask, so nobody is woken on an
 * idle system. A full channel is as good as a question without an answer. */
static void ask(struct server *server)
{
	struct responder_ping ping = {.kind = RESPONDER_PING};
	int64_t now = server->site.now;

	if (server->asked_at && now - server->asked_at < SERVER_ASK_MS)
		return;
	ping.number = ++server->number;
	server->asked_at = now;
	if (!server->unanswered_since)
		server->unanswered_since = now;
	ssize_t count = write(server->channel, &ping, sizeof(ping));
	(void)count;
}

/* Is what is on the board about resources as new as it can be had? A question that has been
 * without an answer for too long is not waited for. */
static bool is_measured(const struct server *server)
{
	const struct board_header *head = server->site.board.head;
	int64_t now = server->site.now, measured = head->measured;

	return !*head->cgroup || (measured && now - measured < SERVER_MEASURE_AGE) ||
	       (server->measured_at && now - server->measured_at < SERVER_MEASURE_AGE);
}

/* Asks PID 1 what the services use. One question is for everybody who has one; a second one
 * follows only when it may have been lost. True: the answer is worth waiting for. */
static bool ask_measure(struct server *server)
{
	static const uint32_t question = RESPONDER_MEASURE;
	int64_t now = server->site.now;

	if (!server->measure_since || now - server->measure_at >= SERVER_ASK_MS) {
		server->measure_at = now;
		if (!server->measure_since)
			server->measure_since = now;
		ssize_t count = write(server->channel, &question, sizeof(question));
		(void)count;
	}
	return now - server->measure_since < SERVER_MEASURE_MS;
}

/* Passes an order on. 0, or -EAGAIN: too many. */
static int pass_on(struct server *server, struct conn *conn, struct responder_order *order)
{
	int64_t second = server->site.now / 1000;

	if (second != server->order_second)
		server->orders = 0;
	server->order_second = second;
	if (server->orders >= SERVER_ORDERS)
		return -EAGAIN;
	server->orders++;
	order->kind = RESPONDER_ORDER;
	order->number = conn->order = ++server->number;
	return write(server->channel, order, sizeof(*order)) == sizeof(*order) ? 0 : -EAGAIN;
}

/* Goes on with all that have waited for it. */
static void resume(struct server *server, enum conn_phase phase)
{
	uint16_t next;

	for (uint16_t i = server->phases[phase].head; i != SERVER_CONNECTIONS; i = next) {
		struct conn *conn = &server->conns[i];
		next = conn->next;
		server_dispatch(server, conn);
		server_serve(server, conn);
	}
}

static void on_pong(struct server *server, const struct responder_pong *pong)
{
	server->site.pong = *pong;
	server->answered_at = server->site.now;
	server->unanswered_since = 0;
	resume(server, CONN_PULSE);
}

static void on_measured(struct server *server)
{
	server->measured_at = server->site.now;
	server->measure_since = 0;
	resume(server, CONN_MEASURE);
}

/* The connection whose order has this number may be gone. */
static void on_answer(struct server *server, struct responder_answer *reply)
{
	struct http_answer answer;
	uint16_t i = server->phases[CONN_ORDER].head;

	while (i != SERVER_CONNECTIONS && server->conns[i].order != reply->number)
		i = server->conns[i].next;
	if (i == SERVER_CONNECTIONS)
		return;
	reply->message[RESPONDER_TEXT - 1] = '\0';
	begin_answer(server, &answer);
	site_ordered(&answer, reply->status >= 200 && reply->status <= 599 ? reply->status : 500,
	    reply->message);
	finish(server, &server->conns[i], &answer);
	server_serve(server, &server->conns[i]);
}

bool server_channel(struct server *server)
{
	union {
		uint32_t kind;
		struct responder_pong pong;
		struct responder_answer answer;
	} message;
	ssize_t size;

	while ((size = read(server->channel, &message, sizeof(message))) > 0) {
		if (size == sizeof(message.pong) && message.kind == RESPONDER_PONG)
			on_pong(server, &message.pong);
		else if (size == sizeof(message.answer) && message.kind == RESPONDER_ANSWER)
			on_answer(server, &message.answer);
		else if (size == sizeof(message.kind) && message.kind == RESPONDER_MEASURED)
			on_measured(server);
	}
	return size < 0 && (errno == EAGAIN || errno == EINTR);
}

/* --- Requests ------------------------------------------------------------------------ */

/* GET /health on a connection that stays: what is asked most often, by far. Its answer is
 * made once a millisecond. */
static bool quick(struct server *server, struct conn *conn)
{
	const struct http_request *request = &conn->request;
	struct http_answer answer;

	if (request->method != HTTP_GET || !request->http11 || !conn->keep ||
	    !http_is(request->path, "/health") || pulse(server) != PULSE_ALIVE)
		return false;
	if (server->quick_at != server->site.now) {
		begin_answer(server, &answer);
		server->site.pulse = PULSE_ALIVE;
		site_answer(&server->site, request, &answer, NULL);
		text_init(&server->quick, server->quick_buffer, sizeof(server->quick_buffer));
		http_answer_head(&server->quick, &answer, date(server), true, true);
		text_add_bytes(&server->quick, answer.body.data, answer.body.used);
		server->quick_at = server->site.now;
	}
	put(server, conn, server->quick.data, server->quick.used);
	return true;
}

static void order_refused(
    struct server *server, struct conn *conn, unsigned status, const char *message)
{
	struct http_answer answer;

	begin_answer(server, &answer);
	site_ordered(&answer, status, message);
	if (status == 503)
		answer.more = "Retry-After: 1\r\n";
	finish(server, conn, &answer);
}

void server_dispatch(struct server *server, struct conn *conn)
{
	struct http_answer answer;
	struct responder_order order;

	if (quick(server, conn))
		return;
	/* Many who ask for much must not keep those waiting who ask for /health. */
	if (server->made_large) {
		server_enter(server, conn, CONN_QUEUED);
		return;
	}
	begin_answer(server, &answer);
	server->site.pulse = pulse(server);
	server->site.measured = is_measured(server);
	/* Nobody waits for it, but it may be back. */
	if (server->site.pulse == PULSE_NONE)
		ask(server);
	enum site_verdict verdict = site_answer(&server->site, &conn->request, &answer, &order);
	if (verdict == SITE_NEEDS_READINGS && !ask_measure(server)) {
		server->site.measured = true;
		verdict = site_answer(&server->site, &conn->request, &answer, &order);
	}
	switch (verdict) {
	case SITE_ANSWERED:
		finish(server, conn, &answer);
		break;
	case SITE_NEEDS_PULSE:
		server_enter(server, conn, CONN_PULSE);
		ask(server);
		break;
	case SITE_NEEDS_READINGS:
		server_enter(server, conn, CONN_MEASURE);
		break;
	case SITE_ORDERED:
		if (pass_on(server, conn, &order) == 0)
			server_enter(server, conn, CONN_ORDER);
		else
			order_refused(server, conn, 503, "too many orders; try again in a second");
		break;
	}
}

void server_queue(struct server *server)
{
	uint16_t i;

	while (
	    !server->made_large && (i = server->phases[CONN_QUEUED].head) != SERVER_CONNECTIONS) {
		server_dispatch(server, &server->conns[i]);
		server_serve(server, &server->conns[i]);
	}
}

void server_unanswered(struct server *server, struct conn *conn)
{
	struct http_answer answer;

	if (conn->phase == CONN_ORDER) {
		order_refused(server, conn, 504,
		    "PID 1 has not answered; the order may still be "
		    "carried out");
	} else if (conn->phase == CONN_MEASURE) {
		server_dispatch(server, conn); /* which waits no more: the question is as old */
	} else {
		begin_answer(server, &answer);
		server->site.pulse = PULSE_NONE;
		server->site.measured = true;
		site_answer(&server->site, &conn->request, &answer, NULL);
		finish(server, conn, &answer);
	}
	server_serve(server, conn);
}
