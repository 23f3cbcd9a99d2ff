/* Messages of syslog: what programs send to /dev/log, a datagram each, and the line that passes one
 * on to another machine.
 *
 * Read are RFC 5424, RFC 3164 and what programs make of it: without a host (nearly all of them), a
 * tag or a time, or with a time of RFC 3339. Nothing is refused and nothing is lost: where the
 * head is not understood it is part of the text.
 *
 * Pure; owns nothing: the pieces of a message are in the caller's bytes, and are as a program sent
 * them: any bytes, newlines and NULs too. May call: base, format. */
#ifndef SINIT_LOG_SYSLOG_MESSAGE_H
#define SINIT_LOG_SYSLOG_MESSAGE_H

#include "init/base.h"

enum {
	/* RFC 5424, 6.2.1. A message that does not say is user.notice (RFC 3164, 4.3.3). */
	SYSLOG_USER = 1,
	SYSLOG_NOTICE = 5,
	SYSLOG_FACILITIES = 24,
	SYSLOG_SEVERITIES = 8,
	/* Bytes before the text in a line of syslog_format(), `data` not counted. */
	SYSLOG_HEAD = 512,
};

struct syslog_piece {
	const char *at; /* NULL, or of no use, if it is empty */
	size_t length;  /* bytes */
};

/* Two words before the text can be a host and a tag, or the name of one program ("my app: "):
 * nobody can tell, and `host` is the first of them. Who shows a message shows host, tag, data and
 * text, of which most messages have the last two only. */
struct syslog_message {
	unsigned facility, severity; /* below SYSLOG_FACILITIES and SYSLOG_SEVERITIES */
	int32_t pid;                 /* as the sender says; 0: it does not */
	struct syslog_piece host;
	struct syslog_piece tag;     /* the program; APP-NAME of RFC 5424 */
	struct syslog_piece process; /* PROCID of RFC 5424, if it is no pid */
	struct syslog_piece id;      /* MSGID of RFC 5424 */
	struct syslog_piece data; /* STRUCTURED-DATA of RFC 5424 with its brackets; not in text */
	struct syslog_piece text; /* what is to be logged; goes on to the end */
};

/* Reads a datagram. Newlines, carriage returns and NULs at its end are of no part.
 * The head is understood as far as it is one of these:
 *     <PRI>TEXT     <PRI>TAG: TEXT     <PRI>TIME TEXT     <PRI>TIME TAG: TEXT
 *     <PRI>TIME HOST TAG: TEXT     <PRI>1 TIME HOST APP PROCID MSGID DATA TEXT
 * where TAG can be TAG[PID]. A wrong PRI, or none, makes all of it text; structured data that is
 * none is the beginning of the text. The time is checked and passed over: a message on a local
 * socket is of now. */
void syslog_parse(const char *bytes, size_t size, struct syslog_message *ret);

/* Adds the message as a line of RFC 5424, without a newline at its end. `time`: nanoseconds since
 * 1970 (CLOCK_REALTIME), written in UTC with microseconds. `hostname`: of this machine; "": not
 * known. The message's own host is not looked at: who sent it could have claimed any.
 *
 * Fields that may be only printable ASCII get a _ for each other byte, and end at their greatest
 * length: 255 bytes of the host, 48 of the tag, 128 of `process`, 32 of `id`. Data and text are
 * valid UTF-8 without control characters: those, and each byte that is no part of UTF-8, become
 * \n, \t or \xNN, so that a line is one line whatever ends it on its way (RFC 6587, 3.4.2).
 * There is no byte order mark: many receivers show it.
 *
 * `line` is cut at the end of a character and says so. SYSLOG_HEAD bytes and four for each of
 * data and text are always enough, with the NUL. */
void syslog_format(
    struct text *line, const struct syslog_message *message, int64_t time, const char *hostname);

/* "daemon" and "err", as in syslog.conf(5); the numbers must be in their range. */
const char *syslog_facility_name(unsigned facility);
const char *syslog_severity_name(unsigned severity);

#endif
