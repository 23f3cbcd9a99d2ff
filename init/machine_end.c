#include "init/machine_end.h"

#include "init/base.h"
#include "init/console.h"
#include "init/log.h"
#include "init/path.h"
#include "reaper/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef RB_KEXEC
#define RB_KEXEC 0x45584543 /* LINUX_REBOOT_CMD_KEXEC of linux/reboot.h */
#endif

static const struct {
	uint8_t signal;
	uint8_t end;
} signals[] = {
    {SIGINT, END_REBOOT},
    {SIGTERM, END_REBOOT},
    {SIGUSR1, END_HALT},
    {SIGUSR2, END_POWEROFF},
    {SIGPWR, END_POWEROFF},
    {SIGQUIT, END_POWEROFF},
    {SIGNAL_RTMIN + 3, END_HALT},
    {SIGNAL_RTMIN + 4, END_POWEROFF},
    {SIGNAL_RTMIN + 5, END_REBOOT},
    {SIGNAL_RTMIN + 6, END_KEXEC},
};

static const struct {
	const char *verb;
	enum machine_end end;
} verbs[] = {
    {"reboot", END_REBOOT},
    {"poweroff", END_POWEROFF},
    {"shutdown", END_POWEROFF},
    {"halt", END_HALT},
    {"kexec", END_KEXEC},
};

static const struct {
	const char *doing;
	unsigned command;         /* of reboot(2) */
	enum machine_end instead; /* where the kernel refuses */
} ends[] = {
    [END_NONE] = {"standing still", RB_HALT_SYSTEM, END_NONE},
    [END_REBOOT] = {"rebooting", RB_AUTOBOOT, END_NONE},
    [END_POWEROFF] = {"switching off", RB_POWER_OFF, END_HALT},
    [END_HALT] = {"halting", RB_HALT_SYSTEM, END_NONE},
    [END_KEXEC] = {"starting the loaded kernel", RB_KEXEC, END_REBOOT},
};

enum machine_end machine_end_of_signal(int signal)
{
	for (size_t i = 0; i < ARRAY_LEN(signals); i++)
		if (signals[i].signal == signal)
			return (enum machine_end)signals[i].end;
	return END_NONE;
}

enum machine_end machine_end_of_verb(const char *verb)
{
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		if (!strcmp(verbs[i].verb, verb))
			return verbs[i].end;
	return END_NONE;
}

bool machine_end_has_kexec(void)
{
	char loaded[2] = "";

	return path_read_text("/sys/kernel/kexec_loaded", loaded, sizeof(loaded)) == 0 &&
	       loaded[0] == '1';
}

int machine_end_catch_keys(void)
{
	return reboot(RB_DISABLE_CAD) < 0 ? -errno : 0;
}

/* 0: it came back; errno: it was refused. */
static int try(enum machine_end end)
{
	pid_t pid = fork();
	int status;

	if (pid < 0) /* better so than not at all */
		return reboot((int)ends[end].command) < 0 ? errno : 0;
	if (pid == 0)
		_exit(reboot((int)ends[end].command) < 0 ? errno : 0);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 0;
}

void machine_end_now(enum machine_end end)
{
	while (end != END_NONE) {
		log_info(NULL, "%s", ends[end].doing);
		log_flush();
		console_drain();
		int error = try(end);
		log_error(NULL, "%s: the kernel did not do it%s%s", ends[end].doing,
		    error ? ": " : "", error ? strerror(error) : "");
		end = ends[end].instead;
	}
	log_error(NULL, "the machine stands still: switch it off or reset it");
	log_flush();
	for (;;) {
		waitpid(-1, NULL, 0);
		sleep(1); /* no children is the rule here */
	}
}
