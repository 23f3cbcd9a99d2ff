/* Mount tables, byte by byte: everything stays inside its line, what is written with escapes is
 * read back as it was, and the options that are left for the file system are read as that again.
 *
 * The first byte says which table the rest is a line of. */
#include "init/fstab.h"
#include "init/mountinfo.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
	if (!condition)
		abort();
}

static void check_inside(const char *word, const char *line, size_t size)
{
	check(word >= line && word + strlen(word) < line + size);
}

static void check_options(const char *options)
{
	size_t room = strlen(options) + 1;
	char *buffer = malloc(room), *again = malloc(room);
	struct fstab_options first, second;
	struct text rest, same;

	check(buffer && again);
	text_init(&rest, buffer, room);
	text_init(&same, again, room);
	fstab_options(options, &first, &rest);
	fstab_options(buffer, &second, &same);
	check(!rest.cut && !same.cut && strcmp(buffer, again) == 0);
	check(!second.flags && !second.propagation && !second.marks);
	(void)fstab_swap_flags(buffer);
	free(buffer);
	free(again);
}

static void check_fstab(char *line, size_t size)
{
	struct fstab_entry entry;
	const char *fault = NULL;
	int rc = fstab_parse(line, &entry, &fault);

	check((rc < 0) == (fault != NULL));
	if (rc != 1)
		return;
	check_inside(entry.source, line, size);
	check_inside(entry.target, line, size);
	check_inside(entry.type, line, size);
	check_options(entry.options);
	(void)fstab_is_network(entry.type);
	check(*entry.target == '/' || strcmp(entry.type, "swap") == 0);
}

/* As the kernel writes it: what must be is \ooo, here every byte. */
static char *escape(const char *word)
{
	char *result = malloc(strlen(word) * 4 + 1);
	char *to = result;

	check(result != NULL);
	for (; *word; word++) {
		unsigned char byte = (unsigned char)*word;
		*to++ = '\\';
		*to++ = (char)('0' + byte / 64);
		*to++ = (char)('0' + byte / 8 % 8);
		*to++ = (char)('0' + byte % 8);
	}
	*to = '\0';
	return result;
}

static void check_mountinfo(char *line, size_t size)
{
	struct mountinfo mount;

	if (mountinfo_parse(line, &mount) < 0)
		return;
	check_inside(mount.target, line, size);
	check_inside(mount.source, line, size);
	check_inside(mount.super_options, line, size);
	check(mount.options < mount.type);
	check_options(mount.super_options);
	char *escaped = escape(mount.target);
	mountinfo_unescape(escaped);
	check(strcmp(escaped, mount.target) == 0);
	free(escaped);
}

static void check_filesystems(const char *list)
{
	const char *at = list;
	char type[16];
	bool blank = strpbrk(list, " ") != NULL;

	while (filesystems_next(&at, type, sizeof(type)))
		check(*type && (blank || strchr(type, '\t') || mountinfo_word_in(list, type)));
	check(*at == '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	/* Of exact size, so that the sanitizer sees a step too far. */
	char *line = malloc(size);

	check(line != NULL);
	memcpy(line, data + 1, size - 1);
	line[size - 1] = '\0';
	if (data[0] % 3 == 0)
		check_fstab(line, size);
	else if (data[0] % 3 == 1)
		check_mountinfo(line, size);
	else
		check_filesystems(line);
	free(line);
	return 0;
}
