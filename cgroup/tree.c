#include "cgroup/tree.h"

#include "cgroup/files.h"
#include "init/base.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#define LEAF          "init"
#define LEAF_MARK     "user.sinit" /* extended attribute of a leaf that sinit has made */
#define CGROUP2_MAGIC 0x63677270   /* statfs(2) */

enum {
	LOCK_TRIES = 10,
	LOCK_PAUSE = 50,             /* ms between them */
	ROUNDS = 8,                  /* over strangers that fork while they are moved */
	FILE_MAX = 16 * 1024 * 1024, /* bytes of mountinfo that are looked at */
};

/* --- Files -------------------------------------------------------------------------------- */

/* The whole of a file of /proc, to be freed; NULL: errno. */
static char *read_whole(const char *path)
{
	size_t size = 0, room = 16384;
	char *text = malloc(room);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t count = -1;

	while (text && fd >= 0 && (count = read(fd, text + size, room - size - 1)) > 0) {
		size += (size_t)count;
		if (room - size > 1)
			continue;
		char *more = room < FILE_MAX ? realloc(text, room *= 2) : NULL;
		if (!more)
			break;
		text = more;
	}
	if (fd >= 0)
		close(fd);
	if (!text || count < 0) {
		free(text);
		return NULL;
	}
	text[size] = '\0';
	return text;
}

/* Bits of the controllers that a list of names has. */
static uint8_t read_controllers(int dirfd, const char *name)
{
	char buffer[512];
	unsigned bits = 0;

	if (cgroup_read(dirfd, name, buffer, sizeof(buffer)) < 0)
		return 0;
	for (const char *at = buffer; *(at += strspn(at, " \n"));) {
		size_t length = strcspn(at, " \n");
		unsigned found = cgroup_controller_find(at, length);
		if (found < CGROUP_CONTROLLERS)
			bits |= 1u << found;
		at += length;
	}
	return (uint8_t)bits;
}

/* --- Our place ------------------------------------------------------------------------------ */

static int refuse(struct cgroup_tree *tree, enum cgroup_fault fault, const char *what, int error)
{
	tree->fault = (uint8_t)fault;
	tree->what = what;
	tree->error = error;
	return -(error ? error : ENOTSUP);
}

/* Started again from within the leaf of an earlier sinit (by a service of its, or by whom it had
 * moved there): our place is the one above. */
static void leave_out_leaf(char *path)
{
	size_t length = strlen(path), leaf = sizeof("/" LEAF) - 1;
	char mark[2];

	if (length > leaf && strcmp(path + length - leaf, "/" LEAF) == 0 &&
	    getxattr(path, LEAF_MARK, mark, sizeof(mark)) > 0)
		path[length - leaf] = '\0';
}

static int find_place(struct cgroup_tree *tree)
{
	char *self = read_whole("/proc/self/cgroup"), *mounts = read_whole("/proc/self/mountinfo");

	if (self && mounts)
		cgroup_place_find(self, mounts, &tree->place);
	else
		tree->place.kind = CGROUP_PLACE_ABSENT;
	free(self);
	free(mounts);
	leave_out_leaf(tree->place.path);
	return tree->place.kind == CGROUP_PLACE_FOUND
		   ? 0
		   : refuse(tree, CGROUP_NO_PLACE, "/proc/self/cgroup", 0);
}

/* The root of the whole hierarchy, as opposed to that of a namespace, has no such file. */
static bool is_machine_root(int dirfd)
{
	return faccessat(dirfd, "cgroup.type", F_OK, 0) < 0 && errno == ENOENT;
}

/* Whether `path` is `directory` or below it. */
static bool is_below(const char *path, const char *directory)
{
	size_t length = strlen(directory);

	return length && strncmp(path, directory, length) == 0 &&
	       (path[length] == '/' || !path[length]);
}

/* A lock of an open file is gone with us, whatever our end. Of cgroup.kill in a directory of
 * ours, since others than its owner cannot open that, and so cannot lock it either; if need be of
 * the directory itself. */
static int lock(struct cgroup_tree *tree, int dirfd)
{
	const struct timespec pause = {.tv_nsec = LOCK_PAUSE * 1000000};

	tree->lock_fd = openat(dirfd, "cgroup.kill", O_WRONLY | O_CLOEXEC);
	/* Who was killed a moment ago may still have a child on its way. */
	for (int tries = 0; tries < LOCK_TRIES; tries++) {
		if (flock(tree->lock_fd < 0 ? tree->root_fd : tree->lock_fd, LOCK_EX | LOCK_NB) ==
			0 ||
		    errno != EWOULDBLOCK)
			return 0;
		nanosleep(&pause, NULL);
	}
	return refuse(tree, CGROUP_TAKEN, NULL, 0);
}

/* Only a cgroup of the plain type can have such below it (cgroup-v2.rst, "Threads"). */
static int check_type(struct cgroup_tree *tree)
{
	char type[32];

	/* An earlier sinit may have left controllers behind, which make it one of threads. */
	for (int round = 0; round < 2; round++) {
		if (cgroup_read(tree->root_fd, "cgroup.type", type, sizeof(type)) < 0 ||
		    strcmp(type, "domain\n") == 0)
			return 0;
		cgroup_take_back(tree->root_fd);
	}
	return refuse(tree, CGROUP_THREADED, NULL, 0);
}

/* cgroup_root is made if only its last part is missing. */
static int open_directory(struct cgroup_tree *tree, const struct cgroup_options *options)
{
	const char *path = options->root ? options->root : tree->place.path;
	char resolved[PATH_MAX];
	struct statfs fs;
	int error;

	snprintf(tree->path, sizeof(tree->path), "%s", path);
	tree->made = options->root && mkdir(path, 0755) == 0;
	if (options->root && !tree->made && errno != EEXIST)
		return refuse(tree, CGROUP_REFUSED, "mkdir", errno);
	/* As the kernel writes it, so that it can be compared. */
	if (realpath(path, resolved) && strlen(resolved) < sizeof(tree->path))
		strcpy(tree->path, resolved);
	tree->root_fd = cgroup_directory(AT_FDCWD, tree->path);
	if (tree->root_fd < 0)
		return refuse(tree, CGROUP_REFUSED, "open", errno);
	if (fstatfs(tree->root_fd, &fs) < 0 || fs.f_type != CGROUP2_MAGIC)
		return refuse(tree, CGROUP_NOT_V2, NULL, 0);
	error = check_type(tree);
	if (error)
		return error;
	if (!options->root && !options->machine && is_machine_root(tree->root_fd))
		return refuse(tree, CGROUP_NOT_OURS, NULL, 0);
	return options->root ? lock(tree, tree->root_fd) : 0;
}

/* --- The leaf ------------------------------------------------------------------------------- */

/* Moves one process to the leaf. */
static int move(int leaf, long pid)
{
	char number[24];

	snprintf(number, sizeof(number), "%ld", pid);
	return cgroup_write(leaf, "cgroup.procs", number);
}

/* Moves whoever is in the directory itself to the leaf. Those of other PID namespaces show as
 * 0 and cannot be moved. */
static void move_all(int dirfd, int leaf)
{
	char buffer[4096];

	for (int round = 0; round < ROUNDS; round++) {
		bool moved = false;

		if (cgroup_read(dirfd, "cgroup.procs", buffer, sizeof(buffer)) < 0)
			return;
		for (char *at = buffer; *at; at += *at == '\n') {
			long pid = strtol(at, &at, 10);
			moved |= pid > 0 && move(leaf, pid) == 0;
			at += strcspn(at, "\n");
		}
		if (!moved)
			return;
	}
}

/* Whether processes that are not ours may be moved: when this is our container, or when the tree
 * was given to us (systemd marks what it delegates; an ordinary user can write only to what
 * was). A shell from which root starts sinit is not. */
static bool may_move_strangers(
    const struct cgroup_tree *tree, int own, const struct cgroup_options *options)
{
	char mark[2];

	return options->pid1 || tree->place.top || geteuid() != 0 ||
	       fgetxattr(own, "trusted.delegate", mark, sizeof(mark)) > 0 ||
	       fgetxattr(own, "user.delegate", mark, sizeof(mark)) > 0;
}

/* Leaves the cgroup that gives its controllers to the slices for a leaf of it. The machine's
 * root may have processes, kernel threads among them: there only its init moves, and later. */
static int take_leaf(struct cgroup_tree *tree, const struct cgroup_options *options)
{
	int own, leaf, error;
	bool top, taken;

	if (!is_below(tree->path, tree->place.path))
		return 0;
	own = cgroup_directory(AT_FDCWD, tree->place.path);
	top = own >= 0 && is_machine_root(own);
	if (own < 0 || (top && !options->machine)) {
		if (own >= 0)
			close(own);
		return own < 0 ? refuse(tree, CGROUP_REFUSED, "open", errno) : 0;
	}
	error = mkdirat(own, LEAF, 0755) < 0 && errno != EEXIST ? errno : 0;
	leaf = cgroup_directory(own, LEAF);
	if (leaf >= 0)
		fsetxattr(leaf, LEAF_MARK, "1", 1, 0);
	if (!error)
		error = leaf < 0 ? errno : 0;
	taken = !error && !options->root && lock(tree, leaf) < 0;
	if (!error && !taken && top) {
		tree->leaf_fd = leaf;
		leaf = -1;
	} else if (!error && !taken) {
		error = -move(leaf, 0);
		if (!error && may_move_strangers(tree, own, options))
			move_all(own, leaf);
	}
	if (leaf >= 0)
		close(leaf);
	close(own);
	if (error)
		return refuse(tree, CGROUP_REFUSED, "moving to its leaf init", error);
	tree->in_leaf = !taken && !top && !options->root;
	return taken ? -EBUSY : 0;
}

/* --- Controllers ----------------------------------------------------------------------------- */

static bool has_processes(int dirfd)
{
	char text[32];

	return cgroup_read(dirfd, "cgroup.procs", text, sizeof(text)) == 0 && text[0];
}

/* One write each: a write of several is refused as a whole when one of them is. */
static void enable(struct cgroup_tree *tree, int dirfd)
{
	uint8_t offered = read_controllers(dirfd, "cgroup.controllers");
	/* There the kernel would refuse some (EBUSY), and take others at the price of making it the
	 * root of a threaded tree, in which nothing else works any more. */
	bool taken = !is_machine_root(dirfd) && has_processes(dirfd);

	for (unsigned i = 0; i < CGROUP_CONTROLLERS; i++) {
		char word[16];

		if (!(offered & 1u << i))
			continue;
		snprintf(
		    word, sizeof(word), "+%s", cgroup_controller_name((enum cgroup_controller)i));
		tree->controller_error[i] =
		    taken ? EBUSY : -cgroup_write(dirfd, "cgroup.subtree_control", word);
	}
}

/* Above cgroup_root, too, as far as the directories are our own cgroup's: from there down. */
static void enable_above(struct cgroup_tree *tree)
{
	char path[CGROUP_PATH];
	size_t at = strlen(tree->place.path);

	if (!is_below(tree->path, tree->place.path) || strcmp(tree->path, tree->place.path) == 0)
		return;
	snprintf(path, sizeof(path), "%s", tree->path);
	do {
		path[at] = '\0';
		int fd = cgroup_directory(AT_FDCWD, path);
		if (fd >= 0) {
			enable(tree, fd);
			close(fd);
		}
		path[at] = tree->path[at];
		at += 1 + strcspn(tree->path + at + 1, "/");
	} while (tree->path[at]);
}

static void enable_all(struct cgroup_tree *tree)
{
	enable_above(tree);
	tree->offered = read_controllers(tree->root_fd, "cgroup.controllers");
	enable(tree, tree->root_fd);
	tree->enabled = read_controllers(tree->root_fd, "cgroup.subtree_control");
}

/* --- Opening ---------------------------------------------------------------------------------- */

int cgroup_tree_open(struct cgroup_tree *ret, const struct cgroup_options *options)
{
	int error;

	memset(ret, 0, sizeof(*ret));
	ret->root_fd = ret->watch_fd = ret->lock_fd = ret->leaf_fd = -1;
	if (options->off)
		return refuse(ret, CGROUP_OFF, NULL, 0);
	error = find_place(ret);
	if (!error || options->root)
		error = open_directory(ret, options);
	if (!error)
		error = take_leaf(ret, options);
	if (error) {
		cgroup_tree_close(ret);
		return error;
	}
	enable_all(ret);
	ret->watch_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	return 0;
}

void cgroup_tree_forget(struct cgroup_tree *tree)
{
	const int fds[] = {tree->root_fd, tree->watch_fd, tree->lock_fd, tree->leaf_fd};

	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	tree->root_fd = tree->watch_fd = tree->lock_fd = tree->leaf_fd = -1;
}

int cgroup_tree_move(const struct cgroup_tree *tree, long pid)
{
	return move(tree->leaf_fd, pid);
}

/* Gives the cgroup back as it was, so that others can be started in it: without controllers for
 * cgroups below, of which there are none any more, and us in it instead of in the leaf. Where
 * somebody else is in the leaf it stays. */
static void give_back(struct cgroup_tree *tree)
{
	cgroup_take_back(tree->root_fd);
	if (cgroup_write(tree->root_fd, "cgroup.procs", "0") == 0)
		unlinkat(tree->root_fd, LEAF, AT_REMOVEDIR);
}

void cgroup_tree_close(struct cgroup_tree *tree)
{
	if (tree->in_leaf)
		give_back(tree);
	cgroup_tree_forget(tree);
	/* The kernel refuses as long as anybody is in it. */
	if (tree->made)
		rmdir(tree->path);
	tree->made = false;
}
