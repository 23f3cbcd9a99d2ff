#include "init/report.h"

#include <stdarg.h>
#include <stdio.h>

void report_line(const struct report *report, enum log_level level, const char *format, ...)
{
	char line[REPORT_LINE];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	report->tell(report->context, level, line);
}
