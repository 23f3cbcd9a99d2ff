/* One check in a process of its own, with the rights of the service's user: which one, and
 * how PID 1 gets to know what came of it. */
#include "probes/checker.h"

#include "init/base.h"

#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static char thief[CHECKER_NAME];

static void tell_detail(const char *path, int32_t detail)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t length = strlen(path);
	char text[64];

	if (length < 2 || length >= sizeof(address.sun_path))
		return;
	memcpy(address.sun_path, path, length + 1);
	socklen_t size = sizeof(address);
	if (path[0] == '@') { /* an abstract name, as systemd writes it */
		address.sun_path[0] = '\0';
		size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
	}
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int used = snprintf(text, sizeof(text), "SINIT_DETAIL=%d%s%s", (int)detail,
	    *thief ? "\nSINIT_THIEF=" : "", thief);
	sendto(
	    fd, text, (size_t)used, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&address, size);
}

/* Each has its words behind the kind's; FAULT_INTERNAL if they make no sense. */
static struct probe_outcome run_unix(char **words)
{
	return unix_probe(words[0]);
}

static struct probe_outcome run_file(char **words)
{
	uint32_t max_age;

	if (!words[1] || parse_u32(words[1], &max_age))
		return (struct probe_outcome){FAULT_INTERNAL, 0};
	return file_probe(words[0], max_age);
}

static struct probe_outcome run_listen(char **words)
{
	uint32_t port, pid;

	if (!words[1] || !words[2] || parse_u32(words[1], &port) || port > UINT16_MAX ||
	    parse_u32(words[2], &pid) || pid < 1 || pid > INT_MAX)
		return (struct probe_outcome){FAULT_INTERNAL, 0};
	return listen_probe((uint16_t)port, strcmp(words[0], "udp") == 0, (pid_t)pid, thief);
}

static const struct {
	const char *kind;
	struct probe_outcome (*run)(char **words);
} kinds[] = {{"unix", run_unix}, {"file", run_file}, {"listen", run_listen}};

int checker_main(char **argv)
{
	struct probe_outcome outcome = {FAULT_INTERNAL, 0};

	if (!argv[1] || !argv[2] || !argv[3])
		return CHECKER_FAULT + FAULT_INTERNAL;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (strcmp(argv[2], kinds[i].kind) == 0)
			outcome = kinds[i].run(argv + 3);
	if (outcome.detail)
		tell_detail(argv[1], outcome.detail);
	return outcome.fault == FAULT_NONE ? EXIT_CODE_OK : CHECKER_FAULT + (int)outcome.fault;
}
