#include "probes/resolver.h"

#include "init/raw_syscall.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

enum { OLD_KERNEL_FDS = 4096 }; /* closed one by one where there is no close_range(2) */

_Static_assert(sizeof(struct addresses) <= PIPE_BUF, "an answer is written in one piece");

/* --- the child ---------------------------------------------------------------------- */

static void add_address(struct addresses *addresses, const struct sockaddr *found)
{
	struct address *address = &addresses->list[addresses->count];

	if (addresses->count == RESOLVER_ADDRESSES)
		return;
	if (found->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)found;
		memcpy(address->bytes, &in->sin_addr, sizeof(in->sin_addr));
	} else if (found->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)found;
		memcpy(address->bytes, &in6->sin6_addr, sizeof(in6->sin6_addr));
		address->scope = in6->sin6_scope_id;
	} else {
		return;
	}
	address->family = (uint8_t)found->sa_family;
	addresses->count++;
}

static void look_up(const char *host, int flags, struct addresses *ret)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = flags}, *list = NULL;

	*ret = (struct addresses){.error = getaddrinfo(host, NULL, &hints, &list)};
	if (ret->error)
		return;
	for (const struct addrinfo *info = list; info; info = info->ai_next)
		add_address(ret, info->ai_addr);
	freeaddrinfo(list);
	if (ret->count == 0)
		ret->error = EAI_NONAME;
}

/* Keeps nothing of the prober's open: a connection that the prober closes must be closed. */
static void close_others(int fd)
{
	if (dup2(fd, 0) < 0)
		_exit(1);
	if (raw_syscall3(SYS_close_range, 3, (long)~0u, 0) == 0)
		return;
	for (int other = 3; other < OLD_KERNEL_FDS; other++)
		close(other);
}

static _Noreturn void child_main(const char *host, int fd)
{
	struct addresses addresses;

	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	close_others(fd);
	look_up(host, 0, &addresses);
	_exit(write(0, &addresses, sizeof(addresses)) != (ssize_t)sizeof(addresses));
}

/* --- lookups ------------------------------------------------------------------------ */

static struct lookup *find(struct resolver *resolver, const char *host)
{
	for (uint32_t i = 0; i < RESOLVER_NAMES; i++)
		if (strcmp(resolver->lookup[i].host, host) == 0)
			return &resolver->lookup[i];
	return NULL;
}

/* A free place, or that of the oldest answer. NULL: all are being asked for. */
static struct lookup *find_place(struct resolver *resolver)
{
	struct lookup *oldest = NULL;

	for (uint32_t i = 0; i < RESOLVER_NAMES; i++) {
		struct lookup *lookup = &resolver->lookup[i];
		if (!lookup->host[0])
			return lookup;
		if (!lookup->pid && (!oldest || lookup->answered < oldest->answered))
			oldest = lookup;
	}
	return oldest;
}

static void end_child(struct resolver *resolver, struct lookup *lookup)
{
	/* The child may have it open for a moment more, and epoll would go on with it. */
	epoll_ctl(resolver->epoll_fd, EPOLL_CTL_DEL, lookup->fd, NULL);
	close(lookup->fd);
	kill(lookup->pid, SIGKILL);
	lookup->pid = 0;
	resolver->dying++;
	resolver_reap(resolver);
}

static int start_child(struct resolver *resolver, struct lookup *lookup, const char *host)
{
	uint64_t index = (uint64_t)(lookup - resolver->lookup);
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = resolver->tag + index};
	int pipe_fd[2], error;

	if (pipe2(pipe_fd, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	pid_t pid =
	    epoll_ctl(resolver->epoll_fd, EPOLL_CTL_ADD, pipe_fd[0], &event) < 0 ? -1 : fork();
	error = errno;
	if (pid == 0)
		child_main(host, pipe_fd[1]);
	close(pipe_fd[1]);
	if (pid < 0) {
		close(pipe_fd[0]);
		return -error;
	}
	*lookup = (struct lookup){.pid = pid, .fd = pipe_fd[0]};
	memcpy(lookup->host, host, strlen(host));
	return 0;
}

static void wait_for(struct lookup *lookup, struct waiter *waiter)
{
	waiter->lookup = lookup;
	waiter->next = lookup->waiters;
	lookup->waiters = waiter;
}

static bool is_numeric(const char *host, struct addresses *ret)
{
	*ret = (struct addresses){.count = 1};
	ret->list[0].family = AF_INET;
	if (inet_pton(AF_INET, host, ret->list[0].bytes) == 1)
		return true;
	/* Those with a scope, or written in an unusual way. */
	look_up(host, AI_NUMERICHOST, ret);
	return ret->error == 0;
}

int resolver_ask(struct resolver *resolver, const char *host, int64_t now, int64_t most_age,
    struct waiter *waiter, struct addresses *ret)
{
	struct lookup *lookup;
	int rc;

	if (is_numeric(host, ret))
		return 1;
	if (strlen(host) >= RESOLVER_NAME) {
		*ret = (struct addresses){.error = EAI_NONAME};
		return 1;
	}
	lookup = find(resolver, host);
	if (lookup && !lookup->pid && now - lookup->answered < most_age) {
		*ret = lookup->addresses;
		return 1;
	}
	if (!lookup || !lookup->pid) {
		if (!lookup)
			lookup = find_place(resolver);
		rc = lookup ? start_child(resolver, lookup, host) : -EAGAIN;
		if (rc < 0)
			return rc;
	}
	wait_for(lookup, waiter);
	return 0;
}

void resolver_forget(struct resolver *resolver, struct waiter *waiter)
{
	struct lookup *lookup = waiter->lookup;

	if (!lookup)
		return;
	for (struct waiter **at = &lookup->waiters; *at; at = &(*at)->next)
		if (*at == waiter) {
			*at = waiter->next;
			break;
		}
	waiter->lookup = NULL;
	if (lookup->waiters || !lookup->pid)
		return;
	end_child(resolver, lookup);
	lookup->host[0] = '\0';
}

void resolver_distrust(struct resolver *resolver, const char *host)
{
	struct lookup *lookup = find(resolver, host);

	if (*host && lookup && !lookup->pid)
		lookup->host[0] = '\0';
}

/* What is read is of a child of ours, but its libraries read what the network sent. False:
 * there is nothing to read after all. */
static bool read_answer(int fd, struct addresses *ret)
{
	ssize_t size = read(fd, ret, sizeof(*ret));

	if (size < 0 && errno == EAGAIN)
		return false;
	if (size != (ssize_t)sizeof(*ret) || ret->count > RESOLVER_ADDRESSES ||
	    (ret->error == 0) != (ret->count > 0))
		*ret = (struct addresses){.error = EAI_SYSTEM};
	return true;
}

void resolver_ready(struct resolver *resolver, uint32_t index, int64_t now)
{
	struct lookup *lookup = &resolver->lookup[index];
	struct waiter *waiter;

	/* Else it is of a lookup that was forgotten in this turn. */
	if (!lookup->pid || !read_answer(lookup->fd, &lookup->addresses))
		return;
	end_child(resolver, lookup);
	lookup->answered = now;
	struct addresses addresses = lookup->addresses;
	if (addresses.error)
		lookup->host[0] = '\0'; /* only what was found is remembered */
	/* Taken out before it is told: it may ask again at once. */
	struct waiter *list = lookup->waiters;
	lookup->waiters = NULL;
	for (waiter = list; waiter; waiter = waiter->next)
		waiter->lookup = NULL;
	while ((waiter = list)) {
		list = waiter->next;
		resolver->answer(resolver->context, waiter, &addresses);
	}
}

void resolver_reap(struct resolver *resolver)
{
	while (resolver->dying > 0 && waitpid(-1, NULL, WNOHANG) > 0)
		resolver->dying--;
}

socklen_t resolver_sockaddr(const struct address *address, uint16_t port, struct sockaddr_in6 *ret)
{
	struct sockaddr_in *in = (void *)ret;

	memset(ret, 0, sizeof(*ret));
	if (address->family == AF_INET) {
		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		memcpy(&in->sin_addr, address->bytes, sizeof(in->sin_addr));
		return sizeof(*in);
	}
	ret->sin6_family = AF_INET6;
	ret->sin6_port = htons(port);
	ret->sin6_scope_id = address->scope;
	memcpy(&ret->sin6_addr, address->bytes, sizeof(ret->sin6_addr));
	return sizeof(*ret);
}
