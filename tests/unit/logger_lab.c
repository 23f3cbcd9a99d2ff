#include "tests/unit/logger_lab.h"
#include "tests/unit/moments.h"
#include "tests/unit/tempdir.h"

#include "init/clock.h"
#include "log/store_make.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATIENCE = 20000 }; /* ms */

static void must(bool good, const char *what)
{
	if (good)
		return;
	perror(what);
	abort();
}

static int above(int fd)
{
	int higher = fcntl(fd, F_DUPFD_CLOEXEC, LOGLAB_ABOVE);

	must(fd >= 0 && higher >= 0, "descriptor");
	close(fd);
	return higher;
}

static void make_pipe(int ends[2])
{
	int low[2];

	must(pipe2(low, O_CLOEXEC | O_NONBLOCK) == 0, "pipe");
	ends[0] = above(low[0]);
	ends[1] = above(low[1]);
}

static void make_pair(int type, int ends[2])
{
	int low[2];

	must(socketpair(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, low) == 0, "socketpair");
	ends[0] = above(low[0]);
	ends[1] = above(low[1]);
}

static void close_pair(const int ends[2])
{
	for (int i = 0; i < 2; i++)
		if (ends[i] >= 0)
			close(ends[i]);
}

static size_t store_size(void)
{
	return (size_t)store_rings(LOGLAB_STREAMS) + LOGLAB_STREAMS * (size_t)STORE_RING;
}

static void make_channel(struct logger_lab *lab)
{
	int channel[2];

	make_pair(SOCK_SEQPACKET, channel);
	must(dup2(channel[0], HELPER_CHANNEL) == HELPER_CHANNEL, "channel");
	close(channel[0]);
	lab->channel = channel[1];
}

void loglab_make(struct logger_lab *lab)
{
	bool file;

	*lab =
	    (struct logger_lab){.syslog = {-1, -1}, .out = {-1, -1}, .syslog_stream = UINT32_MAX};
	make_channel(lab);
	lab->store = above(store_make(-1, LOGLAB_STREAMS, (gid_t)-1, &file));
	lab->head = mmap(NULL, store_size(), PROT_READ | PROT_WRITE, MAP_SHARED, lab->store, 0);
	must(lab->head != MAP_FAILED, "mmap");
	must(dup2(lab->store, HELPER_STORE) == HELPER_STORE, "store");
	make_pipe(lab->take);
	make_pipe(lab->put);
}

void loglab_free(struct logger_lab *lab)
{
	for (uint32_t i = 0; i < lab->streams; i++)
		close_pair(lab->stream[i].pipe);
	close_pair(lab->take);
	close_pair(lab->put);
	close_pair(lab->syslog);
	close_pair(lab->out);
	munmap(lab->head, store_size());
	close(lab->store);
	close(lab->channel);
	close(HELPER_CHANNEL);
	close(HELPER_STORE);
}

uint32_t loglab_add(struct logger_lab *lab, const struct loglab_stream *stream)
{
	must(lab->streams < LOGLAB_STREAMS, "no room for a stream");
	lab->stream[lab->streams] = *stream;
	make_pipe(lab->stream[lab->streams].pipe);
	return lab->streams++;
}

void loglab_make_syslog(struct logger_lab *lab, uint32_t stream)
{
	int on = 1;

	make_pair(SOCK_DGRAM, lab->syslog);
	must(setsockopt(lab->syslog[0], SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)) == 0 &&
		 setsockopt(lab->syslog[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) == 0,
	    "setsockopt");
	lab->syslog_stream = stream;
}

void loglab_make_out(struct logger_lab *lab)
{
	make_pipe(lab->out);
}

void loglab_write(struct logger_lab *lab, uint32_t stream, const char *bytes, size_t size)
{
	must(write(lab->stream[stream].pipe[1], bytes, size) == (ssize_t)size, "pipe of a service");
}

void loglab_print(struct logger_lab *lab, uint32_t stream, const char *string)
{
	loglab_write(lab, stream, string, strlen(string));
}

size_t loglab_read_out(struct logger_lab *lab, char *bytes, size_t size)
{
	size_t used = 0;
	ssize_t count;

	while (used < size - 1 && (count = read(lab->out[0], bytes + used, size - 1 - used)) > 0)
		used += (size_t)count;
	bytes[used] = '\0';
	return used;
}

/* --- a logger ------------------------------------------------------------------------------- */

static void add_orders(const struct logger_lab *lab, uint32_t index, FILE *file)
{
	const struct loglab_stream *s = &lab->stream[index];
	const char *path = s->path ? s->path : "";
	size_t size = (sizeof(struct logger_stream) + strlen(path) + 8) / 8 * 8;
	struct logger_stream *o = calloc(1, size);

	must(o != NULL, "memory");
	*o = (struct logger_stream){.size = (uint32_t)size,
	    .index = index,
	    .fd = s->pipe[0],
	    .kind = s->kind,
	    .sink = s->sink,
	    .prefix = s->prefix,
	    .format = s->format,
	    .gzip = s->gzip,
	    .retired = s->retired,
	    .keep = s->keep,
	    .max_size = s->max_size ? s->max_size : UINT32_MAX,
	    .uid = s->uid ? s->uid : UINT32_MAX,
	    .gid = s->gid ? s->gid : UINT32_MAX,
	    .ended = {{.event = s->ended, .at = LOGGER_UNKNOWN}},
	    .end = LOGGER_UNKNOWN};
	snprintf(o->name, sizeof(o->name), "%s", s->name);
	strcpy(o->path, path);
	must(fwrite(o, size, 1, file) == 1, "orders");
	free(o);
}

static void write_orders(const struct logger_lab *lab)
{
	struct logger_orders orders = {.streams = lab->streams,
	    .take = {{lab->take[0], lab->take[1]}},
	    .put = {lab->put[0], lab->put[1]},
	    .syslog = lab->syslog[0],
	    .syslog_stream = lab->syslog_stream,
	    .forward_port = lab->forward_port,
	    .forward_tcp = lab->forward_tcp,
	    .hangs = lab->hangs,
	    .forward_host = "127.0.0.1"};
	int fd = above(memfd_create("orders", MFD_CLOEXEC));
	FILE *file = fdopen(fd, "w");

	must(file && fwrite(&orders, sizeof(orders), 1, file) == 1, "orders");
	for (uint32_t i = 0; i < lab->streams; i++)
		add_orders(lab, i, file);
	must(fflush(file) == 0 && dup2(fd, HELPER_ORDERS) == HELPER_ORDERS, "orders");
	fclose(file);
}

struct logger *loglab_start(struct logger_lab *lab)
{
	struct logger *logger = calloc(1, sizeof(*logger));
	sigset_t signals;

	must(logger != NULL, "memory");
	sigemptyset(&signals);
	sigaddset(&signals, SIGIO); /* of pipes that it arms */
	sigprocmask(SIG_BLOCK, &signals, NULL);
	write_orders(lab);
	logger->epoll = above(epoll_create1(EPOLL_CLOEXEC));
	must(logger_load(logger) == 0 && forward_open(logger) == 0, "logger_load");
	logger->now = clock_ms();
	return logger;
}

void loglab_stop(struct logger *logger)
{
	for (uint32_t i = 0; i < logger->sinks; i++) {
		sink_close(logger, &logger->sink[i]);
		place_close(&logger->sink[i].place);
	}
	for (uint32_t i = 0; i < logger->streams; i++)
		munmap(logger->stream[i].ring, 2 * STORE_RING);
	munmap(logger->head, store_size());
	munmap((void *)(uintptr_t)logger->orders, 1);
	close(HELPER_ORDERS);
	close(logger->epoll);
	free(logger->forward);
	free(logger->stream);
	free(logger->sink);
	free(logger->by_index);
	free(logger);
}

void loglab_recover(struct logger *logger)
{
	take_recover(logger);
	sinks_open(logger);
	put_recover(logger);
	syslog_recover(logger);
}

void loglab_serve(struct logger *logger)
{
	bool any;

	do {
		any = false;
		for (uint32_t i = 0; i < logger->streams; i++) {
			struct stream *stream = &logger->stream[i];

			any |= stream->fd >= 0 && take(logger, stream) > 0;
			put(logger, stream);
		}
	} while (any);
	if (logger->orders->syslog >= 0)
		syslog_ready(logger);
	rotate_pack(logger);
	while (logger->packer) {
		rotate_packed(logger);
		rotate_pack(logger);
	}
}

void loglab_work(void *context)
{
	struct logger_lab *lab = context;
	const struct rlimit limit = {lab->file_limit, lab->file_limit};
	struct logger *logger;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	if (lab->out[1] >= 0)
		must(dup2(lab->out[1], STDOUT_FILENO) == STDOUT_FILENO, "dup2");
	logger = loglab_start(lab);
	must(!lab->file_limit || setrlimit(RLIMIT_FSIZE, &limit) == 0, "setrlimit");
	moments_begin();
	loglab_recover(logger);
	loglab_serve(logger);
}

/* As a container's filter may do it. */
static void refuse_owners(void)
{
	struct sock_filter code[] = {
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_fcntl, 0, 3),
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, F_SETOWN, 0, 1),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = {.len = sizeof(code) / sizeof(code[0]), .filter = code};

	must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
		 prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0,
	    "seccomp");
}

pid_t loglab_main(struct logger_lab *lab)
{
	pid_t pid = fork();

	must(pid >= 0, "fork");
	if (pid > 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* of a test that fails nothing is left */
	close(lab->channel);
	write_orders(lab);
	if (lab->deaf)
		refuse_owners();
	_exit(logger_main());
}

void loglab_end(struct logger_lab *lab, pid_t pid)
{
	const struct logger_message leave = {.kind = LOGGER_LEAVE};
	int status;

	must(send(lab->channel, &leave, sizeof(leave), 0) == sizeof(leave), "leave");
	close(lab->channel);
	must(waitpid(pid, &status, 0) == pid && status == 0, "end of the logger");
	make_channel(lab);
}

bool loglab_wait(const char *path, char *content, size_t most, size_t size)
{
	for (int i = 0; i < PATIENCE && file_read(path, content, most) < size; i++)
		poll(NULL, 0, 1);
	return file_read(path, content, most) == size;
}

bool loglab_heard(struct logger_lab *lab, uint32_t kind, struct logger_message *ret)
{
	while (recv(lab->channel, ret, sizeof(*ret), MSG_DONTWAIT) == (ssize_t)sizeof(*ret))
		if (ret->kind == kind)
			return true;
	return false;
}

struct store_stream *loglab_record(struct logger_lab *lab, uint32_t stream)
{
	return store_stream(lab->head, stream);
}

size_t loglab_control_size(const struct logger_lab *lab)
{
	return sizeof(struct store_head) + lab->streams * sizeof(struct store_stream);
}

size_t loglab_waiting(int fd)
{
	int waiting = 0;

	return ioctl(fd, FIONREAD, &waiting) < 0 || waiting < 0 ? 0 : (size_t)waiting;
}
