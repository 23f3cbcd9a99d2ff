/* What a service uses: the kernel's files of its slice, each opened, read and closed. */
#include "cgroup/files.h"
#include "cgroup/reading.h"
#include "cgroup/slice.h"
#include "init/clock.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* The longest of the small files is cpu.stat, by far under 1 KiB. io.stat has a line for each
 * device and is taken in pieces of this size. */
enum { ROOM = 4096 };

/* Reads more of a file behind the `used` bytes in the buffer, until it is full or the file
 * ends. Returns the bytes that are in it now, as text; -1: it cannot be read. */
static ssize_t fill(int fd, char buffer[static ROOM], size_t used)
{
	ssize_t count = 0;

	while (used < ROOM - 1 && (count = read(fd, buffer + used, ROOM - 1 - used)) > 0)
		used += (size_t)count;
	buffer[used] = '\0';
	return count < 0 ? -1 : (ssize_t)used;
}

static bool get(const struct slice *slice, const char *name, char buffer[static ROOM])
{
	return cgroup_read(slice->fd, name, buffer, ROOM) == 0 && buffer[0];
}

static bool get_number(const struct slice *slice, const char *name, uint64_t *ret)
{
	char buffer[ROOM];

	return get(slice, name, buffer) && reading_number(buffer, ret);
}

static void read_memory(const struct slice *slice, struct board_reading *r)
{
	if (get_number(slice, "memory.current", &r->memory_current)) {
		r->have |= READING_MEMORY;
		if (!get_number(slice, "memory.max", &r->memory_max))
			r->memory_max = UINT64_MAX;
	}
	if (get_number(slice, "memory.peak", &r->memory_peak))
		r->have |= READING_PEAK;
	if (get_number(slice, "memory.swap.current", &r->swap_current))
		r->have |= READING_SWAP;
}

static void read_cpu(const struct slice *slice, struct board_reading *r)
{
	char buffer[ROOM];

	if (!get(slice, "cpu.stat", buffer))
		return;
	if (reading_keyed(buffer, "usage_usec", &r->cpu_usage))
		r->have |= READING_CPU;
	if (reading_keyed(buffer, "throttled_usec", &r->cpu_throttled))
		r->have |= READING_THROTTLED;
}

static void read_pids(const struct slice *slice, struct board_reading *r)
{
	uint64_t current, most;

	if (!get_number(slice, "pids.current", &current))
		return;
	if (!get_number(slice, "pids.max", &most) || most > UINT32_MAX)
		most = UINT32_MAX;
	r->pids_current = (uint32_t)current;
	r->pids_max = (uint32_t)most;
	r->have |= READING_PIDS;
}

static void add_io(struct board_reading *r, const char *text)
{
	uint64_t in, out;

	reading_io(text, &in, &out);
	r->io_read += in;
	r->io_written += out;
}

/* A file as long as it likes, with the memory of one piece: what stands behind a piece's last
 * blank is a part of a word, and waits for the next piece. */
static void read_io(const struct slice *slice, struct board_reading *r)
{
	char buffer[ROOM];
	int fd = openat(slice->fd, "io.stat", O_RDONLY | O_CLOEXEC);
	ssize_t used = 0;
	size_t kept = 0;

	if (fd < 0)
		return;
	while ((used = fill(fd, buffer, kept)) > (ssize_t)kept) {
		char *end = buffer + used;

		while (end > buffer && end[-1] != ' ' && end[-1] != '\n')
			end--;
		kept = (size_t)(buffer + used - end);
		if (end == buffer)
			continue; /* if it is longer than any word, the buffer is full */
		end[-1] = '\0';
		add_io(r, buffer);
		memmove(buffer, end, kept + 1);
	}
	close(fd);
	if (used < 0)
		return;
	add_io(r, buffer);
	r->have |= READING_IO;
}

static void read_pressure(const struct slice *slice, struct board_reading *r)
{
	static const char *const names[PRESSURES] = {[PRESSURE_MEMORY] = "memory.pressure",
	    [PRESSURE_CPU] = "cpu.pressure",
	    [PRESSURE_IO] = "io.pressure"};
	char buffer[ROOM];

	for (unsigned i = 0; i < PRESSURES; i++)
		if (!get(slice, names[i], buffer) ||
		    !reading_pressure(buffer, &r->pressure[i], &r->stalled[i]))
			return;
	r->have |= READING_PRESSURE;
}

void slice_read(const struct slice *slice, struct board_reading *ret)
{
	*ret = (struct board_reading){.time = clock_ms()};
	if (slice->fd < 0)
		return;
	read_cpu(slice, ret); /* first, since its share of the time is reckoned by `time` */
	read_memory(slice, ret);
	read_pids(slice, ret);
	read_io(slice, ret);
	read_pressure(slice, ret);
}
