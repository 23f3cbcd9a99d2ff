/* What the responder asks of PID 1: orders that came by POST, and whether it lives. */
#include "init/helper_run.h"

#include "init/log.h"
#include "init/raw_syscall.h"
#include "init/sinit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* --- orders ---------------------------------------------------------------------------------- */

/* What is wrong with a token file of which `size` bytes were read, NULL: nothing. The blanks
 * and ends of lines behind the token are taken off. */
static const char *trim_token(char token[static HELPER_TOKEN], ssize_t size)
{
	if (size < 0)
		return strerror(errno);
	if (size == HELPER_TOKEN)
		return "longer than 255 bytes";
	while (size > 0 && strchr(" \t\r\n", token[size - 1]))
		size--;
	memset(token + size, 0, HELPER_TOKEN - (size_t)size);
	if (size == 0)
		return "it is empty";
	if (strlen(token) != (size_t)size || !is_one_word(token))
		return "a token is one word, and this is more";
	return NULL;
}

void helpers_read_token(struct helpers *h, const char *path)
{
	const char *wrong;
	int fd;

	memset(h->token, 0, sizeof(h->token));
	if (!path)
		return;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	wrong = trim_token(h->token, fd < 0 ? -1 : read(fd, h->token, sizeof(h->token)));
	if (wrong) {
		log_error(NULL, "[http] token_file = %s: %s; no POST is accepted", path, wrong);
		memset(h->token, 0, sizeof(h->token));
	}
	if (fd >= 0)
		close(fd);
}

/* In a time that does not depend on where they differ. */
static bool same_token(const char *a, const char *b)
{
	unsigned char differ = 0;

	for (size_t i = 0; i < HELPER_TOKEN; i++)
		differ |= (unsigned char)(a[i] ^ b[i]);
	return differ == 0;
}

static void answer(
    struct sinit *sinit, uint32_t number, uint32_t status, const char *format, const char *name)
{
	struct responder_answer message = {
	    .kind = RESPONDER_ANSWER, .number = number, .status = status};
	struct text text;

	text_init(&text, message.message, sizeof(message.message));
	text_addf(&text, format, name);
	platform_send(sinit->helpers.helper[HELPER_RESPONDER].channel, &message, sizeof(message));
}

/* Answered when it is done. */
static void order_reload(struct sinit *sinit, uint32_t number)
{
	int rc = sinit->helpers.reload_order ? -EALREADY : reload_start(sinit);

	if (rc < 0)
		answer(sinit, number, 503, "reload cannot begin: %s",
		    rc == -EALREADY ? "one that was asked for is not done yet; try again"
				    : strerror(-rc));
	else
		sinit->helpers.reload_order = number;
}

void helpers_reloaded(struct sinit *sinit, const char *error)
{
	uint32_t number = sinit->helpers.reload_order;

	sinit->helpers.reload_order = 0;
	if (number)
		answer(sinit, number, error ? 409 : 200, "%s",
		    error ? error : "configuration reloaded");
}

/* What cannot be remembered of it is in the log. */
static void stop(struct supervisor *sv, uint32_t slot)
{
	(void)supervisor_stop(sv, slot);
}

void helpers_order(struct sinit *sinit, struct responder_order *order)
{
	static const struct {
		char verb[8];
		const char *done; /* that it is carried out is seen from the state */
		void (*run)(struct supervisor *sv, uint32_t slot);
	} verbs[] = {{"start", "%s is told to start", supervisor_up},
	    {"stop", "%s is told to stop", stop},
	    {"restart", "%s is told to restart", supervisor_restart}};
	struct helpers *h = &sinit->helpers;
	struct supervisor *sv = &sinit->supervisor;
	char token[HELPER_TOKEN] = "";
	uint32_t slot;

	order->verb[sizeof(order->verb) - 1] = order->name[sizeof(order->name) - 1] = '\0';
	order->token[sizeof(order->token) - 1] = '\0';
	strcpy(token, order->token); /* what is behind its end is zero now */
	if (!h->control || !h->token[0] || !same_token(token, h->token)) {
		answer(sinit, order->number, h->control ? 401 : 404,
		    "the token is missing or wrong%s", "");
		return;
	}
	if (sv->stopping) {
		answer(sinit, order->number, 503, "sinit is stopping%s", "");
		return;
	}
	if (!strcmp(order->verb, "reload")) {
		order_reload(sinit, order->number);
		return;
	}
	slot = supervisor_find(sv, order->name);
	if (slot == SUPERVISOR_NONE) {
		answer(sinit, order->number, 404, "there is no service %s", order->name);
		return;
	}
	if (strcmp(order->verb, "stop") != 0 && supervisor_broken(sv, slot)) {
		answer(sinit, order->number, 409, "its configuration is broken: %s",
		    supervisor_broken(sv, slot));
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		if (!strcmp(order->verb, verbs[i].verb)) {
			log_info(order->name, "%s by HTTP", order->verb);
			verbs[i].run(sv, slot);
			answer(sinit, order->number, 200, verbs[i].done, order->name);
			return;
		}
	answer(sinit, order->number, 404, "no such order: %s", order->verb);
}

/* --- the pulse ------------------------------------------------------------------------------- */

/* Not by opendir(3), which allocates. */
static uint32_t count_files(void)
{
	_Alignas(struct directory_entry) char buffer[4096];
	int fd = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	uint32_t count = 0;
	long size;

	if (fd < 0)
		return 0;
	while ((size = raw_syscall3(SYS_getdents64, fd, (long)buffer, sizeof(buffer))) > 0)
		for (long at = 0; at < size; count++)
			at += ((const struct directory_entry *)(const void *)(buffer + at))->length;
	close(fd);
	return count > 3 ? count - 3 : 0; /* ., .. and its own */
}

static uint32_t resident_kib(void)
{
	char text[128];
	unsigned long size, resident = 0;
	int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	ssize_t count = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	text[count > 0 ? count : 0] = '\0';
	if (sscanf(text, "%lu %lu", &size, &resident) != 2)
		return 0;
	return (uint32_t)(resident * (unsigned long)sysconf(_SC_PAGESIZE) / 1024);
}

void helpers_pong(struct sinit *sinit, const struct responder_ping *ping)
{
	struct helpers *h = &sinit->helpers;
	struct responder_pong pong = {.kind = RESPONDER_PONG,
	    .number = ping->number,
	    .open_files = count_files(),
	    .resident_kib = resident_kib(),
	    .loop_lag_us = (uint64_t)h->lag_us,
	    .turns = h->turns};

	h->lag_us = 0;
	platform_send(h->helper[HELPER_RESPONDER].channel, &pong, sizeof(pong));
}

/* --- what the services use ------------------------------------------------------------------- */

void helpers_measure(struct sinit *sinit)
{
	/* True or not, the answer goes out at the end of this turn or of a later one. */
	supervisor_measure(&sinit->supervisor);
	sinit->helpers.measuring = true;
}

void helpers_measured(struct sinit *sinit)
{
	static const uint32_t answer_kind = RESPONDER_MEASURED;

	if (!sinit->helpers.measuring || supervisor_measuring(&sinit->supervisor))
		return;
	sinit->helpers.measuring = false;
	platform_send(
	    sinit->helpers.helper[HELPER_RESPONDER].channel, &answer_kind, sizeof(answer_kind));
}
