/* A service of many processes, some of which want to be forgotten.
 *
 *   family [option...] N
 *
 *   --double      every second one forked twice: an orphan
 *   --setsid      every third one in a session of its own
 *   --deaf        every fourth one ignores TERM
 *   --leave       the parent ends when it has made them, else it stays until TERM
 *
 * Says "family: N processes" when all N are there; the parent is not counted. */
#include <err.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static bool twice, session, deaf, leave;

static void member(int number, int ready)
{
	if (session && number % 3 == 0)
		setsid();
	if (deaf && number % 4 == 0)
		signal(SIGTERM, SIG_IGN);
	if (write(ready, "", 1) != 1)
		_exit(1);
	close(ready);
	for (;;)
		pause();
}

static void make(int number, int ready)
{
	pid_t pid = fork();

	if (pid < 0)
		err(1, "family: fork");
	if (pid > 0 && twice && number % 2 == 0)
		waitpid(pid, NULL, 0);
	if (pid > 0)
		return;
	if (twice && number % 2 == 0 && fork() != 0)
		_exit(0);
	member(number, ready);
}

int main(int argc, char **argv)
{
	static const struct option known[] = {{"double", 0, NULL, 'd'}, {"setsid", 0, NULL, 's'},
	    {"deaf", 0, NULL, 'i'}, {"leave", 0, NULL, 'l'}, {0}};
	int c, count, ready[2];
	char byte;

	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (c) {
		case 'd':
			twice = true;
			break;
		case 's':
			session = true;
			break;
		case 'i':
			deaf = true;
			break;
		case 'l':
			leave = true;
			break;
		default:
			return 2;
		}
	}
	count = argv[optind] ? atoi(argv[optind]) : 0;
	if (pipe(ready))
		err(1, "family: pipe");
	for (int i = 1; i <= count; i++)
		make(i, ready[1]);
	close(ready[1]);
	for (int i = 0; i < count; i++)
		if (read(ready[0], &byte, 1) != 1)
			errx(1, "family: only %d of %d", i, count);
	printf("family: %d processes\n", count);
	fflush(stdout);
	while (!leave)
		pause();
	return 0;
}
