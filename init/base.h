/* Small things that every part needs: text built into a caller's buffer, strict
 * numbers, and the exit codes of the program.
 *
 * Owns nothing: every buffer belongs to the caller. No system calls, no allocation,
 * no globals; anything may call it, and it calls only the C
 * library's string functions. */
#ifndef SINIT_BASE_H
#define SINIT_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))

/* Exit codes of sinit itself. 126 and 127 are the shell's (POSIX, 2.8.2), 70 and 78
 * are EX_SOFTWARE and EX_CONFIG of sysexits.h. */
enum exit_code {
	EXIT_CODE_OK = 0,
	EXIT_CODE_INTERNAL = 70,
	EXIT_CODE_CONFIG = 78,
	EXIT_CODE_NOT_EXECUTABLE = 126,
	EXIT_CODE_NOT_FOUND = 127,
	EXIT_CODE_SIGNAL = 128, /* plus the signal's number */
};

/* The earlier of two times, of which 0 means never. */
static inline int64_t sooner(int64_t a, int64_t b)
{
	if (!a || !b)
		return a ? a : b;
	return a < b ? a : b;
}

/* A NUL-terminated text that grows inside a fixed buffer. What does not fit is left
 * out and `cut` is set; after that nothing more is added, so that the content is
 * always the beginning of what was meant. Read it through `data`. */
struct text {
	char *data;
	size_t size; /* bytes in the buffer, with room for the NUL */
	size_t used; /* bytes of text, without the NUL; always < size */
	bool cut;
};

/* Makes *text an empty text in buffer[0 .. size-1]; size must be at least 1. */
void text_init(struct text *text, char *buffer, size_t size);

/* Adds a string. */
void text_add(struct text *text, const char *string);

/* Adds `length` bytes, which must hold no NUL. */
void text_add_bytes(struct text *text, const char *bytes, size_t length);

/* Adds what printf(3) would print. */
void text_addf(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Adds `string` as a JSON string (RFC 8259) in double quotes, or `null` if it is NULL.
 * Each byte that is no part of valid UTF-8 becomes \ufffd, so the result is valid JSON
 * whatever a process wrote. */
void text_json(struct text *text, const char *string);

/* The same for `length` bytes which may hold NULs. */
void text_json_bytes(struct text *text, const char *bytes, size_t length);

/* How many of `length` bytes, whole characters of them, take no more than `room` bytes in a JSON
 * string, its quotes not counted. */
size_t text_json_fit(const char *bytes, size_t length, size_t room);

/* Whether a string has neither blanks nor control characters, so that it is one word of a line. */
bool is_one_word(const char *string);

/* A decimal number without sign, blanks or anything after it.
 * -EINVAL if `string` is not that, -ERANGE if it is too large for the type. */
int parse_u32(const char *string, uint32_t *ret_value);
int parse_u64(const char *string, uint64_t *ret_value);

#endif
