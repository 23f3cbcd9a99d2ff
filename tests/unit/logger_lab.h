/* The logger without the process around it: pipes, a store, targets, as PID 1 keeps them, and a
 * logger for one piece of work at a time, in this process or in a child. */
#ifndef TESTS_UNIT_LOGGER_LAB_H
#define TESTS_UNIT_LOGGER_LAB_H

#include "log/logger.h"

#include <stddef.h>

enum {
	LOGLAB_STREAMS = 4,
	LOGLAB_BYTES = 1 << 20,
	LOGLAB_ABOVE = 40, /* descriptors of the lab are above those of a helper */
};

/* One captured stream, as probes/helper.h has it. */
struct loglab_stream {
	const char *name;
	uint8_t kind, sink, format;
	bool prefix, gzip, retired;
	const char *path;
	uint32_t keep, max_size; /* max_size 0: no limit */
	uint32_t uid, gid;       /* 0: nobody in particular */
	uint64_t ended;
	int pipe[2]; /* -1: none */
};

struct logger_lab {
	struct loglab_stream stream[LOGLAB_STREAMS];
	uint32_t streams;
	int store, channel; /* of the channel PID 1's end, which does not wait */
	int take[2], put[2];
	int syslog[2]; /* of the logger, of who sends; -1: none */
	int out[2];    /* standard output of a logger in a child; -1: none */
	uint32_t syslog_stream;
	uint16_t forward_port; /* 0: nothing is forwarded */
	bool forward_tcp;
	bool hangs;
	bool deaf;               /* in a child: nobody can be made the owner of a pipe's signal */
	uint32_t file_limit;     /* bytes that a file takes, in a child; 0: any number */
	struct store_head *head; /* as a stranger sees it */
};

/* Its files are in the directory of tempdir_make(). */
void loglab_make(struct logger_lab *lab);
void loglab_free(struct logger_lab *lab);

/* Adds a stream with a pipe; its number. Before a logger starts. */
uint32_t loglab_add(struct logger_lab *lab, const struct loglab_stream *stream);
void loglab_make_syslog(struct logger_lab *lab, uint32_t stream);
void loglab_make_out(struct logger_lab *lab);

/* Writes into a stream's pipe. */
void loglab_write(struct logger_lab *lab, uint32_t stream, const char *bytes, size_t size);
void loglab_print(struct logger_lab *lab, uint32_t stream, const char *string);

/* What came of standard output since the last time; a text. Bytes. */
size_t loglab_read_out(struct logger_lab *lab, char *bytes, size_t size);

/* A logger in this process, with nothing recovered yet; it tells lab->channel. */
struct logger *loglab_start(struct logger_lab *lab);
void loglab_stop(struct logger *logger);

/* Recovers, and then takes and writes until nothing is left that can be. */
void loglab_recover(struct logger *logger);
void loglab_serve(struct logger *logger);

/* Both by a logger whose descriptors and limits are a child's; for moment_kill() and
 * moment_none(). The context is the lab. */
void loglab_work(void *context);

/* The whole process; it ends when lab->channel is closed. */
pid_t loglab_main(struct logger_lab *lab);
/* Ends it so, and waits. */
void loglab_end(struct logger_lab *lab, pid_t pid);

/* Waits until the file has so many bytes, and reads it as file_read() does. False: after 20 s it
 * has not. */
bool loglab_wait(const char *path, char *content, size_t most, size_t size);

/* How the next message of one kind reads that a logger told; false: there is none. */
bool loglab_heard(struct logger_lab *lab, uint32_t kind, struct logger_message *ret);

struct store_stream *loglab_record(struct logger_lab *lab, uint32_t stream);
size_t loglab_control_size(const struct logger_lab *lab); /* bytes of head and records in use */

/* Bytes in a pipe or socket. */
size_t loglab_waiting(int fd);

#endif
