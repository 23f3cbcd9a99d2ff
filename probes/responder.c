/* The responder: answers HTTP from the board. See probes/helper.h for what it is given. */
#include "init/base.h"
#include "init/raw_syscall.h"
#include "probes/confine.h"
#include "probes/drop.h"
#include "probes/helper.h"
#include "probes/server.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	MORE_FILES = 4, /* epoll's; and one that is accepted only to be turned away */
};

/* PID 1 reads what comes by standard error, line by line. */
static int fail(const char *what, int error)
{
	char buffer[256];
	struct text text;

	text_init(&text, buffer, sizeof(buffer));
	text_addf(&text, "responder: %s: %s\n", what, strerror(-error));
	ssize_t count = write(STDERR_FILENO, text.data, text.used);
	(void)count;
	return EXIT_CODE_INTERNAL;
}

/* Without probes there are none, which is no error. */
static void map_stats(struct site *site)
{
	struct stat info;

	if (fstat(HELPER_STATS, &info) < 0 || info.st_size < (off_t)sizeof(struct probe_stats))
		return;
	void *memory = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_SHARED, HELPER_STATS, 0);
	if (memory == MAP_FAILED)
		return;
	site->stats = memory;
	site->stats_count = (size_t)info.st_size / sizeof(struct probe_stats);
}

/* No more descriptors than the table can hold, whatever goes wrong in it. */
static void limit_files(unsigned sockets)
{
	uint64_t most = HELPER_SOCKETS + sockets + SERVER_CONNECTIONS + MORE_FILES;
	struct {
		uint64_t soft, hard;
	} limit; /* of prlimit(2) */

	/* Not by the C library, which would bring along the means to tell other threads. */
	if (raw_syscall4(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, (long)&limit) < 0)
		return;
	if (limit.hard > most)
		limit.hard = most;
	limit.soft = limit.hard;
	raw_syscall4(SYS_prlimit64, 0, RLIMIT_NOFILE, (long)&limit, 0);
}

static int read_arguments(char **argv, struct site *site, uint32_t *ret_sockets)
{
	if (!argv[1] || !argv[2] || !argv[3] || parse_u32(argv[1], ret_sockets) != 0 ||
	    *ret_sockets > SERVER_SOCKETS)
		return -EINVAL;
	site->dashboard = strcmp(argv[2], "dashboard") == 0;
	site->control = strcmp(argv[3], "control") == 0;
	return 0;
}

int responder_main(char **argv)
{
	static struct server server;
	uint32_t sockets;

	int error = read_arguments(argv, &server.site, &sockets);
	if (error)
		return fail("arguments", error);
	signal(SIGPIPE, SIG_IGN);
	prctl(PR_SET_NAME, "sinit-responder");
	error = board_map(&server.site.board, HELPER_BOARD);
	if (error)
		return fail("board", error);
	map_stats(&server.site);
	limit_files(sockets);
	error = server_init(&server, HELPER_CHANNEL, HELPER_SOCKETS, sockets);
	if (error)
		return fail("sockets", error);
	error = drop_privileges();
	if (error)
		return fail("giving up privileges", error);
	/* A kernel without seccomp is no reason to tell nobody how things are. */
	confine_calls();
	while (server_turn(&server))
		;
	return EXIT_CODE_OK;
}
