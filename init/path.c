#include "init/path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int path_make_directory(const char *path)
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

int path_read_text(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
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

int path_write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int error = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		error = -errno;
	close(fd);
	return error;
}
