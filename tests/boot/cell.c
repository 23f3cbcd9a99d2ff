/* Puts a command into a situation: a cgroup, namespaces, a view of /sys/fs/cgroup.
 *
 *   cell [option...] -- COMMAND [ARG...]
 *
 *   --cgroup A/B...       born in this cgroup, made if need be, below the root of v2
 *   --controllers LIST    which its parent offers (one word): none others, if the parent is new
 *   --cgroupns            that cgroup is the root of what it sees
 *   --pid                 it is PID 1 of a new namespace, with a /proc of its own
 *   --mount WHAT          what it finds at /sys/fs/cgroup, mounted anew:
 *                           rw, ro    cgroup v2
 *                           none      an empty directory
 *                           v1        a v1 hierarchy (systemd/), and no v2
 *                           hybrid    the same, and v2 at unified/
 *   --user UID            as this user and group, to whom the cgroup is given; a neighbour, too
 *   --neighbour           a process "neighbour" sleeps in the same cgroup, before the command
 *                         starts; it is no child of the command, but visible to it
 *   --pidfile FILE        the command's pid, as seen from outside
 *
 * TERM, INT, HUP, USR1, USR2 go on to the command. Its exit status is the cell's. With the cell
 * the command dies, and with it, in a PID namespace, all of it. */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <limits.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROOT "/sys/fs/cgroup"

static const char *cgroup, *controllers = "", *view, *pidfile;
static bool cgroupns, pidns, neighbour;
static int user = -1;

static void must(bool good, const char *what)
{
	if (!good)
		err(125, "cell: %s", what);
}

static void put(const char *directory, const char *file, const char *text)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", directory, file);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	must(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text), path);
	close(fd);
}

/* Every directory above the cgroup offers the controllers to what is below it. */
static int make_cgroup(void)
{
	char path[PATH_MAX] = ROOT, parts[PATH_MAX], offer[64];
	int fd;

	snprintf(parts, sizeof(parts), "%s", cgroup);
	for (char *save, *part = strtok_r(parts, "/", &save); part;
	     part = strtok_r(NULL, "/", &save)) {
		char list[256];

		snprintf(list, sizeof(list), "%s", controllers);
		for (char *s, *word = strtok_r(list, " ", &s); word;
		     word = strtok_r(NULL, " ", &s)) {
			snprintf(offer, sizeof(offer), "+%s", word);
			put(path, "cgroup.subtree_control", offer);
		}
		strcat(strcat(path, "/"), part);
		must(mkdir(path, 0755) == 0 || errno == EEXIST, path);
	}
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	must(fd >= 0, path);
	/* Delegation as in cgroups(7): the directory and these files, not the limits. */
	if (user >= 0) {
		static const char *const files[] = {
		    "", "cgroup.procs", "cgroup.threads", "cgroup.subtree_control"};

		for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
			must(fchownat(fd, files[i], (uid_t)user, (gid_t)user, AT_EMPTY_PATH) == 0,
			    "chown");
	}
	return fd;
}

static void mount_at(const char *path, const char *type, unsigned long flags, const char *data)
{
	mkdir(path, 0755);
	must(mount(type, path, type, flags | MS_NOSUID | MS_NODEV | MS_NOEXEC, data) == 0, path);
}

/* A v1 hierarchy is made in the first cgroup namespace or not at all; and what v2 shows is
 * settled by the namespace that it is mounted in. */
static void enter(void)
{
	bool v1 = view && (!strcmp(view, "v1") || !strcmp(view, "hybrid"));

	if (view || pidns) {
		must(unshare(CLONE_NEWNS) == 0, "mount namespace");
		must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0, "/ private");
	}
	if (pidns)
		mount_at("/proc", "proc", 0, NULL);
	must(!view || umount2(ROOT, MNT_DETACH) == 0, "umount " ROOT);
	if (v1) {
		mount_at(ROOT, "tmpfs", 0, "mode=755");
		mount_at(ROOT "/systemd", "cgroup", 0, "none,name=systemd");
	}
	must(!cgroupns || unshare(CLONE_NEWCGROUP) == 0, "cgroup namespace");
	if (view && (!strcmp(view, "rw") || !strcmp(view, "ro")))
		mount_at(ROOT, "cgroup2", view[1] == 'o' ? MS_RDONLY : 0, NULL);
	if (view && !strcmp(view, "hybrid"))
		mount_at(ROOT "/unified", "cgroup2", 0, NULL);
}

/* A child in the cgroup from its birth on: this process itself never is in it. */
static pid_t born(int cgroup_fd)
{
	struct clone_args args = {.exit_signal = SIGCHLD,
	    .flags = cgroup_fd >= 0 ? CLONE_INTO_CGROUP : 0,
	    .cgroup = cgroup_fd >= 0 ? (unsigned)cgroup_fd : 0};
	pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));

	must(pid >= 0, "clone3");
	if (pid == 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

static void be_user(void)
{
	uid_t id = (uid_t)user;

	if (user < 0)
		return;
	must(setgroups(0, NULL) == 0 && setresgid(id, id, id) == 0 && setresuid(id, id, id) == 0,
	    "user");
	/* Which the change of user has cleared. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

static void command(char **argv, int go)
{
	char byte;

	enter();
	/* Whoever is to be there before it, is. */
	must(read(go, &byte, 1) == 1, "start");
	be_user();
	execvp(argv[0], argv);
	err(127, "cell: %s", argv[0]);
}

/* A namespace's PID 1 cannot go before everybody in it has been waited for: the neighbour, too. */
static int live(pid_t pid, const sigset_t *set)
{
	int status;

	for (;;) {
		int sig = sigwaitinfo(set, NULL);

		if (sig > 0 && sig != SIGCHLD)
			kill(pid, sig);
		for (pid_t gone; (gone = waitpid(-1, &status, WNOHANG)) > 0;)
			if (gone == pid)
				return WIFSIGNALED(status) ? 128 + WTERMSIG(status)
							   : WEXITSTATUS(status);
	}
}

static char **options(int argc, char **argv)
{
	static const struct option known[] = {{"cgroup", 1, NULL, 'c'},
	    {"controllers", 1, NULL, 'o'}, {"cgroupns", 0, NULL, 'C'}, {"pid", 0, NULL, 'p'},
	    {"mount", 1, NULL, 'm'}, {"user", 1, NULL, 'u'}, {"neighbour", 0, NULL, 'n'},
	    {"pidfile", 1, NULL, 'f'}, {0}};
	int c;

	while ((c = getopt_long(argc, argv, "+", known, NULL)) != -1) {
		switch (c) {
		case 'c':
			cgroup = optarg;
			break;
		case 'o':
			controllers = optarg;
			break;
		case 'C':
			cgroupns = true;
			break;
		case 'p':
			pidns = true;
			break;
		case 'm':
			view = optarg;
			break;
		case 'u':
			user = atoi(optarg);
			break;
		case 'n':
			neighbour = true;
			break;
		case 'f':
			pidfile = optarg;
			break;
		default:
			exit(125);
		}
	}
	if (!argv[optind])
		errx(125, "cell: no command");
	return argv + optind;
}

int main(int argc, char **argv)
{
	char **words = options(argc, argv), text[32];
	int fd, go[2], status;
	sigset_t set, before;
	pid_t pid, other = 0;

	fd = cgroup ? make_cgroup() : -1;
	sigemptyset(&set);
	for (const int *sig = (const int[]){SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGCHLD, 0};
	     *sig; sig++)
		sigaddset(&set, *sig);
	sigprocmask(SIG_BLOCK, &set, &before);
	must(pipe2(go, O_CLOEXEC) == 0, "pipe");
	must(!pidns || unshare(CLONE_NEWPID) == 0, "PID namespace");
	pid = born(fd);
	if (pid == 0) {
		close(go[1]);
		sigprocmask(SIG_SETMASK, &before, NULL);
		command(words, go[0]);
	}
	if (neighbour && (other = born(fd)) == 0) {
		be_user();
		prctl(PR_SET_NAME, "neighbour");
		sigprocmask(SIG_SETMASK, &before, NULL);
		for (;;)
			pause();
	}
	snprintf(text, sizeof(text), "%d\n", (int)pid);
	if (pidfile)
		put("", pidfile, text);
	must(write(go[1], "", 1) == 1, "start");
	status = live(pid, &set);
	if (other > 0)
		kill(other, SIGKILL);
	return status;
}
