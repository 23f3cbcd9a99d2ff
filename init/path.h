/* Directories and small files by their path, in one call each.
 *
 * Owns nothing. Makes system calls. May call: libc. */
#ifndef SINIT_INIT_PATH_H
#define SINIT_INIT_PATH_H

#include <stddef.h>

/* Makes a directory and those above it, with mode 0755. 0 (it is there) or -errno. */
int path_make_directory(const char *path);

/* Reads a file as text, at most size-1 bytes of it; a FIFO without a writer is empty. A NUL in it,
 * as a power cut leaves them, is read as a question mark. 0, or -errno: then text may be unset. */
int path_read_text(const char *path, char *text, size_t size);

/* Writes a text to a file that there is, such as the kernel's in /proc. 0 or -errno. */
int path_write_text(const char *path, const char *text);

#endif
