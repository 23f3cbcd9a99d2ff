/* Paths that are waited for. The kernel's uevents tell of device nodes only, and not at all in
 * most containers: so the nearest directory that exists is watched as well, of where the path
 * really leads: nothing happens beside a link when what it leads to comes. */
#include "probes/devices.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	CHANGES = IN_CREATE | IN_DELETE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE_SELF |
		  IN_MOVE_SELF | IN_ONLYDIR,
	PASSES = 64,
};

/* Where a walk along a path is: what stands before the name at path[at] is directories alone. */
struct walk {
	char path[PATH_MAX];
	size_t at;
	size_t before; /* the name before that */
};

/* Of the name that begins here (FNV-1a): another one that has the same costs a look in vain. */
static uint32_t hash(const char *name)
{
	uint32_t value = 2166136261u;

	for (; *name && *name != '/'; name++)
		value = (value ^ (unsigned char)*name) * 16777619u;
	return value;
}

/* Watches the directory that ends before path[at] for the name there. 0 or -errno. */
static int add_step(const struct devices *devices, struct trail *trail, char *path, size_t at)
{
	struct step *step = &trail->step[trail->count];
	char first = path[at];

	step->name = hash(path + at);
	path[at] = '\0';
	step->watch = inotify_add_watch(devices->inotify, path, CHANGES);
	path[at] = first;
	if (step->watch < 0)
		return -errno;
	trail->count++;
	return 0;
}

/* readlink(2) of the name at path[at], which ends before path[end]. */
static ssize_t read_link(struct walk *walk, size_t end, char target[PATH_MAX])
{
	char after = walk->path[end];
	ssize_t size;

	walk->path[end] = '\0';
	size = readlink(walk->path, target, PATH_MAX);
	walk->path[end] = after;
	return size;
}

/* Puts what a link says in the place of its name. False: that would be too long. */
static bool put_target(struct walk *walk, size_t end, const char *target, size_t size)
{
	size_t begin = *target == '/' ? 0 : walk->at;
	size_t rest = strlen(walk->path + end) + 1;

	if (begin + size + rest > sizeof(walk->path))
		return false;
	memmove(walk->path + begin + size, walk->path + end, rest);
	memcpy(walk->path + begin, target, size);
	if (!begin)
		walk->at = walk->before = 1;
	return true;
}

/* Watches the nearest directory that exists of where `name` leads, and those of the links on the
 * way, which may be replaced. 0 or -errno; -ENOENT: a directory went away meanwhile. */
static int follow(const struct devices *devices, const char *name, struct trail *ret_trail)
{
	struct walk walk = {.at = 1, .before = 1};
	char target[PATH_MAX];

	memcpy(walk.path, name, strlen(name) + 1);
	ret_trail->count = 0;
	for (;;) {
		walk.at += strspn(walk.path + walk.at, "/");
		size_t end = walk.at + strcspn(walk.path + walk.at, "/");
		bool is_last = !walk.path[end + strspn(walk.path + end, "/")];
		ssize_t size = read_link(&walk, end, target);

		if (size < 0 && errno == EINVAL && !is_last) { /* it is there, and no link */
			walk.before = walk.at;
			walk.at = end;
			continue;
		}
		/* A file, where a directory is to be, may be replaced. */
		bool in_file = size < 0 && errno == ENOTDIR;
		int error =
		    add_step(devices, ret_trail, walk.path, in_file ? walk.before : walk.at);

		if (error || size < 0 || ret_trail->count == DEVICES_STEPS_MAX ||
		    !put_target(&walk, end, target, (size_t)size))
			return error;
	}
}

static bool has_watch(const struct trail *trail, int watch)
{
	for (unsigned i = 0; i < trail->count; i++)
		if (trail->step[i].watch == watch)
			return true;
	return false;
}

static void drop_unused(const struct devices *devices, const struct trail *old)
{
	for (unsigned i = 0; i < old->count; i++) {
		bool used = false;

		for (uint32_t k = 0; k < devices->orders->items && !used; k++)
			used = has_watch(&devices->items[k].trail, old->step[i].watch);
		if (!used)
			inotify_rm_watch(devices->inotify, old->step[i].watch);
	}
}

static bool is_same(const struct trail *a, const struct trail *b)
{
	return a->count == b->count && !memcmp(a->step, b->step, a->count * sizeof(a->step[0]));
}

/* What changed while a directory was about to be watched is found by looking once more. A path that
 * changes all the time is told of by inotify, too. */
static int watch_item(struct devices *devices, struct await *item)
{
	struct trail old;
	unsigned pass = 0;
	int error;

	if (devices->inotify < 0)
		return 0;
	do {
		old = item->trail;
		error = follow(devices, item->name, &item->trail);
		drop_unused(devices, &old);
	} while ((error == -ENOENT || !is_same(&old, &item->trail)) && ++pass < PASSES);
	return error == -ENOENT ? 0 : error;
}

bool paths_look(struct devices *devices, uint32_t number)
{
	struct await *item = &devices->items[number];
	int error = watch_item(devices, item);
	struct stat st;
	bool there = stat(item->name, &st) == 0;

	if (!there && errno != ENOENT && errno != ENOTDIR)
		error = -errno;
	if (error && !item->complained) {
		item->complained = true;
		devices_fault(devices, error == -ENOSPC ? DEVICES_STEP_INOTIFY : DEVICES_STEP_LOOK,
		    number, 0, -error);
	}
	return there;
}

/* Whether an event in a watched directory is about what leads to the item. */
static bool concerns(const struct await *item, const struct inotify_event *event)
{
	for (unsigned i = 0; i < item->trail.count; i++) {
		const struct step *step = &item->trail.step[i];

		if (step->watch == event->wd && (!event->len || step->name == hash(event->name)))
			return true;
	}
	return false;
}

static bool is_news(const struct devices *devices, const struct inotify_event *event)
{
	if (event->mask & IN_Q_OVERFLOW)
		return true;
	for (uint32_t i = 0; i < devices->orders->items; i++)
		if (concerns(&devices->items[i], event))
			return true;
	return false;
}

bool paths_news(struct devices *devices)
{
	_Alignas(struct inotify_event) char buffer[4096];
	bool news = false;
	ssize_t size;

	while ((size = read(devices->inotify, buffer, sizeof(buffer))) > 0) {
		const struct inotify_event *event;

		for (ssize_t at = 0; at < size; at += (ssize_t)(sizeof(*event) + event->len)) {
			event = (const void *)(buffer + at);
			news |= is_news(devices, event);
		}
	}
	return news;
}
