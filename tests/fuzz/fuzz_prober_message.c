/* What the prober receives: a message that is believed has texts that can be used, and makes
 * a request of one head. */
#include "init/base.h"
#include "probes/http_request.h"
#include "probes/prober_message.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
	if (!condition)
		abort();
}

static void use_text(const struct prober_begin *begin, uint16_t offset)
{
	check(offset + strlen(prober_text(begin, offset)) < begin->size);
}

static void use_target(const struct prober_begin *begin, const struct probe_target *target)
{
	static char buffer[HTTP_REQUEST_SIZE];
	struct text text;

	if (target->kind == CHECK_NONE)
		return;
	check(target->kind <= CHECK_GRPC);
	use_text(begin, target->host);
	use_text(begin, target->path);
	use_text(begin, target->service);
	if (target->kind != CHECK_HTTP)
		return;
	text_init(&text, buffer, sizeof(buffer));
	http_request(&text, begin, target);
	check(!text.cut && strstr(buffer, "\r\n\r\n") == buffer + text.used - 4);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Of the exact size, so that the sanitizer sees a step too far. */
	struct prober_begin *begin = malloc(size ? size : 1);

	check(begin != NULL);
	memcpy(begin, data, size);
	if (prober_begin_check(begin, size) == 0) {
		use_target(begin, &begin->target);
		use_target(begin, &begin->fallback);
		use_text(begin, begin->method);
		use_text(begin, begin->headers);
		use_text(begin, begin->body);
	}
	free(begin);
	return 0;
}
