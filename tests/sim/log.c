/* init/log.h: what sinit says is part of the trace. */
#include "init/log.h"

#include "tests/sim/sim.h"

#include <stdarg.h>
#include <stdio.h>

static void say(const char *service, const char *format, va_list args)
{
	char line[LOG_LINE];

	if (!sim.trace)
		return;
	vsnprintf(line, sizeof(line), format, args);
	sim_trace("  log: %s%s%s", service ? service : "", service ? ": " : "", line);
}

#define LEVEL(name)                                                                                \
	void log_##name(const char *service, const char *format, ...)                              \
	{                                                                                          \
		va_list args;                                                                      \
                                                                                                   \
		va_start(args, format);                                                            \
		say(service, format, args);                                                        \
		va_end(args);                                                                      \
	}
LEVEL(debug)
LEVEL(info)
LEVEL(warning)
LEVEL(error)

int log_open(const char *target, enum log_format format)
{
	(void)target;
	(void)format;
	return 0;
}

int log_reopen(void)
{
	return 0;
}

void log_set_level(enum log_level level)
{
	(void)level;
}

bool log_enabled(enum log_level level)
{
	(void)level;
	return sim.trace;
}

bool log_flush(void)
{
	return false;
}

size_t log_dropped(void)
{
	return 0;
}
