/* Burns time of one CPU after another.
 *
 *   spin [--threads N] [--seconds S]
 *
 * Each of N processes (1) burns S seconds of CPU time, or goes on for ever. */
#include <err.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void burn(double seconds)
{
	while (!seconds || (double)clock() / CLOCKS_PER_SEC < seconds)
		for (volatile int i = 0; i < 100000; i++)
			;
}

int main(int argc, char **argv)
{
	static const struct option known[] = {
	    {"threads", 1, NULL, 't'}, {"seconds", 1, NULL, 's'}, {0}};
	double seconds = 0;
	int c, threads = 1;

	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (c) {
		case 't':
			threads = atoi(optarg);
			break;
		case 's':
			seconds = atof(optarg);
			break;
		default:
			return 2;
		}
	}
	for (int i = 1; i < threads; i++) {
		pid_t pid = fork();

		if (pid < 0)
			err(1, "spin: fork");
		if (pid == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			burn(seconds);
			return 0;
		}
	}
	burn(seconds);
	while (wait(NULL) > 0)
		;
	printf("spin: %d x %g s\n", threads, seconds);
	return 0;
}
