/* A directory of a test's own, removed with all that is in it. */
#ifndef TESTS_UNIT_TEMPDIR_H
#define TESTS_UNIT_TEMPDIR_H

#include <stddef.h>

/* Makes it below $TMPDIR or /tmp; the text belongs to this module. One at a time. */
const char *tempdir_make(void);
void tempdir_remove(void);

/* Its path with /NAME; in a static buffer of which four are used in turn. */
const char *tempdir_path(const char *name);

/* Writes a file in it with this mode, returns its path as tempdir_path() does. */
const char *tempdir_write(const char *name, const char *content, unsigned mode);

/* Reads a file (any path) into buffer, NUL-terminated; returns its bytes. */
size_t file_read(const char *path, char *buffer, size_t size);

#endif
