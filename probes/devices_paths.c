/* Paths that are waited for. The kernel's uevents tell of device nodes only, and not at all in
 * most containers: so the nearest directory that exists is watched as well. */
#include "probes/devices.h"

#include <errno.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	CHANGES = IN_CREATE | IN_DELETE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE_SELF |
		  IN_MOVE_SELF | IN_ONLYDIR,
};

/* Cuts the last name off. False: there was only the root. */
static bool cut_name(char *path)
{
	size_t length = strlen(path);

	while (length > 1 && path[length - 1] == '/')
		length--;
	while (length > 1 && path[length - 1] != '/')
		length--;
	if (length <= 1 && path[1] == '\0')
		return false;
	path[length ? length : 1] = '\0';
	return true;
}

/* Watches the nearest directory above `name` that exists. Its watch, or -errno. */
static int watch_nearest(const struct devices *devices, const char *name, size_t *ret_next)
{
	char path[DEVICES_NAME];
	int watch = -1;

	memcpy(path, name, strlen(name) + 1);
	errno = ENOENT;
	while (watch < 0 && (errno == ENOENT || errno == ENOTDIR) && cut_name(path))
		watch = inotify_add_watch(devices->inotify, path, CHANGES);
	*ret_next = strlen(path) + strspn(name + strlen(path), "/");
	return watch < 0 ? -errno : watch;
}

static bool is_used(const struct devices *devices, int watch)
{
	for (uint32_t i = 0; i < devices->orders->items; i++)
		if (devices->items[i].watch == watch)
			return true;
	return false;
}

/* A directory that was made while another one was about to be watched is found by looking once
 * more: it ends, since each time there is a longer path. */
static int watch_item(struct devices *devices, struct await *item)
{
	int before = item->watch, last = -1, watch = -1;

	if (devices->inotify < 0)
		return 0;
	do {
		last = watch;
		watch = watch_nearest(devices, item->name, &item->next);
		item->watch = watch >= 0 ? watch : -1;
		if (last >= 0 && last != watch && !is_used(devices, last))
			inotify_rm_watch(devices->inotify, last);
	} while (watch >= 0 && watch != last);
	if (before >= 0 && before != item->watch && !is_used(devices, before))
		inotify_rm_watch(devices->inotify, before);
	return watch < 0 ? watch : 0;
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
		devices_fault(devices,
		    error == -ENOSPC ? DEVICES_STEP_INOTIFY : DEVICES_STEP_LOOK, number, 0, -error);
	}
	return there;
}

/* Whether an event in the watched directory is about what leads to the item. */
static bool concerns(const struct await *item, const struct inotify_event *event)
{
	const char *next = item->name + item->next;
	size_t length = strcspn(next, "/");

	if (item->watch != event->wd)
		return false;
	return !event->len ||
	       (strncmp(event->name, next, length) == 0 && event->name[length] == '\0');
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
