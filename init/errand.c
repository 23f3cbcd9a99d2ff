#include "init/errand.h"

#include "init/log.h"
#include "init/path.h"
#include "init/platform.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

enum {
	LOOK = 1000,      /* ms between two looks at the child, so that the watchdog is fed */
	CEILING = 600000, /* ms in all: some disk may be busy for reasons of its own, for ever */
};

/* Waits for a death until `until`, or for LOOK. SIGCHLD is blocked, so none is missed. */
static void wait_a_while(int64_t until)
{
	int64_t left = until - platform_now();
	sigset_t child;

	if (left > LOOK)
		left = LOOK;
	if (left < 0)
		left = 0;
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigtimedwait(&child, NULL,
	    &(struct timespec){.tv_sec = left / 1000, .tv_nsec = (long)(left % 1000 * 1000000)});
}

/* Reads and writes that all disks together have completed: as long as that grows, a disk is slow
 * and not dead (the kernel's Documentation/admin-guide/iostats.rst). */
static uint64_t completed(void)
{
	char text[8192];
	uint64_t sum = 0, reads, writes;

	if (path_read_text("/proc/diskstats", text, sizeof(text)) < 0)
		return 0;
	for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n')
		if (sscanf(line, "%*u %*u %*s %" SCNu64 " %*u %*u %*u %" SCNu64, &reads, &writes) ==
		    2)
			sum += reads + writes;
	return sum;
}

int errand_run(struct watchdog *watchdog, const struct errand *errand)
{
	int64_t until = platform_now() + errand->limit, last = platform_now() + CEILING;
	uint64_t before = errand->patient ? completed() : 0, now;
	int status = 0;
	pid_t pid;

	log_flush();
	pid = platform_fork(errand->work, errand->context);
	if (pid < 0)
		return pid;
	while (waitpid(pid, &status, WNOHANG) == 0) {
		now = errand->patient ? completed() : before;
		if (now != before)
			until = platform_now() + errand->limit;
		before = now;
		if (platform_now() >= until || platform_now() >= last) {
			kill(pid, SIGKILL);
			return -ETIMEDOUT;
		}
		if (watchdog)
			watchdog_turn(watchdog, platform_now(), NULL);
		wait_a_while(until);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : -ECANCELED;
}
