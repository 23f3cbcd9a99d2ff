/* What the logger is told, and what it says. */
#include "init/helper_run.h"

#include "init/image_log.h"
#include "init/log.h"
#include "init/sinit.h"
#include "log/store.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

static int tell(const struct sinit *sinit, const struct logger_message *message)
{
	return platform_send(
	    sinit->helpers.helper[HELPER_LOGGER].channel, message, sizeof(*message));
}

static bool tell_end(const struct sinit *sinit, uint32_t number, struct logger_end ended)
{
	return tell(sinit, &(struct logger_message){.kind = LOGGER_ENDED,
			       .stream = number,
			       .event = ended.event,
			       .count = ended.at,
			       .end = sinit->supervisor.capture[number].end}) != -EAGAIN;
}

/* False: the channel has no room for all. */
static bool tell_ends_of(struct sinit *sinit, uint32_t number)
{
	struct capture *capture = &sinit->supervisor.capture[number];

	for (; capture->ends_told != capture->ends; capture->ends_told++)
		if (!tell_end(sinit, number, capture->ended[capture->ends_told % LOGGER_ENDS]))
			return false;
	capture->untold = capture->untold && !tell_end(sinit, number, (struct logger_end){0});
	return !capture->untold;
}

/* What does not fit into the channel follows in the next turn. */
static void tell_ends(struct sinit *sinit)
{
	struct supervisor *sv = &sinit->supervisor;

	if (!sv->captures_untold || !sinit->helpers.helper[HELPER_LOGGER].pid)
		return;
	sv->captures_untold = false;
	for (uint32_t i = 0; i < sv->captures; i++)
		sv->captures_untold |= sv->capture[i].used && !tell_ends_of(sinit, i);
}

void helpers_logger_turn(struct sinit *sinit)
{
	struct supervisor *sv = &sinit->supervisor;
	struct helper *helper = &sinit->helpers.helper[HELPER_LOGGER];

	if (sv->captures_changed) {
		sv->captures_changed = false;
		sinit->helpers.logger.changed = true;
		helper->wanted = false;
		for (uint32_t i = 0; i < sv->captures; i++)
			helper->wanted |= sv->capture[i].used;
		helper->stale = helper->pid != 0;
		/* Before it makes way a stream may come and go. */
		if (helper->stale || helper->due > sv->now)
			helpers_logger_draft(sinit);
	}
	tell_ends(sinit);
}

void helpers_logger_tell_reopen(struct sinit *sinit)
{
	if (sinit->helpers.helper[HELPER_LOGGER].pid)
		tell(sinit, &(struct logger_message){.kind = LOGGER_REOPEN});
}

/* Until it hears it; once more does no harm. */
void helpers_logger_leave(struct sinit *sinit)
{
	if (sinit->helpers.helper[HELPER_LOGGER].channel >= 0)
		tell(sinit, &(struct logger_message){.kind = LOGGER_LEAVE});
}

/* How its lines' target is called. */
static const char *target_name(const struct supervisor *sv, const struct capture *capture)
{
	struct image_log log;

	helpers_logger_target(sv, capture, &log);
	if (log.path)
		return log.path;
	return log.sink == SINK_STDERR ? "standard error" : "standard output";
}

/* How many lines have been lost, of each stream of which more have been since it was last said. */
static void say_lost(struct supervisor *sv)
{
	for (uint32_t i = 0; i < sv->captures; i++) {
		struct capture *capture = &sv->capture[i];
		uint64_t lost = capture->dropped - capture->told;

		if (!capture->used || !lost)
			continue;
		capture->told = capture->dropped;
		log_warning(capture->name,
		    "%llu line%s of its output %s lost: %s could not be written",
		    (unsigned long long)lost, lost == 1 ? "" : "s", lost == 1 ? "was" : "were",
		    target_name(sv, capture));
	}
}

static const char *why(int error)
{
	switch (error) {
	case ELOOP:
		return "in its path is a symbolic link that neither root nor sinit's user has made";
	case EACCES:
		return "Permission denied (or somebody else's file in a directory that is open to "
		       "all)";
	case EMLINK:
		return "it has another name, and others may write in its directory, so it may be "
		       "anybody's file";
	case ENXIO:
		return "nobody reads it (or it is a socket, which is no file)";
	case ETIMEDOUT:
		return "its file system does not answer";
	default:
		return strerror(error);
	}
}

/* While sinit's own file cannot be written its messages go to its
 * standard error, this one first. */
static void turn_own_log(struct sinit *sinit, const struct capture *capture, int error)
{
	if (capture->kind != STORE_SINIT || capture->retired)
		return;
	sinit->helpers.logger.own_fails = error != 0;
	log_use(error ? -1 : capture->pipe[1]);
}

/* The next logger begins with it, so that somebody tells when it is over. */
static void note_fault(struct supervisor *sv, struct capture *capture, int error)
{
	const char *where = target_name(sv, capture);

	capture->fault = error;
	for (uint32_t i = 0; i < sv->captures && !capture->retired; i++)
		if (sv->capture[i].used && !sv->capture[i].retired &&
		    strcmp(target_name(sv, &sv->capture[i]), where) == 0)
			sv->capture[i].fault = error;
}

static void say_fault(struct sinit *sinit, struct capture *capture, int error)
{
	struct supervisor *sv = &sinit->supervisor;
	const char *where = target_name(sv, capture);

	note_fault(sv, capture, error);
	if (error)
		turn_own_log(sinit, capture, error);
	if (!error) {
		say_lost(sv);
		log_info(NULL, "%s can be written again", where);
		turn_own_log(sinit, capture, 0);
	} else if (error == EAGAIN) {
		log_warning(NULL,
		    "%s: nobody reads it; lines of services are dropped until somebody does",
		    where);
	} else {
		log_warning(NULL, "%s cannot be written: %s; lines are dropped until it can", where,
		    why(error));
	}
}

static void say_forward(struct sinit *sinit, const struct logger_message *message)
{
	struct logger_state *state = &sinit->helpers.logger;
	const struct image *image = sinit->supervisor.set[sinit->supervisor.current].image;
	const struct syslog_settings *syslog = image_syslog(image);
	const char *where = syslog ? image_string(image, syslog->forward) : NULL;

	if (!where)
		return;
	if (message->error && message->error != state->forward_error)
		log_warning(NULL,
		    "[syslog] forward = %s: %s; the last 64 KiB of each service wait for it", where,
		    message->error == EDESTADDRREQ ? "its name cannot be found"
						   : strerror(message->error));
	else if (!message->error && state->forward_error)
		log_info(NULL,
		    "[syslog] forward = %s can be reached again; %llu lines were lost so far",
		    where, (unsigned long long)message->count);
	else if (message->count > state->forward_lost)
		log_warning(NULL,
		    "[syslog] forward = %s does not take all: %llu line%s lost for it so far",
		    where, (unsigned long long)message->count,
		    message->count == 1 ? " was" : "s were");
	state->forward_error = message->error;
	state->forward_lost = message->count;
}

void helpers_logger_message(struct sinit *sinit, const struct logger_message *message)
{
	struct supervisor *sv = &sinit->supervisor;
	struct capture *capture =
	    message->stream < sv->captures && sv->capture[message->stream].used
		? &sv->capture[message->stream]
		: NULL;

	if (message->kind == LOGGER_FORWARD)
		say_forward(sinit, message);
	if (!capture)
		return;
	switch (message->kind) {
	case LOGGER_FAULT:
		say_fault(sinit, capture, message->error);
		break;
	case LOGGER_DROPPED:
		supervisor_capture_dropped(sv, capture, message->count);
		break;
	case LOGGER_UNGIVEN:
		log_warning(NULL,
		    "%s cannot be given to log_user: %s; it stays with sinit's own user",
		    target_name(sv, capture), strerror(message->error));
		break;
	case LOGGER_UNROTATED:
		log_warning(NULL, "%s cannot be rotated: %s; it grows beyond log_max_size",
		    target_name(sv, capture), strerror(message->error));
		break;
	case LOGGER_EMPTY:
		if (capture->retired)
			supervisor_capture_empty(sv, capture);
		break;
	default:
		break;
	}
}

/* --- the end --------------------------------------------------------------------------------- */

bool helpers_logger_finish(struct sinit *sinit)
{
	if (!sinit->helpers.helper[HELPER_LOGGER].pid)
		return true;
	tell_ends(sinit);
	return !sinit->supervisor.captures_untold &&
	       tell(sinit, &(struct logger_message){.kind = LOGGER_FINISH}) != -EAGAIN;
}

void helpers_logger_losses(struct sinit *sinit)
{
	struct helper *helper = &sinit->helpers.helper[HELPER_LOGGER];

	while (helper->channel >= 0 && helpers_read(sinit, HELPER_LOGGER) == HELPER_AT_ONCE)
		;
	say_lost(&sinit->supervisor);
}

bool helpers_logger_left(const struct sinit *sinit)
{
	const struct supervisor *sv = &sinit->supervisor;

	for (uint32_t i = 0; i < sv->captures; i++) {
		/* Not FIONREAD: it would wait for who holds the pipe. */
		struct pollfd reading = {.fd = sv->capture[i].pipe[0], .events = POLLIN};

		if (sv->capture[i].used && poll(&reading, 1, 0) > 0 && reading.revents & POLLIN)
			return true;
	}
	return false;
}
