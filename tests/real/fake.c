/* A daemon that misbehaves on order: what the tests run as services.
 *
 *   fake --name NAME --write FILE [option...]
 *
 *   --lives LIST       what becomes of the first, second... life: ms after which it exits, or
 *                      - to stay; lives beyond the list stay. Lives are counted in FILE
 *   --code N           exit code of those lives (1)
 *   --signal N         end those lives by this signal instead
 *   --ignore-term      go on after TERM
 *   --stop-delay MS    exit so long after TERM
 *   --stop-code N      exit code after TERM (0)
 *   --fork-child       a child in the same process group
 *   --group-child      a child in a process group of its own
 *   --setsid-child     a child in a session of its own
 *   --deaf-child       a child in the same process group that ignores TERM
 *   --daemon           the parent exits 0 and the child goes on
 *   --listen PORT      listen on this port, the child if there is one
 *   --lock LOCK        note "overlap" if another one holds the lock
 *   --orphans N        on USR1: N orphans that exit at once
 *   --spoil CMD...     execute CMD with signals blocked and ignored
 *
 * Every step is one line of FILE, in a single write: MS NAME PID WHAT, the time by
 * CLOCK_MONOTONIC, which is the same in every PID namespace. WHAT is start, child, the name of
 * a signal, end, bind-failed, overlap or orphans. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { FOREVER = -1 };

static const char *name = "fake", *file, *lives = "", *lock;
static int code = 1, by_signal, stop_delay, stop_code, port, orphans;
static int told[2] = {-1, -1}; /* by which a child says that it is ready for signals */
static bool ignore_term, child, deaf_child, group_child, setsid_child, daemonise;

static long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void note(const char *what)
{
	char line[256];
	int size = snprintf(line, sizeof(line), "%ld %s %d %s\n", now(), name, (int)getpid(), what);
	int fd = file ? open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666) : -1;

	if (fd >= 0 && write(fd, line, (size_t)size) != size)
		_exit(99);
	if (fd >= 0)
		close(fd);
}

static void end(int status)
{
	note("end");
	_exit(status);
}

/* Which life this is, from 0. */
static int count_lives(void)
{
	FILE *in = file ? fopen(file, "re") : NULL;
	char who[128], what[64];
	int count = 0;

	while (in && fscanf(in, "%*d %127s %*d %63s", who, what) == 2)
		count += !strcmp(who, name) && !strcmp(what, "start");
	if (in)
		fclose(in);
	return count;
}

static long time_of_life(int life)
{
	const char *at = lives;

	for (; life > 0 && at; life--)
		at = (at = strchr(at, ',')) ? at + 1 : NULL;
	return at && *at && *at != '-' ? strtol(at, NULL, 10) : FOREVER;
}

static void listen_on(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
	    .sin_port = htons((unsigned short)port),
	    .sin_addr.s_addr = htonl(INADDR_ANY)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (port && (bind(fd, (void *)&address, sizeof(address)) || listen(fd, 5)))
		note("bind-failed");
}

static void make_orphans(void)
{
	for (int i = 0; i < orphans; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			if (fork() == 0)
				_exit(7);
			_exit(0);
		}
		waitpid(pid, NULL, 0);
	}
	note("orphans");
}

static void live(long ms)
{
	static const int known[] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2};
	bool stopping = false;
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		sigaddset(&set, known[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	note("start");
	long until = ms == FOREVER ? 0 : now() + ms; /* so long after what was noted at least */
	if (told[1] >= 0)
		close(told[1]);
	for (;;) {
		long left = until ? until - now() : 3600000;
		struct timespec wait = {left / 1000, left % 1000 * 1000000};
		char what[32];
		int sig = left > 0 ? sigtimedwait(&set, NULL, &wait) : -1;

		if (sig > 0) {
			snprintf(what, sizeof(what), "%s", sigabbrev_np(sig));
			note(what);
		}
		if (sig == SIGUSR1)
			make_orphans();
		if (sig == SIGTERM && !ignore_term && !stopping) {
			stopping = true;
			until = now() + stop_delay;
		}
		if (!until || now() < until)
			continue;
		if (!stopping && by_signal) {
			note("end");
			signal(by_signal, SIG_DFL);
			raise(by_signal);
		}
		end(stopping ? stop_code : code);
	}
}

/* fork(2); the parent goes on when the child has started. */
static pid_t fork_and_wait(void)
{
	pid_t pid = pipe(told) ? -1 : fork();
	char byte;

	if (pid) {
		close(told[1]);
		told[1] = -1;
		if (read(told[0], &byte, 1) < 0)
			_exit(97);
	}
	close(told[0]);
	return pid;
}

static void make_child(void)
{
	static char child_name[128];
	bool with_port = port != 0;

	if (fork_and_wait()) {
		port = 0;
		return;
	}
	if (group_child)
		setpgid(0, 0);
	if (setsid_child)
		setsid();
	snprintf(child_name, sizeof(child_name), "%s.child", name);
	name = child_name;
	ignore_term |= deaf_child;
	if (with_port)
		listen_on();
	live(FOREVER);
}

static void spoil(char **command)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGTTIN);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGTTOU, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_IGN);
	execvp(command[0], command);
	_exit(127);
}

static bool flag(const char *word)
{
	return !strcmp(word, "--ignore-term")    ? (ignore_term = true)
	       : !strcmp(word, "--fork-child")   ? (child = true)
	       : !strcmp(word, "--deaf-child")   ? (child = deaf_child = true)
	       : !strcmp(word, "--group-child")  ? (child = group_child = true)
	       : !strcmp(word, "--setsid-child") ? (child = setsid_child = true)
	       : !strcmp(word, "--daemon")       ? (daemonise = true)
						 : false;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *word, **text;
		int *number;
	} options[] = {{"--name", &name, NULL}, {"--write", &file, NULL}, {"--lives", &lives, NULL},
	    {"--lock", &lock, NULL}, {"--code", NULL, &code}, {"--signal", NULL, &by_signal},
	    {"--stop-delay", NULL, &stop_delay}, {"--stop-code", NULL, &stop_code},
	    {"--listen", NULL, &port}, {"--orphans", NULL, &orphans}};

	for (int i = 1; i < argc; i++) {
		size_t k = 0;

		if (!strcmp(argv[i], "--spoil"))
			spoil(argv + i + 1);
		if (flag(argv[i]))
			continue;
		while (k < sizeof(options) / sizeof(options[0]) && strcmp(options[k].word, argv[i]))
			k++;
		if (k == sizeof(options) / sizeof(options[0]) || ++i == argc)
			return 98;
		if (options[k].text)
			*options[k].text = argv[i];
		else
			*options[k].number = atoi(argv[i]);
	}
	if (lock && flock(open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0666), LOCK_EX | LOCK_NB))
		note("overlap");
	long ms = time_of_life(count_lives());
	if (daemonise && fork_and_wait())
		end(0);
	if (child)
		make_child();
	if (port)
		listen_on();
	live(ms);
}
