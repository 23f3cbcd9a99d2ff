/* Lines of /etc/fstab (fstab(5)) and the options of a mount (mount(8)) as mount(2) takes them.
 *
 * Pure: owns nothing, calls base and mountinfo only. */
#ifndef SINIT_INIT_FSTAB_H
#define SINIT_INIT_FSTAB_H

#include "init/base.h"

enum { FSTAB_LINE = 4096 }; /* bytes of a line with its NUL, and so of its options */

/* The fields, in the line itself; the two numbers at its end mean nothing to sinit. */
struct fstab_entry {
	const char *source;
	const char *target; /* an absolute path, but for swap */
	const char *type;
	const char *options; /* "defaults" where the line has none */
};

/* Splits a line, which has no newline and is changed. 1: an entry; 0: a blank line or a comment;
 * -EINVAL with what is wrong with it in *ret_fault. */
int fstab_parse(char *line, struct fstab_entry *ret_entry, const char **ret_fault);

enum fstab_mark {
	FSTAB_NOAUTO = 1,  /* not at the start */
	FSTAB_NOFAIL = 2,  /* its failure is nothing to worry about */
	FSTAB_NETWORK = 4, /* _netdev */
	FSTAB_LOOP = 8,    /* needs a loop device to be set up */
};

struct fstab_options {
	unsigned long flags;       /* MS_..., with MS_BIND, MS_REC and MS_REMOUNT */
	unsigned long propagation; /* MS_SHARED, ... with MS_REC, for a call of its own; or 0 */
	unsigned long marks;       /* FSTAB_... */
};

/* Reads options: the last one wins. What is for others (x-..., comment=, uhelper=) is left out;
 * what is no flag is the file system's own and is added to *data, separated by commas. */
void fstab_options(const char *options, struct fstab_options *ret_options, struct text *data);

/* The flags of swapon(2) in such data: pri=N, discard. */
int fstab_swap_flags(const char *data);

/* Whether file systems of this type have their data on another machine. Not 9p, which has it on
 * the host of a virtual machine. */
bool fstab_is_network(const char *type);

#endif
