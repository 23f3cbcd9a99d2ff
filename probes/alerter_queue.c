#include "probes/alerter_queue.h"

#include "init/base.h"
#include "init/clock.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DELIVERY_S = 30 /* then it is killed */ };

/* --- what PID 1 is told -------------------------------------------------------------- */

static uint64_t before(uint64_t dealt, const struct job *job)
{
	return job->event.seq <= dealt ? job->event.seq - 1 : dealt;
}

/* Events up to this one need never be looked at again. */
static uint64_t dealt_with(const struct queue *queue)
{
	uint64_t dealt = queue->taken;

	for (unsigned i = 0; i < QUEUE_RUNNING; i++)
		if (queue->running[i].pid)
			dealt = before(dealt, &queue->running[i].job);
	for (unsigned i = 0; i < queue->count; i++)
		dealt = before(dealt, &queue->waiting[i]);
	return dealt;
}

static bool tell(const void *message, size_t size)
{
	return send(HELPER_CHANNEL, message, size, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

void queue_tell_seen(struct queue *queue, uint64_t more)
{
	struct alerter_number seen = {.kind = ALERTER_SEEN, .event = dealt_with(queue)};

	if (seen.event > queue->told && seen.event - queue->told >= more &&
	    tell(&seen, sizeof(seen)))
		queue->told = seen.event;
}

/* What it goes to, for people. */
static const char *where(const struct job *job)
{
	const struct alerter_rule *rule = &job->rule->message;
	const uint16_t texts[WAYS] = {
	    [WAY_FILE] = rule->file, [WAY_WEBHOOK] = rule->host, [WAY_COMMAND] = rule->command};

	return alert_rule_text(rule, texts[job->way]);
}

/* The job is neither among those that run nor among those that wait any more. */
static void tell_sent(struct queue *queue, const struct job *job, struct probe_outcome outcome)
{
	const struct alerter_rule *rule = &job->rule->message;
	struct alerter_sent sent = {.kind = ALERTER_SENT,
	    .fault = (uint8_t)outcome.fault,
	    .detail = outcome.detail,
	    .seen = dealt_with(queue)};
	struct text text;

	memcpy(sent.service, job->event.name, sizeof(sent.service));
	strcpy(sent.alert, alert_rule_text(rule, rule->name)); /* it fits: alert_rule_check() */
	text_init(&text, sent.where, sizeof(sent.where));
	text_add(&text, where(job));
	if (tell(&sent, sizeof(sent)) && sent.seen > queue->told)
		queue->told = sent.seen;
}
_Static_assert((int)BOARD_NAME == (int)RESPONDER_NAME, "a service's name fits");

/* --- waiting ------------------------------------------------------------------------- */

int queue_init(struct queue *queue)
{
	void *memory = mmap(NULL, QUEUE_RUNNING * sizeof(queue->outcome[0]), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return -errno;
	queue->outcome = memory;
	return 0;
}

static bool has_way(const struct alerter_rule *rule, enum way way)
{
	const uint16_t texts[WAYS] = {
	    [WAY_FILE] = rule->file, [WAY_WEBHOOK] = rule->host, [WAY_COMMAND] = rule->command};

	return texts[way] != 0;
}

void queue_add(struct queue *queue, struct rule *rule, struct job *job)
{
	unsigned ways = 0;

	for (unsigned way = 0; way < WAYS; way++)
		ways += has_way(&rule->message, (enum way)way);
	if (ways > QUEUE_WAITING - queue->count) {
		queue->dropped += 1 + job->suppressed;
		return;
	}
	job->rule = rule;
	job->missed = queue->missed;
	job->dropped = queue->dropped;
	queue->missed = queue->dropped = 0;
	for (unsigned way = 0; way < WAYS; way++) {
		if (!has_way(&rule->message, (enum way)way))
			continue;
		job->way = (enum way)way;
		rule->users++;
		queue->waiting[queue->count++] = *job;
	}
}

/* --- running ------------------------------------------------------------------------- */

/* In the child: as it was before the helper changed it, and with nothing of ours open. */
static _Noreturn void deliver(const struct job *job, struct probe_outcome *outcome)
{
	sigset_t none;

	setpgid(0, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (syscall(SYS_close_range, HELPER_CHANNEL, ~0u, 0) < 0) {
		close(HELPER_CHANNEL);
		close(HELPER_BOARD);
	}
	alerter_deliver(job, outcome);
}

static void start(struct queue *queue, unsigned place, const struct job *job)
{
	struct probe_outcome *outcome = &queue->outcome[place];
	pid_t pid;

	*outcome = (struct probe_outcome){FAULT_NONE, 0};
	pid = fork();
	if (pid == 0)
		deliver(job, outcome);
	if (pid < 0) {
		tell_sent(queue, job, (struct probe_outcome){FAULT_SPAWN, errno});
		alerter_release(job->rule);
		return;
	}
	setpgid(pid, pid); /* here too, so that it is done by the time it may be killed */
	queue->running[place] =
	    (struct delivery){.pid = pid, .deadline = clock_ms() + DELIVERY_S * 1000, .job = *job};
}

static bool is_ahead(const struct job *job, const struct job *of)
{
	const struct alerter_rule *a = &job->rule->message, *b = &of->rule->message;

	return job->way == of->way && strcmp(job->event.name, of->event.name) == 0 &&
	       strcmp(alert_rule_text(a, a->name), alert_rule_text(b, b->name)) == 0;
}

/* Good news comes behind the bad that it is about; bad news waits for nothing. */
static bool may_start(const struct queue *queue, unsigned i)
{
	const struct job *job = &queue->waiting[i];
	bool free = true;

	if (job->kind != ALERT_RECOVERED)
		return true;
	for (unsigned k = 0; k < QUEUE_RUNNING; k++)
		free &= !queue->running[k].pid || !is_ahead(&queue->running[k].job, job);
	for (unsigned k = 0; k < i; k++)
		free &= !is_ahead(&queue->waiting[k], job);
	return free;
}

/* False: none may be started. */
static bool start_next(struct queue *queue, unsigned place)
{
	unsigned i = 0;

	while (i < queue->count && !may_start(queue, i))
		i++;
	if (i == queue->count)
		return false;
	struct job job = queue->waiting[i];
	queue->count--;
	memmove(&queue->waiting[i], &queue->waiting[i + 1], (queue->count - i) * sizeof(job));
	start(queue, place, &job);
	return true;
}

void queue_start(struct queue *queue)
{
	for (unsigned i = 0; i < QUEUE_RUNNING; i++) {
		/* One that could not even be started leaves its place to the next. */
		while (!queue->running[i].pid && start_next(queue, i))
			;
	}
}

/* What our own code met it has left; a command is judged by its end. */
static struct probe_outcome judge(const struct queue *queue, unsigned place, int status)
{
	struct probe_outcome outcome = queue->outcome[place];

	if (queue->running[place].late)
		return (struct probe_outcome){FAULT_LATE, DELIVERY_S};
	if (WIFSIGNALED(status))
		return (struct probe_outcome){FAULT_KILLED, WTERMSIG(status)};
	if (status == 0 || outcome.fault != FAULT_NONE)
		return outcome;
	return (struct probe_outcome){FAULT_EXIT, WEXITSTATUS(status)};
}

void queue_reap(struct queue *queue)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (unsigned i = 0; i < QUEUE_RUNNING; i++) {
			struct delivery *delivery = &queue->running[i];
			if (delivery->pid != pid)
				continue;
			delivery->pid = 0;
			tell_sent(queue, &delivery->job, judge(queue, i, status));
			alerter_release(delivery->job.rule);
		}
	}
}

void queue_kill(struct queue *queue, int64_t now)
{
	for (unsigned i = 0; i < QUEUE_RUNNING; i++) {
		struct delivery *delivery = &queue->running[i];
		if (!delivery->pid || delivery->late || delivery->deadline > now)
			continue;
		delivery->late = true;
		kill(-delivery->pid, SIGKILL);
	}
}

bool queue_busy(const struct queue *queue)
{
	for (unsigned i = 0; i < QUEUE_RUNNING; i++)
		if (queue->running[i].pid)
			return true;
	return queue->count > 0;
}

int64_t queue_deadline(const struct queue *queue)
{
	int64_t first = INT64_MAX;

	for (unsigned i = 0; i < QUEUE_RUNNING; i++) {
		const struct delivery *delivery = &queue->running[i];
		if (delivery->pid && !delivery->late && delivery->deadline < first)
			first = delivery->deadline;
	}
	return first;
}
