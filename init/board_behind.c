/* What of the board's file lies behind what is mapped: the words and the resource readings of each
 * service, which few services have. */
#include "init/board.h"

#include <errno.h>
#include <unistd.h>

enum { READ_ATTEMPTS = 30 }; /* before a reading that is being written is taken as it is */

static off_t place_of_words(const struct board *board, uint32_t slot)
{
	return (off_t)(board->size + slot * sizeof(struct board_words));
}

/* Behind all the words. */
static off_t place_of_reading(const struct board *board, uint32_t slot)
{
	return place_of_words(board, board->head->capacity) +
	       (off_t)(slot * sizeof(struct board_reading));
}

/* Writes behind what is mapped: a full file system makes it fail, and is no SIGBUS. */
static int write_behind(const struct board *board, const void *data, size_t size, off_t place)
{
	ssize_t written = pwrite(board->fd, data, size, place);

	return written == (ssize_t)size ? 0 : written < 0 ? -errno : -ENOSPC;
}

int board_write_words(const struct board *board, uint32_t slot, const struct board_words *words)
{
	return write_behind(board, words, sizeof(*words), place_of_words(board, slot));
}

int board_write_reading(
    const struct board *board, uint32_t slot, const struct board_reading *reading)
{
	return write_behind(board, reading, sizeof(*reading), place_of_reading(board, slot));
}

void board_read_words(
    const struct board *board, uint32_t i, const struct board_service *s, struct board_words *ret)
{
	bool any = s->said & (SAID_STATUS | SAID_THIEF | SAID_AWAITED);

	if (!any ||
	    pread(board->fd, ret, sizeof(*ret), place_of_words(board, i)) != (ssize_t)sizeof(*ret))
		*ret = (struct board_words){.status = ""};
	if (!(s->said & SAID_STATUS))
		ret->status[0] = '\0';
	if (!(s->said & SAID_THIEF))
		ret->thief[0] = '\0';
	if (!(s->said & SAID_AWAITED))
		ret->awaited[0] = '\0';
	ret->status[sizeof(ret->status) - 1] = ret->thief[sizeof(ret->thief) - 1] =
	    ret->awaited[sizeof(ret->awaited) - 1] = '\0';
}

bool board_read_reading(
    const struct board *board, uint32_t i, const struct board_service *s, struct board_reading *ret)
{
	_Atomic uint32_t *seq = &board->services[i].seq;

	if (!(s->slice & SLICE_MEASURED))
		return false;
	for (int attempt = 0; attempt < READ_ATTEMPTS; attempt++) {
		uint32_t before = atomic_load_explicit(seq, memory_order_acquire);

		if (pread(board->fd, ret, sizeof(*ret), place_of_reading(board, i)) !=
		    (ssize_t)sizeof(*ret))
			return false;
		atomic_thread_fence(memory_order_acquire);
		if (before % 2 == 0 && atomic_load_explicit(seq, memory_order_relaxed) == before)
			return true;
	}
	return true; /* the writer stands still in the middle: what is there has to do */
}
