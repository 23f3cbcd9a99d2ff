#include "init/helper_run.h"

#include "init/backoff.h"
#include "init/log.h"
#include "init/sinit.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	DELAY = 100, /* ms until a helper that has ended is started again; doubles */
	DELAY_MAX = 30000,
	LOGGER_DELAY = 10, /* for the logger: services wait for it */
	LOGGER_DELAY_MAX = 20,
	CRASHES = 5,       /* of the logger in a row that are the store's fault */
	TELL = 1000,       /* ms between two lines of the log about the end of the same */
	GOOD_TIME = 10000, /* ms: who has lived so long begins with the first delay again */
	ABANDON = 1000,    /* ms after KILL that a logger has to be gone */
};

/* ms that a helper has to end when it is told to. */
static const int64_t patience[HELPER_KINDS] = {
    [HELPER_PROBER] = 5000,
    [HELPER_RESPONDER] = 5000,
    [HELPER_ALERTER] = 40000, /* it ends what it has begun: each delivery has its 30 s */
    [HELPER_DEVICES] = 5000,
    [HELPER_LOGGER] = 5000,
};

/* ms of silence after which a helper is asked whether it lives, and ms that it has to answer. While
 * the logger stands still services may have to wait. */
static const struct {
	int64_t silence, grace;
} pulses[HELPER_KINDS] = {
    [HELPER_PROBER] = {30000, 10000},
    [HELPER_DEVICES] = {30000, 10000},
    [HELPER_LOGGER] = {5000, 3000},
};

static const char *const titles[HELPER_KINDS] = {
    "prober", "responder", "alerter", "devices helper", "logger"};

/* What asks a helper whether it lives; 0: it is not asked. Probes that pass are silent, and so is
 * what is waited for until it comes: that these stand still nobody would see. */
static const uint32_t pings[HELPER_KINDS] = {
    [HELPER_PROBER] = PROBER_PING, [HELPER_DEVICES] = DEVICES_PING, [HELPER_LOGGER] = LOGGER_PING};

/* --- starting ------------------------------------------------------------------------------ */

/* Once in a while, however often it comes about. */
static bool may_tell(struct helper *helper, int64_t now)
{
	bool may = !helper->told || now - helper->told >= TELL;

	if (may)
		helper->told = now;
	else
		helper->untold++;
	return may;
}

static void put_off(struct sinit *sinit, enum helper_kind kind)
{
	struct helper *helper = &sinit->helpers.helper[kind];
	uint32_t first = kind == HELPER_LOGGER ? LOGGER_DELAY : DELAY;
	uint32_t most = kind == HELPER_LOGGER ? LOGGER_DELAY_MAX : DELAY_MAX;

	helper->failures++;
	helper->due =
	    sinit->supervisor.now + backoff_delay(first, BACKOFF_DOUBLE, most, helper->failures);
}

static void not_started(struct sinit *sinit, enum helper_kind kind, int error)
{
	struct helper *helper = &sinit->helpers.helper[kind];

	put_off(sinit, kind);
	if (may_tell(helper, sinit->supervisor.now))
		log_warning(NULL, "the %s cannot be started: %s; it is tried again", titles[kind],
		    strerror(error));
}

/* A file of what it is to do, for those that have one; -1: it has none; -errno. */
static int make_orders(struct sinit *sinit, enum helper_kind kind)
{
	if (kind == HELPER_DEVICES)
		return helpers_devices_orders(sinit);
	return kind == HELPER_LOGGER ? helpers_logger_orders(sinit) : -1;
}

static bool has_orders(enum helper_kind kind)
{
	return kind == HELPER_DEVICES || kind == HELPER_LOGGER;
}

static void start(struct sinit *sinit, enum helper_kind kind)
{
	struct supervisor *sv = &sinit->supervisor;
	struct helper *helper = &sinit->helpers.helper[kind];
	int pair[2], orders;
	pid_t pid;

	helper->due = 0;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0) {
		not_started(sinit, kind, errno);
		return;
	}
	orders = make_orders(sinit, kind);
	pid = has_orders(kind) && orders < 0 ? orders : helpers_birth(sinit, kind, pair[1], orders);
	close(pair[1]);
	if (orders >= 0)
		close(orders);
	if (pid < 0) {
		close(pair[0]);
		not_started(sinit, kind, -pid);
		return;
	}
	pidmap_put(&sv->pids, pid, kind, PID_HELPER);
	helper->pid = pid;
	helper->channel = pair[0];
	helper->started = helper->heard = sv->now;
	helper->stale = helper->asked = helper->waits = helper->killed = false;
	helper->kill_at = helper->pinged = 0;
	loop_watch(sinit, pair[0]);
	if (kind == HELPER_PROBER)
		supervisor_prober(sv, pair[0]);
	if (kind == HELPER_ALERTER)
		helpers_alert_start(sinit);
}

void helpers_disconnect(struct sinit *sinit, enum helper_kind kind)
{
	struct helper *helper = &sinit->helpers.helper[kind];

	if (kind == HELPER_PROBER)
		supervisor_prober(&sinit->supervisor, -1);
	if (helper->channel >= 0)
		close(helper->channel);
	helper->channel = -1;
}

static void tell_end(struct sinit *sinit, enum helper_kind kind)
{
	const struct exit_status *status = &sinit->supervisor.helper_status[kind];
	struct helper *helper = &sinit->helpers.helper[kind];
	int64_t now = sinit->supervisor.now;
	char before[48] = "";

	/* The others wait ever longer themselves. */
	if (kind == HELPER_LOGGER && !may_tell(helper, now))
		return;
	if (helper->untold)
		snprintf(before, sizeof(before), ", and %u time%s since it was last told",
		    helper->untold, helper->untold == 1 ? "" : "s");
	log_warning(NULL, "the %s has ended (%s %d%s); it is started again in %lld ms",
	    titles[kind], status->kind == EXIT_KILLED ? "signal" : "exit code", status->code,
	    before, (long long)(helper->due - now));
	helper->untold = 0;
}

/* A logger that ends by itself again and again, soon after its start, cannot do with what is in the
 * store. It begins with another one, before services have to wait for long. */
static void doubt_store(struct sinit *sinit, const struct exit_status *status)
{
	struct helper *helper = &sinit->helpers.helper[HELPER_LOGGER];
	bool well = status->kind == EXIT_EXITED ? !status->code : status->code == SIGKILL;

	if (well || sinit->supervisor.now - helper->started > GOOD_TIME)
		helper->crashes = 0;
	else if (++helper->crashes >= CRASHES) {
		log_error(NULL,
		    "the logger has crashed %u times in a row: it begins anew, without what it had "
		    "taken and not written so far",
		    (unsigned)helper->crashes);
		supervisor_store_broken(&sinit->supervisor);
		helper->crashes = 0;
	}
}

static void ended(struct sinit *sinit, enum helper_kind kind)
{
	struct supervisor *sv = &sinit->supervisor;
	struct helper *helper = &sinit->helpers.helper[kind];
	const struct exit_status *status = &sv->helper_status[kind];

	while (helper->channel >= 0 && helpers_read(sinit, kind) == HELPER_AT_ONCE)
		; /* what it has said last */
	helpers_disconnect(sinit, kind);
	helper->pid = 0;
	helper->kill_at = 0;
	if (sv->now - helper->started > GOOD_TIME)
		helper->failures = 0;
	if (kind == HELPER_LOGGER)
		doubt_store(sinit, status);
	if (kind == HELPER_LOGGER)
		sinit->helpers.logger.unclean = status->kind != EXIT_EXITED || status->code;
	/* The old one may have had what the new one is to listen on. */
	if (kind == HELPER_RESPONDER && sinit->helpers.listen_at && !sv->stopping)
		helpers_listen_again(sinit);
	if (!helper->wanted || (sv->stopping && kind != HELPER_LOGGER))
		return;
	/* An end that was asked for, though by now it is wanted again, is no failure. */
	if (helper->stale || (helper->asked && status->kind == EXIT_EXITED && !status->code)) {
		helper->due = sv->now;
		return;
	}
	put_off(sinit, kind);
	tell_end(sinit, kind);
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
	return helper->pinged ? helper->pinged + pulses[kind].grace
			      : helper->heard + pulses[kind].silence;
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
		log_error(NULL,
		    "the %s has not answered for %lld s; it is killed, and another one is started",
		    titles[kind], (long long)(now - helper->heard) / 1000);
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
	if (kind == HELPER_LOGGER)
		helpers_logger_leave(sinit);
	else if (kind != HELPER_ALERTER && helper->channel >= 0)
		helpers_disconnect(sinit, kind);
	if (!helper->kill_at)
		helper->kill_at = now + patience[kind];
}

/* One that sits in the kernel, with a disk that does not answer or a pipe that somebody holds,
 * cannot even be killed. The next one leaves that file or pipe alone until this one is gone. */
static void abandon(struct sinit *sinit)
{
	struct helper *helper = &sinit->helpers.helper[HELPER_LOGGER];

	log_error(NULL,
	    "the logger hangs in the kernel: a file system does not answer, or a process that "
	    "writes into its service's log. Another one writes the other logs");
	pidmap_put(&sinit->supervisor.pids, helper->pid, HELPER_ABANDONED, PID_HELPER);
	sinit->helpers.logger.abandoned = helper->pid;
	sinit->helpers.logger.turn ^= 1;
	helpers_disconnect(sinit, HELPER_LOGGER);
	helper->pid = 0;
	helper->kill_at = 0;
	helper->due = sinit->supervisor.now;
}

static void kill_late(struct sinit *sinit, enum helper_kind kind)
{
	struct helper *helper = &sinit->helpers.helper[kind];
	int64_t now = sinit->supervisor.now;

	if (!helper->pid || !helper->kill_at || helper->kill_at > now)
		return;
	if (kind == HELPER_LOGGER && helper->killed && !sinit->helpers.logger.abandoned) {
		abandon(sinit);
		return;
	}
	platform_kill(helper->pid, SIGKILL);
	helper->killed = true;
	helper->kill_at = now + (kind == HELPER_LOGGER ? ABANDON : patience[kind]);
}

void helpers_turn(struct sinit *sinit)
{
	struct supervisor *sv = &sinit->supervisor;
	struct helpers *h = &sinit->helpers;

	if (h->listen_at && h->listen_at <= sv->now && !sv->stopping)
		helpers_listen_again(sinit);
	helpers_logger_turn(sinit);
	if (sv->helpers_ended & 1u << HELPER_ABANDONED) {
		sv->helpers_ended &= ~(1u << HELPER_ABANDONED);
		h->logger.abandoned = 0;
		log_info(NULL, "a logger that hung in the kernel does not any more");
		sv->captures_changed = true; /* the file that was left alone can be written again */
	}
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
		if (helper->wanted && !helper->pid && (!sv->stopping || kind == HELPER_LOGGER) &&
		    helper->due <= sv->now)
			start(sinit, kind);
	}
	helpers_alert(sinit);
	helpers_measured(sinit);
	watch_room(sinit, HELPER_PROBER, sv->prober_full);
	watch_room(sinit, HELPER_ALERTER, h->alerts.full);
}

void helpers_more_time(struct sinit *sinit, enum helper_kind kind)
{
	struct helper *helper = &sinit->helpers.helper[kind];

	if (helper->kill_at)
		helper->kill_at = sinit->supervisor.now + patience[kind];
}

int64_t helpers_deadline(const struct sinit *sinit)
{
	/* What has changed since this turn's look at it is not to wait for the next event. */
	int64_t next = sinit->supervisor.captures_changed ? sinit->supervisor.now : 0;

	for (unsigned kind = 0; kind < HELPER_KINDS; kind++) {
		const struct helper *helper = &sinit->helpers.helper[kind];

		if (sinit->supervisor.stopping && kind != HELPER_LOGGER)
			continue;

		if (helper->wanted && !helper->pid)
			next = sooner(next, helper->due);
		if (helper->pid)
			next = sooner(next, helper->kill_at);
		next = sooner(next, next_pulse(sinit, kind));
	}
	return sinit->supervisor.stopping ? next : sooner(next, sinit->helpers.listen_at);
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
		if (kind != HELPER_LOGGER)
			helpers_disconnect(sinit, kind);
	}
	h->logger.finishing = helpers_logger_finish(sinit);
	helpers_stop_listening(h);
	helpers_logger_close(sinit);
	if (h->notify[0] == '/')
		unlink(h->notify);
	if (h->notify_fd >= 0)
		close(h->notify_fd); /* a removed file that is open keeps a file system writable */
	h->notify_fd = -1;
}

bool helpers_last_words(struct sinit *sinit)
{
	struct supervisor *sv = &sinit->supervisor;
	struct helper *helper = &sinit->helpers.helper[HELPER_LOGGER];
	const struct exit_status *status = &sv->helper_status[HELPER_LOGGER];
	bool dead = sv->helpers_ended & 1u << HELPER_LOGGER;

	if (!sv->captures || (helper->pid && !dead))
		return false;
	if (dead && status->kind == EXIT_EXITED && !status->code && !helpers_logger_left(sinit))
		return false;
	sv->helpers_ended &= ~(1u << HELPER_LOGGER);
	helpers_disconnect(sinit, HELPER_LOGGER);
	start(sinit, HELPER_LOGGER);
	sinit->helpers.logger.finishing = helpers_logger_finish(sinit);
	return helper->pid > 0;
}
