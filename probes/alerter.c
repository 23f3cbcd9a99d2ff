/* The alerter: a helper that reads the board's events and tells people of some of them. It
 * only decides; each delivery is a process of its own, which may hang for all it cares. */
#include "probes/alerter.h"

#include "init/base.h"
#include "init/clock.h"
#include "probes/alert_policy.h"
#include "probes/alerter_queue.h"

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
#include <unistd.h>

enum {
	FAREWELL_MS = 2000, /* for what is under way when PID 1 has closed the channel */
	SEEN_EVERY = 256,   /* events that nobody was told of until PID 1 hears of them */
};

enum phase {
	PHASE_NEW, /* PID 1 has not said yet which events are for it */
	PHASE_AT_WORK,
	PHASE_LEAVING, /* ends when its deliveries have, unless it is to begin again */
	PHASE_ORPHAN,  /* PID 1 has closed the channel */
};

struct alerter {
	struct board board;
	struct rule *rule[ALERT_RULES];
	struct policy policy;
	struct queue queue;
	int signals;
	enum phase phase;
	int64_t end; /* when an orphan ends at the latest */
};

static union {
	uint32_t kind;
	struct alerter_rule rule;
	struct alerter_number number;
	char bytes[HELPER_MESSAGE];
} message;

/* --- rules -------------------------------------------------------------------------- */

void alerter_release(struct rule *rule)
{
	if (rule && --rule->users == 0)
		free(rule);
}

static void forget_rules(struct alerter *alerter, uint32_t from, uint32_t to)
{
	for (uint32_t i = from; i < to; i++) {
		alerter_release(alerter->rule[i]);
		alerter->rule[i] = NULL;
	}
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
	forget_rules(alerter, number, number == 0 ? ALERT_RULES : number + 1);
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
	int64_t now = clock_ms();

	unsigned kinds = policy_kinds(event, is_critical(alerter, event));
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
			queue_add(&alerter->queue, rule, &job);
	}
}

static uint64_t last_event(const struct alerter *alerter)
{
	return atomic_load_explicit(&alerter->board.head->last_event, memory_order_acquire);
}

static void take_events(struct alerter *alerter, uint64_t last)
{
	uint64_t newest = last_event(alerter);
	struct queue *queue = &alerter->queue;
	struct board_event event;

	last = last < newest ? last : newest;
	while (queue->taken < last) {
		if (board_read_event(&alerter->board, ++queue->taken, &event))
			take_event(alerter, &event);
		else
			queue->missed++;
	}
}

/* --- one turn ----------------------------------------------------------------------- */

static void begin(struct alerter *alerter, uint64_t after)
{
	struct queue *queue = &alerter->queue;

	alerter->phase = PHASE_AT_WORK;
	if (after > queue->taken)
		queue->taken = after;
	if (after > queue->told)
		queue->told = after;
}

static void take_number(struct alerter *alerter, uint32_t kind, uint64_t event)
{
	if (kind == ALERTER_BEGIN)
		begin(alerter, event);
	if (alerter->phase != PHASE_AT_WORK)
		return;
	if (kind == ALERTER_EVENTS || kind == ALERTER_END)
		take_events(alerter, event);
	if (kind == ALERTER_END) {
		forget_rules(alerter, 0, ALERT_RULES);
		alerter->phase = PHASE_LEAVING;
	}
}

static void take_message(struct alerter *alerter, size_t size)
{
	if (size < sizeof(message.kind) || size > HELPER_MESSAGE)
		return;
	if (message.kind == ALERTER_RULE)
		take_rule(alerter, size);
	else if (size == sizeof(message.number))
		take_number(alerter, message.number.kind, message.number.event);
}

static void read_channel(struct alerter *alerter)
{
	ssize_t size =
	    recv(HELPER_CHANNEL, message.bytes, sizeof(message), MSG_DONTWAIT | MSG_TRUNC);

	if (size < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (size > 0) {
		take_message(alerter, (size_t)size);
		return;
	}
	/* What made PID 1 end may be the very thing to be told. */
	if (alerter->phase == PHASE_AT_WORK)
		take_events(alerter, last_event(alerter));
	alerter->phase = PHASE_ORPHAN;
	alerter->end = clock_ms() + FAREWELL_MS;
}

/* ms until something is late, -1: nothing can be. */
static int wait_time(const struct alerter *alerter, int64_t now)
{
	int64_t first = queue_deadline(&alerter->queue);

	if (alerter->phase == PHASE_ORPHAN && alerter->end < first)
		first = alerter->end;
	if (first == INT64_MAX)
		return -1;
	return first > now ? (int)(first - now) : 0;
}

static void turn(struct alerter *alerter)
{
	struct pollfd fds[] = {{alerter->signals, POLLIN, 0}, {HELPER_CHANNEL, POLLIN, 0}};
	struct signalfd_siginfo info;

	poll(fds, alerter->phase == PHASE_ORPHAN ? 1 : 2, wait_time(alerter, clock_ms()));
	if (fds[0].revents && read(alerter->signals, &info, sizeof(info)) > 0)
		queue_reap(&alerter->queue);
	if (fds[1].revents)
		read_channel(alerter);
	queue_kill(&alerter->queue, clock_ms());
	queue_start(&alerter->queue);
	queue_tell_seen(&alerter->queue, SEEN_EVERY);
}

static bool is_over(const struct alerter *alerter)
{
	if (alerter->phase == PHASE_ORPHAN)
		return !queue_busy(&alerter->queue) || clock_ms() >= alerter->end;
	return alerter->phase == PHASE_LEAVING && !queue_busy(&alerter->queue);
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
	error = queue_init(&alerter.queue);
	if (error)
		return fail("memory", error);
	alerter.signals = open_signals();
	if (alerter.signals < 0)
		return fail("signals", alerter.signals);
	if (fcntl(HELPER_CHANNEL, F_SETFD, FD_CLOEXEC) < 0)
		return fail("no channel to PID 1", -errno);
	while (!is_over(&alerter))
		turn(&alerter);
	queue_tell_seen(&alerter.queue, 1);
	queue_kill(&alerter.queue, INT64_MAX);
	return EXIT_CODE_OK;
}
