/* What the responder listens on. */
#include "init/helper_run.h"

#include "init/log.h"
#include "init/sinit.h"
#include "probes/check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
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
		return !*host || inet_pton(AF_INET6, host, &ret->v6.sin6_addr) == 1
			   ? sizeof(ret->v6)
			   : 0;
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
static void add_all(
    struct sinit *sinit, const struct image *image, const struct http_settings *http)
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
		log_error(NULL,
		    "[http] listen = %s: %s; nothing listens there, it is tried again every %d s",
		    where, strerror(-rc), LISTEN_AGAIN / 1000);
	}
}

/* What stays is not opened anew: the old responder still has it, so that the address would
 * be in use. */
void helpers_listen(
    struct sinit *sinit, const struct image *image, const struct http_settings *http)
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
