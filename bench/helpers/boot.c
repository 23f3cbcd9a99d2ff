/* The two ends of a boot, and the least that can lie between them.
 *
 *   as PID 1, /init        notes when the kernel handed over, and becomes /sbin/init. In namespaces
 *                          ($STAND_IN) it leaves a process 2 that looks like the kernel's thread
 *   as PID 1, /sbin/init   floor: what the kernel charges anybody. Mounts, starts $COUNT services
 *   boot COUNT             a service: notes when it began. The last of COUNT tells, a while later:
 *                          boot: HANDOVER FIRST LAST RSS PRIVATE
 *
 * on the console; ns of CLOCK_MONOTONIC, KiB of PID 1. Notes are lines of /begun and /marks. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { IDLE = 1, LINE = 32, ROOM = 4096 };

static const char *const mounts[][2] = {{"/proc", "proc"}, {"/sys", "sysfs"}, {"/dev", "devtmpfs"},
    {"/dev/pts", "devpts"}, {"/dev/shm", "tmpfs"}, {"/run", "tmpfs"},
    {"/sys/fs/cgroup", "cgroup2"}};

static long long now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (long long)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void note(const char *path, long long when)
{
	char line[LINE];
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	int size = snprintf(line, sizeof(line), "%lld\n", when);

	if (fd < 0 || write(fd, line, (size_t)size) != size)
		_exit(111);
	close(fd);
}

/* The file's numbers: how many, the least, the greatest. */
static int read_notes(const char *path, long long *ret_least, long long *ret_greatest)
{
	FILE *file = fopen(path, "re");
	long long value;
	int count = 0;

	while (file && fscanf(file, "%lld", &value) == 1) {
		if (count == 0 || value < *ret_least)
			*ret_least = value;
		if (count == 0 || value > *ret_greatest)
			*ret_greatest = value;
		count++;
	}
	if (file)
		fclose(file);
	return count;
}

/* KiB of PID 1: the sum of the lines that begin so. */
static long memory(const char *key)
{
	FILE *file = fopen("/proc/1/smaps_rollup", "re");
	char line[128];
	long sum = 0;

	while (file && fgets(line, sizeof(line), file))
		if (strncmp(line, key, strlen(key)) == 0)
			sum += atol(strchr(line, ':') + 1);
	if (file)
		fclose(file);
	return sum;
}

static void serve(int count)
{
	long long begun, first, last;
	int fd;

	note("/marks", now());
	if (read_notes("/marks", &first, &last) != count ||
	    read_notes("/begun", &begun, &begun) != 1)
		return;
	sleep(IDLE);
	fd = open("/dev/console", O_WRONLY | O_APPEND | O_NOCTTY | O_CLOEXEC);
	dprintf(fd, "\nboot: %lld %lld %lld %ld %ld\n", begun, first, last, memory("Rss"),
	    memory("Private_"));
}

static void floor_of_all(int count)
{
	char number[LINE];

	snprintf(number, sizeof(number), "%d", count);
	for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		if (strcmp(mounts[i][0], "/dev") == 0 && access("/dev/null", F_OK) == 0)
			continue;
		mkdir(mounts[i][0], 0755);
		mount(mounts[i][1], mounts[i][0], mounts[i][1], 0, NULL);
	}
	for (int i = 0; i < count; i++) {
		if (vfork() == 0) {
			execl("/bin/boot", "boot", number, (char *)NULL);
			_exit(127);
		}
	}
}

int main(int argc, char **argv)
{
	const char *count = getenv("COUNT");

	if (getpid() != 1) {
		serve(argc > 1 ? atoi(argv[1]) : 1);
	} else if (strcmp(argv[0], "/init") == 0) {
		if (getenv("STAND_IN") && fork() == 0)
			for (;;)
				pause();
		note("/begun", now());
		execv("/sbin/init", (char *[]){"/sbin/init", NULL});
		return 127;
	} else {
		floor_of_all(count ? atoi(count) : 1);
	}
	for (;;)
		pause();
}
