/* What the tests of births share: a spawner, and children that are waited for. */
#ifndef TESTS_UNIT_BIRTH_H
#define TESTS_UNIT_BIRTH_H

#include "reaper/spawn.h"

#include <stdbool.h>
#include <stddef.h>

/* Made by the set-up of each test, with a temporary directory (tempdir.h). */
extern struct spawner *birth_spawner;
int birth_setup(void **state);
int birth_teardown(void **state);

/* Blocks every signal, as spawn_start() wants it. */
void birth_block_signals(void);

/* An argument list; lives until the end of the block. */
#define ARGV(...) ((char *const[]){__VA_ARGS__, NULL})

/* A spawn with nothing asked for. */
struct spawn birth_plain(char *const *argv);

/* Exit code of a child; 128 + signal; -1 if it is none. */
int birth_wait(pid_t pid);

/* Asks until the birth is no more pending. */
struct spawn_result birth_settle(pid_t pid);

/* spawn_start() on a machine that may be too busy for it to be done in time. */
int birth_start(const struct spawn *spawn, struct spawn_result *ret);

/* Its standard output into `output`; expects it to start and to exit with 0. */
void birth_run(const struct spawn *spawn, char *output, size_t size);

/* Expects it to fail so; the second only tells. STEP_NONE: that it exits with 0. */
void birth_fails(const struct spawn *spawn, enum spawn_step step, int number);
bool birth_fails_with(const struct spawn *spawn, enum spawn_step step, int number);

#define BIRTH_TEST(function) cmocka_unit_test_setup_teardown(function, birth_setup, birth_teardown)

#endif
