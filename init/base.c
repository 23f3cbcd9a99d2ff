#include "init/base.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void text_init(struct text *text, char *buffer, size_t size)
{
	text->data = buffer;
	text->size = size;
	text->used = 0;
	text->cut = false;
	buffer[0] = '\0';
}

void text_add_bytes(struct text *text, const char *bytes, size_t length)
{
	if (text->cut)
		return;
	size_t room = text->size - text->used - 1;
	if (length > room) {
		length = room;
		text->cut = true;
	}
	memcpy(text->data + text->used, bytes, length);
	text->used += length;
	text->data[text->used] = '\0';
}

void text_add(struct text *text, const char *string)
{
	text_add_bytes(text, string, strlen(string));
}

void text_addf(struct text *text, const char *format, ...)
{
	if (text->cut)
		return;
	va_list arguments;
	va_start(arguments, format);
	size_t room = text->size - text->used;
	int length = vsnprintf(text->data + text->used, room, format, arguments);
	va_end(arguments);
	if (length < 0) {
		text->data[text->used] = '\0';
		text->cut = true;
	} else if ((size_t)length >= room) {
		text->used = text->size - 1;
		text->cut = true;
	} else {
		text->used += (size_t)length;
	}
}

/* Length of the valid UTF-8 sequence at `bytes`, of which `left` remain; 0 if there is
 * none. The ranges are those of the Unicode Standard, table 3-7: no overlong forms, no
 * surrogates, nothing above U+10FFFF. */
static size_t utf8_length(const unsigned char *bytes, size_t left)
{
	unsigned char first = bytes[0];
	size_t length;
	unsigned char low = 0x80;
	unsigned char high = 0xbf;

	if (first < 0x80)
		return 1;
	if (first >= 0xc2 && first <= 0xdf) {
		length = 2;
	} else if (first >= 0xe0 && first <= 0xef) {
		length = 3;
		if (first == 0xe0)
			low = 0xa0;
		if (first == 0xed)
			high = 0x9f;
	} else if (first >= 0xf0 && first <= 0xf4) {
		length = 4;
		if (first == 0xf0)
			low = 0x90;
		if (first == 0xf4)
			high = 0x8f;
	} else {
		return 0;
	}
	if (length > left || bytes[1] < low || bytes[1] > high)
		return 0;
	for (size_t i = 2; i < length; i++)
		if (bytes[i] < 0x80 || bytes[i] > 0xbf)
			return 0;
	return length;
}

/* What stands for one character in a JSON string, in `escape`; its
 * length, 0: the character itself. */
static size_t json_escape(const unsigned char *bytes, size_t length, char escape[static 8])
{
	static const char letters[] = "b\bf\fn\nr\rt\t\"\"\\\\";

	if (length == 0) {
		memcpy(escape, "\\ufffd", 6);
		return 6;
	}
	if (bytes[0] >= 0x20 && bytes[0] != '"' && bytes[0] != '\\' && bytes[0] != 0x7f)
		return 0;
	escape[0] = '\\';
	for (size_t i = 0; i + 1 < sizeof(letters); i += 2) {
		if (letters[i + 1] != (char)bytes[0])
			continue;
		escape[1] = letters[i];
		return 2;
	}
	return (size_t)snprintf(escape, 8, "\\u%04x", bytes[0]);
}

/* Adds one character of a JSON string; it goes in whole or not at all, so that a text
 * that was cut does not end inside an escape. */
static void json_char(struct text *text, const unsigned char *bytes, size_t length)
{
	char escape[8];
	size_t escaped = json_escape(bytes, length, escape);

	if (escaped)
		length = escaped;
	if (text->cut || length > text->size - text->used - 1)
		text->cut = true;
	else
		text_add_bytes(text, escaped ? escape : (const char *)bytes, length);
}

/* How many of the bytes stand for themselves in a JSON string, at the beginning. */
static size_t plain_bytes(const char *bytes, size_t length)
{
	size_t i = 0;

	while (
	    i < length && bytes[i] >= ' ' && bytes[i] < 0x7f && bytes[i] != '"' && bytes[i] != '\\')
		i++;
	return i;
}

size_t text_json_fit(const char *bytes, size_t length, size_t room)
{
	size_t at = 0, used = 0;

	while (at < length) {
		const unsigned char *here = (const unsigned char *)bytes + at;
		size_t plain = plain_bytes(bytes + at, length - at), character, escaped;
		char escape[8];

		if (plain > room - used)
			return at + (room - used);
		used += plain;
		at += plain;
		if (plain)
			continue;
		character = utf8_length(here, length - at);
		escaped = json_escape(here, character, escape);
		if ((escaped ? escaped : character) > room - used)
			break;
		used += escaped ? escaped : character;
		at += character ? character : 1;
	}
	return at;
}

void text_json_bytes(struct text *text, const char *bytes, size_t length)
{
	text_add(text, "\"");
	for (size_t at = 0; at < length;) {
		const unsigned char *here = (const unsigned char *)bytes + at;
		size_t plain = plain_bytes(bytes + at, length - at), character;

		text_add_bytes(text, bytes + at, plain);
		at += plain;
		if (plain)
			continue;
		character = utf8_length(here, length - at);
		json_char(text, here, character);
		at += character ? character : 1;
	}
	text_add(text, "\"");
}

void text_json(struct text *text, const char *string)
{
	if (string)
		text_json_bytes(text, string, strlen(string));
	else
		text_add(text, "null");
}

bool is_one_word(const char *string)
{
	for (; *string; string++)
		if ((unsigned char)*string <= ' ' || *string == 0x7f)
			return false;
	return true;
}

int parse_u64(const char *string, uint64_t *ret_value)
{
	uint64_t value = 0;

	if (!*string)
		return -EINVAL;
	/* All of it is looked at before -ERANGE is said: a number too long with a letter
	 * at its end is no number. */
	bool range = false;
	for (; *string; string++) {
		if (*string < '0' || *string > '9')
			return -EINVAL;
		uint64_t digit = (uint64_t)(*string - '0');
		if (value > (UINT64_MAX - digit) / 10)
			range = true;
		else
			value = value * 10 + digit;
	}
	if (range)
		return -ERANGE;
	*ret_value = value;
	return 0;
}

int parse_u32(const char *string, uint32_t *ret_value)
{
	uint64_t value;
	int error = parse_u64(string, &value);

	if (error)
		return error;
	if (value > UINT32_MAX)
		return -ERANGE;
	*ret_value = (uint32_t)value;
	return 0;
}
