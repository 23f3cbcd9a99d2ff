#include "init/ini.h"

#include "init/base.h"

#include <errno.h>
#include <ini.h>
#include <string.h>

struct reading {
	char *at;
	char *end;
	ini_tell *tell;
	void *context;
	uint32_t line;    /* number of the line given out last */
	uint32_t section; /* number of sections so far */
	bool in_section;  /* false after a header that could not be read, too */
	bool bad_header;
	const char *value; /* of the key on this line */
	const char *key;
};

static void tell_error(struct reading *reading, const char *message)
{
	reading->tell(reading->context, INI_ERROR, reading->line, message, NULL);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

/* Takes the blanks off both ends and puts a NUL behind what is left, where *end then is. */
static char *trim(char *start, char **end)
{
	char *last = *end;

	while (start < last && is_blank(*start))
		start++;
	while (last > start && is_blank(last[-1]))
		last--;
	*last = '\0';
	*end = last;
	return start;
}

/* Adds a number. Not by printf(3), which takes longer than all the rest of a line. */
static void add_number(struct text *out, uint32_t number)
{
	char digits[10];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	text_add_bytes(out, digits + at, sizeof(digits) - at);
}

/* What inih is to see of a section's header. */
static void read_header(struct reading *reading, char *start, char *end, struct text *out)
{
	char *close = memchr(start, ']', (size_t)(end - start));

	reading->in_section = false;
	reading->bad_header = true;
	if (!close) {
		tell_error(reading, "the section's name is not closed: ] is missing");
		return;
	}
	char *rest = trim(close + 1, &end);
	if (*rest) {
		tell_error(reading, "text after the section's name; a comment has its own line");
		return;
	}
	reading->in_section = true;
	reading->bad_header = false;
	reading->section++;
	text_add(out, "[");
	add_number(out, reading->section);
	text_add(out, "]\n");
	reading->tell(reading->context, INI_SECTION, reading->line, trim(start + 1, &close), NULL);
}

static bool good_key(const char *key)
{
	for (; *key; key++)
		if ((*key < 'a' || *key > 'z') && (*key < 'A' || *key > 'Z') &&
		    (*key < '0' || *key > '9') && *key != '_' && *key != '-' && *key != '.')
			return false;
	return true;
}

/* What inih is to see of a line that sets a key. */
static void read_key(struct reading *reading, char *start, char *end, struct text *out)
{
	char *equals = memchr(start, '=', (size_t)(end - start));

	if (!equals) {
		tell_error(reading, "neither KEY = VALUE nor [SECTION]; "
				    "a line cannot be continued on the next");
		return;
	}
	char *value = trim(equals + 1, &end);
	char *key = trim(start, &equals);
	size_t length = (size_t)(equals - key);
	if (!*key) {
		tell_error(reading, "no key before the =");
	} else if (!good_key(key)) {
		tell_error(reading, "a key has only letters, digits and _");
	} else if (length > INI_KEY_MAX) {
		tell_error(reading, "no key is that long");
	} else if (!reading->in_section) {
		/* After a bad header its message is enough. */
		if (!reading->bad_header)
			tell_error(reading, "a key outside of any section; "
					    "write [service NAME] before it");
	} else {
		reading->key = key;
		reading->value = value;
		text_add_bytes(out, key, length);
		text_add(out, "=");
		add_number(out, reading->line);
		text_add(out, "\n");
	}
}

/* inih's fgets: one line into `buffer`, made of what it is to see of the next line. */
static char *next_line(char *buffer, int size, void *stream)
{
	struct reading *reading = stream;
	struct text out;

	if (reading->at == reading->end || size < 1)
		return NULL;
	char *start = reading->at;
	char *end = memchr(start, '\n', (size_t)(reading->end - start));
	reading->at = end ? end + 1 : reading->end;
	if (!end)
		end = reading->end;
	reading->line++;
	reading->key = NULL;
	text_init(&out, buffer, (size_t)size);
	size_t length = (size_t)(end - start);
	if (length > INI_LINE_MAX) {
		tell_error(reading, "the line is longer than 4096 bytes");
	} else if (memchr(start, '\0', length)) {
		tell_error(reading, "a NUL byte: this is no text");
	} else {
		start = trim(start, &end);
		if (*start == '[')
			read_header(reading, start, end, &out);
		else if (*start && *start != ';' && *start != '#')
			read_key(reading, start, end, &out);
	}
	if (!out.used)
		text_add(&out, "\n");
	return buffer;
}

/* inih has read a line. */
static int take_key(void *user, const char *section, const char *name, const char *value)
{
	struct reading *reading = user;
	uint32_t line;
	uint32_t number;

	/* Some builds tell of a new section so. */
	if (!name)
		return 1;
	if (!value || !reading->key || strcmp(reading->key, name) != 0 || parse_u32(value, &line) ||
	    line != reading->line || parse_u32(section, &number) || number != reading->section)
		return 0;
	reading->tell(reading->context, INI_KEY, line, reading->key, reading->value);
	reading->key = NULL;
	return 1;
}

int ini_read(char *text, size_t size, ini_tell *tell, void *context)
{
	struct reading reading = {
	    .at = text,
	    .end = text + size,
	    .tell = tell,
	    .context = context,
	};

	if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		reading.at += 3;
	int error = ini_parse_stream(next_line, &reading, take_key, &reading);
	if (error || reading.at != reading.end) {
		tell_error(&reading, "the library inih read this line differently");
		return -EIO;
	}
	return 0;
}
