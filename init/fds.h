/* Descriptors 0, 1 and 2. Calls the kernel only. */
#ifndef SINIT_FDS_H
#define SINIT_FDS_H

/* Opens /dev/null (without one: the root directory) on each of the descriptors 0 to 2 that
 * is closed, so that nothing opened later lands there and no message goes into a file by
 * accident. To be called before anything else is opened. One system call if all are open. */
void fds_fill_standard(void);

#endif
