/* The listen check: is there a socket that listens on a port, and is it the service's? Asked
 * of the kernel (sock_diag(7)), so no connection is made. The process is short, runs as the
 * service's user, and frees nothing. */
#include "probes/checker.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	INODES = 256, /* sockets noted: with SO_REUSEPORT each worker has its own */
	DEPTH = 64,   /* generations that are walked up to find out a descent */
};

struct search {
	uint16_t port;
	bool udp;
	pid_t service, session;
	unsigned inodes;
	uint32_t inode[INODES];
	bool hidden; /* a process of the service cannot be looked into */
	pid_t thief; /* the first other process that has one of the sockets, 0: none */
};

/* --- the sockets -------------------------------------------------------------------- */

static int note(struct nl_msg *message, void *context)
{
	struct search *search = context;
	struct nlmsghdr *header = nlmsg_hdr(message);
	const struct inet_diag_msg *found = nlmsg_data(header);

	if (header->nlmsg_type != SOCK_DIAG_BY_FAMILY ||
	    nlmsg_datalen(header) < (int)sizeof(*found))
		return NL_SKIP;
	if (ntohs(found->id.idiag_sport) == search->port && search->inodes < INODES)
		search->inode[search->inodes++] = found->idiag_inode;
	return NL_OK;
}

/* An UDP socket that is bound but not connected is in state CLOSE. */
static int ask(struct nl_sock *sock, const struct search *search, uint8_t family)
{
	struct inet_diag_req_v2 request = {
	    .sdiag_family = family,
	    .sdiag_protocol = search->udp ? IPPROTO_UDP : IPPROTO_TCP,
	    .idiag_states = search->udp ? 1u << TCP_CLOSE : 1u << TCP_LISTEN,
	    .id.idiag_sport = htons(search->port),
	};

	if (nl_send_simple(sock, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, &request, sizeof(request)) < 0)
		return -EIO;
	return nl_recvmsgs_default(sock) < 0 ? -EIO : 0;
}

/* -EIO: the kernel does not tell, or not all. */
static int find_sockets(struct search *search)
{
	struct nl_sock *sock = nl_socket_alloc();

	if (!sock || nl_connect(sock, NETLINK_SOCK_DIAG) < 0)
		return -EIO;
	nl_socket_modify_cb(sock, NL_CB_VALID, NL_CB_CUSTOM, note, search);
	int v4 = ask(sock, search, AF_INET), v6 = ask(sock, search, AF_INET6);
	return v4 ? v4 : v6;
}

/* --- the processes ------------------------------------------------------------------ */

/* 1: it has one of the sockets, 0: none, -errno: it cannot be looked into. */
static int has_socket(const struct search *search, pid_t pid)
{
	char path[64], link[64];
	const struct dirent *entry;
	int found = 0;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	DIR *directory = opendir(path);
	if (!directory)
		return -errno;
	while (!found && (entry = readdir(directory))) {
		ssize_t length =
		    readlinkat(dirfd(directory), entry->d_name, link, sizeof(link) - 1);
		if (length < 9 || memcmp(link, "socket:[", 8) != 0)
			continue;
		link[length] = '\0';
		unsigned long inode = strtoul(link + 8, NULL, 10);
		for (unsigned i = 0; i < search->inodes && !found; i++)
			found = search->inode[i] == inode;
	}
	closedir(directory);
	return found;
}

static pid_t parent_of(pid_t pid)
{
	char path[64], buffer[512];

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? -1 : read(fd, buffer, sizeof(buffer) - 1);
	if (fd >= 0)
		close(fd);
	if (length <= 0)
		return 0;
	buffer[length] = '\0';
	/* "PID (NAME) STATE PARENT": the name may hold anything; see proc_pid_stat(5). */
	const char *end = strrchr(buffer, ')');
	return end && strlen(end) > 4 ? atoi(end + 4) : 0;
}

static bool is_descendant(const struct search *search, pid_t pid)
{
	for (int depth = 0; depth < DEPTH && pid > 1; depth++) {
		if (pid == search->service)
			return true;
		pid = parent_of(pid);
	}
	return pid == search->service;
}

static bool in_session(const struct search *search, pid_t pid)
{
	return pid == search->service || (search->session > 0 && getsid(pid) == search->session);
}

/* One that is surely the service's. True: the search is over. */
static bool look_at_own(struct search *search, pid_t pid)
{
	int found = in_session(search, pid) ? has_socket(search, pid) : 0;

	search->hidden |= found == -EACCES || found == -EPERM;
	return found == 1;
}

/* The others. Of the descent is asked only where it matters, since it is many files. */
static bool look_at_other(struct search *search, pid_t pid)
{
	int found = in_session(search, pid) ? 0 : has_socket(search, pid);

	if (found == 0 || found == -ENOENT)
		return false;
	bool own = is_descendant(search, pid);
	if (found == 1 && !own && !search->thief)
		search->thief = pid;
	search->hidden |= found < 0 && own;
	return found == 1 && own;
}

/* Looks at all processes until one ends the search. */
static bool any_process(struct search *search, bool (*look)(struct search *search, pid_t pid))
{
	const struct dirent *entry;
	bool found = false;

	DIR *proc = opendir("/proc");
	if (!proc)
		return false;
	while (!found && (entry = readdir(proc)))
		if (isdigit((unsigned char)entry->d_name[0]))
			found = look(search, (pid_t)atoi(entry->d_name));
	closedir(proc);
	return found;
}

/* Is /proc there, and of our own PID namespace? */
static bool proc_is_ours(void)
{
	char link[16];
	ssize_t length = readlink("/proc/self", link, sizeof(link) - 1);

	if (length <= 0)
		return false;
	link[length] = '\0';
	return atoi(link) == getpid();
}

/* --- the answer --------------------------------------------------------------------- */

static struct probe_outcome answer(struct search *search)
{
	int error = find_sockets(search);

	if (!search->inodes)
		return (struct probe_outcome){error ? FAULT_INTERNAL : FAULT_NOT_LISTENING, 0};
	if (!proc_is_ours())
		return (struct probe_outcome){FAULT_INTERNAL, 0};
	/* Most often it is the main process itself, and nothing else need be read. */
	if (has_socket(search, search->service) == 1 || any_process(search, look_at_own) ||
	    any_process(search, look_at_other))
		return (struct probe_outcome){FAULT_NONE, 0};
	if (search->hidden && !search->thief)
		return (struct probe_outcome){FAULT_INTERNAL, 0};
	return (struct probe_outcome){FAULT_STOLEN, search->thief};
}

/* The session in which everybody is the service's, 0: there is none. Of a main process that
 * is gone others may be left in what was its session. */
static pid_t session_of(pid_t service)
{
	pid_t session = getsid(service);

	if (session < 0)
		return service;
	/* Our parent is sinit, which makes a session for each service. */
	return session == getsid(getppid()) ? 0 : session;
}

static void name_of(pid_t pid, char ret[static CHECKER_NAME])
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? 0 : read(fd, ret, CHECKER_NAME - 1);
	ret[length > 0 ? length : 0] = '\0';
	ret[strcspn(ret, "\n")] = '\0';
	if (fd >= 0)
		close(fd);
}

struct probe_outcome listen_probe(
    uint16_t port, bool udp, pid_t service, char thief[static CHECKER_NAME])
{
	static struct search search;
	struct probe_outcome outcome;

	search.port = port;
	search.udp = udp;
	search.service = service;
	search.session = session_of(service);
	outcome = answer(&search);
	if (search.thief)
		name_of(search.thief, thief);
	return outcome;
}
