/* The birth of a helper: sinit's own program once more, with the descriptors that it is to have. */
#include "init/helper_run.h"

#include "init/fds.h"
#include "init/raw_syscall.h"
#include "init/sinit.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static const char *const names[HELPER_KINDS] = {HELPER_NAME_PROBER, HELPER_NAME_RESPONDER,
    HELPER_NAME_ALERTER, HELPER_NAME_DEVICES, HELPER_NAME_LOGGER};

struct birth {
	struct sinit *sinit;
	enum helper_kind kind;
	int channel;
	int orders; /* of the devices helper and the logger, -1: none */
};

/* A descriptor of the same file that can only be read; the prober alone writes its numbers. */
static int read_only(int fd)
{
	int again = fds_open_again(fd, O_RDONLY);

	return again >= 0 ? again : fd;
}

/* In the child. The descriptors take the places that enum helper_fd says. */
static void place_files(const struct birth *birth)
{
	const struct helpers *h = &birth->sinit->helpers;
	int board = birth->sinit->supervisor.board.fd;
	unsigned sockets = birth->kind == HELPER_RESPONDER ? h->sockets : 0;
	int from[HELPER_SOCKETS - HELPER_CHANNEL + HELPER_LISTEN_MAX];
	unsigned count = 0;

	from[count++] = birth->channel;
	if (birth->orders >= 0) {
		from[count++] = birth->orders;
		if (birth->kind == HELPER_LOGGER)
			from[count++] = birth->sinit->supervisor.store_fd;
		if (birth->kind == HELPER_LOGGER)
			from[count++] = board < 0 ? -1 : read_only(board);
	} else {
		from[count++] = birth->kind == HELPER_PROBER || board < 0 ? -1 : read_only(board);
		from[count++] = birth->kind == HELPER_PROBER || h->stats_fd < 0
				    ? h->stats_fd
				    : read_only(h->stats_fd);
	}
	for (unsigned i = 0; i < sockets; i++)
		from[count++] = h->listening[i];
	for (unsigned i = 0; i < count; i++)
		from[i] = from[i] < 0 ? -1 : fds_copy_up(from[i]);
	for (unsigned i = 0; i < count; i++) {
		if (from[i] >= 0)
			dup2(from[i], HELPER_CHANNEL + (int)i);
		else
			close(HELPER_CHANNEL + (int)i);
	}
	/* Not the program: that closes by itself. */
	raw_syscall3(SYS_close_range, (long)HELPER_CHANNEL + (long)count, FDS_RESERVED - 1, 0);
}

static int child(void *context)
{
	const struct birth *birth = context;
	const struct helpers *h = &birth->sinit->helpers;
	int program = fds_copy_up(h->program);
	char sockets[12];
	char *const argv[] = {(char *)(uintptr_t)names[birth->kind], sockets,
	    (char *)(uintptr_t)(h->dashboard ? "dashboard" : "no-dashboard"),
	    (char *)(uintptr_t)(h->control ? "control" : "no-control"), NULL};
	char *const alone[] = {argv[0], NULL};

	snprintf(sockets, sizeof(sockets), "%u", h->sockets);
	setsid();
	place_files(birth);
	if (birth->kind == HELPER_LOGGER)
		helpers_logger_files(birth->sinit);
	raw_syscall6(SYS_execveat, program, (long)"",
	    (long)(birth->kind == HELPER_RESPONDER ? argv : alone),
	    (long)birth->sinit->supervisor.environ, AT_EMPTY_PATH, 0);
	return EXIT_CODE_INTERNAL;
}

pid_t helpers_birth(struct sinit *sinit, enum helper_kind kind, int channel, int orders)
{
	struct birth birth = {.sinit = sinit, .kind = kind, .channel = channel, .orders = orders};

	return platform_fork(child, &birth);
}
