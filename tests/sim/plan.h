/* A configuration drawn at random, as numbers for the checks and as text for sinit. */
#ifndef SINIT_TESTS_SIM_PLAN_H
#define SINIT_TESTS_SIM_PLAN_H

#include "tests/sim/kernel.h"

#include <stddef.h>

enum { PLAN_PROBES = 3, PLAN_DEVICES = 4 };

/* A service. Others are bits of a mask. */
struct plan_service {
	bool present, enabled, oneshot, critical;
	bool broken;    /* its section has an error */
	uint32_t level; /* requires, wants and after name lower levels only */
	uint32_t requires, wants, after, restart_with;
	uint32_t waits; /* bits of devices: wait_for */
	bool has_pre, has_stop, has_post, has_reload;
	bool probe[PLAN_PROBES];            /* by enum probe_role */
	uint8_t behaviour, pre, stop, post; /* enum behaviour */
	int priority;
	uint8_t restart, kill_mode, oom_policy; /* enums of schema.h of these names */
	bool capped, warns;                     /* memory_max and memory_warn */
	uint32_t restart_delay, max_backoff, multiplier, jitter, max_restarts; /* UINT32_MAX */
	uint32_t restart_window, min_uptime, start_timeout, stop_timeout;
};

struct plan {
	uint32_t shutdown_timeout;
	bool needs_slices; /* cgroups = required */
	bool machine;      /* sinit is its init; KERNEL_EMERGENCY is present then, and only then */
	bool alert;        /* critical_action = alert */
	bool built_in;     /* `emergency` is what sinit adds */
	bool spoilt;       /* though there is a section of its own, which is broken */
	bool doomed;       /* what there is does not live long */
	uint32_t most;     /* services that there may be */
	struct plan_service service[KERNEL_SERVICES];
};

enum { PLAN_SERVICES = 20, PLAN_TEXT = 64 * 1024 };

/* A first plan: PLAN_SERVICES services; for a machine also few, or none. */
void plan_make(struct plan *plan, bool machine);

/* Puts right what is broken. */
void plan_mend(struct plan *plan);
bool plan_is_broken(const struct plan *plan);

/* The name of a service, for messages and for sinit. */
const char *plan_name(unsigned number, char buffer[static 16]);

/* The plan after somebody has edited the files: some services changed, added, removed. */
void plan_change(struct plan *plan);

/* Bits of the devices that any of its services waits for. */
uint32_t plan_awaited(const struct plan *plan);

/* The text of the configuration, in buffer[0 .. PLAN_TEXT-1]. */
void plan_write(const struct plan *plan, char *buffer);

/* The delay before restart n without jitter, by the documentation's formula. */
uint32_t plan_delay(const struct plan_service *service, uint32_t n);

#endif
