/* sinit's own log: lines about itself and its services.
 *
 * It never blocks and never kills: lines are kept in a fixed buffer for one turn of
 * the loop and written by log_flush(). What a full or dead target does not take is
 * dropped once the buffer is full, counted, and told in one line when writing works
 * again. Nothing here allocates.
 *
 *     sinit: web: started (pid 12)
 *     sinit: warning: web: exited 1, restarting in 2s
 *     {"time":"2024-05-01T12:00:00.123Z","level":"info","service":"web","message":"..."}
 *
 * Owns: its buffer and its descriptor (close-on-exec). It is the one module with a
 * state of its own, so that every part may log without being handed one; SIGPIPE must
 * be blocked or ignored by the caller. May call: base, libc. */
#ifndef SINIT_INIT_LOG_H
#define SINIT_INIT_LOG_H

#include <stdbool.h>
#include <stddef.h>

/* Least first: a line is kept if its level is at least the one set. */
enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR };

enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

enum {
	LOG_BUFFER = 8192, /* bytes kept between two flushes */
	LOG_LINE = 1024,   /* the longest line, with its newline; the rest is cut off */
};

/* Sets the target: "stderr", "kmsg" (/dev/kmsg) or the path of a file, which is made
 * with mode 0640 and appended to. What is buffered goes to the new one. 0, or -errno
 * of opening it, and then the old target stays. Without any call: stderr as text. */
int log_open(const char *target, enum log_format format);

/* Whether the target is a file, which could be opened; log_use() changes nothing of that. */
bool log_is_file(void);

/* Writes to a descriptor of the caller's, which does not wait, until log_open() is called: a pipe
 * to who writes the file in our stead; -1: to stderr, while that one cannot. */
void log_use(int fd);

/* Opens a file anew, for after it was moved away (USR1). 0 or -errno (the old one stays). */
int log_reopen(void);

void log_set_level(enum log_level level);
bool log_enabled(enum log_level level);

/* Adds one line. `service` is the name of the one it is about, NULL: sinit itself.
 * Newlines and other control characters inside become blanks. */
void log_debug(const char *service, const char *format, ...) __attribute__((format(printf, 2, 3)));
void log_info(const char *service, const char *format, ...) __attribute__((format(printf, 2, 3)));
void log_warning(const char *service, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void log_error(const char *service, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Writes what can be written without waiting; once per turn of the loop, and before
 * exec or exit. True if lines are left that the target does not take now: they go out
 * with the next call, so a caller that will sleep long may set itself a deadline. */
bool log_flush(void);

/* Lines dropped and not yet told of. */
size_t log_dropped(void);

#endif
