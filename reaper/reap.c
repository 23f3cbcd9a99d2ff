#include "reaper/reap.h"

#include <errno.h>

/* Of the time, 1 part walking, 9 parts rest: a tenth of a CPU. */
#define REST_FACTOR 9

void reaper_init(struct reaper *reaper)
{
	*reaper = (struct reaper){.scan_due = true};
}

void reaper_notice(struct reaper *reaper, pid_t pid)
{
	reaper->named = pid;
	reaper->scan_due = true;
}

/* The scan pauses or has ended: rest according to what it wasted. */
static void rest(struct reaper *reaper, int64_t now)
{
	int64_t time = reaper->waste_ns * REST_FACTOR;

	reaper->rest_until = now + (time < REAP_REST_MAX_NS ? time : REAP_REST_MAX_NS);
	reaper->waste_ns = 0;
}

int reaper_next(struct reaper *reaper, struct death *ret_death, int64_t *ret_again)
{
	*ret_again = 0;
	if (reaper->named != 0) {
		pid_t pid = reaper->named;
		reaper->named = 0;
		if (reap_wait(pid, ret_death) == 1)
			return 1;
	}
	if (!reaper->scan_due)
		return 0;
	int64_t start = reap_clock();
	if (start < reaper->rest_until) {
		*ret_again = reaper->rest_until;
		return 0;
	}
	int result = reap_wait(0, ret_death);
	int64_t now = reap_clock();
	reaper->waste_ns += now - start;
	if (result == 1) {
		reaper->waste_ns -= REAP_DEATH_NS;
		if (reaper->waste_ns < 0)
			reaper->waste_ns = 0;
		/* Zombies behind many living children: the scan goes on after a rest. */
		if (reaper->waste_ns >= REAP_REST_MAX_NS / REST_FACTOR)
			rest(reaper, now);
		return 1;
	}
	reaper->scan_due = false;
	rest(reaper, now);
	return result;
}
