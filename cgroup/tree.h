/* sinit's part of the tree of cgroups: found, taken and prepared once, when it starts.
 *
 *     OWN/init              sinit itself, and strangers that were in OWN
 *     OWN/NAME.service      a slice: one for each service that runs
 *
 * OWN is sinit's own cgroup (after `0::` in /proc/self/cgroup), or cgroup_root. A cgroup that
 * gives controllers to others must have no processes itself (the "no internal process" rule of
 * cgroup-v2.rst), which is why sinit moves to a leaf first. Only the root of the whole
 * machine is exempt, and that is taken only by the machine's init or by cgroup_root. There the move
 * can wait, and does: the kernel takes some ms for it.
 * A lock (flock(2)) on the directory keeps two sinits from taking the same.
 * Owns: descriptors of the directory and of an inotify(7). Blocks and allocates: to be called
 * at load. May call: place, limits, slice, libc. */
#ifndef SINIT_CGROUP_TREE_H
#define SINIT_CGROUP_TREE_H

#include "cgroup/limits.h"
#include "cgroup/place.h"

#include <stdint.h>

struct text;

/* Why there are no slices. */
enum cgroup_fault {
	CGROUP_FINE,
	CGROUP_OFF,      /* cgroups = off */
	CGROUP_NO_PLACE, /* see place.kind */
	CGROUP_NOT_V2,   /* cgroup_root is not in a cgroup v2 file system */
	CGROUP_NOT_OURS, /* the root of the machine, and sinit is not its init */
	CGROUP_THREADED, /* its type is not "domain" */
	CGROUP_TAKEN,    /* another sinit has it */
	CGROUP_REFUSED,  /* `error` of what `what` says */
};

struct cgroup_tree {
	int root_fd;     /* directory of the slices, -1: there are none */
	int lock_fd;     /* holds the lock, -1: root_fd does */
	int leaf_fd;     /* the leaf that sinit is still to move to, -1: none */
	int watch_fd;    /* inotify, -1: none (then emptiness is asked for) */
	uint8_t fault;   /* enum cgroup_fault */
	uint8_t enabled; /* bits 1 << enum cgroup_controller: those that really went on */
	uint8_t offered; /* those that the parent has */
	bool in_leaf;    /* sinit has moved to the leaf */
	bool made;       /* cgroup_root was not there before */
	int error;       /* errno of CGROUP_REFUSED */
	int controller_error[CGROUP_CONTROLLERS]; /* errno of one that is offered, but not on */
	const char *what;                         /* what was refused */
	struct cgroup_place place;
	char path[CGROUP_PATH]; /* directory of the slices */
};

struct cgroup_options {
	const char *root; /* cgroup_root, NULL: auto */
	bool off;
	bool pid1;
	bool machine; /* PID 1 of the whole machine */
};

/* Finds and prepares. 0, or -errno and ret->fault; *ret can be asked and closed in any case. */
int cgroup_tree_open(struct cgroup_tree *ret, const struct cgroup_options *options);

/* Signals what an earlier sinit has left in the slice of that service (and lets it go on if it
 * was frozen); 0 asks only. Returns whether there was anybody. */
bool cgroup_tree_left(struct cgroup_tree *tree, const char *service, int sig);

/* Removes that slice, if nobody is in it (the kernel refuses otherwise). */
void cgroup_tree_drop(struct cgroup_tree *tree, const char *service);

/* Calls `visit` for each slice that is there, whoever has made it. */
typedef void cgroup_tree_visit(struct cgroup_tree *tree, const char *service, void *context);
void cgroup_tree_each(struct cgroup_tree *tree, cgroup_tree_visit *visit, void *context);

/* Moves a process to leaf_fd; 0 or -errno. The kernel may wait some ms (for RCU) before it does. */
int cgroup_tree_move(const struct cgroup_tree *tree, long pid);

/* Gives it back: to be called when no service is left. */
void cgroup_tree_close(struct cgroup_tree *tree);

/* In a forked child: closes its copies, that of the lock among them, and no more. */
void cgroup_tree_forget(struct cgroup_tree *tree);

/* Why there are no slices (root_fd < 0), one sentence, and what to do about it. */
void cgroup_tree_explain(const struct cgroup_tree *tree, struct text *text);

/* The same for a controller that is not on. */
void cgroup_tree_explain_controller(
    const struct cgroup_tree *tree, enum cgroup_controller controller, struct text *text);

#endif
