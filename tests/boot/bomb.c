/* Forks until it may not any more, says how many it has made, and stays.
 *
 *   bomb [--restless]     never stops trying, and neither do its children
 *
 * Where nothing limits it, it is content with 2,000; the restless one takes the machine. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 2000 };

/* All children fork as well, and some end, so that there is always room for the next. */
static void restless(void)
{
	for (unsigned turn = 0;; turn++) {
		if (fork() == 0 && turn > 2)
			_exit(0);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	}
}

int main(int argc, char **argv)
{
	int made = 0;

	signal(SIGHUP, SIG_IGN);
	if (argc > 1 && !strcmp(argv[1], "--restless"))
		restless();
	while (made < MOST) {
		pid_t pid = fork();

		if (pid < 0)
			break;
		if (pid == 0)
			for (;;)
				pause();
		made++;
	}
	printf(
	    "bomb: %d children, then %s\n", made, made < MOST ? strerrorname_np(errno) : "enough");
	fflush(stdout);
	for (;;)
		pause();
}
