#include "log/pending.h"

size_t pending_size(const struct store_stream *s, uint64_t at, uint64_t end)
{
	return (size_t)((end < s->head ? end : s->head) - at);
}

size_t pending_line(
    const struct stream *stream, const struct lines_style *style, uint64_t at, uint64_t end)
{
	const struct store_stream *s = stream->s;

	return lines_next(
	    style, stream->ring + at % STORE_RING, pending_size(s, at, end), end <= s->head);
}
