/* What the files of put share with each other and with nobody else.
 *
 * Of a line that is not at its end where it is written something is known in six places, three of
 * which outlive the logger:
 *
 *   stream  PUT_BROKEN  its target has taken a part of it as it is shown: the rest comes first
 *           middle      pieces of it are written as a whole, and it goes on at `out`
 *           torn        the rest was dropped: a newline comes first
 *           open        what is just being written will leave it so: the next `middle`
 *   target  broken      the stream whose line is to be ended before any other's begins
 *           open_line   the stream whose line is the last one there: another one begins with a
 * newline
 */
#ifndef SINIT_LOG_PUT_H
#define SINIT_LOG_PUT_H

#include "log/logger.h"

/* What is to be written in one go. */
struct chunk {
	const char *text;
	size_t size;
	uint64_t end;
};

/* --- put_text.c --- */

/* What of a stream is to be written next. False: there is nothing. A chunk of no size: its file is
 * to be rotated first. */
bool put_choose(struct logger *logger, struct stream *stream, struct chunk *ret);

/* The text of what was being written once more. False: it would be another one now, since a reload
 * has changed how lines look. */
bool put_remake(struct logger *logger, struct stream *stream, struct chunk *ret);

/* How lines are shown, as a number. */
uint32_t put_style(const struct stream *stream);
/* For a piece that was begun before a reload has changed it. */
void put_set_style(struct stream *stream, uint32_t style);

/* Of what is being written the first `size` bytes are out: the position behind the last line that
 * is out as a whole (in raw files: behind the last byte), and how
 * many bytes of the next one are. */
uint64_t put_whole(struct logger *logger, const struct stream *stream, const struct chunk *chunk,
    size_t size, size_t *ret_rest);

/* --- put.c --- */

void put_phase(struct store_put *p, enum store_phase phase);

/* All of it is written. */
void put_complete(struct stream *stream);

/* It could not go on: the first `done` bytes of it may be out, and the rest is to follow. */
void put_leave(struct logger *logger, struct stream *stream, const struct chunk *chunk);

/* Of what was being written a part is there, and the rest of it will not come. */
void put_give_up(struct store_stream *s);

/* Throws away what is in the pipe in between. */
void put_empty_between(struct logger *logger);

/* --- put_recover.c --- */

/* How much of what was being written to its file is there. A file that cannot be opened now is
 * asked when it can. */
void put_recover_file(struct logger *logger, struct stream *stream);

#endif
