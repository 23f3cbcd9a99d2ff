/* Users and groups out of the text of passwd(5) and group(5). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "init/base.h"
#include "init/users.h"

#include <string.h>

static const char passwd[] = "root:x:0:0:root:/root:/bin/bash\n"
			     "broken\n"
			     "bad:x:abc:1::/:/bin/sh\n"
			     "web:x:33:34:W,W:/var/www:/usr/sbin/nologin\n"
			     "\n"
			     "no shell:x:40:40::/n:\n"
			     "short:x:41:41::/home/short\n"
			     "web:x:99:99:second:/:/x\n"
			     "last:x:4294967294:5::/l:/s";

static const char group[] = "root:x:0:\n"
			    "tty:x:5:web\n"
			    "video:x:44:webmaster,web,root\n"
			    "broken:x\n"
			    "bad:x:99999999999:web\n"
			    "disk:x:6:root,webmaster";

static bool same(struct users_text text, const char *string)
{
	return text.length == strlen(string) && memcmp(text.start, string, text.length) == 0;
}

static void test_find(void **state)
{
	struct user user;

	(void)state;
	assert_true(users_find(passwd, "web", &user));
	assert_int_equal(user.uid, 33);
	assert_int_equal(user.gid, 34);
	assert_true(same(user.name, "web"));
	assert_true(same(user.home, "/var/www"));
	assert_true(same(user.shell, "/usr/sbin/nologin"));
	assert_true(users_find(passwd, "33", &user));
	assert_true(same(user.name, "web"));
	assert_true(users_find(passwd, "last", &user));
	assert_int_equal(user.uid, 4294967294u);
	assert_true(same(user.shell, "/s"));
	assert_true(users_find(passwd, "40", &user));
	assert_int_equal(user.shell.length, 0);
	assert_true(users_find(passwd, "short", &user));
	assert_true(same(user.home, "/home/short"));
	assert_int_equal(user.shell.length, 0);
	assert_false(users_find(passwd, "bad", &user));
	assert_false(users_find(passwd, "broken", &user));
	assert_false(users_find(passwd, "we", &user));
	assert_false(users_find(passwd, "webx", &user));
	assert_false(users_find(passwd, "", &user));
	assert_false(users_find(passwd, "1000", &user));
	assert_false(users_find("", "root", &user));
}

static void test_groups(void **state)
{
	struct user user;
	uint32_t gids[8];
	uint32_t gid;

	(void)state;
	assert_true(users_find_group(group, "tty", &gid));
	assert_int_equal(gid, 5);
	assert_true(users_find_group(group, "77", &gid));
	assert_int_equal(gid, 77);
	assert_false(users_find_group(group, "broken", &gid));
	assert_false(users_find_group(group, "bad", &gid));
	assert_false(users_find_group(group, "none", &gid));
	assert_true(users_find(passwd, "web", &user));
	assert_int_equal(users_groups_of(group, &user, gids, 8), 2);
	assert_int_equal(gids[0], 5);
	assert_int_equal(gids[1], 44);
	assert_int_equal(users_groups_of(group, &user, gids, 1), 1);
	assert_int_equal(users_groups_of(group, &user, gids, 0), 0);
	user.name.length = 0;
	assert_int_equal(users_groups_of(group, &user, gids, 8), 0);
}

static void test_names(void **state)
{
	static const char *const good[] = {
	    "root", "www-data", "_apt", "a.b", "host$", "u@d", "1000"};
	static const char *const bad[] = {
	    "", "$NOPE", "$", "a b", "a:b", "-x", "+x", "a/b", "a$b", "\xc3\xa4"};
	uint32_t id;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_true(users_good_name(good[i]));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(users_good_name(bad[i]));
	assert_true(users_number("4294967294", &id));
	assert_false(users_number("4294967295", &id));
	assert_false(users_number("-1", &id));
	assert_false(users_number("1a", &id));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_find),
	    cmocka_unit_test(test_groups),
	    cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
