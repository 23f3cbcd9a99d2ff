/* Limits of a slice: one table from the key of the configuration to the file of the kernel.
 *
 * A value is kept as it was written, once cgroup_limit_value() has accepted it, and becomes
 * the kernel's words when it is written to the file. The files and what they take are those of
 * the kernel's Documentation/admin-guide/cgroup-v2.rst.
 * Pure: owns nothing. May call: base, value. */
#ifndef SINIT_CGROUP_LIMITS_H
#define SINIT_CGROUP_LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text;

enum cgroup_controller {
	CGROUP_CPU,
	CGROUP_MEMORY,
	CGROUP_PIDS,
	CGROUP_IO,
	CGROUP_CPUSET,
};
enum { CGROUP_CONTROLLERS = CGROUP_CPUSET + 1 };

/* In the order of their keys in init/schema.def. */
enum cgroup_limit {
	CGROUP_MEMORY_MAX,
	CGROUP_MEMORY_HIGH,
	CGROUP_MEMORY_LOW,
	CGROUP_MEMORY_SWAP_MAX,
	CGROUP_CPU_MAX,
	CGROUP_CPU_WEIGHT,
	CGROUP_PIDS_MAX,
	CGROUP_IO_WEIGHT,
	CGROUP_IO_MAX,
	CGROUP_CPUSET_CPUS,
};
enum { CGROUP_LIMITS = CGROUP_CPUSET_CPUS + 1 };

/* Longest value in the kernel's words, with NUL. */
enum { CGROUP_VALUE = 128 };

/* The kernel's name of a controller: "memory". */
const char *cgroup_controller_name(enum cgroup_controller controller);

/* The enum cgroup_controller of the name name[0 .. length-1], CGROUP_CONTROLLERS: none that we
 * know. */
unsigned cgroup_controller_find(const char *name, size_t length);

/* What a limit needs, the file it is written to, its key. */
enum cgroup_controller cgroup_limit_controller(enum cgroup_limit limit);
const char *cgroup_limit_file(enum cgroup_limit limit);
const char *cgroup_limit_key(enum cgroup_limit limit);

/* What a good value would be, as the end of a sentence. */
const char *cgroup_limit_expected(enum cgroup_limit limit);

/* The value as the kernel's file takes it; CGROUP_IO_MAX has a line for each device: see
 * cgroup_io_next(). NULL asks for what the kernel has without a limit. 0 or -EINVAL. */
int cgroup_limit_value(enum cgroup_limit limit, const char *value, char ret[static CGROUP_VALUE]);

/* One device of a value of io_max: `/dev/sda rbps=10M wiops=100` or `8:0 wbps=1M`, of which
 * several may follow each other. `device` is its path or MAJOR:MINOR, `words` what stands
 * behind that number in the kernel's line. */
struct cgroup_io {
	char device[64];
	char words[CGROUP_VALUE];
};

/* Takes the next device off *at. 1; 0: there is none any more; -EINVAL. */
int cgroup_io_next(const char **at, struct cgroup_io *ret);

/* memory_warn: a percentage of the limit `max` (bytes, UINT64_MAX: none), or a size. Returns
 * 0 and the bytes in *ret; -EINVAL: no such value; -ENOENT: a percentage of no limit. */
int cgroup_warn_value(const char *value, uint64_t max, uint64_t *ret);

/* A size that cgroup_limit_value() has accepted, in bytes; "max", NULL: UINT64_MAX. */
uint64_t cgroup_size(const char *value);

#endif
