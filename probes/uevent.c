#include "probes/uevent.h"

#include "init/base.h"

#include <errno.h>
#include <string.h>

/* The value of KEY=VALUE, NULL: it is of another key. `key` ends in =. */
static const char *value_of(const char *text, const char *key)
{
	size_t length = strlen(key);

	return strncmp(text, key, length) == 0 ? text + length : NULL;
}

int uevent_parse(const char *message, size_t size, struct uevent *ret)
{
	const char *end = message + size;
	const char *value;

	*ret = (struct uevent){"", "", ""};
	if (!size || end[-1] != '\0' || !strchr(message, '@'))
		return -EINVAL;
	for (const char *at = message + strlen(message) + 1; at < end; at += strlen(at) + 1) {
		if ((value = value_of(at, "ACTION=")))
			ret->action = value;
		else if ((value = value_of(at, "SUBSYSTEM=")))
			ret->subsystem = value;
		else if ((value = value_of(at, "DEVNAME=")))
			ret->devname = value;
	}
	return 0;
}

bool uevent_matters(const struct uevent *event)
{
	return *event->devname || strcmp(event->subsystem, "net") == 0;
}
