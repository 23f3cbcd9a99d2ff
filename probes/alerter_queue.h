/* Deliveries of alerts: some run, each a process of its own which may hang for all the alerter
 * cares, others wait behind them. Tells PID 1 how each has ended.
 *
 * Owns: the processes, a share in the rules of its jobs. May call: alerter's parts. */
#ifndef SINIT_PROBES_ALERTER_QUEUE_H
#define SINIT_PROBES_ALERTER_QUEUE_H

#include "probes/alerter.h"

#include <sys/types.h>

enum {
	QUEUE_RUNNING = 8,   /* deliveries at once */
	QUEUE_WAITING = 256, /* that wait behind them */
};

struct delivery {
	pid_t pid; /* also of its process group; 0: free */
	bool late; /* has been killed */
	int64_t deadline;
	struct job job;
};

struct queue {
	uint64_t taken;           /* number of the last event that alerts were made of */
	uint64_t told;            /* PID 1 knows that those up to here are dealt with */
	uint32_t missed, dropped; /* still to be told, see struct alert */
	struct delivery running[QUEUE_RUNNING];
	struct probe_outcome *outcome; /* of those, each written by its process */
	struct job waiting[QUEUE_WAITING];
	unsigned count; /* of those that wait, the oldest first */
};

/* 0 or -errno. */
int queue_init(struct queue *queue);

/* Takes an alert in, by each of its rule's ways: all find room or none does, so that all tell
 * the same. */
void queue_add(struct queue *queue, struct rule *rule, struct job *job);

/* Some of its processes have ended. */
void queue_reap(struct queue *queue);

/* Kills what has run too long by `now` (CLOCK_MONOTONIC ms; INT64_MAX: all), and what that
 * process had begun with it. */
void queue_kill(struct queue *queue, int64_t now);

/* Starts what there is room for, in order; a recovery after what it is a recovery from. */
void queue_start(struct queue *queue);

/* Whether anything runs or waits. */
bool queue_busy(const struct queue *queue);

/* When a delivery is too late, CLOCK_MONOTONIC ms; INT64_MAX: none can be. */
int64_t queue_deadline(const struct queue *queue);

/* Tells PID 1 up to which event all is dealt with, if that is at least `more` further than it
 * knows. */
void queue_tell_seen(struct queue *queue, uint64_t more);

#endif
