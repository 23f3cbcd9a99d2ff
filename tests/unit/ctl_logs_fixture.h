/* Three services and a store with the streams of two of them, for the tests of the verbs that show
 * what services write. Each test has its own. */
#ifndef SINIT_TESTS_CTL_LOGS_FIXTURE_H
#define SINIT_TESTS_CTL_LOGS_FIXTURE_H

#include "tests/unit/ctl_fixture.h"
#include "tests/unit/store_lab.h"

enum { CAPACITY = 8 };

static struct fixture *f;
static struct store_lab lab;
static uint32_t web, db, db_error;

static int set_up(void **state)
{
	(void)state;
	f = fixture_new(32);
	store_lab_make(&lab, f->dirfd, CAPACITY);
	fixture_add(f, "web", STATE_RUNNING);
	fixture_add(f, "db", STATE_RUNNING);
	fixture_add(f, "quiet", STATE_RUNNING);
	web = store_lab_add(&lab, "web", STORE_OUTPUT);
	db_error = store_lab_add(&lab, "db", STORE_ERROR);
	db = store_lab_add(&lab, "db", STORE_OUTPUT);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	store_lab_free(&lab);
	fixture_free(f);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
