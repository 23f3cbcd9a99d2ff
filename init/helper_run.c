#include "init/helper_run.h"

#include "init/log.h"
#include "init/raw_syscall.h"
#include "init/sinit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	DELAY = 100,       /* ms until a helper that has ended is started again; doubles */
	DELAY_MAX = 30000,
	GOOD_TIME = 10000, /* ms: who has lived so long begins with the first delay again */
	ABOVE = 64,        /* descriptors are moved up there before they take their places */
	MESSAGES = 64,     /* that are read in one turn from one channel */
	PULSE = 30000,     /* ms of silence after which a helper is asked whether it lives */
	PULSE_GRACE = 10000, /* ms that it has to answer */
};

/* ms that a helper has to end when it is told to. */
static const int64_t patience[HELPER_KINDS] = {
    [HELPER_PROBER] = 5000,
    [HELPER_RESPONDER] = 5000,
    [HELPER_ALERTER] = 40000, /* it ends what it has begun: each delivery has its 30 s */
    [HELPER_DEVICES] = 5000,
};

static const char *const names[HELPER_KINDS] = {
    HELPER_NAME_PROBER, HELPER_NAME_RESPONDER, HELPER_NAME_ALERTER, HELPER_NAME_DEVICES};

static const char *const titles[HELPER_KINDS] = {
    "prober", "responder", "alerter", "devices helper"};

/* What asks a helper whether it lives; 0: it is not asked. Probes that pass are silent, and so is
 * what is waited for until it comes: that these stand still nobody would see. */
static const uint32_t pings[HELPER_KINDS] = {
    [HELPER_PROBER] = PROBER_PING, [HELPER_DEVICES] = DEVICES_PING};

/* --- starting ------------------------------------------------------------------------------ */

struct birth {
	struct sinit *sinit;
	enum helper_kind kind;
	int channel;
	int orders; /* of the devices helper, -1: none */
};

/* A descriptor of the same file that can only be read; the prober alone writes its numbers. */
static int read_only(int fd)
{
	char path[32];
	int again;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, O_RDONLY | O_CLOEXEC);
	return again >= 0 ? again : fd;
}

/* In the child. The descriptors take the places that enum helper_fd says. */
static void place_files(const struct birth *birth)
{
	const struct helpers *h = &birth->sinit->helpers;
	int board = birth->sinit->supervisor.board.fd;
	unsigned sockets = birth->kind == HELPER_RESPONDER ? h->sockets : 0;
	int from[HELPER_SOCKETS - HELPER_CHANNEL + HELPER_LISTEN_MAX];
	unsigned count = 0;

	from[count++] = birth->channel;
	if (birth->kind == HELPER_DEVICES) {
		from[count++] = birth->orders;
	} else {
		from[count++] = birth->kind == HELPER_PROBER || board < 0 ? -1 : read_only(board);
		from[count++] = birth->kind == HELPER_PROBER || h->stats_fd < 0
				    ? h->stats_fd
				    : read_only(h->stats_fd);
	}
	for (unsigned i = 0; i < sockets; i++)
		from[count++] = h->listening[i];
	for (unsigned i = 0; i < count; i++)
		from[i] = from[i] < 0 ? -1 : fcntl(from[i], F_DUPFD_CLOEXEC, ABOVE);
	for (unsigned i = 0; i < count; i++) {
		if (from[i] >= 0)
			dup2(from[i], HELPER_CHANNEL + (int)i);
		else
			close(HELPER_CHANNEL + (int)i);
	}
	/* Not the program: that closes by itself. */
	raw_syscall3(SYS_close_range, (long)HELPER_CHANNEL + (long)count, ABOVE - 1, 0);
}

static int child(void *context)
{
	const struct birth *birth = context;
	const struct helpers *h = &birth->sinit->helpers;
	int program = fcntl(h->program, F_DUPFD_CLOEXEC, ABOVE);
	char sockets[12];
	char *const argv[] = {(char *)(uintptr_t)names[birth->kind], sockets,
	    (char *)(uintptr_t)(h->dashboard ? "dashboard" : "no-dashboard"),
	    (char *)(uintptr_t)(h->control ? "control" : "no-control"), NULL};
	char *const alone[] = {argv[0], NULL};

	snprintf(sockets, sizeof(sockets), "%u", h->sockets);
	setsid();
	place_files(birth);
	raw_syscall6(SYS_execveat, program, (long)"",
	    (long)(birth->kind == HELPER_RESPONDER ? argv : alone),
	    (long)birth->sinit->supervisor.environ, AT_EMPTY_PATH, 0);
	return EXIT_CODE_INTERNAL;
}

/* Every delay is twice the one before. */
static void put_off(struct helper *helper, int64_t now)
{
	int64_t delay = DELAY;

	for (uint32_t i = 0; i < helper->failures && delay < DELAY_MAX; i++)
		delay *= 2;
	helper->failures++;
	helper->due = now + (delay < DELAY_MAX ? delay : DELAY_MAX);
}

static void start(struct sinit *sinit, enum helper_kind kind)
{
	struct supervisor *sv = &sinit->supervisor;
	struct helper *helper = &sinit->helpers.helper[kind];
	struct birth birth = {.sinit = sinit, .kind = kind, .orders = -1};
	int pair[2];
	pid_t pid;

	helper->due = 0;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0) {
		put_off(helper, sv->now);
		return;
	}
	birth.channel = pair[1];
	if (kind == HELPER_DEVICES)
		birth.orders = helpers_devices_orders(sinit);
	pid = kind == HELPER_DEVICES && birth.orders < 0 ? birth.orders
							 : platform_fork(child, &birth);
	close(pair[1]);
	if (birth.orders >= 0)
		close(birth.orders);
	if (pid < 0) {
		close(pair[0]);
		put_off(helper, sv->now);
		return;
	}
	pidmap_put(&sv->pids, pid, kind, PID_HELPER);
	helper->pid = pid;
	helper->channel = pair[0];
	helper->started = helper->heard = sv->now;
	helper->stale = helper->asked = helper->waits = false;
	helper->kill_at = helper->pinged = 0;
	loop_watch(sinit, pair[0]);
	if (kind == HELPER_PROBER)
		supervisor_prober(sv, pair[0]);
	if (kind == HELPER_ALERTER)
		helpers_alert_start(sinit);
}

static void disconnect(struct sinit *sinit, enum helper_kind kind)
{
	struct helper *helper = &sinit->helpers.helper[kind];

	if (kind == HELPER_PROBER)
		supervisor_prober(&sinit->supervisor, -1);
	if (helper->channel >= 0)
		close(helper->channel);
	helper->channel = -1;
}

/* Deals with what has come through a channel, up to MESSAGES of them. Their number; -errno: no
 * more will come. */
static int read_channel(struct sinit *sinit, enum helper_kind kind);

static void ended(struct sinit *sinit, enum helper_kind kind)
{
	struct supervisor *sv = &sinit->supervisor;
	struct helper *helper = &sinit->helpers.helper[kind];
	const struct exit_status *status = &sv->helper_status[kind];

	while (helper->channel >= 0 && read_channel(sinit, kind) == MESSAGES)
		; /* what it has said last */
	disconnect(sinit, kind);
	helper->pid = 0;
	helper->kill_at = 0;
	if (sv->now - helper->started > GOOD_TIME)
		helper->failures = 0;
	/* The old one may have had what the new one is to listen on. */
	if (kind == HELPER_RESPONDER && sinit->helpers.listen_at && !sv->stopping)
		helpers_listen_again(sinit);
	if (!helper->wanted || sv->stopping)
		return;
	/* An end that was asked for, though by now it is wanted again, is no failure. */
	if (helper->stale || (helper->asked && status->kind == EXIT_EXITED && !status->code)) {
		helper->due = sv->now;
		return;
	}
	put_off(helper, sv->now);
	log_warning(NULL, "the %s has ended (%s %d); it is started again in %lld ms", titles[kind],
	    status->kind == EXIT_KILLED ? "signal" : "exit code", status->code,
	    (long long)(helper->due - sv->now));
}

/* A channel that is full is watched for room. */
static void watch_room(struct sinit *sinit, enum helper_kind kind, bool full)
{
	struct helper *helper = &sinit->helpers.helper[kind];
	struct epoll_event event = {
	    .events = EPOLLIN | (full ? EPOLLOUT : 0u), .data.fd = helper->channel};

	if (full == helper->waits)
		return;
	helper->waits = full;
	epoll_ctl(sinit->epoll_fd, EPOLL_CTL_MOD, event.data.fd, &event);
}

/* When it is next to be seen whether the helper lives, 0: not. */
static int64_t next_pulse(const struct sinit *sinit, enum helper_kind kind)
{
	const struct helper *helper = &sinit->helpers.helper[kind];

	if (!pings[kind] || !helper->pid || helper->kill_at)
		return 0;
	return helper->pinged ? helper->pinged + PULSE_GRACE : helper->heard + PULSE;
}

static void feel_pulse(struct sinit *sinit, enum helper_kind kind)
{
	struct helper *helper = &sinit->helpers.helper[kind];
	int64_t now = sinit->supervisor.now, next = next_pulse(sinit, kind);

	if (!next || now < next)
		return;
	if (!helper->pinged) {
		helper->pinged = now;
		platform_send(helper->channel, &pings[kind], sizeof(pings[kind]));
	} else {
		log_error(NULL, "the %s has not answered for %lld s; it is killed, and another one is "
		    "started", titles[kind], (long long)(now - helper->heard) / 1000);
		helper->kill_at = now;
	}
}

/* The helper is to end: by itself, or else by KILL. The alerter is told so, and has deliveries to
 * end: its time begins anew with each that has ended. */
static void see_off(struct sinit *sinit, enum helper_kind kind)
{
	struct helper *helper = &sinit->helpers.helper[kind];
	int64_t now = sinit->supervisor.now;

	helper->asked = true;
	if (kind != HELPER_ALERTER && helper->channel >= 0)
		disconnect(sinit, kind);
	if (!helper->kill_at)
		helper->kill_at = now + patience[kind];
}

static void kill_late(struct sinit *sinit, enum helper_kind kind)
{
	struct helper *helper = &sinit->helpers.helper[kind];

	if (!helper->pid || !helper->kill_at || helper->kill_at > sinit->supervisor.now)
		return;
	platform_kill(helper->pid, SIGKILL);
	helper->kill_at = sinit->supervisor.now + patience[kind];
}

void helpers_turn(struct sinit *sinit)
{
	struct supervisor *sv = &sinit->supervisor;
	struct helpers *h = &sinit->helpers;

	if (h->listen_at && h->listen_at <= sv->now && !sv->stopping)
		helpers_listen_again(sinit);
	for (unsigned kind = 0; kind < HELPER_KINDS; kind++) {
		struct helper *helper = &h->helper[kind];

		if (sv->helpers_ended & 1u << kind) {
			sv->helpers_ended &= ~(1u << kind);
			ended(sinit, kind);
		}
		feel_pulse(sinit, kind);
		if (helper->pid && (!helper->wanted || helper->stale))
			see_off(sinit, kind);
		else if (kind == HELPER_ALERTER)
			helper->kill_at = 0;
		kill_late(sinit, kind);
		if (helper->wanted && !helper->pid && !sv->stopping && helper->due <= sv->now)
			start(sinit, kind);
	}
	helpers_alert(sinit);
	helpers_measured(sinit);
	watch_room(sinit, HELPER_PROBER, sv->prober_full);
	watch_room(sinit, HELPER_ALERTER, h->alerts.full);
}

int64_t helpers_deadline(const struct sinit *sinit)
{
	int64_t next = 0;

	for (unsigned kind = 0; kind < HELPER_KINDS && !sinit->supervisor.stopping; kind++) {
		const struct helper *helper = &sinit->helpers.helper[kind];

		if (helper->wanted && !helper->pid)
			next = sooner(next, helper->due);
		if (helper->pid)
			next = sooner(next, helper->kill_at);
		next = sooner(next, next_pulse(sinit, kind));
	}
	return sinit->supervisor.stopping ? 0 : sooner(next, sinit->helpers.listen_at);
}

bool helpers_left(const struct sinit *sinit)
{
	bool left = false;

	for (unsigned kind = 0; kind < HELPER_KINDS; kind++)
		left |= sinit->helpers.helper[kind].pid &&
			!(sinit->supervisor.helpers_ended & 1u << kind);
	return left;
}

void helpers_board_moved(struct sinit *sinit)
{
	sinit->helpers.helper[HELPER_RESPONDER].stale = true;
	sinit->helpers.helper[HELPER_ALERTER].stale = true;
}

void helpers_close(struct sinit *sinit)
{
	struct helpers *h = &sinit->helpers;

	for (unsigned kind = 0; kind < HELPER_KINDS; kind++) {
		h->helper[kind].wanted = false;
		disconnect(sinit, kind);
	}
	helpers_stop_listening(h);
	if (h->notify[0] == '/')
		unlink(h->notify);
	if (h->notify_fd >= 0)
		close(h->notify_fd); /* a removed file that is open keeps a file system writable */
	h->notify_fd = -1;
}

/* --- messages ------------------------------------------------------------------------------------- */

union message {
	uint32_t kind;
	struct prober_verdict verdict;
	struct responder_ping ping;
	struct responder_order order;
	struct alerter_sent sent;
	struct alerter_number number;
	struct devices_message devices;
};

static void one_message(
    struct sinit *sinit, enum helper_kind kind, union message *message, size_t size)
{
	struct helper *helper = &sinit->helpers.helper[kind];

	helper->heard = sinit->supervisor.now;
	helper->pinged = 0;
	switch (kind) {
	case HELPER_PROBER:
		if (message->kind == PROBER_VERDICT && size == sizeof(message->verdict))
			supervisor_verdict(&sinit->supervisor, &message->verdict);
		return;
	case HELPER_RESPONDER:
		if (message->kind == RESPONDER_PING && size == sizeof(message->ping))
			helpers_pong(sinit, &message->ping);
		else if (message->kind == RESPONDER_ORDER && size == sizeof(message->order))
			helpers_order(sinit, &message->order);
		else if (message->kind == RESPONDER_MEASURE && size == sizeof(message->kind))
			helpers_measure(sinit);
		return;
	case HELPER_ALERTER:
		if (helper->kill_at)
			helper->kill_at = sinit->supervisor.now + patience[kind];
		if (message->kind == ALERTER_SENT && size == sizeof(message->sent))
			helpers_alert_sent(sinit, &message->sent);
		else if (message->kind == ALERTER_SEEN && size == sizeof(message->number))
			helpers_alert_seen(sinit, message->number.event);
		return;
	case HELPER_DEVICES:
		if (size == sizeof(message->devices))
			helpers_devices_message(sinit, &message->devices);
		return;
	}
}

static int read_channel(struct sinit *sinit, enum helper_kind kind)
{
	union message message;
	ssize_t size = 0;
	int count = 0;

	while (count < MESSAGES) {
		size = recv(sinit->helpers.helper[kind].channel, &message, sizeof(message), MSG_DONTWAIT);
		/* It has ended without reading all; what it has said before follows. */
		if (size < 0 && errno != ECONNRESET)
			return errno == EAGAIN || errno == EINTR ? count : -errno;
		if (size == 0)
			return -ENOTCONN;
		if (size >= (ssize_t)sizeof(message.kind))
			one_message(sinit, kind, &message, (size_t)size);
		count++;
	}
	return count;
}

bool helpers_event(struct sinit *sinit, int fd, uint32_t events)
{
	for (unsigned kind = 0; kind < HELPER_KINDS; kind++) {
		if (sinit->helpers.helper[kind].channel != fd)
			continue;
		if (read_channel(sinit, kind) < 0)
			disconnect(sinit, kind); /* its death follows */
		else if (events & EPOLLOUT && kind == HELPER_PROBER)
			supervisor_prober_room(&sinit->supervisor);
		else if (events & EPOLLOUT && kind == HELPER_ALERTER)
			helpers_alert_room(sinit);
		return true;
	}
	return false;
}
