/* The kernel's messages about devices, byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "init/base.h"
#include "probes/uevent.h"

#include <errno.h>

#define PARSE(message, event) uevent_parse(message, sizeof(message), event)

static void test_block_device(void **state)
{
	static const char message[] =
	    "add@/devices/virtual/block/nullb0\0ACTION=add\0"
	    "DEVPATH=/devices/virtual/block/nullb0\0SUBSYSTEM=block\0"
	    "MAJOR=252\0MINOR=0\0DEVNAME=nullb0\0DEVTYPE=disk\0SEQNUM=1042";
	struct uevent event;

	(void)state;
	assert_int_equal(PARSE(message, &event), 0);
	assert_string_equal(event.action, "add");
	assert_string_equal(event.subsystem, "block");
	assert_string_equal(event.devname, "nullb0");
	assert_true(uevent_matters(&event));
}

static void test_others(void **state)
{
	struct uevent event;

	(void)state;
	assert_int_equal(PARSE("move@/x\0SUBSYSTEM=net\0INTERFACE=eth1", &event), 0);
	assert_string_equal(event.action, "");
	assert_true(uevent_matters(&event));
	assert_int_equal(PARSE("add@/module/x\0ACTION=add\0SUBSYSTEM=module", &event), 0);
	assert_false(uevent_matters(&event));
	/* Nothing behind the head, or nothing in it. */
	assert_int_equal(PARSE("add@/x", &event), 0);
	assert_false(uevent_matters(&event));
	assert_int_equal(PARSE("@\0\0\0=\0DEVNAME", &event), 0);
	assert_string_equal(event.devname, "");
	/* Keys count from their beginning. */
	assert_int_equal(PARSE("add@/x\0XDEVNAME=a\0DEVNAMES=b\0devname=c", &event), 0);
	assert_false(uevent_matters(&event));
}

static void test_strangers(void **state)
{
	struct uevent event;

	(void)state;
	assert_int_equal(uevent_parse("", 0, &event), -EINVAL);
	assert_int_equal(PARSE("", &event), -EINVAL);
	/* udev's own. */
	assert_int_equal(PARSE("libudev\0\376\355\312\376DEVNAME=/dev/sda", &event), -EINVAL);
	/* Cut short: the last text has no end. */
	assert_int_equal(uevent_parse("add@/x\0DEVNAME=sda", 18, &event), -EINVAL);
	assert_string_equal(event.devname, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_block_device),
	    cmocka_unit_test(test_others),
	    cmocka_unit_test(test_strangers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
