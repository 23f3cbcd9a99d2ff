/* RUNDIR: the directory of the lock, the board and the control FIFO, and what becomes of
 * them when somebody removes it. */
#include "init/log.h"
#include "init/path.h"
#include "init/sinit.h"
#include "log/store.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { RUNDIR_MOST = 1024 }; /* bytes of its path */

/* What could not be made is missed by open(2), but why it could not is said by mkdir(2): "Read-only
 * file system", where open(2) has only "No such file".
 *
 * No flag for faccessat(2): with one it is faccessat2(2), which the filter of an older container
 * engine refuses (EPERM). The real user, whom it then asks about, is the effective one here. */
static int open_directory(const char *path)
{
	int fd, made;

	if (strlen(path) >= RUNDIR_MOST)
		return -ENAMETOOLONG;
	made = path_make_directory(path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT && made < 0 ? made : -errno;
	if (faccessat(fd, ".", W_OK, 0) < 0) {
		int error = -errno;

		close(fd);
		return error;
	}
	return fd;
}

/* What an earlier sinit has left would pass for ours, once we have the lock. */
static void remove_left(const struct sinit *sinit)
{
	const struct supervisor *sv = &sinit->supervisor;

	if (!sv->board.file || !board_is_named(sv->board.fd, sinit->rundir_fd, BOARD_FILE))
		unlinkat(sinit->rundir_fd, BOARD_FILE, 0);
	if (sv->store_fd <= 0)
		unlinkat(sinit->rundir_fd, STORE_FILE, 0);
}

/* 0; -1: another sinit has it, *ret_holder is its pid. */
static int lock(struct sinit *sinit, pid_t *ret_holder)
{
	const char *path = sinit->options.run_dir;
	int turn = board_lock_turn(sinit->rundir_fd, ret_holder);

	sinit->lock_fd = -EAGAIN;
	if (turn == -EAGAIN)
		return -1;
	if (turn >= 0 && !board_lock_held(sinit->rundir_fd))
		remove_left(sinit);
	sinit->lock_fd = board_lock(sinit->rundir_fd, ret_holder);
	if (sinit->lock_fd >= 0)
		remove_left(sinit); /* of one that has ended only now */
	if (turn >= 0) {
		unlinkat(sinit->rundir_fd, BOARD_TURN, 0);
		close(turn);
	}
	if (sinit->lock_fd == -EAGAIN)
		return -1;
	if (sinit->lock_fd < 0)
		log_warning(NULL, "%s/lock: %s; a second sinit would not notice this one", path,
		    strerror(-sinit->lock_fd));
	return 0;
}

int rundir_take(struct sinit *sinit)
{
	pid_t holder = 0;

	sinit->rundir_fd = open_directory(sinit->options.run_dir);
	sinit->lock_fd = -1;
	if (sinit->rundir_fd >= 0 && lock(sinit, &holder) == 0)
		return 0;
	if (sinit->rundir_fd >= 0) {
		log_error(NULL,
		    "another sinit (pid %d) is running with %s; stop it, or give this one another "
		    "directory with -r DIR",
		    (int)holder, sinit->options.run_dir);
		return -1;
	}
	log_warning(NULL,
	    "%s cannot be used (%s): running without sinitctl; -r DIR names another directory",
	    sinit->options.run_dir, strerror(-sinit->rundir_fd));
	sinit->rundir_fd = -1;
	return 0;
}

void rundir_control(struct sinit *sinit)
{
	const struct supervisor *sv = &sinit->supervisor;
	uint32_t gid = image_settings(sv->set[sv->current].image)->control_gid;
	int rc = control_open(
	    &sinit->control, sinit->rundir_fd, gid == SETTING_UNSET ? (gid_t)-1 : (gid_t)gid);

	if (rc < 0 && sinit->rundir_fd >= 0)
		log_warning(NULL, "%s/control: %s: running without sinitctl",
		    sinit->options.run_dir, strerror(-rc));
	else if (rc == 0 && !sv->board.file)
		log_warning(NULL,
		    "%s/board cannot be made (no room there?): sinitctl status and events will see "
		    "nothing",
		    sinit->options.run_dir);
}

static bool is_there(const struct sinit *sinit)
{
	struct stat named, held;

	return stat(sinit->options.run_dir, &named) == 0 && fstat(sinit->rundir_fd, &held) == 0 &&
	       named.st_ino == held.st_ino && named.st_dev == held.st_dev;
}

/* The same content in a new file: whoever has the old one open sees no more changes. */
static void move_board(struct sinit *sinit)
{
	struct supervisor *sv = &sinit->supervisor;
	struct board moved;

	if (board_create(&moved, sinit->rundir_fd, sv->capacity) < 0)
		return;
	board_copy(&moved, &sv->board);
	board_close(&sv->board);
	sv->board = moved;
	sv->service = moved.services;
	helpers_board_moved(sinit);
}

/* Another sinit has it now: what is there is that one's, and nothing is removed. */
static void give_up(struct sinit *sinit, pid_t holder)
{
	log_error(NULL,
	    "another sinit (pid %d) has taken %s over, while this one runs: going on without "
	    "sinitctl; stop one of them",
	    (int)holder, sinit->options.run_dir);
	control_leave(&sinit->control);
	close(sinit->rundir_fd);
	sinit->rundir_fd = sinit->supervisor.rundir = -1;
}

static void renew(struct sinit *sinit)
{
	int fd = open_directory(sinit->options.run_dir);
	pid_t holder = 0;

	if (fd < 0) {
		log_warning(NULL,
		    "%s is gone and cannot be made again: %s; a reload (HUP) tries once more",
		    sinit->options.run_dir, strerror(-fd));
		return;
	}
	control_close(&sinit->control);
	close(sinit->rundir_fd);
	if (sinit->lock_fd >= 0)
		close(sinit->lock_fd);
	sinit->rundir_fd = fd;
	if (lock(sinit, &holder) < 0) {
		give_up(sinit, holder);
		return;
	}
	move_board(sinit);
	supervisor_store_gone(&sinit->supervisor, fd);
	rundir_control(sinit);
	loop_watch(sinit, sinit->control.fifo_fd);
	loop_watch(sinit, sinit->control.inotify_fd);
	log_warning(NULL, "%s was gone: made it again", sinit->options.run_dir);
}

/* The lock and the board may be gone while the directory is there. False: it is another
 * sinit's now. */
static bool check_files(struct sinit *sinit)
{
	const struct supervisor *sv = &sinit->supervisor;
	pid_t holder = 0;

	if (sinit->lock_fd >= 0 && !board_is_named(sinit->lock_fd, sinit->rundir_fd, BOARD_LOCK)) {
		close(sinit->lock_fd);
		if (lock(sinit, &holder) < 0) {
			give_up(sinit, holder);
			return false;
		}
		log_warning(NULL, "%s/lock was gone: made it again", sinit->options.run_dir);
	}
	if (sv->board.file && !board_is_named(sv->board.fd, sinit->rundir_fd, BOARD_FILE)) {
		move_board(sinit);
		log_warning(NULL, "%s/board was gone: made it again", sinit->options.run_dir);
	}
	if (sv->store_file && !sv->store_gone &&
	    !board_is_named(sv->store_fd, sinit->rundir_fd, STORE_FILE)) {
		supervisor_store_gone(&sinit->supervisor, sinit->rundir_fd);
		log_warning(NULL, "%s/logs was gone: making it again", sinit->options.run_dir);
	}
	return true;
}

void rundir_check(struct sinit *sinit)
{
	int rc;

	if (sinit->rundir_fd < 0)
		return;
	if (!is_there(sinit)) {
		renew(sinit);
		return;
	}
	if (!check_files(sinit))
		return;
	rc = control_check(&sinit->control, sinit->supervisor.now);
	if (rc == 1)
		loop_watch(sinit, sinit->control.fifo_fd);
	else if (rc < 0 && rc != -EBUSY)
		log_warning(NULL,
		    "the control FIFO cannot be made again: %s; a reload (HUP) tries once more",
		    strerror(-rc));
}
