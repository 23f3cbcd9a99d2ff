/* The board: what is written is what others read, whatever state it is in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "init/board.h"
#include "tests/unit/tempdir.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int dirfd_of_test;

static int setup(void **state)
{
	(void)state;
	dirfd_of_test = open(tempdir_make(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dirfd_of_test < 0;
}

static int teardown(void **state)
{
	(void)state;
	close(dirfd_of_test);
	tempdir_remove();
	return 0;
}

static struct board create(uint32_t capacity)
{
	struct board board;

	assert_int_equal(board_create(&board, dirfd_of_test, capacity), 0);
	return board;
}

/* --- Creation ---------------------------------------------------------------------- */

static void test_create(void **state)
{
	(void)state;
	mode_t before = umask(077);
	struct board board = create(10);
	struct stat info;
	umask(before);

	assert_true(board.file);
	assert_int_equal(stat(tempdir_path("board"), &info), 0);
	assert_int_equal(info.st_mode & 07777, 0644);
	assert_int_equal(info.st_size, board.size);
	/* Its space is there already. */
	assert_true((size_t)info.st_blocks * 512 >= board.size);
	assert_int_equal(board.head->magic, BOARD_MAGIC);
	assert_int_equal(board.head->capacity, 10);
	assert_int_equal(board.head->pid, getpid());
	assert_int_equal(board.head->count, 0);
	assert_true(fcntl(board.fd, F_GETFD) & FD_CLOEXEC);
	board_close(&board);
	assert_null(board.head);
}

static void test_old_board_is_replaced_not_overwritten(void **state)
{
	(void)state;
	struct board old = create(3);
	old.head->count = 3;
	tempdir_write(".board.new", "left over", 0600);
	struct board new = create(5);

	assert_int_equal(new.head->count, 0);
	assert_int_equal(old.head->count, 3);
	assert_int_equal(old.head->capacity, 3);
	assert_int_not_equal(access(tempdir_path(".board.new"), F_OK), 0);
	board_close(&old);
	board_close(&new);
}

static void usable_without_a_file(struct board *board)
{
	struct board_event event = {.kind = EV_START};

	assert_false(board->file);
	board_event(board, &event, 5);
	board->head->count = 1;
	board_begin(&board->services[0]);
	board->services[0].used = 1;
	board_end(&board->services[0]);
	struct board_service service;
	assert_true(board_read(board, 0, &service));
	board_close(board);
}

static void test_memory_where_no_file_can_be(void **state)
{
	(void)state;
	struct board board;
	int proc = open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_int_equal(board_create(&board, -1, 4), 0);
	usable_without_a_file(&board);
	assert_int_equal(board_create(&board, proc, 4), 0);
	usable_without_a_file(&board);
	close(proc);

	/* The name is taken by something that rename(2) does not replace. */
	assert_int_equal(mkdir(tempdir_path("board"), 0755), 0);
	assert_int_equal(board_create(&board, dirfd_of_test, 4), 0);
	assert_int_not_equal(access(tempdir_path(".board.new"), F_OK), 0);
	usable_without_a_file(&board);
}

static void test_file_size_limit(void **state)
{
	(void)state;
	struct board board;
	struct rlimit old, none;
	sigset_t set, before;

	sigemptyset(&set);
	sigaddset(&set, SIGXFSZ);
	sigprocmask(SIG_BLOCK, &set, &before);
	getrlimit(RLIMIT_FSIZE, &old);
	none = (struct rlimit){.rlim_cur = 0, .rlim_max = old.rlim_max};
	setrlimit(RLIMIT_FSIZE, &none);
	int result = board_create(&board, dirfd_of_test, 4);
	setrlimit(RLIMIT_FSIZE, &old);
	assert_int_equal(result, 0);
	usable_without_a_file(&board);
	sigtimedwait(&set, NULL, &(struct timespec){0});
	sigprocmask(SIG_SETMASK, &before, NULL);
}

/* In a child with a mount namespace of its own: 77 if that cannot be had. */
static int on_a_full_tmpfs(void)
{
	struct board board;
	const char *path = tempdir_path("full");

	mkdir(path, 0755);
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", path, "tmpfs", 0, "size=64k") < 0)
		return 77;
	int dirfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (board_create(&board, dirfd, 500) != 0 || board.file)
		return 1;
	memset(board.services, 1, 500 * sizeof(*board.services)); /* SIGBUS without the space */
	return access(tempdir_path("full/.board.new"), F_OK) == 0;
}

static void test_full_tmpfs(void **state)
{
	(void)state;
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(on_a_full_tmpfs());
	waitpid(pid, &status, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(status, 0);
}

static void test_too_many_services(void **state)
{
	(void)state;
	struct board board;

	assert_int_equal(board_create(&board, dirfd_of_test, UINT32_MAX), -E2BIG);
}

/* --- Records ----------------------------------------------------------------------- */

static void write_record(struct board_service *service, uint32_t n)
{
	board_begin(service);
	service->used = 1;
	service->pid = (int32_t)n;
	memset(service->name, 'a' + (int)(n % 26), BOARD_NAME - 1);
	service->exit_time = n;
	board_end(service);
}

static bool is_whole(const struct board_service *service)
{
	uint32_t n = (uint32_t)service->pid;

	for (size_t i = 0; i < BOARD_NAME - 1; i++)
		if (service->name[i] != 'a' + (int)(n % 26))
			return false;
	return service->exit_time == n;
}

static void test_records_are_read_whole(void **state)
{
	(void)state;
	struct board board = create(2);
	struct board_service copy;
	int status;

	board.head->count = 1;
	write_record(&board.services[0], 1);
	pid_t writer = fork();
	if (writer == 0) {
		for (uint32_t n = 2;; n++) {
			write_record(&board.services[0], n);
			for (volatile int pause = 0; pause < 1000; pause++)
				;
		}
	}
	unsigned changes = 0;
	int32_t last = 0;
	int torn = 0;
	alarm(60); /* the writer may not get a CPU at once, but it must get one */
	for (int i = 0; i < 20000 || changes < 1000; i++) {
		/* Where the writer has lost its CPU in the middle for too long, it is odd and says
		 * so. */
		torn += !board_read(&board, 0, &copy) || (copy.seq % 2 == 0 && !is_whole(&copy));
		changes += copy.pid != last;
		last = copy.pid;
	}
	alarm(0);
	kill(writer, SIGKILL);
	waitpid(writer, &status, 0);
	assert_int_equal(torn, 0);
	board_close(&board);
}

static void test_reader_of_a_stopped_writer_goes_on(void **state)
{
	(void)state;
	struct board board = create(2);
	struct board_service copy;

	board.head->count = 1;
	write_record(&board.services[0], 7);
	board_begin(&board.services[0]);
	assert_true(board_read(&board, 0, &copy));
	assert_int_equal(copy.pid, 7);
	/* One that died there is followed by one that begins anew. */
	board_begin(&board.services[0]);
	assert_int_equal(board.services[0].seq % 2, 1);
	board_end(&board.services[0]);
	assert_int_equal(board.services[0].seq % 2, 0);
	board_close(&board);
}

static void test_slots_that_are_not_there(void **state)
{
	(void)state;
	struct board board = create(2);
	struct board_service copy;

	board.head->count = 1;
	assert_false(board_read(&board, 0, &copy)); /* free */
	write_record(&board.services[1], 1);
	assert_false(board_read(&board, 1, &copy)); /* not counted */
	board.head->count = UINT32_MAX;             /* a lie */
	assert_true(board_read(&board, 1, &copy));
	assert_false(board_read(&board, 1000, &copy));
	board_close(&board);
}

static struct board_words words_of(const struct board *board, uint32_t slot)
{
	struct board_words words;

	memset(&words, 'x', sizeof(words));
	board_read_words(board, slot, &board->services[slot], &words);
	return words;
}

static void test_words(void **state)
{
	(void)state;
	struct board board = create(300), other, moved;
	struct board_words words = {.status = "at work", .thief = "nginx"};
	enum board_life life;
	struct stat info;

	board.services[299].said = SAID_STATUS; /* a lie: nothing has been written */
	assert_string_equal(words_of(&board, 299).status, "");
	assert_int_equal(board_write_words(&board, 299, &words), 0);
	assert_string_equal(words_of(&board, 299).status, "at work");
	assert_string_equal(words_of(&board, 299).thief, "");
	board.services[299].said |= SAID_THIEF;
	assert_string_equal(words_of(&board, 299).thief, "nginx");
	assert_string_equal(words_of(&board, 298).status, "");
	/* The others take no space. */
	assert_int_equal(fstat(board.fd, &info), 0);
	assert_true((size_t)info.st_blocks * 512 < board.size + 3 * 4096);

	memset(words.status, 'y', sizeof(words.status));
	board.services[3].said = SAID_STATUS;
	assert_int_equal(board_write_words(&board, 3, &words), 0);
	assert_int_equal(strlen(words_of(&board, 3).status), sizeof(words.status) - 1);

	assert_int_equal(board_open(&other, tempdir_path("."), &life), 0);
	assert_string_equal(words_of(&other, 299).status, "at work");
	board_close(&other);

	assert_int_equal(board_create(&moved, -1, 300), 0);
	board_copy(&moved, &board);
	assert_string_equal(words_of(&moved, 299).thief, "nginx");
	assert_string_equal(words_of(&moved, 298).status, "");
	board_close(&moved);
	board_close(&board);
}

static void test_events(void **state)
{
	(void)state;
	struct board board = create(1);
	struct board_event event = {.kind = EV_EXIT, .seq = 99, .time = 99}, copy;

	memset(event.name, 'x', sizeof(event.name));
	assert_false(board_read_event(&board, 0, &copy));
	assert_false(board_read_event(&board, 1, &copy));
	for (int i = 1; i <= 3000; i++) {
		event.code = i;
		board_event(&board, &event, i * 10);
	}
	assert_int_equal(board.head->last_event, 3000);
	assert_false(board_read_event(&board, 3000 - BOARD_EVENTS, &copy));
	assert_false(board_read_event(&board, 3001, &copy));
	for (uint64_t i = 3000 - BOARD_EVENTS + 1; i <= 3000; i++) {
		assert_true(board_read_event(&board, i, &copy));
		assert_int_equal(copy.seq, i);
		assert_int_equal(copy.code, i);
		assert_int_equal(copy.time, i * 10);
		assert_int_equal(strlen(copy.name), BOARD_NAME - 1);
	}
	board_close(&board);
}

/* --- Opening ----------------------------------------------------------------------- */

static int open_it(struct board *board, enum board_life *life)
{
	return board_open(board, tempdir_path(""), life);
}

static void test_open(void **state)
{
	(void)state;
	struct board board = create(4), reader;
	struct board_service copy;
	enum board_life life;

	board.head->count = 4;
	write_record(&board.services[3], 5);
	assert_int_equal(open_it(&reader, &life), 0);
	assert_int_equal(life, BOARD_DEAD); /* nobody holds the lock */
	assert_true(board_read(&reader, 3, &copy));
	assert_int_equal(copy.pid, 5);
	write_record(&board.services[3], 6);
	assert_true(board_read(&reader, 3, &copy));
	assert_int_equal(copy.pid, 6);
	board_close(&reader);
	board_close(&board);
}

static void test_open_nothing(void **state)
{
	(void)state;
	struct board reader;
	enum board_life life = BOARD_LIVE;

	assert_int_equal(open_it(&reader, &life), -ENOENT);
	assert_int_equal(life, BOARD_ABSENT);
	life = BOARD_LIVE;
	assert_int_equal(board_open(&reader, tempdir_path("no/such"), &life), -ENOENT);
	assert_int_equal(life, BOARD_ABSENT);
}

static void refused(int expected)
{
	struct board reader;
	enum board_life life;

	assert_int_equal(open_it(&reader, &life), expected);
}

static void test_open_refuses_what_is_no_board(void **state)
{
	(void)state;
	char path[256];

	snprintf(path, sizeof(path), "%s", tempdir_path("board"));
	tempdir_write("board", "", 0644);
	refused(-EPROTO);
	tempdir_write("board", "SiBd and no more", 0644);
	refused(-EPROTO);
	unlink(path);
	assert_int_equal(mkfifo(path, 0644), 0);
	refused(-EPROTO);
	unlink(path);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	refused(-ELOOP);
	unlink(path);
	assert_int_equal(mkdir(path, 0755), 0);
	refused(-EPROTO);
}

static void test_open_believes_no_number(void **state)
{
	(void)state;
	struct board board = create(4);
	struct board_header *head = board.head, good;
	uint32_t *const numbers[] = {&head->magic, &head->version, &head->size, &head->service_size,
	    &head->event_size, &head->services, &head->capacity, &head->events};
	const uint32_t lies[] = {0, 1, 5, 0x7fffffff, UINT32_MAX};

	memcpy(&good, head, sizeof(good));
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		for (size_t j = 0; j < sizeof(lies) / sizeof(*lies); j++) {
			if (*numbers[i] == lies[j])
				continue;
			*numbers[i] = lies[j];
			refused(-EPROTO);
			memcpy(head, &good, sizeof(good));
		}
	assert_int_equal(ftruncate(board.fd, (off_t)board.size - 1), 0);
	refused(-EPROTO);
	board_close(&board);
}

/* --- The lock ---------------------------------------------------------------------- */

/* A process that holds a lock (F_WRLCK by board_lock, or F_RDLCK) until it is killed. */
static pid_t hold(short type)
{
	int ready[2];
	char byte;

	assert_int_equal(pipe(ready), 0);
	pid_t pid = fork();
	if (pid == 0) {
		pid_t holder;
		struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
		int fd = type == F_WRLCK ? board_lock(dirfd_of_test, &holder)
					 : openat(dirfd_of_test, "lock", O_RDONLY);
		if (fd < 0 || (type == F_RDLCK && fcntl(fd, F_SETLK, &lock) < 0))
			_exit(1);
		if (write(ready[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void test_one_sinit_at_a_time(void **state)
{
	(void)state;
	struct board board = create(1), reader;
	enum board_life life;
	pid_t holder = 0, first = hold(F_WRLCK);
	char text[16];

	assert_int_equal(board_lock(dirfd_of_test, &holder), -EAGAIN);
	assert_int_equal(holder, first);
	file_read(tempdir_path("lock"), text, sizeof(text));
	assert_int_equal(atoi(text), first);
	assert_int_equal(open_it(&reader, &life), 0);
	assert_int_equal(life, BOARD_LIVE);
	board_close(&reader);
	assert_true(board_lock_held(dirfd_of_test));

	unlink(tempdir_path("board"));
	assert_int_equal(open_it(&reader, &life), -ENOENT);
	assert_int_equal(life, BOARD_LIVE); /* a sinit whose board is not in RUNDIR */

	end(first);
	assert_false(board_lock_held(dirfd_of_test));
	int fd = board_lock(dirfd_of_test, &holder);
	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	file_read(tempdir_path("lock"), text, sizeof(text));
	assert_int_equal(atoi(text), getpid());
	close(fd);
	board_close(&board);
}

/* Whoever may read the file may take a read lock: neither a sign of life nor an obstacle. */
static void test_a_reader_of_the_lock_is_no_sinit(void **state)
{
	(void)state;
	struct board board = create(1), reader;
	enum board_life life;
	pid_t holder;

	tempdir_write("lock", "1\n", 0644);
	pid_t stranger = hold(F_RDLCK);
	assert_int_equal(open_it(&reader, &life), 0);
	assert_int_equal(life, BOARD_DEAD);
	board_close(&reader);
	int fd = board_lock(dirfd_of_test, &holder);
	assert_true(fd >= 0);
	close(fd);
	end(stranger);
	board_close(&board);
}

static void test_lock_where_nothing_can_be_written(void **state)
{
	(void)state;
	pid_t holder;
	int proc = open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(board_lock(proc, &holder) < 0);
	close(proc);
	assert_int_equal(symlink("/dev/null", tempdir_path("lock")), 0);
	assert_int_equal(board_lock(dirfd_of_test, &holder), -ELOOP);
}

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(event_kind_name(EV_START), "start");
	assert_string_equal(event_kind_name(EV_CONFIG), "config");
	assert_string_equal(event_kind_name((enum event_kind)EV_KIND_COUNT), "unknown");
	assert_string_equal(event_kind_name((enum event_kind)255), "unknown");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_create),
	    TEST(test_old_board_is_replaced_not_overwritten),
	    TEST(test_memory_where_no_file_can_be),
	    TEST(test_file_size_limit),
	    TEST(test_full_tmpfs),
	    TEST(test_too_many_services),
	    TEST(test_records_are_read_whole),
	    TEST(test_reader_of_a_stopped_writer_goes_on),
	    TEST(test_slots_that_are_not_there),
	    TEST(test_words),
	    TEST(test_events),
	    TEST(test_open),
	    TEST(test_open_nothing),
	    TEST(test_open_refuses_what_is_no_board),
	    TEST(test_open_believes_no_number),
	    TEST(test_one_sinit_at_a_time),
	    TEST(test_a_reader_of_the_lock_is_no_sinit),
	    TEST(test_lock_where_nothing_can_be_written),
	    cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
