#include "ctl/control.h"

#include "init/base.h"
#include "init/log.h"
#include "init/sinit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	TELL_EVERY = 10000,  /* ms between two log lines about refused requests */
	SWEEP_EVERY = 60000, /* ms */
	MADE_EVERY = 10000,  /* ms in which the FIFO is made again... */
	MADE_MOST = 20,      /* ...so many times at most */
	STALE = 30,          /* s: age at which a reply FIFO without a reader is left over */
};

static bool has_group(const struct control *control)
{
	return control->group != (gid_t)-1;
}

/* --- making ------------------------------------------------------------------------- */

/* A name of our own first, then rename(2): whatever stands in the way is replaced, and
 * there is no moment at which a client finds half of it. */
static int make_fifo(struct control *control)
{
	int dir = control->rundir_fd, fd;
	struct stat st;

	unlinkat(dir, ".control", 0);
	if (mkfifoat(dir, ".control", 0600) < 0)
		return -errno;
	/* O_RDWR: a FIFO without a writer would read as ended all the time (fifo(7)). */
	fd = openat(dir, ".control", O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISFIFO(st.st_mode))
		goto failed;
	if (has_group(control) &&
	    (fchown(fd, (uid_t)-1, control->group) < 0 || fchmod(fd, 0620) < 0))
		log_warning(NULL, "control_group: the FIFO cannot be given to group %u: %s",
		    (unsigned)control->group, strerror(errno));
	if (renameat(dir, ".control", dir, "control") < 0 && errno == EISDIR)
		goto failed;
	if (faccessat(dir, "control", F_OK, 0) < 0)
		goto failed;
	if (control->fifo_fd >= 0)
		close(control->fifo_fd);
	control->fifo_fd = fd;
	control->dev = st.st_dev;
	control->ino = st.st_ino;
	control->used = 0;
	control->overlong = false;
	return 0;
failed:
	if (fd >= 0)
		close(fd);
	return errno ? -errno : -EINVAL;
}

static int make_reply_directory(struct control *control)
{
	if (mkdirat(control->rundir_fd, "reply", 0700) < 0 && errno != EEXIST)
		return -errno;
	if (control->reply_dir)
		closedir(control->reply_dir);
	control->reply_dir = NULL;
	control->reply_fd =
	    openat(control->rundir_fd, "reply", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (control->reply_fd < 0)
		return -errno;
	if (has_group(control) && (fchown(control->reply_fd, (uid_t)-1, control->group) < 0 ||
				      fchmod(control->reply_fd, 01770) < 0))
		log_warning(
		    NULL, "control_group: RUNDIR/reply cannot be given to it: %s", strerror(errno));
	control->reply_dir = fdopendir(control->reply_fd);
	return control->reply_dir ? 0 : -errno;
}

/* Removes what clients left that were killed before they could ask. */
static void sweep(struct control *control, time_t stale)
{
	struct timespec now;
	struct dirent *entry;

	if (!control->reply_dir)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	rewinddir(control->reply_dir);
	while ((entry = readdir(control->reply_dir))) {
		struct stat st;

		if (entry->d_name[0] == '.' ||
		    fstatat(control->reply_fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (S_ISFIFO(st.st_mode) && now.tv_sec - st.st_mtim.tv_sec >= stale)
			unlinkat(control->reply_fd, entry->d_name, 0);
	}
}

static void keep_reserve(struct control *control)
{
	if (control->reserve_fd < 0)
		control->reserve_fd = fcntl(control->rundir_fd, F_DUPFD_CLOEXEC, 0);
}

int control_open(struct control *control, int rundir_fd, gid_t gid)
{
	int rc;

	memset(control, 0, sizeof(*control));
	control->rundir_fd = rundir_fd;
	control->fifo_fd = control->reply_fd = control->inotify_fd = control->reserve_fd = -1;
	control->group = gid;
	if (rundir_fd < 0)
		return -EROFS;
	rc = make_reply_directory(control);
	if (rc < 0)
		return rc;
	/* Before anybody can ask: what is there then may belong to a client that already waits. */
	sweep(control, 0);
	rc = make_fifo(control);
	if (rc < 0)
		return rc;
	keep_reserve(control);
	control->inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (control->inotify_fd >= 0) {
		char path[32];

		snprintf(path, sizeof(path), "/proc/self/fd/%d", rundir_fd);
		inotify_add_watch(control->inotify_fd, path,
		    IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF);
	}
	return 0;
}

void control_close(struct control *control)
{
	unlinkat(control->rundir_fd, "control", 0);
	control_leave(control);
}

void control_leave(struct control *control)
{
	if (control->fifo_fd >= 0)
		close(control->fifo_fd);
	if (control->inotify_fd >= 0)
		close(control->inotify_fd);
	if (control->reserve_fd >= 0)
		close(control->reserve_fd);
	if (control->reply_dir)
		closedir(control->reply_dir);
	control->reply_dir = NULL;
	control->rundir_fd = control->fifo_fd = control->reply_fd = control->inotify_fd = -1;
	control->reserve_fd = -1;
}

/* Whether it has been made again too often of late: somebody else makes it too. */
static bool is_contested(struct control *control, int64_t now)
{
	if (now - control->made_since > MADE_EVERY) {
		control->made_since = now;
		control->made = 0;
	}
	if (++control->made == MADE_MOST)
		log_error(NULL,
		    "the control FIFO is replaced again and again (another sinit?): left "
		    "alone for now; a reload (HUP) tries once more");
	return control->made >= MADE_MOST;
}

int control_check(struct control *control, int64_t now)
{
	struct stat st;
	int rc;

	if (control->rundir_fd < 0)
		return -EROFS;
	if (fstatat(control->rundir_fd, "reply", &st, AT_SYMLINK_NOFOLLOW) < 0) {
		rc = make_reply_directory(control);
		if (rc < 0)
			return rc;
	}
	if (control->fifo_fd >= 0 &&
	    fstatat(control->rundir_fd, "control", &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    st.st_ino == control->ino && st.st_dev == control->dev)
		return 0;
	if (is_contested(control, now))
		return -EBUSY;
	rc = make_fifo(control);
	if (rc < 0)
		return rc;
	log_warning(NULL, "the control FIFO was gone or replaced: made it again");
	return 1;
}

void control_drain_inotify(struct control *control)
{
	_Alignas(8) char buffer[4096];

	while (read(control->inotify_fd, buffer, sizeof(buffer)) > 0)
		;
}

/* --- answers -------------------------------------------------------------------------- */

bool control_write(int reply_fd, const char *line, size_t size)
{
	return reply_fd < 0 || write(reply_fd, line, size) == (ssize_t)size;
}

void control_result(int reply_fd, enum ctl_code code, const char *message)
{
	char buffer[REQUEST_ANSWER];
	struct text text;

	text_init(&text, buffer, sizeof(buffer));
	if (code == CTL_OK) {
		text_add(&text, "{\"result\":\"ok\"}\n");
	} else {
		text_addf(&text, "{\"result\":\"error\",\"code\":%d,\"message\":", (int)code);
		text_json(&text, message);
		text_add(&text, "}\n");
	}
	control_write(reply_fd, text.data, text.used);
}

bool control_wait_reload(struct control *control, int reply_fd)
{
	if (control->waiters == CONTROL_WAITERS)
		return false;
	control->waiter[control->waiters++] = reply_fd;
	return true;
}

static void copy_messages(int messages_fd, int reply_fd)
{
	char buffer[4096];
	off_t at = 0;
	ssize_t count;

	while ((count = pread(messages_fd, buffer, sizeof(buffer), at)) > 0) {
		if (!control_write(reply_fd, buffer, (size_t)count))
			return;
		at += count;
	}
}

void control_answer_reload(struct control *control, int messages_fd, const char *error)
{
	for (unsigned i = 0; i < control->waiters; i++) {
		copy_messages(messages_fd, control->waiter[i]);
		control_result(control->waiter[i], error ? CTL_FAILED : CTL_OK, error);
		close(control->waiter[i]);
	}
	control->waiters = 0;
}

bool control_wait_measure(struct control *control, int reply_fd)
{
	if (control->measurers == CONTROL_MEASURERS)
		return false;
	control->measurer[control->measurers++] = reply_fd;
	return true;
}

void control_answer_measure(struct control *control)
{
	for (unsigned i = 0; i < control->measurers; i++) {
		control_result(control->measurer[i], CTL_OK, NULL);
		close(control->measurer[i]);
	}
	control->measurers = 0;
}

/* --- requests --------------------------------------------------------------------------- */

/* Counted always, logged now and then: what it was may have been sent by anybody. */
static void refuse(struct sinit *sinit, const char *why)
{
	struct control *control = &sinit->control;

	control->refused++;
	atomic_fetch_add(&sinit->supervisor.board.head->refused, 1);
	if (control->told && sinit->supervisor.now - control->told < TELL_EVERY)
		return;
	control->told = sinit->supervisor.now;
	log_warning(NULL, "control: request refused: %s (%llu so far)", why,
	    (unsigned long long)control->refused);
}

/* When sinit is out of descriptors, who asks what is wrong must still get an answer. */
static int open_with_reserve(struct control *control, const char *name)
{
	enum { FLAGS = O_WRONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC };
	int fd = openat(control->reply_fd, name, FLAGS);

	if (fd >= 0 || (errno != EMFILE && errno != ENFILE) || control->reserve_fd < 0)
		return fd;
	close(control->reserve_fd);
	control->reserve_fd = -1;
	return openat(control->reply_fd, name, FLAGS);
}

/* The client's FIFO, or -errno. It has done its work as a name once it is open. */
static int open_reply(struct control *control, const char *name)
{
	int fd = open_with_reserve(control, name);
	struct stat st;

	if (fd < 0) {
		int error = -errno;

		if (error == -ENXIO) /* its reader is dead */
			unlinkat(control->reply_fd, name, 0);
		return error;
	}
	if (fstat(fd, &st) < 0 || !S_ISFIFO(st.st_mode) ||
	    (!has_group(control) && st.st_uid != geteuid() && st.st_uid != 0)) {
		close(fd);
		return -EPERM;
	}
	unlinkat(control->reply_fd, name, 0);
	return fd;
}

static const char *no_reply(int error)
{
	if (error == -ENXIO)
		return "its client does not read its reply FIFO";
	if (error == -EMFILE || error == -ENFILE)
		return "no descriptor is free for its reply FIFO";
	return "its reply FIFO is missing, no FIFO of its own, or another user's";
}

static void one_line(struct sinit *sinit, char *line, size_t size)
{
	struct control *control = &sinit->control;
	struct request request;
	const char *reason = NULL;
	int fd = -1;

	if (request_parse(line, size, &request, &reason) < 0) {
		refuse(sinit, reason);
		return;
	}
	if (request.reply) {
		fd = open_reply(control, request.reply);
		if (fd < 0) {
			refuse(sinit, no_reply(fd));
			return;
		}
	}
	if (!serve(sinit, &request, fd) && fd >= 0)
		close(fd);
	keep_reserve(control);
}

static void whole_lines(struct sinit *sinit)
{
	struct control *control = &sinit->control;
	char *at = control->buffer, *end = control->buffer + control->used, *newline;

	while ((newline = memchr(at, '\n', (size_t)(end - at)))) {
		if (control->overlong)
			control->overlong = false;
		else
			one_line(sinit, at, (size_t)(newline - at));
		at = newline + 1;
	}
	control->used = (size_t)(end - at);
	if (control->used >= REQUEST_LINE) {
		if (!control->overlong)
			refuse(sinit, "line too long");
		control->overlong = true;
		control->used = 0;
	}
	memmove(control->buffer, at, control->used);
}

void control_read(struct sinit *sinit)
{
	struct control *control = &sinit->control;
	ssize_t count;

	/* One buffer a turn: a flood of requests must not keep deaths waiting. */
	count = read(control->fifo_fd, control->buffer + control->used,
	    sizeof(control->buffer) - control->used);
	if (count > 0) {
		control->used += (size_t)count;
		whole_lines(sinit);
	}
	if (sinit->supervisor.now - control->swept > SWEEP_EVERY) {
		control->swept = sinit->supervisor.now;
		sweep(control, STALE);
	}
}
