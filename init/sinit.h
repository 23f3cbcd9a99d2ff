/* PID 1 as a whole: what the loop, the control FIFO and the reload share. One of these is
 * made in supervisor_main.c and handed down. */
#ifndef SINIT_INIT_SINIT_H
#define SINIT_INIT_SINIT_H

#include "cgroup/tree.h"
#include "ctl/control.h"
#include "init/boot.h"
#include "init/helper_run.h"
#include "init/options.h"
#include "init/supervisor.h"
#include "init/watchdog.h"

/* A configuration being read by a child. */
struct reload {
	int image_fd;     /* memfd it writes the image to, -1: none is going on */
	int messages_fd;  /* memfd of the messages, a line each */
	int64_t deadline; /* CLOCK_MONOTONIC ms: it hangs */
	bool again;       /* asked for once more while it was going on */
};

struct sinit {
	struct options options;
	enum mode mode;
	const struct boot *boot; /* NULL: it is not the init of a machine */
	enum machine_end end;    /* of the machine, as it was asked for last */
	struct watchdog watchdog;
	int64_t began; /* CLOCK_MONOTONIC us of sinit's first line */
	struct supervisor supervisor;
	struct control control;
	struct reload reload;
	struct helpers helpers;
	struct cgroup_tree cgroups;
	uint32_t captures_max;     /* likewise */
	uint32_t slices_max;       /* see struct supervisor_input */
	struct spawn_limit nofile; /* of sinit before it was raised; hard 0: it was not */
	int rundir_fd;             /* -1: RUNDIR cannot be used */
	int lock_fd;
	int epoll_fd;
	int signal_fd;
	int64_t flush_at;                       /* ms: lines of the log wait, 0: none */
	char directory[4096];                   /* that sinit was started in; "": unknown */
	char config_path[8192], run_path[8192]; /* the directories, if given as relative */
};

/* --- supervisor_main.c --- */

/* Opens the log as the image's [sinit] says, or on stderr if that cannot be. */
void sinit_open_log(const struct sinit *sinit, const struct image *image);

/* --- helper_devices.c --- */

/* Before the services are started: waits until the interfaces of [net] that are there have been
 * set up, and what services wait for has been looked at, but 3 s at most. Nothing if the
 * configuration has neither. */
void devices_settle(struct sinit *sinit);

/* --- loop.c --- */

/* Signals, requests, deadlines, until the shutdown is through. */
void loop_run(struct sinit *sinit);

/* Has the loop look at a descriptor; -1 is passed over. */
void loop_watch(struct sinit *sinit, int fd);

/* Everything that is left once the services are down: TERM, a while, KILL. */
void loop_end_all(struct sinit *sinit);

/* What was said since is written, by another logger if it must. */
void loop_last_lines(struct sinit *sinit);

/* --- rundir.c --- */

/* Makes RUNDIR if it must, and takes its lock. -1: another sinit has it, which was told.
 * A directory that cannot be used is told as well, but sinit runs without it. */
int rundir_take(struct sinit *sinit);

/* Opens the control FIFO there. */
void rundir_control(struct sinit *sinit);

/* Sees whether RUNDIR and the FIFO are still what we have, and makes them again if not:
 * then the board moves too. */
void rundir_check(struct sinit *sinit);

/* --- cgroups.c --- */

/* Takes sinit's part of the tree of cgroups, ends what an earlier sinit left there, and says
 * what cannot be. False: it is required to work, and does not. */
bool cgroups_open(struct sinit *sinit, const struct image *image);

/* Whether all that the image wants can be given, where cgroups are required. What cannot is
 * logged. */
bool cgroups_hold(const struct sinit *sinit, const struct image *image);

/* Tells readers of the board where the slices are. */
void cgroups_show(struct sinit *sinit);

/* The machine's init moves to its leaf, by a child that waits for the kernel in its stead: once the
 * first services are there. Any further call does nothing. */
void cgroups_leave_root(struct sinit *sinit);

/* The kernel has something to say of them. */
void cgroups_event(struct sinit *sinit);

/* Gives it back when everything is down. */
void cgroups_close(struct sinit *sinit);

/* --- reload.c --- */

/* Starts reading the configuration, or once more after the present reading. 0 or -errno. */
int reload_start(struct sinit *sinit);

/* The child has ended: takes over the configuration and answers those who asked. */
void reload_finish(struct sinit *sinit);

/* It has taken too long. */
void reload_give_up(struct sinit *sinit);

/* --- ctl/serve.c --- */

/* Carries out one request; the answer goes to reply_fd, which is -1 if none is wanted.
 * True: the answer comes later, and the descriptor is kept. */
bool serve(struct sinit *sinit, const struct request *request, int reply_fd);

#endif
