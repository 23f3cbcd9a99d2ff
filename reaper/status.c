#include "reaper/status.h"

#include "init/base.h"
#include "reaper/signals.h"

#include <signal.h>

struct exit_status exit_status_decode(int why, int value)
{
	switch (why) {
	case CLD_EXITED:
		return (struct exit_status){.kind = EXIT_EXITED, .code = value & 0xff};
	case CLD_KILLED:
		return (struct exit_status){.kind = EXIT_KILLED, .code = value};
	case CLD_DUMPED:
		return (struct exit_status){.kind = EXIT_KILLED, .core = true, .code = value};
	default:
		return (struct exit_status){.kind = EXIT_NONE};
	}
}

int exit_status_code(const struct exit_status *status)
{
	switch ((enum exit_kind)status->kind) {
	case EXIT_EXITED:
		return status->code;
	case EXIT_KILLED:
		return (EXIT_CODE_SIGNAL + status->code) & 0xff;
	case EXIT_NONE:
		break;
	}
	return 0;
}

void exit_status_text(const struct exit_status *status, struct text *text)
{
	char name[SIGNAL_NAME_SIZE];

	switch ((enum exit_kind)status->kind) {
	case EXIT_EXITED:
		text_addf(text, "exited with code %d", status->code);
		break;
	case EXIT_KILLED:
		text_addf(text, "killed by %s%s", signal_name(status->code, name),
		    status->core ? " (core dumped)" : "");
		break;
	case EXIT_NONE:
		text_add(text, "has not ended");
		break;
	}
}
