#include "init/image_log.h"

#include <string.h>

/* Paths that are not opened: they mean descriptors of sinit, or nothing. Who writes one of
 * the first kinds never means those of the logger. */
static const struct special {
	char path[16];
	uint8_t sink; /* enum log_sink */
} specials[] = {
    {"/dev/stdout", SINK_STDOUT},
    {"/dev/fd/1", SINK_STDOUT},
    {"/proc/self/fd/1", SINK_STDOUT},
    {"/dev/stderr", SINK_STDERR},
    {"/dev/fd/2", SINK_STDERR},
    {"/proc/self/fd/2", SINK_STDERR},
    {"/dev/null", SINK_NULL},
};

static void set_path(struct image_log *log, const char *path)
{
	log->sink = SINK_FILE;
	for (size_t i = 0; i < sizeof(specials) / sizeof(specials[0]); i++)
		if (strcmp(path, specials[i].path) == 0)
			log->sink = (enum log_sink)specials[i].sink;
	log->path = log->sink == SINK_FILE ? path : NULL;
}

/* Fills in what a value of `log` or `log_stderr` means; the format is there. `own` is what
 * `inherit` is. */
static void set_target(struct image_log *log, const char *value, enum log_sink own)
{
	log->way = WAY_CAPTURED;
	log->sink = own;
	if (*value == '/') {
		set_path(log, value);
	} else if (strcmp(value, "prefix") == 0) {
		log->prefix = true;
		log->sink = SINK_STDOUT;
	} else if (strcmp(value, "null") == 0) {
		log->sink = SINK_NULL;
	} else if (log->format == OUTPUT_RAW) {
		log->way = WAY_INHERIT;
	}
	if (log->sink == SINK_NULL)
		log->way = WAY_NULL;
	if (log->way != WAY_CAPTURED)
		log->format = OUTPUT_RAW;
}

static bool same_target(const struct image_log *a, const struct image_log *b)
{
	return a->sink == b->sink && a->prefix == b->prefix &&
	       (!a->path || strcmp(a->path, b->path) == 0);
}

static void set_stream(const struct service_settings *service, enum image_stream stream,
    const char *value, struct image_log *ret)
{
	*ret = (struct image_log){
	    .format = service->log_format,
	    .max_size = service->log_max_size,
	    .keep = service->log_keep,
	    .gzip = service->log_gzip,
	    .uid = service->log_uid,
	    .gid = service->log_gid,
	};
	/* A terminal has all its output. */
	if (service->tty) {
		ret->format = OUTPUT_RAW;
		value = NULL;
	}
	set_target(
	    ret, value ? value : "inherit", stream == STREAM_STDOUT ? SINK_STDOUT : SINK_STDERR);
}

void image_log(const struct image *image, const struct service_settings *service,
    enum image_stream stream, struct image_log *ret)
{
	const char *log = image_string(image, service->log);
	const char *log_stderr = image_string(image, service->log_stderr);
	struct image_log out;

	set_stream(service, STREAM_STDOUT, log, &out);
	*ret = out;
	if (stream == STREAM_STDOUT)
		return;
	set_stream(service, STREAM_STDERR, log_stderr ? log_stderr : log, ret);
	if (out.way != WAY_CAPTURED)
		return;
	if (!log_stderr || (ret->way == WAY_CAPTURED && same_target(ret, &out))) {
		*ret = out;
		ret->way = WAY_SAME;
	}
}

void image_log_syslog(
    const struct image *image, const struct syslog_settings *syslog, struct image_log *ret)
{
	*ret = (struct image_log){
	    .format = syslog->log_format,
	    .max_size = syslog->log_max_size,
	    .keep = syslog->log_keep,
	    .gzip = syslog->log_gzip,
	    .uid = syslog->log_uid,
	    .gid = syslog->log_gid,
	};
	const char *log = image_string(image, syslog->log);
	set_target(ret, log ? log : "prefix", SINK_STDOUT);
}
