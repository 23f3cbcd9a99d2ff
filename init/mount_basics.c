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

int mount_make_directory(const char *path)
{
	char part[PATH_MAX];
	size_t length = strlen(path);
	struct stat info;

	if (length >= sizeof(part))
		return -ENAMETOOLONG;
	for (size_t i = 1; i <= length; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		if (mkdir(part, 0755) < 0 && errno != EEXIST)
			return -errno;
	}
	return stat(path, &info) < 0 ? -errno : 0;
}

int mount_read_text(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t used = 0;
	ssize_t count = 1;

	if (fd < 0)
		return -errno;
	while (used < size - 1 && count > 0) {
		count = read(fd, text + used, size - 1 - used);
		if (count > 0)
			used += (size_t)count;
	}
	int error = count < 0 ? -errno : 0;
	close(fd);
	for (size_t i = 0; i < used; i++)
		if (text[i] == '\0')
			text[i] = '?';
	text[used] = '\0';
	return error;
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
