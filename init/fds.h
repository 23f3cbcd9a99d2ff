/* Descriptors, as every process of the program handles them. Owns
 * nothing. Calls the kernel only. */
#ifndef SINIT_FDS_H
#define SINIT_FDS_H

#include <stddef.h>

/* Numbers below are reserved: in a helper each has its meaning (probes/helper.h). What a helper is
 * to inherit under PID 1's own number is not there. */
enum { FDS_RESERVED = 64 };

/* Opens /dev/null (without one: the root directory) on each of the descriptors 0 to 2 that
 * is closed, so that nothing opened later lands there and no message goes into a file by
 * accident. To be called before anything else is opened. One system call if all are open. */
void fds_fill_standard(void);

/* Writes all of it, and waits for that where the descriptor does. 0 or -errno, -EAGAIN if it does
 * not wait; then a part may be written. */
int fds_write_all(int fd, const void *bytes, size_t size);

/* Another open file description of the same file: with `flags` (O_CLOEXEC is added), an offset and
 * O_NONBLOCK of its own. A descriptor or -errno; there is none of a socket, or without /proc. */
int fds_open_again(int fd, int flags);

/* Another descriptor of the same open file, above the reserved ones,
 * close-on-exec. It, or -errno. */
int fds_copy_up(int fd);

#endif
