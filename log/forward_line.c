#include "log/forward_line.h"

#include "log/pending.h"
#include "log/syslog_message.h"

#include <string.h>

enum { DAEMON = 3, INFO = 6 }; /* RFC 5424, 6.2.1: what a service says of itself */

/* The number of a word among `count` names; count: none of them. */
static unsigned find_name(const char *word, const char *(*name)(unsigned), unsigned count)
{
	unsigned i = 0;

	while (i < count && strcmp(name(i), word) != 0)
		i++;
	return i;
}

/* "daemon.err TAG[PID]: text", as syslog.c has made it. */
static void take_apart(const char *line, size_t length, struct syslog_message *ret)
{
	static char text[LINES_MOST] = "<13>"; /* without a number nothing would be a tag */
	const char *blank = memchr(line, ' ', length);
	unsigned facility, severity;
	char word[32] = "", *dot;

	if (blank && (size_t)(blank - line) < sizeof(word))
		memcpy(word, line, (size_t)(blank - line));
	dot = strchr(word, '.');
	if (!dot)
		return;
	*dot = '\0';
	facility = find_name(word, syslog_facility_name, SYSLOG_FACILITIES);
	severity = find_name(dot + 1, syslog_severity_name, SYSLOG_SEVERITIES);
	if (facility == SYSLOG_FACILITIES || severity == SYSLOG_SEVERITIES)
		return;
	length -= (size_t)(blank + 1 - line);
	length = length < sizeof(text) - 4 ? length : sizeof(text) - 4;
	memcpy(text + 4, blank + 1, length);
	syslog_parse(text, length + 4, ret);
	ret->facility = facility;
	ret->severity = severity;
}

bool forward_line(struct stream *stream, const char *hostname, struct text *line)
{
	static const struct lines_style plain = {.format = LINES_RAW, .prefix = true, .name = ""};
	const struct store_stream *s = stream->s;
	uint64_t at = stream->forwarding;
	const char *bytes = stream->ring + at % STORE_RING;
	size_t length = pending_line(stream, &plain, at, take_next_end(s, at));
	struct syslog_message message = {.facility = DAEMON, .severity = INFO};

	if (!length)
		return false;
	stream->forwarding += length;
	message.text = (struct syslog_piece){bytes, length - (bytes[length - 1] == '\n')};
	message.tag = (struct syslog_piece){stream->style.name, strlen(stream->style.name)};
	if (s->kind == STORE_SYSLOG)
		take_apart(message.text.at, message.text.length, &message);
	syslog_format(line, &message, take_time(s, at) * 1000, hostname);
	return true;
}
