/* Between checks.c (turns), checks_life.c (births, signals), checks_slices.c (cgroups) and
 * checks_machine.c (the init of a machine). */
#ifndef SINIT_TESTS_SIM_CHECKS_H
#define SINIT_TESTS_SIM_CHECKS_H

#include "tests/sim/sim.h"

static inline struct board_service *sim_record(uint32_t slot)
{
	return &sim.sv.service[slot];
}

static inline uint64_t sim_life(uint32_t slot)
{
	return (uint64_t)sim_record(slot)->used << 32 | sim_record(slot)->m.life;
}

static inline const char *sim_state(uint32_t slot)
{
	return state_name((enum state)sim_record(slot)->m.state);
}

int sim_number(uint32_t slot);

/* The slot of a configured service, not one that is being removed. */
uint32_t sim_slot(int number);

/* Whether anybody who is wanted needs it, directly or not. `depth`: 0. */
bool sim_needed(int number, int depth);

/* It is down to stay, or cannot come back since that holds for one that it requires. */
bool sim_is_lost(uint32_t slot);

/* All processes of the service that has `used` in its record but those of life `but` are on their
 * own. */
void sim_abandon(uint32_t used, uint64_t but);

/* By kill_mode=process of its present settings, or of those that its last life may have had. */
bool sim_leaves_children(uint32_t slot);

/* Gives the kernel what checks_life.c and checks_slices.c watch. */
void checks_life_begin(void);
void checks_slices_begin(void);

/* A service's record has changed; a turn has ended; the shutdown is through. */
void checks_slices_look(uint32_t slot);
void checks_slices_turn(void);
void checks_slices_end(void);

/* A turn has ended. `quiet`: nothing is due. */
void checks_machine_turn(bool quiet);

/* A main process or pre_start of the service is about to be made. */
void checks_slices_birth(uint32_t slot, int number);

#endif
