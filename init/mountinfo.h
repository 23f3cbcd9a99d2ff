/* The kernel's lists of file systems: /proc/self/mountinfo and /proc/filesystems (proc(5)).
 *
 * Pure: owns nothing, calls base only. */
#ifndef SINIT_INIT_MOUNTINFO_H
#define SINIT_INIT_MOUNTINFO_H

#include "init/base.h"

/* One line of mountinfo; the texts lie in it. */
struct mountinfo {
	const char *target;  /* decoded */
	const char *options; /* of this mount: "rw,nosuid,relatime" */
	const char *type;
	const char *source;        /* decoded */
	const char *super_options; /* of the file system: "rw,errors=continue" */
};

/* Splits a line, which has no newline and is changed. 0, or -EINVAL if it is none. */
int mountinfo_parse(char *line, struct mountinfo *ret_mount);

/* Replaces each \ooo (octal) in place, as mount tables write blanks: \040 is a blank. */
void mountinfo_unescape(char *word);

/* Whether file systems of this type hold nothing that a disk should get: those of the kernel, and
 * tmpfs. */
bool mountinfo_in_memory(const char *type);

/* Whether `word` is one of those in `list`, which have blanks, tabs or newlines between them: a
 * type in the content of /proc/filesystems. */
bool mountinfo_word_in(const char *list, const char *word);

/* The next type in /proc/filesystems that lives on a block device: copies its name to
 * type[0 .. size-1] and moves *list behind it. False at the end. */
bool filesystems_next(const char **list, char *type, size_t size);

#endif
