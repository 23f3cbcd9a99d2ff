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

const char *helpers_logger_name(enum logger_sink sink, const char *path)
{
	switch (sink) {
	case LOGGER_STDOUT:
		return "standard output";
	case LOGGER_STDERR:
		return "standard error";
	case LOGGER_FILE:
		return path;
	case LOGGER_NOWHERE:
		break;
	}
	return "nothing";
}

/* How its lines' target is called; that of a stream which no service has any more the logger's
 * orders have, in ascending order of such streams. */
static const char *target_name(
    const struct supervisor *sv, const struct capture *capture, struct logger_reader *reader)
{
	const char *was = NULL;
	struct image_log log;

	if (capture->retired)
		was = helpers_logger_was(reader, (uint32_t)(capture - sv->capture));
	helpers_logger_target(sv, capture, &log);
	return was ? was : helpers_logger_name(helpers_logger_sink(&log), log.path);
}

/* How many lines have been lost since it was last said. */
static void say_lost_of(
    struct supervisor *sv, struct capture *capture, struct logger_reader *reader)
{
	uint64_t lost = capture->dropped - capture->told;

	if (!lost)
		return;
	capture->told = capture->dropped;
	log_warning(capture->name, "%llu line%s of its output %s lost: %s could not be written",
	    (unsigned long long)lost, lost == 1 ? "" : "s", lost == 1 ? "was" : "were",
	    capture->moved ? "where it went before" : target_name(sv, capture, reader));
}

static void say_lost(struct sinit *sinit)
{
	struct supervisor *sv = &sinit->supervisor;
	struct logger_reader reader;

	helpers_logger_read(sinit, &reader);
	for (uint32_t i = 0; i < sv->captures; i++)
		if (sv->capture[i].used)
			say_lost_of(sv, &sv->capture[i], &reader);
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

/* While sinit's own file cannot be written its messages go to its standard error. */
static void turn_own_log(struct sinit *sinit, const struct capture *capture, int error)
{
	if (capture->kind != STORE_SINIT || capture->retired)
		return;
	sinit->helpers.logger.own_fails = error != 0;
	log_use(error ? -1 : capture->pipe[1]);
}

static void set_fault(struct sinit *sinit, struct capture *capture, int error)
{
	capture->fault = error;
	capture->moved &= !error;
	turn_own_log(sinit, capture, error);
}

/* The next logger begins with it, so that somebody tells when it is over. Of streams with one
 * target the logger speaks of one that a service has, if there is any. */
static void note_fault(struct sinit *sinit, struct capture *capture, const char *where, int error)
{
	struct supervisor *sv = &sinit->supervisor;
	struct logger_reader reader;

	helpers_logger_read(sinit, &reader);
	for (uint32_t i = 0; i < sv->captures; i++) {
		struct capture *other = &sv->capture[i];

		if (other == capture ||
		    (other->used && (!other->retired || (other->fault && !error)) &&
			strcmp(target_name(sv, other, &reader), where) == 0))
			set_fault(sinit, other, error);
	}
}

static void say_fault(struct sinit *sinit, struct capture *capture, int error)
{
	struct logger_reader reader;
	const char *where;

	helpers_logger_read(sinit, &reader);
	where = target_name(&sinit->supervisor, capture, &reader);
	if (!error) {
		say_lost(sinit);
		log_info(NULL, "%s can be written again", where);
	}
	note_fault(sinit, capture, where, error);
	if (error == EAGAIN)
		log_warning(NULL,
		    "%s: nobody reads it; lines of services are dropped until somebody does",
		    where);
	else if (error)
		log_warning(NULL, "%s cannot be written: %s; lines are dropped until it can", where,
		    why(error));
}

static int fault_of(const struct supervisor *sv, const char *where)
{
	for (uint32_t i = 0; i < sv->captures; i++) {
		const struct capture *capture = &sv->capture[i];

		if (capture->used && !capture->retired && capture->fault &&
		    strcmp(target_name(sv, capture, NULL), where) == 0)
			return capture->fault;
	}
	return 0;
}

/* What a reload has sent elsewhere leaves the fault of where it went before, and what is sent there
 * has that of who is there. */
static void move_faults(struct sinit *sinit, bool leaves)
{
	struct supervisor *sv = &sinit->supervisor;
	struct logger_reader reader;

	helpers_logger_read(sinit, &reader);
	for (uint32_t i = 0; i < sv->captures; i++) {
		struct capture *capture = &sv->capture[i];
		const char *where, *was;

		if (!capture->used || capture->retired || !capture->fault == leaves)
			continue;
		was = helpers_logger_was(&reader, i);
		where = target_name(sv, capture, NULL);
		if (was && strcmp(was, where) == 0)
			continue;
		if (leaves) {
			capture->moved = true;
			say_lost_of(sv, capture, NULL);
		}
		set_fault(sinit, capture, leaves ? 0 : fault_of(sv, where));
	}
}

static bool has_faults(const struct supervisor *sv)
{
	bool has = false;

	for (uint32_t i = 0; i < sv->captures; i++)
		has |= sv->capture[i].used && sv->capture[i].fault;
	return has;
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
		for (int joins = 0; joins < 2 && has_faults(sv); joins++)
			move_faults(sinit, !joins);
		/* Before it makes way a stream may come and go. */
		if (helper->stale || helper->due > sv->now)
			helpers_logger_draft(sinit);
	}
	tell_ends(sinit);
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
	struct logger_reader reader;
	struct capture *capture =
	    message->stream < sv->captures && sv->capture[message->stream].used
		? &sv->capture[message->stream]
		: NULL;

	if (message->kind == LOGGER_FORWARD)
		say_forward(sinit, message);
	if (!capture)
		return;
	helpers_logger_read(sinit, &reader);
	switch (message->kind) {
	case LOGGER_FAULT:
		/* Of one that makes way it is about where things went before: the next one finds
		 * out how it is by then. */
		if (!sinit->helpers.helper[HELPER_LOGGER].stale && !sv->captures_changed)
			say_fault(sinit, capture, message->error);
		break;
	case LOGGER_DROPPED:
		supervisor_capture_dropped(sv, capture, message->count);
		if (capture->moved)
			say_lost_of(sv, capture, &reader);
		break;
	case LOGGER_UNGIVEN:
		log_warning(NULL,
		    "%s cannot be given to log_user: %s; it stays with sinit's own user",
		    target_name(sv, capture, &reader), strerror(message->error));
		break;
	case LOGGER_UNROTATED:
		log_warning(NULL, "%s cannot be rotated: %s; it grows beyond log_max_size",
		    target_name(sv, capture, &reader), strerror(message->error));
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
	say_lost(sinit);
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
