#include "reaper/wrapper_impl.h"

#include "init/base.h"
#include "reaper/exec.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum level { LEVEL_ERROR, LEVEL_WARNING, LEVEL_INFO, LEVEL_DEBUG };

/* How many -v each level needs: the columns of sinit, tini (which starts with one) and
 * dumb-init (which knows only one). */
static const uint8_t needed[][3] = {
    [LEVEL_ERROR] = {0, 0, 0},
    [LEVEL_WARNING] = {0, 1, 1},
    [LEVEL_INFO] = {1, 2, 1},
    [LEVEL_DEBUG] = {2, 3, 1},
};

static bool is_wanted(const struct wrapper *wrapper, enum level level)
{
	return wrapper->options->verbosity >= needed[level][wrapper->options->personality];
}

/* One line on standard error. Never waits long: a full pipe that nobody reads must not
 * stop PID 1. SIGPIPE is blocked, and our own is not forwarded. */
static void say(const struct wrapper *wrapper, enum level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void say(const struct wrapper *wrapper, enum level level, const char *format, ...)
{
	static const char levels[][6] = {"FATAL", "WARN ", "INFO ", "DEBUG"};
	char line[512];
	char message[480];
	struct text text;
	struct pollfd fd = {.fd = STDERR_FILENO, .events = POLLOUT};
	va_list arguments;

	if (!is_wanted(wrapper, level))
		return;
	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	text_init(&text, line, sizeof(line));
	switch ((enum personality)wrapper->options->personality) {
	case PERSONALITY_SINIT:
		text_add(&text, "sinit: ");
		break;
	case PERSONALITY_TINI:
		text_addf(&text, "[%s tini (%d)] ", levels[level], (int)wrapper->self);
		break;
	case PERSONALITY_DUMB_INIT:
		text_add(&text, "[dumb-init] ");
		break;
	}
	text_addf(&text, "%s\n", message);
	if (poll(&fd, 1, level == LEVEL_ERROR ? 1000 : 0) == 1 && (fd.revents & POLLOUT)) {
		ssize_t written = write(STDERR_FILENO, text.data, text.used);
		(void)written; /* nowhere to complain */
	}
}

static bool is_dumb_init(const struct wrapper *wrapper)
{
	return wrapper->options->personality == PERSONALITY_DUMB_INIT;
}

void tell_started(const struct wrapper *wrapper)
{
	if (is_dumb_init(wrapper) && wrapper->options->new_session)
		say(wrapper, LEVEL_INFO, "setsid complete.");
	if (is_dumb_init(wrapper))
		say(wrapper, LEVEL_INFO, "Child spawned with PID %d.", (int)wrapper->main);
	else
		say(wrapper, LEVEL_INFO, "started %s as process %d", wrapper->argv[0],
		    (int)wrapper->main);
}

void tell_received(const struct wrapper *wrapper, int signal)
{
	char name[SIGNAL_NAME_SIZE];

	if (!is_wanted(wrapper, LEVEL_DEBUG))
		return;
	if (is_dumb_init(wrapper))
		say(wrapper, LEVEL_DEBUG, "Received signal %d.", signal);
	else
		say(wrapper, LEVEL_DEBUG, "Received %s", signal_name(signal, name));
}

void tell_skipped(const struct wrapper *wrapper, int signal)
{
	say(wrapper, LEVEL_DEBUG, "Ignoring tty hand-off signal %d.", signal);
}

void tell_forwarded(const struct wrapper *wrapper, int signal, int as, int error)
{
	char name[SIGNAL_NAME_SIZE];
	char new_name[SIGNAL_NAME_SIZE];

	if (error) {
		say(wrapper, LEVEL_WARNING, "cannot forward %s: %s", signal_name(as, name),
		    strerror(-error));
		return;
	}
	if (!is_wanted(wrapper, LEVEL_DEBUG))
		return;
	if (is_dumb_init(wrapper) && as != signal)
		say(wrapper, LEVEL_DEBUG, "Translating signal %d to %d.", signal, as);
	if (is_dumb_init(wrapper) && as != 0)
		say(wrapper, LEVEL_DEBUG, "Forwarded signal %d to children.", as);
	else if (is_dumb_init(wrapper))
		say(wrapper, LEVEL_DEBUG, "Not forwarding signal %d to children (ignored).", as);
	else if (as != 0)
		say(wrapper, LEVEL_DEBUG, "forwarded %s as %s", signal_name(signal, name),
		    signal_name(as, new_name));
	else
		say(wrapper, LEVEL_DEBUG, "%s is not forwarded", signal_name(signal, name));
}

void tell_suspending(const struct wrapper *wrapper)
{
	say(wrapper, LEVEL_DEBUG, "Suspending self due to TTY signal.");
}

void tell_detached(const struct wrapper *wrapper, int error, bool leader)
{
	if (error)
		say(wrapper, LEVEL_DEBUG, "Unable to detach from controlling tty (errno=%d %s).",
		    -error, strerror(-error));
	else
		say(wrapper, LEVEL_DEBUG, "Detached from controlling tty%s.",
		    leader ? ", ignoring the first SIGHUP and SIGCONT"
			   : ", but was not session leader");
}

void tell_reaped(const struct wrapper *wrapper, const struct death *death)
{
	char buffer[64];
	struct text text;
	bool other = death->pid != wrapper->main;

	/* tini's words: they are looked for in logs. */
	if (other && wrapper->options->warn_on_reap)
		say(wrapper, LEVEL_WARNING, "Reaped zombie process with pid=%d", (int)death->pid);
	if (!is_wanted(wrapper, other ? LEVEL_DEBUG : LEVEL_INFO))
		return;
	if (is_dumb_init(wrapper) && death->status.kind == EXIT_EXITED) {
		say(wrapper, LEVEL_INFO, "A child with PID %d exited with exit status %d.",
		    (int)death->pid, death->status.code);
	} else if (is_dumb_init(wrapper)) {
		say(wrapper, LEVEL_INFO, "A child with PID %d was terminated by signal %d.",
		    (int)death->pid, death->status.code);
	} else {
		text_init(&text, buffer, sizeof(buffer));
		exit_status_text(&death->status, &text);
		say(wrapper, LEVEL_INFO, "%s%s %d %s", other ? "" : wrapper->argv[0],
		    other ? "process" : ", process", (int)death->pid, text.data);
	}
}

void tell_goodbye(const struct wrapper *wrapper, int code)
{
	if (is_dumb_init(wrapper))
		say(wrapper, LEVEL_INFO, "Child exited with status %d. Goodbye.", code);
}

void tell_grace(const struct wrapper *wrapper)
{
	say(wrapper, LEVEL_INFO,
	    "%s has ended and left processes running: they get TERM and %u ms to end",
	    wrapper->argv[0], wrapper->options->grace_ms);
}

void tell_killed(const struct wrapper *wrapper)
{
	say(wrapper, LEVEL_WARNING,
	    "processes that %s left running did not end within %u ms of TERM and are killed "
	    "(--grace sets the time)",
	    wrapper->argv[0], wrapper->options->grace_ms);
}

void tell_no_reaping(const struct wrapper *wrapper)
{
	say(wrapper, LEVEL_WARNING,
	    "neither PID 1 nor a subreaper: orphans go elsewhere and zombie reaping won't work; "
	    "use -s or set TINI_SUBREAPER");
}

void tell_exec_failure(const struct wrapper *wrapper, const struct exec_failure *failure)
{
	char buffer[480];
	struct text text;

	text_init(&text, buffer, sizeof(buffer));
	if (is_dumb_init(wrapper)) /* its form; what it says less is not asked for there */
		text_addf(&text, "%s: %s", wrapper->argv[0], strerror(failure->error));
	else
		exec_failure_text(failure, wrapper->argv[0], &text);
	say(wrapper, LEVEL_ERROR, "%s", text.data);
}

void tell_no_process(const struct wrapper *wrapper, int error)
{
	say(wrapper, LEVEL_ERROR,
	    "no process can be made for %s: %s; look at the pids and memory limits",
	    wrapper->argv[0], strerror(-error));
}
