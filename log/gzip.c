#include "log/gzip.h"

#include "init/fds.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum {
	LEVEL = 6,
	WINDOW_BITS = 15 + 16, /* 32 KiB, the most there is; 16: the format is gzip's */
	MEMORY_LEVEL = 8,      /* zlib's default */
	OS_UNIX = 3,           /* RFC 1952, 2.3 */
	BUFFER = 16384,        /* bytes */
};

/* Seconds, or 0 for none: RFC 1952 has 32 bits for it. */
static uint32_t time_of_change(int fd)
{
	struct stat info;

	if (fstat(fd, &info) < 0 || !S_ISREG(info.st_mode))
		return 0;
	return info.st_mtime > 0 && info.st_mtime <= UINT32_MAX ? (uint32_t)info.st_mtime : 0;
}

static ssize_t read_some(int fd, unsigned char *bytes, size_t size)
{
	ssize_t count;

	do
		count = read(fd, bytes, size);
	while (count < 0 && errno == EINTR);
	return count < 0 ? -errno : count;
}

/* With the size counted here: zlib's own counters are a long, too small on 32 bits. */
static int compress_all(z_stream *stream, int from_fd, int to_fd, int64_t *ret_size)
{
	unsigned char in[BUFFER], out[BUFFER];
	int64_t size = 0;
	bool at_end = false;
	int result = Z_OK;

	stream->next_out = out;
	stream->avail_out = sizeof(out);
	while (result != Z_STREAM_END) {
		if (stream->avail_in == 0 && !at_end) {
			ssize_t count = read_some(from_fd, in, sizeof(in));
			if (count < 0)
				return (int)count;
			stream->next_in = in;
			stream->avail_in = (uInt)count;
			at_end = count == 0;
		}
		result = deflate(stream, at_end ? Z_FINISH : Z_NO_FLUSH);
		if (stream->avail_out != 0 && result != Z_STREAM_END)
			continue;
		size_t used = sizeof(out) - stream->avail_out;
		int error = fds_write_all(to_fd, out, used);
		if (error)
			return error;
		size += (int64_t)used;
		stream->next_out = out;
		stream->avail_out = sizeof(out);
	}
	*ret_size = size;
	return 0;
}

int gzip_file(int from_fd, int to_fd, int64_t *ret_size)
{
	gz_header header = {.time = time_of_change(from_fd), .os = OS_UNIX};
	z_stream stream = {0};
	int64_t size;

	/* Memory is all that can be wrong. */
	if (deflateInit2(
		&stream, LEVEL, Z_DEFLATED, WINDOW_BITS, MEMORY_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	deflateSetHeader(&stream, &header);
	int error = compress_all(&stream, from_fd, to_fd, &size);
	deflateEnd(&stream);
	/* A file system may find only now that it is full. EINVAL: a pipe has no disk. */
	if (!error && fsync(to_fd) < 0 && errno != EINVAL)
		error = -errno;
	if (!error)
		*ret_size = size;
	return error;
}
