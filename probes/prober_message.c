#include "probes/prober_message.h"

#include "init/base.h"
#include "init/board.h"

#include <errno.h>
#include <string.h>

enum { MOST_MS = INT32_MAX };

const char *prober_text(const struct prober_begin *begin, uint16_t offset)
{
	return begin->text + offset;
}

/* Whole lines, each with its end, and none empty: that would end the head. */
static bool header_lines(const char *text)
{
	while (*text) {
		size_t length = strcspn(text, "\r\n");
		if (length == 0 || text[length] != '\r' || text[length + 1] != '\n')
			return false;
		text += length + 2;
	}
	return true;
}

static bool good_target(const struct prober_begin *begin, const struct probe_target *target)
{
	const char *host, *path;

	if (target->host >= begin->size || target->path >= begin->size ||
	    target->service >= begin->size)
		return false;
	host = prober_text(begin, target->host);
	path = prober_text(begin, target->path);
	switch (target->kind) {
	case CHECK_HTTP:
		return *host && is_one_word(host) && target->port && *path == '/' &&
		       is_one_word(path);
	case CHECK_TCP:
	case CHECK_GRPC:
		return *host && is_one_word(host) && target->port;
	default:
		return false;
	}
}

static bool good_texts(const struct prober_begin *begin)
{
	if (begin->method >= begin->size || begin->headers >= begin->size ||
	    begin->body >= begin->size)
		return false;
	return is_one_word(prober_text(begin, begin->method)) &&
	       header_lines(prober_text(begin, begin->headers));
}

static bool good_numbers(const struct prober_begin *begin)
{
	return begin->check < PROBER_CHECKS && begin->role < PROBE_ROLES &&
	       begin->health <= HEALTH_FAILING && begin->ranges <= PROBE_RANGES &&
	       begin->once <= 1 && begin->interval >= 1 && begin->interval <= MOST_MS &&
	       begin->timeout >= 1 && begin->timeout <= MOST_MS && begin->initial_delay <= MOST_MS;
}

int prober_begin_check(const struct prober_begin *begin, size_t size)
{
	if (size <= sizeof(*begin) || begin->kind != PROBER_BEGIN || begin->size < 1 ||
	    begin->size != size - sizeof(*begin))
		return -EINVAL;
	/* Every text ends at the latest here. */
	if (begin->text[0] != '\0' || begin->text[begin->size - 1] != '\0')
		return -EINVAL;
	if (!good_numbers(begin) || !good_texts(begin) || !good_target(begin, &begin->target))
		return -EINVAL;
	if (begin->fallback.kind != CHECK_NONE && !good_target(begin, &begin->fallback))
		return -EINVAL;
	return 0;
}
