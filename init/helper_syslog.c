/* The socket of /dev/log, which PID 1 keeps, so that messages wait for the next logger; and sinit's
 * own messages, where they go to a file. */
#include "init/helper_run.h"

#include "init/fds.h"
#include "init/image_log.h"
#include "init/log.h"
#include "init/sinit.h"
#include "log/store.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Removes a socket that nobody serves any more. 0 or -errno: what is there is not ours to take. */
static int make_way(const struct sockaddr_un *address)
{
	int fd, error = 0;
	struct stat info;

	if (lstat(address->sun_path, &info) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(info.st_mode))
		return -ENOTSOCK;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* EPROTOTYPE: a stream is served there. */
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ||
	    errno != ECONNREFUSED)
		error = -EADDRINUSE;
	else if (unlink(address->sun_path) < 0)
		error = -errno;
	close(fd);
	return error;
}

/* Each message is told with its sender, and with the time of its arrival (socket(7)). */
static int open_socket(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd, up, yes = 1, error;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	error = make_way(&address);
	if (error)
		return error;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &yes, sizeof(yes)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &yes, sizeof(yes)) < 0 ||
	    chmod(path, 0666) < 0)
		error = -errno;
	up = error ? error : fds_copy_up(fd);
	close(fd);
	return up;
}

/* Whether the path still leads to it: somebody may have removed it, or put another one there. */
static bool is_named(const struct logger_state *state)
{
	struct stat info;

	return stat(state->socket, &info) == 0 && info.st_ino == state->socket_inode;
}

static void close_socket(struct logger_state *state)
{
	if (state->syslog <= 0)
		return;
	if (is_named(state))
		unlink(state->socket);
	close(state->syslog);
	state->syslog = 0;
}

static void keep_socket(struct sinit *sinit, const char *path)
{
	struct logger_state *state = &sinit->helpers.logger;
	struct stat info;
	int fd;

	if (path && state->syslog > 0 && !strcmp(path, state->socket) && is_named(state))
		return;
	if (path && state->syslog > 0 && !strcmp(path, state->socket))
		log_warning(NULL, "[syslog] %s was gone: making it again", path);
	close_socket(state);
	if (!path)
		return;
	fd = open_socket(path);
	if (fd < 0) {
		log_warning(NULL, "[syslog] %s: %s; messages of syslog are not taken%s", path,
		    strerror(-fd), fd == -EADDRINUSE ? ", since another program does" : "");
		return;
	}
	state->socket_inode = stat(path, &info) == 0 ? info.st_ino : 0;
	state->syslog = fd;
	sinit->supervisor.captures_changed = true; /* the logger has none, or the one before */
	strncpy(state->socket, path, sizeof(state->socket) - 1);
}

/* A stream that is no service's is there if it is wanted. NULL: it is not. */
static struct capture *keep_stream(
    struct supervisor *sv, uint8_t kind, const char *name, bool wanted)
{
	struct capture *found = NULL;

	for (uint32_t i = 0; i < sv->captures && !found; i++)
		if (sv->capture[i].used && !sv->capture[i].retired && sv->capture[i].kind == kind)
			found = &sv->capture[i];
	if (found && !wanted)
		supervisor_capture_retire(sv, found);
	if (!found && wanted)
		found = supervisor_capture(sv, kind, name);
	return wanted ? found : NULL;
}

/* sinit itself does not write to disks: they may not answer. */
static void keep_own_log(struct sinit *sinit, const char *target)
{
	struct supervisor *sv = &sinit->supervisor;
	/* One that could not be opened was told of, and messages go to stderr. */
	bool wanted = target && target[0] == '/' && log_is_file() && sinit->helpers.program >= 0;
	struct capture *own = keep_stream(sv, STORE_SINIT, "sinit", wanted);

	sinit->helpers.logger.own_fails &= own != NULL;
	if (own && fcntl(own->pipe[1], F_SETFL, O_NONBLOCK) == 0)
		log_use(sinit->helpers.logger.own_fails ? -1 : own->pipe[1]);
}

void helpers_logger_configure(struct sinit *sinit, const struct image *image)
{
	const struct syslog_settings *syslog = image_syslog(image);
	bool listens = syslog && syslog->listen;

	keep_socket(sinit, listens ? image_string(image, syslog->socket) : NULL);
	keep_stream(&sinit->supervisor, STORE_SYSLOG, "syslog", listens);
	keep_own_log(sinit, image_string(image, image_settings(image)->log_target));
}

void helpers_logger_reopen(struct sinit *sinit)
{
	const struct supervisor *sv = &sinit->supervisor;

	if (log_reopen() < 0)
		log_warning(NULL, "the log cannot be reopened; the old one goes on");
	if (sinit->helpers.program >= 0)
		helpers_logger_configure(sinit, sv->set[sv->current].image);
	helpers_logger_tell_reopen(sinit);
}

void helpers_logger_close(struct sinit *sinit)
{
	close_socket(&sinit->helpers.logger);
}
