#include "init/mount_basics.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef STATX_ATTR_MOUNT_ROOT
#define STATX_ATTR_MOUNT_ROOT 0x2000
#endif

static bool other_device(const char *path)
{
	char parent[PATH_MAX];
	struct stat own, above;

	return snprintf(parent, sizeof(parent), "%s/..", path) < (int)sizeof(parent) &&
	       stat(path, &own) == 0 && stat(parent, &above) == 0 && own.st_dev != above.st_dev;
}

bool mount_is_point(const char *path)
{
	struct statx info = {.stx_attributes_mask = 0};

	if (statx(AT_FDCWD, path, AT_NO_AUTOMOUNT, 0, &info) == 0 &&
	    info.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT)
		return info.stx_attributes & STATX_ATTR_MOUNT_ROOT;
	return other_device(path);
}

const char *mount_error(int error)
{
	switch (error) {
	case ENODEV:
		return "the kernel does not have this file system";
	case ENOTBLK:
		return "it is no block device";
	case EUCLEAN:
		return "the file system is damaged; check it (fsck)";
	default:
		return strerror(error);
	}
}
