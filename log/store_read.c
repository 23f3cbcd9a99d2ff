#include "log/store_read.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	ATTEMPTS = 10,      /* to copy bytes that the logger may be about to overwrite */
	PAUSE = 100 * 1000, /* ns between two of them: it needs a few microseconds */
};

/* --- The mapping -------------------------------------------------------------------- */

int store_read_map(struct store_reader *ret, int fd)
{
	struct store_head head;
	struct stat info;

	if (fstat(fd, &info) < 0)
		return -errno;
	if (!S_ISREG(info.st_mode) || pread(fd, &head, sizeof(head), 0) != (ssize_t)sizeof(head))
		return -EPROTO;
	uint64_t rings = store_rings(head.capacity);
	uint64_t size = rings + head.capacity * (uint64_t)STORE_RING;
	if (head.magic != STORE_MAGIC || head.version != STORE_VERSION || head.rings != rings ||
	    (uint64_t)info.st_size < size || size > PTRDIFF_MAX)
		return -EPROTO;
	void *base = mmap(NULL, (size_t)size, PROT_READ, MAP_SHARED, fd, 0);
	if (base == MAP_FAILED)
		return -errno;
	*ret = (struct store_reader){.head = base, .size = (size_t)size, .capacity = head.capacity};
	return 0;
}

int store_read_open(struct store_reader *ret, const char *rundir)
{
	int dirfd = open(rundir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dirfd < 0)
		return -errno;
	int fd = openat(dirfd, STORE_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	int rc = fd < 0 ? -errno : store_read_map(ret, fd);
	close(dirfd);
	if (fd >= 0)
		close(fd);
	return rc;
}

void store_read_close(struct store_reader *reader)
{
	if (reader->head)
		munmap(reader->head, reader->size);
	*reader = (struct store_reader){0};
}

/* --- Streams ------------------------------------------------------------------------ */

bool store_read_who(const struct store_reader *reader, uint32_t index, struct store_who *ret)
{
	if (index >= reader->capacity)
		return false;
	struct store_stream *s = store_stream(reader->head, index);
	uint32_t used = atomic_load_explicit(&s->used, memory_order_acquire);
	uint8_t kind = s->kind;

	if (!used || kind > STORE_SINIT)
		return false;
	memcpy(ret->name, s->name, sizeof(ret->name));
	ret->name[sizeof(ret->name) - 1] = '\0';
	ret->kind = (enum store_kind)kind;
	atomic_thread_fence(memory_order_acquire);
	return atomic_load_explicit(&s->used, memory_order_relaxed) == used;
}

bool store_read_find(
    const struct store_reader *reader, const char *name, enum store_kind kind, uint32_t *ret_index)
{
	struct store_who who;

	for (uint32_t i = 0; i < reader->capacity; i++)
		if (store_read_who(reader, i, &who) && who.kind == kind &&
		    strcmp(who.name, name) == 0) {
			*ret_index = i;
			return true;
		}
	return false;
}

uint64_t store_read_head(const struct store_reader *reader, uint32_t index)
{
	return atomic_load_explicit(&store_stream(reader->head, index)->head, memory_order_acquire);
}

/* Copies a mark. False: there is none, or it is being written. */
static bool read_mark(
    struct store_mark *mark, uint64_t *ret_event, uint64_t *ret_position, bool *ret_exact)
{
	*ret_event = atomic_load_explicit(&mark->event, memory_order_acquire);
	*ret_position = *(volatile uint64_t *)&mark->position;
	*ret_exact = *(volatile uint64_t *)&mark->exact;
	atomic_thread_fence(memory_order_acquire);
	return *ret_event && *ret_event == atomic_load_explicit(&mark->event, memory_order_relaxed);
}

uint64_t store_read_end(const struct store_reader *reader, uint32_t index, uint64_t position)
{
	struct store_stream *s = store_stream(reader->head, index);
	uint64_t last = *(volatile uint64_t *)&s->end;
	uint64_t next = last > position ? last : UINT64_MAX;

	for (size_t i = 0; i < STORE_MARKS; i++) {
		uint64_t event, end;
		bool exact;

		if (read_mark(&s->mark[i], &event, &end, &exact) && exact && end > position &&
		    end < next)
			next = end;
	}
	return next;
}

bool store_read_mark(const struct store_reader *reader, uint32_t index, uint64_t event,
    uint64_t *ret_begin, uint64_t *ret_end)
{
	struct store_stream *s = store_stream(reader->head, index);
	uint64_t begin = 0, end = 0;
	bool found = false;

	for (size_t i = 0; i < STORE_MARKS; i++) {
		uint64_t number, position;
		bool exact;

		if (!read_mark(&s->mark[i], &number, &position, &exact))
			continue;
		if (number == event) {
			end = position;
			found = true;
		} else if (number < event && position > begin) {
			begin = position;
		}
	}
	if (!found)
		return false;
	*ret_begin = begin < end ? begin : end;
	*ret_end = end;
	return true;
}

/* --- Bytes -------------------------------------------------------------------------- */

/* What can be read of a ring at this moment. */
struct window {
	uint64_t oldest; /* by what is taken */
	uint64_t safe;   /* by what may be being written as well */
	uint64_t head;
};

static struct window look(struct store_stream *s)
{
	uint64_t head = atomic_load_explicit(&s->head, memory_order_acquire);
	uint64_t busy = atomic_load_explicit(&s->busy, memory_order_acquire);
	uint64_t top = busy > head ? busy : head;

	return (struct window){
	    .oldest = head > STORE_RING ? head - STORE_RING : 0,
	    .safe = top > STORE_RING ? top - STORE_RING : 0,
	    .head = head,
	};
}

/* At most STORE_RING bytes from position `from`. */
static void copy_ring(char *buffer, const char *ring, uint64_t from, size_t size)
{
	size_t at = (size_t)(from % STORE_RING);
	size_t first = size < STORE_RING - at ? size : STORE_RING - at;

	memcpy(buffer, ring + at, first);
	memcpy(buffer + first, ring, size - first);
}

static uint64_t greater(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* One attempt: what is valid is then buffer[0 .. *ret_size-1], from *ret_from on. False: another
 * one could give more. */
static bool try_copy(struct store_stream *s, const char *ring, uint64_t from, uint64_t to,
    char *buffer, uint64_t *ret_from, size_t *ret_size)
{
	struct window before = look(s);
	uint64_t begin = greater(from, before.safe);
	uint64_t end = to < before.head ? to : before.head;

	if (begin < end)
		copy_ring(buffer, ring, begin, (size_t)(end - begin));
	/* The copy before the second look: the reader's half of a sequence lock. */
	atomic_thread_fence(memory_order_acquire);
	struct window after = look(s);
	uint64_t valid = greater(begin, after.safe);
	*ret_size = valid < end ? (size_t)(end - valid) : 0;
	*ret_from = valid < end ? valid : greater(from, end);
	if (*ret_size && valid > begin)
		memmove(buffer, buffer + (valid - begin), *ret_size);
	if (from >= end || to <= after.oldest)
		return true;
	/* What the logger has gone past is lost anyhow, and waiting would lose more. */
	return *ret_size && (from < after.oldest || valid == from);
}

bool store_read_copy(const struct store_reader *reader, uint32_t index, uint64_t *from, uint64_t to,
    char *buffer, size_t *ret_size)
{
	const struct timespec pause = {.tv_nsec = PAUSE};
	struct store_stream *s = store_stream(reader->head, index);
	const char *ring =
	    (const char *)reader->head + store_rings(reader->capacity) + (size_t)index * STORE_RING;
	uint64_t first = *from;
	bool whole;

	for (int attempt = 1;; attempt++) {
		whole = try_copy(s, ring, *from, to, buffer, &first, ret_size);
		if (whole || attempt == ATTEMPTS)
			break;
		nanosleep(&pause, NULL);
	}
	/* PID 1 gives its room back only when it is nobody's any more: what was copied may be
	 * zeros. */
	atomic_thread_fence(memory_order_acquire);
	if (!atomic_load_explicit(&s->used, memory_order_relaxed))
		*ret_size = 0;
	*from = first;
	return whole;
}

size_t store_read_tail(const char *bytes, size_t size, uint32_t lines, bool whole)
{
	const char *newline = whole ? NULL : memchr(bytes, '\n', size);
	size_t first = newline ? (size_t)(newline - bytes) + 1 : 0;
	size_t start = size;

	if (first == size)
		first = 0;
	for (; lines > 0 && start > first; lines--) {
		newline = memrchr(bytes + first, '\n', start - 1 - first);
		start = newline ? (size_t)(newline - bytes) + 1 : first;
	}
	return start;
}
