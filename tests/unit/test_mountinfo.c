/* The kernel's lists of mounts and of file systems. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "init/mountinfo.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* "[target][options][type][source][options]" or "error"; the line is of exact size. */
static const char *parse(const char *line)
{
	static char result[600];
	char *copy = strdup(line);
	struct mountinfo mount;
	struct text text;

	text_init(&text, result, sizeof(result));
	int rc = mountinfo_parse(copy, &mount);
	if (rc == 0)
		text_addf(&text, "[%s][%s][%s][%s][%s]", mount.target, mount.options, mount.type,
		    mount.source, mount.super_options);
	else
		text_add(&text, rc == -EINVAL ? "error" : "?");
	free(copy);
	return result;
}

static const struct {
	const char *line, *result;
} lines[] = {
    {"36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue",
	"[/mnt2][rw,noatime][ext3][/dev/root][rw,errors=continue]"},
    {"1 1 0:2 / / rw - rootfs rootfs rw", "[/][rw][rootfs][rootfs][rw]"},
    {"1 1 0:2 / /a\\040b\\134040 rw shared:1 master:2 unbindable - tmpfs a\\040b ro",
	"[/a b\\040][rw][tmpfs][a b][ro]"},
    /* A source may be empty: then two blanks follow each other. */
    {"1 1 0:2 / /x rw - tmpfs  ro,size=1k", "[/x][rw][tmpfs][][ro,size=1k]"},
    {"", "error"},
    {"1 1 0:2 / /x rw", "error"},
    {"1 1 0:2 / /x rw -", "error"},
    {"1 1 0:2 / /x rw - tmpfs", "error"},
    {"1 1 0:2 / /x rw - tmpfs none", "error"},
    {"1 1 0:2 / /x rw shared:1 tmpfs none rw", "error"},
    {"1 1 0:2 / x rw - tmpfs none rw", "error"},
};

static void test_lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		assert_string_equal(parse(lines[i].line), lines[i].result);
}

static void test_in_memory(void **state)
{
	(void)state;
	assert_true(mountinfo_in_memory("tmpfs"));
	assert_true(mountinfo_in_memory("binfmt_misc"));
	assert_false(mountinfo_in_memory("ext4"));
	assert_false(mountinfo_in_memory("overlay"));
	assert_false(mountinfo_in_memory(""));
	assert_false(mountinfo_in_memory("binfmt_miscx"));
}

static const char known[] = "nodev\tsysfs\nnodev\ttmpfs\n\text3\n\text4\nnodev\tcgroup2\n\txfs";

static void test_words(void **state)
{
	(void)state;
	assert_true(mountinfo_word_in(known, "sysfs"));
	assert_true(mountinfo_word_in(known, "cgroup2"));
	assert_true(mountinfo_word_in(known, "xfs"));
	assert_false(mountinfo_word_in(known, "cgroup"));
	assert_false(mountinfo_word_in(known, "fs"));
	assert_false(mountinfo_word_in(known, "ext"));
	assert_false(mountinfo_word_in(known, ""));
	assert_false(mountinfo_word_in("", "xfs"));
	assert_true(mountinfo_word_in("a bc", "bc"));
	assert_true(mountinfo_word_in(" a  bc ", "a"));
}

static void test_next(void **state)
{
	const char *at = known;
	char type[5];

	(void)state;
	assert_true(filesystems_next(&at, type, sizeof(type)));
	assert_string_equal(type, "ext3");
	assert_true(filesystems_next(&at, type, sizeof(type)));
	assert_string_equal(type, "ext4");
	assert_true(filesystems_next(&at, type, sizeof(type)));
	assert_string_equal(type, "xfs");
	assert_false(filesystems_next(&at, type, sizeof(type)));
	assert_false(filesystems_next(&at, type, sizeof(type)));
	/* What is longer than the room for it is left out, and so is an empty name. */
	at = "\tsquashfs\n\t\n\n\text2\n";
	assert_true(filesystems_next(&at, type, sizeof(type)));
	assert_string_equal(type, "ext2");
	assert_false(filesystems_next(&at, type, sizeof(type)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_lines),
	    cmocka_unit_test(test_in_memory),
	    cmocka_unit_test(test_words),
	    cmocka_unit_test(test_next),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
