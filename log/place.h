/* Where a log's file is: a directory that is held open, and the name in it.
 *
 * The path may lead through directories in which a service can do as it likes, and sinit writes as
 * root. So it is walked name by name, and a symbolic link is followed only if root or sinit's user
 * made it, wherever in the path it stands; everything else that is done with the file, its
 * rotation too, is done from the directory that was found.
 * Owns: the descriptor of the directory. Makes system calls. May call: base, libc. */
#ifndef SINIT_LOG_PLACE_H
#define SINIT_LOG_PLACE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

struct place {
	int directory; /* O_PATH; -1: not found yet */
	bool sticky;   /* shared, and all may put files there: /tmp */
	int not_given; /* errno of giving a new file to its user, 0: it is his */
	bool shared;   /* others than root and sinit's user may put files there */
	char name[NAME_MAX + 1];
};

/* Finds the place of an absolute path, making its directories (mode 0755) where they are missing.
 * 0, or -errno: -ELOOP if a link of somebody else is in the way. */
int place_find(struct place *ret, const char *path);
void place_close(struct place *place);

/* Opens the file to append to without waiting, making it (0640, of that user and group if they are
 * not UINT32_MAX) if it is not there. The descriptor, or -errno: -EMLINK for a file that has
 * another name, in a directory that is shared: it may be anybody's; -EACCES for a stranger's in one
 * like /tmp (as fs.protected_regular of sysctl does it). A file that cannot be given away is left
 * as it is, see not_given. */
int place_open(struct place *place, uint32_t uid, uint32_t gid);

/* Holds the open file: with others who append to it, or alone, to rotate it. Never waits. 0, or
 * -EWOULDBLOCK: somebody else holds it; what was held by then is not any more (flock(2)). Where the
 * file system has no locks it counts as held. */
int place_lock(int fd, bool alone);

/* Whether the path still leads to the same file. */
bool place_is(const char *path, uint64_t device, uint64_t inode, uint64_t *ret_size);
/* Whether it leads to a regular file. Makes nothing. */
bool place_has_file(const char *path);

#endif
