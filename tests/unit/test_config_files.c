/* The configuration's files: drop-ins, what is refused, files of variables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "init/arena.h"
#include "init/base.h"
#include "init/files.h"
#include "tests/unit/config_util.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char base[] = "/tmp/sinit-config-XXXXXX";
static char expected[4096];

static const char *path_of(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", base, name);
	return path;
}

static void write_file(const char *name, const char *content)
{
	int fd = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, content, strlen(content)), strlen(content));
	close(fd);
}

static struct image *load(void)
{
	char *const environment[] = {"HOME=/root", NULL};
	struct config_input input = {.environ = environment};

	return config_util_dir(base, &input);
}

/* An expected message, in which @ is the directory. */
static const char *message(const char *pattern)
{
	struct text text;

	text_init(&text, expected, sizeof(expected));
	for (; *pattern; pattern++)
		if (*pattern == '@')
			text_add(&text, base);
		else
			text_add_bytes(&text, pattern, 1);
	return expected;
}

static int set_up(void **state)
{
	(void)state;
	strcpy(base + strlen(base) - 6, "XXXXXX");
	if (!mkdtemp(base))
		return -1;
	return mkdir(path_of("conf.d"), 0755);
}

static int tear_down(void **state)
{
	char command[300];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", base);
	return system(command);
}

static void test_nothing_there(void **state)
{
	(void)state;
	struct config_input input = {0};
	struct config_errors errors = {0};
	char *const command[] = {(char[]){"true"}, NULL};
	struct image *image = NULL;

	/* A slip of the pen, or a file system that is not mounted: not "nothing to do". */
	assert_int_equal(config_load("/nonexistent/directory", &input, &errors, &image), -EINVAL);
	assert_int_equal(errors.errors.count, 1);
	config_errors_free(&errors);
	input.main_argv = command;
	assert_int_equal(config_load("/nonexistent/directory", &input, &errors, &image), 0);
	assert_int_equal(image->service_count, 1);
	config_free(image);
	config_errors_free(&errors);
}

static void test_drop_ins(void **state)
{
	(void)state;
	write_file("sinit.ini", "[sinit]\nlog_level = debug\n[defaults]\nnice = 1\n"
				"[service web]\ncommand = first\npriority = 1\n"
				"environment = A=1 B=1\nstop_timeout = 3\n");
	write_file("conf.d/20.ini", "[service web]\ncommand = third %n\nenvironment = B=2\n"
				    "stop_timeout =\n");
	write_file("conf.d/10.ini", "[service web]\ncommand = second\nrequires = db\n"
				    "[service db]\ncommand = db\n[sinit]\nlog_level = error\n"
				    "shutdown_timeout = 9\n[defaults]\nnice = 2\n");
	/* Not these. */
	write_file("conf.d/.hidden.ini", "nonsense");
	write_file("conf.d/30.ini~", "nonsense");
	write_file("conf.d/README", "nonsense");
	write_file("conf.d/.ini", "nonsense");
	struct image *image = load();
	assert_string_equal(config_util_errors, "");
	assert_string_equal(config_util_value(image, "web", "command"), "third web");
	assert_string_equal(config_util_value(image, "web", "environment"), "A=1 B=2");
	assert_string_equal(config_util_value(image, "web", "requires"), "db");
	assert_string_equal(config_util_value(image, "web", "priority"), "1");
	assert_string_equal(config_util_value(image, "web", "nice"), "2");
	assert_string_equal(config_util_value(image, "web", "stop_timeout"), "10s");
	assert_int_equal(image_settings(image)->shutdown_timeout, 9000);
	assert_int_equal(image_settings(image)->log_level, 3);
	assert_string_equal(image_string(image, config_util_service(image, "web")->where),
	    message("@/sinit.ini:5"));
	config_free(image);
}

/* Byte order: upper case first, 10 before 9. */
static void test_order_of_files(void **state)
{
	(void)state;
	write_file("conf.d/9.ini", "[service a]\ncommand = nine\n");
	write_file("conf.d/10.ini", "[service a]\ncommand = ten\n[service b]\ncommand = ten\n");
	write_file("conf.d/Z.ini", "[service b]\ncommand = upper\n[service c]\ncommand = upper\n");
	write_file("conf.d/a.ini", "[service c]\ncommand = lower\n");
	struct image *image = load();
	assert_string_equal(config_util_value(image, "a", "command"), "nine");
	assert_string_equal(config_util_value(image, "b", "command"), "upper");
	assert_string_equal(config_util_value(image, "c", "command"), "lower");
	config_free(image);
}

/* Errors come in the order of the files, and a key may stand again in another file. */
static void test_errors_over_files(void **state)
{
	(void)state;
	write_file("conf.d/a.ini", "[service a]\ncommand = x\nrequires = nope\nnice = 1\n");
	write_file("conf.d/b.ini", "[service a]\nnice = 2\nnice = 3\n[service b]\n");
	write_file("sinit.ini", "[sinit]\nx = 1\n");
	assert_null(load());
	assert_string_equal(config_util_errors,
	    message("@/sinit.ini:2: x: unknown key; sinit --print-defaults lists all\n"
		    "@/conf.d/a.ini:3: requires = nope: no such service; each needs a section "
		    "[service nope]\n"
		    "@/conf.d/b.ini:3: nice: duplicate key; it is set in line 2\n"
		    "@/conf.d/b.ini:4: [service b]: command is missing; write command = PROGRAM "
		    "ARGUMENTS\n"));
}

/* Nothing that is no file is opened, so nothing can make the loader wait. */
static void test_no_regular_files(void **state)
{
	(void)state;
	assert_int_equal(mkfifo(path_of("conf.d/fifo.ini"), 0644), 0);
	assert_int_equal(mkdir(path_of("conf.d/dir.ini"), 0755), 0);
	assert_int_equal(symlink("/dev/zero", path_of("conf.d/zero.ini")), 0);
	assert_int_equal(symlink("loop.ini", path_of("conf.d/loop.ini")), 0);
	assert_int_equal(symlink("/nonexistent", path_of("conf.d/none.ini")), 0);
	assert_null(load());
	assert_string_equal(config_util_errors,
	    message("@/conf.d/dir.ini: cannot be read: it is no regular file\n"
		    "@/conf.d/fifo.ini: cannot be read: it is no regular file\n"
		    "@/conf.d/loop.ini: cannot be read: Too many levels of symbolic links\n"
		    "@/conf.d/none.ini: cannot be read: it is a link to a file that does not "
		    "exist\n"
		    "@/conf.d/zero.ini: cannot be read: it is no regular file\n"));
}

static void test_no_directories(void **state)
{
	struct config_input input = {0};

	(void)state;
	assert_int_equal(rmdir(path_of("conf.d")), 0);
	write_file("conf.d", "");
	assert_null(load());
	assert_string_equal(
	    config_util_errors, message("@/conf.d: cannot be read: Not a directory\n"));
	assert_null(config_util_dir(path_of("conf.d"), &input));
}

static void test_large_file(void **state)
{
	(void)state;
	write_file("conf.d/a.ini", "");
	assert_int_equal(truncate(path_of("conf.d/a.ini"), FILES_MAX_SIZE + 1), 0);
	assert_null(load());
	assert_string_equal(
	    config_util_errors, message("@/conf.d/a.ini: cannot be read: File too large\n"));
}

/* Files of /proc have no size. */
static void test_file_without_size(void **state)
{
	struct arena arena = {0};
	char *bytes;
	size_t size;

	(void)state;
	assert_int_equal(files_read(&arena, "/proc/self/status", &bytes, &size), 0);
	assert_true(size > 100);
	assert_int_equal(bytes[size], '\0');
	arena_free(&arena);
}

static void test_many_files(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 300; i++) {
		char name[64];
		char content[100];
		snprintf(name, sizeof(name), "conf.d/a-rather-long-name-for-a-drop-in-%03u.ini", i);
		snprintf(content, sizeof(content), "[service s%u]\ncommand = x %u\n", i, i);
		write_file(name, content);
	}
	struct image *image = load();
	assert_int_equal(image->service_count, 300);
	assert_string_equal(config_util_value(image, "s299", "command"), "x 299");
	config_free(image);
}

/* --- environment_file --- */

static struct image *load_with(const char *environment, const char *lines)
{
	char text[1024];

	write_file("env", environment);
	snprintf(text, sizeof(text), "[service a]\ncommand = x\nenvironment_file = %s\n%s",
	    path_of("env"), lines);
	write_file("conf.d/a.ini", text);
	return load();
}

static void test_environment_file(void **state)
{
	(void)state;
	struct image *image =
	    load_with("# comment\n; another\n\n  A=1\nB = no blank before the =\n", "");
	assert_null(image);
	assert_string_equal(config_util_errors,
	    message("@/env:5: the name before the = has only letters, digits and _\n"));
	image =
	    load_with("# comment\r\n\n A=1\r\nB=two words # all of it  \nC=\"quoted \\\"x\\\" \\\\ "
		      "\\$ \\n \"\nD=' single \"$X\" '\nE=\nF=  x=y\nA=2\nG=it's\nH=\"\"",
		"environment = F=own I=9\n");
	assert_string_equal(config_util_errors, "");
	assert_string_equal(config_util_list(image, config_util_service(image, "a")->environment),
	    "[A=2][B=two words # all of it][C=quoted \"x\" \\ $ \\n ][D= single \"$X\" ][E=]"
	    "[F=own][G=it's][H=][I=9]");
	config_free(image);
}

static void test_environment_file_errors(void **state)
{
	(void)state;
	assert_null(load_with("A\nB='x\nC=\"x\" y\n=1\nOK=1\n", ""));
	assert_string_equal(config_util_errors,
	    message("@/env:1: expected NAME=VALUE\n"
		    "@/env:2: a quoted value ends with its quote\n"
		    "@/env:3: a quoted value ends with its quote\n"
		    "@/env:4: the name before the = has only letters, digits and _\n"));
	assert_null(load_with("", "environment_file = /nonexistent\nenvironment_file = env\n"
				  "environment_file = -rel\nenvironment_file = /dev/null\n"));
	assert_string_equal(config_util_errors,
	    message("@/conf.d/a.ini:4: environment_file = /nonexistent: No such file or "
		    "directory; a - before the path lets it be missing\n"
		    "@/conf.d/a.ini:5: environment_file = env: expected absolute paths, each "
		    "with a - before it if it may be missing\n"
		    "@/conf.d/a.ini:6: environment_file = -rel: expected absolute paths, each "
		    "with a - before it if it may be missing\n"
		    "@/conf.d/a.ini:7: environment_file = /dev/null: it is no regular file\n"));
}

static void test_environment_files_add_up(void **state)
{
	char text[1024];

	(void)state;
	write_file("one", "A=1\nB=1\nC=1\n");
	write_file("two", "B=2\n");
	snprintf(text, sizeof(text),
	    "[service a]\ncommand = x ${A}${B}${C}\nenvironment = C=3\n"
	    "environment_file = '%s/one'\nenvironment_file = -%s/two -/nonexistent\n"
	    "[service b]\ncommand = x ${A}\nenvironment_file = %s/one\n",
	    base, base, base);
	write_file("sinit.ini", text);
	struct image *image = load();
	assert_string_equal(config_util_errors, "");
	assert_string_equal(config_util_value(image, "a", "environment"), "A=1 B=2 C=3");
	assert_string_equal(config_util_value(image, "a", "command"), "x 123");
	assert_string_equal(config_util_value(image, "b", "environment"), "A=1 B=1 C=1");
	/* P73, P76: only what is in the file matters, and it does. */
	write_file("two", "# changed\nB=2\n");
	struct image *same = load();
	write_file("two", "B=3\n");
	struct image *other = load();
	assert_true(image_service_same_process(image, 0, same, 0));
	assert_true(image_service_equal(image, 0, same, 0));
	assert_false(image_service_same_process(image, 0, other, 0));
	assert_true(image_service_equal(image, 1, other, 1));
	config_free(image);
	config_free(same);
	config_free(other);
}

/* A broken file breaks each service that uses it, and is told once. */
static void test_shared_broken_file(void **state)
{
	struct config_input input = {.flags = CONFIG_TOLERANT};
	char text[1024];

	(void)state;
	write_file("env", "A=1\nbroken\n");
	snprintf(text, sizeof(text),
	    "[service a]\ncommand = x\nenvironment_file = %s/env\n"
	    "[service b]\ncommand = x\nenvironment_file = %s/env\n[service c]\ncommand = x\n",
	    base, base);
	write_file("sinit.ini", text);
	struct image *image = config_util_dir(base, &input);
	assert_string_equal(config_util_errors, message("@/env:2: expected NAME=VALUE\n"));
	assert_int_equal(image->broken_count, 2);
	assert_null(image_string(image, config_util_service(image, "c")->broken));
	config_free(image);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_nothing_there),
	    TEST(test_drop_ins),
	    TEST(test_order_of_files),
	    TEST(test_errors_over_files),
	    TEST(test_no_regular_files),
	    TEST(test_no_directories),
	    TEST(test_large_file),
	    TEST(test_file_without_size),
	    TEST(test_many_files),
	    TEST(test_environment_file),
	    TEST(test_environment_file_errors),
	    TEST(test_environment_files_add_up),
	    TEST(test_shared_broken_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
