#include "reaper/reap.h"

#include "init/raw_syscall.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>

/* __WALL: also children made by clone(2) with another signal than SIGCHLD, which a
 * process may have had before it was reparented to us. */
static int wait_for(pid_t pid, int options, struct death *ret_death)
{
	siginfo_t info;

	info.si_pid = 0;
	long result = raw_syscall6(SYS_waitid, pid ? P_PID : P_ALL, pid, (long)&info,
	    WEXITED | WNOHANG | __WALL | options, 0, 0);
	if (result < 0)
		return (int)result;
	if (info.si_pid == 0)
		return 0;
	ret_death->pid = info.si_pid;
	ret_death->status = exit_status_decode(info.si_code, info.si_status);
	return 1;
}

int reap_wait(pid_t pid, struct death *ret_death)
{
	return wait_for(pid, 0, ret_death);
}

int reap_look(pid_t pid, struct death *ret_death)
{
	return wait_for(pid, WNOWAIT, ret_death);
}

static int64_t read_clock(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

int64_t reap_clock(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

int64_t reap_cpu_clock(void)
{
	return read_clock(CLOCK_THREAD_CPUTIME_ID);
}
