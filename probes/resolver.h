/* Names to addresses by the system's own resolver, getaddrinfo(3), without waiting: it runs
 * in a child, one for each name that is asked for, and other checks go on meanwhile. Numeric
 * addresses need no child. An answer is used again by who asks within the time it allows.
 *
 * Owns: its children and the pipes from them. May call: libc, epoll. */
#ifndef SINIT_PROBES_RESOLVER_H
#define SINIT_PROBES_RESOLVER_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	RESOLVER_ADDRESSES = 8, /* of a name that are tried */
	RESOLVER_NAMES = 64,    /* names remembered, and names asked for at a time */
	RESOLVER_NAME = 256,    /* bytes of a name: 253 at most (RFC 1035), NUL */
};

struct address {
	uint8_t family; /* AF_INET or AF_INET6 */
	uint8_t bytes[16];
	uint32_t scope; /* of a link-local address */
};

struct addresses {
	int32_t error; /* EAI_ number of getaddrinfo(3), 0: there is at least one address */
	uint32_t count;
	struct address list[RESOLVER_ADDRESSES];
};

/* Who waits for an answer; a part of what belongs to the caller. */
struct waiter {
	struct waiter *next;
	struct lookup *lookup; /* NULL: waits for nothing */
};

struct lookup {
	char host[RESOLVER_NAME]; /* "": free */
	pid_t pid;                /* of the child that asks, 0: answered */
	int fd;                   /* to read its answer from */
	int64_t answered;         /* ms */
	struct waiter *waiters;
	struct addresses addresses;
};

struct resolver {
	int epoll_fd;
	uint64_t tag;   /* its descriptors' epoll data are tag + 0 .. RESOLVER_NAMES-1 */
	uint32_t dying; /* children killed and perhaps not reaped yet */
	struct lookup lookup[RESOLVER_NAMES];
	void (*answer)(void *context, struct waiter *waiter, const struct addresses *addresses);
	void *context;
};

/* 1: *ret has the answer, an earlier one not older than `most_age` ms included; 0: it will come
 * by resolver->answer(), unless resolver_forget() is called first; -errno: nobody can be asked
 * now (-EMFILE, -ENOMEM, -EAGAIN ...). */
int resolver_ask(struct resolver *resolver, const char *host, int64_t now, int64_t most_age,
    struct waiter *waiter, struct addresses *ret);

/* Does not wait any more; a child for whom nobody waits is killed. */
void resolver_forget(struct resolver *resolver, struct waiter *waiter);

/* Whatever was known of the name is not to be used again: nobody could be reached there. */
void resolver_distrust(struct resolver *resolver, const char *host);

/* The descriptor tag + `index` can be read. */
void resolver_ready(struct resolver *resolver, uint32_t index, int64_t now);

/* To be called once a turn: reaps children that were killed. */
void resolver_reap(struct resolver *resolver);

/* An address for connect(2); returns the size. */
socklen_t resolver_sockaddr(const struct address *address, uint16_t port, struct sockaddr_in6 *ret);

#endif
