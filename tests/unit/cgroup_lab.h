/* A part of this machine's cgroup v2 tree for one test program: made when it begins, and gone
 * with all that was started in it when it ends. */
#ifndef TESTS_UNIT_CGROUP_LAB_H
#define TESTS_UNIT_CGROUP_LAB_H

#include "cgroup/slice.h"
#include "cgroup/tree.h"

#include <stdbool.h>
#include <sys/types.h>

/* The tree of the running test, and its directory. */
extern struct cgroup_tree lab;
extern char lab_path[CGROUP_PATH];

/* Group set-up and teardown. The program itself moves beside the tree, so that neither its own
 * cgroup nor anybody else in it is touched. */
int lab_begin(void **state);
int lab_end(void **state);

/* Of each test: opens the tree, skips it where there is none to be had; closes it, and fails if
 * a slice is left. */
int lab_setup(void **state);
int lab_teardown(void **state);
#define LAB_TEST(function) cmocka_unit_test_setup_teardown(function, lab_setup, lab_teardown)

/* To be called first in a test. */
void lab_needed(void);

/* LAB/NAME.service/FILE; in a static buffer of which four are used in turn. */
const char *lab_file(const char *name, const char *file);
bool lab_exists(const char *name);

/* How many lines of the slice's cgroup.procs there are. */
int lab_count(const char *name);

/* Starts this program again with that word, in the slice; returns when the word's processes are
 * all there (0: any). See lab_child(). */
pid_t lab_start(const struct slice *slice, const char *name, const char *word, int processes);

/* What main() does with a word:
 *   --tree   five processes in four sessions, one of them an orphan of a double fork
 *   --deaf   one that knows no signal but KILL
 *   --chain  one that forks on and on, each parent ending at once, for 20 s
 *   --polite two that have a handler for TERM and exit 0
 *   --wait   one */
int lab_child(const char *word);

/* Reaps; whether nobody is in the slice, and all children are gone. */
bool lab_is_empty(struct slice *slice);

/* Waits for that. False: not in time. */
bool lab_emptied(struct slice *slice);

/* Polls for what may take a moment, at most 5 s. */
#define LAB_SOON(condition) lab_soon_(condition, 10000)
#define lab_soon_(condition, ms)                                                                   \
	({                                                                                         \
		int left_ = (ms);                                                                  \
		bool met_;                                                                         \
		while (!(met_ = (condition)) && left_-- > 0)                                       \
			usleep(1000);                                                              \
		met_; /* asked once more it might be over: a chain has moments without anybody */  \
	})

#endif
