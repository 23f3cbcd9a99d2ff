#include "init/log.h"

#include "init/base.h"
#include "init/fds.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { FILE_MODE = 0640, MESSAGE_MAX = 800 };

/* How a write to the descriptor is kept from waiting. */
enum how {
	HOW_POLL,     /* somebody else's open file: ask first, and write little */
	HOW_NONBLOCK, /* our own open file with O_NONBLOCK, or one that never waits */
	HOW_SOCKET,   /* MSG_DONTWAIT */
	HOW_RECORDS,  /* /dev/kmsg: one line a write */
};

static struct {
	int fd;
	enum how how;
	enum log_level level;
	enum log_format format;
	bool kmsg;
	bool owned;          /* fd is ours to close */
	bool lent;           /* log_use() has said where to, for now */
	size_t used;         /* bytes in the buffer */
	size_t dropped;      /* lines lost since the last report */
	char path[PATH_MAX]; /* of a file; "" for stderr and kmsg */
	char buffer[LOG_BUFFER];
} sink = {.fd = STDERR_FILENO, .how = HOW_POLL, .level = LOG_LEVEL_INFO};

/* --- Targets ----------------------------------------------------------------------- */

static void set_target(int fd, enum how how, bool owned)
{
	if (sink.owned)
		close(sink.fd);
	sink.fd = fd;
	sink.how = how;
	sink.owned = owned;
}

/* O_NONBLOCK is a property of the open file, which services and our caller share with
 * us; setting it on theirs would break them. So stderr is opened once more where that
 * gives the same thing: a pipe, a terminal. A file opened anew would begin at offset 0,
 * but it does not wait anyhow. */
static void open_stderr(void)
{
	struct stat info;

	if (fstat(STDERR_FILENO, &info) < 0) {
		set_target(STDERR_FILENO, HOW_POLL, false);
	} else if (S_ISSOCK(info.st_mode)) {
		set_target(STDERR_FILENO, HOW_SOCKET, false);
	} else if (S_ISREG(info.st_mode)) {
		set_target(STDERR_FILENO, HOW_NONBLOCK, false);
	} else {
		int fd = fds_open_again(STDERR_FILENO, O_WRONLY | O_NONBLOCK | O_NOCTTY);
		bool own = fd >= 0;
		set_target(own ? fd : STDERR_FILENO, own ? HOW_NONBLOCK : HOW_POLL, own);
	}
}

static int open_path(const char *path)
{
	int fd = open(
	    path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, FILE_MODE);

	return fd < 0 ? -errno : fd;
}

int log_open(const char *target, enum log_format format)
{
	bool to_stderr = strcmp(target, "stderr") == 0;
	bool to_kmsg = strcmp(target, "kmsg") == 0;
	int fd;

	if (strlen(target) >= sizeof(sink.path))
		return -ENAMETOOLONG;
	if (to_stderr) {
		open_stderr();
	} else if (to_kmsg) {
		fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC | O_NOCTTY);
		if (fd < 0)
			return -errno;
		set_target(fd, HOW_RECORDS, true);
	} else {
		fd = open_path(target);
		if (fd < 0)
			return fd;
		set_target(fd, HOW_NONBLOCK, true);
	}
	sink.lent = false;
	sink.kmsg = to_kmsg;
	sink.format = format;
	/* The caller may hand in the path that is stored here. */
	if (to_stderr || to_kmsg)
		sink.path[0] = '\0';
	else
		memmove(sink.path, target, strlen(target) + 1);
	return 0;
}

bool log_is_file(void)
{
	return sink.path[0] != '\0';
}

void log_use(int fd)
{
	if (fd < 0)
		open_stderr();
	else
		set_target(fd, HOW_NONBLOCK, false);
	sink.lent = true;
}

int log_reopen(void)
{
	/* Who writes it is told to. */
	if (sink.path[0] == '\0' || sink.lent)
		return 0;
	int fd = open_path(sink.path);
	if (fd < 0)
		return fd;
	set_target(fd, HOW_NONBLOCK, true);
	return 0;
}

void log_set_level(enum log_level level)
{
	sink.level = level;
}

bool log_enabled(enum log_level level)
{
	return level >= sink.level;
}

size_t log_dropped(void)
{
	return sink.dropped;
}

/* --- Writing ----------------------------------------------------------------------- */

/* Bytes of whole lines at the buffer's beginning that one write may take. A write of at
 * most PIPE_BUF is all or nothing to a pipe (pipe(7)), so that lines of several writers
 * do not mix. */
static size_t next_piece(void)
{
	size_t most = sink.used < PIPE_BUF ? sink.used : PIPE_BUF;

	if (sink.how == HOW_RECORDS) {
		const char *end = memchr(sink.buffer, '\n', sink.used);
		return end ? (size_t)(end - sink.buffer) + 1 : sink.used;
	}
	if (most == sink.used)
		return most;
	const char *end = memrchr(sink.buffer, '\n', most);
	return end ? (size_t)(end - sink.buffer) + 1 : most;
}

/* Bytes written; 0: it would have to wait; -errno. */
static ssize_t write_piece(size_t size)
{
	ssize_t written;

	if (sink.how == HOW_POLL) {
		struct pollfd ask = {.fd = sink.fd, .events = POLLOUT};
		if (poll(&ask, 1, 0) == 0)
			return 0;
	}
	do
		written = sink.how == HOW_SOCKET
			      ? send(sink.fd, sink.buffer, size, MSG_DONTWAIT | MSG_NOSIGNAL)
			      : write(sink.fd, sink.buffer, size);
	while (written < 0 && errno == EINTR);
	if (written < 0)
		return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -errno;
	return written;
}

static void take_away(size_t size)
{
	sink.used -= size;
	memmove(sink.buffer, sink.buffer + size, sink.used);
}

static void drop_all(void)
{
	for (size_t i = 0; i < sink.used; i++)
		sink.dropped += sink.buffer[i] == '\n';
	sink.used = 0;
}

/* True if all was written; false if the target does not take it now. What it will never
 * take (EPIPE, EIO, a full file system) is dropped, which counts as done. */
static bool drain(void)
{
	while (sink.used > 0) {
		ssize_t written = write_piece(next_piece());
		if (written == 0)
			return false;
		if (written < 0) {
			drop_all();
			return true;
		}
		take_away((size_t)written);
	}
	return true;
}

/* --- Lines ------------------------------------------------------------------------- */

static void add_time(struct text *text)
{
	struct timespec now;
	struct tm parts;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &parts);
	text_addf(text, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", parts.tm_year + 1900,
	    parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
	    (int)(now.tv_nsec / 1000000));
}

static const char *level_name(enum log_level level)
{
	static const char names[][8] = {"debug", "info", "warning", "error"};

	return names[level];
}

static void add_text_line(
    struct text *text, enum log_level level, const char *service, const char *message)
{
	text_add(text, "sinit: ");
	if (level != LOG_LEVEL_INFO)
		text_addf(text, "%s: ", level_name(level));
	if (service)
		text_addf(text, "%s: ", service);
	text_add(text, message);
}

static void add_json_line(struct text *text, enum log_level level, const char *service,
    const char *message, size_t length)
{
	text_add(text, "{\"time\":\"");
	add_time(text);
	text_addf(text, "\",\"level\":\"%s\",\"service\":", level_name(level));
	text_json(text, service);
	text_add(text, ",\"message\":");
	text_json_bytes(text, message, length);
	text_add(text, "}");
}

/* A line with its newline into buffer[LOG_LINE]; returns its length. */
static size_t format_line(
    char *buffer, enum log_level level, const char *service, const char *message)
{
	/* printk's levels, which /dev/kmsg takes before the text (kernel's dev-kmsg). */
	static const char kernel_level[] = {'7', '6', '4', '3'};
	size_t length = strlen(message);
	struct text text;

	/* Quoting makes JSON longer, and half of an object is none: try with less. */
	do {
		text_init(&text, buffer, LOG_LINE); /* its NUL's place is the newline's */
		if (sink.kmsg)
			text_addf(&text, "<%c>", kernel_level[level]);
		if (sink.format == LOG_FORMAT_JSON)
			add_json_line(&text, level, service, message, length);
		else
			add_text_line(&text, level, service, message);
		length -= length / 4 + (length > 0);
	} while (text.cut && sink.format == LOG_FORMAT_JSON && length > 0);
	buffer[text.used] = '\n';
	return text.used + 1;
}

static void append(const char *line, size_t length)
{
	if (length > sizeof(sink.buffer) - sink.used)
		drain();
	if (length > sizeof(sink.buffer) - sink.used) {
		sink.dropped++;
		return;
	}
	memcpy(sink.buffer + sink.used, line, length);
	sink.used += length;
}

bool log_flush(void)
{
	char line[LOG_LINE], message[80];
	size_t before = sink.dropped;

	if (!drain())
		return true;
	/* Nothing is waiting any more. If nothing was lost just now, tell of what was before. */
	if (before == 0 || sink.dropped != before)
		return false;
	snprintf(message, sizeof(message), "%zu log line%s lost: the log could not be written",
	    before, before == 1 ? "" : "s");
	sink.dropped = 0;
	append(line, format_line(line, LOG_LEVEL_WARNING, NULL, message));
	if (!drain())
		return true;
	if (sink.dropped > 0)
		sink.dropped = before; /* the report was lost as well, and is no loss */
	return false;
}

static void add_line(enum log_level level, const char *service, const char *format, va_list args)
{
	char message[MESSAGE_MAX], line[LOG_LINE];

	if (!log_enabled(level))
		return;
	vsnprintf(message, sizeof(message), format, args);
	for (char *c = message; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = ' ';
	append(line, format_line(line, level, service, message));
}

void log_debug(const char *service, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add_line(LOG_LEVEL_DEBUG, service, format, args);
	va_end(args);
}

void log_info(const char *service, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add_line(LOG_LEVEL_INFO, service, format, args);
	va_end(args);
}

void log_warning(const char *service, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add_line(LOG_LEVEL_WARNING, service, format, args);
	va_end(args);
}

void log_error(const char *service, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add_line(LOG_LEVEL_ERROR, service, format, args);
	va_end(args);
}
