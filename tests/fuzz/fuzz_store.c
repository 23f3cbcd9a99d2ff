/* The store of captured output, byte by byte: whatever stands in the file, a reader stays inside of
 * it, and what it gives makes sense.
 *
 * The first byte tells whether the layout is put right, so that what is behind it is read at all,
 * and whether the file is cut; the second the number of streams. The rest is repeated until the
 * file is full. */
#include "log/store_read.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { STREAMS = 3 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
	if (!condition)
		abort();
}

/* The file's content, in memory to be freed. */
static char *make(const uint8_t *data, size_t size, size_t *ret_size)
{
	uint32_t streams = data[1] % (STREAMS + 1);
	size_t rings = (size_t)store_rings(streams);
	char *file = malloc(rings + streams * (size_t)STORE_RING);

	check(file != NULL);
	*ret_size = rings + streams * (size_t)STORE_RING;
	for (size_t at = 0; at < *ret_size; at += size)
		memcpy(file + at, data, size < *ret_size - at ? size : *ret_size - at);
	struct store_head *head = (struct store_head *)(void *)file;
	if (data[0] & 1) {
		head->magic = STORE_MAGIC;
		head->version = STORE_VERSION;
		head->capacity = streams;
		head->rings = (uint32_t)rings;
	}
	for (uint32_t i = 0; data[0] & 2 && i < streams; i++)
		store_stream(head, i)->kind %= STORE_SINIT + 1;
	return file;
}

static void check_copy(
    const struct store_reader *reader, uint32_t stream, uint64_t from, uint64_t to)
{
	/* Of the exact size, so that the sanitizer sees a step too far. */
	char *bytes = malloc(STORE_RING);
	uint64_t first = from;
	size_t size;

	check(bytes != NULL);
	store_read_copy(reader, stream, &first, to, bytes, &size);
	check(size <= STORE_RING && first >= from);
	check(!size || (first + size > first && first + size <= to &&
			   first + size <= store_read_head(reader, stream)));
	for (uint32_t lines = 0; lines < 4; lines++) {
		size_t start = store_read_tail(bytes, size, lines, lines % 2);
		check(start <= size && (lines || start == size));
	}
	free(bytes);
}

static void check_stream(const struct store_reader *reader, uint32_t stream)
{
	const struct store_stream *s = store_stream(reader->head, stream);
	struct store_who who, other;
	uint64_t begin, end;
	uint32_t found;

	if (!store_read_who(reader, stream, &who))
		return;
	check(strlen(who.name) < sizeof(who.name) && who.kind <= STORE_SINIT);
	check(store_read_find(reader, who.name, who.kind, &found) && found <= stream);
	check(store_read_who(reader, found, &other) && strcmp(who.name, other.name) == 0);
	check_copy(reader, stream, 0, UINT64_MAX);
	check_copy(reader, stream, s->out, s->end);
	for (size_t i = 0; i < STORE_MARKS; i++)
		if (store_read_mark(reader, stream, s->mark[i].event, &begin, &end)) {
			check(begin <= end);
			check_copy(reader, stream, begin, end);
		}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct store_reader reader;
	size_t length;

	if (size < 2)
		return 0;
	char *file = make(data, size, &length);
	if (data[0] & 4)
		length -= length > data[1] ? data[1] : length;
	int fd = memfd_create("store", MFD_CLOEXEC);
	check(fd >= 0 && write(fd, file, length) == (ssize_t)length);
	free(file);
	if (store_read_map(&reader, fd) == 0) {
		check(reader.size <= length);
		for (uint32_t i = 0; i < reader.capacity; i++)
			check_stream(&reader, i);
		store_read_close(&reader);
	}
	close(fd);
	return 0;
}
