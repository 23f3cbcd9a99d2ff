/* What the parts of init/mounts.h share.
 *
 * Owns nothing. Makes system calls. May call: libc. */
#ifndef SINIT_INIT_MOUNT_BASICS_H
#define SINIT_INIT_MOUNT_BASICS_H

#include <stdbool.h>
#include <stddef.h>

/* Whether a file system is mounted at `path`, by STATX_ATTR_MOUNT_ROOT of statx(2). Kernels
 * before 5.8 do not say; there a directory counts whose device is not its parent's, which
 * misses a bind mount. Needs no /proc. False if there is nothing of that name. */
bool mount_is_point(const char *path);

/* strerror(3), but for mount(2)'s errors that would mislead. */
const char *mount_error(int error);

#endif
