/* Lines of captured output: whatever a service writes, however it comes in, each byte is shown once
 * and in its order, and no line is longer than it may be.
 * The input: a byte for the style, one for the size of the parts in which it comes, the output. */
#include "log/lines.h"

#include <stdlib.h>
#include <string.h>

enum { ROOM = 65536 };

static void check(bool holds)
{
	if (!holds)
		abort();
}

/* What was shown of [0 .. length-1] begins as it must, has the bytes, and ends. */
static void check_shown(const struct lines_style *style, const char *shown, size_t size,
    const char *bytes, size_t length)
{
	size_t bare = length && bytes[length - 1] == '\n' ? length - 1 : length;

	check(size <= LINES_MOST);
	if (style->format == LINES_JSON) {
		check(size > 2 && shown[0] == '{' && shown[size - 2] == '}' &&
		      shown[size - 1] == '\n');
		check(!memchr(shown, '\n', size - 1) && !memchr(shown, '\0', size));
		return;
	}
	if (style->prefix || style->format == LINES_TIMESTAMPS)
		check(shown[size - 1] == '\n' && size > bare);
	else
		check(size == length);
	check(memcmp(shown + size - (shown[size - 1] == '\n' && (bare < length || size > length)) -
			 bare,
		  bytes, bare) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char buffer[ROOM];
	struct lines_clock clock = {0};
	struct lines_style style = {.name = "web"};
	size_t at = 0, seen = 0, part;
	const char *bytes;

	if (size < 2)
		return 0;
	style.format = data[0] % 3;
	style.prefix = data[0] & 4;
	style.stream = data[0] & 8 ? "stderr" : NULL;
	part = (size_t)data[1] * 17 + 1;
	bytes = (const char *)data + 2;
	size -= 2;
	while (at < size) {
		struct lines_text text = {.data = buffer, .size = LINES_MOST};
		size_t length = lines_next(&style, bytes + at, seen - at, seen == size);

		if (!length) {
			check(seen < size); /* there is an end for every line */
			seen = seen + part < size ? seen + part : size;
			continue;
		}
		check(length <= seen - at && length <= LINES_MOST);
		check(!memchr(bytes + at, '\n', length - 1));
		check(lines_add(&text, &style, &clock, 1700000000123456, bytes + at, length,
		    bytes[at + length - 1] != '\n'));
		check_shown(&style, buffer, text.used, bytes + at, length);
		at += length;
	}
	return 0;
}
