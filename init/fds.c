#include "init/fds.h"

#include <fcntl.h>
#include <poll.h>
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
