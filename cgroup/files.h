/* The kernel's small files of a cgroup, named from its open directory.
 *
 * Owns nothing. May call: reading, libc. */
#ifndef SINIT_CGROUP_FILES_H
#define SINIT_CGROUP_FILES_H

#include <stddef.h>
#include <stdint.h>

/* Writes `text` in one write(2). 0 or -errno. */
int cgroup_write(int dirfd, const char *name, const char *text);

/* Reads at most size-1 bytes as a text; an empty one if it fails. 0 or -errno. */
int cgroup_read(int dirfd, const char *name, char *buffer, size_t size);

/* The number in a file; "max": UINT64_MAX; 0 if it cannot be read. */
uint64_t cgroup_read_number(int dirfd, const char *name);

/* Takes back the controllers that a cgroup gives to those below it. */
void cgroup_take_back(int dirfd);

/* A descriptor of a directory, or -1 with errno. */
int cgroup_directory(int dirfd, const char *name);

#endif
