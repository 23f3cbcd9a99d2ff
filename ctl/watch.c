#include "ctl/watch.h"

#include "init/clock.h"
#include "init/explain.h"
#include "init/format.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LOOKS_PER_LIFE = 10 }; /* looks at the board between two at the lock */

int64_t watch_limit(const struct ctl *ctl)
{
	return ctl_has(ctl, OPT_TIMEOUT) ? ctl->timeout : CTL_WAIT_MS;
}

void watch_sleep(int64_t ms)
{
	struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000 * 1000000)};

	nanosleep(&time, NULL);
}

bool watch_add(struct watch *watch, const char *name, uint32_t slot, const struct outcome *outcome)
{
	if (watch->count == watch->room) {
		size_t room = watch->room ? watch->room * 2 : 64;
		struct target *bigger = realloc(watch->target, room * sizeof(*bigger));
		if (!bigger) {
			ctl_error("out of memory");
			return false;
		}
		watch->target = bigger;
		watch->room = room;
	}
	struct target *target = &watch->target[watch->count++];
	*target = (struct target){.slot = slot, .outcome = *outcome};
	strncpy(target->name, name, sizeof(target->name) - 1);
	return true;
}

void watch_free(struct watch *watch)
{
	free(watch->target);
	*watch = (struct watch){0};
}

static void tell_json(struct ctl *ctl, const struct view *view, const struct target *target,
    const struct board_service *s, const char *result)
{
	char sentence[512];
	struct text reason;
	struct text *text = out_text(ctl->out);

	text_init(&reason, sentence, sizeof(sentence));
	if (s)
		view_reason(view, target->slot, s, &reason);
	text_add(text, "{\"service\":");
	text_json(text, target->name);
	if (s)
		text_addf(text, ",\"state\":\"%s\",\"life\":%u,\"pid\":%d",
		    state_name((enum state)s->m.state), (unsigned)s->m.life, (int)s->pid);
	else
		text_add(text, ",\"state\":null,\"life\":null,\"pid\":null");
	text_addf(text, ",\"outcome\":\"%s\",\"reason\":", result);
	text_json(text, *sentence ? sentence : NULL);
	text_add(text, "}\n");
	out_flush(ctl->out);
}

static void tell_reached(struct ctl *ctl, const struct view *view, const struct target *target,
    const struct board_service *s)
{
	struct text *text = out_text(ctl->out);

	if (ctl_has(ctl, OPT_JSON)) {
		tell_json(ctl, view, target, s, "reached");
		return;
	}
	format_clean(text, target->name);
	text_addf(text, ": %s", state_name((enum state)s->m.state));
	if (s->pid > 0)
		text_addf(text, " (pid %d)", (int)s->pid);
	text_add(text, "\n");
	out_flush(ctl->out);
}

static void tell_missed(struct ctl *ctl, const struct view *view, const struct target *target,
    const struct board_service *s)
{
	char sentence[1024];
	struct text text;

	text_init(&text, sentence, sizeof(sentence));
	if (!s) {
		text_add(&text, "its configuration is gone");
	} else if (outcome_died(&target->outcome, s)) {
		text_add(&text, "its start did not last: ");
		if (s->m.exit_kind == LAST_SPAWN_ERROR)
			explain_spawn_error(&text, (enum spawn_step)s->error_step, s->error);
		else
			explain_exit(
			    &text, (enum last_kind)s->m.exit_kind, s->m.exit_code, s->m.exit_core);
		text_addf(&text, "; now %s: ", state_name((enum state)s->m.state));
		view_reason(view, target->slot, s, &text);
	} else {
		text_addf(&text, "%s: ", state_name((enum state)s->m.state));
		view_reason(view, target->slot, s, &text);
	}
	ctl_error("%s: %s", target->name, sentence);
	if (ctl_has(ctl, OPT_JSON))
		tell_json(ctl, view, target, s, "missed");
}

/* One look at every service that is not over. Returns how many are left. */
static size_t look(struct watch *watch, struct ctl *ctl, struct view *view, int *code)
{
	size_t left = 0;

	view->now = clock_ms();
	for (size_t i = 0; i < watch->count; i++) {
		struct target *target = &watch->target[i];
		struct board_service s;
		if (target->over)
			continue;
		target->over = true;
		if (!board_read(&view->board, target->slot, &s) ||
		    strcmp(s.name, target->name) != 0) {
			/* A stop may end with it: then that is what was wished for. */
			bool fine = target->outcome.goal == GOAL_STOP ||
				    target->outcome.goal == GOAL_STOPPED;
			if (fine)
				continue;
			tell_missed(ctl, view, target, NULL);
			*code = CTL_FAILED;
			continue;
		}
		switch (outcome_judge(&target->outcome, &s, view->now)) {
		case OUTCOME_PENDING:
			target->over = false;
			left++;
			break;
		case OUTCOME_REACHED:
			tell_reached(ctl, view, target, &s);
			break;
		case OUTCOME_MISSED:
			tell_missed(ctl, view, target, &s);
			*code = CTL_FAILED;
			break;
		}
	}
	return left;
}

static void tell_late(struct watch *watch, struct ctl *ctl, struct view *view, int64_t limit)
{
	char time[32];
	struct text text;

	text_init(&text, time, sizeof(time));
	explain_duration(&text, limit);
	for (size_t i = 0; i < watch->count; i++) {
		struct target *target = &watch->target[i];
		char sentence[512];
		struct board_service s;
		if (target->over || !board_read(&view->board, target->slot, &s))
			continue;
		text_init(&text, sentence, sizeof(sentence));
		view_reason(view, target->slot, &s, &text);
		ctl_error("%s: timed out after %s, still %s: %s", target->name, time,
		    state_name((enum state)s.m.state), sentence);
		if (ctl_has(ctl, OPT_JSON))
			tell_json(ctl, view, target, &s, "timeout");
	}
}

int watch_run(struct watch *watch, struct ctl *ctl, struct view *view, int64_t limit)
{
	int64_t end = clock_ms() + limit;
	int code = CTL_OK;
	int32_t pid;

	for (unsigned looks = 1;; looks++) {
		if (look(watch, ctl, view, &code) == 0)
			return code;
		if (looks % LOOKS_PER_LIFE == 0 && view_life(ctl->rundir, &pid) != BOARD_LIVE) {
			/* Its last words may be what we wait for. */
			if (look(watch, ctl, view, &code) == 0)
				return code;
			ctl_error("sinit has ended meanwhile; sinitctl status tells what it left");
			return CTL_NOT_RUNNING;
		}
		int64_t left = end - clock_ms();
		if (left <= 0)
			break;
		watch_sleep(left < CTL_POLL_MS ? left : CTL_POLL_MS);
	}
	tell_late(watch, ctl, view, limit);
	return code == CTL_OK ? CTL_TIMED_OUT : code;
}
