/* How long the start waits for the devices helper, of which the test plays the part. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "init/sinit.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LIMIT = 3000, GENERATION = 7 };

static struct sinit sinit;
static int channel; /* the helper's end */

static int set_up(void **state)
{
	int pair[2];

	(void)state;
	memset(&sinit, 0, sizeof(sinit));
	for (unsigned kind = 0; kind < HELPER_KINDS; kind++)
		sinit.helpers.helper[kind].channel = -1;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
	sinit.helpers.helper[HELPER_DEVICES] =
	    (struct helper){.pid = 1, .channel = pair[0], .wanted = true};
	sinit.helpers.devices.generation = GENERATION;
	channel = pair[1];
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	if (sinit.helpers.helper[HELPER_DEVICES].channel >= 0)
		close(sinit.helpers.helper[HELPER_DEVICES].channel);
	if (channel >= 0)
		close(channel);
	return 0;
}

static void say(uint32_t generation, uint32_t kind)
{
	const struct devices_message message = {.kind = kind, .generation = generation};

	assert_int_equal(send(channel, &message, sizeof(message), 0), sizeof(message));
}

/* ms that it takes. */
static int64_t settle(void)
{
	int64_t began = platform_now();

	devices_settle(&sinit);
	return platform_now() - began;
}

static void test_settled(void **state)
{
	(void)state;
	say(GENERATION, DEVICES_SETTLED);
	assert_true(settle() < LIMIT);
	assert_true(sinit.helpers.devices.settled);
	/* And no more, though there would be nothing to hear. */
	assert_true(settle() < LIMIT);
}

static void test_not_wanted(void **state)
{
	(void)state;
	sinit.helpers.helper[HELPER_DEVICES].wanted = false;
	assert_true(settle() < LIMIT);
}

static void test_ended(void **state)
{
	(void)state;
	close(channel);
	channel = -1;
	assert_true(settle() < LIMIT);
	assert_int_equal(sinit.helpers.helper[HELPER_DEVICES].channel, -1);
}

/* Neither silence nor what another helper has said; and never longer. */
static void test_silence(void **state)
{
	int64_t took;

	(void)state;
	say(GENERATION - 1, DEVICES_SETTLED);
	say(GENERATION, UINT32_MAX);
	assert_int_equal(send(channel, "short", 5, 0), 5);
	took = settle();
	assert_true(took >= LIMIT && took < 20 * LIMIT);
	assert_false(sinit.helpers.devices.settled);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_settled, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_not_wanted, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_ended, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_silence, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
