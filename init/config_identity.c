/* Users and groups to numbers. Unknown names are no errors here: the service fails when it
 * is started, with step user or group, since a container may well bring them later. */
#include "init/files.h"
#include "init/loader.h"
#include "init/users.h"

#include <string.h>

/* Most groups of one process. The kernel takes 65536; nobody has that many. */
enum { GROUPS_MAX = 1024 };

/* What was found for a user, group and groups, which many services share. */
struct identity {
	struct identity *next;
	ref user;
	ref group;
	ref groups;
	struct service_settings result; /* the members of the identity only */
};

/* A file's text, read when first asked for; one that is not there is empty. */
static const char *database(struct loader *loader, const char **text, const char *path)
{
	char *bytes;
	size_t size;

	if (!*text)
		*text = files_read(&loader->arena, path, &bytes, &size) == 0 ? bytes : "";
	return *text;
}

static const char *group_text(struct loader *loader)
{
	return database(loader, &loader->group, "/etc/group");
}

bool loader_group(struct loader *loader, const char *name, uint32_t *ret_gid)
{
	return users_number(name, ret_gid) || users_find_group(group_text(loader), name, ret_gid);
}

/* A number without an entry has the group of the same number, never root's. `user` is zero. */
static bool look_up(struct loader *loader, const char *name, struct user *user)
{
	if (users_find(database(loader, &loader->passwd, "/etc/passwd"), name, user))
		return true;
	if (!users_number(name, &user->uid))
		return false;
	user->gid = user->uid;
	return true;
}

bool loader_user(struct loader *loader, const char *name, uint32_t *ret_uid, uint32_t *ret_gid)
{
	struct user user = {0};

	if (!look_up(loader, name, &user))
		return false;
	*ret_uid = user.uid;
	*ret_gid = user.gid;
	return true;
}

static void add_group(struct image_list *list, uint32_t gid)
{
	for (uint32_t i = 0; i < list->count; i++)
		if (list->item[i] == gid)
			return;
	if (list->count < GROUPS_MAX)
		list->item[list->count++] = gid;
}

static void find_user(
    struct loader *loader, struct service_settings *service, const char *name, struct user *user)
{
	struct builder *builder = &loader->builder;

	if (!look_up(loader, name, user)) {
		service->flags |= SERVICE_UNKNOWN_USER;
		return;
	}
	if (user->name.length) {
		service->user_name = builder_text(builder, user->name.start, user->name.length);
		service->home = builder_text(builder, user->home.start, user->home.length);
		/* passwd(5): an empty shell is /bin/sh. */
		service->shell = user->shell.length
				     ? builder_text(builder, user->shell.start, user->shell.length)
				     : builder_text(builder, "/bin/sh", 7);
	}
	service->uid = user->uid;
	service->gid = user->gid;
	service->flags |= SERVICE_SET_UID | SERVICE_SET_GID;
}

static void find_identity(struct loader *loader, struct service_settings *service)
{
	struct user user = {0};
	struct image_list *list = loader->list;
	uint32_t gid;

	service->flags |= SERVICE_SET_GROUPS;
	if (service->user) {
		char name[256] = "";
		/* Copied, since the image moves when it grows. */
		strncpy(name, image_string(builder_image(&loader->builder), service->user),
		    sizeof(name) - 1);
		find_user(loader, service, name, &user);
	}
	const struct image *image = builder_image(&loader->builder);
	if (service->group) {
		if (loader_group(loader, image_string(image, service->group), &gid)) {
			service->gid = gid;
			service->flags |= SERVICE_SET_GID;
		} else {
			service->flags |= SERVICE_UNKNOWN_GROUP;
		}
	}
	list->count = 0;
	if (service->flags & SERVICE_SET_GID)
		add_group(list, service->gid);
	if (user.name.length) {
		uint32_t gids[GROUPS_MAX];
		uint32_t count = users_groups_of(group_text(loader), &user, gids, GROUPS_MAX);
		for (uint32_t i = 0; i < count; i++)
			add_group(list, gids[i]);
	}
	const struct image_list *names = image_list(image, service->groups);
	for (uint32_t i = 0; i < names->count; i++) {
		if (loader_group(loader, image_string(image, names->item[i]), &gid))
			add_group(list, gid);
		else
			service->flags |= SERVICE_UNKNOWN_GROUP;
	}
	service->group_ids = builder_list(&loader->builder, list);
}

static void copy_identity(struct service_settings *to, const struct service_settings *from)
{
	to->flags |= from->flags;
	to->uid = from->uid;
	to->gid = from->gid;
	to->group_ids = from->group_ids;
	to->user_name = from->user_name;
	to->home = from->home;
	to->shell = from->shell;
}

void loader_identity(struct loader *loader, struct service_settings *service)
{
	struct identity *identity = loader->identities;

	if (!service->user && !service->group && !service->groups)
		return;
	/* Equal texts have equal references. */
	for (; identity; identity = identity->next)
		if (identity->user == service->user && identity->group == service->group &&
		    identity->groups == service->groups)
			break;
	if (!identity) {
		identity = arena_get(&loader->arena, sizeof(*identity));
		if (!identity) {
			loader->no_memory = true;
			return;
		}
		find_identity(loader, service);
		identity->user = service->user;
		identity->group = service->group;
		identity->groups = service->groups;
		copy_identity(&identity->result, service);
		identity->next = loader->identities;
		loader->identities = identity;
	}
	copy_identity(service, &identity->result);
}
