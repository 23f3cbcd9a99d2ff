#include "cgroup/limits.h"

#include "init/base.h"
#include "init/value.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
	PERIOD = 100000,  /* us of cpu.max, the kernel's default */
	QUOTA_MIN = 1000, /* us: less the kernel refuses */
	LEAST_MEMORY = 65536,
	WEIGHT_MAX = 10000, /* of cpu.weight and io.weight; the least is 1 */
};

/* --- Kinds of value ----------------------------------------------------------------- */

/* Each writes the kernel's words for `value`. 0 or -EINVAL. */
typedef int convert(const char *value, struct text *ret);

static int convert_size(const char *value, struct text *ret)
{
	uint64_t bytes;

	if (value_size(value, &bytes) < 0)
		return -EINVAL;
	if (bytes == UINT64_MAX)
		text_add(ret, "max");
	else
		text_addf(ret, "%" PRIu64, bytes);
	return 0;
}

/* Less is a forgotten unit, and no program runs with it. */
static int convert_memory(const char *value, struct text *ret)
{
	uint64_t bytes;

	return value_size(value, &bytes) < 0 || bytes < LEAST_MEMORY ? -EINVAL
								     : convert_size(value, ret);
}

static int convert_count(const char *value, struct text *ret)
{
	uint32_t count;

	if (strcmp(value, "max") != 0 && (parse_u32(value, &count) < 0 || count == 0))
		return -EINVAL;
	text_add(ret, value);
	return 0;
}

/* "50%" of one CPU, or "1.5" CPUs, as time in a period. */
static int convert_cpu(const char *value, struct text *ret)
{
	size_t length = strlen(value);
	char number[16];
	uint32_t thousandths;
	uint64_t quota;

	if (strcmp(value, "max") == 0) {
		text_add(ret, value);
		return 0;
	}
	bool percent = length && value[length - 1] == '%';
	length -= percent;
	if (length >= sizeof(number))
		return -EINVAL;
	memcpy(number, value, length);
	number[length] = '\0';
	if (value_factor(number, &thousandths) < 0)
		return -EINVAL;
	quota = (uint64_t)thousandths * PERIOD / (percent ? 100000 : 1000);
	if (quota < QUOTA_MIN)
		return -EINVAL;
	text_addf(ret, "%" PRIu64 " %d", quota, PERIOD);
	return 0;
}

static int convert_weight(const char *value, struct text *ret)
{
	uint32_t weight;

	if (parse_u32(value, &weight) < 0 || weight < 1 || weight > WEIGHT_MAX)
		return -EINVAL;
	text_addf(ret, "%" PRIu32, weight);
	return 0;
}

static int convert_io_weight(const char *value, struct text *ret)
{
	text_add(ret, "default ");
	return convert_weight(value, ret);
}

/* All of its devices must be right; the words for one of them are cgroup_io_next()'s. */
static int convert_io(const char *value, struct text *ret)
{
	struct cgroup_io io;
	int rc;

	(void)ret;
	while ((rc = cgroup_io_next(&value, &io)) > 0)
		;
	return rc;
}

/* Takes the digits of a CPU's number off *at. */
static int take_cpu(const char **at, unsigned *ret)
{
	size_t digits = strspn(*at, "0123456789");

	if (digits == 0 || digits > 5)
		return -EINVAL;
	*ret = 0;
	for (; digits; digits--)
		*ret = *ret * 10 + (unsigned)(*(*at)++ - '0');
	return 0;
}

/* "0-3,5": which of them exist only the kernel knows. */
static int convert_cpus(const char *value, struct text *ret)
{
	const char *at = value;
	unsigned first, last;

	do {
		if (take_cpu(&at, &first) < 0)
			return -EINVAL;
		if (*at != '-')
			continue;
		at++;
		if (take_cpu(&at, &last) < 0 || last < first)
			return -EINVAL;
	} while (*at == ',' && at++);
	text_add(ret, value);
	return *at ? -EINVAL : 0;
}

/* --- The table ----------------------------------------------------------------------- */

static const struct {
	const char *key, *file;
	const char *none; /* what the kernel has without a limit */
	const char *expected;
	convert *convert;
	enum cgroup_controller controller;
} limits[CGROUP_LIMITS] = {
    [CGROUP_MEMORY_MAX] = {"memory_max", "memory.max", "max",
	"a size such as 64M, at least 64K, or max", convert_memory, CGROUP_MEMORY},
    [CGROUP_MEMORY_HIGH] = {"memory_high", "memory.high", "max",
	"a size such as 64M, at least 64K, or max", convert_memory, CGROUP_MEMORY},
    [CGROUP_MEMORY_LOW] = {"memory_low", "memory.low", "0", "a size such as 64M, or max",
	convert_size, CGROUP_MEMORY},
    [CGROUP_MEMORY_SWAP_MAX] = {"memory_swap_max", "memory.swap.max", "max",
	"a size such as 64M, or max", convert_size, CGROUP_MEMORY},
    [CGROUP_CPU_MAX] = {"cpu_max", "cpu.max", "max",
	"50% of one CPU, a number of CPUs such as 1.5 (1% at least), or max", convert_cpu,
	CGROUP_CPU},
    [CGROUP_CPU_WEIGHT] = {"cpu_weight", "cpu.weight", "100", "a number from 1 to 10000",
	convert_weight, CGROUP_CPU},
    [CGROUP_PIDS_MAX] = {"pids_max", "pids.max", "max", "a number from 1, or max", convert_count,
	CGROUP_PIDS},
    [CGROUP_IO_WEIGHT] = {"io_weight", "io.weight", "default 100", "a number from 1 to 10000",
	convert_io_weight, CGROUP_IO},
    [CGROUP_IO_MAX] = {"io_max", "io.max", "",
	"for each device /dev/NAME or MAJOR:MINOR and rbps=SIZE, wbps=SIZE, riops=N, wiops=N",
	convert_io, CGROUP_IO},
    [CGROUP_CPUSET_CPUS] = {"cpuset_cpus", "cpuset.cpus", "\n", "CPUs such as 0-3,5", convert_cpus,
	CGROUP_CPUSET},
};

static const char *const controllers[CGROUP_CONTROLLERS] = {
    [CGROUP_CPU] = "cpu",
    [CGROUP_MEMORY] = "memory",
    [CGROUP_PIDS] = "pids",
    [CGROUP_IO] = "io",
    [CGROUP_CPUSET] = "cpuset",
};

const char *cgroup_controller_name(enum cgroup_controller controller)
{
	return controllers[controller];
}

unsigned cgroup_controller_find(const char *name, size_t length)
{
	unsigned i = 0;

	while (i < CGROUP_CONTROLLERS &&
	       (strlen(controllers[i]) != length || memcmp(controllers[i], name, length) != 0))
		i++;
	return i;
}

enum cgroup_controller cgroup_limit_controller(enum cgroup_limit limit)
{
	return limits[limit].controller;
}

const char *cgroup_limit_file(enum cgroup_limit limit)
{
	return limits[limit].file;
}

const char *cgroup_limit_key(enum cgroup_limit limit)
{
	return limits[limit].key;
}

const char *cgroup_limit_expected(enum cgroup_limit limit)
{
	return limits[limit].expected;
}

int cgroup_limit_value(enum cgroup_limit limit, const char *value, char ret[static CGROUP_VALUE])
{
	struct text text;

	text_init(&text, ret, CGROUP_VALUE);
	if (!value) {
		text_add(&text, limits[limit].none);
		return 0;
	}
	return limits[limit].convert(value, &text) < 0 || text.cut ? -EINVAL : 0;
}

/* --- io_max -------------------------------------------------------------------------- */

/* Takes the next word off *at; its length is 0 at the end. */
static size_t next_word(const char **at, const char **ret_word)
{
	const char *word = *at + strspn(*at, " \t");
	size_t length = strcspn(word, " \t");

	*ret_word = word;
	*at = word + length;
	return length;
}

/* "/dev/NAME", or "MAJOR:MINOR" in decimal. */
static bool is_device(const char *word, size_t length)
{
	size_t major = strspn(word, "0123456789");

	if (*word == '/')
		return true;
	return major > 0 && word[major] == ':' && strspn(word + major + 1, "0123456789") > 0 &&
	       major + 1 + strspn(word + major + 1, "0123456789") == length;
}

/* "rbps=10M" and so on. */
static int add_io_word(struct text *text, const char *word, size_t length)
{
	static const struct {
		char name[8];
		convert *convert;
	} words[] = {
	    {"rbps=", convert_size},
	    {"wbps=", convert_size},
	    {"riops=", convert_count},
	    {"wiops=", convert_count},
	};
	char value[32];

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		size_t name = strlen(words[i].name);
		if (length <= name || length - name >= sizeof(value) ||
		    memcmp(word, words[i].name, name) != 0)
			continue;
		memcpy(value, word + name, length - name);
		value[length - name] = '\0';
		text_addf(text, " %s", words[i].name);
		return words[i].convert(value, text);
	}
	return -EINVAL;
}

int cgroup_io_next(const char **at, struct cgroup_io *ret)
{
	const char *word;
	size_t length = next_word(at, &word);
	struct text words;

	if (length == 0)
		return 0;
	if (!is_device(word, length) || length >= sizeof(ret->device))
		return -EINVAL;
	memcpy(ret->device, word, length);
	ret->device[length] = '\0';
	text_init(&words, ret->words, sizeof(ret->words));
	for (const char *rest = *at;
	     (length = next_word(&rest, &word)) > 0 && !is_device(word, length); *at = rest)
		if (add_io_word(&words, word, length) < 0)
			return -EINVAL;
	return words.used && !words.cut ? 1 : -EINVAL;
}

/* --- memory_warn --------------------------------------------------------------------- */

int cgroup_warn_value(const char *value, uint64_t max, uint64_t *ret)
{
	size_t length = strlen(value);
	char number[8];
	uint32_t percent;

	if (!length || value[length - 1] != '%')
		return value_size(value, ret) < 0 || *ret == UINT64_MAX || *ret == 0 ? -EINVAL : 0;
	if (length >= sizeof(number))
		return -EINVAL;
	memcpy(number, value, length - 1);
	number[length - 1] = '\0';
	if (parse_u32(number, &percent) < 0 || percent < 1 || percent > 99)
		return -EINVAL;
	if (max == UINT64_MAX)
		return -ENOENT;
	*ret = max / 100 * percent + max % 100 * percent / 100;
	return 0;
}

uint64_t cgroup_size(const char *value)
{
	uint64_t bytes;

	return value && value_size(value, &bytes) == 0 ? bytes : UINT64_MAX;
}
