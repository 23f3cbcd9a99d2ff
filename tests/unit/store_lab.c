#include "tests/unit/store_lab.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void must(bool good, const char *what)
{
	if (good)
		return;
	perror(what);
	abort();
}

void store_lab_make(struct store_lab *lab, int dirfd, uint32_t capacity)
{
	lab->size = (size_t)store_rings(capacity) + (size_t)capacity * STORE_RING;
	lab->fd = openat(dirfd, STORE_FILE, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	must(lab->fd >= 0 && ftruncate(lab->fd, (off_t)lab->size) == 0, "store");
	lab->head = mmap(NULL, lab->size, PROT_READ | PROT_WRITE, MAP_SHARED, lab->fd, 0);
	must(lab->head != MAP_FAILED, "mmap");
	lab->head->magic = STORE_MAGIC;
	lab->head->version = STORE_VERSION;
	lab->head->capacity = capacity;
	lab->head->rings = (uint32_t)store_rings(capacity);
}

void store_lab_free(struct store_lab *lab)
{
	munmap(lab->head, lab->size);
	close(lab->fd);
}

uint32_t store_lab_add(struct store_lab *lab, const char *name, enum store_kind kind)
{
	uint32_t index = 0;

	while (index < lab->head->capacity && store_stream(lab->head, index)->used)
		index++;
	must(index < lab->head->capacity, "no room for a stream");
	struct store_stream *s = store_stream(lab->head, index);
	snprintf(s->name, sizeof(s->name), "%s", name);
	s->kind = (uint8_t)kind;
	atomic_store(&s->used, 1);
	return index;
}

void store_lab_write(struct store_lab *lab, uint32_t stream, const char *bytes, size_t size)
{
	struct store_stream *s = store_stream(lab->head, stream);
	char *ring = (char *)lab->head + lab->head->rings + (size_t)stream * STORE_RING;
	uint64_t head = s->head;

	atomic_store(&s->busy, head + size);
	for (size_t done = 0; done < size;) {
		size_t at = (size_t)((head + done) % STORE_RING);
		size_t piece = size - done < STORE_RING - at ? size - done : STORE_RING - at;

		memcpy(ring + at, bytes + done, piece);
		done += piece;
	}
	atomic_store(&s->head, head + size);
}

void store_lab_print(struct store_lab *lab, uint32_t stream, const char *string)
{
	store_lab_write(lab, stream, string, strlen(string));
}

void store_lab_mark(struct store_lab *lab, uint32_t stream, uint64_t event)
{
	struct store_stream *s = store_stream(lab->head, stream);
	struct store_mark *mark = &s->mark[s->marks++ % STORE_MARKS];

	atomic_store(&mark->event, 0);
	mark->position = s->head;
	mark->exact = 1;
	atomic_store(&mark->event, event);
}
