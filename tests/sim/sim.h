/* One simulated day of a supervisor: the driver (test_sim.c) and what must hold (checks.c). */
#ifndef SINIT_TESTS_SIM_SIM_H
#define SINIT_TESTS_SIM_SIM_H

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
};

struct sim {
	uint64_t seed;
	bool trace;
	struct supervisor sv;
	struct plan plan;
	bool hand[KERNEL_SERVICES];  /* stopped by hand */
	bool asked[KERNEL_SERVICES]; /* has been wanted, and not unwanted since */
	bool by_operator;            /* the signal is no part of a stop */
	struct seen seen[SIM_SLOTS];
	uint64_t exits[KERNEL_SERVICES]; /* by the board */
	uint32_t reload_share;           /* percent of what operators do */
	int64_t reloaded_at;
	int64_t end_by; /* a shutdown must be through, 0: none has begun */
	uint64_t turns;
	int64_t spun_at; /* turns of the same millisecond */
	uint32_t spins;
};

extern struct sim sim;

void checks_begin(void);

/* After every turn. */
void checks_turn(void);

/* When the shutdown is through. */
void checks_end(void);

#endif
