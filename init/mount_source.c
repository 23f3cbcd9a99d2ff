#include "init/mount_source.h"

#include "init/path.h"
#include "init/raw_syscall.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BLOCK_DEVICES "/sys/class/block"

static const struct tag {
	char name[12];
	char links[14];
	char key[10]; /* in the kernel's uevent file; PARTUUID only of new kernels */
} tags[] = {
    {"UUID=", "by-uuid", ""},
    {"LABEL=", "by-label", ""},
    {"PARTUUID=", "by-partuuid", "PARTUUID"},
    {"PARTLABEL=", "by-partlabel", "PARTNAME"},
    {"ID=", "by-id", ""},
};

static const struct tag *tag_of(const char *source)
{
	for (size_t i = 0; i < ARRAY_LEN(tags); i++)
		if (strncmp(source, tags[i].name, strlen(tags[i].name)) == 0)
			return &tags[i];
	return NULL;
}

/* udev's way to write a name as a file's. */
static void add_link_name(struct text *path, const char *value)
{
	for (; *value; value++) {
		unsigned char byte = (unsigned char)*value;
		if (isalnum(byte) || strchr("#+-.:=@_", byte) || byte >= 0x80)
			text_add_bytes(path, value, 1);
		else
			text_addf(path, "\\x%02x", byte);
	}
}

/* The value of a line KEY=VALUE, with its end cut off; NULL if there is none. */
static char *value_of(char *uevent, const char *key)
{
	size_t length = strlen(key);

	for (char *line = uevent; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, length) == 0 && line[length] == '=')
			return line + length + 1;
	}
	return NULL;
}

/* If this block device is the one, adds its path. */
static bool is_device(const char *name, const struct tag *tag, const char *value, struct text *path)
{
	char file[320], uevent[2048];
	struct text text;

	text_init(&text, file, sizeof(file));
	text_addf(&text, BLOCK_DEVICES "/%s/uevent", name);
	if (path_read_text(file, uevent, sizeof(uevent)) < 0)
		return false;
	char *device = value_of(uevent, "DEVNAME");
	char *found = value_of(uevent, tag->key);
	if (!device || !found)
		return false;
	device[strcspn(device, "\n")] = '\0';
	found[strcspn(found, "\n")] = '\0';
	/* A UUID may be written in capitals; a name means itself. */
	if ((strcmp(tag->key, "PARTUUID") == 0 ? strcasecmp : strcmp)(found, value) != 0)
		return false;
	text_addf(path, "/dev/%s", device);
	return true;
}

/* Not by opendir(3), which allocates. */
static int find_device(const struct tag *tag, const char *value, struct text *path)
{
	_Alignas(struct directory_entry) char buffer[2048];
	int fd = open(BLOCK_DEVICES, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool found = false;
	long size;

	if (fd < 0)
		return -ENODEV;
	while (!found && (size = syscall(SYS_getdents64, fd, buffer, sizeof(buffer))) > 0)
		for (long at = 0; at < size && !found;) {
			const struct directory_entry *entry =
			    (const struct directory_entry *)(buffer + at);
			found = *entry->name != '.' && is_device(entry->name, tag, value, path);
			at += entry->length;
		}
	close(fd);
	return found ? 0 : -ENODEV;
}

/* Without the quotes that some write around it. */
static void copy_value(char *value, size_t size, const char *from)
{
	struct text text;

	from += *from == '"';
	text_init(&text, value, size);
	text_add(&text, from);
	if (text.used && value[text.used - 1] == '"')
		value[text.used - 1] = '\0';
}

int mount_source(const char *source, struct text *path)
{
	const struct tag *tag = tag_of(source);
	char value[256];
	size_t begin = path->used;

	if (!tag) {
		text_add(path, source);
		return 0;
	}
	copy_value(value, sizeof(value), source + strlen(tag->name));
	text_addf(path, "/dev/disk/%s/", tag->links);
	add_link_name(path, value);
	if (!path->cut && access(path->data, F_OK) == 0)
		return 0;
	path->used = begin;
	path->data[begin] = '\0';
	path->cut = false;
	return *tag->key ? find_device(tag, value, path) : -ENODEV;
}
