#include "reaper/leave.h"

#include "init/clock.h"

#include <sys/syscall.h>
#include <unistd.h>

enum {
	WAIT = 0, /* FUTEX_WAIT; not the private kind, since the kernel wakes the shared one */
	NS_PER_MS = 1000000,
};

bool leave_wait(const _Atomic uint32_t *word, int64_t timeout)
{
	int64_t end = 0;

	while (atomic_load_explicit(word, memory_order_acquire) != 0) {
		/* No look at the clock if the first wait is enough, as it nearly always is. */
		int64_t left = end ? end - clock_ms() : timeout;
		long relative[2] = {0, (long)left * NS_PER_MS}; /* the kernel's old timespec */

		if (left <= 0)
			return false;
		if (!end)
			end = clock_ms() + timeout;
		syscall(SYS_futex, word, WAIT, 1, relative, NULL, 0);
	}
	return true;
}
