/* Users and groups, looked up in the text of /etc/passwd and /etc/group.
 *
 * Not by getpwnam(3): that asks a daemon over a socket if there is one, and sinit may not
 * wait for a service that it has yet to start. Pure:
 * owns nothing, calls base only. */
#ifndef SINIT_INIT_USERS_H
#define SINIT_INIT_USERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A part of the text; not NUL-terminated. */
struct users_text {
	const char *start;
	size_t length;
};

struct user {
	uint32_t uid;
	uint32_t gid;
	struct users_text name;
	struct users_text home;
	struct users_text shell;
};

/* Whether a name can be that of a user or group: letters, digits, _ . - @ + and one $ at the
 * end, the first no - or +. So `$NOPE` or a name with a blank is none. */
bool users_good_name(const char *name);

/* Whether it is a number; 4294967295 is none, since it means "unchanged" to the kernel. */
bool users_number(const char *name, uint32_t *ret_id);

/* The first user of that name, or number if it is one. false if there is none. */
bool users_find(const char *passwd, const char *name, struct user *ret_user);

/* The number of a group; a number is itself, known or not. false if there is none. */
bool users_find_group(const char *group, const char *name, uint32_t *ret_gid);

/* Numbers of the groups that have the user as a member: at most `room` into gids[]. */
uint32_t users_groups_of(const char *group, const struct user *user, uint32_t *gids, uint32_t room);

#endif
