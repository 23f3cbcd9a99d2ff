#include "reaper/reap.h"

#include <errno.h>

/* Of the time, 1 part walking, 49 parts rest: 2 % of a CPU. */
#define REST_FACTOR 49

/* Tries after a dead process: given up after this many points. A number that is no child
 * of ours costs one, it may have been its parent's or a stranger's; a living child eight, in
 * a storm it is the first that has yet to die. */
#define MISSES_MAX 16
#define MISS_NONE  1
#define MISS_ALIVE 8

void reaper_init(struct reaper *reaper)
{
	*reaper = (struct reaper){.scan_due = true};
}

void reaper_notice(struct reaper *reaper, pid_t pid)
{
	reaper->named = pid;
	reaper->scan_due = true;
}

/* `death` was found by its number or by a walk. */
static int hit(struct reaper *reaper, const struct death *death)
{
	reaper->near = reaper->costly && death->pid < INT32_MAX ? death->pid + 1 : 0;
	reaper->misses = 0;
	return 1;
}

/* Tries the numbers after the last dead process. Returns 1 with *ret_death, or 0. */
static int try_near(struct reaper *reaper, struct death *ret_death)
{
	while (reaper->near != 0) {
		int result = reap_wait(reaper->near, ret_death);
		if (result == 1)
			return hit(reaper, ret_death);
		reaper->misses = (uint8_t)(reaper->misses + (result == 0 ? MISS_ALIVE : MISS_NONE));
		if (reaper->misses >= MISSES_MAX || reaper->near == INT32_MAX)
			reaper->near = 0;
		else
			reaper->near++;
	}
	return 0;
}

/* The scan pauses or has ended: rest according to what it wasted. */
static void rest(struct reaper *reaper, int64_t now)
{
	int64_t time = reaper->waste_ns * REST_FACTOR;

	reaper->rest_until = now + (time < REAP_REST_MAX_NS ? time : REAP_REST_MAX_NS);
	reaper->waste_ns = 0;
}

/* One step of a scan, which begins at `start`. Returns what reap_wait() does. */
static int walk(struct reaper *reaper, int64_t start, struct death *ret_death)
{
	bool doubted = reaper->costly;
	int64_t cpu = doubted ? reap_cpu_clock() : 0;
	int result = reap_wait(0, ret_death);
	int64_t took = doubted ? reap_cpu_clock() - cpu : 0;
	int64_t now = reap_clock();

	if (!doubted)
		took = now - start < REAP_DOUBT_NS ? now - start : REAP_DOUBT_NS;
	reaper->costly = took > REAP_FAIR_NS;
	if (result != 1) {
		reaper->scan_due = false;
		reaper->waste_ns += took;
		rest(reaper, now);
		return result;
	}
	if (reaper->costly)
		reaper->waste_ns += took - REAP_FAIR_NS;
	/* Zombies behind many living children: the scan goes on after a rest. */
	if (reaper->waste_ns >= REAP_REST_MAX_NS / REST_FACTOR)
		rest(reaper, now);
	return hit(reaper, ret_death);
}

int reaper_next(struct reaper *reaper, struct death *ret_death, int64_t *ret_again)
{
	*ret_again = 0;
	if (reaper->named != 0) {
		pid_t pid = reaper->named;
		reaper->named = 0;
		if (reap_wait(pid, ret_death) == 1)
			return hit(reaper, ret_death);
	}
	if (try_near(reaper, ret_death) == 1)
		return 1;
	if (!reaper->scan_due)
		return 0;
	int64_t start = reap_clock();
	if (start >= reaper->rest_until)
		return walk(reaper, start, ret_death);
	*ret_again = reaper->rest_until;
	return 0;
}
