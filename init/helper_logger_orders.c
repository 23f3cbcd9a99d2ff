/* What the logger is to do: which streams there are and where they go, as a file; and the
 * descriptors that it is given for that. */
#include "init/helper_run.h"

#include "init/fds.h"
#include "init/image_log.h"
#include "init/sinit.h"
#include "log/store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	OWN_SIZE = 10485760, /* bytes of sinit's own file: the default of log_max_size */
	OWN_KEEP = 5,
};

_Static_assert((int)LOGGER_STDOUT == SINK_STDOUT + 1 && (int)LOGGER_STDERR == SINK_STDERR + 1 &&
		   (int)LOGGER_FILE == SINK_FILE + 1,
    "the logger's targets are those of the configuration, behind one more");

/* Of a pipe that stands in between, while a logger moves bytes (log/take.c, log/put.c). */
static int open_pipe(int ret_pipe[static 2])
{
	int pair[2], up[2];

	if (pipe2(pair, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	for (int i = 0; i < 2; i++) {
		up[i] = fds_copy_up(pair[i]);
		close(pair[i]);
	}
	if (up[0] < 0 || up[1] < 0) {
		for (int i = 0; i < 2; i++)
			if (up[i] >= 0)
				close(up[i]);
		return up[0] < 0 ? up[0] : up[1];
	}
	memcpy(ret_pipe, up, sizeof(up));
	return 0;
}

static int open_pipes(struct logger_state *state)
{
	int error = 0;

	if (!state->take[state->turn][1])
		error = open_pipe(state->take[state->turn]);
	if (!error && !state->put[1])
		error = open_pipe(state->put);
	return error;
}

void helpers_logger_target(
    const struct supervisor *sv, const struct capture *capture, struct image_log *ret)
{
	const struct image *image = sv->set[sv->current].image;
	const struct syslog_settings *syslog = image_syslog(image);

	*ret = (struct image_log){.sink = SINK_NULL};
	if (capture->retired)
		return;
	if (capture->kind == STORE_SYSLOG && syslog)
		image_log_syslog(image, syslog, ret);
	else if (capture->kind == STORE_SINIT)
		*ret = (struct image_log){.sink = SINK_FILE,
		    .path = image_string(image, image_settings(image)->log_target),
		    .max_size = OWN_SIZE,
		    .keep = OWN_KEEP,
		    .uid = SETTING_UNSET,
		    .gid = SETTING_UNSET};
	else if (capture->slot != SUPERVISOR_NONE)
		supervisor_capture_where(sv, capture, ret);
}

enum logger_sink helpers_logger_sink(const struct image_log *log)
{
	return log->sink == SINK_NULL ? LOGGER_NOWHERE : (enum logger_sink)(log->sink + 1);
}

static bool is_apart(const struct supervisor *sv, const struct capture *capture)
{
	return capture->slot != SUPERVISOR_NONE && sv->unit[capture->slot].capture[1] != 0;
}

static int put_stream(int fd, const struct supervisor *sv, uint32_t number)
{
	static const char zeros[LOGGER_ALIGNMENT];
	const struct capture *capture = &sv->capture[number];
	struct logger_stream stream = {.index = number,
	    .fd = capture->pipe[0],
	    .kind = capture->kind,
	    .retired = capture->retired,
	    .apart = is_apart(sv, capture),
	    .error = capture->fault,
	    .end = capture->end};
	struct image_log log;
	const char *path;
	uint32_t first = capture->ends > LOGGER_ENDS ? capture->ends - LOGGER_ENDS : 0;
	size_t length, rest;
	int error;

	for (uint32_t i = 0, n = first; n < capture->ends; i++, n++)
		stream.ended[i] = capture->ended[n % LOGGER_ENDS];
	helpers_logger_target(sv, capture, &log);
	path = log.path ? log.path : "";
	length = strlen(path) + 1;
	rest = (LOGGER_ALIGNMENT - (sizeof(stream) + length) % LOGGER_ALIGNMENT) % LOGGER_ALIGNMENT;
	stream.size = (uint32_t)(sizeof(stream) + length + rest);
	stream.sink = (uint8_t)helpers_logger_sink(&log);
	stream.prefix = log.prefix;
	stream.format = (uint8_t)log.format;
	stream.gzip = log.gzip;
	stream.keep = log.keep;
	stream.max_size = log.max_size;
	stream.uid = log.uid;
	stream.gid = log.gid;
	memcpy(stream.name, capture->name, sizeof(stream.name));
	error = fds_write_all(fd, &stream, sizeof(stream));
	if (!error)
		error = fds_write_all(fd, path, length);
	return error ? error : fds_write_all(fd, zeros, rest);
}

static void read_orders(struct logger_reader *reader, int fd)
{
	reader->fd = fd;
	reader->at = (off_t)sizeof(struct logger_orders);
}

/* NULL: there is none in them. */
static struct logger_stream *read_stream(struct logger_reader *reader, uint32_t number)
{
	struct logger_stream *stream = (void *)reader->record;

	while (reader->fd > 0 && pread(reader->fd, stream, sizeof(reader->record), reader->at) >=
				     (ssize_t)sizeof(*stream)) {
		if (stream->size < sizeof(*stream) || stream->size > sizeof(reader->record) ||
		    stream->index > number)
			break;
		reader->at += stream->size;
		if (stream->index == number)
			return stream;
	}
	return NULL;
}

void helpers_logger_read(const struct sinit *sinit, struct logger_reader *reader)
{
	read_orders(reader, sinit->helpers.logger.orders_fd);
}

const char *helpers_logger_was(struct logger_reader *reader, uint32_t number)
{
	const struct logger_stream *stream = read_stream(reader, number);

	return stream ? helpers_logger_name((enum logger_sink)stream->sink, stream->path) : NULL;
}

/* What a stream that no service has any more still has goes where it went before: as the orders
 * before say, or those that no logger has had so far. */
static int put_retired(
    int fd, const struct supervisor *sv, struct logger_reader *before, uint32_t number)
{
	struct logger_stream *stream = read_stream(before, number);

	if (!stream)
		return -ENOENT;
	stream->retired = true;
	stream->error = sv->capture[number].fault;
	return fds_write_all(fd, stream, stream->size);
}

static void set_forward(const struct supervisor *sv, struct logger_orders *orders)
{
	const struct image *image = sv->set[sv->current].image;
	const struct syslog_settings *syslog = image_syslog(image);

	if (!syslog || syslog->target.kind == CHECK_NONE)
		return;
	orders->forward_port = (uint16_t)syslog->target.port;
	orders->forward_tcp = !syslog->target.udp;
	strncpy(orders->forward_host, image_string(image, syslog->target.host),
	    sizeof(orders->forward_host) - 1);
}

static int put_one(
    int fd, const struct supervisor *sv, struct logger_reader *before, uint32_t number)
{
	int error = sv->capture[number].retired ? put_retired(fd, sv, before, number) : -ENOENT;

	return error == -ENOENT ? put_stream(fd, sv, number) : error;
}

static int put_all(int fd, const struct sinit *sinit)
{
	const struct supervisor *sv = &sinit->supervisor;
	const struct logger_state *state = &sinit->helpers.logger;
	struct logger_orders orders = {.turn = (uint8_t)state->turn,
	    .put = {state->put[0], state->put[1]},
	    .hangs = state->abandoned != 0,
	    .syslog = state->syslog ? state->syslog : -1,
	    .syslog_stream = UINT32_MAX};
	struct logger_reader before;
	int error;

	memcpy(orders.take, state->take, sizeof(orders.take));
	set_forward(sv, &orders);
	for (uint32_t i = 0; i < sv->captures; i++) {
		orders.streams += sv->capture[i].used;
		if (sv->capture[i].used && sv->capture[i].kind == STORE_SYSLOG &&
		    !sv->capture[i].retired)
			orders.syslog_stream = i;
	}
	error = fds_write_all(fd, &orders, sizeof(orders));
	read_orders(&before, state->draft_fd > 0 ? state->draft_fd : state->orders_fd);
	for (uint32_t i = 0; i < sv->captures && !error; i++)
		if (sv->capture[i].used)
			error = put_one(fd, sv, &before, i);
	return error;
}

/* What a logger was writing when it was killed, it was writing by its orders: so the next one has
 * the same at first, and then another one has those that a reload has brought since. */
static bool has_to_recover(const struct supervisor *sv, const struct logger_state *state)
{
	for (uint32_t i = 0; i < sv->captures; i++)
		if (sv->capture[i].freed) /* its descriptor is another file's */
			return false;
	return state->unclean && state->changed && state->orders_fd > 0 && !state->abandoned &&
	       !sv->store_gone;
}

/* A file of orders, and another descriptor of it for PID 1, which makes the next ones of these. */
static int write_orders(const struct sinit *sinit, int *ret_copy)
{
	int fd = memfd_create("sinit-logger", MFD_CLOEXEC | MFD_ALLOW_SEALING), copy;

	if (fd < 0)
		return -errno;
	copy = put_all(fd, sinit);
	if (!copy)
		copy = fds_copy_up(fd);
	if (copy < 0) {
		close(fd);
		return copy;
	}
	/* Nobody else is to write there. */
	fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	*ret_copy = copy;
	return fd;
}

static void replace(int *fd, int other)
{
	if (*fd > 0)
		close(*fd);
	*fd = other;
}

void helpers_logger_draft(struct sinit *sinit)
{
	int copy, fd = write_orders(sinit, &copy);

	if (fd < 0)
		return;
	close(fd);
	replace(&sinit->helpers.logger.draft_fd, copy);
}

int helpers_logger_orders(struct sinit *sinit)
{
	struct logger_state *state = &sinit->helpers.logger;
	int error = open_pipes(state), fd, copy;

	if (error)
		return error;
	if (has_to_recover(&sinit->supervisor, state)) {
		state->unclean = false;
		sinit->supervisor.captures_changed = true;
		return fds_copy_up(state->orders_fd);
	}
	supervisor_store_move(&sinit->supervisor);
	for (uint32_t i = 0; i < sinit->supervisor.captures; i++)
		sinit->supervisor.capture[i].freed = false;
	fd = write_orders(sinit, &copy);
	if (fd < 0)
		return fd;
	replace(&state->orders_fd, copy);
	replace(&state->draft_fd, 0);
	state->changed = state->unclean = false;
	return fd;
}

static void keep_open(int fd)
{
	fcntl(fd, F_SETFD, 0);
}

void helpers_logger_files(const struct sinit *sinit)
{
	const struct supervisor *sv = &sinit->supervisor;
	const struct logger_state *state = &sinit->helpers.logger;

	if (state->syslog)
		keep_open(state->syslog);
	for (int i = 0; i < 2; i++) {
		for (int turn = 0; turn < 2; turn++)
			if (state->take[turn][i])
				keep_open(state->take[turn][i]);
		keep_open(state->put[i]);
	}
	for (uint32_t i = 0; i < sv->captures; i++)
		if (sv->capture[i].used)
			keep_open(sv->capture[i].pipe[0]);
}
