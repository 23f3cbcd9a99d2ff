/* What wrapper mode is tested with: programs that die, orphan and listen on order.
 *
 *   wrapped repeat COUNT LIMIT_MS CODE new|same CMD [ARG...]
 *        runs CMD COUNT times, each in a PID namespace of its own (new) or not (same);
 *        each must end within the limit with CODE. Tells of the first that does not.
 *   wrapped burst N CODE      forks N children; they and this one (CODE) exit at once
 *   wrapped orphans N LIMIT_MS    makes N orphans that exit at once, waits until all have
 *        been reaped by somebody; prints the ms it took
 *   wrapped signals           prints "ready", then the number of each signal it gets;
 *        ends at the second SIGINT in a row
 *   wrapped late FILE MS [CODE]   prints its pid; at TERM
 * waits MS, writes FILE, exits */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

/* fork(2) into a new PID namespace. */
static pid_t fork_into(int flags)
{
	return (pid_t)syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
}

static int run_once(int limit, int flags, char **argv)
{
	int status;
	pid_t pid;

	while ((pid = fork_into(flags)) < 0)
		usleep(1000);
	if (pid == 0) {
		execvp(argv[0], argv);
		_exit(99);
	}
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd end = {.fd = fd, .events = POLLIN};
	int ended = poll(&end, 1, limit);
	close(fd);
	if (ended != 1)
		kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	if (ended != 1)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static int repeat(int count, int limit, int code, int flags, char **argv)
{
	for (int i = 0; i < count; i++) {
		int got = run_once(limit, flags, argv);
		if (got != code) {
			printf("run %d of %d: %s %d, expected %d\n", i + 1, count,
			    got < 0 ? "hangs:" : "code", got, code);
			return 1;
		}
	}
	return 0;
}

/* Other tests may have used up what processes there are for the moment. */
static pid_t patient_fork(void)
{
	pid_t pid;

	while ((pid = fork()) < 0)
		usleep(1000);
	return pid;
}

static int burst(int n, int code)
{
	int gate[2];
	char byte;

	if (pipe(gate) != 0)
		return 99;
	for (int i = 0; i < n; i++)
		if (patient_fork() == 0) {
			close(gate[1]);
			if (read(gate[0], &byte, 1) != 0)
				_exit(98);
			_exit(0);
		}
	_exit(code); /* closes the gate */
}

static int orphans(int n, int limit)
{
	pid_t *made = calloc((size_t)n, sizeof(*made));
	int ends[2];
	long long start = now();

	if (!made || pipe(ends) != 0)
		return 99;
	for (int i = 0; i < n; i += 100) {
		pid_t mid = patient_fork();
		if (mid == 0) {
			for (int j = 0; j < 100; j++) {
				pid_t pid = patient_fork();
				if (pid == 0)
					_exit(0);
				if (write(ends[1], &pid, sizeof(pid)) != sizeof(pid))
					_exit(98);
			}
			_exit(0);
		}
		waitpid(mid, NULL, 0);
		if (read(ends[0], made + i, 100 * sizeof(*made)) != 100 * sizeof(*made))
			return 97;
	}
	for (int i = 0; i < n;) {
		if (kill(made[i], 0) != 0 && errno == ESRCH)
			i++;
		else if (now() - start > limit)
			return 96;
		else
			usleep(500);
	}
	printf("%lld\n", now() - start);
	return 0;
}

static void say(const char *word, int number)
{
	char line[64];
	int length = snprintf(line, sizeof(line), word, number);

	if (write(1, line, (size_t)length) < 0)
		_exit(97);
}

static int signals(void)
{
	sigset_t all;
	int signal, last = 0;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	say("ready\n", 0);
	for (; sigwait(&all, &signal) == 0; last = signal) {
		say("%d\n", signal);
		if (signal == SIGINT && last == SIGINT)
			return 0;
	}
	return 96;
}

static int late(const char *file, int ms, int code)
{
	sigset_t term;
	int signal;

	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, NULL);
	say("%d\n", getpid());
	sigwait(&term, &signal);
	usleep((useconds_t)ms * 1000);
	int fd = open(file, O_WRONLY | O_CREAT, 0600);
	return fd < 0 ? 95 : code;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (strcmp(what, "repeat") == 0 && argc > 6)
		return repeat(atoi(argv[2]), atoi(argv[3]), atoi(argv[4]),
		    strcmp(argv[5], "new") == 0 ? CLONE_NEWPID : 0, argv + 6);
	if (strcmp(what, "burst") == 0 && argc > 3)
		return burst(atoi(argv[2]), atoi(argv[3]));
	if (strcmp(what, "orphans") == 0 && argc > 3)
		return orphans(atoi(argv[2]), atoi(argv[3]));
	if (strcmp(what, "signals") == 0)
		return signals();
	if (strcmp(what, "late") == 0 && argc > 3)
		return late(argv[2], atoi(argv[3]), argc > 4 ? atoi(argv[4]) : 0);
	return 2;
}
