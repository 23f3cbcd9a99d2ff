#include "log/syslog_message.h"

#include "init/format.h"

#include <ctype.h>
#include <string.h>

/* Greatest lengths of RFC 5424, 6. */
enum { HOST_LENGTH = 255, TAG_LENGTH = 48, PROCESS_LENGTH = 128, ID_LENGTH = 32, NAME_LENGTH = 32 };

const char *syslog_facility_name(unsigned facility)
{
	static const char names[SYSLOG_FACILITIES][9] = {"kern", "user", "mail", "daemon", "auth",
	    "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp", "audit", "alert",
	    "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6",
	    "local7"};

	return names[facility];
}

const char *syslog_severity_name(unsigned severity)
{
	static const char names[SYSLOG_SEVERITIES][8] = {
	    "emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"};

	return names[severity];
}

/* --- Reading ------------------------------------------------------------------------
 * What is left to be read. Each pass_ and take_ function goes on behind what it knows, or
 * says false and stays. */
struct rest {
	const char *at, *end;
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* PRINTUSASCII of RFC 5424: neither blanks nor control characters. */
static bool is_printable(char c)
{
	return c > ' ' && c <= '~';
}

/* Whether a name may have it; `marks` besides letters and digits. */
static bool is_of_name(char c, const char *marks)
{
	return is_printable(c) && (isalnum((unsigned char)c) || strchr(marks, c));
}

static struct syslog_piece piece(const char *at, const char *end)
{
	return (struct syslog_piece){at, (size_t)(end - at)};
}

static bool pass(struct rest *rest, char c)
{
	if (rest->at == rest->end || *rest->at != c)
		return false;
	rest->at++;
	return true;
}

/* A decimal number, from 1 to INT32_MAX and as it is usually written; else 0. */
static int32_t number(const char *at, const char *end)
{
	int64_t value = 0;

	if (at == end || *at == '0')
		return 0;
	for (; at < end; at++) {
		if (!is_digit(*at))
			return 0;
		value = value * 10 + (*at - '0');
		if (value > INT32_MAX)
			return 0;
	}
	return (int32_t)value;
}

/* --- Times --- */

struct part {
	unsigned digits, low, high;
	char after; /* '\0': nothing */
};

static const struct part clock_parts[] = {{2, 0, 23, ':'}, {2, 0, 59, ':'}, {2, 0, 60, '\0'}};

static bool pass_parts(struct rest *rest, const struct part *parts, size_t count)
{
	struct rest next = *rest;

	for (const struct part *part = parts; part < parts + count; part++) {
		unsigned value = 0;
		for (unsigned i = 0; i < part->digits; i++) {
			if (next.at == next.end || !is_digit(*next.at))
				return false;
			value = value * 10 + (unsigned)(*next.at++ - '0');
		}
		if (value < part->low || value > part->high ||
		    (part->after && !pass(&next, part->after)))
			return false;
	}
	*rest = next;
	return true;
}

/* "Nov  6 22:25:24", of RFC 3164; some write 06. */
static bool pass_old_time(struct rest *rest)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	static const struct part short_day[] = {{1, 1, 9, ' '}};
	static const struct part long_day[] = {{2, 1, 31, ' '}};
	struct rest next = *rest;
	bool known = false;

	if (next.end - next.at < 3)
		return false;
	for (size_t i = 0; i < sizeof(months) - 1; i += 3)
		known = known || memcmp(next.at, months + i, 3) == 0;
	next.at += 3;
	if (!known || !pass(&next, ' '))
		return false;
	if (!(pass(&next, ' ') ? pass_parts(&next, short_day, 1) : pass_parts(&next, long_day, 1)))
		return false;
	if (!pass_parts(&next, clock_parts, ARRAY_LEN(clock_parts)))
		return false;
	*rest = next;
	return true;
}

/* "2026-11-06T22:25:24.123456+01:00" of RFC 3339; the fraction may have any number of digits. */
static bool pass_new_time(struct rest *rest)
{
	static const struct part date_parts[] = {
	    {4, 0, 9999, '-'}, {2, 1, 12, '-'}, {2, 1, 31, 'T'}};
	static const struct part zone_parts[] = {{2, 0, 23, ':'}, {2, 0, 59, '\0'}};
	struct rest next = *rest;

	if (!pass_parts(&next, date_parts, ARRAY_LEN(date_parts)) ||
	    !pass_parts(&next, clock_parts, ARRAY_LEN(clock_parts)))
		return false;
	if (pass(&next, '.')) {
		const char *fraction = next.at;
		while (next.at < next.end && is_digit(*next.at))
			next.at++;
		if (next.at == fraction)
			return false;
	}
	if (!pass(&next, 'Z') && !((pass(&next, '+') || pass(&next, '-')) &&
				     pass_parts(&next, zone_parts, ARRAY_LEN(zone_parts))))
		return false;
	*rest = next;
	return true;
}

/* --- The head --- */

/* <PRI>; with a 0 in front it is none (RFC 3164, 4.3.3). */
static bool take_priority(struct rest *rest, struct syslog_message *ret)
{
	struct rest next = *rest;
	unsigned value = 0;

	if (!pass(&next, '<'))
		return false;
	const char *digits = next.at;
	for (; next.at < next.end && next.at - digits < 3 && is_digit(*next.at); next.at++)
		value = value * 10 + (unsigned)(*next.at - '0');
	if (next.at == digits || (*digits == '0' && next.at - digits > 1) || !pass(&next, '>') ||
	    value >= SYSLOG_FACILITIES * SYSLOG_SEVERITIES)
		return false;
	ret->facility = value / SYSLOG_SEVERITIES;
	ret->severity = value % SYSLOG_SEVERITIES;
	*rest = next;
	return true;
}

/* The pid of "NAME[PID]", 0: there is none; *ret_name_end is where the name ends. */
static int32_t pid_of(const char *name, const char *end, const char **ret_name_end)
{
	const char *digits = end - 1;
	int32_t pid;

	*ret_name_end = end;
	if (end == name || *digits != ']')
		return 0;
	while (digits > name && is_digit(digits[-1]))
		digits--;
	if (digits == name || digits[-1] != '[')
		return 0;
	pid = number(digits, end - 1);
	if (pid)
		*ret_name_end = digits - 1;
	return pid;
}

/* "TAG: " or "TAG[PID]: ", with the one blank, which may be missing at the message's end and behind
 * a pid. A name can have colons, too. What is between brackets and no pid is part of the name.
 * `unnamed`: it may be empty, as musl has it for who did not call openlog(3). */
static bool take_tag(struct rest *rest, bool unnamed, struct syslog_message *ret)
{
	const char *at = rest->at;
	const char *name_end;

	for (; at < rest->end && is_of_name(*at, "-_./+@%#~()[]:"); at++) {
		if (*at != ':')
			continue;
		int32_t pid = pid_of(rest->at, at, &name_end);
		bool last = at + 1 == rest->end || at[1] == ' ';
		if ((!pid && !last) || (name_end == rest->at && !unnamed))
			continue;
		ret->pid = pid;
		ret->tag = piece(rest->at, name_end);
		rest->at = at + 1;
		pass(rest, ' ');
		return true;
	}
	return false;
}

/* A host and the blank behind it. nginx sends an empty one before it knows it. */
static bool take_host(struct rest *rest, struct syslog_piece *ret)
{
	struct rest next = *rest;

	while (next.at < next.end && is_of_name(*next.at, "-_.:%[]"))
		next.at++;
	*ret = piece(rest->at, next.at);
	if (!pass(&next, ' '))
		return false;
	*rest = next;
	return true;
}

/* What follows PRI in RFC 3164, as far as it is there. Without a time nothing but a tag is: the
 * first words of a text look like a host easily. For the same reason only a tag makes a host. */
static void take_old_head(struct rest *rest, struct syslog_message *ret)
{
	struct rest next = *rest;
	struct syslog_piece host;
	bool timed = (pass_old_time(&next) || pass_new_time(&next)) && pass(&next, ' ');

	if (timed)
		*rest = next;
	if (take_tag(rest, timed, ret) || !timed)
		return;
	if (take_host(&next, &host) && take_tag(&next, false, ret)) {
		ret->host = host;
		*rest = next;
	}
}

/* --- RFC 5424 --- */

/* A field of the head and the blank behind it; "-" is an empty one. */
static bool take_field(struct rest *rest, struct syslog_piece *ret)
{
	struct rest next = *rest;

	while (next.at < next.end && is_printable(*next.at))
		next.at++;
	*ret = piece(rest->at, next.at);
	if (ret->length == 0 || !pass(&next, ' '))
		return false;
	if (ret->length == 1 && *ret->at == '-')
		ret->length = 0;
	*rest = next;
	return true;
}

/* SD-NAME, 6.3. This and the next one stay anywhere if it is none. */
static bool pass_name(struct rest *rest)
{
	const char *name = rest->at;

	for (; rest->at < rest->end && is_printable(*rest->at); rest->at++)
		if (memchr("=\"]", *rest->at, 3))
			break;
	return rest->at > name && rest->at - name <= NAME_LENGTH;
}

/* A value in its quotes. A backslash is meant for \, " and ] and means nothing before any other
 * (6.3.3), so what is behind one never ends the value. */
static bool pass_value(struct rest *rest)
{
	if (!pass(rest, '"'))
		return false;
	while (rest->at < rest->end && *rest->at != ']') {
		if (pass(rest, '"'))
			return true;
		pass(rest, '\\');
		if (rest->at < rest->end)
			rest->at++;
	}
	return false;
}

/* [NAME NAME="VALUE"...] */
static bool pass_element(struct rest *rest)
{
	struct rest next = *rest;

	if (!pass(&next, '[') || !pass_name(&next))
		return false;
	while (pass(&next, ' '))
		if (!pass_name(&next) || !pass(&next, '=') || !pass_value(&next))
			return false;
	if (!pass(&next, ']'))
		return false;
	*rest = next;
	return true;
}

/* Structured data and the blank behind it, which is missing if there is no text. */
static bool take_data(struct rest *rest, struct syslog_piece *ret)
{
	struct rest next = *rest;
	struct syslog_piece data = piece(rest->at, rest->at);

	if (!pass(&next, '-')) {
		while (pass_element(&next))
			;
		data = piece(rest->at, next.at);
		if (data.length == 0)
			return false;
	}
	if (!pass(&next, ' ') && next.at < next.end)
		return false;
	*ret = data;
	*rest = next;
	return true;
}

static bool take_new_head(struct rest *rest, struct syslog_message *ret)
{
	struct rest next = *rest;
	struct syslog_piece host, tag, process, id;

	if (!pass(&next, '1') || !pass(&next, ' ') || !(pass(&next, '-') || pass_new_time(&next)) ||
	    !pass(&next, ' ') || !take_field(&next, &host) || !take_field(&next, &tag) ||
	    !take_field(&next, &process) || !take_field(&next, &id))
		return false;
	ret->host = host;
	ret->tag = tag;
	ret->id = id;
	ret->pid = number(process.at, process.at + process.length);
	if (!ret->pid)
		ret->process = process;
	*rest = next;
	return true;
}

void syslog_parse(const char *bytes, size_t size, struct syslog_message *ret)
{
	struct rest rest = {bytes, bytes + size};

	*ret = (struct syslog_message){.facility = SYSLOG_USER, .severity = SYSLOG_NOTICE};
	while (rest.end > rest.at && memchr("\n\r\0", rest.end[-1], 3))
		rest.end--;
	if (take_priority(&rest, ret)) {
		if (!take_new_head(&rest, ret))
			take_old_head(&rest, ret);
		else if (take_data(&rest, &ret->data) && rest.end - rest.at >= 3 &&
			 memcmp(rest.at, "\xef\xbb\xbf", 3) == 0)
			rest.at += 3; /* the byte order mark of MSG-UTF8 */
	}
	ret->text = piece(rest.at, rest.end);
}

/* --- Writing ------------------------------------------------------------------------ */

static void add_field(struct text *line, struct syslog_piece field, size_t most)
{
	text_add(line, field.length ? " " : " -");
	for (size_t i = 0; i < field.length && i < most; i++)
		text_add_bytes(line, is_printable(field.at[i]) ? field.at + i : "_", 1);
}

void syslog_format(
    struct text *line, const struct syslog_message *message, int64_t time, const char *hostname)
{
	text_add(line, "<");
	format_number(line, message->facility * SYSLOG_SEVERITIES + message->severity);
	text_add(line, ">1 ");
	format_time_us(line, time);
	add_field(line, (struct syslog_piece){hostname, strlen(hostname)}, HOST_LENGTH);
	add_field(line, message->tag, TAG_LENGTH);
	if (message->pid) {
		text_add(line, " ");
		format_number(line, message->pid);
	} else {
		add_field(line, message->process, PROCESS_LENGTH);
	}
	add_field(line, message->id, ID_LENGTH);
	text_add(line, message->data.length ? " " : " -");
	format_clean_bytes(line, message->data.at, message->data.length);
	if (message->text.length) {
		text_add(line, " ");
		format_clean_bytes(line, message->text.at, message->text.length);
	}
}
