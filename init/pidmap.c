#include "init/pidmap.h"

#include <errno.h>

size_t pidmap_entries(size_t most)
{
	size_t entries = 16;

	while (entries < 2 * most)
		entries *= 2;
	return entries;
}

void pidmap_init(struct pidmap *map, struct pid_entry *entry, size_t entries)
{
	*map = (struct pidmap){.entry = entry, .mask = (uint32_t)entries - 1};
}

/* Pids are handed out in a row, so a multiplication is enough to spread their runs. */
static uint32_t home(const struct pidmap *map, int32_t pid)
{
	return ((uint32_t)pid * 2654435761u) >> 7 & map->mask;
}

static uint32_t find(const struct pidmap *map, int32_t pid)
{
	uint32_t i = home(map, pid);

	while (map->entry[i].pid && map->entry[i].pid != pid)
		i = (i + 1) & map->mask;
	return i;
}

int pidmap_put(struct pidmap *map, int32_t pid, uint32_t slot, enum pid_role role)
{
	uint32_t i = find(map, pid);

	if (!map->entry[i].pid) {
		if (map->count >= map->mask)
			return -ENOSPC;
		map->count++;
	}
	map->entry[i] =
	    (struct pid_entry){.pid = pid, .slot = slot & 0xffffff, .role = (uint8_t)role};
	return 0;
}

const struct pid_entry *pidmap_get(const struct pidmap *map, int32_t pid)
{
	uint32_t i = find(map, pid);

	return map->entry[i].pid ? &map->entry[i] : NULL;
}

/* Closes the gap by moving up whatever may stand there (no tombstones: the table never
 * silts up over years of restarts). */
void pidmap_remove(struct pidmap *map, int32_t pid)
{
	uint32_t gap = find(map, pid), i = gap;

	if (!map->entry[gap].pid)
		return;
	map->count--;
	for (;;) {
		map->entry[gap].pid = 0;
		for (;;) {
			i = (i + 1) & map->mask;
			if (!map->entry[i].pid)
				return;
			uint32_t want = home(map, map->entry[i].pid);

			if (((i - want) & map->mask) >= ((i - gap) & map->mask))
				break;
		}
		map->entry[gap] = map->entry[i];
		gap = i;
	}
}
