#include "init/fds.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

void fds_fill_standard(void)
{
	struct pollfd fds[3] = {{.fd = 0}, {.fd = 1}, {.fd = 2}};

	/* poll(2) says POLLNVAL of a descriptor that is not open. */
	if (poll(fds, 3, 0) == 0)
		return;
	for (int fd = 0; fd < 3; fd++) {
		if (!(fds[fd].revents & POLLNVAL))
			continue;
		/* The lowest free number is given out (open(2)): it is `fd`. */
		if (open("/dev/null", O_RDWR) < 0 && open("/", O_RDONLY | O_DIRECTORY) < 0)
			return;
	}
}

int fds_write_all(int fd, const void *bytes, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t count = write(fd, (const char *)bytes + done, size - done);

		if (count == 0)
			return -ENOSPC;
		if (count < 0 && errno != EINTR)
			return -errno;
		if (count > 0)
			done += (size_t)count;
	}
	return 0;
}

int fds_open_again(int fd, int flags)
{
	char path[32];
	int again;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, flags | O_CLOEXEC);
	return again < 0 ? -errno : again;
}

int fds_copy_up(int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, FDS_RESERVED);

	return copy < 0 ? -errno : copy;
}
