/* Which service a process belongs to: a hash table from pid to slot and role, of a size
 * fixed at load. Pure; owns the memory it was given. May call: memory functions. */
#ifndef SINIT_INIT_PIDMAP_H
#define SINIT_INIT_PIDMAP_H

#include <stddef.h>
#include <stdint.h>

enum pid_role {
	PID_MAIN,   /* the service's main process */
	PID_AUX,    /* pre_start, stop_command, post_stop */
	PID_RELOAD, /* reload_command: nobody waits for its end */
	PID_FAILED, /* a spawn that failed: its end is no news */
	PID_LOADER, /* reads the configuration for a reload */
	PID_PROBE,  /* a check */
	PID_LIMITS, /* writes new limits of a slice */
	PID_HELPER, /* a helper of sinit's own; slot: its number */
};

struct pid_entry {
	int32_t pid; /* 0: free */
	uint32_t slot : 24;
	uint32_t role : 8; /* enum pid_role */
};

struct pidmap {
	struct pid_entry *entry;
	uint32_t mask; /* entries - 1, a power of two */
	uint32_t count;
};

/* Number of entries needed to hold `most` processes at a load of at most one half. */
size_t pidmap_entries(size_t most);

/* `entry` must have pidmap_entries(most) zeroed elements, and outlive the map. */
void pidmap_init(struct pidmap *map, struct pid_entry *entry, size_t entries);

/* 0, or -ENOSPC: it is full (one place is always left free, so that a search ends). */
int pidmap_put(struct pidmap *map, int32_t pid, uint32_t slot, enum pid_role role);

/* NULL: not in the map. Good until the next put or remove. */
const struct pid_entry *pidmap_get(const struct pidmap *map, int32_t pid);

void pidmap_remove(struct pidmap *map, int32_t pid);

#endif
