/* The store (log/store.h) for those who only read it: RUNDIR/logs, mapped read-only.
 *
 * The logger knows nothing of its readers and goes on writing meanwhile; so what is copied is
 * looked at again, and given only as far as it cannot have changed. No number in the file is
 * believed: the layout is what the file's size allows, and whatever it holds, no reading leaves
 * the mapping.
 * Owns: its mapping. May call: libc. */
#ifndef SINIT_LOG_STORE_READ_H
#define SINIT_LOG_STORE_READ_H

#include "log/store.h"

#include <stdbool.h>
#include <stddef.h>

struct store_reader {
	struct store_head *head; /* NULL: nothing is mapped, and there are no streams */
	size_t size;             /* of the mapping */
	uint32_t capacity;       /* streams; what the head says of it may change */
};

/* Whose stream it is. */
struct store_who {
	char name[BOARD_NAME]; /* "" for sinit and syslog */
	enum store_kind kind;
};

/* Maps RUNDIR/logs. 0, -ENOENT (there is none), -EPROTO (another layout, or shorter than it says),
 * -errno. */
int store_read_open(struct store_reader *ret, const char *rundir);

/* Maps the store behind `fd`, which stays the caller's. 0, -EPROTO, -errno. */
int store_read_map(struct store_reader *ret, int fd);

void store_read_close(struct store_reader *reader);

/* Tells whose stream number `index` is. False: nobody's, or there is no such stream. */
bool store_read_who(const struct store_reader *reader, uint32_t index, struct store_who *ret);

/* Finds a service's stream. */
bool store_read_find(
    const struct store_reader *reader, const char *name, enum store_kind kind, uint32_t *ret_index);

/* Position behind the last byte of a stream. */
uint64_t store_read_head(const struct store_reader *reader, uint32_t index);

/* The first position behind `position` at which a life of the service ended, as far as that is
 * known: what has no newline by then gets none. UINT64_MAX: none is known. */
uint64_t store_read_end(const struct store_reader *reader, uint32_t index, uint64_t position);

/* Copies what there still is of positions *from to `to` (UINT64_MAX: all) into `buffer`, which has
 * room for STORE_RING bytes. *ret_size is how many bytes that is; *from becomes the first one's
 * position: greater than before if some were overwritten.
 * False: some of it may be being overwritten right now, and only the rest is given; if it was not,
 * all of it can be had later. */
bool store_read_copy(const struct store_reader *reader, uint32_t index, uint64_t *from, uint64_t to,
    char *buffer, size_t *ret_size);

/* What a service wrote in the life that ended with event `event`: positions from *ret_begin (the
 * end before that, as far as it is known) to *ret_end. False: there is no mark of that end. */
bool store_read_mark(const struct store_reader *reader, uint32_t index, uint64_t event,
    uint64_t *ret_begin, uint64_t *ret_end);

/* Where in bytes[0 .. size-1] the last `lines` lines begin; the last of them may have no newline.
 * `whole`: the first byte begins a line. If not, what is left of that line is passed over, unless
 * it is all there is. */
size_t store_read_tail(const char *bytes, size_t size, uint32_t lines, bool whole);

#endif
