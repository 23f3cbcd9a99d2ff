#include "ctl/client.h"

#include "ctl/view.h"
#include "init/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	ANSWER_LINE = 65536, /* greatest line of an answer */
	PIPE_ROOM = 1 << 20, /* wished for, so that a long answer need not wait for us */
};

struct call {
	const struct ctl *ctl;
	int control, reply, signals;
	uid_t owner; /* of the control FIFO: sinit's user */
	sigset_t old_mask;
	char name[REQUEST_REPLY + 1];
	char path[4096];
	int64_t deadline;
	client_line *each;
	void *context;
	char line[ANSWER_LINE];
	char copy[ANSWER_LINE];
	size_t used;
	bool done;
	int code;
};

/* Adds what is known of PID 1 to a failure to reach it. The pid is its own view: from
 * outside of its PID namespace that number is somebody else's. */
static int say_unreachable(const struct ctl *ctl, const char *why)
{
	int32_t pid;

	if (view_life(ctl->rundir, &pid) == BOARD_LIVE && pid > 0)
		ctl_error(
		    "no sinit is listening on %s/control: %s. But a sinit is alive there (pid %d "
		    "in its PID namespace): send it HUP and it makes the FIFO again",
		    ctl->rundir, why, (int)pid);
	else
		ctl_error("no sinit is listening on %s/control: %s. Is it running, and with -r %s?",
		    ctl->rundir, why, ctl->rundir);
	return CTL_NOT_RUNNING;
}

static int open_control(struct call *call)
{
	const struct ctl *ctl = call->ctl;
	struct stat info;

	snprintf(call->path, sizeof(call->path), "%s/control", ctl->rundir);
	call->control = open(call->path, O_WRONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY);
	if (call->control >= 0) {
		if (fstat(call->control, &info) == 0 && S_ISFIFO(info.st_mode)) {
			call->owner = info.st_uid;
			return CTL_OK;
		}
		return say_unreachable(ctl, "it is not a FIFO");
	}
	switch (errno) {
	case ENOENT:
	case ENOTDIR:
		return say_unreachable(ctl, "there is no such file");
	case ENXIO:
		return say_unreachable(ctl, "nobody has it open");
	case ELOOP:
	case EISDIR:
		return say_unreachable(ctl, "it is not a FIFO");
	case EACCES:
	case EPERM:
		ctl_error(
		    "permission denied: %s/control is for sinit's own user and the members of "
		    "control_group; try as root, or set control_group in [sinit]",
		    ctl->rundir);
		return CTL_FAILED;
	default:
		ctl_error("cannot open %s/control: %s", ctl->rundir, strerror(errno));
		return CTL_FAILED;
	}
}

/* From here on, a signal that would end us is kept until the FIFO is removed. */
static void hold_signals(struct call *call)
{
	static const int ends[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGQUIT};
	struct sigaction action;
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_LEN(ends); i++)
		if (sigaction(ends[i], NULL, &action) == 0 && action.sa_handler == SIG_DFL)
			sigaddset(&set, ends[i]);
	sigprocmask(SIG_BLOCK, &set, &call->old_mask);
	sigdelset(&set, SIGPIPE); /* a write's own; EPIPE tells it */
	call->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

/* Takes back hold_signals(): a signal that came meanwhile acts now. */
static void release_signals(struct call *call)
{
	struct timespec none = {0};
	sigset_t pipe_only;

	sigemptyset(&pipe_only);
	sigaddset(&pipe_only, SIGPIPE);
	if (!sigismember(&call->old_mask, SIGPIPE))
		while (sigtimedwait(&pipe_only, NULL, &none) > 0)
			continue;
	if (call->signals >= 0)
		close(call->signals);
	sigprocmask(SIG_SETMASK, &call->old_mask, NULL);
}

static int make_reply(struct call *call)
{
	uint64_t random = 0;

	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
		random = (uint64_t)clock_ms();
	snprintf(call->name, sizeof(call->name), "%d.%016llx", (int)getpid(),
	    (unsigned long long)random);
	snprintf(call->path, sizeof(call->path), "%s/reply/%s", call->ctl->rundir, call->name);
	if (mkfifo(call->path, 0600) != 0) {
		int error = errno;
		call->path[0] = '\0';
		if (error == ENOENT)
			return say_unreachable(
			    call->ctl, "the directory reply/ beside it is missing");
		if (error == EACCES || error == EPERM)
			ctl_error(
			    "permission denied: cannot make a FIFO in %s/reply; it is for sinit's "
			    "own user and the members of control_group",
			    call->ctl->rundir);
		else
			ctl_error("cannot make a FIFO in %s/reply: %s", call->ctl->rundir,
			    strerror(error));
		return CTL_FAILED;
	}
	call->reply = open(call->path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	if (call->reply < 0) {
		ctl_error("cannot open %s: %s", call->path, strerror(errno));
		return CTL_FAILED;
	}
	/* An unprivileged sinit could not open what is root's. */
	if (geteuid() == 0 && call->owner != 0 && fchown(call->reply, call->owner, (gid_t)-1) != 0)
		ctl_error("cannot give %s to sinit's user %u: %s", call->path,
		    (unsigned)call->owner, strerror(errno));
	fcntl(call->reply, F_SETPIPE_SZ, PIPE_ROOM);
	return CTL_OK;
}

static int say_silent(const struct ctl *ctl)
{
	int32_t pid;

	if (view_life(ctl->rundir, &pid) != BOARD_LIVE) {
		ctl_error("sinit has ended before it answered; sinitctl status tells what it left");
		return CTL_NOT_RUNNING;
	}
	ctl_error("sinit (pid %d) is alive but has not answered within %d s: it may be stopped (a "
		  "debugger?) or very busy. sinitctl status works all the same",
	    (int)pid, CTL_ANSWER_MS / 1000);
	return CTL_TIMED_OUT;
}

/* Waits for `events` on `fd`. CTL_OK: they are there; else an exit code, explained. */
static int wait_for(struct call *call, int fd, short events)
{
	struct pollfd fds[] = {{.fd = fd, .events = events},
	    {.fd = call->signals, .events = POLLIN},
	    {.fd = fd == call->control ? -1 : call->control}};

	for (;;) {
		int64_t left = call->deadline - clock_ms();
		int n = poll(fds, ARRAY_LEN(fds), left > 0 ? (int)left : 0);
		if (n < 0 && errno != EINTR) {
			ctl_error("cannot wait for the answer: %s", strerror(errno));
			return CTL_FAILED;
		}
		/* First, for what was asked for may be the end of the asker, too. */
		if (n > 0 && fds[0].revents)
			return CTL_OK;
		if (n > 0 && fds[1].revents) {
			ctl_error(
			    "interrupted; the request may have been carried out all the same");
			return CTL_FAILED;
		}
		/* Nobody reads the control FIFO any more: PID 1 is gone, or its answer has
		 * come between the two. */
		if (n > 0 && fds[2].revents)
			return poll(fds, 1, 0) == 1 ? CTL_OK : say_silent(call->ctl);
		if (left <= 0)
			return say_silent(call->ctl);
	}
}

static int send_request(struct call *call, const char *line, size_t len)
{
	for (;;) {
		ssize_t n = write(call->control, line, len);
		if (n == (ssize_t)len)
			return CTL_OK;
		if (n < 0 && errno == EPIPE)
			return say_unreachable(call->ctl, "nobody has it open");
		if (n >= 0 || (errno != EAGAIN && errno != EINTR)) {
			ctl_error("cannot write to %s/control: %s", call->ctl->rundir,
			    n < 0 ? strerror(errno) : "only a part was taken");
			return CTL_FAILED;
		}
		int code = wait_for(call, call->control, POLLOUT);
		if (code != CTL_OK)
			return code;
	}
}

static void take_result(struct call *call, const struct reply *reply, const char *result)
{
	const char *message = reply_get(reply, "message");
	const char *code = reply_get(reply, "code");
	uint32_t number;

	call->done = true;
	if (strcmp(result, "ok") == 0) {
		call->code = CTL_OK;
		return;
	}
	call->code = CTL_FAILED;
	if (code && parse_u32(code, &number) == 0 && number > 0 && number < 256)
		call->code = (int)number;
	ctl_error("%s", message ? message : "sinit refused, and gave no reason");
}

static int take_line(struct call *call, char *line)
{
	struct reply reply;

	strcpy(call->copy, line); /* parsing overwrites it, and it may have to be passed on */
	if (reply_parse(call->copy, &reply) != 0) {
		ctl_error("sinit's answer is not understood: %s", line);
		return CTL_FAILED;
	}
	const char *result = reply_get(&reply, "result");
	if (result)
		take_result(call, &reply, result);
	else if (call->each)
		call->each(call->context, line, &reply);
	return CTL_OK;
}

/* Takes the complete lines out of the buffer. */
static int take_lines(struct call *call)
{
	size_t from = 0;
	char *end;

	while (!call->done && (end = memchr(call->line + from, '\n', call->used - from))) {
		*end = '\0';
		int code = take_line(call, call->line + from);
		if (code != CTL_OK)
			return code;
		from = (size_t)(end - call->line) + 1;
	}
	call->used -= from;
	memmove(call->line, call->line + from, call->used);
	if (call->used == sizeof(call->line)) {
		ctl_error("sinit's answer has a line of more than %d bytes", ANSWER_LINE);
		return CTL_FAILED;
	}
	return CTL_OK;
}

static int receive(struct call *call)
{
	while (!call->done) {
		int code = wait_for(call, call->reply, POLLIN);
		if (code != CTL_OK)
			return code;
		ssize_t n =
		    read(call->reply, call->line + call->used, sizeof(call->line) - call->used);
		if (n > 0) {
			call->used += (size_t)n;
			call->deadline = clock_ms() + CTL_ANSWER_MS;
			code = take_lines(call);
		} else if (n == 0) {
			/* poll(2) waits for a first writer, so one has been there and is gone. */
			ctl_error("sinit has broken off its answer");
			code = CTL_FAILED;
		} else if (errno != EAGAIN && errno != EINTR) {
			ctl_error("cannot read the answer: %s", strerror(errno));
			code = CTL_FAILED;
		}
		if (code != CTL_OK)
			return code;
	}
	return call->code;
}

static int run_call(struct call *call, const struct request *request)
{
	char line[REQUEST_LINE];
	struct request complete = *request;
	size_t len;
	int code = open_control(call);

	if (code != CTL_OK)
		return code;
	hold_signals(call);
	code = make_reply(call);
	complete.reply = call->name;
	if (code == CTL_OK && request_format(&complete, line, &len) != 0) {
		ctl_error("%s: the request does not fit into %d bytes and %d arguments",
		    request->verb, REQUEST_LINE, REQUEST_ARGS);
		code = CTL_USAGE;
	}
	call->deadline = clock_ms() + CTL_ANSWER_MS;
	if (code == CTL_OK)
		code = send_request(call, line, len);
	if (code == CTL_OK)
		code = receive(call);
	if (call->path[0])
		unlink(call->path);
	release_signals(call);
	return code;
}

int client_call(const struct ctl *ctl, const char *verb, const char *const *argv, size_t argc,
    client_line *each, void *context)
{
	struct request request = {.verb = verb, .argc = argc};

	if (argc > REQUEST_ARGS) {
		ctl_error("%s: more than %d arguments", verb, REQUEST_ARGS);
		return CTL_USAGE;
	}
	for (size_t i = 0; i < argc; i++)
		request.argv[i] = argv[i];
	struct call *call = calloc(1, sizeof(*call));
	if (!call) {
		ctl_error("out of memory");
		return CTL_FAILED;
	}
	call->ctl = ctl;
	call->control = call->reply = call->signals = -1;
	call->each = each;
	call->context = context;
	int code = run_call(call, &request);
	if (call->control >= 0)
		close(call->control);
	if (call->reply >= 0)
		close(call->reply);
	free(call);
	return code;
}

size_t client_fits(const char *verb, const char *const *argv, size_t argc)
{
	char name[REQUEST_REPLY + 1];
	char line[REQUEST_LINE];
	struct request request = {.reply = name, .verb = verb};
	size_t len;

	memset(name, 'a', REQUEST_REPLY);
	name[REQUEST_REPLY] = '\0';
	while (request.argc < argc && request.argc < REQUEST_ARGS) {
		request.argv[request.argc] = argv[request.argc];
		request.argc++;
		if (request_format(&request, line, &len) != 0)
			return request.argc - 1;
	}
	return request.argc;
}
