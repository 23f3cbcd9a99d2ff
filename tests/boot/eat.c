/* Takes memory, and keeps it.
 *
 *   eat [option...] MEGABYTES
 *
 *   --step MB     so much at a time (1)
 *   --every MS    with a pause in between
 *   --when FILE   not before this file is there
 *   --child       a child takes it, and the parent, which stays small, tells what became of it
 *   --pause       stays when it has it, as the parent does
 *   --score N     its oom_score_adj, the child's if there is one */
#include <err.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int step = 1, every, score;
static const char *when;
static bool child, stay;

static void rest(int ms)
{
	nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000L}, NULL);
}

static void linger(void)
{
	while (stay)
		pause();
}

static void set_score(void)
{
	FILE *file = fopen("/proc/self/oom_score_adj", "w");

	if (!file || fprintf(file, "%d", score) < 0 || fclose(file))
		err(1, "eat: oom_score_adj");
}

static void eat(int megabytes)
{
	if (score)
		set_score();
	while (when && access(when, F_OK))
		rest(10);
	for (int have = 0; have < megabytes; have += step) {
		size_t size = (size_t)step << 20;
		char *piece =
		    mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (piece == MAP_FAILED)
			err(1, "eat: at %d MB", have);
		memset(piece, 1, size);
		if (every)
			rest(every);
	}
	printf("eat: %d MB\n", megabytes);
}

static void watch(pid_t pid)
{
	int status;

	waitpid(pid, &status, 0);
	if (WIFSIGNALED(status))
		printf("eat: child killed by %d\n", WTERMSIG(status));
	else
		printf("eat: child ended with %d\n", WEXITSTATUS(status));
}

int main(int argc, char **argv)
{
	static const struct option known[] = {{"step", 1, NULL, 's'}, {"every", 1, NULL, 'e'},
	    {"when", 1, NULL, 'w'}, {"child", 0, NULL, 'c'}, {"pause", 0, NULL, 'p'},
	    {"score", 1, NULL, 'o'}, {0}};
	pid_t pid;
	int c;

	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (c) {
		case 's':
			step = atoi(optarg);
			break;
		case 'e':
			every = atoi(optarg);
			break;
		case 'w':
			when = optarg;
			break;
		case 'c':
			child = true;
			break;
		case 'p':
			stay = true;
			break;
		case 'o':
			score = atoi(optarg);
			break;
		default:
			return 2;
		}
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	pid = child ? fork() : 0;
	if (pid < 0)
		err(1, "eat: fork");
	if (pid > 0)
		watch(pid);
	else
		eat(argv[optind] ? atoi(argv[optind]) : 0);
	linger();
	return 0;
}
