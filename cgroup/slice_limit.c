/* The limits of a slice, and its memory. */
#include "cgroup/files.h"
#include "cgroup/reading.h"
#include "cgroup/slice.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

enum { TEXT = 4096 }; /* bytes of a file that are read at once */

/* --- Limits -------------------------------------------------------------------------------- */

/* MAJOR:MINOR of a path. */
static int device_number(const char *device, char *ret, size_t size)
{
	struct stat st;

	if (*device != '/') {
		snprintf(ret, size, "%s", device);
		return 0;
	}
	if (stat(device, &st) < 0)
		return -errno;
	if (!S_ISBLK(st.st_mode))
		return -ENOTBLK;
	snprintf(ret, size, "%u:%u", major(st.st_rdev), minor(st.st_rdev));
	return 0;
}

/* Takes away what io.max says, a device a line. */
static void clear_io(int dirfd)
{
	char text[TEXT], line[64];

	if (cgroup_read(dirfd, "io.max", text, sizeof(text)) < 0)
		return;
	for (const char *at = text; *at; at += strcspn(at, "\n"), at += *at == '\n') {
		size_t device = strcspn(at, " \n");

		if (device == 0 || device > 24)
			continue;
		snprintf(line, sizeof(line), "%.*s rbps=max wbps=max riops=max wiops=max",
		    (int)device, at);
		cgroup_write(dirfd, "io.max", line);
	}
}

static int limit_io(int dirfd, const char *value)
{
	struct cgroup_io io;
	char number[sizeof(io.device)], line[sizeof(number) + sizeof(io.words)];
	int result = 0;

	clear_io(dirfd);
	while (value && cgroup_io_next(&value, &io) > 0) {
		int error = device_number(io.device, number, sizeof(number));

		if (!error) {
			snprintf(line, sizeof(line), "%s%s", number, io.words);
			error = cgroup_write(dirfd, "io.max", line);
		}
		if (!result)
			result = error;
	}
	return result;
}

/* A cpuset with processes in it cannot be made empty, which would mean all: it gets all that
 * there are. */
static int free_cpus(int dirfd)
{
	char text[CGROUP_VALUE];
	int error = cgroup_read(dirfd, "../cpuset.cpus.effective", text, sizeof(text));

	return error ? error : cgroup_write(dirfd, "cpuset.cpus", text);
}

int slice_limit(const struct slice *slice, enum cgroup_limit limit, const char *value)
{
	char words[CGROUP_VALUE];
	int error = cgroup_limit_value(limit, value, words);

	if (error)
		return error;
	if (limit == CGROUP_IO_MAX)
		return limit_io(slice->fd, value);
	error = cgroup_write(slice->fd, cgroup_limit_file(limit), words);
	return error == -ENOSPC && limit == CGROUP_CPUSET_CPUS && !value ? free_cpus(slice->fd)
									 : error;
}

bool slice_has_limit(const struct slice *slice, enum cgroup_limit limit, const char *value)
{
	char words[CGROUP_VALUE], text[CGROUP_VALUE];
	size_t length;

	if (limit == CGROUP_IO_MAX || cgroup_limit_value(limit, value, words) < 0 ||
	    cgroup_read(slice->fd, cgroup_limit_file(limit), text, sizeof(text)) < 0)
		return false;
	length = strcspn(words, "\n");
	/* cpu.max shows its period behind the quota. */
	return strncmp(text, words, length) == 0 &&
	       (text[length] == '\n' || (limit == CGROUP_CPU_MAX && text[length] == ' '));
}

int slice_oom_group(const struct slice *slice, bool together)
{
	return cgroup_write(slice->fd, "memory.oom.group", together ? "1" : "0");
}

bool slice_high_is(const struct slice *slice, uint64_t bytes)
{
	return cgroup_read_number(slice->fd, "memory.high") == bytes;
}

int slice_high(const struct slice *slice, uint64_t bytes)
{
	char words[24];

	snprintf(words, sizeof(words), "%" PRIu64, bytes);
	return cgroup_write(slice->fd, "memory.high", bytes == UINT64_MAX ? "max" : words);
}

bool slice_full(const struct slice *slice)
{
	uint64_t max = cgroup_read_number(slice->fd, "pids.max");

	return max && cgroup_read_number(slice->fd, "pids.current") >= max;
}

/* --- Memory ---------------------------------------------------------------------------------- */

int slice_memory(const struct slice *slice, struct slice_memory *ret)
{
	char text[512];
	int error = cgroup_read(slice->fd, "memory.events", text, sizeof(text));

	*ret = (struct slice_memory){0};
	if (error)
		return error;
	reading_keyed(text, "high", &ret->high);
	reading_keyed(text, "oom", &ret->oom);
	reading_keyed(text, "oom_kill", &ret->oom_kill);
	reading_keyed(text, "oom_group_kill", &ret->group);
	/* Linux 5.2: without those of cgroups below it, which may have limits of their own. */
	ret->own_oom = ret->oom;
	if (cgroup_read(slice->fd, "memory.events.local", text, sizeof(text)) == 0)
		reading_keyed(text, "oom", &ret->own_oom);
	return 0;
}

uint64_t slice_memory_used(const struct slice *slice)
{
	return cgroup_read_number(slice->fd, "memory.current");
}

uint64_t slice_memory_peak(const struct slice *slice)
{
	return cgroup_read_number(slice->fd, "memory.peak");
}

uint64_t slice_memory_needed(const struct slice *slice)
{
	char text[TEXT];
	uint64_t used = slice_memory_used(slice), inactive = 0, active = 0;

	if (cgroup_read(slice->fd, "memory.stat", text, sizeof(text)) == 0) {
		reading_keyed(text, "inactive_file", &inactive);
		reading_keyed(text, "active_file", &active);
	}
	return used > inactive + active ? used - inactive - active : 0;
}
