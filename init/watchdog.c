#include "init/watchdog.h"

#include "init/base.h"
#include "init/log.h"
#include "init/raw_syscall.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/watchdog.h>
#include <string.h>
#include <unistd.h>

enum {
	TRY_AGAIN = 5000, /* ms until a device that is not there is looked for again */
	PARTS = 3,        /* it is fed so many times in its timeout */
};

void watchdog_init(struct watchdog *watchdog, const char *path, uint32_t timeout)
{
	*watchdog = (struct watchdog){.timeout = timeout, .fd = -1};
	if (path && strlen(path) < sizeof(watchdog->path))
		strcpy(watchdog->path, path);
	else if (path)
		log_error(NULL, "watchdog %s: the path is too long: there is none", path);
}

/* What the device makes of the time asked for is what holds. */
static void set_timeout(struct watchdog *watchdog)
{
	uint32_t seconds = watchdog->timeout / 1000 + (watchdog->timeout % 1000 != 0);
	int value = (int)seconds;
	long rc;

	/* The C libraries disagree about the type of a request. */
	rc = raw_syscall3(SYS_ioctl, watchdog->fd, (long)WDIOC_SETTIMEOUT, (long)&value);
	if (rc < 0)
		rc = raw_syscall3(SYS_ioctl, watchdog->fd, (long)WDIOC_GETTIMEOUT, (long)&value);
	if (rc < 0) {
		log_warning(NULL,
		    "watchdog %s: it cannot tell its timeout (%s): feeding it as if it were %u s",
		    watchdog->path, strerror((int)-rc), (unsigned)seconds);
		return;
	}
	if (value > 0)
		watchdog->timeout = (uint32_t)value * 1000;
	if ((uint32_t)value != seconds)
		log_warning(NULL, "watchdog %s: its timeout is %d s, not %u s", watchdog->path,
		    value, (unsigned)seconds);
}

static void try_open(struct watchdog *watchdog, int64_t now)
{
	watchdog->fd = open(watchdog->path, O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (watchdog->fd >= 0) {
		set_timeout(watchdog);
		log_info(NULL, "watchdog %s: resets the machine if it is not fed for %u s",
		    watchdog->path, (unsigned)(watchdog->timeout / 1000));
		return;
	}
	watchdog->due = now + TRY_AGAIN;
	if (watchdog->told)
		return;
	watchdog->told = true;
	log_warning(NULL,
	    "watchdog %s: %s; looking for it again every %d s (is its module loaded?)",
	    watchdog->path, strerror(errno), TRY_AGAIN / 1000);
}

static void note_sickness(struct watchdog *watchdog, const char *unwell)
{
	if (unwell && !watchdog->sick)
		log_error(NULL,
		    "watchdog %s is not fed any more, and will reset the machine in %u s: %s",
		    watchdog->path, (unsigned)(watchdog->timeout / 1000), unwell);
	if (!unwell && watchdog->sick)
		log_info(NULL, "watchdog %s is fed again", watchdog->path);
	watchdog->sick = unwell;
}

void watchdog_turn(struct watchdog *watchdog, int64_t now, const char *unwell)
{
	if (!watchdog->path[0] || (watchdog->due && watchdog->due > now))
		return;
	if (watchdog->fd < 0)
		try_open(watchdog, now);
	if (watchdog->fd < 0)
		return;
	note_sickness(watchdog, unwell);
	if (!unwell && write(watchdog->fd, "", 1) < 0)
		log_warning(
		    NULL, "watchdog %s: cannot be fed: %s", watchdog->path, strerror(errno));
	watchdog->due = now + watchdog->timeout / PARTS;
}

void watchdog_close(struct watchdog *watchdog)
{
	if (!watchdog->path[0] || watchdog->fd < 0)
		return;
	if (write(watchdog->fd, "V", 1) < 0)
		log_warning(
		    NULL, "watchdog %s: cannot be stopped: %s", watchdog->path, strerror(errno));
	close(watchdog->fd);
	watchdog->fd = -1;
	watchdog->path[0] = '\0';
}
