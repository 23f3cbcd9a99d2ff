#include "ctl/screen.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

bool screen_can(int fd)
{
	const char *term = getenv("TERM");

	return isatty(fd) && term && *term && strcmp(term, "dumb") != 0;
}

static void put(const struct screen *screen, const char *sequence)
{
	/* A terminal that takes nothing any more needs no putting right. */
	ssize_t count = write(screen->fd, sequence, strlen(sequence));
	(void)count;
}

/* Control sequences of xterm and all that are like it: the alternate screen, the cursor. */
static void begin(struct screen *screen)
{
	screen->keys = screen->typed = tcgetattr(STDIN_FILENO, &screen->settings) == 0;
	if (screen->typed) {
		struct termios settings = screen->settings;

		/* Ctrl-C stays a signal. */
		settings.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
		settings.c_cc[VMIN] = 1;
		settings.c_cc[VTIME] = 0;
		tcsetattr(STDIN_FILENO, TCSANOW, &settings);
	}
	put(screen, "\033[?1049h\033[?25l\033[H\033[2J");
}

static void end(struct screen *screen)
{
	put(screen, "\033[?25h\033[?1049l");
	if (screen->typed)
		tcsetattr(STDIN_FILENO, TCSANOW, &screen->settings);
}

int screen_enter(struct screen *screen, int fd)
{
	static const int held[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGWINCH};
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(held) / sizeof(held[0]); i++)
		sigaddset(&set, held[i]);
	screen->fd = fd;
	screen->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (screen->signals < 0)
		return -errno;
	sigprocmask(SIG_BLOCK, &set, &screen->mask);
	begin(screen);
	return 0;
}

void screen_leave(struct screen *screen)
{
	end(screen);
	close(screen->signals); /* what it has not told of comes now */
	sigprocmask(SIG_SETMASK, &screen->mask, NULL);
}

static enum screen_event on_signal(struct screen *screen)
{
	struct signalfd_siginfo info;

	if (read(screen->signals, &info, sizeof(info)) != sizeof(info))
		return SCREEN_TIME;
	if (info.ssi_signo == SIGTSTP) {
		end(screen);
		raise(SIGSTOP);
		begin(screen);
	}
	return info.ssi_signo == SIGTSTP || info.ssi_signo == SIGWINCH ? SCREEN_CHANGE
								       : SCREEN_QUIT;
}

static enum screen_event on_key(struct screen *screen)
{
	char key;
	ssize_t count = read(STDIN_FILENO, &key, 1);

	if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR))
		screen->keys = false; /* nobody types there any more */
	return count > 0 && (key == 'q' || key == 'Q') ? SCREEN_QUIT : SCREEN_CHANGE;
}

enum screen_event screen_wait(struct screen *screen, int64_t ms)
{
	struct pollfd fds[] = {{.fd = screen->signals, .events = POLLIN},
	    {.fd = screen->keys ? STDIN_FILENO : -1, .events = POLLIN}};

	int count = poll(fds, 2, ms > 0 ? (int)ms : 0);
	if (count > 0 && fds[0].revents)
		return on_signal(screen);
	if (count > 0 && fds[1].revents)
		return on_key(screen);
	return SCREEN_TIME;
}

void screen_size(const struct screen *screen, unsigned *ret_rows, unsigned *ret_columns)
{
	struct winsize size = {0};

	ioctl(screen->fd, TIOCGWINSZ, &size);
	*ret_rows = size.ws_row ? size.ws_row : 24;
	*ret_columns = size.ws_col ? size.ws_col : 80;
}
