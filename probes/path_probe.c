/* The checks of a path: a file, a unix socket. */
#include "probes/checker.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

enum { SECOND = 1000 }; /* ms */

/* ms since the last change; a change in the future (a clock set back) was just now. */
static int64_t age_of(const struct stat *status)
{
	struct timespec now;
	int64_t age;

	/* Files are stamped by the wall clock. */
	clock_gettime(CLOCK_REALTIME, &now);
	age = ((int64_t)now.tv_sec - status->st_mtim.tv_sec) * SECOND +
	      (now.tv_nsec - status->st_mtim.tv_nsec) / 1000000;
	return age > 0 ? age : 0;
}

struct probe_outcome file_probe(const char *path, uint32_t max_age)
{
	struct stat status;
	int64_t age;

	if (stat(path, &status) < 0)
		return (struct probe_outcome){FAULT_ABSENT, errno};
	age = age_of(&status);
	if (max_age == 0 || age <= max_age)
		return (struct probe_outcome){FAULT_NONE, 0};
	age /= SECOND;
	return (struct probe_outcome){FAULT_OLD, age < INT32_MAX ? (int32_t)age : INT32_MAX};
}

/* A queue that is full is waited for (unix(7)). */
struct probe_outcome unix_probe(const char *path)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return (struct probe_outcome){FAULT_INTERNAL, errno};
	if (strlen(path) >= sizeof(name.sun_path))
		return (struct probe_outcome){FAULT_CONNECT, ENAMETOOLONG};
	memcpy(name.sun_path, path, strlen(path));
	if (connect(fd, (const struct sockaddr *)&name, sizeof(name)) < 0)
		return (struct probe_outcome){FAULT_CONNECT, errno};
	return (struct probe_outcome){FAULT_NONE, 0};
}
