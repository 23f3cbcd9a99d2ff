/* file: it is there, and was changed not longer ago than max_age. */
#include "probes/prober.h"

#include <errno.h>
#include <sys/stat.h>
#include <time.h>

enum { SECOND = 1000 }; /* ms */

/* ms since the last change; a change in the future (a clock set back) was just now. */
static int64_t age_of(const struct stat *status)
{
	struct timespec now;
	int64_t age;

	/* Files are stamped by the wall clock. */
	clock_gettime(CLOCK_REALTIME, &now);
	age = ((int64_t)now.tv_sec - status->st_mtim.tv_sec) * SECOND +
	      (now.tv_nsec - status->st_mtim.tv_nsec) / 1000000;
	return age > 0 ? age : 0;
}

struct outcome file_probe(const char *path, uint32_t max_age)
{
	struct stat status;
	int64_t age;

	if (stat(path, &status) < 0)
		return (struct outcome){
		    probe_own_fault(errno) ? FAULT_INTERNAL : FAULT_ABSENT, errno};
	age = age_of(&status);
	if (max_age == 0 || age <= max_age)
		return (struct outcome){FAULT_NONE, 0};
	age /= SECOND;
	return (struct outcome){FAULT_OLD, age < INT32_MAX ? (int32_t)age : INT32_MAX};
}
