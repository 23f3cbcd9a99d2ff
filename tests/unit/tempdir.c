#include "tests/unit/tempdir.h"

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[PATH_MAX];

const char *tempdir_make(void)
{
	const char *base = getenv("TMPDIR");

	snprintf(root, sizeof(root), "%s/sinit-unit-XXXXXX", base ? base : "/tmp");
	if (!mkdtemp(root) || chmod(root, 0755) < 0) {
		perror(root);
		abort();
	}
	return root;
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
	(void)info;
	(void)kind;
	(void)walk;
	return remove(path);
}

void tempdir_remove(void)
{
	nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	root[0] = '\0';
}

const char *tempdir_path(const char *name)
{
	static char paths[4][PATH_MAX + 256];
	static unsigned next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", root, name);
	return path;
}

const char *tempdir_write(const char *name, const char *content, unsigned mode)
{
	const char *path = tempdir_path(name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, content, strlen(content)) != (ssize_t)strlen(content) ||
	    fchmod(fd, mode) < 0) {
		perror(path);
		abort();
	}
	close(fd);
	return path;
}

size_t file_read(const char *path, char *buffer, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t used = 0;
	ssize_t count;

	buffer[0] = '\0';
	if (fd < 0)
		return 0;
	while (used < size - 1 && (count = read(fd, buffer + used, size - 1 - used)) > 0)
		used += (size_t)count;
	close(fd);
	buffer[used] = '\0';
	return used;
}
