#include "init/users.h"

#include "init/base.h"

#include <string.h>

enum { FIELDS = 7, NUMBER_SIZE = 12 };

/* The fields of a line, which are separated by colons; missing ones are empty. */
struct line {
	struct users_text field[FIELDS];
	unsigned fields;
};

static bool same(struct users_text text, const char *string, size_t length)
{
	return text.length == length && memcmp(text.start, string, length) == 0;
}

/* Splits the line at *at and moves behind it. false at the end of the text. */
static bool next_line(const char **at, struct line *line)
{
	const char *here = *at;

	if (!*here)
		return false;
	*line = (struct line){0};
	for (;;) {
		size_t length = strcspn(here, ":\n");
		if (line->fields < FIELDS)
			line->field[line->fields++] = (struct users_text){here, length};
		here += length;
		if (*here != ':')
			break;
		here++;
	}
	*at = here + (*here == '\n');
	return true;
}

bool users_good_name(const char *name)
{
	if (!*name || *name == '-' || *name == '+' || *name == '$')
		return false;
	for (; *name; name++) {
		char c = *name;
		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
			continue;
		if (c != '_' && c != '.' && c != '-' && c != '@' && c != '+')
			break;
	}
	return !*name || (name[0] == '$' && !name[1]);
}

bool users_number(const char *name, uint32_t *ret_id)
{
	uint32_t id;

	if (parse_u32(name, &id) || id == UINT32_MAX)
		return false;
	*ret_id = id;
	return true;
}

static bool field_number(struct users_text text, uint32_t *ret_id)
{
	char number[NUMBER_SIZE];

	if (!text.start || text.length >= sizeof(number))
		return false;
	memcpy(number, text.start, text.length);
	number[text.length] = '\0';
	return users_number(number, ret_id);
}

bool users_find(const char *passwd, const char *name, struct user *ret_user)
{
	uint32_t wanted;
	bool by_number = users_number(name, &wanted);
	size_t length = strlen(name);
	struct line line;

	while (next_line(&passwd, &line)) {
		struct user user = {
		    .name = line.field[0], .home = line.field[5], .shell = line.field[6]};
		/* The number is looked at only where it must be: most lines are not it. */
		if (!by_number && !same(line.field[0], name, length))
			continue;
		if (line.fields < FIELDS - 1 || !field_number(line.field[2], &user.uid) ||
		    !field_number(line.field[3], &user.gid))
			continue;
		if (by_number && user.uid != wanted)
			continue;
		*ret_user = user;
		return true;
	}
	return false;
}

bool users_find_group(const char *group, const char *name, uint32_t *ret_gid)
{
	size_t length = strlen(name);
	struct line line;

	if (users_number(name, ret_gid))
		return true;
	while (next_line(&group, &line))
		if (same(line.field[0], name, length) && field_number(line.field[2], ret_gid))
			return true;
	return false;
}

/* Whether a comma-separated list has the name. */
static bool has_member(struct users_text list, struct users_text name)
{
	const char *end = list.start + list.length;

	if (!list.start || !name.length)
		return false;
	for (const char *at = list.start; at < end;) {
		const char *comma = memchr(at, ',', (size_t)(end - at));
		size_t length = (size_t)((comma ? comma : end) - at);
		if (length == name.length && memcmp(at, name.start, length) == 0)
			return true;
		at += length + 1;
	}
	return false;
}

uint32_t users_groups_of(const char *group, const struct user *user, uint32_t *gids, uint32_t room)
{
	struct line line;
	uint32_t count = 0;

	while (count < room && next_line(&group, &line)) {
		uint32_t gid;
		if (has_member(line.field[3], user->name) && field_number(line.field[2], &gid))
			gids[count++] = gid;
	}
	return count;
}
