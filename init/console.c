#include "init/console.h"

#include "init/path.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum {
	NAME = 64,
	DRAIN = 2000,    /* ms for what was said to come out of the terminal */
	DRAIN_STEP = 10, /* ms */
};

static bool use(const char *path)
{
	int fd = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (fd < 0)
		return false;
	for (int target = 0; target <= 2; target++)
		dup2(fd, target);
	close(fd);
	return true;
}

/* The last one of the kernel's consoles is that of /dev/console (the kernel's
 * Documentation/ABI/testing/sysfs-tty). */
static bool use_active(void)
{
	char names[256], path[NAME + 8];

	if (path_read_text("/sys/class/tty/console/active", names, sizeof(names)) < 0)
		return false;
	names[strcspn(names, "\n")] = '\0';
	const char *blank = strrchr(names, ' '), *name = blank ? blank + 1 : names;
	return snprintf(path, sizeof(path), "/dev/%s", name) < (int)sizeof(path) && use(path);
}

/* Better than nothing: somebody may sit there and type. */
static void use_any(void)
{
	static const char *const paths[] = {
	    "/dev/tty0", "/dev/ttyS0", "/dev/ttyAMA0", "/dev/hvc0", "/dev/null"};

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		if (use(paths[i]))
			return;
}

bool console_open(void)
{
	if (isatty(0) && isatty(1) && isatty(2))
		return true;
	if (use(CONSOLE_PATH) || use_active())
		return true;
	use_any();
	return false;
}

void console_drain(void)
{
	int left = 0;

	for (int waited = 0; waited < DRAIN; waited += DRAIN_STEP) {
		if (ioctl(STDERR_FILENO, TIOCOUTQ, &left) < 0 || left == 0)
			break;
		nanosleep(&(struct timespec){.tv_nsec = DRAIN_STEP * 1000000}, NULL);
	}
	/* The rest is in the hardware: 64 bytes at 9600 baud. (tcdrain(3) has no limit, if somebody
	 * goes on writing.) */
	nanosleep(&(struct timespec){.tv_nsec = 70 * 1000000}, NULL);
}
