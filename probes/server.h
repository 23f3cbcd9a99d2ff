/* Connections: accepting, reading, answering and closing them, none of which ever waits.
 *
 * A connection is always in one phase, and in the list of that phase by the time it came
 * there; since a phase has one time limit, the head of its list is the next to be late. So
 * there are no timers, and the oldest idle connection is known when its place is wanted.
 * Nothing is allocated for a request; what a slow reader has not taken of its answer is
 * copied aside, up to a limit for all.
 * Owns: the connections' descriptors, the table, the answers that wait. May call: site,
 * http_request, http_answer. */
#ifndef SINIT_PROBES_SERVER_H
#define SINIT_PROBES_SERVER_H

#include "probes/site.h"
#include "probes/web_answer.h"
#include "probes/web_request.h"

enum {
	SERVER_CONNECTIONS = 256,
	SERVER_SOCKETS = 16,           /* listening sockets at most */
	SERVER_IDLE_MS = 10000,        /* between two requests */
	SERVER_REQUEST_MS = 5000,      /* for a request to come in whole */
	SERVER_QUEUE_MS = 30000,       /* for a request to have its turn */
	SERVER_PULSE_MS = 900,         /* for PID 1 to say that it lives */
	SERVER_ORDER_MS = 10000,       /* for PID 1 to carry out an order */
	SERVER_SEND_MS = 30000,        /* for an answer to be taken */
	SERVER_DRAIN_MS = 2000,        /* for the client to close after an answer of ours that ends
					  the connection: closing first could take it away again */
	SERVER_ASK_MS = 1000,          /* between two questions to PID 1 */
	SERVER_MEASURE_MS = 500,       /* for PID 1 to read what the services use */
	SERVER_MEASURE_AGE = 200,      /* for which a reading will do; PID 1 makes none sooner */
	SERVER_ORDERS = 100,           /* orders passed to PID 1 in a second */
	SERVER_LARGE = 128 << 10,      /* bytes of an answer of which one is made in a turn */
	SERVER_WAITING_MAX = 32 << 20, /* bytes of answers that wait for slow readers */
};

enum conn_phase {
	CONN_IDLE,    /* no byte of a request yet */
	CONN_REQUEST, /* a part of one */
	CONN_QUEUED,  /* whole; waits for its turn, since a large answer was made in this one */
	CONN_PULSE,   /* whole; PID 1 has been asked whether it lives */
	CONN_MEASURE, /* whole; PID 1 has been asked what the services use */
	CONN_ORDER,   /* whole; PID 1 has been given the order */
	CONN_SEND,    /* the answer has not been taken yet */
	CONN_DRAIN,   /* answered for the last time; what still comes is thrown away */
	CONN_COUNT,
};

struct conn {
	int fd;                      /* -1: free */
	uint16_t next, prev;         /* in the list of its phase, or of the free ones */
	uint8_t phase;               /* enum conn_phase */
	bool keep;                   /* the connection stays after this answer */
	bool lingers;                /* ends by CONN_DRAIN: there may be unread bytes */
	uint32_t interest;           /* of epoll */
	int64_t since;               /* when it came to this phase; ms */
	uint32_t order;              /* its number */
	uint32_t used;               /* bytes in input[] */
	uint32_t whole;              /* of them the present request, with its body */
	struct http_request request; /* points into input[] */
	char *waiting;               /* of the answer, a mapping of its own; NULL: none */
	size_t waiting_size, waiting_done;
	char input[HTTP_HEAD_MAX + HTTP_BODY_MAX];
};

struct conn_list {
	uint16_t head, tail; /* SERVER_CONNECTIONS: none */
};

struct server {
	struct site site;
	int epoll_fd;
	int channel; /* to PID 1 */
	int sockets[SERVER_SOCKETS];
	unsigned socket_count;
	struct conn *conns; /* SERVER_CONNECTIONS */
	struct conn_list free, phases[CONN_COUNT];
	char *area; /* HTTP_ANSWER_HEAD and the body of one answer */
	size_t area_size;
	bool made_large;   /* an answer of SERVER_LARGE in this turn of the loop */
	size_t waiting;    /* bytes of all conn.waiting */
	int64_t resume_at; /* when accepting goes on after a want of descriptors, 0: it does */
	int64_t asked_at;  /* last ping */
	int64_t unanswered_since; /* first ping without a pong, 0: none */
	int64_t answered_at;      /* last pong, 0: none yet */
	int64_t measure_at;       /* last question what the services use */
	int64_t measure_since;    /* first one without an answer, 0: none */
	int64_t measured_at;      /* last answer, 0: none yet */
	uint32_t number;          /* of the last ping or order */
	int64_t order_second;     /* in which `orders` were passed on */
	unsigned orders;
	int64_t date_second;
	char date[HTTP_DATE];
	int64_t quick_at;  /* time of `quick`, ms */
	struct text quick; /* the answer to GET /health that keeps the connection */
	char quick_buffer[HTTP_ANSWER_HEAD + 256];
};

/* Takes over the inherited sockets; `server->site` must be filled in. 0 or -errno. */
int server_init(struct server *server, int channel, int first_socket, unsigned count);

/* Waits for the next event and deals with it. False when PID 1 has closed the channel. */
bool server_turn(struct server *server);

/* --- server_answer.c ------------------------------------------------------------- */

/* Finds the answer to the request in `conn`, which is whole. */
void server_dispatch(struct server *server, struct conn *conn);

/* The request in `conn` cannot be read, or not carried out: answers so, and closes. */
void server_refuse(struct server *server, struct conn *conn, unsigned status);

/* Goes on sending what waits. */
void server_send(struct server *server, struct conn *conn);

/* Reads the channel. False when PID 1 has closed it. */
bool server_channel(struct server *server);

/* Time is up for a connection in CONN_PULSE, CONN_MEASURE or CONN_ORDER. */
void server_unanswered(struct server *server, struct conn *conn);

/* Goes on with those in CONN_QUEUED, as far as it goes in this turn. */
void server_queue(struct server *server);

/* --- server.c, for server_answer.c ------------------------------------------------- */

void server_enter(struct server *server, struct conn *conn, enum conn_phase phase);
void server_close(struct server *server, struct conn *conn);
void server_watch(struct server *server, struct conn *conn, uint32_t interest);

/* The answer has been taken: what is next on this connection? */
void server_answered(struct server *server, struct conn *conn);

/* Carries out the requests that are whole in input[], until one has to wait. */
void server_serve(struct server *server, struct conn *conn);

#endif
