/* Messages about devices, byte by byte: what is found must be in the message, and end there. */
#include "probes/uevent.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
	if (!condition)
		abort();
}

/* An empty one may be of nowhere. */
static void check_text(const char *message, size_t size, const char *text, const char *key)
{
	size_t length = strlen(key);

	if (!*text)
		return;
	check(text >= message + length && text + strlen(text) < message + size);
	check(memcmp(text - length, key, length) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Of the exact size, so that the sanitizer sees a step too far. */
	char *message = malloc(size ? size : 1);
	struct uevent event;
	int rc;

	check(message != NULL);
	memcpy(message, data, size);
	rc = uevent_parse(message, size, &event);
	check(rc == 0 || (!*event.action && !*event.subsystem && !*event.devname));
	check(rc == 0 || !uevent_matters(&event));
	check_text(message, size, event.action, "ACTION=");
	check_text(message, size, event.subsystem, "SUBSYSTEM=");
	check_text(message, size, event.devname, "DEVNAME=");
	free(message);
	return 0;
}
