#include "init/mountinfo.h"

#include <errno.h>
#include <string.h>

/* The value of three octal digits, or 0: no word can hold a NUL. */
static unsigned octal(const char *digits)
{
	unsigned value = 0;

	for (int i = 0; i < 3; i++) {
		if (digits[i] < '0' || digits[i] > '7')
			return 0;
		value = value * 8 + (unsigned)(digits[i] - '0');
	}
	return value <= 0xff ? value : 0;
}

void mountinfo_unescape(char *word)
{
	char *to = word;

	while (*word) {
		unsigned value = *word == '\\' ? octal(word + 1) : 0;
		*to++ = value ? (char)value : *word;
		word += value ? 4 : 1;
	}
	*to = '\0';
}

/* The next word of a line whose words have one blank between them; NULL at its end. */
static char *next_word(char **line)
{
	char *word = *line;

	if (!word)
		return NULL;
	char *end = strchr(word, ' ');
	if (end)
		*end++ = '\0';
	*line = end;
	return word;
}

int mountinfo_parse(char *line, struct mountinfo *ret_mount)
{
	char *words[6];

	/* Number, parent's number, device, root within the file system, target, options. */
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (!(words[i] = next_word(&line)))
			return -EINVAL;
	/* Then any number of optional fields, and a dash. */
	const char *word;
	while ((word = next_word(&line)) && strcmp(word, "-") != 0)
		;
	char *type = next_word(&line);
	char *source = next_word(&line);
	char *super = next_word(&line);
	if (!super || *words[4] != '/')
		return -EINVAL;
	mountinfo_unescape(words[4]);
	mountinfo_unescape(source);
	*ret_mount = (struct mountinfo){words[4], words[5], type, source, super};
	return 0;
}

bool mountinfo_word_in(const char *list, const char *word)
{
	size_t wanted = strlen(word);

	while (*list) {
		size_t length = strcspn(list, " \t\n");

		if (length && length == wanted && memcmp(list, word, length) == 0)
			return true;
		list += length + (list[length] != '\0');
	}
	return false;
}

bool mountinfo_in_memory(const char *type)
{
	return mountinfo_word_in(
	    "rootfs tmpfs ramfs proc sysfs devtmpfs devpts cgroup cgroup2 mqueue "
	    "securityfs selinuxfs smackfs bpf configfs fusectl pstore efivarfs "
	    "debugfs tracefs binfmt_misc hugetlbfs autofs rpc_pipefs nfsd",
	    type);
}

/* Lines are "nodev\tTYPE" or "\tTYPE". */
bool filesystems_next(const char **list, char *type, size_t size)
{
	while (**list) {
		const char *line = *list;
		size_t length = strcspn(line, "\n");

		*list = line + length + (line[length] == '\n');
		if (line[0] != '\t' || length < 2 || length > size)
			continue;
		memcpy(type, line + 1, length - 1);
		type[length - 1] = '\0';
		return true;
	}
	return false;
}
