/* Loggers that are killed on the way of some lines, and what has come of the lines in the end: each
 * is to be where it belongs, whole and once. Files are in the directory of tempdir_make(), in which
 * there is nothing else. */
#ifndef TESTS_UNIT_LOGGER_WALK_H
#define TESTS_UNIT_LOGGER_WALK_H

#include "tests/unit/logger_lab.h"

enum { WALK_KEEP = 6 }; /* old files at most */

#define WALK_FOREIGN "somebody else's line\n"

/* One way of lines from the pipes to where they go, and what comes in between. */
struct walk {
	struct loglab_stream stream[2]; /* the second one may have no name: there is none */
	bool syslog;                    /* lines of the first one come as messages of /dev/log */
	bool appended;                  /* standard output is a file; `between` adds WALK_FOREIGN */
	uint32_t file_limit;            /* of the loggers that are killed */
	void (*between)(struct logger_lab *lab); /* each time that one is killed; or NULL */
	bool changing;                           /* which changes the format of the first stream */
	bool whole;                              /* no call moves a part of what it is to move */
};

/* For streams of a walk: into that file, or to standard output. */
extern char walk_path[];
#define WALK_TO_FILE(NAME, FORMAT)                                                                 \
	{                                                                                          \
		.name = NAME, .sink = LOGGER_FILE, .path = walk_path, .keep = WALK_KEEP,           \
		.format = FORMAT                                                                   \
	}
#define WALK_TO_OUTPUT(NAME)                                                                       \
	{                                                                                          \
		.name = NAME, .sink = LOGGER_STDOUT                                                \
	}

/* Around each test: tempdir_make(), tempdir_remove(), walk_path. */
int walk_set_up(void **state);
int walk_tear_down(void **state);
#define WALK_TEST(NAME) cmocka_unit_test_setup_teardown(NAME, walk_set_up, walk_tear_down)

/* One logger is killed, at each of its moments, and the next one does it all. */
void walk_once(const struct walk *walk);

/* So are those after it, at moments of which there are too many to take all. */
void walk_on(const struct walk *walk);

/* Both. */
void walks(const struct walk *walk);

#endif
