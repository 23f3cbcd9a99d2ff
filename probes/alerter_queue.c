#include "probes/alerter_queue.h"

#include "init/base.h"
#include "init/explain.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DELIVERY_MS = 30000 /* then it is killed */ };

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

	if (seen.event > queue->told && seen.event - queue->told >= more && tell(&seen, sizeof(seen)))
		queue->told = seen.event;
}

/* The job is neither among those that run nor among those that wait any more. */
static void tell_sent(struct queue *queue, const struct job *job, bool ok)
{
	const struct alerter_rule *rule = &job->rule->message;
	struct alerter_sent sent = {.kind = ALERTER_SENT, .ok = ok, .seen = dealt_with(queue)};

	memcpy(sent.service, job->event.name, sizeof(sent.service));
	strcpy(sent.alert, alert_rule_text(rule, rule->name)); /* it fits: alert_rule_check() */
	if (tell(&sent, sizeof(sent)) && sent.seen > queue->told)
		queue->told = sent.seen;
}
_Static_assert((int)BOARD_NAME == (int)RESPONDER_NAME, "a service's name fits");

/* --- waiting ------------------------------------------------------------------------- */

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

static void start(struct queue *queue, struct delivery *delivery, const struct job *job)
{
	pid_t pid = fork();

	if (pid == 0)
		deliver(job);
	if (pid < 0) {
		alerter_complain(job, "cannot be sent", strerror(errno));
		tell_sent(queue, job, false);
		alerter_release(job->rule);
		return;
	}
	setpgid(pid, pid); /* here too, so that it is done by the time it may be killed */
	*delivery =
	    (struct delivery){.pid = pid, .deadline = alerter_now() + DELIVERY_MS, .job = *job};
}

static void start_next(struct queue *queue, struct delivery *delivery)
{
	struct job job = queue->waiting[0];

	queue->count--;
	memmove(queue->waiting, queue->waiting + 1, queue->count * sizeof(queue->waiting[0]));
	start(queue, delivery, &job);
}

void queue_start(struct queue *queue)
{
	for (unsigned i = 0; i < QUEUE_RUNNING; i++) {
		/* One that could not even be started leaves its place to the next. */
		while (queue->count && !queue->running[i].pid)
			start_next(queue, &queue->running[i]);
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
			tell_end(delivery, status);
			tell_sent(queue, &delivery->job, status == 0 && !delivery->late);
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
