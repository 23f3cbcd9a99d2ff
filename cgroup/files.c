#include "cgroup/files.h"

#include "cgroup/reading.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int cgroup_write(int dirfd, const char *name, const char *text)
{
	int fd = openat(dirfd, name, O_WRONLY | O_CLOEXEC);
	int error = fd < 0 || write(fd, text, strlen(text)) < 0 ? -errno : 0;

	if (fd >= 0)
		close(fd);
	return error;
}

int cgroup_read(int dirfd, const char *name, char *buffer, size_t size)
{
	int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC);
	ssize_t count = fd < 0 ? -1 : read(fd, buffer, size - 1);
	int error = count < 0 ? -errno : 0;

	if (fd >= 0)
		close(fd);
	buffer[count > 0 ? count : 0] = '\0';
	return error;
}

void cgroup_take_back(int dirfd)
{
	char text[256], word[32];

	if (cgroup_read(dirfd, "cgroup.subtree_control", text, sizeof(text)) < 0)
		return;
	for (const char *at = text; *(at += strspn(at, " \n"));) {
		size_t length = strcspn(at, " \n");

		snprintf(word, sizeof(word), "-%.*s", (int)length, at);
		cgroup_write(dirfd, "cgroup.subtree_control", word);
		at += length;
	}
}

uint64_t cgroup_read_number(int dirfd, const char *name)
{
	char text[32];
	uint64_t number;

	return cgroup_read(dirfd, name, text, sizeof(text)) == 0 && reading_number(text, &number)
		   ? number
		   : 0;
}

int cgroup_directory(int dirfd, const char *name)
{
	return openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}
