/* One simulated day of a supervisor: the driver (test_sim.c), who asks for what (operators.c),
 * and what must hold (checks*.c). */
#ifndef SINIT_TESTS_SIM_SIM_H
#define SINIT_TESTS_SIM_SIM_H

#include "cgroup/tree.h"
#include "init/supervisor.h"
#include "tests/sim/plan.h"

enum { SIM_SLOTS = 160 };

/* What was last seen of a slot. */
struct seen {
	uint32_t used, seq;
	int number; /* of its service's name */
	uint32_t exits, starts, life;
	uint8_t state, kill_mode;
	int64_t since;
	struct board_start start;
};

struct sim {
	uint64_t seed;
	bool trace;
	struct supervisor sv;
	struct plan plan;
	bool hand[KERNEL_SERVICES];  /* stopped by hand */
	bool asked[KERNEL_SERVICES]; /* has been wanted, and not unwanted since */
	bool by_operator;            /* the signal is no part of a stop */
	bool single;                 /* begun with nothing but the emergency shell */
	bool shutdown_asked;
	bool shell_wanted;           /* `emergency` was to be up when last seen */
	int64_t shell_ended;         /* since when it had then ended well, 0: it had not */
	int64_t shell_asked_at;      /* when somebody has last had to do with it */
	bool oomed[KERNEL_SERVICES]; /* is to stay down: oom_policy=stop */
	struct cgroup_tree tree;
	uint64_t oom_life[SIM_SLOTS]; /* whose main process was killed for memory, 0: none */
	struct seen seen[SIM_SLOTS];
	uint32_t there;                  /* bits of devices that are there */
	uint32_t told;                   /* of which the supervisor has been told, there or not */
	uint64_t exits[KERNEL_SERVICES]; /* by the board */
	uint32_t reload_share;           /* percent of what operators do */
	int64_t reloaded_at;
	int64_t end_by; /* a shutdown must be through, 0: none has begun */
	uint64_t turns;
	int64_t spun_at; /* turns of the same millisecond */
	uint32_t spins;
};

extern struct sim sim;

/* Whoever may ask for something (operators.c) does so, or the weather changes. */
void operate(void);

/* Tells the supervisor what devices there are, as its helper does. */
void operators_tell_devices(uint32_t there);

/* The image of a plan's text, NULL: it is refused, since the plan is broken and `flags` (enum
 * config_flag) are not tolerant; prints the last one. */
struct image *operators_load(const struct plan *plan, unsigned flags);
void operators_print(void);

void checks_begin(void);

/* After every turn. */
void checks_turn(void);

/* After a reload. */
void checks_reloaded(const struct plan *before);

/* When the shutdown is through. */
void checks_end(void);

#endif
