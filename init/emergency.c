/* When sinit itself is broken, or cannot begin: a shell on the console, and nothing else. */
#include "init/base.h"
#include "init/boot.h"
#include "init/console.h"
#include "init/errand.h"
#include "init/log.h"
#include "init/mounts.h"
#include "init/path.h"
#include "reaper/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

enum {
	STACK = 16384, /* bytes for the handler: the ordinary stack may be what is broken */
	PAUSE = 2000,  /* ms before the shell is started again where it cannot be */
	GRACE = 5000,  /* ms between the TERM and the KILL of everything */
	LAST_KILL = 2000,
	END_LIMIT = 30000, /* ms without any progress, while all is written back and unmounted */
};

/* A handler of signals has nothing but what is static: the program that is the shell. */
static char shell_path[256] = "/bin/sh";

static const int crashes[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS};

void emergency_shell(const char *path)
{
	if (path && strlen(path) < sizeof(shell_path))
		strcpy(shell_path, path);
}

/* Only calls that a handler may make, signal-safety(7). */
_Noreturn void emergency_enter(const char *reason)
{
	char *words[] = {(char[]){EMERGENCY_NAME}, (char *)reason, shell_path, NULL};

	execve("/proc/self/exe", words, environ);
	execve("/sbin/sinit", words, environ);
	execve("/init", words, environ);
	static const char line[] =
	    "sinit: its own program cannot be executed: the machine stands still\n";
	if (write(STDERR_FILENO, line, sizeof(line) - 1) < 0)
		_exit(EXIT_CODE_INTERNAL); /* not reached in practice; there is nobody to tell */
	reboot((int)RB_ENABLE_CAD);        /* so that ctrl-alt-del does something */
	for (;;)
		pause();
}

static void crashed(int signal, siginfo_t *info, void *context)
{
	char buffer[128], name[SIGNAL_NAME_SIZE];
	struct text reason;

	(void)context;
	/* Into a buffer of our own: the C library takes no lock for that. */
	text_init(&reason, buffer, sizeof(buffer));
	text_add(&reason, "it has crashed: ");
	text_add(&reason, signal_name(signal, name));
	if (info->si_code <= 0)
		text_addf(&reason, ", sent by process %d", (int)info->si_pid);
	else
		text_addf(&reason, " at address %p", info->si_addr);
	emergency_enter(buffer);
}

void emergency_spare(sigset_t *set)
{
	for (size_t i = 0; i < ARRAY_LEN(crashes); i++)
		sigdelset(set, crashes[i]);
}

void emergency_catch_crashes(void)
{
	static char stack[STACK];
	struct sigaction action = {
	    .sa_sigaction = crashed, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
	sigset_t set;

	sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = sizeof(stack)}, NULL);
	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_LEN(crashes); i++) {
		sigaction(crashes[i], &action, NULL);
		sigaddset(&set, crashes[i]);
	}
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

/* --- The shell --------------------------------------------------------------------------- */

static void child_shell(void)
{
	sigset_t none;

	setsid();
	for (size_t i = 0; i < ARRAY_LEN(crashes); i++)
		signal(crashes[i], SIG_DFL);
	/* Whoever had the terminal is not to read what is typed here (ioctl_tty(2)). */
	console_drain();
	ioctl(STDIN_FILENO, TIOCVHANGUP);
	console_open();
	ioctl(STDIN_FILENO, TIOCSCTTY, 1);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execl(shell_path, shell_path, (char *)NULL);
	dprintf(STDERR_FILENO, "sinit: %s: %s\n", shell_path, strerror(errno));
	_exit(EXIT_CODE_NOT_FOUND);
}

static pid_t start_shell(void)
{
	pid_t pid = fork();

	if (pid == 0)
		child_shell();
	return pid;
}

/* Reaps until there is nobody left, or the time is up. */
static void wait_for_all(const sigset_t *set, int ms)
{
	struct timespec step = {.tv_nsec = 50 * 1000000};

	for (int waited = 0; waited < ms; waited += 50) {
		pid_t pid;

		while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
			;
		if (pid < 0)
			return;
		sigtimedwait(set, NULL, &step);
	}
}

static void end_processes(const sigset_t *set)
{
	kill(-1, SIGTERM);
	kill(-1, SIGCONT);
	wait_for_all(set, GRACE);
	kill(-1, SIGKILL);
	wait_for_all(set, LAST_KILL);
}

static void tell(void *context, enum log_level level, const char *line)
{
	(void)context;
	if (level >= LOG_LEVEL_WARNING)
		log_warning(NULL, "%s", line);
	log_flush();
}

static int write_back(void *context)
{
	(void)context;
	return mounts_end(&(struct report){.tell = tell}) != 0;
}

static _Noreturn void end_machine(const sigset_t *set, enum machine_end end)
{
	end_processes(set);
	if (errand_run(NULL, &(struct errand){write_back, NULL, END_LIMIT, true}) < 0)
		log_error(NULL, "not everything could be written back");
	machine_end_now(end);
}

/* The shell has ended (true), or could not be had. */
static bool shell_is_over(pid_t shell)
{
	bool over = false;
	pid_t pid;
	int status = 0;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		over |= pid == shell;
	return over;
}

static void begin_again(const sigset_t *set)
{
	log_info(NULL, "the shell has ended: ending all processes, and beginning again");
	log_flush();
	end_processes(set);
	execve("/proc/self/exe", (char *[]){(char[]){"sinit"}, NULL}, environ);
	log_error(NULL, "cannot begin again: %s", strerror(errno));
}

/* Whoever repairs something wants to know how long. (Where the kernel tells, WATCHDOG_SYSFS.) */
static bool has_watchdog(void)
{
	char state[8] = "";

	return path_read_text("/sys/class/watchdog/watchdog0/state", state, sizeof(state)) == 0 &&
	       strncmp(state, "active", 6) == 0;
}

int emergency_main(char **argv)
{
	const char *reason = argv[1] ? argv[1] : "no reason was given";
	siginfo_t info;
	sigset_t set;

	if (getpid() != 1)
		return EXIT_CODE_INTERNAL;
	prctl(PR_SET_NAME, "sinit"); /* and not exe, which was executed */
	emergency_shell(argv[1] ? argv[2] : NULL);
	sigfillset(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	emergency_catch_crashes();
	emergency_spare(&set);
	for (;;) {
		console_open();
		log_error(NULL, "%s", reason);
		log_error(NULL,
		    "emergency shell: end it (exit) to begin again; kill -TERM 1 restarts the "
		    "machine, kill -USR2 1 switches it off");
		if (has_watchdog())
			log_error(NULL, "a watchdog is running, which nobody feeds now: it will "
					"reset the machine");
		log_flush();
		pid_t shell = start_shell();
		bool over = shell < 0;
		while (!over) {
			int signal = sigwaitinfo(&set, &info);
			enum machine_end end =
			    signal > 0 ? machine_end_of_signal(signal) : END_NONE;
			if (end != END_NONE)
				end_machine(&set, end);
			over = shell_is_over(shell);
		}
		sigtimedwait(&set, NULL, &(struct timespec){.tv_sec = PAUSE / 1000});
		begin_again(&set);
	}
}
