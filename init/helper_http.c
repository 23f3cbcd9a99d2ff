/* PID 1's side of the responder: what it listens on, whether PID 1 lives, and orders. */
#include "init/helper_run.h"

#include "init/log.h"
#include "init/raw_syscall.h"
#include "init/sinit.h"
#include "probes/check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	BACKLOG = 128,
	UNIX_MODE = 0666,
	LISTEN_AGAIN = 30000, /* ms between attempts at an address that is in use */
};

/* --- listening ----------------------------------------------------------------------------- */

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_un path;
};

/* A number's address, or every address. Returns the size, 0: it is none. */
static socklen_t inet_address(const char *host, uint16_t port, bool v6, union address *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (v6) {
		ret->v6.sin6_family = AF_INET6;
		ret->v6.sin6_port = htons(port);
		return !*host || inet_pton(AF_INET6, host, &ret->v6.sin6_addr) == 1 ? sizeof(ret->v6) : 0;
	}
	ret->v4.sin_family = AF_INET;
	ret->v4.sin_port = htons(port);
	return !*host || inet_pton(AF_INET, host, &ret->v4.sin_addr) == 1 ? sizeof(ret->v4) : 0;
}

static int listen_on(const union address *address, socklen_t size)
{
	int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int yes = 1;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (bind(fd, &address->any, size) < 0 || listen(fd, BACKLOG) < 0) {
		int error = -errno;

		close(fd);
		return error;
	}
	return fd;
}

static int listen_inet(const char *host, uint16_t port)
{
	union address address;
	int fd = -EAFNOSUPPORT;

	/* Every address: IPv6 takes IPv4 with it (bindv6only apart), where it is. */
	for (int v6 = 1; v6 >= 0 && fd < 0; v6--) {
		socklen_t size = inet_address(host, port, v6, &address);

		if (size)
			fd = listen_on(&address, size);
	}
	return fd;
}

/* Whether there is a socket by that name which nobody has open. */
static bool is_deserted(const union address *address)
{
	struct stat st;
	int fd, rc;

	if (lstat(address->path.sun_path, &st) < 0 || !S_ISSOCK(st.st_mode))
		return false;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	rc = connect(fd, &address->any, sizeof(address->path)) < 0 ? -errno : 0;
	close(fd);
	return rc == -ECONNREFUSED;
}

static int listen_unix(const char *path)
{
	union address address = {.path.sun_family = AF_UNIX};
	int fd;

	if (strlen(path) >= sizeof(address.path.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.path.sun_path, path);
	/* Left by an earlier sinit: a name that nobody can connect to. */
	if (is_deserted(&address))
		unlink(path);
	fd = listen_on(&address, sizeof(address.path));
	if (fd >= 0)
		chmod(path, UNIX_MODE);
	return fd;
}

static int open_one(const char *where)
{
	struct check_target target;
	char host[CHECK_HOST + 1], why[128];
	struct text reason;

	text_init(&reason, why, sizeof(why));
	if (check_parse_address(where, &target, &reason) < 0)
		return -EINVAL;
	if (target.kind == CHECK_UNIX)
		return listen_unix(where);
	if (target.host.length >= sizeof(host))
		return -EINVAL;
	memcpy(host, where + target.host.at, target.host.length);
	host[target.host.length] = '\0';
	return listen_inet(host, target.port);
}

static void drop(struct helpers *h, unsigned i)
{
	close(h->listening[i]);
	if (h->where[i][0] == '/') /* a name of ours */
		unlink(h->where[i]);
	h->sockets--;
	h->listening[i] = h->listening[h->sockets];
	memcpy(h->where[i], h->where[h->sockets], sizeof(h->where[i]));
}

static bool is_listed(const struct image *image, const struct image_list *list, const char *where)
{
	for (uint32_t i = 0; i < list->count; i++)
		if (!strcmp(image_string(image, list->item[i]), where))
			return true;
	return false;
}

static bool is_open(const struct helpers *h, const char *where)
{
	for (unsigned i = 0; i < h->sockets; i++)
		if (!strcmp(h->where[i], where))
			return true;
	return false;
}

bool helpers_serve(
    const struct helpers *h, const struct image *image, const struct http_settings *http)
{
	const struct image_list *list = image_list(image, http->listen);

	if (h->control != http->control || h->dashboard != http->dashboard ||
	    h->sockets != list->count)
		return false;
	for (unsigned i = 0; i < h->sockets; i++)
		if (!is_listed(image, list, h->where[i]))
			return false;
	return true;
}

/* 0 or -errno. */
static int add(struct helpers *h, const char *where)
{
	struct text text;
	int fd = open_one(where);

	if (fd < 0)
		return fd;
	text_init(&text, h->where[h->sockets], sizeof(h->where[0]));
	text_add(&text, where);
	h->listening[h->sockets++] = fd;
	return 0;
}

/* Opens what is not open yet. That something is in the way is said once, and not while it may
 * be the old responder that is. */
static void add_all(struct sinit *sinit, const struct image *image, const struct http_settings *http)
{
	struct helpers *h = &sinit->helpers;
	const struct image_list *list = image_list(image, http->listen);
	bool said = h->listen_said;

	h->listen_at = 0;
	for (uint32_t i = 0; i < list->count && h->sockets < HELPER_LISTEN_MAX; i++) {
		const char *where = image_string(image, list->item[i]);
		int rc;

		if (is_open(h, where))
			continue;
		rc = add(h, where);
		if (rc == 0 && said)
			log_info(NULL, "[http] listen = %s: it does now", where);
		if (rc == 0)
			continue;
		h->listen_at = sinit->supervisor.now + LISTEN_AGAIN;
		if (said || (rc == -EADDRINUSE && h->helper[HELPER_RESPONDER].pid))
			continue;
		h->listen_said = true;
		log_error(NULL, "[http] listen = %s: %s; nothing listens there, it is tried again every "
		    "%d s", where, strerror(-rc), LISTEN_AGAIN / 1000);
	}
}

/* What stays is not opened anew: the old responder still has it, so that the address would
 * be in use. */
void helpers_listen(struct sinit *sinit, const struct image *image, const struct http_settings *http)
{
	struct helpers *h = &sinit->helpers;
	const struct image_list *list = image_list(image, http->listen);

	for (unsigned i = h->sockets; i-- > 0;)
		if (!is_listed(image, list, h->where[i]))
			drop(h, i);
	h->listen_said = false;
	add_all(sinit, image, http);
}

void helpers_listen_again(struct sinit *sinit)
{
	struct helpers *h = &sinit->helpers;
	struct helper *responder = &h->helper[HELPER_RESPONDER];
	const struct image *image = sinit->supervisor.set[sinit->supervisor.current].image;
	const struct http_settings *http = image_http(image);
	unsigned before = h->sockets;

	h->listen_at = 0;
	if (!http)
		return;
	add_all(sinit, image, http);
	if (h->sockets == before)
		return;
	responder->wanted = true;
	responder->stale = responder->pid != 0;
}

void helpers_stop_listening(struct helpers *h)
{
	h->listen_at = 0;
	while (h->sockets)
		drop(h, h->sockets - 1);
}

/* --- orders ------------------------------------------------------------------------------------- */

/* What is wrong with a token file of which `size` bytes were read, NULL: nothing. The blanks
 * and ends of lines behind the token are taken off. */
static const char *trim_token(char token[static HELPER_TOKEN], ssize_t size)
{
	if (size < 0)
		return strerror(errno);
	if (size == HELPER_TOKEN)
		return "longer than 255 bytes";
	while (size > 0 && strchr(" \t\r\n", token[size - 1]))
		size--;
	memset(token + size, 0, HELPER_TOKEN - (size_t)size);
	if (size == 0)
		return "it is empty";
	for (ssize_t i = 0; i < size; i++)
		if ((unsigned char)token[i] <= ' ' || token[i] == 0x7f)
			return "a token is one word, and this is more";
	return NULL;
}

void helpers_read_token(struct helpers *h, const char *path)
{
	const char *wrong;
	int fd;

	memset(h->token, 0, sizeof(h->token));
	if (!path)
		return;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	wrong = trim_token(h->token, fd < 0 ? -1 : read(fd, h->token, sizeof(h->token)));
	if (wrong) {
		log_error(NULL, "[http] token_file = %s: %s; no POST is accepted", path, wrong);
		memset(h->token, 0, sizeof(h->token));
	}
	if (fd >= 0)
		close(fd);
}

/* In a time that does not depend on where they differ. */
static bool same_token(const char *a, const char *b)
{
	unsigned char differ = 0;

	for (size_t i = 0; i < HELPER_TOKEN; i++)
		differ |= (unsigned char)(a[i] ^ b[i]);
	return differ == 0;
}

static void answer(struct sinit *sinit, uint32_t number, uint32_t status, const char *format,
    const char *name)
{
	struct responder_answer message = {
	    .kind = RESPONDER_ANSWER, .number = number, .status = status};
	struct text text;

	text_init(&text, message.message, sizeof(message.message));
	text_addf(&text, format, name);
	platform_send(sinit->helpers.helper[HELPER_RESPONDER].channel, &message, sizeof(message));
}

/* Answered when it is done. */
static void order_reload(struct sinit *sinit, uint32_t number)
{
	int rc = sinit->helpers.reload_order ? -EALREADY : reload_start(sinit);

	if (rc < 0)
		answer(sinit, number, rc == -EALREADY ? 409 : 503, "reload cannot begin: %s",
		    strerror(-rc));
	else
		sinit->helpers.reload_order = number;
}

void helpers_reloaded(struct sinit *sinit, const char *error)
{
	uint32_t number = sinit->helpers.reload_order;

	sinit->helpers.reload_order = 0;
	if (number)
		answer(sinit, number, error ? 409 : 200, "%s", error ? error : "configuration reloaded");
}

void helpers_order(struct sinit *sinit, struct responder_order *order)
{
	static const struct {
		char verb[8];
		const char *done; /* that it is carried out is seen from the state */
		void (*run)(struct supervisor *sv, uint32_t slot);
	} verbs[] = {{"start", "%s is told to start", supervisor_up},
	    {"stop", "%s is told to stop", supervisor_stop},
	    {"restart", "%s is told to restart", supervisor_restart}};
	struct helpers *h = &sinit->helpers;
	struct supervisor *sv = &sinit->supervisor;
	char token[HELPER_TOKEN] = "";
	uint32_t slot;

	order->verb[sizeof(order->verb) - 1] = order->name[sizeof(order->name) - 1] = '\0';
	order->token[sizeof(order->token) - 1] = '\0';
	strcpy(token, order->token); /* what is behind its end is zero now */
	if (!h->control || !h->token[0] || !same_token(token, h->token)) {
		answer(sinit, order->number, h->control ? 401 : 404, "the token is missing or wrong%s", "");
		return;
	}
	if (sv->stopping) {
		answer(sinit, order->number, 503, "sinit is stopping%s", "");
		return;
	}
	if (!strcmp(order->verb, "reload")) {
		order_reload(sinit, order->number);
		return;
	}
	slot = supervisor_find(sv, order->name);
	if (slot == SUPERVISOR_NONE) {
		answer(sinit, order->number, 404, "there is no service %s", order->name);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		if (!strcmp(order->verb, verbs[i].verb)) {
			log_info(order->name, "%s by HTTP", order->verb);
			verbs[i].run(sv, slot);
			answer(sinit, order->number, 200, verbs[i].done, order->name);
			return;
		}
	answer(sinit, order->number, 404, "no such order: %s", order->verb);
}

/* --- the pulse ------------------------------------------------------------------------------------ */

/* Not by opendir(3), which allocates. The records are getdents64(2)'s. */
static uint32_t count_files(void)
{
	_Alignas(8) unsigned char buffer[4096];
	int fd = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	uint32_t count = 0;
	long size;

	if (fd < 0)
		return 0;
	while ((size = raw_syscall3(SYS_getdents64, fd, (long)buffer, sizeof(buffer))) > 0)
		for (long at = 0; at < size; count++) {
			uint16_t length; /* behind the inode and the offset */

			memcpy(&length, buffer + at + 16, sizeof(length));
			at += length;
		}
	close(fd);
	return count > 3 ? count - 3 : 0; /* ., .. and its own */
}

static uint32_t resident_kib(void)
{
	char text[128];
	unsigned long size, resident = 0;
	int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	ssize_t count = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	text[count > 0 ? count : 0] = '\0';
	if (sscanf(text, "%lu %lu", &size, &resident) != 2)
		return 0;
	return (uint32_t)(resident * (unsigned long)sysconf(_SC_PAGESIZE) / 1024);
}

void helpers_pong(struct sinit *sinit, const struct responder_ping *ping)
{
	struct helpers *h = &sinit->helpers;
	struct responder_pong pong = {.kind = RESPONDER_PONG,
	    .number = ping->number,
	    .open_files = count_files(),
	    .resident_kib = resident_kib(),
	    .loop_lag_us = (uint64_t)h->lag_us,
	    .turns = h->turns};

	h->lag_us = 0;
	platform_send(h->helper[HELPER_RESPONDER].channel, &pong, sizeof(pong));
}
