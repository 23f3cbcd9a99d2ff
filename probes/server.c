#include "probes/server.h"

#include "init/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	NONE = SERVER_CONNECTIONS, /* no connection; also the number of the channel's events */
	SOCKET = NONE + 1,         /* events of the listening sockets are numbered from here */
	EVENTS = 64,
	ACCEPTS = 64,   /* connections accepted in a row */
	PAUSE_MS = 100, /* without descriptors */
};

static const int limits[CONN_COUNT] = {
    [CONN_IDLE] = SERVER_IDLE_MS,
    [CONN_REQUEST] = SERVER_REQUEST_MS,
    [CONN_QUEUED] = SERVER_QUEUE_MS,
    [CONN_PULSE] = SERVER_PULSE_MS,
    [CONN_MEASURE] = SERVER_MEASURE_MS,
    [CONN_ORDER] = SERVER_ORDER_MS,
    [CONN_SEND] = SERVER_SEND_MS,
    [CONN_DRAIN] = SERVER_DRAIN_MS,
};

/* --- Lists --------------------------------------------------------------------------- */

static void append(struct server *server, struct conn_list *list, struct conn *conn)
{
	uint16_t index = (uint16_t)(conn - server->conns);

	conn->next = NONE;
	conn->prev = list->tail;
	if (list->tail == NONE)
		list->head = index;
	else
		server->conns[list->tail].next = index;
	list->tail = index;
}

static void take_out(struct server *server, struct conn_list *list, struct conn *conn)
{
	if (conn->prev == NONE)
		list->head = conn->next;
	else
		server->conns[conn->prev].next = conn->next;
	if (conn->next == NONE)
		list->tail = conn->prev;
	else
		server->conns[conn->next].prev = conn->prev;
}

static struct conn *first(struct server *server, const struct conn_list *list)
{
	return list->head == NONE ? NULL : &server->conns[list->head];
}

void server_enter(struct server *server, struct conn *conn, enum conn_phase phase)
{
	take_out(server, &server->phases[conn->phase], conn);
	conn->phase = (uint8_t)phase;
	conn->since = server->site.now;
	append(server, &server->phases[phase], conn);
}

/* --- Connections --------------------------------------------------------------------- */

void server_watch(struct server *server, struct conn *conn, uint32_t interest)
{
	struct epoll_event event = {
	    .events = interest, .data.u32 = (uint32_t)(conn - server->conns)};

	if (conn->interest == interest)
		return;
	conn->interest = interest;
	epoll_ctl(server->epoll_fd, EPOLL_CTL_MOD, conn->fd, &event);
}

void server_close(struct server *server, struct conn *conn)
{
	close(conn->fd);
	if (conn->waiting)
		munmap(conn->waiting, conn->waiting_size);
	server->waiting -= conn->waiting ? conn->waiting_size : 0;
	conn->waiting = NULL;
	conn->fd = -1;
	take_out(server, &server->phases[conn->phase], conn);
	append(server, &server->free, conn);
}

void server_answered(struct server *server, struct conn *conn)
{
	if (conn->keep) {
		conn->used -= conn->whole;
		if (conn->used)
			memmove(conn->input, conn->input + conn->whole, conn->used);
		conn->whole = 0;
		server_enter(server, conn, conn->used ? CONN_REQUEST : CONN_IDLE);
	} else if (conn->lingers || conn->used > conn->whole) {
		shutdown(conn->fd, SHUT_WR);
		conn->used = 0;
		server_enter(server, conn, CONN_DRAIN);
		server_watch(server, conn, EPOLLIN);
	} else {
		server_close(server, conn);
	}
}

static bool is_reading(const struct conn *conn)
{
	return conn->fd >= 0 && (conn->phase == CONN_IDLE || conn->phase == CONN_REQUEST);
}

/* True if the request in input[] is whole and has been dispatched or refused. */
static bool serve_one(struct server *server, struct conn *conn)
{
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
	size_t size = conn->used < HTTP_HEAD_MAX ? conn->used : HTTP_HEAD_MAX;
	size_t head = 0;
	int error = http_parse(conn->input, size, &conn->request, &head);

	if (error == -EAGAIN && size < HTTP_HEAD_MAX)
		return false;
	if (error) {
		server_refuse(server, conn, error == -EAGAIN ? 431 : (unsigned)error);
		return true;
	}
	conn->whole = (uint32_t)(head + conn->request.body);
	if (conn->used < conn->whole) {
		/* Said once: the next look at this request finds a part of the body. Who sends
		 * none of it until told has sent the head alone. */
		ssize_t count = 0;
		if (conn->request.expects && conn->used == head)
			count = write(conn->fd, go_on, sizeof(go_on) - 1);
		(void)count; /* a client that is gone is noticed when it is read from */
		return false;
	}
	conn->keep = conn->request.keep_alive;
	conn->lingers = false;
	server_dispatch(server, conn);
	return true;
}

void server_serve(struct server *server, struct conn *conn)
{
	while (is_reading(conn) && conn->used && serve_one(server, conn))
		;
	if (!is_reading(conn))
		return;
	if (conn->used && conn->phase == CONN_IDLE)
		server_enter(server, conn, CONN_REQUEST);
	server_watch(server, conn, EPOLLIN);
}

static void receive(struct server *server, struct conn *conn)
{
	ssize_t count = read(conn->fd, conn->input + conn->used, sizeof(conn->input) - conn->used);

	if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)) {
		server_close(server, conn);
	} else if (count > 0) {
		conn->used += (uint32_t)count;
		server_serve(server, conn);
	}
}

/* What is read here goes nowhere; a client that never ends is met by the phase's limit. */
static void drain(struct server *server, struct conn *conn)
{
	ssize_t count = read(conn->fd, conn->input, sizeof(conn->input));

	if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR))
		server_close(server, conn);
}

static void on_event(struct server *server, struct conn *conn, uint32_t events)
{
	if (conn->fd < 0)
		return;
	switch ((enum conn_phase)conn->phase) {
	case CONN_IDLE:
	case CONN_REQUEST:
		receive(server, conn);
		break;
	case CONN_QUEUED:
	case CONN_PULSE:
	case CONN_MEASURE:
	case CONN_ORDER:
		/* It has sent more, which has to wait; or it has gone. */
		if (events & (EPOLLHUP | EPOLLERR))
			server_close(server, conn);
		else
			server_watch(server, conn, 0);
		break;
	case CONN_SEND:
		if (events & EPOLLERR)
			server_close(server, conn);
		else
			server_send(server, conn);
		break;
	case CONN_DRAIN:
		drain(server, conn);
		break;
	case CONN_COUNT:
		break;
	}
}

static void expire(struct server *server, struct conn *conn)
{
	switch ((enum conn_phase)conn->phase) {
	case CONN_REQUEST:
		server_refuse(server, conn, 408);
		break;
	case CONN_PULSE:
	case CONN_MEASURE:
	case CONN_ORDER:
		server_unanswered(server, conn);
		break;
	case CONN_IDLE:
	case CONN_QUEUED:
	case CONN_SEND:
	case CONN_DRAIN:
	case CONN_COUNT:
		server_close(server, conn);
		break;
	}
}

/* --- Accepting ----------------------------------------------------------------------- */

static void watch_sockets(struct server *server, int operation, uint32_t interest)
{
	for (unsigned i = 0; i < server->socket_count; i++) {
		struct epoll_event event = {.events = interest, .data.u32 = SOCKET + i};
		epoll_ctl(server->epoll_fd, operation, server->sockets[i], &event);
	}
}

/* Closes the connection that can best be spared. False if each is being served. */
static bool make_room(struct server *server)
{
	static const enum conn_phase spare[] = {CONN_DRAIN, CONN_IDLE};

	for (size_t i = 0; i < ARRAY_LEN(spare); i++) {
		struct conn *conn = first(server, &server->phases[spare[i]]);
		if (conn) {
			server_close(server, conn);
			return true;
		}
	}
	return false;
}

static void turn_away(int fd)
{
	static const char busy[] = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n"
				   "Retry-After: 1\r\nConnection: close\r\n\r\n";

	if (write(fd, busy, sizeof(busy) - 1) > 0)
		shutdown(fd, SHUT_WR);
	close(fd);
}

static void welcome(struct server *server, int fd)
{
	if (server->free.head == NONE && !make_room(server)) {
		turn_away(fd);
		return;
	}
	struct conn *conn = first(server, &server->free);
	struct epoll_event event = {
	    .events = EPOLLIN, .data.u32 = (uint32_t)(conn - server->conns)};
	take_out(server, &server->free, conn);
	conn->fd = fd;
	conn->used = conn->whole = 0;
	conn->interest = EPOLLIN;
	conn->phase = CONN_IDLE;
	conn->since = server->site.now;
	append(server, &server->phases[CONN_IDLE], conn);
	if (epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
		server_close(server, conn);
	else
		receive(server, conn); /* most clients' first request is there already */
}

static void accept_all(struct server *server, int listener)
{
	for (unsigned i = 0; i < ACCEPTS; i++) {
		int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			welcome(server, fd);
			continue;
		}
		bool want =
		    errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
		/* The want of a descriptor is told before whether anybody is there (accept(2)
		 * takes the descriptor first), so only the first in a turn, for which epoll
		 * speaks, is worth somebody's place. */
		if (!want || i > 0)
			return;
		if (make_room(server))
			continue;
		/* The socket would wake us at once and for ever. */
		watch_sockets(server, EPOLL_CTL_MOD, 0);
		server->resume_at = server->site.now + PAUSE_MS;
		return;
	}
}

/* --- The loop ------------------------------------------------------------------------ */

static void look_at_clock(struct server *server)
{
	server->site.now = clock_ms();
	server->site.wall = clock_wall();
}

static int wait_time(struct server *server)
{
	int64_t next = server->resume_at ? server->resume_at : INT64_MAX;

	if (first(server, &server->phases[CONN_QUEUED]))
		return 0;
	for (unsigned phase = 0; phase < CONN_COUNT; phase++) {
		const struct conn *conn = first(server, &server->phases[phase]);
		if (conn && conn->since + limits[phase] < next)
			next = conn->since + limits[phase];
	}
	if (next == INT64_MAX)
		return -1;
	return next > server->site.now ? (int)(next - server->site.now) : 0;
}

static void check_limits(struct server *server)
{
	struct conn *conn;

	for (unsigned phase = 0; phase < CONN_COUNT; phase++)
		while ((conn = first(server, &server->phases[phase])) &&
		       conn->since + limits[phase] <= server->site.now)
			expire(server, conn);
	if (server->resume_at && server->resume_at <= server->site.now) {
		server->resume_at = 0;
		watch_sockets(server, EPOLL_CTL_MOD, EPOLLIN);
	}
}

bool server_turn(struct server *server)
{
	struct epoll_event events[EVENTS];
	int count = epoll_wait(server->epoll_fd, events, EVENTS, wait_time(server));

	look_at_clock(server);
	server->made_large = false;
	/* PID 1's word first, since requests ask for it; newcomers last: by then who has sent
	 * a request is not idle, and a place that has become free has no event any more. */
	for (int i = 0; i < count; i++)
		if (events[i].data.u32 == NONE && !server_channel(server))
			return false;
	for (int i = 0; i < count; i++)
		if (events[i].data.u32 < NONE)
			on_event(server, &server->conns[events[i].data.u32], events[i].events);
	for (int i = 0; i < count; i++)
		if (events[i].data.u32 >= SOCKET && !server->resume_at)
			accept_all(server, server->sockets[events[i].data.u32 - SOCKET]);
	server_queue(server);
	check_limits(server);
	return true;
}

/* --- Beginning ----------------------------------------------------------------------- */

static void set_nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

static void init_lists(struct server *server)
{
	server->free = (struct conn_list){NONE, NONE};
	for (unsigned phase = 0; phase < CONN_COUNT; phase++)
		server->phases[phase] = (struct conn_list){NONE, NONE};
	for (unsigned i = 0; i < SERVER_CONNECTIONS; i++) {
		server->conns[i].fd = -1;
		append(server, &server->free, &server->conns[i]);
	}
}

/* Memory that costs nothing until it is used. */
static void *reserve(size_t size)
{
	void *memory = mmap(
	    NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

int server_init(struct server *server, int channel, int first_socket, unsigned count)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u32 = NONE};
	const int one = 1;

	server->area_size = HTTP_ANSWER_HEAD + site_room(&server->site.board);
	server->area = reserve(server->area_size);
	server->conns = reserve(SERVER_CONNECTIONS * sizeof(struct conn));
	size_t slots = (size_t)server->site.board.head->capacity + 1;
	server->site.copies = reserve(slots * sizeof(struct board_service));
	server->site.readings = reserve(slots * sizeof(struct board_reading));
	if (!server->area || !server->conns || !server->site.copies || !server->site.readings)
		return -ENOMEM;
	init_lists(server);
	look_at_clock(server);
	server->channel = channel;
	server->quick_at = server->date_second = -1;
	server->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	set_nonblocking(channel);
	if (server->epoll_fd < 0 || epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, channel, &event) < 0)
		return -errno;
	for (unsigned i = 0; i < count && i < SERVER_SOCKETS; i++) {
		server->sockets[server->socket_count++] = first_socket + (int)i;
		set_nonblocking(first_socket + (int)i);
		/* Connections inherit it. Meaningless to a unix socket. */
		setsockopt(first_socket + (int)i, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	}
	watch_sockets(server, EPOLL_CTL_ADD, EPOLLIN);
	return 0;
}
