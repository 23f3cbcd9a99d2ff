/* Files of logs: how they are opened, rotation that is killed or finds what another one left, and
 * others who have the same file open. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/logger_lab.h"
#include "tests/unit/moments.h"
#include "tests/unit/tempdir.h"

#include "init/fds.h"
#include "log/logger.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STRANGER = 12345, MOST = 9 };

static int set_up(void **state)
{
	(void)state;
	tempdir_make();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	tempdir_remove();
	return 0;
}

/* --- opening --------------------------------------------------------------------------------- */

/* What was opened last. */
static struct stat opened;

static int try_path(const char *path, uint32_t uid)
{
	struct place place = {.directory = -1};
	int rc = place_find(&place, path), fd;

	if (rc < 0)
		return rc;
	fd = place_open(&place, uid, uid);
	place_close(&place);
	if (fd < 0)
		return fd;
	assert_return_code(fstat(fd, &opened), errno);
	close(fd);
	return 0;
}

/* Opens it and closes it. 0 or -errno. */
static int try(const char *name, uint32_t uid)
{
	return try_path(tempdir_path(name), uid);
}

static struct stat info_of(const char *name)
{
	struct stat info;

	assert_return_code(lstat(tempdir_path(name), &info), errno);
	return info;
}

static void link_to(const char *target, const char *name)
{
	assert_return_code(symlink(target, tempdir_path(name)), errno);
}

static void test_new_file(void **state)
{
	struct stat info;

	(void)state;
	assert_int_equal(try("one/two/log", UINT32_MAX), 0);
	info = info_of("one/two/log");
	assert_int_equal(info.st_mode & 07777, 0640);
	assert_int_equal(info.st_uid, geteuid());
	assert_int_equal(try("one/two/log", UINT32_MAX), 0);
	tempdir_write("plain", "", 0600);
	assert_int_equal(try("plain/log", UINT32_MAX), -ENOTDIR);
}

static void test_owner(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(try("new", STRANGER), 0);
	assert_int_equal(info_of("new").st_uid, STRANGER);
	assert_int_equal(info_of("new").st_gid, STRANGER);
	tempdir_write("old", "", 0600);
	assert_int_equal(try("old", STRANGER), 0);
	assert_int_equal(info_of("old").st_uid, 0);
	assert_int_equal(info_of("old").st_mode & 07777, 0600);
	assert_int_equal(try("directory/new", STRANGER), 0);
	assert_int_equal(info_of("directory").st_uid, 0);
}

static void test_links(void **state)
{
	char name[16], target[16];

	(void)state;
	tempdir_write("file", "", 0600);
	link_to("file", "link");
	assert_int_equal(try("link", UINT32_MAX), 0);
	assert_int_equal(opened.st_ino, info_of("file").st_ino);
	link_to(tempdir_path("file"), "absolute");
	assert_int_equal(try("absolute", UINT32_MAX), 0);
	assert_int_equal(opened.st_ino, info_of("file").st_ino);
	/* One that leads nowhere leads to a file that is not there yet. */
	link_to("there/file", "dangling");
	assert_int_equal(try("dangling", UINT32_MAX), 0);
	assert_true(S_ISREG(info_of("there/file").st_mode));
	link_to("loop", "loop");
	assert_int_equal(try("loop", UINT32_MAX), -ELOOP);
	for (int i = 0; i < 17; i++) {
		snprintf(name, sizeof(name), "chain%d", i);
		snprintf(target, sizeof(target), i ? "chain%d" : "file", i - 1);
		link_to(target, name);
	}
	assert_int_equal(try("chain15", UINT32_MAX), 0);
	assert_int_equal(opened.st_ino, info_of("file").st_ino);
	assert_int_equal(try("chain16", UINT32_MAX), -ELOOP);
}

static void test_links_of_strangers(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	tempdir_write("file", "", 0600);
	link_to("file", "stranger");
	link_to("stranger", "mine");
	link_to("nothing", "dangling");
	assert_return_code(lchown(tempdir_path("stranger"), STRANGER, 0), errno);
	assert_return_code(lchown(tempdir_path("dangling"), STRANGER, 0), errno);
	assert_int_equal(try("stranger", UINT32_MAX), -ELOOP);
	assert_int_equal(try("mine", UINT32_MAX), -ELOOP);
	assert_int_equal(try("dangling", UINT32_MAX), -ELOOP);
	assert_int_equal(access(tempdir_path("nothing"), F_OK), -1);
}

/* A directory in the middle of the path, in a place that is a stranger's. */
static void test_directories_of_strangers(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	assert_return_code(mkdir(tempdir_path("root"), 0755), errno);
	assert_return_code(mkdir(tempdir_path("his"), 0755), errno);
	assert_return_code(chown(tempdir_path("his"), STRANGER, STRANGER), errno);
	link_to("../root", "his/logs");
	assert_int_equal(try("his/logs/log", UINT32_MAX), 0); /* of root */
	assert_return_code(lchown(tempdir_path("his/logs"), STRANGER, 0), errno);
	assert_int_equal(try("his/logs/log", UINT32_MAX), -ELOOP);
	assert_int_equal(try("his/logs/new/log", UINT32_MAX), -ELOOP);
	assert_int_equal(access(tempdir_path("root/new"), F_OK), -1);
	/* Another name of somebody's file. */
	tempdir_write("root/precious", "", 0600);
	assert_return_code(link(tempdir_path("root/precious"), tempdir_path("his/log")), errno);
	assert_int_equal(try("his/log", UINT32_MAX), -EMLINK);
	assert_int_equal(try("root/precious", UINT32_MAX), 0);
}

/* As the kernel's fs.protected_regular does it. */
static void test_sticky_directory(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	assert_return_code(mkdir(tempdir_path("tmp"), 0700), errno);
	assert_return_code(chmod(tempdir_path("tmp"), 01777), errno);
	tempdir_write("tmp/log", "", 0644);
	assert_int_equal(try("tmp/log", UINT32_MAX), 0);
	assert_return_code(chown(tempdir_path("tmp/log"), STRANGER, STRANGER), errno);
	assert_int_equal(try("tmp/log", STRANGER), 0);
	assert_int_equal(try("tmp/log", UINT32_MAX), -EACCES);
}

static void test_no_files(void **state)
{
	char longest[PATH_MAX + 16];
	int reader;

	(void)state;
	assert_return_code(mkdir(tempdir_path("directory"), 0700), errno);
	assert_int_equal(try("directory", UINT32_MAX), -EISDIR);
	assert_return_code(mkfifo(tempdir_path("fifo"), 0600), errno);
	assert_int_equal(try("fifo", UINT32_MAX), -ENXIO);
	reader = open(tempdir_path("fifo"), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	assert_int_equal(try("fifo", UINT32_MAX), 0);
	close(reader);
	link_to("/dev/null", "device");
	assert_int_equal(try("device", UINT32_MAX), 0);
	memset(longest, 'x', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	longest[0] = '/';
	assert_int_equal(try_path(longest, UINT32_MAX), -ENAMETOOLONG);
}

/* --- rotation -------------------------------------------------------------------------------- */

static char path[PATH_MAX];

/* Numbers from the oldest to the youngest, which is the file itself: "3.gz 2 1 0"; each file has
 * the letter that stands in `letters` in its place. */
static void make_files(const char *numbers, const char *letters)
{
	char name[16];

	for (int used; *numbers; numbers += used + (numbers[used] == ' '), letters++) {
		used = (int)strcspn(numbers, " ");
		snprintf(name, sizeof(name), "log.%.*s", used, numbers);
		tempdir_write(*numbers == '0' ? "log" : name, (char[]){*letters, '\0'}, 0600);
	}
}

/* What there is, from the oldest to the youngest. */
static const char *find_files(void)
{
	static char found[4 * MOST];
	static const char *const endings[] = {"", ".gz"};
	char name[32];
	size_t used = 0;

	for (int i = MOST; i >= 0; i--)
		for (size_t e = 0; e < 2; e++) {
			snprintf(name, sizeof(name), "log.%d%s", i, endings[e]);
			used += file_read(tempdir_path(i   ? name
						       : e ? "log.gz"
							   : "log"),
			    found + used, sizeof(found) - used);
			if (i)
				unlink(tempdir_path(name));
		}
	unlink(tempdir_path("log"));
	found[used] = '\0';
	return found;
}

/* A target whose file is "log". */
static struct sink make_sink(uint32_t keep)
{
	struct sink sink = {.path = path, .keep = keep};

	snprintf(path, sizeof(path), "%s", tempdir_path("log"));
	assert_int_equal(place_find(&sink.place, path), 0);
	return sink;
}

static void expect(uint32_t keep, const char *numbers, const char *letters, const char *expected)
{
	struct sink sink = make_sink(keep);

	make_files(numbers, letters);
	assert_int_equal(rotate(&sink), 0);
	assert_int_equal(access(path, F_OK), -1);
	assert_string_equal(find_files(), expected);
	place_close(&sink.place);
}

static void test_rotation(void **state)
{
	(void)state;
	expect(0, "0", "a", "");
	expect(1, "0", "a", "a");
	expect(1, "1 0", "ab", "b");
	expect(3, "3 2 1 0", "abcd", "bcd");
	expect(3, "2 1 0", "abc", "abc");
	expect(3, "3.gz 2.gz 1 0", "abcd", "bcd");
	expect(3, "3 2.gz 1.gz 0", "abcd", "bcd");
	expect(3, "", "", "");
	/* A number is missing, since the last rotation was killed. */
	expect(3, "3 1 0", "abc", "abc");
	expect(3, "3.gz 2 0", "abc", "abc");
	expect(3, "2 1", "ab", "ab");
	/* The copy is complete, and what was copied is there still. */
	expect(3, "2.gz 2 1 0", "aabc", "abc");
	expect(3, "1.gz 1 0", "aab", "ab");
	/* More were kept once, and a rotation of those was killed. */
	expect(1, "4 3.gz 2 1 0", "abcde", "e");
	expect(2, "5 4.gz 2 1 0", "abcde", "de");
	expect(0, "2 1.gz 0", "abc", "");
}

static void rotate_it(void *context)
{
	moments_begin();
	if (rotate(context) != 0)
		_exit(1);
}

/* Killed at each call, and the next one again: what is gone is the oldest alone. */
static void walk(uint32_t keep, const char *numbers, const char *letters)
{
	struct sink sink = make_sink(keep);
	const char *found;

	for (struct moment first = {.calls_only = true}; !first.over;) {
		struct moment second = {.call = first.call / 2, .calls_only = true};

		make_files(numbers, letters);
		moment_kill(&first, rotate_it, &sink, "", 1);
		moment_kill(&second, rotate_it, &sink, "", 1);
		if (access(path, F_OK) < 0)
			tempdir_write("log", "y", 0600);
		assert_int_equal(rotate(&sink), 0);
		tempdir_write("log", "z", 0600);
		found = find_files();
		/* No letter is missing between others, and there are as many as are kept. */
		assert_true(strlen(found) >= keep + 1 || strlen(found) >= strlen(letters) + 1);
		for (const char *at = found; at[1] && at[1] < 'y'; at++)
			assert_int_equal(at[1], at[0] + 1);
		if (keep > 1)
			assert_non_null(strchr(found, letters[strlen(letters) - 1]));
	}
	place_close(&sink.place);
}

static void test_killed_rotation(void **state)
{
	(void)state;
	walk(0, "0", "a");
	walk(1, "1 0", "ab");
	walk(3, "3 2 1 0", "abcd");
	walk(3, "3.gz 2.gz 1 0", "abcd");
	walk(3, "2.gz 1 0", "abc");
	walk(3, "5.gz 4 3.gz 2 1 0", "abcdef");
}

static void test_rotation_that_cannot_be(void **state)
{
	struct sink sink = make_sink(1);

	(void)state;
	tempdir_write("log", "a", 0600);
	assert_return_code(mkdir(tempdir_path("log.1"), 0700), errno);
	assert_true(rotate(&sink) < 0);
	assert_int_equal(access(path, F_OK), 0);
	place_close(&sink.place);
}

#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, set_up, tear_down)

/* It was removed before its copy is put in its place, and the file that comes next may have been
 * given the number of its inode. */
static void test_copy_of_what_has_gone(void **state)
{
	static struct logger logger;
	struct sink sink = make_sink(3);
	siginfo_t end;
	char content[8];

	(void)state;
	tempdir_write("log.1", "old\n", 0600);
	sink.uid = geteuid();
	sink.max_size = 1000;
	sink.compress = true;
	logger.sink = &sink;
	logger.sinks = 1;
	logger.epoll = epoll_create1(EPOLL_CLOEXEC);
	rotate_pack(&logger);
	assert_true(logger.packer > 0);
	assert_int_equal(waitid(P_PID, (id_t)logger.packer, &end, WEXITED | WNOWAIT), 0);
	assert_int_equal(end.si_status, 0);
	assert_return_code(unlink(tempdir_path("log.1")), errno);
	tempdir_write("log.1", "new\n", 0600);
	rotate_packed(&logger);
	assert_int_equal(access(tempdir_path("log.1.gz"), F_OK), -1);
	assert_int_equal(access(tempdir_path("log.gz.new"), F_OK), -1);
	file_read(tempdir_path("log.1"), content, sizeof(content));
	assert_string_equal(content, "new\n");
	close(logger.epoll);
	place_close(&sink.place);
}

/* --- others who have it open ----------------------------------------------------------------- */

enum { SMALL = 100, PLENTY = 3 << 20 };

static struct logger_lab lab;
static struct logger *logger;
static char content[LOGLAB_BYTES];

static void start(void)
{
	snprintf(path, sizeof(path), "%s", tempdir_path("log"));
	loglab_make(&lab);
	loglab_add(&lab,
	    &(struct loglab_stream){
		.name = "x", .sink = LOGGER_FILE, .path = path, .max_size = SMALL, .keep = 3});
	logger = loglab_start(&lab);
	loglab_recover(logger);
}

static void stop(void)
{
	loglab_stop(logger);
	loglab_free(&lab);
}

/* Lines of 50 bytes. */
static void serve_lines(int count)
{
	for (int i = 0; i < count; i++)
		loglab_print(&lab, 0, "123456789 123456789 123456789 123456789 123456789\n");
	loglab_serve(logger);
}

static size_t size_of(const char *name)
{
	struct stat info;

	return lstat(tempdir_path(name), &info) < 0 ? 0 : (size_t)info.st_size;
}

/* A descriptor of somebody else's, none of the lab's. */
static int open_other(int lock)
{
	int low = open(path, O_RDONLY | O_CLOEXEC), fd = fds_copy_up(low);

	assert_return_code(fd, errno);
	close(low);
	assert_return_code(flock(fd, lock | LOCK_NB), errno);
	return fd;
}

static void test_held_by_several_or_alone(void **state)
{
	int one, two;

	(void)state;
	snprintf(path, sizeof(path), "%s", tempdir_path("log"));
	tempdir_write("log", "", 0600);
	one = open_other(LOCK_UN);
	two = open_other(LOCK_UN);
	assert_int_equal(place_lock(one, false), 0);
	assert_int_equal(place_lock(two, false), 0);
	assert_int_equal(place_lock(one, true), -EWOULDBLOCK);
	assert_int_equal(place_lock(two, true), 0); /* the first one's is lost by that */
	assert_int_equal(place_lock(one, false), -EWOULDBLOCK);
	close(two);
	assert_int_equal(place_lock(one, true), 0);
	close(one);
	assert_int_equal(place_lock(-1, true), 0); /* none can be had */
}

/* The file is to be rotated, and somebody else has it open: his descriptor. */
static int start_held(void)
{
	int other;

	start();
	serve_lines(2);
	other = open_other(LOCK_SH);
	serve_lines(1);
	assert_int_equal(size_of("log"), 150);
	return other;
}

static void test_rotated_when_it_is_free(void **state)
{
	struct logger_message message;
	int other;

	(void)state;
	other = start_held();
	logger->now += 9000;
	serve_lines(1);
	assert_int_equal(size_of("log"), 200);
	assert_false(loglab_heard(&lab, LOGGER_UNROTATED, &message));
	close(other);
	serve_lines(1); /* it is not looked at all the time */
	assert_int_equal(size_of("log"), 250);
	logger->now += 10;
	serve_lines(1);
	assert_int_equal(size_of("log"), 50);
	assert_int_equal(size_of("log.1"), 250);
	assert_false(loglab_heard(&lab, LOGGER_UNROTATED, &message));
	/* And then nobody is kept from it. */
	close(open_other(LOCK_SH));
	stop();
}

/* Who has it open all the time does not keep it from being rotated; but nothing that he may still
 * write to is compressed. */
static void test_file_that_is_never_free(void **state)
{
	int other;

	(void)state;
	other = start_held();
	logger->now += 10000;
	logger->stream[0].sink->gzip = true;
	serve_lines(1);
	assert_int_equal(size_of("log.1"), 150);
	assert_int_equal(size_of("log"), 50);
	assert_int_equal(access(tempdir_path("log.1.gz"), F_OK), -1);
	close(other);
	serve_lines(2);
	assert_int_equal(access(tempdir_path("log.1.gz"), F_OK), 0);
	assert_int_equal(access(tempdir_path("log.2.gz"), F_OK), 0);
	stop();
}

/* Whoever may read it can hold it alone: that costs a rotation and half a second, and no line. Its
 * name is looked at each time, since it may be another one's who rotates it. */
static void test_file_that_somebody_holds_alone(void **state)
{
	struct logger_message message;
	int other;

	(void)state;
	snprintf(path, sizeof(path), "%s", tempdir_path("log"));
	tempdir_write("log", "", 0600);
	other = open_other(LOCK_EX);
	start();
	serve_lines(1); /* it may be one who rotates it just now */
	assert_int_equal(size_of("log"), 0);
	logger->now += 500;
	serve_lines(2);
	assert_int_equal(size_of("log"), 150);
	assert_int_equal((int)store_stream(lab.head, 0)->dropped_lines, 0);
	assert_return_code(rename(path, tempdir_path("log.1")), errno);
	serve_lines(1);
	assert_int_equal(size_of("log.1"), 150);
	assert_int_equal(size_of("log"), 50);
	assert_false(loglab_heard(&lab, LOGGER_FAULT, &message));
	close(other);
	stop();
}

/* Its name is another file's already: that one is not rotated in its place. */
/* What did not fit into the ring comes later: until then another sinit may write to the file. */
static void test_line_that_is_cut_by_a_full_ring(void **state)
{
	int other;

	(void)state;
	snprintf(path, sizeof(path), "%s", tempdir_path("log"));
	tempdir_write("log", "", 0600);
	other = open_other(LOCK_EX);
	start();
	logger->stream[0].sink->max_size = UINT32_MAX;
	serve_lines(1200);
	serve_lines(1200);
	assert_int_equal(store_room(store_stream(lab.head, 0)), 0);
	assert_int_equal(size_of("log"), 0);
	close(other);
	logger->now += 10;
	put(logger, &logger->stream[0]);
	assert_int_equal(size_of("log"), STORE_RING / 50 * 50);
	serve_lines(0);
	assert_int_equal(size_of("log"), 2400 * 50);
	stop();
}

static void test_rotated_by_another_one(void **state)
{
	(void)state;
	start();
	serve_lines(2);
	assert_return_code(rename(path, tempdir_path("log.1")), errno);
	tempdir_write("log", "another one's\n", 0600);
	serve_lines(1);
	assert_int_equal(size_of("log"), 14 + 50);
	assert_int_equal(size_of("log.1"), 100);
	assert_int_equal(size_of("log.2"), 0);
	stop();
}

/* Where it was written is noted for the next logger, however much another one has written since. */
static void test_noted_behind_what_others_write(void **state)
{
	int other;

	(void)state;
	start();
	serve_lines(1);
	memset(content, 'x', 4 * LOGGER_BUFFER);
	other = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	assert_int_equal(write(other, content, 4 * LOGGER_BUFFER), 4 * LOGGER_BUFFER);
	close(other);
	serve_lines(1);
	assert_int_equal(loglab_record(&lab, 0)->put.offset, 50 + 4 * LOGGER_BUFFER);
	stop();
}

static void test_orphan_leaves_its_files_to_others(void **state)
{
	int other;

	(void)state;
	start();
	logger->orphaned = true;
	tempdir_write("log.gz.new", "another one's", 0600);
	serve_lines(4);
	assert_int_equal(size_of("log"), 200);
	assert_int_equal(size_of("log.1"), 0);
	assert_int_equal(size_of("log.gz.new"), 13);
	sinks_let_go(logger);
	other = open_other(LOCK_EX);
	assert_return_code(rename(path, tempdir_path("log.1")), errno);
	close(other);
	serve_lines(1);
	assert_int_equal(size_of("log"), 50);
	assert_int_equal(size_of("log.1"), 200);
	stop();
}

/* A child of the logger's that is on its way with a large one: the file that is written is not held
 * by it; and if it is ended nothing comes of it. */
static void test_compression_holds_no_file(void **state)
{
	siginfo_t end = {0};
	int other;

	(void)state;
	start();
	for (size_t i = 0; i < sizeof(content) - 1; i++)
		content[i] = (char)(' ' + (i * i + i / 7) % 90);
	serve_lines(1);
	tempdir_write("log.1", content, 0600);
	logger->sink[0].uid = geteuid();
	logger->sink[0].max_size = PLENTY;
	logger->sink[0].compress = true;
	rotate_pack(logger);
	assert_true(logger->packer > 0);
	sink_close(logger, &logger->sink[0]);
	other = open_other(LOCK_UN);
	while (place_lock(other, true) < 0)
		;
	assert_int_equal(waitid(P_PID, (id_t)logger->packer, &end, WEXITED | WNOWAIT | WNOHANG), 0);
	assert_int_equal(end.si_pid, 0);
	close(other);
	rotate_pack_no_more(logger);
	rotate_packed(logger);
	assert_int_equal(size_of("log.1.gz"), 0);
	assert_int_equal(size_of("log.1"), sizeof(content) - 1);
	stop();
}

/* --- one file under two names ---------------------------------------------------------------- */

/* The second one is opened before the first one's first line is written. */
static void test_two_names_known_from_the_beginning(void **state)
{
	char other[PATH_MAX];

	(void)state;
	tempdir_write("log", "", 0600);
	snprintf(path, sizeof(path), "%s", tempdir_path("log"));
	snprintf(other, sizeof(other), "%s", tempdir_path("./log"));
	loglab_make(&lab);
	loglab_add(&lab, &(struct loglab_stream){.name = "x", .sink = LOGGER_FILE, .path = path});
	loglab_add(&lab, &(struct loglab_stream){.name = "y", .sink = LOGGER_FILE, .path = other});
	logger = loglab_start(&lab);
	loglab_recover(logger);
	loglab_print(&lab, 0, "one ");
	loglab_serve(logger);
	loglab_print(&lab, 1, "another\n");
	loglab_serve(logger);
	loglab_print(&lab, 0, "line\n");
	loglab_serve(logger);
	file_read(path, content, sizeof(content));
	assert_string_equal(content, "another\none line\n");
	stop();
}

static void test_nothing_is_made_before_there_is_a_line(void **state)
{
	struct logger_message message;

	(void)state;
	start();
	assert_int_equal(access(path, F_OK), -1);
	stop();
	assert_return_code(mkfifo(path, 0600), errno);
	start();
	assert_false(loglab_heard(&lab, LOGGER_FAULT, &message));
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_new_file),
	    TEST(test_owner),
	    TEST(test_links),
	    TEST(test_links_of_strangers),
	    TEST(test_directories_of_strangers),
	    TEST(test_sticky_directory),
	    TEST(test_no_files),
	    TEST(test_rotation),
	    TEST(test_killed_rotation),
	    TEST(test_rotation_that_cannot_be),
	    TEST(test_copy_of_what_has_gone),
	    TEST(test_held_by_several_or_alone),
	    TEST(test_rotated_when_it_is_free),
	    TEST(test_file_that_is_never_free),
	    TEST(test_file_that_somebody_holds_alone),
	    TEST(test_line_that_is_cut_by_a_full_ring),
	    TEST(test_rotated_by_another_one),
	    TEST(test_noted_behind_what_others_write),
	    TEST(test_orphan_leaves_its_files_to_others),
	    TEST(test_compression_holds_no_file),
	    TEST(test_two_names_known_from_the_beginning),
	    TEST(test_nothing_is_made_before_there_is_a_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
