#include "cgroup/place.h"

#include "init/base.h"

#include <string.h>

/* --- /proc/self/cgroup ------------------------------------------------------------------ */

/* What stands behind "0::" in one of the lines; length 0 without such a line. */
static const char *own_path(const char *self, size_t *ret_length)
{
	*ret_length = 0;
	while (*self) {
		size_t length = strcspn(self, "\n");
		if (length > 3 && memcmp(self, "0::", 3) == 0) {
			*ret_length = length - 3;
			/* A cgroup that has been removed under its processes is shown so. */
			static const char deleted[] = " (deleted)";
			size_t tail = sizeof(deleted) - 1;
			if (*ret_length > tail && memcmp(self + length - tail, deleted, tail) == 0)
				*ret_length -= tail;
			return self + 3;
		}
		self += length + (self[length] == '\n');
	}
	return NULL;
}

/* --- /proc/self/mountinfo --------------------------------------------------------------- */

/* The fields of a line that matter here. */
struct mount {
	char root[CGROUP_PATH];  /* what of the file system is mounted */
	char point[CGROUP_PATH]; /* where */
	bool v1, v2, read_only;
};

/* Takes the next field off *at, which stops at the line's end. */
static size_t next_field(const char **at, const char **ret_field)
{
	const char *field = *at + strspn(*at, " ");
	size_t length = strcspn(field, " \n");

	*ret_field = field;
	*at = field + length;
	return length;
}

/* Blanks, tabs, newlines and backslashes stand there in octal: \040. */
static void unescape(char ret[static CGROUP_PATH], const char *field, size_t length)
{
	size_t used = 0;

	for (size_t i = 0; i < length && used < CGROUP_PATH - 1; i++) {
		unsigned char c = (unsigned char)field[i];
		if (c == '\\' && i + 3 < length && strspn(field + i + 1, "01234567") >= 3) {
			c = (unsigned char)((field[i + 1] - '0') << 6 | (field[i + 2] - '0') << 3 |
					    (field[i + 3] - '0'));
			i += 3;
		}
		ret[used++] = (char)c;
	}
	ret[used] = '\0';
}

/* Whether `option` is one of the comma-separated options[0 .. length-1]. */
static bool has_option(const char *options, size_t length, const char *option)
{
	size_t wanted = strlen(option);

	for (size_t at = 0; at + wanted <= length;) {
		size_t end = at;
		while (end < length && options[end] != ',')
			end++;
		if (end - at == wanted && memcmp(options + at, option, wanted) == 0)
			return true;
		at = end + 1;
	}
	return false;
}

/* One line: "36 35 98:0 ROOT POINT OPTIONS TAG... - TYPE SOURCE SUPER_OPTIONS". False: it is
 * not such a line. */
static bool parse_mount(const char *line, struct mount *ret)
{
	const char *field;
	size_t length = 0;

	*ret = (struct mount){.v1 = false};
	for (int i = 0; i < 3; i++)
		if (next_field(&line, &field) == 0)
			return false;
	length = next_field(&line, &field);
	unescape(ret->root, field, length);
	length = next_field(&line, &field);
	unescape(ret->point, field, length);
	length = next_field(&line, &field);
	ret->read_only = has_option(field, length, "ro");
	do
		length = next_field(&line, &field);
	while (length && !(length == 1 && *field == '-'));
	length = next_field(&line, &field);
	ret->v1 = length == 6 && memcmp(field, "cgroup", 6) == 0;
	ret->v2 = length == 7 && memcmp(field, "cgroup2", 7) == 0;
	next_field(&line, &field);
	length = next_field(&line, &field);
	ret->read_only |= has_option(field, length, "ro");
	return ret->root[0] && ret->point[0];
}

/* The directory of own[0 .. length-1] under a mount that shows the tree from mount->root on.
 * False: it is not below that, or one of them is outside of the namespace ("/.."). */
static bool join(
    const struct mount *mount, const char *own, size_t length, char ret[static CGROUP_PATH])
{
	size_t root = strcmp(mount->root, "/") == 0 ? 0 : strlen(mount->root);
	struct text text;

	if (strncmp(mount->root, "/..", 3) == 0 || strncmp(own, "/..", 3) == 0)
		return false;
	if (length < root || memcmp(own, mount->root, root) != 0 ||
	    (length > root && own[root] != '/'))
		return false;
	text_init(&text, ret, CGROUP_PATH);
	text_add(&text, mount->point);
	if (length > root + 1)
		text_add_bytes(&text, own + root, length - root);
	return !text.cut;
}

void cgroup_place_find(const char *self, const char *mounts, struct cgroup_place *ret)
{
	size_t length;
	const char *own = own_path(self, &length);
	struct mount mount;
	bool any = false, v1 = false;

	memset(ret, 0, sizeof(*ret));
	ret->top = own && length == 1;
	for (const char *line = mounts; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		char path[CGROUP_PATH];

		if (!parse_mount(line, &mount))
			continue;
		v1 |= mount.v1;
		if (!mount.v2)
			continue;
		any = true;
		if (!own || !join(&mount, own, length, path) ||
		    (ret->path[0] && (mount.read_only || ret->kind == CGROUP_PLACE_FOUND)))
			continue;
		ret->kind = mount.read_only ? CGROUP_PLACE_READ_ONLY : CGROUP_PLACE_FOUND;
		memcpy(ret->path, path, sizeof(path));
		memcpy(ret->mount, mount.point, sizeof(mount.point));
	}
	ret->hybrid = any && v1;
	if (!ret->path[0])
		ret->kind = any ? CGROUP_PLACE_HIDDEN : v1 ? CGROUP_PLACE_V1 : CGROUP_PLACE_ABSENT;
}
