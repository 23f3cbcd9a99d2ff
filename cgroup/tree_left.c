/* Slices that are there from before: an earlier sinit's, or anybody's. */
#include "cgroup/tree.h"

#include "cgroup/files.h"
#include "cgroup/slice.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The slice of a service if it is there. */
static bool find_slice(const struct cgroup_tree *tree, const char *service, struct slice *ret)
{
	char name[NAME_MAX + 1];

	snprintf(name, sizeof(name), "%s" SLICE_SUFFIX, service);
	*ret = (struct slice){.events_wd = -1, .memory_wd = -1};
	ret->fd = cgroup_directory(tree->root_fd, name);
	return ret->fd >= 0;
}

bool cgroup_tree_left(struct cgroup_tree *tree, const char *service, int sig)
{
	struct slice slice;
	bool any;

	if (!find_slice(tree, service, &slice))
		return false;
	if (sig)
		slice_freeze(&slice, false);
	any = slice_signal(&slice, sig);
	close(slice.fd);
	return any;
}

void cgroup_tree_drop(struct cgroup_tree *tree, const char *service)
{
	struct slice slice;

	if (find_slice(tree, service, &slice))
		slice_remove(tree, service, &slice);
}

void cgroup_tree_each(struct cgroup_tree *tree, cgroup_tree_visit *visit, void *context)
{
	int fd = cgroup_directory(tree->root_fd, ".");
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	while (directory && (entry = readdir(directory))) {
		size_t length = strlen(entry->d_name);
		size_t suffix = sizeof(SLICE_SUFFIX) - 1;

		if (length <= suffix || strcmp(entry->d_name + length - suffix, SLICE_SUFFIX) != 0)
			continue;
		entry->d_name[length - suffix] = '\0';
		visit(tree, entry->d_name, context);
	}
	if (directory)
		closedir(directory);
	else if (fd >= 0)
		close(fd);
}
