/* The alerter: a helper that reads the board's events and tells people of some of them. It
 * only decides; each delivery is a process of its own, which may hang for all it cares. */
#include "probes/alerter.h"

#include "init/base.h"
#include "init/explain.h"
#include "probes/alert_policy.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	RUNNING = 8,         /* deliveries at once */
	QUEUE = 64,          /* that wait behind them */
	DELIVERY_MS = 30000, /* then it is killed */
	FAREWELL_MS = 2000,  /* for what is under way when PID 1 has closed the channel */
};

struct delivery {
	pid_t pid; /* also of its process group; 0: free */
	bool late; /* has been killed */
	int64_t deadline;
	struct job job;
};

struct alerter {
	struct board board;
	uint64_t seen;            /* number of the last event read */
	uint32_t missed, dropped; /* still to be told */
	struct rule *rule[ALERT_RULES];
	struct policy policy;
	struct delivery running[RUNNING];
	struct job queue[QUEUE]; /* a ring */
	unsigned first, queued;
	int signals;
	bool over;
	int64_t end; /* when it ends at the latest, once it is over */
};

static union {
	uint32_t kind;
	struct alerter_rule rule;
	char bytes[HELPER_MESSAGE];
} message;

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* --- rules -------------------------------------------------------------------------- */

static void release(struct rule *rule)
{
	if (rule && --rule->users == 0)
		free(rule);
}

static void take_rule(struct alerter *alerter, size_t size)
{
	if (alert_rule_check(&message.rule, size) < 0)
		return;
	uint32_t number = message.rule.number;
	struct rule *rule = malloc(offsetof(struct rule, message) + size);
	if (!rule)
		return;
	rule->users = 1;
	memcpy(&rule->message, message.bytes, size);
	for (uint32_t i = number; i < (number == 0 ? ALERT_RULES : number + 1); i++) {
		release(alerter->rule[i]);
		alerter->rule[i] = NULL;
	}
	alerter->rule[number] = rule;
}

/* As in sinitctl: a name means its instances as well. */
static bool matches_name(const char *pattern, const char *service)
{
	size_t length = strlen(pattern);

	if (length && strncmp(pattern, service, length) == 0 &&
	    (service[length] == '\0' || service[length] == '@'))
		return true;
	return fnmatch(pattern, service, 0) == 0;
}

static bool matches_service(const struct alerter_rule *rule, const char *service)
{
	const char *pattern = alert_rule_text(rule, rule->services);

	for (unsigned i = 0; i < rule->patterns; i++, pattern = alert_rule_next(pattern))
		if (matches_name(pattern, service))
			return true;
	return rule->patterns == 0;
}

static bool has_way(const struct alerter_rule *rule, enum way way)
{
	const uint16_t texts[WAYS] = {
	    [WAY_FILE] = rule->file, [WAY_WEBHOOK] = rule->host, [WAY_COMMAND] = rule->command};

	return texts[way] != 0;
}

/* --- deliveries --------------------------------------------------------------------- */

/* All ways of an alert find room or none does, so that all tell the same. */
static void enqueue(struct alerter *alerter, struct rule *rule, struct job *job)
{
	unsigned ways = 0;

	for (unsigned way = 0; way < WAYS; way++)
		ways += has_way(&rule->message, (enum way)way);
	if (ways > QUEUE - alerter->queued) {
		alerter->dropped += 1 + job->suppressed;
		return;
	}
	job->rule = rule;
	job->missed = alerter->missed;
	job->dropped = alerter->dropped;
	alerter->missed = alerter->dropped = 0;
	for (unsigned way = 0; way < WAYS; way++) {
		if (!has_way(&rule->message, (enum way)way))
			continue;
		job->way = (enum way)way;
		rule->users++;
		alerter->queue[(alerter->first + alerter->queued++) % QUEUE] = *job;
	}
}

static void tell_sent(const struct job *job, bool ok)
{
	const struct alerter_rule *rule = &job->rule->message;
	struct alerter_sent sent = {.kind = ALERTER_SENT, .ok = ok};

	memcpy(sent.service, job->event.name, sizeof(sent.service));
	strcpy(sent.alert, alert_rule_text(rule, rule->name)); /* it fits: alert_rule_check() */
	send(HELPER_CHANNEL, &sent, sizeof(sent), MSG_DONTWAIT | MSG_NOSIGNAL);
}
_Static_assert((int)BOARD_NAME == (int)RESPONDER_NAME, "a service's name fits");

/* In the child: as it was before the helper changed it, and with nothing of ours open. */
static _Noreturn void deliver(const struct job *job)
{
	sigset_t none;

	setpgid(0, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (syscall(SYS_close_range, HELPER_CHANNEL, ~0u, 0) < 0) {
		close(HELPER_CHANNEL);
		close(HELPER_BOARD);
	}
	alerter_deliver(job);
}

static void start(struct delivery *delivery, const struct job *job)
{
	pid_t pid = fork();

	if (pid == 0)
		deliver(job);
	if (pid < 0) {
		alerter_complain(job, "cannot be sent", strerror(errno));
		tell_sent(job, false);
		release(job->rule);
		return;
	}
	setpgid(pid, pid); /* here too, so that it is done by the time it may be killed */
	*delivery = (struct delivery){.pid = pid, .deadline = now_ms() + DELIVERY_MS, .job = *job};
}

static void start_next(struct alerter *alerter, struct delivery *delivery)
{
	start(delivery, &alerter->queue[alerter->first]);
	alerter->first = (alerter->first + 1) % QUEUE;
	alerter->queued--;
}

static void start_queued(struct alerter *alerter)
{
	for (unsigned i = 0; i < RUNNING; i++) {
		/* One that could not even be started leaves its place to the next. */
		while (alerter->queued && !alerter->running[i].pid)
			start_next(alerter, &alerter->running[i]);
	}
}

/* A failure of our own code has been told already by the one who met it. */
static void tell_end(const struct delivery *delivery, int status)
{
	char buffer[128];
	struct text text;
	bool killed = WIFSIGNALED(status);

	if (delivery->late) {
		alerter_complain(&delivery->job, "killed, since it took longer than 30 s", NULL);
	} else if (killed || (status != 0 && delivery->job.way == WAY_COMMAND)) {
		text_init(&text, buffer, sizeof(buffer));
		explain_exit(&text, killed ? LAST_KILLED : LAST_EXITED,
		    killed ? WTERMSIG(status) : WEXITSTATUS(status), false);
		alerter_complain(&delivery->job, "command", text.data);
	}
}

static void reap(struct alerter *alerter)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (unsigned i = 0; i < RUNNING; i++) {
			struct delivery *delivery = &alerter->running[i];
			if (delivery->pid != pid)
				continue;
			tell_end(delivery, status);
			tell_sent(&delivery->job, status == 0 && !delivery->late);
			release(delivery->job.rule);
			delivery->pid = 0;
		}
	}
}

static void kill_late(struct alerter *alerter, int64_t now)
{
	for (unsigned i = 0; i < RUNNING; i++) {
		struct delivery *delivery = &alerter->running[i];
		if (!delivery->pid || delivery->late || delivery->deadline > now)
			continue;
		delivery->late = true;
		kill(-delivery->pid, SIGKILL);
	}
}

/* --- events ------------------------------------------------------------------------- */

static bool is_critical(const struct alerter *alerter, const struct board_event *event)
{
	struct board_service service;
	uint32_t count = alerter->board.head->count;

	if (event->kind != EV_FATAL && event->kind != EV_FAILED)
		return false;
	for (uint32_t i = 0; i < count; i++)
		if (board_read(&alerter->board, i, &service) &&
		    strcmp(service.name, event->name) == 0)
			return service.critical;
	return false;
}

static void take_event(struct alerter *alerter, const struct board_event *event)
{
	struct job job = {.event = *event};
	struct board_service blocker;
	int64_t now = now_ms();

	unsigned kinds = policy_kinds(&alerter->policy, event, is_critical(alerter, event), now);
	if (!kinds)
		return;
	if (event->blocker >= 0 && board_read(&alerter->board, (uint32_t)event->blocker, &blocker))
		memcpy(job.blocker, blocker.name, sizeof(job.blocker));
	for (unsigned i = 0; i < ALERT_RULES; i++) {
		struct rule *rule = alerter->rule[i];
		if (!rule || !(kinds & rule->message.events) ||
		    !matches_service(&rule->message, event->name))
			continue;
		const char *name = alert_rule_text(&rule->message, rule->message.name);
		job.kind = policy_gravest(kinds & rule->message.events);
		if (policy_send(&alerter->policy, name, event->name, job.kind,
			rule->message.cooldown, now, &job.suppressed))
			enqueue(alerter, rule, &job);
	}
}

static void take_events(struct alerter *alerter)
{
	uint64_t last =
	    atomic_load_explicit(&alerter->board.head->last_event, memory_order_acquire);
	struct board_event event;

	if (last > alerter->seen + BOARD_EVENTS) {
		alerter->missed += (uint32_t)(last - BOARD_EVENTS - alerter->seen);
		alerter->seen = last - BOARD_EVENTS;
	}
	while (alerter->seen < last) {
		if (board_read_event(&alerter->board, ++alerter->seen, &event))
			take_event(alerter, &event);
		else
			alerter->missed++;
	}
}

/* --- one turn ----------------------------------------------------------------------- */

static void read_channel(struct alerter *alerter)
{
	ssize_t size =
	    recv(HELPER_CHANNEL, message.bytes, sizeof(message), MSG_DONTWAIT | MSG_TRUNC);

	if (size < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (size <= 0) {
		/* What made PID 1 end may be the very thing to be told. */
		take_events(alerter);
		alerter->over = true;
		alerter->end = now_ms() + FAREWELL_MS;
	} else if (size < (ssize_t)sizeof(message.kind) || size > HELPER_MESSAGE) {
		return;
	} else if (message.kind == ALERTER_RULE) {
		take_rule(alerter, (size_t)size);
	} else if (message.kind == ALERTER_EVENTS) {
		take_events(alerter);
	}
}

/* ms until something is late, -1: nothing can be. */
static int wait_time(const struct alerter *alerter, int64_t now)
{
	int64_t first = alerter->over ? alerter->end : INT64_MAX;

	for (unsigned i = 0; i < RUNNING; i++) {
		const struct delivery *delivery = &alerter->running[i];
		if (delivery->pid && !delivery->late && delivery->deadline < first)
			first = delivery->deadline;
	}
	if (first == INT64_MAX)
		return -1;
	return first > now ? (int)(first - now) : 0;
}

static bool is_busy(const struct alerter *alerter)
{
	for (unsigned i = 0; i < RUNNING; i++)
		if (alerter->running[i].pid)
			return true;
	return alerter->queued > 0;
}

static void turn(struct alerter *alerter)
{
	struct pollfd fds[] = {{alerter->signals, POLLIN, 0}, {HELPER_CHANNEL, POLLIN, 0}};
	struct signalfd_siginfo info;

	poll(fds, alerter->over ? 1 : 2, wait_time(alerter, now_ms()));
	if (fds[0].revents && read(alerter->signals, &info, sizeof(info)) > 0)
		reap(alerter);
	if (fds[1].revents)
		read_channel(alerter);
	kill_late(alerter, now_ms());
	start_queued(alerter);
}

/* --- beginning and end -------------------------------------------------------------- */

static int fail(const char *what, int error)
{
	char buffer[256];
	struct text text;

	text_init(&text, buffer, sizeof(buffer));
	text_addf(&text, "sinit: alerter: %s: %s\n", what, strerror(-error));
	ssize_t count = write(STDERR_FILENO, text.data, text.used);
	(void)count;
	return EXIT_CODE_INTERNAL;
}

static int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

int alerter_main(void)
{
	static struct alerter alerter;

	prctl(PR_SET_NAME, "sinit-alerter");
	int error = board_map(&alerter.board, HELPER_BOARD);
	if (error)
		return fail("board", error);
	alerter.seen = atomic_load_explicit(&alerter.board.head->last_event, memory_order_acquire);
	alerter.signals = open_signals();
	if (alerter.signals < 0)
		return fail("signals", alerter.signals);
	if (fcntl(HELPER_CHANNEL, F_SETFD, FD_CLOEXEC) < 0)
		return fail("no channel to PID 1", -errno);
	while (!alerter.over || (is_busy(&alerter) && now_ms() < alerter.end))
		turn(&alerter);
	kill_late(&alerter, INT64_MAX);
	return EXIT_CODE_OK;
}
