/* Where the output of a service goes: the one place that reads the keys log and log_...
 *
 * `inherit` is sinit's own descriptor as it is, with nothing between; everything that needs
 * a name, a time or a file is captured by a pipe. Owns
 * nothing: pure, calls image only. */
#ifndef SINIT_IMAGE_LOG_H
#define SINIT_IMAGE_LOG_H

#include "init/image.h"

#include <stdbool.h>
#include <stdint.h>

enum image_stream { STREAM_STDOUT, STREAM_STDERR };

/* What the process has as this descriptor. */
enum log_way {
	WAY_INHERIT,  /* sinit's own; or the service's terminal, if it has one */
	WAY_NULL,     /* /dev/null */
	WAY_CAPTURED, /* a pipe to the logger */
	WAY_SAME,     /* stderr only: the pipe of its stdout */
};

/* Where it is in the end. */
enum log_sink {
	SINK_STDOUT, /* sinit's own */
	SINK_STDERR,
	SINK_FILE,
	SINK_NULL,
};

struct image_log {
	enum log_way way;
	enum log_sink sink;
	bool prefix;       /* each line begins with the service's name */
	const char *path;  /* SINK_FILE: absolute, in the image; else NULL */
	uint32_t format;   /* enum output_format; OUTPUT_RAW unless it is captured */
	uint32_t max_size; /* bytes, SETTING_UNLIMITED: never a new file */
	uint32_t keep;     /* old files */
	bool gzip;         /* compress them */
	uint32_t uid;      /* whose the files are; SETTING_UNSET: sinit's own user */
	uint32_t gid;
};

/* How a stream of a service goes. WAY_SAME: the rest of *ret is that of its stdout, too. */
void image_log(const struct image *image, const struct service_settings *service,
    enum image_stream stream, struct image_log *ret);

/* The same for what comes in by [syslog]: WAY_CAPTURED, or WAY_NULL if it is not kept. */
void image_log_syslog(
    const struct image *image, const struct syslog_settings *syslog, struct image_log *ret);

#endif
