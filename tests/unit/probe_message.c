#include "probe_message.h"

#include <string.h>

struct prober_begin *probe_message(void)
{
	static _Alignas(8) char buffer[HELPER_MESSAGE];
	struct prober_begin *begin = (void *)buffer;

	memset(buffer, 0, sizeof(buffer));
	begin->kind = PROBER_BEGIN;
	begin->check = 3;
	begin->interval = 10000;
	begin->timeout = 1000;
	begin->failures = 3;
	begin->successes = 1;
	begin->ranges = 1;
	begin->status[0].least = 200;
	begin->status[0].most = 399;
	begin->size = 1;
	begin->target.kind = CHECK_HTTP;
	begin->target.port = 8080;
	begin->target.host = probe_message_text(begin, "host");
	begin->target.path = probe_message_text(begin, "/path");
	return begin;
}

uint16_t probe_message_text(struct prober_begin *begin, const char *text)
{
	uint16_t at = begin->size;

	strcpy(begin->text + at, text);
	begin->size = (uint16_t)(at + strlen(text) + 1);
	return at;
}

size_t probe_message_size(const struct prober_begin *begin)
{
	return sizeof(*begin) + begin->size;
}
