#include "init/boot.h"

#include "init/console.h"
#include "init/errand.h"
#include "init/log.h"
#include "init/loopback.h"
#include "init/mounts.h"
#include "init/path.h"
#include "init/raw_syscall.h"
#include "init/seed.h"
#include "init/sinit.h"
#include "init/supervisor_main.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	MOUNT_LIMIT = 60000, /* ms for an entry of /etc/fstab: a journal may have to be replayed */
	MOUNTS_LATE = 8,     /* entries that may take longer before the rest is given up */
	SEED_LIMIT = 5000,   /* ms for the seed to be saved */
	END_LIMIT = 30000,   /* ms without any progress, while all is written back and unmounted */
	END_TRIES = 3,       /* of that, where somebody kills the child that does it */
	SYNC_LIMIT = 10000,  /* ms for what can still be written when that was not enough */
	KTHREADD = 2,        /* process number of the kernel's thread that makes the others */
	ARGUMENTS = CMDLINE_WORDS + 1,
};

/* The kernel's first PID namespace always has this inode (include/linux/proc_ns.h). */
#define FIRST_PID_NAMESPACE 0xEFFFFFFCu

bool boot_is_ours(void)
{
	struct stat st;

	if (getpid() != 1)
		return false;
	if (stat("/proc/self/ns/pid", &st) == 0)
		return st.st_ino == FIRST_PID_NAMESPACE;
	/* Without /proc: only in the first namespace is process 2 a thread of the kernel's, in no
	 * session and no group. */
	return getsid(KTHREADD) == 0 && getpgid(KTHREADD) == 0;
}

/* --- Messages ---------------------------------------------------------------------------- */

static void tell(void *context, enum log_level level, const char *line)
{
	(void)context;
	if (level >= LOG_LEVEL_ERROR)
		log_error(NULL, "%s", line);
	else if (level == LOG_LEVEL_WARNING)
		log_warning(NULL, "%s", line);
	else if (level == LOG_LEVEL_INFO)
		log_info(NULL, "%s", line);
	else
		log_debug(NULL, "%s", line);
	log_flush();
}

static const struct report to_log = {.tell = tell};

/* --- The beginning --------------------------------------------------------------------- */

static void tell_faults(char *faults)
{
	for (char *line = faults, *end; *line; line = end) {
		end = line + strcspn(line, "\n");
		if (*end)
			*end++ = '\0';
		log_warning(NULL, "%s", line);
	}
}

static void read_cmdline(struct cmdline *cmdline)
{
	char bytes[CMDLINE_SIZE + 1] = "";

	(void)path_read_text("/proc/cmdline", bytes, sizeof(bytes)); /* without /proc: no words */
	cmdline_parse(cmdline, bytes, strlen(bytes));
	if (cmdline->unknown[0])
		log_warning(NULL,
		    "%s on the kernel's command line: there is no such word; there are "
		    "sinit.conf=DIR, sinit.single and sinit.debug",
		    cmdline->unknown);
}

/* The kernel drops what a process says by /dev/kmsg beyond 10 lines in 5 s, unless told not to
 * (printk.devkmsg in its Documentation/admin-guide/kernel-parameters.rst). Where that word is on
 * its command line it stays as it is: then this cannot be written. */
static void lift_kmsg_limit(void)
{
	int rc = path_write_text("/proc/sys/kernel/printk_devkmsg", "on\n");

	if (rc < 0)
		log_debug(NULL, "messages to the kernel's log stay limited: %s", strerror(-rc));
}

static const char *look_up(const char *name)
{
	return getenv(name);
}

/* Nobody could read a help text here, and an init that ends is a panic: what is wrong with the
 * command line is told, and passed over. */
static void parse_options(char **argv, const struct cmdline *cmdline, struct options *ret)
{
	static char name[] = "sinit";
	static char *words[ARGUMENTS + 1] = {name}; /* the options keep pointers into it */
	char buffer[1024];
	struct text error;
	unsigned count = 1;

	argv += argv[0] != NULL;
	argv += cmdline_foreign(cmdline, argv);
	/* A new image of sinit is not given them again. */
	for (char *const *word = *argv ? argv : (char *const *)cmdline->word;
	     *word && count < ARGUMENTS;)
		words[count++] = *word++;
	text_init(&error, buffer, sizeof(buffer));
	if (options_parse(words, look_up, ret, &error) < 0) {
		log_error(NULL, "the words for sinit on the kernel's command line are not used: %s",
		    buffer);
		options_parse((char *[]){name, NULL}, look_up, ret, &error);
	}
	if (ret->action != ACTION_RUN)
		log_warning(NULL,
		    "the init of a machine can only run: --check and the like are for sinit "
		    "as a command");
	ret->action = ACTION_RUN;
	if (cmdline->config[0])
		ret->config = cmdline->config;
}

_Noreturn void boot_main(char **argv)
{
	static struct boot boot;
	static struct options options;
	char buffer[4096], reason[128];
	struct text faults;
	int rc;

	boot.began = platform_now_us();
	umask(022);
	prctl(PR_SET_NAME, "sinit"); /* after an emergency it is called exe */
	text_init(&faults, buffer, sizeof(buffer));
	mounts_early(&faults);
	boot.console = console_open();
	emergency_catch_crashes();
	/* The kernel gives its init no PATH. */
	setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 0);
	if (!boot.console)
		log_open("kmsg", LOG_FORMAT_TEXT);
	lift_kmsg_limit();
	tell_faults(buffer);
	read_cmdline(&boot.cmdline);
	if (boot.cmdline.debug)
		log_set_level(LOG_LEVEL_DEBUG);
	parse_options(argv, &boot.cmdline, &options);
	rc = machine_end_catch_keys();
	if (rc < 0)
		log_warning(NULL, "ctrl-alt-del resets the machine at once: %s", strerror(-rc));
	rc = net_loopback_up();
	if (rc < 0)
		log_warning(NULL, "the loopback interface cannot be set up: %s", strerror(-rc));
	log_flush();
	rc = supervisor_main(&options, &boot);
	snprintf(reason, sizeof(reason), "it cannot start (code %d): the lines above tell why", rc);
	emergency_enter(reason);
}

/* --- After the configuration ------------------------------------------------------------- */

static void set_hostname(const char *configured)
{
	char name[256] = "";

	if (!configured) {
		(void)path_read_text("/etc/hostname", name, sizeof(name)); /* there may be none */
		name[strcspn(name, " \t\r\n#")] = '\0';
		configured = name;
	}
	if (*configured && sethostname(configured, strlen(configured)) < 0)
		log_warning(
		    NULL, "the host name cannot be set to %s: %s", configured, strerror(errno));
}

static int mount_configured(void *progress)
{
	mounts_configured(&to_log, progress);
	return 0;
}

/* A child that began behind line `before` has ended, or was given up, with `rc` of errand_run().
 * Whether another one is to go on behind where it was. */
static bool go_on(const struct mounts_progress *progress, unsigned before, int rc, unsigned *late)
{
	if (progress->done)
		return false;
	if (rc < 0 && rc != -ETIMEDOUT) {
		log_error(NULL, MOUNTS_FSTAB ": %s; going on with what is mounted", strerror(-rc));
		return false;
	}
	if (progress->line == before) {
		log_error(NULL,
		    MOUNTS_FSTAB ": cannot be read to its end; going on with what is mounted");
		return false;
	}
	if (!progress->entry[0])
		return true;
	if (rc < 0)
		log_error(NULL,
		    MOUNTS_FSTAB ":%u: %s: no end of it within %d s; going on without it: does the "
				 "device still answer? (dmesg)",
		    progress->line, progress->entry, MOUNT_LIMIT / 1000);
	else
		log_error(NULL,
		    MOUNTS_FSTAB ":%u: %s: the process that did it was killed; going on without it",
		    progress->line, progress->entry);
	if (++*late < MOUNTS_LATE)
		return true;
	log_error(NULL, MOUNTS_FSTAB ": %u such entries are enough: going on with what is mounted",
	    *late);
	return false;
}

static void mount_all(struct sinit *sinit)
{
	struct mounts_progress *progress;
	unsigned late = 0, before;
	int rc;

	if (access(MOUNTS_FSTAB, F_OK) < 0)
		return;
	progress = mmap(
	    NULL, sizeof(*progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (progress == MAP_FAILED) {
		log_error(NULL, MOUNTS_FSTAB ": %s; nothing of it is mounted", strerror(errno));
		return;
	}
	do {
		before = progress->line;
		progress->entry[0] = '\0';
		rc = errand_run(&sinit->watchdog,
		    &(struct errand){mount_configured, progress, MOUNT_LIMIT, false});
	} while (go_on(progress, before, rc, &late));
	munmap(progress, sizeof(*progress));
}

static int restore_seed(void *state_dir)
{
	seed_restore(state_dir, &to_log);
	return 0;
}

void boot_configured(struct sinit *sinit, const struct image *image)
{
	const struct sinit_settings *settings = image_settings(image);
	const char *state_dir = image_string(image, settings->state_dir);
	const char *target = image_string(image, settings->log_target);
	bool in_file = target && target[0] == '/'; /* which may be on what is mounted first */

	if (!in_file)
		sinit_open_log(sinit, image);
	emergency_shell(image_string(image, settings->emergency));
	set_hostname(image_string(image, settings->hostname));
	watchdog_init(
	    &sinit->watchdog, image_string(image, settings->watchdog), settings->watchdog_timeout);
	watchdog_turn(&sinit->watchdog, platform_now(), NULL);
	if (settings->mounts)
		mount_all(sinit);
	if (in_file)
		sinit_open_log(sinit, image);
	/* Nobody waits for it: it writes to a disk, and what needs random numbers is held by the
	 * kernel. It is reaped as any orphan is. */
	log_flush();
	if (state_dir)
		platform_fork(restore_seed, (void *)state_dir);
}

/* --- The end --------------------------------------------------------------------------- */

/* What keeps the root writable in spite of all may be sinit's own file, if it was replaced while
 * it ran: a removed file that is open. Frozen (fsfreeze(8)), the file system is whole on the disk
 * with nothing in its journal; nobody is left whom that could stop. */
static void freeze_root(void)
{
	int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return;
	raw_syscall3(SYS_ioctl, fd, (long)FIFREEZE, 0);
	close(fd);
}

/* The kernel is not to choose this one when memory is short: swap is on its way back into it. */
static void be_spared(void)
{
	int rc = path_write_text("/proc/self/oom_score_adj", "-1000");

	if (rc < 0)
		log_debug(NULL, "oom_score_adj: %s", strerror(-rc));
}

/* 0: every file system has come to a good end. */
static int write_back(void *context)
{
	(void)context;
	be_spared();
	if (mounts_end(&to_log) == 0)
		return 0;
	freeze_root();
	return 1;
}

/* In a child of its own: where its file system does not answer, the others are to be saved. */
static int save_seed(void *context)
{
	const struct sinit *sinit = context;

	if (sinit->supervisor.state_dir)
		seed_save(sinit->supervisor.state_dir, &to_log);
	return 0;
}

static int synchronize(void *context)
{
	(void)context;
	sync();
	return 0;
}

_Noreturn void boot_end(struct sinit *sinit)
{
	int rc = -ECANCELED;

	/* A log file would keep its file system busy, and so would a run directory on a disk. */
	log_open(sinit->boot->console ? "stderr" : "kmsg", LOG_FORMAT_TEXT);
	board_close(&sinit->supervisor.board);
	if (sinit->supervisor.store_fd >= 0)
		close(sinit->supervisor.store_fd);
	if (sinit->lock_fd >= 0)
		close(sinit->lock_fd);
	log_info(NULL, "unmounting file systems");
	errand_run(&sinit->watchdog, &(struct errand){save_seed, sinit, SEED_LIMIT, false});
	for (int tries = 0; tries < END_TRIES && rc == -ECANCELED; tries++)
		rc = errand_run(
		    &sinit->watchdog, &(struct errand){write_back, sinit, END_LIMIT, true});
	if (rc == -ETIMEDOUT) {
		log_error(NULL, "a file system does not answer: going on without it");
		errand_run(&sinit->watchdog, &(struct errand){synchronize, NULL, SYNC_LIMIT, true});
	} else if (rc < 0) { /* no process to be had: then PID 1 does it, whatever it takes */
		rc = write_back(sinit);
	}
	/* What was not clean the watchdog may end. */
	if (rc == 0)
		watchdog_close(&sinit->watchdog);
	if (!sinit->end) /* nobody has asked: COMMAND has ended, or a critical service is down */
		sinit->end = sinit->supervisor.critical_down ? END_REBOOT : END_POWEROFF;
	machine_end_now(sinit->end);
}
