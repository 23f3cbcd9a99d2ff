#include "init/board.h"

#include "init/base.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#ifndef SINIT_VERSION
#define SINIT_VERSION "unknown"
#endif

#define BOARD_TEMPORARY ".board.new"
#define LOCK_FILE       "lock"

enum {
	ALIGNMENT = 64,     /* of the services and of the ring, so that records start well */
	READ_ATTEMPTS = 80, /* before a record that is being written is taken as it is */
	OPEN_ATTEMPTS = 8,
	READ_SPINS = 30, /* the attempts without a pause */
	FILE_MODE = 0644,
};

/* --- Layout ------------------------------------------------------------------------ */

struct layout {
	uint64_t services, events, size;
};

static uint64_t align(uint64_t offset)
{
	return (offset + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static struct layout layout_of(uint32_t capacity)
{
	struct layout layout;

	layout.services = align(sizeof(struct board_header));
	layout.events = align(layout.services + (uint64_t)capacity * sizeof(struct board_service));
	layout.size = layout.events + BOARD_EVENTS * sizeof(struct board_event);
	return layout;
}

static void set_pointers(struct board *board, void *base, const struct layout *layout)
{
	char *start = base;

	board->head = base;
	board->services = (void *)(start + layout->services);
	board->ring = (void *)(start + layout->events);
	board->size = (size_t)layout->size;
}

/* --- Creation ---------------------------------------------------------------------- */

/* Gives the file its space now, so that no later write to the mapping meets a full file
 * system (which would be SIGBUS). 0 or -errno. */
static int allocate(int fd, uint64_t size)
{
	static const char zeros[4096];
	int error = posix_fallocate(fd, 0, (off_t)size);

	if (error != EOPNOTSUPP && error != EINVAL && error != ENOSYS)
		return -error;
	/* A file system that cannot promise space has to be written to. */
	for (uint64_t at = 0; at < size;) {
		size_t step = size - at < sizeof(zeros) ? (size_t)(size - at) : sizeof(zeros);
		ssize_t written = pwrite(fd, zeros, step, (off_t)at);
		if (written <= 0)
			return written < 0 ? -errno : -ENOSPC;
		at += (uint64_t)written;
	}
	return 0;
}

/* Maps `fd` after giving it its space. Closes it on failure. */
static int map_new(struct board *board, int fd, const struct layout *layout)
{
	int error = allocate(fd, layout->size);
	void *base = MAP_FAILED;

	if (!error) {
		base = mmap(NULL, (size_t)layout->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		error = base == MAP_FAILED ? -errno : 0;
	}
	if (error) {
		close(fd);
		return error;
	}
	set_pointers(board, base, layout);
	board->fd = fd;
	return 0;
}

/* Under a temporary name; it gets its own when the header is complete. */
static int create_file(struct board *board, int dirfd, const struct layout *layout)
{
	if (dirfd < 0)
		return -EBADF;
	unlinkat(dirfd, BOARD_TEMPORARY, 0);
	int fd = openat(
	    dirfd, BOARD_TEMPORARY, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
	if (fd < 0)
		return -errno;
	fchmod(fd, FILE_MODE); /* whatever the umask */
	int error = map_new(board, fd, layout);
	if (error)
		unlinkat(dirfd, BOARD_TEMPORARY, 0);
	return error;
}

static int create_memory(struct board *board, const struct layout *layout)
{
	int fd = memfd_create("sinit-board", MFD_CLOEXEC);

	if (fd >= 0 && map_new(board, fd, layout) == 0)
		return 0;
	/* No memfd (ENOSYS in some sandbox) or no space for it: nobody else will read the
	 * board anyhow. */
	void *base = mmap(
	    NULL, (size_t)layout->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (base == MAP_FAILED)
		return -errno;
	set_pointers(board, base, layout);
	return 0;
}

static void fill_header(struct board *board, const struct layout *layout, uint32_t capacity)
{
	struct board_header *head = board->head;

	head->magic = BOARD_MAGIC;
	head->version = BOARD_VERSION;
	head->size = (uint32_t)layout->size;
	head->service_size = sizeof(struct board_service);
	head->event_size = sizeof(struct board_event);
	head->services = (uint32_t)layout->services;
	head->capacity = capacity;
	head->events = (uint32_t)layout->events;
	head->pid = getpid();
	snprintf(head->release, sizeof(head->release), "%s", SINIT_VERSION);
}

int board_create(struct board *ret, int dirfd, uint32_t capacity)
{
	struct layout layout = layout_of(capacity);
	struct board board = {.fd = -1};

	if (layout.size > INT32_MAX)
		return -E2BIG;
	bool in_file = create_file(&board, dirfd, &layout) == 0;
	if (!in_file) {
		int error = create_memory(&board, &layout);
		if (error)
			return error;
	}
	fill_header(&board, &layout, capacity);
	/* The name appears with a complete board behind it. If it cannot (the name is a
	 * directory's), the mapping serves all the same, for nobody but ourselves. */
	board.file = in_file && renameat(dirfd, BOARD_TEMPORARY, dirfd, BOARD_FILE) == 0;
	if (in_file && !board.file)
		unlinkat(dirfd, BOARD_TEMPORARY, 0);
	*ret = board;
	return 0;
}

void board_copy(struct board *to, const struct board *from)
{
	struct board_words words;
	struct board_reading reading;

	memcpy(to->head, from->head, from->size);
	for (uint32_t i = 0; i < from->head->capacity; i++) {
		const struct board_service *s = &from->services[i];

		if (s->said) {
			board_read_words(from, i, s, &words);
			board_write_words(to, i, &words);
		}
		if (board_read_reading(from, i, s, &reading))
			board_write_reading(to, i, &reading);
	}
}

void board_close(struct board *board)
{
	if (board->head)
		munmap(board->head, board->size);
	if (board->fd >= 0)
		close(board->fd);
	*board = (struct board){.fd = -1};
}

/* --- Writing ----------------------------------------------------------------------- */

/* The writer's half of a sequence lock after Boehm, "Can seqlocks get along with
 * programming language memory models?" (2012): the fence keeps the stores of the record
 * behind the odd number, the release keeps them before the even one. */
void board_begin(struct board_service *service)
{
	uint32_t seq = atomic_load_explicit(&service->seq, memory_order_relaxed);

	/* `|` and not `+`: a writer that died between the two left an odd number. */
	atomic_store_explicit(&service->seq, seq | 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
}

void board_end(struct board_service *service)
{
	uint32_t seq = atomic_load_explicit(&service->seq, memory_order_relaxed);

	atomic_store_explicit(&service->seq, (seq | 1) + 1, memory_order_release);
}

/* All of an event but its number. */
static void copy_event(struct board_event *to, const struct board_event *from)
{
	size_t skip = offsetof(struct board_event, time);

	memcpy((char *)to + skip, (const char *)from + skip, sizeof(*to) - skip);
}

void board_event(struct board *board, const struct board_event *event, int64_t wall)
{
	struct board_header *head = board->head;
	uint64_t number = atomic_load_explicit(&head->last_event, memory_order_relaxed) + 1;
	struct board_event *slot = &board->ring[number % BOARD_EVENTS];

	atomic_store_explicit(&slot->seq, 0, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	copy_event(slot, event);
	slot->time = wall;
	slot->name[BOARD_NAME - 1] = slot->alert[BOARD_NAME - 1] = '\0';
	atomic_store_explicit(&slot->seq, number, memory_order_release);
	atomic_store_explicit(&head->last_event, number, memory_order_release);
	if (event->kind < EV_KIND_COUNT)
		atomic_fetch_add_explicit(&head->kind_count[event->kind], 1, memory_order_relaxed);
}

/* --- Reading ----------------------------------------------------------------------- */

/* Slots there are by the size of the mapping, whatever the header says by now. */
static uint32_t slots_mapped(const struct board *board)
{
	return (uint32_t)((size_t)((char *)board->ring - (char *)board->services) /
			  sizeof(struct board_service));
}

/* One attempt to copy a record as a whole. */
static bool copy_service(struct board_service *to, struct board_service *from)
{
	uint32_t before = atomic_load_explicit(&from->seq, memory_order_acquire);

	memcpy(to, from, sizeof(*to));
	atomic_thread_fence(memory_order_acquire);
	return before % 2 == 0 && atomic_load_explicit(&from->seq, memory_order_relaxed) == before;
}

bool board_read(const struct board *board, uint32_t i, struct board_service *ret)
{
	const struct timespec pause = {.tv_nsec = 200000};
	uint32_t count = atomic_load_explicit(&board->head->count, memory_order_acquire);

	if (i >= count || i >= slots_mapped(board))
		return false;
	/* The writer needs less than a microsecond; if it was put off the CPU in the middle,
	 * some milliseconds; if it stands in a debugger, for ever. */
	for (int attempt = 0; attempt < READ_ATTEMPTS; attempt++) {
		if (copy_service(ret, &board->services[i]))
			break;
		if (attempt >= READ_SPINS)
			nanosleep(&pause, NULL);
	}
	ret->name[BOARD_NAME - 1] = '\0';
	return ret->used != 0 && !board_service_hidden(ret);
}

bool board_read_event(const struct board *board, uint64_t seq, struct board_event *ret)
{
	struct board_event *slot = &board->ring[seq % BOARD_EVENTS];
	struct board_event copy;

	if (seq == 0 || atomic_load_explicit(&slot->seq, memory_order_acquire) != seq)
		return false;
	copy_event(&copy, slot);
	atomic_thread_fence(memory_order_acquire);
	if (atomic_load_explicit(&slot->seq, memory_order_relaxed) != seq)
		return false;
	copy_event(ret, &copy);
	atomic_init(&ret->seq, seq);
	ret->name[BOARD_NAME - 1] = ret->alert[BOARD_NAME - 1] = '\0';
	return true;
}

/* The header's numbers are believed only as far as they say what we would have computed
 * from the file's size. */
int board_map(struct board *ret, int fd)
{
	struct stat info;
	struct board_header head;

	if (fstat(fd, &info) < 0)
		return -errno;
	if (!S_ISREG(info.st_mode) || pread(fd, &head, sizeof(head), 0) != (ssize_t)sizeof(head))
		return -EPROTO;
	struct layout layout = layout_of(head.capacity);
	if (head.magic != BOARD_MAGIC || head.version != BOARD_VERSION ||
	    head.service_size != sizeof(struct board_service) ||
	    head.event_size != sizeof(struct board_event) || head.services != layout.services ||
	    head.events != layout.events || head.size != layout.size || info.st_size < 0 ||
	    (uint64_t)info.st_size < layout.size)
		return -EPROTO;
	void *base = mmap(NULL, (size_t)layout.size, PROT_READ, MAP_SHARED, fd, 0);
	if (base == MAP_FAILED)
		return -errno;
	struct board board = {.fd = fd};
	set_pointers(&board, base, &layout);
	*ret = board;
	return 0;
}

static int open_named(int dirfd)
{
	int fd = openat(dirfd, BOARD_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	return fd < 0 ? -errno : fd;
}

int board_open(struct board *ret, const char *rundir, enum board_life *ret_life)
{
	struct board board;
	int dirfd = open(rundir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dirfd < 0) {
		int error = errno == ENOTDIR ? ENOENT : errno;
		*ret_life = BOARD_ABSENT;
		return -error;
	}
	/* The lock after the file: who dies in between is told dead. But one that has come in
	 * between has removed what was there. */
	int fd = open_named(dirfd);
	bool held = board_lock_held(dirfd);
	for (unsigned i = 0;
	     i < OPEN_ATTEMPTS && held && fd >= 0 && !board_is_named(fd, dirfd, BOARD_FILE); i++) {
		close(fd);
		fd = open_named(dirfd);
		held = board_lock_held(dirfd);
	}
	int error = fd < 0 ? fd : board_map(&board, fd);
	*ret_life = held ? BOARD_LIVE : error == -ENOENT ? BOARD_ABSENT : BOARD_DEAD;
	close(dirfd);
	if (error && fd >= 0)
		close(fd);
	if (error)
		return error;
	board.file = true;
	*ret = board;
	return 0;
}

const char *board_slot_name(const struct board *board, int32_t slot, char buffer[static BOARD_NAME])
{
	struct board_service s;

	if (slot < 0 || !board_read(board, (uint32_t)slot, &s))
		return NULL;
	memcpy(buffer, s.name, BOARD_NAME);
	return buffer;
}
