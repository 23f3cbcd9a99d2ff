/* What services send to PID 1, byte by byte. What is found must be in the datagram, must make
 * sense, and must be the same when the lines that say nothing are left out. */
#include "init/notify.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
	if (!condition)
		abort();
}

static bool has(const char *datagram, size_t size, const char *text)
{
	return size && memmem(datagram, size, text, strlen(text));
}

/* The same in our words. */
static size_t write_again(
    const struct notification *n, const char *datagram, char *ret, size_t room)
{
	int head = snprintf(ret, room, "%s%s%s%s%s", n->ready ? "READY=1\n" : "",
	    n->reloading ? "RELOADING=1\n" : "", n->stopping ? "STOPPING=1\n" : "",
	    n->watchdog ? "WATCHDOG=1\n" : "", n->trigger ? "WATCHDOG=trigger\n" : "");
	size_t used = (size_t)head;

	if (n->main_pid)
		used += (size_t)snprintf(ret + used, room - used, "MAINPID=%d\n", n->main_pid);
	if (n->detail)
		used += (size_t)snprintf(ret + used, room - used, "SINIT_DETAIL=%d\n", n->detail);
	if (n->status) {
		memcpy(ret + used, "STATUS=", 7);
		memcpy(ret + used + 7, datagram + n->status, n->status_length);
		used += 7 + n->status_length;
	}
	return used;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct notification first, second;
	static char again[NOTIFY_SIZE + 256];
	char *datagram;
	size_t length;

	if (size > NOTIFY_SIZE)
		size = NOTIFY_SIZE;
	/* Of the exact size, so that the sanitizer sees a step too far. */
	datagram = malloc(size ? size : 1);
	check(datagram != NULL);
	memcpy(datagram, data, size);
	notify_parse(datagram, size, &first);
	check(!first.ready || has(datagram, size, "READY=1"));
	check(!first.trigger || has(datagram, size, "WATCHDOG=trigger"));
	check(first.main_pid == 0 || first.main_pid > 1);
	check(first.detail >= 0);
	check(first.status + first.status_length <= size);
	check(!first.status || first.status >= 7);
	check(!first.status || !memcmp(datagram + first.status - 7, "STATUS=", 7));
	check(!first.status_length || !memchr(datagram + first.status, '\n', first.status_length));

	length = write_again(&first, datagram, again, sizeof(again));
	notify_parse(again, length, &second);
	check(second.ready == first.ready && second.reloading == first.reloading);
	check(second.stopping == first.stopping && second.watchdog == first.watchdog);
	check(second.trigger == first.trigger && second.main_pid == first.main_pid);
	check(second.detail == first.detail && second.status_length == first.status_length);
	free(datagram);
	return 0;
}
