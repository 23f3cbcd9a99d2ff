/* Where sinit finds itself in the tree, out of the texts of /proc. */
#include "cgroup/place.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ROOT_FS "23 1 8:1 / / rw,relatime - ext4 /dev/sda rw\n"
#define V1      "32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu\n"
#define V2      "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
#define V2_RO   "30 23 0:26 / /sys/fs/cgroup ro,nosuid - cgroup2 cgroup rw,nsdelegate\n"
#define HYBRID                                                                                     \
	"41 31 0:38 / /sys/fs/cgroup/unified rw,relatime shared:9 master:1 - cgroup2 none rw\n"

static void place(
    const char *self, const char *mounts, enum cgroup_place_kind kind, const char *path)
{
	struct cgroup_place found;

	cgroup_place_find(self, mounts, &found);
	assert_int_equal(found.kind, kind);
	assert_string_equal(found.path, path);
}

static void test_found(void **state)
{
	struct cgroup_place found;

	(void)state;
	place("0::/\n", ROOT_FS V2, CGROUP_PLACE_FOUND, "/sys/fs/cgroup");
	place("0::/a.slice/b.service\n", ROOT_FS V2, CGROUP_PLACE_FOUND,
	    "/sys/fs/cgroup/a.slice/b.service");
	place("0::/a (deleted)\n", ROOT_FS V2, CGROUP_PLACE_FOUND, "/sys/fs/cgroup/a");
	cgroup_place_find("1:cpu:/x\n0::/\n", ROOT_FS V1 HYBRID, &found);
	assert_int_equal(found.kind, CGROUP_PLACE_FOUND);
	assert_string_equal(found.path, "/sys/fs/cgroup/unified");
	assert_true(found.hybrid && found.top);
	cgroup_place_find("0::/x", V2, &found);
	assert_false(found.hybrid || found.top);
}

/* A container that shares the machine's cgroup namespace sees a part of the tree. */
static void test_part_of_the_tree(void **state)
{
	(void)state;
	place("0::/docker/abc\n", "30 23 0:26 /docker/abc /sys/fs/cgroup rw - cgroup2 cgroup rw\n",
	    CGROUP_PLACE_FOUND, "/sys/fs/cgroup");
	place("0::/docker/abc/x\n",
	    "30 23 0:26 /docker/abc /sys/fs/cgroup rw - cgroup2 cgroup rw\n", CGROUP_PLACE_FOUND,
	    "/sys/fs/cgroup/x");
	place("0::/docker/abcd\n", "30 23 0:26 /docker/abc /sys/fs/cgroup rw - cgroup2 cgroup rw\n",
	    CGROUP_PLACE_HIDDEN, "");
	/* A mount from outside of our namespace. */
	place("0::/\n", "30 23 0:26 /../.. /sys/fs/cgroup rw - cgroup2 cgroup rw\n",
	    CGROUP_PLACE_HIDDEN, "");
	place("0::/../x\n", V2, CGROUP_PLACE_HIDDEN, "");
}

static void test_degraded(void **state)
{
	(void)state;
	place("0::/\n", ROOT_FS V2_RO, CGROUP_PLACE_READ_ONLY, "/sys/fs/cgroup");
	place("0::/\n", "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup ro\n",
	    CGROUP_PLACE_READ_ONLY, "/sys/fs/cgroup");
	place("0::/\n", ROOT_FS V2_RO "44 23 0:26 / /cg rw - cgroup2 cgroup rw\n",
	    CGROUP_PLACE_FOUND, "/cg");
	place("0::/\n", ROOT_FS V2 "44 23 0:26 / /cg ro - cgroup2 cgroup rw\n", CGROUP_PLACE_FOUND,
	    "/sys/fs/cgroup");
	place("0::/\n", ROOT_FS, CGROUP_PLACE_ABSENT, "");
	place("3:cpu:/\n", ROOT_FS V1, CGROUP_PLACE_V1, "");
	place("", "", CGROUP_PLACE_ABSENT, "");
	place("0::\n", V2, CGROUP_PLACE_HIDDEN, "");
}

static void test_odd_texts(void **state)
{
	static char longer[3 * CGROUP_PATH];

	(void)state;
	place("0::/\n", "30 23 0:26 / /a\\040b\\134c rw - cgroup2 cgroup rw\n", CGROUP_PLACE_FOUND,
	    "/a b\\c");
	place(
	    "0::/\n", "30 23 0:26 / /a\\04 rw - cgroup2 cgroup rw\n", CGROUP_PLACE_FOUND, "/a\\04");
	place("0::/\n", "30\n\n30 23\ncgroup2\n" V2, CGROUP_PLACE_FOUND, "/sys/fs/cgroup");
	/* cgroup2 in other fields is no mount of it. */
	place("0::/\n", "30 23 0:26 / /cgroup2 rw - ext4 cgroup2 rw\n", CGROUP_PLACE_ABSENT, "");
	memset(longer, 'x', sizeof(longer) - 1);
	memcpy(longer, "0::/", 4);
	place(longer, V2, CGROUP_PLACE_HIDDEN, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_found),
	    cmocka_unit_test(test_part_of_the_tree),
	    cmocka_unit_test(test_degraded),
	    cmocka_unit_test(test_odd_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
