/* Reading the configuration's files. The fuzzer puts its own in the place of this module.
 *
 * Owns nothing: what it returns lies in the
 * caller's arena. Calls system calls. */
#ifndef SINIT_INIT_FILES_H
#define SINIT_INIT_FILES_H

#include "init/arena.h"

#include <stddef.h>
#include <stdint.h>

#define FILES_MAX_SIZE (16u << 20)

/* Reads a whole regular file, with a NUL behind its end. Never waits: what is no regular file
 * is not even opened. 0 or -errno, of which -ENOTSUP: no regular file, -ENOLINK: a symbolic
 * link to nothing, -EFBIG: larger than FILES_MAX_SIZE. files_error() says it in words. */
int files_read(struct arena *arena, const char *path, char **ret_bytes, size_t *ret_size);

const char *files_error(int error);

/* Names in a directory that end in `suffix` and do not begin with a dot, in byte order, as an
 * array of *ret_count. 0 or -errno. */
int files_list(struct arena *arena, const char *directory, const char *suffix, char ***ret_names,
    uint32_t *ret_count);

#endif
