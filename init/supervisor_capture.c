/* The pipes of services whose output is captured. PID 1 keeps both ends of each: so nothing is
 * lost between two lives of the service, or of the logger, and it reads none of them. */
#include "init/supervisor_internal.h"

#include "init/image_log.h"
#include "init/log.h"
#include "log/store.h"
#include "probes/helper.h"

#include <errno.h>
#include <string.h>

enum { KINDS = 2 };

/* In the order of enum image_stream. */
static const enum store_kind kinds[KINDS] = {STORE_OUTPUT, STORE_ERROR};

static struct capture *captured(const struct supervisor *sv, uint32_t slot, unsigned stream)
{
	uint32_t number = sv->unit[slot].capture[stream];

	return number ? &sv->capture[number - 1] : NULL;
}

static bool is_captured(const struct supervisor *sv, struct place place, unsigned stream)
{
	struct image_log log;

	image_log(
	    place_image(sv, place), place_settings(sv, place), (enum image_stream)stream, &log);
	return log.way == WAY_CAPTURED;
}

void supervisor_capture_where(
    const struct supervisor *sv, const struct capture *capture, struct image_log *ret)
{
	const struct unit *u = &sv->unit[capture->slot];
	unsigned stream = capture->kind == STORE_ERROR;
	struct place place = is_captured(sv, u->graph, stream) ? u->graph : u->life;

	image_log(
	    place_image(sv, place), place_settings(sv, place), (enum image_stream)stream, ret);
}

static bool make_store(struct supervisor *sv)
{
	uint32_t group = image_settings(sv->set[sv->current].image)->control_gid;

	if (sv->store_fd >= 0)
		return true;
	sv->store_fd = platform_store(sv->rundir, sv->captures_max, group, &sv->store_file);
	if (sv->store_fd >= 0 && !sv->store_file && sv->rundir >= 0)
		log_warning(NULL,
		    "logs cannot be made in the run directory (no room there?): what "
		    "services say is logged, but sinitctl logs and events cannot show it");
	return sv->store_fd >= 0;
}

void supervisor_store_gone(struct supervisor *sv, int rundir)
{
	sv->rundir = rundir;
	sv->store_gone = sv->captures_changed = sv->store_fd >= 0;
}

void supervisor_store_broken(struct supervisor *sv)
{
	sv->store_broken = true;
	supervisor_store_gone(sv, sv->rundir);
}

void supervisor_store_move(struct supervisor *sv)
{
	uint32_t group = image_settings(sv->set[sv->current].image)->control_gid;
	bool file;
	int fd, rc = 0;

	if (!sv->store_gone)
		return;
	sv->store_gone = false;
	fd = platform_store(sv->rundir, sv->captures_max, group, &file);
	for (uint32_t i = 0; i < sv->captures && fd >= 0 && rc == 0; i++)
		if (sv->capture[i].used)
			rc = platform_store_allocate(fd, sv->captures_max, i);
	if (fd >= 0 && rc == 0 && !sv->store_broken)
		rc = platform_store_copy(sv->store_fd, fd, sv->captures_max);
	if (fd < 0 || rc < 0) {
		log_warning(NULL,
		    "the captured output cannot be shown any more (sinitctl logs): %s",
		    strerror(fd < 0 ? -fd : -rc));
		platform_close(fd);
		return;
	}
	platform_close(sv->store_fd);
	sv->store_fd = fd;
	sv->store_file = file;
	sv->store_broken = false;
}

/* A number that is none's; captures_max: none. */
static uint32_t free_number(const struct supervisor *sv)
{
	uint32_t number = 0;

	while (number < sv->captures && (sv->capture[number].used || sv->capture[number].freed))
		number++;
	return number;
}

static struct capture *no_files(struct supervisor *sv)
{
	if (!sv->captures_told)
		log_warning(NULL,
		    "the limit of open files has no room for all output that is to be captured: "
		    "what finds none goes to sinit's own; raise it (ulimit -n)");
	sv->captures_told = true;
	return NULL;
}

static struct capture *make(struct supervisor *sv, uint8_t kind, uint32_t slot, const char *name)
{
	uint32_t number = free_number(sv);
	struct capture *capture = &sv->capture[number];
	int rc = -EMFILE;

	if (number >= sv->captures_files)
		return no_files(sv);
	if (number < sv->captures_max && make_store(sv))
		rc = platform_store_allocate(sv->store_fd, sv->captures_max, number);
	if (rc == 0)
		rc = platform_capture(capture->pipe);
	if (rc == -EMFILE || rc == -EINVAL)
		return no_files(sv);
	if (rc < 0) {
		log_warning(name, "its output cannot be captured and goes to sinit's own: %s",
		    strerror(-rc));
		return NULL;
	}
	capture->used = true;
	capture->retired = capture->untold = false;
	capture->end = LOGGER_UNKNOWN;
	capture->ends = capture->ends_told = 0;
	capture->kind = kind;
	capture->slot = slot;
	capture->dropped = capture->told = 0;
	capture->fault = 0;
	capture->moved = false;
	memset(capture->name, 0, sizeof(capture->name));
	strncpy(capture->name, name ? name : "", sizeof(capture->name) - 1);
	if (number == sv->captures)
		sv->captures++;
	sv->captures_changed = true;
	return capture;
}

static void capture_free(struct supervisor *sv, struct capture *capture)
{
	platform_capture_close(capture->pipe);
	platform_store_release(sv->store_fd, sv->captures_max, (uint32_t)(capture - sv->capture));
	capture->used = false;
	capture->freed = true;
	sv->captures_changed = true;
}

void supervisor_capture_empty(struct supervisor *sv, struct capture *capture)
{
	/* Whom kill_mode = process has left alone writes on, and is written. */
	if (platform_capture_alone(capture->pipe))
		capture_free(sv, capture);
}

void supervisor_capture_retire(struct supervisor *sv, struct capture *capture)
{
	capture->retired = true;
	capture->slot = SUPERVISOR_NONE;
	sv->captures_changed = true;
}

static void retire(struct supervisor *sv, uint32_t slot, unsigned stream)
{
	supervisor_capture_retire(sv, captured(sv, slot, stream));
	sv->unit[slot].capture[stream] = 0;
}

struct capture *supervisor_capture(struct supervisor *sv, uint8_t kind, const char *name)
{
	return make(sv, kind, SUPERVISOR_NONE, name);
}

void supervisor_capture_dropped(struct supervisor *sv, struct capture *capture, uint64_t lines)
{
	struct board_service *s = capture->slot < sv->count ? &sv->service[capture->slot] : NULL;

	/* A store that began anew counts from 0; what was not told so far still is to be. */
	if (lines < capture->dropped) {
		capture->told -= capture->dropped;
		capture->dropped = 0;
	}
	if (s && lines > capture->dropped) {
		board_begin(s);
		s->log_dropped += lines - capture->dropped;
		board_end(s);
	}
	capture->dropped = lines;
}

void sv_capture_follow(struct supervisor *sv, uint32_t slot)
{
	struct unit *u = &sv->unit[slot];

	for (unsigned stream = 0; stream < KINDS; stream++) {
		/* What runs still has the pipe of its settings. */
		bool wanted = is_captured(sv, u->graph, stream) || is_captured(sv, u->life, stream);
		struct capture *capture;

		if (u->capture[stream] && !wanted)
			retire(sv, slot, stream);
		if (u->capture[stream] || !wanted)
			continue;
		capture = make(sv, (uint8_t)kinds[stream], slot, sv->service[slot].name);
		u->capture[stream] = capture ? (uint32_t)(capture - sv->capture) + 1 : 0;
	}
}

void sv_capture_leave(struct supervisor *sv, uint32_t slot)
{
	for (unsigned stream = 0; stream < KINDS; stream++)
		if (sv->unit[slot].capture[stream])
			retire(sv, slot, stream);
}

void sv_capture_spawn(struct supervisor *sv, uint32_t slot, struct spawn *spawn)
{
	const struct service_settings *s = place_settings(sv, sv->unit[slot].life);
	struct spawn_output *const outputs[KINDS] = {&spawn->out, &spawn->err};

	for (unsigned stream = 0; stream < KINDS; stream++) {
		struct capture *capture;
		struct image_log log;

		image_log(place_image(sv, sv->unit[slot].life), s, (enum image_stream)stream, &log);
		capture = captured(sv, slot, log.way == WAY_SAME ? STREAM_STDOUT : stream);
		if (log.way == WAY_NULL)
			outputs[stream]->kind = STDIO_NULL;
		if ((log.way != WAY_CAPTURED && log.way != WAY_SAME) || !capture)
			continue;
		/* It may open /dev/stderr by its path. */
		platform_capture_owner(capture->pipe, spawn->set_ids ? spawn->uid : sv->uid,
		    spawn->set_ids ? spawn->gid : sv->gid);
		/* Who runs has it as he likes; the next one does not know of that. */
		if (!sv->service[slot].pid)
			platform_capture_renew(capture->pipe);
		*outputs[stream] = (struct spawn_output){STDIO_PIPE, capture->pipe[1]};
	}
}

/* A logger that is behind, or killed, may not have heard of several. */
static void add_end(struct capture *capture, uint64_t event, uint64_t written)
{
	capture->ended[capture->ends++ % LOGGER_ENDS] =
	    (struct logger_end){.event = event, .at = written};
	if (capture->ends - capture->ends_told > LOGGER_ENDS)
		capture->ends_told = capture->ends - LOGGER_ENDS;
}

void sv_capture_ended(struct supervisor *sv, uint32_t slot, uint64_t event)
{
	for (unsigned stream = 0; stream < KINDS; stream++) {
		struct capture *capture = captured(sv, slot, stream);
		uint64_t written = LOGGER_UNKNOWN;

		if (!capture)
			continue;
		platform_store_written(
		    sv->store_fd, (uint32_t)(capture - sv->capture), capture->pipe[0], &written);
		if (event) {
			add_end(capture, event, written);
		} else {
			capture->end = written;
			capture->untold = true;
		}
		sv->captures_untold = true;
	}
}
