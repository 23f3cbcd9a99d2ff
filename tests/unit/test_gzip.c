/* A file compressed: gunzip gets back what was there, whatever the sizes, and whatever comes in
 * between; what fails says why. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "init/base.h"
#include "log/gzip.h"
#include "reaper/procs.h"
#include "tests/unit/tempdir.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	LARGE = 5 << 20,     /* bytes: much more than zlib sees at a time */
	UNSET = -77,         /* a result that was not given */
	PATIENCE_MS = 20000, /* for what another process is certain to do */
};

static char *bytes;              /* LARGE of them */
static volatile int *interrupts; /* signals that were handled, in any process */

static void on_signal(int number)
{
	(void)number;
	++*interrupts;
}

static int setup(void **state)
{
	struct sigaction action = {.sa_handler = on_signal}; /* without SA_RESTART */

	(void)state;
	tempdir_make();
	bytes = malloc(LARGE);
	interrupts = mmap(
	    NULL, sizeof(*interrupts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return bytes && interrupts != MAP_FAILED ? sigaction(SIGUSR1, &action, NULL) : -1;
}

static int teardown(void **state)
{
	(void)state;
	munmap((void *)(uintptr_t)interrupts, sizeof(*interrupts));
	free(bytes);
	tempdir_remove();
	return 0;
}

/* --- what is compressed, and whether it comes back ------------------------------------ */

/* Nothing that could be made smaller; always the same (xorshift32). */
static void fill_random(size_t size)
{
	uint32_t x = 2463534242u;

	for (size_t i = 0; i < size; i++) {
		x ^= x << 13;
		x ^= x >> 17;
		x ^= x << 5;
		bytes[i] = (char)(x >> 24);
	}
}

/* Lines as a service writes them. */
static void fill_text(size_t size)
{
	char line[100];

	for (size_t used = 0, number = 0; used < size; number++) {
		int length = snprintf(line, sizeof(line),
		    "2026-11-26T%02zu:%02zu:%02zu web[812]: GET /item/%zu 200 in %zu us\n",
		    number / 3600 % 24, number / 60 % 60, number % 60, number * 7919 % 10007,
		    number * number % 9973);
		size_t part = (size_t)length < size - used ? (size_t)length : size - used;
		memcpy(bytes + used, line, part);
		used += part;
	}
}

static const char *write_file(const char *name, size_t size)
{
	const char *path = tempdir_path(name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, size), size);
	close(fd);
	return path;
}

static int open_from(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static int open_to(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	return fd;
}

/* gzip_file() of two paths. */
static int compress_path(const char *from, const char *to, int64_t *ret_size)
{
	int from_fd = open_from(from);
	int to_fd = open_to(to);
	int error = gzip_file(from_fd, to_fd, ret_size);

	close(from_fd);
	close(to_fd);
	return error;
}

/* gzip(1) finds no fault in it, and what comes out is the file `plain`. */
static void assert_gunzips(const char *path, const char *plain)
{
	char command[3 * PATH_MAX];

	snprintf(command, sizeof(command), "gzip -dc <'%s' >'%s.out' && cmp '%s.out' '%s'", path,
	    path, path, plain);
	assert_int_equal(system(command), 0);
}

static int64_t size_of(const char *path)
{
	struct stat info;

	assert_int_equal(stat(path, &info), 0);
	return info.st_size;
}

/* The first `size` of `bytes`, there and back. The compressed size. */
static int64_t round_trip(size_t size)
{
	const char *from = write_file("plain", size);
	const char *to = tempdir_path("plain.gz");
	int64_t result = UNSET;

	unlink(to);
	assert_int_equal(compress_path(from, to, &result), 0);
	assert_int_equal(result, size_of(to));
	assert_gunzips(to, from);
	return result;
}

/* --- contents ------------------------------------------------------------------------ */

static void test_empty(void **state)
{
	(void)state;
	assert_int_equal(round_trip(0), 20); /* head, an empty block, check sum and size */
}

static void test_text(void **state)
{
	(void)state;
	fill_text(LARGE);
	int64_t size = round_trip(LARGE);
	assert_in_range(size, LARGE / 100, LARGE / 4);
}

static void test_random(void **state)
{
	(void)state;
	fill_random(LARGE);
	int64_t size = round_trip(LARGE);
	assert_in_range(size, LARGE, LARGE + LARGE / 1000);
}

/* Ends that fall on an end of a buffer, or beside it. */
static void test_sizes(void **state)
{
	(void)state;
	static const size_t sizes[] = {
	    1, 2, 16383, 16384, 16385, 32767, 32768, 32769, 65536, 65537};

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		fill_random(sizes[i]);
		round_trip(sizes[i]);
		fill_text(sizes[i]);
		round_trip(sizes[i]);
	}
}

/* --- the head ------------------------------------------------------------------------- */

/* Compresses a file with this time of change; what the member says of
 * it, and what the file does. */
static uint32_t time_in_head(time_t changed, time_t *ret_kept)
{
	const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = changed}};
	const char *from = tempdir_write("timed", "one line\n", 0600);
	const char *to = tempdir_path("timed.gz");
	unsigned char head[100];
	struct stat info;
	int64_t size;

	assert_int_equal(utimensat(AT_FDCWD, from, times, 0), 0);
	assert_int_equal(stat(from, &info), 0);
	*ret_kept = info.st_mtime;
	assert_int_equal(compress_path(from, to, &size), 0);
	assert_true(file_read(to, (char *)head, sizeof(head)) >= 20);
	/* RFC 1952: magic, deflate, no name, no comment; after the time: neither the best nor the
	 * fastest, Unix. */
	assert_memory_equal(head, "\x1f\x8b\x08\x00", 4);
	assert_memory_equal(head + 8, "\x00\x03", 2);
	return head[4] | (uint32_t)head[5] << 8 | (uint32_t)head[6] << 16 | (uint32_t)head[7] << 24;
}

static void test_time(void **state)
{
	(void)state;
	static const time_t times[] = {0, 1, 1795732953, INT32_MAX};
	time_t kept;

	for (size_t i = 0; i < ARRAY_LEN(times); i++)
		assert_int_equal(time_in_head(times[i], &kept), times[i]);
}

static void test_time_without_room(void **state)
{
	(void)state;
	static const int64_t times[] = {-1, -2000000000, UINT32_MAX, (int64_t)UINT32_MAX + 1};

	for (size_t i = 0; i < ARRAY_LEN(times); i++) {
		time_t kept; /* there are file systems without room for it, either */
		uint32_t got = time_in_head((time_t)times[i], &kept);
		assert_int_equal(got, kept >= 0 && kept <= UINT32_MAX ? kept : 0);
	}
}

static void test_the_same_again(void **state)
{
	(void)state;
	fill_text(100000);
	const char *from = write_file("plain", 100000);
	const char *first = tempdir_path("first.gz");
	const char *second = tempdir_path("second.gz");
	static char one[100000], two[100000];
	int64_t size;

	assert_int_equal(compress_path(from, first, &size), 0);
	assert_int_equal(compress_path(from, second, &size), 0);
	assert_int_equal(file_read(first, one, sizeof(one)), size);
	assert_int_equal(file_read(second, two, sizeof(two)), size);
	assert_memory_equal(one, two, (size_t)size);
}

/* --- places and kinds ------------------------------------------------------------------ */

/* From where the one stands to where the other stands: two members, which gunzip takes for one
 * file. */
static void test_present_positions(void **state)
{
	(void)state;
	const char *from = tempdir_write("whole", "left out\nfirst\nsecond\n", 0600);
	const char *more = tempdir_write("more", "third\n", 0600);
	const char *to = tempdir_path("two.gz");
	int from_fd = open_from(from), more_fd = open_from(more), to_fd = open_to(to);
	int64_t first = UNSET, second = UNSET;

	assert_int_equal(
	    lseek(from_fd, (off_t)strlen("left out\n"), SEEK_SET), strlen("left out\n"));
	assert_int_equal(gzip_file(from_fd, to_fd, &first), 0);
	assert_int_equal(size_of(to), first);
	assert_int_equal(gzip_file(more_fd, to_fd, &second), 0);
	assert_int_equal(size_of(to), first + second);
	/* At its end there is nothing more. */
	assert_int_equal(gzip_file(from_fd, to_fd, &second), 0);
	assert_int_equal(second, 20);
	close(from_fd);
	close(more_fd);
	close(to_fd);
	assert_gunzips(to, tempdir_write("expected", "first\nsecond\nthird\n", 0600));
}

/* The result stays unset, and the descriptors open. */
static void assert_fails(int from_fd, int to_fd, int expected)
{
	int64_t size = UNSET;

	assert_int_equal(gzip_file(from_fd, to_fd, &size), expected);
	assert_int_equal(size, UNSET);
}

static void test_what_cannot_be_read(void **state)
{
	(void)state;
	int directory = open_from(tempdir_path(""));
	int to_fd = open_to(tempdir_path("to.gz"));

	assert_fails(directory, to_fd, -EISDIR);
	assert_fails(-1, to_fd, -EBADF);
	assert_fails(to_fd, to_fd, -EBADF); /* for writing only */
	close(directory);
	close(to_fd);
}

static void test_what_cannot_be_written(void **state)
{
	(void)state;
	fill_random(LARGE);
	int small = open_from(tempdir_write("small", "one line\n", 0600));
	int large = open_from(write_file("large", LARGE));
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

	assert_true(full >= 0);
	assert_fails(small, full, -ENOSPC);
	assert_fails(large, full, -ENOSPC);
	assert_true(lseek(large, 0, SEEK_CUR) < LARGE); /* it did not read on in vain */
	assert_fails(large, small, -EBADF);
	assert_fails(large, -1, -EBADF);
	close(small);
	close(large);
	close(full);
}

/* The room ends in the middle of a write, which is then a short one. */
static void test_target_that_fills_up(void **state)
{
	(void)state;
	struct rlimit limit, less;
	const char *to = tempdir_path("cut.gz");
	int64_t size = UNSET;

	fill_random(LARGE);
	const char *from = write_file("large", LARGE);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	less = (struct rlimit){100000, limit.rlim_max};
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &less), 0);
	int error = compress_path(from, to, &size);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	signal(SIGXFSZ, SIG_DFL);
	assert_int_equal(error, -EFBIG);
	assert_int_equal(size, UNSET);
	assert_int_equal(size_of(to), 100000);
}

/* --- writes that are short, calls that are interrupted ---------------------------------- */

/* gzip_file() in a process of its own, which has `not_its` closed;
 * exits with 0 if all went well. */
static pid_t start_compressing(int from_fd, int to_fd, int not_its)
{
	pid_t pid = fork();

	if (pid == 0) {
		int64_t size = UNSET;
		close(not_its);
		_exit(gzip_file(from_fd, to_fd, &size) != 0 || size <= 0);
	}
	assert_true(pid > 0);
	return pid;
}

static void assert_ends_well(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static bool is_asleep(pid_t pid)
{
	pid_t parent;
	char letter;

	return procs_stat(pid, &letter, &parent) && letter == 'S';
}

/* Waits until it sleeps, which it does nowhere but in read(2) or write(2); has that interrupted. */
static void interrupt(pid_t pid)
{
	int before = *interrupts;
	int left = PATIENCE_MS;

	while (!is_asleep(pid) && left-- > 0)
		poll(NULL, 0, 1);
	assert_int_equal(kill(pid, SIGUSR1), 0);
	while (*interrupts == before && left-- > 0)
		poll(NULL, 0, 1);
	assert_true(left > 0);
}

static void wait_until_full(int fd, int capacity)
{
	int there = 0;

	for (int left = PATIENCE_MS; there < capacity; left--) {
		assert_int_equal(ioctl(fd, FIONREAD, &there), 0);
		assert_true(left > 0);
		poll(NULL, 0, 1);
	}
}

/* Appends what a pipe has to a file, at most `size` bytes; false at the pipe's end. */
static bool take(int pipe_fd, int to_fd, size_t size)
{
	static char part[1 << 16];
	ssize_t count = read(pipe_fd, part, size < sizeof(part) ? size : sizeof(part));

	assert_true(count >= 0);
	assert_int_equal(write(to_fd, part, (size_t)count), count);
	return count > 0;
}

/* A pipe that is smaller than one write: the first interruption makes that a short one, or finds
 * nothing of it written, as the second does. */
static void test_interrupted_writes(void **state)
{
	(void)state;
	enum { SIZE = 1 << 20, ROUNDS = 5 };
	int ends[2];

	fill_random(SIZE);
	const char *from = write_file("plain", SIZE);
	const char *to = tempdir_path("plain.gz");
	int from_fd = open_from(from), to_fd = open_to(to);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	int capacity = fcntl(ends[1], F_SETPIPE_SZ, 4096); /* or a page, where that is more */
	assert_in_range(capacity, 1, SIZE / (2 * ROUNDS));

	pid_t pid = start_compressing(from_fd, ends[1], ends[0]);
	close(ends[1]);
	for (int i = 0; i < ROUNDS; i++) {
		wait_until_full(ends[0], capacity);
		interrupt(pid);
		interrupt(pid);
		take(ends[0], to_fd, (size_t)capacity);
	}
	while (take(ends[0], to_fd, SIZE))
		;
	close(ends[0]);
	close(from_fd);
	close(to_fd);
	assert_ends_well(pid);
	assert_gunzips(to, from);
}

static void test_interrupted_reads(void **state)
{
	(void)state;
	const char *to = tempdir_path("piped.gz");
	int to_fd = open_to(to);
	unsigned char head[10];
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	pid_t pid = start_compressing(ends[0], to_fd, ends[1]);
	interrupt(pid);
	assert_int_equal(write(ends[1], "first\n", 6), 6);
	interrupt(pid);
	assert_int_equal(write(ends[1], "second\n", 7), 7);
	close(ends[1]);
	assert_ends_well(pid);
	close(ends[0]);
	close(to_fd);
	assert_gunzips(to, tempdir_write("expected", "first\nsecond\n", 0600));
	/* And a pipe has no time. */
	file_read(to, (char *)head, sizeof(head));
	assert_memory_equal(head + 4, "\0\0\0\0", 4);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_empty),
	    TEST(test_text),
	    TEST(test_random),
	    TEST(test_sizes),
	    TEST(test_time),
	    TEST(test_time_without_room),
	    TEST(test_the_same_again),
	    TEST(test_present_positions),
	    TEST(test_what_cannot_be_read),
	    TEST(test_what_cannot_be_written),
	    TEST(test_target_that_fills_up),
	    TEST(test_interrupted_writes),
	    TEST(test_interrupted_reads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
