/* What of a stream's ring is still to be shown: where the text of a life ends, and a line of it.
 *
 * `end` is the take_next_end() of the position `at`, which whoever goes through many lines asks for
 * only once. Owns nothing. May call: lines. */
#ifndef SINIT_LOG_PENDING_H
#define SINIT_LOG_PENDING_H

#include "log/logger.h"

/* Bytes from `at` on, up to `end` or as many as have been taken. */
size_t pending_size(const struct store_stream *s, uint64_t at, uint64_t end);

/* How long the line at `at`, or the piece that is shown of it, is. 0: its end has not come yet. */
size_t pending_line(
    const struct stream *stream, const struct lines_style *style, uint64_t at, uint64_t end);

#endif
