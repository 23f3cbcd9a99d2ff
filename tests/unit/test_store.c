/* The store of captured output as its readers see it: broken files, rings that wrap, a logger
 * that goes on writing, marks, lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/store_lab.h"
#include "tests/unit/tempdir.h"

#include "init/base.h"
#include "log/store_read.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CAPACITY = 3, PERIOD = 65521 };

static const char *directory;
static int dirfd_of_test;
static struct store_lab lab;
static struct store_reader reader;
static char bytes[STORE_RING];

static int set_up(void **state)
{
	(void)state;
	directory = tempdir_make();
	dirfd_of_test = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	store_lab_make(&lab, dirfd_of_test, CAPACITY);
	return store_read_open(&reader, directory);
}

static int tear_down(void **state)
{
	(void)state;
	store_read_close(&reader);
	store_lab_free(&lab);
	close(dirfd_of_test);
	tempdir_remove();
	return 0;
}

/* The byte that stands at each position: again the same after PERIOD, a prime number. */
static char byte_at(uint64_t position)
{
	uint64_t at = position % PERIOD;

	return (char)(at * 7 + at / 251);
}

static void write_pattern(uint32_t stream, size_t size)
{
	static char pattern[5 * PERIOD];

	if (!pattern[1])
		for (size_t i = 0; i < sizeof(pattern); i++)
			pattern[i] = byte_at(i);
	store_stream(lab.head, stream)->used = 1;
	store_lab_write(
	    &lab, stream, pattern + store_stream(lab.head, stream)->head % PERIOD, size);
}

static size_t wrong_bytes(uint64_t from, size_t size)
{
	size_t wrong = 0;

	for (size_t i = 0; i < size; i++)
		wrong += bytes[i] != byte_at(from + i);
	return wrong;
}

/* Copies [from, to), and expects [first, end) of it, which is all there will ever be. */
static void expect_copy(uint32_t stream, uint64_t from, uint64_t to, uint64_t first, uint64_t end)
{
	uint64_t begin = from;
	size_t size;

	assert_true(store_read_copy(&reader, stream, &begin, to, bytes, &size));
	assert_int_equal(begin, first);
	assert_int_equal(size, end - first);
	assert_int_equal(wrong_bytes(begin, size), 0);
}

/* --- The file ------------------------------------------------------------------------- */

static int open_again(void)
{
	struct store_reader again = {0};
	int rc = store_read_open(&again, directory);

	store_read_close(&again);
	return rc;
}

static void test_broken_files(void **state)
{
	struct store_head *head = lab.head;
	struct store_head good = *head;

	(void)state;
	assert_int_equal(open_again(), 0);
	head->magic++;
	assert_int_equal(open_again(), -EPROTO);
	*head = good;
	head->version++;
	assert_int_equal(open_again(), -EPROTO);
	*head = good;
	head->rings += STORE_RING;
	assert_int_equal(open_again(), -EPROTO);
	*head = good;
	head->capacity++; /* the file is too short for it */
	assert_int_equal(open_again(), -EPROTO);
	head->capacity = UINT32_MAX;
	assert_int_equal(open_again(), -EPROTO);
	*head = good;
	assert_int_equal(open_again(), 0);
	assert_int_equal(ftruncate(lab.fd, (off_t)lab.size + 1), 0);
	assert_int_equal(open_again(), 0);
	assert_int_equal(ftruncate(lab.fd, (off_t)lab.size - 1), 0);
	assert_int_equal(open_again(), -EPROTO);
	assert_int_equal(ftruncate(lab.fd, sizeof(*head) - 1), 0);
	assert_int_equal(open_again(), -EPROTO);
	assert_int_equal(ftruncate(lab.fd, 0), 0);
	assert_int_equal(open_again(), -EPROTO);
}

static void test_other_files(void **state)
{
	struct store_reader none;

	(void)state;
	assert_int_equal(unlinkat(dirfd_of_test, STORE_FILE, 0), 0);
	assert_int_equal(open_again(), -ENOENT);
	assert_int_equal(mkfifoat(dirfd_of_test, STORE_FILE, 0600), 0);
	assert_int_equal(open_again(), -EPROTO); /* and does not wait for a writer */
	assert_int_equal(unlinkat(dirfd_of_test, STORE_FILE, 0), 0);
	assert_int_equal(symlinkat("elsewhere", dirfd_of_test, STORE_FILE), 0);
	assert_int_equal(open_again(), -ELOOP);
	assert_int_equal(store_read_open(&none, tempdir_path("nowhere")), -ENOENT);
	assert_int_equal(store_read_map(&none, dirfd_of_test), -EPROTO);
	assert_int_equal(store_read_map(&none, -1), -EBADF);
}

static void test_given_descriptor(void **state)
{
	struct store_reader given;

	(void)state;
	assert_int_equal(store_read_map(&given, lab.fd), 0);
	assert_int_equal(given.capacity, CAPACITY);
	store_read_close(&given);
	assert_int_equal(given.capacity, 0);
	assert_true(fcntl(lab.fd, F_GETFD) >= 0);
}

/* What the head says later is not asked. */
static void test_head_is_not_believed(void **state)
{
	struct store_who who;

	(void)state;
	write_pattern(1, 100);
	lab.head->capacity = 1000;
	lab.head->rings = 0;
	expect_copy(1, 0, UINT64_MAX, 0, 100);
	assert_false(store_read_who(&reader, CAPACITY, &who));
	assert_false(store_read_who(&reader, UINT32_MAX, &who));
}

/* --- Whose streams -------------------------------------------------------------------- */

static void test_who(void **state)
{
	struct store_who who;
	uint32_t stream = 99;

	(void)state;
	assert_false(store_read_who(&reader, 0, &who));
	store_lab_add(&lab, "web", STORE_OUTPUT);
	store_lab_add(&lab, "web", STORE_ERROR);
	store_lab_add(&lab, "", STORE_SYSLOG);
	assert_true(store_read_who(&reader, 1, &who));
	assert_string_equal(who.name, "web");
	assert_int_equal(who.kind, STORE_ERROR);
	assert_true(store_read_find(&reader, "web", STORE_ERROR, &stream));
	assert_int_equal(stream, 1);
	assert_true(store_read_find(&reader, "web", STORE_OUTPUT, &stream));
	assert_int_equal(stream, 0);
	assert_true(store_read_find(&reader, "", STORE_SYSLOG, &stream));
	assert_int_equal(stream, 2);
	assert_false(store_read_find(&reader, "we", STORE_OUTPUT, &stream));
	assert_false(store_read_find(&reader, "", STORE_SINIT, &stream));
	store_stream(lab.head, 0)->kind = STORE_SINIT + 1;
	assert_false(store_read_who(&reader, 0, &who));
	memset(store_stream(lab.head, 1)->name, 'x', BOARD_NAME);
	assert_true(store_read_who(&reader, 1, &who));
	assert_int_equal(strlen(who.name), BOARD_NAME - 1);
}

/* --- Bytes ---------------------------------------------------------------------------- */

static void test_copy(void **state)
{
	(void)state;
	expect_copy(1, 0, UINT64_MAX, 0, 0);
	write_pattern(1, 1000);
	assert_int_equal(store_read_head(&reader, 1), 1000);
	expect_copy(1, 0, UINT64_MAX, 0, 1000);
	expect_copy(1, 10, 20, 10, 20);
	expect_copy(1, 1000, UINT64_MAX, 1000, 1000);
	expect_copy(1, 20, 10, 20, 20);
	expect_copy(1, 5000, UINT64_MAX, 5000, 5000); /* not written yet */
	expect_copy(0, 0, UINT64_MAX, 0, 0);
}

/* PID 1 gives its ring back, and has said so before. */
static void test_given_up(void **state)
{
	(void)state;
	write_pattern(1, 1000);
	store_stream(lab.head, 1)->used = 0;
	memset((char *)lab.head + store_rings(CAPACITY) + STORE_RING, 0, STORE_RING);
	expect_copy(1, 0, UINT64_MAX, 0, 0);
}

static void test_wrapped(void **state)
{
	(void)state;
	write_pattern(2, STORE_RING);
	expect_copy(2, 0, UINT64_MAX, 0, STORE_RING);
	write_pattern(2, 1);
	expect_copy(2, 0, UINT64_MAX, 1, STORE_RING + 1);
	write_pattern(2, 3 * STORE_RING + 77);
	uint64_t head = 4 * (uint64_t)STORE_RING + 78;
	expect_copy(2, 0, UINT64_MAX, head - STORE_RING, head);
	expect_copy(2, head - 100, head - 50, head - 100, head - 50);
	/* All over the seam. */
	expect_copy(2, 4 * (uint64_t)STORE_RING - 5, 4 * (uint64_t)STORE_RING + 5,
	    4 * (uint64_t)STORE_RING - 5, 4 * (uint64_t)STORE_RING + 5);
	/* All of it overwritten. */
	expect_copy(2, 10, 500, 500, 500);
}

/* Copies all from `from` on, and expects [first, end), of which more may come back. */
static void expect_part(uint32_t stream, uint64_t from, uint64_t first, uint64_t end)
{
	uint64_t begin = from;
	size_t size;

	assert_false(store_read_copy(&reader, stream, &begin, UINT64_MAX, bytes, &size));
	assert_int_equal(begin, first);
	assert_int_equal(size, end - first);
	assert_int_equal(wrong_bytes(begin, size), 0);
}

/* What a logger was writing when it was killed is not given, nor what that overwrote. */
static void test_busy(void **state)
{
	struct store_stream *s = store_stream(lab.head, 0);
	uint64_t head = STORE_RING + 1000;

	(void)state;
	write_pattern(0, (size_t)head);
	s->busy = head + 10;
	expect_copy(0, 0, UINT64_MAX, head + 10 - STORE_RING, head);
	expect_copy(0, head - 10, UINT64_MAX, head - 10, head);
	expect_part(0, head + 5 - STORE_RING, head + 10 - STORE_RING, head);
	s->busy = head + STORE_RING;
	expect_part(0, head - 10, head, head);
	s->busy = UINT64_MAX;
	expect_part(0, 0, head, head);
	s->busy = head;
	expect_copy(0, 0, UINT64_MAX, head - STORE_RING, head);
	s->busy = 0;
	expect_copy(0, 0, UINT64_MAX, head - STORE_RING, head);
}

/* Nothing leads out of the mapping; what is given does not matter. */
static void test_numbers_of_every_size(void **state)
{
	static const uint64_t numbers[] = {0, 1, STORE_RING - 1, STORE_RING, STORE_RING + 1,
	    UINT32_MAX, INT64_MAX, UINT64_MAX - STORE_RING, UINT64_MAX - 1, UINT64_MAX};
	struct store_stream *s = store_stream(lab.head, CAPACITY - 1);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		for (size_t j = 0; j < ARRAY_LEN(numbers); j++) {
			uint64_t from = numbers[j];
			s->head = s->busy = numbers[i];
			size_t size;
			store_read_copy(&reader, CAPACITY - 1, &from, UINT64_MAX, bytes, &size);
			assert_true(size <= STORE_RING);
			assert_true(from >= numbers[j] && (!size || from + size == numbers[i]));
		}
}

static char *slow; /* a buffer that cannot be written before the logger has gone on */

static void go_on(int signal)
{
	(void)signal;
	write_pattern(0, 40000);
	mprotect(slow, STORE_RING, PROT_READ | PROT_WRITE);
}

/* What is overwritten in the middle of a copy is not given. */
static void test_overtaken(void **state)
{
	struct sigaction action = {.sa_handler = go_on}, before;
	uint64_t from = 0;

	(void)state;
	write_pattern(0, STORE_RING + 100);
	slow = mmap(NULL, STORE_RING, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(slow, MAP_FAILED);
	sigaction(SIGSEGV, &action, &before);
	size_t size;
	assert_true(store_read_copy(&reader, 0, &from, UINT64_MAX, slow, &size));
	sigaction(SIGSEGV, &before, NULL);
	assert_int_equal(from, 40100);
	assert_int_equal(size, STORE_RING + 100 - 40100);
	memcpy(bytes, slow, size);
	assert_int_equal(wrong_bytes(from, size), 0);
	munmap(slow, STORE_RING);
}

/* Every byte that is given is the one of its position, whatever is written meanwhile. */
static void test_moving(void **state)
{
	enum { ROUNDS = 5000 }; /* that the writer makes through the ring */
	uint64_t seen = 0, position = 0;
	size_t wrong = 0;

	(void)state;
	write_pattern(0, 10);
	pid_t writer = fork();
	if (writer == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (size_t i = 0;; i++)
			write_pattern(0, i * 37 % 60000);
	}
	for (unsigned i = 0; position < (uint64_t)ROUNDS * STORE_RING; i++) {
		uint64_t from = i % 2 ? position : 0; /* all there is, or what is new */
		size_t size;
		store_read_copy(&reader, 0, &from, UINT64_MAX, bytes, &size);
		wrong += wrong_bytes(from, size);
		seen += size;
		position = from + size;
	}
	kill(writer, SIGKILL);
	assert_int_equal(waitpid(writer, NULL, 0), writer);
	assert_int_equal(wrong, 0);
	assert_true(seen > 0);
}

/* --- Marks ---------------------------------------------------------------------------- */

static void expect_mark(uint64_t event, uint64_t begin, uint64_t end)
{
	uint64_t first = 1, last = 1;

	assert_true(store_read_mark(&reader, 0, event, &first, &last));
	assert_int_equal(first, begin);
	assert_int_equal(last, end);
}

static void test_marks(void **state)
{
	uint64_t begin = 0, end = 0;

	(void)state;
	assert_false(store_read_mark(&reader, 0, 0, &begin, &end));
	assert_false(store_read_mark(&reader, 0, 5, &begin, &end));
	write_pattern(0, 100);
	store_lab_mark(&lab, 0, 5);
	expect_mark(5, 0, 100);
	write_pattern(0, 50);
	store_lab_mark(&lab, 0, 9);
	expect_mark(5, 0, 100);
	expect_mark(9, 100, 150);
	assert_false(store_read_mark(&reader, 0, 7, &begin, &end));
	assert_false(store_read_mark(&reader, 1, 5, &begin, &end));
	for (uint64_t i = 0; i < STORE_MARKS; i++) {
		write_pattern(0, 1);
		store_lab_mark(&lab, 0, 20 + i);
	}
	assert_false(store_read_mark(&reader, 0, 9, &begin, &end));
	expect_mark(20, 0, 151); /* the end before it is not known any more */
	expect_mark(21, 151, 152);
	expect_mark(27, 157, 158);
	/* Numbers that make no sense. */
	store_stream(lab.head, 0)->mark[0].position = 3;
	store_stream(lab.head, 0)->mark[1].position = UINT64_MAX;
	for (uint64_t i = 0; i < STORE_MARKS; i++)
		if (store_read_mark(&reader, 0, 20 + i, &begin, &end))
			assert_true(begin <= end);
}

/* Where lives ended is known from their marks, and of the last one that was dealt with. */
static void test_ends(void **state)
{
	(void)state;
	assert_int_equal(store_read_end(&reader, 0, 0), UINT64_MAX);
	write_pattern(0, 100);
	store_lab_mark(&lab, 0, 5);
	write_pattern(0, 50);
	store_lab_mark(&lab, 0, 9);
	store_stream(lab.head, 0)->end = 120;
	assert_int_equal(store_read_end(&reader, 0, 0), 100);
	assert_int_equal(store_read_end(&reader, 0, 99), 100);
	assert_int_equal(store_read_end(&reader, 0, 100), 120);
	assert_int_equal(store_read_end(&reader, 0, 120), 150);
	assert_int_equal(store_read_end(&reader, 0, 150), UINT64_MAX);
}

/* --- Lines ---------------------------------------------------------------------------- */

static void test_tail(void **state)
{
	static const struct {
		const char *bytes;
		uint32_t lines;
		bool whole;
		const char *expected;
	} cases[] = {
	    {"", 5, true, ""},
	    {"", 5, false, ""},
	    {"a\nb\nc\n", 2, true, "b\nc\n"},
	    {"a\nb\nc", 2, true, "b\nc"},
	    {"a\nb\nc\n", 3, true, "a\nb\nc\n"},
	    {"a\nb\nc\n", 9, true, "a\nb\nc\n"},
	    {"a\nb\nc\n", 0, true, ""},
	    {"a\nb\nc\n", 9, false, "b\nc\n"},
	    {"a\nb\nc\n", 2, false, "b\nc\n"},
	    {"a\nb\nc\n", 1, false, "c\n"},
	    {"\nb\n", 9, false, "b\n"},
	    {"\n\n\n", 2, true, "\n\n"},
	    {"cut", 9, false, "cut"},
	    {"cut\n", 9, false, "cut\n"},
	    {"cut", 0, false, ""},
	    {"\n", 1, true, "\n"},
	    {"a", 1, true, "a"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		size_t size = strlen(cases[i].bytes);
		size_t start =
		    store_read_tail(cases[i].bytes, size, cases[i].lines, cases[i].whole);
		assert_true(start <= size);
		assert_string_equal(cases[i].bytes + start, cases[i].expected);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_broken_files),
	    TEST(test_other_files),
	    TEST(test_given_descriptor),
	    TEST(test_head_is_not_believed),
	    TEST(test_who),
	    TEST(test_copy),
	    TEST(test_given_up),
	    TEST(test_wrapped),
	    TEST(test_busy),
	    TEST(test_numbers_of_every_size),
	    TEST(test_overtaken),
	    TEST(test_moving),
	    TEST(test_marks),
	    TEST(test_ends),
	    cmocka_unit_test(test_tail),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
