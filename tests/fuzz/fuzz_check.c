/* The text of a check: parts that lie in it, or a reason. The first byte says whether it is one
 * of [http] listen, or of [syslog] forward. */
#include "init/base.h"
#include "probes/check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
	if (!condition)
		abort();
}

static void check_part(struct check_part part, size_t length)
{
	check(part.at <= length && part.length <= length - part.at);
}

static void check_target(const struct check_target *target, size_t length)
{
	check_part(target->host, length);
	check_part(target->path, length);
	check_part(target->service, length);
	check_part(target->command, length);
	check(target->kind > CHECK_NONE && target->kind < CHECK_KINDS);
	check(target->host.length <= CHECK_HOST);
	check(target->kind != CHECK_UNIX ||
	      (target->path.length && target->path.length <= CHECK_SOCKET));
	check(target->kind != CHECK_EXEC || target->command.length);
	check((target->kind != CHECK_HTTP && target->kind != CHECK_TCP &&
		  target->kind != CHECK_GRPC && target->kind != CHECK_LISTEN) ||
	      target->port);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct check_target target;
	char buffer[256];
	struct text reason;

	if (size < 1)
		return 0;
	char *text = malloc(size);
	check(text != NULL);
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	text_init(&reason, buffer, sizeof(buffer));
	int error = data[0] & 2   ? check_parse_forward(text, &target, &reason)
		    : data[0] & 1 ? check_parse_address(text, &target, &reason)
				  : check_parse(text, &target, &reason);
	check(!error || error == -EINVAL);
	check(!error == !reason.used && !reason.cut);
	if (!error)
		check_target(&target, strlen(text));
	free(text);
	return 0;
}
