/* A file compressed, as gzip(1) does it.
 *
 * Owns nothing. For a process that may block and allocate, a child of the logger: never PID 1, and
 * never the logger itself. Calls zlib and system calls. */
#ifndef SINIT_LOG_GZIP_H
#define SINIT_LOG_GZIP_H

#include <stdint.h>

/* Reads from_fd from its present position to its end, writes it as a gzip member (RFC 1952) at
 * to_fd's present position, and waits until that is on the disk; its name in the directory is the
 * caller's to sync, before what was read is removed. The same bytes and time of change give the
 * same member; it has no name, and a time only if from_fd is a regular file. Both descriptors must
 * block. Takes 276 KiB of the heap, given back at the end, and 32 KiB of the stack, however large
 * the file is.
 *
 * 0, with the member's size in bytes; -ENOMEM, or -errno of read(2), write(2) or fsync(2), such as
 * -ENOSPC and -EISDIR: then to_fd has a part of it, and what becomes of that is the caller's. */
int gzip_file(int from_fd, int to_fd, int64_t *ret_size);

#endif
