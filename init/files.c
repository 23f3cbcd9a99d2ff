#include "init/files.h"

#include "init/raw_syscall.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Reads until the end of the file or of the buffer; a file may grow while it is read. */
static int read_all(int fd, char *bytes, size_t size, size_t *ret_used)
{
	size_t used = 0;

	while (used < size) {
		ssize_t count = read(fd, bytes + used, size - used);
		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return -errno;
		if (count == 0)
			break;
		used += (size_t)count;
	}
	*ret_used = used;
	return 0;
}

static int read_fd(struct arena *arena, int fd, char **ret_bytes, size_t *ret_size)
{
	struct stat info;

	if (fstat(fd, &info) < 0)
		return -errno;
	if (!S_ISREG(info.st_mode))
		return -ENOTSUP;
	if (info.st_size > (off_t)FILES_MAX_SIZE)
		return -EFBIG;
	/* Files of /proc and /sys say that they are empty. */
	size_t room = info.st_size ? (size_t)info.st_size : 64 << 10;
	char *bytes = arena_get(arena, room + 1);
	if (!bytes)
		return -ENOMEM;
	int error = read_all(fd, bytes, room, ret_size);
	if (error)
		return error;
	bytes[*ret_size] = '\0';
	*ret_bytes = bytes;
	return 0;
}

int files_read(struct arena *arena, const char *path, char **ret_bytes, size_t *ret_size)
{
	struct stat info;

	/* Opening a device can do things (a watchdog begins to run), so look first. */
	if (stat(path, &info) < 0) {
		int error = errno;
		return error == ENOENT && lstat(path, &info) == 0 ? -ENOLINK : -error;
	}
	if (!S_ISREG(info.st_mode))
		return -ENOTSUP;
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return -errno;
	int error = read_fd(arena, fd, ret_bytes, ret_size);
	close(fd);
	return error;
}

const char *files_error(int error)
{
	if (error == -ENOTSUP)
		return "it is no regular file";
	if (error == -ENOLINK)
		return "it is a link to a file that does not exist";
	return strerror(-error);
}

struct name_list {
	char **names;
	uint32_t count;
	uint32_t room;
};

static int add_name(struct arena *arena, struct name_list *list, const char *name)
{
	if (list->count == list->room) {
		uint32_t room = list->room ? list->room * 2 : 64;
		char **names = arena_get(arena, room * sizeof(*names));
		if (!names)
			return -ENOMEM;
		if (list->count)
			memcpy(names, list->names, list->count * sizeof(*names));
		list->names = names;
		list->room = room;
	}
	char *copy = arena_copy(arena, name, strlen(name));
	if (!copy)
		return -ENOMEM;
	list->names[list->count++] = copy;
	return 0;
}

static bool wanted(const char *name, const char *suffix)
{
	size_t length = strlen(name);
	size_t end = strlen(suffix);

	return *name != '.' && length > end && strcmp(name + length - end, suffix) == 0;
}

/* Not by opendir(3), which would bring in malloc. */
static int list_fd(struct arena *arena, int fd, const char *suffix, struct name_list *list)
{
	_Alignas(struct directory_entry) char buffer[4096];

	for (;;) {
		long length = syscall(SYS_getdents64, fd, buffer, sizeof(buffer));
		if (length < 0)
			return -errno;
		if (length == 0)
			return 0;
		for (long at = 0; at < length;) {
			const struct directory_entry *entry = (const void *)(buffer + at);
			int error = 0;
			if (wanted(entry->name, suffix))
				error = add_name(arena, list, entry->name);
			if (error)
				return error;
			at += entry->length;
		}
	}
}

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int files_list(struct arena *arena, const char *directory, const char *suffix, char ***ret_names,
    uint32_t *ret_count)
{
	struct name_list list = {0};
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	int error = list_fd(arena, fd, suffix, &list);
	close(fd);
	if (error)
		return error;
	if (list.count)
		qsort(list.names, list.count, sizeof(*list.names), by_bytes);
	*ret_names = list.names;
	*ret_count = list.count;
	return 0;
}
