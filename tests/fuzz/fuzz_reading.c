/* What the kernel's files of a cgroup say, byte by byte: whatever stands in them, the numbers
 * found make sense, and are found again when they are written anew. */
#include "cgroup/reading.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
	if (!condition)
		abort();
}

static void check_number(const char *text)
{
	char again[32];
	uint64_t first = 0, second = 0;

	if (!reading_number(text, &first))
		return;
	snprintf(again, sizeof(again), "%" PRIu64 "\n", first);
	check(reading_number(again, &second) && first == second);
}

static void check_keyed(const char *text)
{
	uint64_t first = 0, second = 0;
	char again[64];

	if (!reading_keyed(text, "usage_usec", &first))
		return;
	check(strstr(text, "usage_usec ") != NULL);
	snprintf(again, sizeof(again), "user_usec 1\nusage_usec %" PRIu64 "\n", first);
	check(reading_keyed(again, "usage_usec", &second) && first == second);
}

static void check_pressure(const char *text)
{
	uint64_t total = 0, total_again = 0;
	uint32_t share = 0, share_again = 0;
	char again[96];

	if (!reading_pressure(text, &share, &total))
		return;
	check(share <= 10099 && strstr(text, "some "));
	snprintf(again, sizeof(again), "some avg10=%u.%02u total=%" PRIu64 "\n", share / 100,
	    share % 100, total);
	check(reading_pressure(again, &share_again, &total_again));
	check(share == share_again && total == total_again);
}

/* The sum of both halves is that of the whole, where it is cut between two words. */
static void check_io(char *text)
{
	uint64_t in, out, part[4];
	char *blank = strchr(text, ' ');

	reading_io(text, &in, &out);
	for (; blank && in + out; blank = strchr(blank + 1, ' ')) {
		*blank = '\0';
		reading_io(text, &part[0], &part[1]);
		reading_io(blank + 1, &part[2], &part[3]);
		*blank = ' ';
		check(part[0] + part[2] == in && part[1] + part[3] == out);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Of the exact size, so that the sanitizer sees a step too far. */
	char *text = malloc(size + 1);

	check(text != NULL);
	memcpy(text, data, size);
	text[size] = '\0';
	check_number(text);
	check_keyed(text);
	check_pressure(text);
	check_io(text);
	free(text);
	return 0;
}
