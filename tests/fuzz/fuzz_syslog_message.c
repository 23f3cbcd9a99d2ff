/* What programs send to /dev/log, byte by byte. What is found is in the message and in its order,
 * what is not found is no more than a head has besides, and the line that passes it on means the
 * same. */
#include "init/format.h"
#include "log/syslog_message.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
	if (!condition)
		abort();
}

/* These bytes of the head are in no piece: of PRI, a time, nil values, brackets of a pid, blanks;
 * and of a byte order mark. */
static void check_passed_over(const char *at, const char *end)
{
	static const char known[] = "<>0123456789 :.+-TZ[]\xef\xbb\xbf"
				    "JanFebMarAprMayJunJulAugSepOctNovDec";

	for (; at < end; at++)
		check(memchr(known, *at, sizeof(known) - 1));
}

static const char *check_piece(const char *at, struct syslog_piece piece)
{
	if (piece.length == 0)
		return at;
	check(piece.at >= at);
	check_passed_over(at, piece.at);
	return piece.at + piece.length;
}

static void check_message(const char *bytes, size_t size, const struct syslog_message *message)
{
	const struct syslog_piece pieces[] = {
	    message->host, message->tag, message->process, message->id, message->data};
	const char *at = bytes;
	char pid[16];

	for (size_t i = 0; i < ARRAY_LEN(pieces); i++)
		at = check_piece(at, pieces[i]);
	check(message->text.at >= at && message->text.at <= bytes + size);
	check_passed_over(at, message->text.at);

	/* The text goes on to the end. */
	size_t rest = (size_t)(bytes + size - message->text.at);
	while (rest && memchr("\n\r\0", message->text.at[rest - 1], 3))
		rest--;
	check(message->text.length == rest);

	check(message->facility < SYSLOG_FACILITIES && message->severity < SYSLOG_SEVERITIES);
	check(message->pid >= 0 && (!message->pid || !message->process.length));
	snprintf(pid, sizeof(pid), "%d", message->pid);
	check(!message->pid || memmem(bytes, (size_t)(message->text.at - bytes), pid, strlen(pid)));
	if (message->text.at == bytes)
		check(message->facility == SYSLOG_USER && message->severity == SYSLOG_NOTICE);
}

static bool equal(struct syslog_piece a, struct syslog_piece b)
{
	return a.length == b.length && (!a.length || memcmp(a.at, b.at, a.length) == 0);
}

/* Of a field of printable ASCII: it ends at its greatest length, and "-" is none. */
static bool same_field(struct syslog_piece sent, struct syslog_piece found, size_t most)
{
	if (sent.length == 1 && *sent.at == '-')
		sent.length = 0;
	if (sent.length > most)
		sent.length = most;
	return equal(sent, found);
}

static bool same_clean(struct syslog_piece sent, struct syslog_piece found)
{
	struct text clean;
	size_t skip = 0;
	char *buffer = malloc(sent.length * 4 + 1);

	check(buffer != NULL);
	text_init(&clean, buffer, sent.length * 4 + 1);
	format_clean_bytes(&clean, sent.at, sent.length);
	check(!clean.cut);
	/* Its own byte order mark is taken for that of the line. */
	if (clean.used >= 3 && memcmp(buffer, "\xef\xbb\xbf", 3) == 0)
		skip = 3;
	bool same = equal((struct syslog_piece){buffer + skip, clean.used - skip}, found);
	free(buffer);
	return same;
}

static void check_line(const struct syslog_message *message)
{
	size_t size = SYSLOG_HEAD + 4 * (message->data.length + message->text.length);
	char *buffer = malloc(size);
	struct text line;
	struct syslog_message again;

	check(buffer != NULL);
	text_init(&line, buffer, size);
	syslog_format(&line, message, 1795731924076402999, "board");
	check(!line.cut);
	for (size_t i = 0; i < line.used; i++)
		check((unsigned char)buffer[i] >= ' ' && buffer[i] != '\x7f');
	syslog_parse(buffer, line.used, &again);
	check(equal(again.host, (struct syslog_piece){"board", 5}));
	check(again.facility == message->facility && again.severity == message->severity);
	check(again.pid == message->pid);
	check(same_field(message->tag, again.tag, 48));
	check(same_field(message->process, again.process, 128));
	check(same_field(message->id, again.id, 32));
	check(same_clean(message->data, again.data));
	check(same_clean(message->text, again.text));

	/* One that is cut is the beginning of it. */
	size_t smaller = 1 + message->text.length % line.used;
	char *small = malloc(smaller);
	struct text cut;
	check(small != NULL);
	text_init(&cut, small, smaller);
	syslog_format(&cut, message, 1795731924076402999, "board");
	check(cut.cut && cut.used < smaller && memcmp(small, buffer, cut.used) == 0);
	free(small);
	free(buffer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Of the exact size, so that the sanitizer sees a step too far. */
	char *bytes = malloc(size ? size : 1);
	struct syslog_message message;

	check(bytes != NULL);
	memcpy(bytes, data, size);
	syslog_parse(bytes, size, &message);
	check_message(bytes, size, &message);
	check_line(&message);
	free(bytes);
	return 0;
}
