/* Lines of /etc/fstab, and the options of a mount. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "init/fstab.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/swap.h>

/* "[source][target][type][options]", "nothing" or "error: fault"; the line is of exact size. */
static const char *parse(const char *line)
{
	static char result[600];
	char *copy = strdup(line);
	struct fstab_entry entry;
	struct text text;
	const char *fault = NULL;

	text_init(&text, result, sizeof(result));
	int rc = fstab_parse(copy, &entry, &fault);
	if (rc == 1)
		text_addf(&text, "[%s][%s][%s][%s]", entry.source, entry.target, entry.type,
		    entry.options);
	else if (rc == 0)
		text_add(&text, "nothing");
	else
		text_addf(&text, "error: %s", fault);
	free(copy);
	return result;
}

#define FEW  "error: an entry has at least three fields: device, directory, type"
#define PATH "error: the second field, the directory, is no absolute path"

static const struct {
	const char *line, *result;
} lines[] = {
    {"/dev/sda1 / ext4 ro,noatime 0 1", "[/dev/sda1][/][ext4][ro,noatime]"},
    {"\t UUID=1-2\t/boot  vfat\tdefaults", "[UUID=1-2][/boot][vfat][defaults]"},
    {"tmpfs /tmp tmpfs", "[tmpfs][/tmp][tmpfs][defaults]"},
    {"tmpfs /tmp tmpfs\r", "[tmpfs][/tmp][tmpfs][defaults]"},
    {"/dev/sda2 none swap sw", "[/dev/sda2][none][swap][sw]"},
    {"/dev/a\\040b /x\\011y auto a\\054b", "[/dev/a b][/x\ty][auto][a,b]"},
    {"/a\\134040 /x\\04 auto", "[/a\\040][/x\\04][auto][defaults]"},
    {"/a\\000b /x\\777 \\", "[/a\\000b][/x\\777][\\][defaults]"},
    {"", "nothing"},
    {" \t\r", "nothing"},
    {"# /dev/sda1 / ext4", "nothing"},
    {"  #", "nothing"},
    {"/dev/sda1", FEW},
    {"/dev/sda1 /", FEW},
    {"/dev/sda1 /   ", FEW},
    {"/dev/sda1 mnt ext4 defaults", PATH},
    {"/dev/sda1 none ext4 defaults", PATH},
};

static void test_lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		assert_string_equal(parse(lines[i].line), lines[i].result);
}

#define USER (MS_NOSUID | MS_NODEV | MS_NOEXEC)

static const struct {
	const char *options;
	unsigned long flags, propagation, marks;
	const char *data;
} option_rows[] = {
    {"defaults", 0, 0, 0, ""},
    {"", 0, 0, 0, ""},
    {",,", 0, 0, 0, ""},
    {"ro", MS_RDONLY, 0, 0, ""},
    {"ro,rw", 0, 0, 0, ""},
    {"rw,ro", MS_RDONLY, 0, 0, ""},
    {"nosuid,nodev,noexec,sync,dirsync", USER | MS_SYNCHRONOUS | MS_DIRSYNC, 0, 0, ""},
    {"nosuid,nodev,noexec,sync,suid,dev,exec,async", 0, 0, 0, ""},
    {"noatime,nodiratime", MS_NOATIME | MS_NODIRATIME, 0, 0, ""},
    {"noatime,relatime", MS_RELATIME, 0, 0, ""},
    {"strictatime,noatime", MS_NOATIME, 0, 0, ""},
    {"noatime,strictatime,lazytime", MS_STRICTATIME | MS_LAZYTIME, 0, 0, ""},
    {"user", USER, 0, 0, ""},
    {"user,exec", MS_NOSUID | MS_NODEV, 0, 0, ""},
    {"exec,users", USER, 0, 0, ""},
    {"owner", MS_NOSUID | MS_NODEV, 0, 0, ""},
    {"bind,ro", MS_BIND | MS_RDONLY, 0, 0, ""},
    {"rbind,rslave", MS_BIND | MS_REC, MS_SLAVE | MS_REC, 0, ""},
    {"shared,private", 0, MS_PRIVATE, 0, ""},
    {"remount,ro", MS_REMOUNT | MS_RDONLY, 0, 0, ""},
    {"noauto,nofail,_netdev", 0, 0, FSTAB_NOAUTO | FSTAB_NOFAIL | FSTAB_NETWORK, ""},
    {"noauto,auto", 0, 0, 0, ""},
    {"loop,loop=x", 0, 0, FSTAB_LOOP, "loop=x"},
    {"size=1m,nosuid,mode=1777", MS_NOSUID, 0, 0, "size=1m,mode=1777"},
    {"x-systemd.automount,comment=a b,X-x,uhelper=y,acl", 0, 0, 0, "acl"},
    {"nosuidx,nosui,errors=remount-ro", 0, 0, 0, "nosuidx,nosui,errors=remount-ro"},
    {"context=\"u:r:t:s0:c1,ro\",noexec", MS_NOEXEC, 0, 0, "context=\"u:r:t:s0:c1,ro\""},
    {"a=\"b,ro", 0, 0, 0, "a=\"b,ro"},
};

static void test_options(void **state)
{
	char buffer[100];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(option_rows); i++) {
		struct fstab_options options;
		struct text data;

		text_init(&data, buffer, sizeof(buffer));
		fstab_options(option_rows[i].options, &options, &data);
		assert_int_equal(options.flags, option_rows[i].flags);
		assert_int_equal(options.propagation, option_rows[i].propagation);
		assert_int_equal(options.marks, option_rows[i].marks);
		assert_string_equal(buffer, option_rows[i].data);
		assert_false(data.cut);
	}
}

static void test_swap(void **state)
{
	(void)state;
	assert_int_equal(fstab_swap_flags(""), 0);
	assert_int_equal(fstab_swap_flags("sw"), 0);
	assert_int_equal(fstab_swap_flags("pri=0"), SWAP_FLAG_PREFER);
	assert_int_equal(
	    fstab_swap_flags("sw,pri=7,discard"), SWAP_FLAG_PREFER | SWAP_FLAG_DISCARD | 7);
	assert_int_equal(fstab_swap_flags("pri=1,pri=32767"), SWAP_FLAG_PREFER | 32767);
	assert_int_equal(fstab_swap_flags("pri=32768,pri=-1,pri=,pri=12345678901"), 0);
	assert_int_equal(fstab_swap_flags("discard=once"), SWAP_FLAG_DISCARD);
	assert_int_equal(fstab_swap_flags("discardx"), 0);
}

static void test_network(void **state)
{
	(void)state;
	assert_true(fstab_is_network("nfs4"));
	assert_true(fstab_is_network("fuse.sshfs"));
	assert_false(fstab_is_network("nfsd"));
	assert_false(fstab_is_network("ext4"));
	assert_false(fstab_is_network("9p"));
	assert_false(fstab_is_network(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_lines),
	    cmocka_unit_test(test_options),
	    cmocka_unit_test(test_swap),
	    cmocka_unit_test(test_network),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
