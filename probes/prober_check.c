/* The checks: what PID 1 asks for, what has come out, and what is told to it. */
#include "init/board.h"
#include "init/clock.h"
#include "probes/prober.h"
#include "probes/prober_message.h"
#include "probes/schedule.h"
#include "probes/search.h"
#include "probes/stats.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- what it has been like ---------------------------------------------------------- */

/* The mapping may have grown since. */
static void map_stats(struct prober *prober)
{
	struct stat status;
	void *mapped;

	if (fstat(HELPER_STATS, &status) < 0 || !S_ISREG(status.st_mode))
		return;
	size_t count = PROBER_CHECKS;
	if ((uint64_t)status.st_size < count * sizeof(struct probe_stats))
		count = (size_t)status.st_size / sizeof(struct probe_stats);
	if (count <= prober->stats_count)
		return;
	mapped = mmap(NULL, count * sizeof(struct probe_stats), PROT_READ | PROT_WRITE, MAP_SHARED,
	    HELPER_STATS, 0);
	if (mapped == MAP_FAILED)
		return;
	if (prober->stats)
		munmap(prober->stats, prober->stats_count * sizeof(struct probe_stats));
	prober->stats = mapped;
	prober->stats_count = (uint32_t)count;
}

/* NULL: there is no place for this one. */
static struct probe_stats *stats_of(const struct prober *prober, uint32_t number)
{
	return number < prober->stats_count ? &prober->stats[number] : NULL;
}

static void begin_stats(struct prober *prober, const struct prober_begin *begin)
{
	struct probe_stats *stats;

	if (begin->check >= prober->stats_count)
		map_stats(prober);
	stats = stats_of(prober, begin->check);
	if (!stats ||
	    atomic_load_explicit(&stats->generation, memory_order_relaxed) == begin->generation)
		return;
	/* Readers pass over generation 0. */
	atomic_store_explicit(&stats->generation, 0, memory_order_release);
	memset((char *)stats + sizeof(stats->generation), 0,
	    sizeof(*stats) - sizeof(stats->generation));
	atomic_store_explicit(&stats->generation, begin->generation, memory_order_release);
}

static void count(
    struct prober *prober, const struct check *check, enum probe_fault fault, int32_t detail)
{
	struct probe_stats *stats = stats_of(prober, check->number);
	int64_t now = clock_us();

	if (stats)
		stats_count(stats, (enum check_kind)probe_target(check)->kind, fault, detail,
		    (uint64_t)(now - check->started), now / 1000);
}

/* --- verdicts ----------------------------------------------------------------------- */

static void wait_to_send(struct prober *prober, bool wait)
{
	struct epoll_event event = {
	    .events = wait ? EPOLLIN | EPOLLOUT : EPOLLIN, .data.u64 = PROBER_TAG_CHANNEL};

	if (wait == prober->waits_to_send)
		return;
	epoll_ctl(prober->epoll_fd, EPOLL_CTL_MOD, HELPER_CHANNEL, &event);
	prober->waits_to_send = wait;
}

static void enqueue(struct prober *prober, struct check *check)
{
	if (check->unsent)
		return; /* keeps its place; what has not been read is replaced by the newer one */
	check->unsent = true;
	check->next_unsent = NULL;
	*prober->unsent_end = check;
	prober->unsent_end = &check->next_unsent;
}

static void dequeue(struct prober *prober, struct check *check)
{
	struct check **at = &prober->unsent;

	if (!check->unsent)
		return;
	while (*at != check)
		at = &(*at)->next_unsent;
	*at = check->next_unsent;
	if (!*at)
		prober->unsent_end = at;
	check->unsent = false;
}

void prober_flush(struct prober *prober)
{
	while (prober->unsent) {
		struct check *check = prober->unsent;
		if (send(HELPER_CHANNEL, &check->message, sizeof(check->message),
			MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
			prober->over = errno == EPIPE || errno == ECONNRESET;
			break;
		}
		dequeue(prober, check);
	}
	wait_to_send(prober, prober->unsent != NULL);
}

void prober_result(
    struct prober *prober, struct check *check, enum probe_fault fault, int32_t detail)
{
	const struct prober_begin *begin = check->begin;
	bool passed = fault == FAULT_NONE;

	count(prober, check, fault, detail);
	if (begin->once) {
		alarms_remove(&prober->alarms, &check->alarm);
	} else {
		check->due = schedule_next(check->due, begin->interval, clock_ms());
		alarms_set(&prober->alarms, &check->alarm, check->due);
	}
	if (!begin->once && (fault == FAULT_INTERNAL || !verdict_step(&check->verdict, passed,
							    begin->failures, begin->successes)))
		return;
	check->message = (struct prober_verdict){.kind = PROBER_VERDICT,
	    .check = check->number,
	    .ticket = begin->ticket,
	    .passing = passed,
	    .fault = (uint8_t)fault,
	    .detail = detail};
	enqueue(prober, check);
}

/* --- what PID 1 asks for ------------------------------------------------------------ */

/* Without memory there is nothing left to do: PID 1 will start another one, and tell it all
 * that it has told this one. */
static void *have(void *memory)
{
	static const char words[] = "sinit: prober: out of memory\n";

	if (memory)
		return memory;
	if (write(STDERR_FILENO, words, sizeof(words) - 1) < 0) {
		/* nobody to tell */
	}
	_exit(EXIT_CODE_INTERNAL);
}

static void make_room(struct prober *prober, uint32_t number)
{
	uint32_t capacity = prober->capacity ? prober->capacity : 64;

	while (capacity <= number)
		capacity *= 2;
	if (capacity == prober->capacity)
		return;
	prober->table = have(realloc(prober->table, capacity * sizeof(prober->table[0])));
	memset(prober->table + prober->capacity, 0,
	    (capacity - prober->capacity) * sizeof(prober->table[0]));
	prober->alarms.heap =
	    have(realloc(prober->alarms.heap, (capacity + 1) * sizeof(prober->alarms.heap[0])));
	prober->capacity = capacity;
}

static struct check *find(const struct prober *prober, uint32_t number)
{
	return number < prober->capacity ? prober->table[number] : NULL;
}

/* All that a check has but its place. */
static void clear(struct prober *prober, struct check *check)
{
	probe_stop(prober, check);
	alarms_remove(&prober->alarms, &check->alarm);
	dequeue(prober, check);
	free(check->begin);
	free(check->table);
}

static void end(struct prober *prober, uint32_t number)
{
	struct check *check = find(prober, number);

	if (!check)
		return;
	clear(prober, check);
	free(check);
	prober->table[number] = NULL;
}

static struct check *place(struct prober *prober, uint32_t number)
{
	struct check *check = find(prober, number);
	uint32_t serial = 0;

	if (check) {
		serial = check->serial;
		clear(prober, check);
	} else {
		make_room(prober, number);
		check = prober->table[number] = have(malloc(sizeof(*check)));
	}
	memset(check, 0, sizeof(*check));
	check->number = number;
	check->serial = serial;
	check->fd = -1;
	return check;
}

static void begin(struct prober *prober, const struct prober_begin *message, size_t size)
{
	struct check *check = place(prober, message->check);
	const char *text = prober_text(message, message->body);
	size_t length = strlen(text);

	begin_stats(prober, message);
	check->begin = have(malloc(size));
	memcpy(check->begin, message, size);
	if (length > 0) {
		check->table = have(malloc(length * sizeof(check->table[0])));
		search_table(text, length, check->table);
	}
	verdict_init(&check->verdict, message->health);
	check->due = clock_ms();
	if (!message->once)
		check->due = schedule_first(
		    check->due, message->initial_delay, message->interval, message->seed);
	alarms_set(&prober->alarms, &check->alarm, check->due);
}

void prober_take(struct prober *prober, const void *message, size_t size)
{
	const struct prober_end *last = message;
	const uint32_t *kind = message;

	if (size == sizeof(*kind) && *kind == PROBER_PING)
		send(HELPER_CHANNEL, kind, sizeof(*kind), MSG_DONTWAIT | MSG_NOSIGNAL);
	else if (size == sizeof(*last) && last->kind == PROBER_END)
		end(prober, last->check);
	else if (prober_begin_check(message, size) == 0)
		begin(prober, message, size);
}

void prober_clear(struct prober *prober)
{
	for (uint32_t number = 0; number < prober->capacity; number++)
		end(prober, number);
	free(prober->table);
	free(prober->alarms.heap);
	if (prober->stats)
		munmap(prober->stats, prober->stats_count * sizeof(struct probe_stats));
}
