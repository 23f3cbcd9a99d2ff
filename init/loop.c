/* PID 1's loop: waits for the first of signals, requests and deadlines, and in this order
 * deals with deaths, requests, deadlines, and what follows from them for the services. */
#include "init/clock.h"
#include "init/log.h"
#include "init/sinit.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum {
	FLUSH_AGAIN = 100,    /* ms until lines are offered again to a log that took none */
	HELPERS_GRACE = 3000, /* ms for the helpers, which end by themselves; alerts go out */
	LAST_GRACE = 5000,    /* ms between the TERM and the KILL of what is left */
	LAST_KILL = 2000,     /* ms to wait after that */
	FINISH_AGAIN = 10,    /* ms until the logger is told once more that it is the end */
	SIGNALS = 16,
	EVENTS = 11, /* descriptors looked at in one turn: all there can be */
};

enum role { ROLE_SHUTDOWN = 1, ROLE_RELOAD, ROLE_REOPEN, ROLE_DUMP, ROLE_CHILD };

/* RTMIN+3 is what container engines and systemd send to a systemd init to stop it. */
static const struct {
	uint8_t signal;
	uint8_t role;
} roles[] = {
    {SIGTERM, ROLE_SHUTDOWN},
    {SIGINT, ROLE_SHUTDOWN},
    {SIGQUIT, ROLE_SHUTDOWN},
    {SIGPWR, ROLE_SHUTDOWN},
    {SIGNAL_RTMIN + 3, ROLE_SHUTDOWN},
    {SIGHUP, ROLE_RELOAD},
    {SIGUSR1, ROLE_REOPEN},
    {SIGUSR2, ROLE_DUMP},
    {SIGCHLD, ROLE_CHILD},
};

static void dump_status(const struct supervisor *sv)
{
	uint32_t number[STATE_COUNT] = {0};
	char buffer[256];
	struct text text;

	for (uint32_t slot = 0; slot < sv->count; slot++)
		if (sv->service[slot].used && !board_service_hidden(&sv->service[slot]))
			number[sv->service[slot].m.state]++;
	text_init(&text, buffer, sizeof(buffer));
	for (unsigned state = 0; state < STATE_COUNT; state++)
		if (number[state])
			text_addf(&text, "%s%u %s", text.used ? ", " : "", number[state],
			    state_name((enum state)state));
	log_info(NULL, "status: %s", text.used ? text.data : "no services");
}

void loop_watch(struct sinit *sinit, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	if (fd >= 0)
		epoll_ctl(sinit->epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

static void ask_reload(struct sinit *sinit)
{
	int rc;

	rundir_check(sinit);
	rc = reload_start(sinit);
	if (rc < 0 && rc != -ESHUTDOWN)
		log_error(NULL, "reload cannot begin: %s", strerror(-rc));
}

/* What a signal asks for of the machine. */
static enum machine_end end_of(const struct sinit *sinit, int signal)
{
	enum machine_end end = sinit->boot ? machine_end_of_signal(signal) : END_NONE;

	if (end != END_KEXEC || machine_end_has_kexec())
		return end;
	log_warning(NULL, "asked to start the loaded kernel, but none is loaded (kexec -l)");
	return END_NONE;
}

static void one_signal(
    struct sinit *sinit, const struct signalfd_siginfo *info, pid_t *hint, bool *child)
{
	enum machine_end end = end_of(sinit, (int)info->ssi_signo);
	unsigned role = end ? ROLE_SHUTDOWN : 0;

#ifdef SINIT_TEST_HANG /* never in a release: so that a test sees a watchdog end it */
	while (info->ssi_signo == SIGNAL_RTMAX)
		pause();
#endif
	if (end)
		sinit->end = end;
	for (size_t i = 0; i < ARRAY_LEN(roles) && !end; i++)
		if (roles[i].signal == info->ssi_signo)
			role = roles[i].role;
	switch (role) {
	case ROLE_SHUTDOWN:
		supervisor_shutdown(&sinit->supervisor);
		break;
	case ROLE_RELOAD:
		ask_reload(sinit);
		break;
	case ROLE_REOPEN:
		helpers_logger_reopen(sinit);
		break;
	case ROLE_DUMP:
		dump_status(&sinit->supervisor);
		break;
	case ROLE_CHILD:
		*child = true;
		*hint = (pid_t)info->ssi_pid;
		break;
	default:
		break;
	}
}

/* Deaths first: a kill timer or a request must not meet a pid that is gone. */
static void read_signals(struct sinit *sinit)
{
	struct signalfd_siginfo info[SIGNALS];
	ssize_t size = read(sinit->signal_fd, info, sizeof(info));
	size_t count = size > 0 ? (size_t)size / sizeof(info[0]) : 0;
	bool child = false;
	pid_t hint = 0;

	for (size_t i = 0; i < count; i++)
		if (info[i].ssi_signo == SIGCHLD)
			one_signal(sinit, &info[i], &hint, &child);
	/* What one said before it died. */
	if (child)
		helpers_notifications(sinit);
	if (child)
		supervisor_deaths(&sinit->supervisor, hint);
	for (size_t i = 0; i < count; i++)
		if (info[i].ssi_signo != SIGCHLD)
			one_signal(sinit, &info[i], &hint, &child);
}

static int64_t next_deadline(const struct sinit *sinit)
{
	int64_t next = supervisor_deadline(&sinit->supervisor);
	const int64_t more[] = {sinit->flush_at, helpers_deadline(sinit), sinit->watchdog.due,
	    sinit->reload.image_fd >= 0 && !sinit->supervisor.loader_done ? sinit->reload.deadline
									  : 0};

	for (size_t i = 0; i < ARRAY_LEN(more); i++)
		next = sooner(next, more[i]);
	return next;
}

/* ms for epoll_wait(2), which counts on CLOCK_MONOTONIC too. */
static int wait_time(const struct sinit *sinit)
{
	int64_t next = next_deadline(sinit), left;

	if (!next)
		return -1;
	left = next - platform_now();
	if (left < 0)
		return 0;
	return left < INT_MAX ? (int)left : INT_MAX;
}

static void serve_events(struct sinit *sinit, const struct epoll_event *events, int count)
{
	struct control *control = &sinit->control;

	for (int i = 0; i < count; i++)
		if (events[i].data.fd == sinit->helpers.notify_fd && sinit->helpers.notify_fd >= 0)
			helpers_notifications(sinit);
	for (int i = 0; i < count; i++)
		if (events[i].data.fd == sinit->signal_fd)
			read_signals(sinit);
	for (int i = 0; i < count; i++) {
		if (events[i].data.fd == control->fifo_fd) {
			control_read(sinit);
		} else if (events[i].data.fd == sinit->cgroups.watch_fd) {
			cgroups_event(sinit);
		} else if (events[i].data.fd == control->inotify_fd) {
			control_drain_inotify(control);
			rundir_check(sinit);
		} else {
			helpers_event(sinit, events[i].data.fd, events[i].events);
		}
	}
}

/* For the metrics: how long others may have had to wait. */
static void note_turn(struct helpers *helpers, int64_t took)
{
	helpers->turns++;
	if (took > helpers->lag_us)
		helpers->lag_us = took;
}

/* Whoever wants the machine reset rather than without a critical service has a watchdog. While
 * it is going down the loop's own time limits see to that. */
static void feed_watchdog(struct sinit *sinit)
{
	const struct supervisor *sv = &sinit->supervisor;
	const char *name = sv->stopping ? NULL : supervisor_critical_down(sv);
	char buffer[128];
	struct text unwell;

	text_init(&unwell, buffer, sizeof(buffer));
	text_addf(&unwell, "%s is critical and down", name ? name : "");
	watchdog_turn(&sinit->watchdog, sv->now, name ? buffer : NULL);
}

static void turn(struct sinit *sinit)
{
	struct supervisor *sv = &sinit->supervisor;
	struct epoll_event events[EVENTS];
	int count = epoll_wait(sinit->epoll_fd, events, ARRAY_LEN(events), wait_time(sinit));
	int64_t begin = clock_us();

	supervisor_clock(sv);
	if (count > 0)
		supervisor_births(sv);
	serve_events(sinit, events, count);
	if (sv->reap_again && sv->reap_again <= sv->now)
		supervisor_deaths(sv, 0);
	if (sinit->reload.image_fd >= 0 && !sv->loader_done && sinit->reload.deadline &&
	    sinit->reload.deadline <= sv->now)
		reload_give_up(sinit);
	supervisor_timers(sv);
	supervisor_settle(sv);
	/* After settling, since that is what frees an earlier configuration. */
	if (sv->loader_done && supervisor_can_adopt(sv)) {
		reload_finish(sinit);
		supervisor_settle(sv);
	}
	helpers_turn(sinit);
	if (sinit->watchdog.due && sinit->watchdog.due <= sv->now)
		feed_watchdog(sinit);
	if (!supervisor_measuring(sv))
		control_answer_measure(&sinit->control);
	sinit->flush_at = log_flush() ? sv->now + FLUSH_AGAIN : 0;
	cgroups_leave_root(sinit);
	note_turn(&sinit->helpers, clock_us() - begin);
}

void loop_run(struct sinit *sinit)
{
	loop_watch(sinit, sinit->signal_fd);
	loop_watch(sinit, sinit->control.fifo_fd);
	loop_watch(sinit, sinit->control.inotify_fd);
	loop_watch(sinit, sinit->helpers.notify_fd);
	loop_watch(sinit, sinit->cgroups.watch_fd);
	while (!supervisor_done(&sinit->supervisor))
		turn(sinit);
}

enum patience {
	PATIENCE_HELPERS, /* until there are no more helpers */
	PATIENCE_LITTLE,  /* who asks once more for the end is not to wait */
	PATIENCE_LAST,    /* nothing more can be done but wait */
};

/* Whether a signal has come that asks for the end once more. */
static bool asked_again(struct sinit *sinit)
{
	struct signalfd_siginfo info;
	enum machine_end end;

	if (read(sinit->signal_fd, &info, sizeof(info)) <= 0)
		return false;
	end = end_of(sinit, (int)info.ssi_signo);
	if (end)
		sinit->end = end;
	return end || info.ssi_signo == SIGTERM;
}

/* Reaps until there are no children (true), or the time is up. */
static bool wait_for_none(struct sinit *sinit, int64_t until, enum patience patience)
{
	struct supervisor *sv = &sinit->supervisor;
	struct pollfd signals = {.fd = sinit->signal_fd, .events = POLLIN};

	for (;;) {
		int64_t left;

		supervisor_clock(sv);
		supervisor_deaths(sv, 0);
		if (sv->no_children)
			return true;
		if (patience == PATIENCE_HELPERS && !helpers_left(sinit))
			return false;
		left = until - sv->now;
		if (sv->reap_again) /* it was too soon to know (reaper/reap.h): some ms */
			left = sv->reap_again - sv->now;
		else if (left <= 0)
			return false;
		if (left < 0)
			left = 0;
		watchdog_turn(&sinit->watchdog, sv->now, NULL);
		if (sinit->watchdog.due && left > sinit->watchdog.due - sv->now)
			left = sinit->watchdog.due - sv->now;
		log_flush();
		if (!sinit->helpers.logger.finishing) {
			sinit->helpers.logger.finishing = helpers_logger_finish(sinit);
			left = left < FINISH_AGAIN ? left : FINISH_AGAIN;
		}
		if (poll(&signals, 1, (int)left) > 0 && asked_again(sinit) &&
		    patience != PATIENCE_LAST)
			return false;
	}
}

static void end_processes(struct sinit *sinit)
{
	struct supervisor *sv = &sinit->supervisor;

	if (wait_for_none(sinit, sv->now + HELPERS_GRACE, PATIENCE_HELPERS))
		return;
	log_info(NULL, "ending the processes that are left");
	platform_kill_everything(SIGTERM);
	if (wait_for_none(sinit, sv->now + LAST_GRACE, PATIENCE_LITTLE))
		return;
	log_warning(NULL, "killing the processes that are left");
	platform_kill_everything(SIGKILL);
	wait_for_none(sinit, sv->now + LAST_KILL, PATIENCE_LAST);
}

void loop_last_lines(struct sinit *sinit)
{
	log_flush();
	if (helpers_last_words(sinit))
		wait_for_none(sinit, sinit->supervisor.now + HELPERS_GRACE, PATIENCE_LITTLE);
	helpers_logger_losses(sinit);
	log_flush();
}

void loop_end_all(struct sinit *sinit)
{
	end_processes(sinit);
	loop_last_lines(sinit);
}
