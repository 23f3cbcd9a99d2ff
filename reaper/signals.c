#include "reaper/signals.h"

#include "init/base.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#define NAME_SIZE 8

/* Arrays of characters, not of pointers: a table of pointers would be relocated at each
 * start and cost a dirty page. */
static const char names[][NAME_SIZE] = {
    [SIGHUP] = "HUP",
    [SIGINT] = "INT",
    [SIGQUIT] = "QUIT",
    [SIGILL] = "ILL",
    [SIGTRAP] = "TRAP",
    [SIGABRT] = "ABRT",
    [SIGBUS] = "BUS",
    [SIGFPE] = "FPE",
    [SIGKILL] = "KILL",
    [SIGUSR1] = "USR1",
    [SIGSEGV] = "SEGV",
    [SIGUSR2] = "USR2",
    [SIGPIPE] = "PIPE",
    [SIGALRM] = "ALRM",
    [SIGTERM] = "TERM",
#ifdef SIGSTKFLT
    [SIGSTKFLT] = "STKFLT",
#endif
    [SIGCHLD] = "CHLD",
    [SIGCONT] = "CONT",
    [SIGSTOP] = "STOP",
    [SIGTSTP] = "TSTP",
    [SIGTTIN] = "TTIN",
    [SIGTTOU] = "TTOU",
    [SIGURG] = "URG",
    [SIGXCPU] = "XCPU",
    [SIGXFSZ] = "XFSZ",
    [SIGVTALRM] = "VTALRM",
    [SIGPROF] = "PROF",
    [SIGWINCH] = "WINCH",
    [SIGIO] = "IO",
    [SIGPWR] = "PWR",
    [SIGSYS] = "SYS",
};

/* Second names, signal(7). */
static const struct {
	char name[NAME_SIZE];
	int signal;
} aliases[] = {
    {"IOT", SIGABRT},
    {"CLD", SIGCHLD},
    {"POLL", SIGIO},
};

/* "RTMIN", "RTMIN+3", "RTMAX-1": base plus or minus an offset that stays in the range. */
static int realtime_parse(const char *name, int *ret_signal)
{
	uint32_t offset = 0;
	int base = 0;

	if (strncasecmp(name, "RTMIN", 5) == 0)
		base = SIGNAL_RTMIN;
	else if (strncasecmp(name, "RTMAX", 5) == 0)
		base = SIGNAL_RTMAX;
	else
		return -EINVAL;
	name += 5;
	if (*name != '\0') {
		if (*name != (base == SIGNAL_RTMIN ? '+' : '-'))
			return -EINVAL;
		if (parse_u32(name + 1, &offset) != 0 || offset > SIGNAL_RTMAX - SIGNAL_RTMIN)
			return -EINVAL;
	}
	*ret_signal = base == SIGNAL_RTMIN ? base + (int)offset : base - (int)offset;
	return 0;
}

int signal_parse(const char *name, int *ret_signal)
{
	uint32_t number;

	if (parse_u32(name, &number) == 0) {
		if (number < 1 || number > SIGNAL_MAX)
			return -EINVAL;
		*ret_signal = (int)number;
		return 0;
	}
	if (strncasecmp(name, "SIG", 3) == 0)
		name += 3;
	if (*name == '\0')
		return -EINVAL;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcasecmp(name, names[i]) == 0) {
			*ret_signal = (int)i;
			return 0;
		}
	for (size_t i = 0; i < ARRAY_LEN(aliases); i++)
		if (strcasecmp(name, aliases[i].name) == 0) {
			*ret_signal = aliases[i].signal;
			return 0;
		}
	return realtime_parse(name, ret_signal);
}

const char *signal_name(int signal, char buffer[static SIGNAL_NAME_SIZE])
{
	struct text text;

	text_init(&text, buffer, SIGNAL_NAME_SIZE);
	if (signal > 0 && (size_t)signal < ARRAY_LEN(names) && names[signal][0] != '\0')
		text_addf(&text, "SIG%s", names[signal]);
	else if (signal == SIGNAL_RTMIN)
		text_add(&text, "SIGRTMIN");
	else if (signal > SIGNAL_RTMIN && signal <= SIGNAL_RTMAX)
		text_addf(&text, "SIGRTMIN+%d", signal - SIGNAL_RTMIN);
	else
		text_addf(&text, "%d", signal);
	return buffer;
}
