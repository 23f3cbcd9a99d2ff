/* A run directory with a made-up board, for the tests of sinitctl; and a stand-in for
 * PID 1 that answers requests. */
#ifndef SINIT_TESTS_CTL_FIXTURE_H
#define SINIT_TESTS_CTL_FIXTURE_H

#include "ctl/ctl.h"
#include "ctl/request.h"
#include "init/board.h"

#include <sys/types.h>

struct fixture {
	char dir[64];
	int dirfd;
	struct board board;
	pid_t sinit; /* who holds the lock, 0: nobody */
	struct style style;
	char out[1 << 20]; /* what the last run printed */
	char err[1 << 16];
};

/* Carries out a request in the stand-in's process: changes the board, and writes the
 * answer (JSON lines). Returns false if the stand-in shall die without an answer. */
typedef bool fixture_handler(struct fixture *f, const struct request *request, FILE *answer);

struct fixture *fixture_new(uint32_t capacity);
void fixture_free(struct fixture *f);

/* Adds a service in a state, with plausible numbers. */
struct board_service *fixture_add(struct fixture *f, const char *name, enum state state);

/* Lets a sinit live there: it holds the lock, and with a handler answers requests. */
void fixture_live(struct fixture *f, fixture_handler *handler);

/* Ends it, as kill -9 would. */
void fixture_kill(struct fixture *f);

/* Runs sinitctl -r DIR with the words, which end with NULL. Returns the exit code. */
int fixture_run(struct fixture *f, ...) __attribute__((sentinel));

/* A process beside the next run, in which it returns 0: it changes what sinitctl sees, and ends
 * with fixture_writer_ends(), which ends the sinit too. Makes that live. */
pid_t fixture_writer(struct fixture *f);
void fixture_writer_ends(struct fixture *f) __attribute__((noreturn));

/* In that process: waits until the run has put out so many bytes. */
void fixture_wait_output(struct fixture *f, size_t least);

/* Its exit code, or that of any child; -1 if it was killed. */
int fixture_join(pid_t child);

/* Fails the test unless `text` has `part` in it. */
#define has(text, part)                                                                            \
	do {                                                                                       \
		if (!strstr(text, part))                                                           \
			fail_msg("no \"%s\" in:\n%s", part, text);                                 \
	} while (0)

/* Number of entries in RUNDIR/reply. */
int fixture_replies(const struct fixture *f);

#endif
