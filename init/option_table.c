#include "init/option_table.h"

#include "init/base.h"
#include "init/options.h"

#define SINIT     (1 << PERSONALITY_SINIT)
#define TINI      (1 << PERSONALITY_TINI)
#define DUMB_INIT (1 << PERSONALITY_DUMB_INIT)

#define SIGNALS   ", which is a name like TERM or a number"
#define SIGNAL_TO ", such as TERM:QUIT or WINCH:0"

const struct option_row option_table[] = {
    {OPTION_CONFIG, SINIT, 'c', "config", "DIR", "",
	"configuration directory, default " OPTIONS_DEFAULT_CONFIG
	": DIR/sinit.ini, then DIR/conf.d/*.ini in byte order"},
    {OPTION_RUN, SINIT, 'r', "run", "RUNDIR", "",
	"run-time directory (control FIFO, board), default " OPTIONS_DEFAULT_RUN},
    {OPTION_CHECK, SINIT, 0, "check", "", "",
	"check the configuration, print the order of start; exit 0, or 78 with every error"},
    {OPTION_PRINT_DEFAULTS, SINIT, 0, "print-defaults", "", "",
	"print every key of the configuration with its default"},
    {OPTION_GRACE, SINIT, 0, "grace", "TIME", ", such as 5s, 250ms or 0",
	"when COMMAND has ended, what it left running gets TERM and up to TIME to end (default "
	"5s), then KILL"},
    {OPTION_REWRITE, SINIT, 0, "rewrite", "FROM:TO", SIGNAL_TO,
	"forward signal FROM as TO, or not at all if TO is 0; may be repeated"},
    {OPTION_REWRITE, DUMB_INIT, 'r', "rewrite", "FROM:TO", "",
	"forward signal number FROM as TO, or not at all if TO is 0; may be repeated"},
    {OPTION_GROUP, SINIT | TINI, 'g', "group", "", "",
	"signals go to COMMAND's whole process group, not to it alone"},
    {OPTION_SINGLE_CHILD, DUMB_INIT, 'c', "single-child", "", "",
	"no session for COMMAND; signals go to it alone"},
    {OPTION_OK_CODE, SINIT | TINI, 'e', "ok-code", "CODE", ", which is a number from 0 to 255",
	"exit 0 when COMMAND exits with CODE; may be repeated"},
    {OPTION_PARENT_DEATH, SINIT | TINI, 'p', "parent-death", "SIGNAL", SIGNALS,
	"get SIGNAL, which is forwarded, when the parent process dies"},
    {OPTION_SUBREAPER, SINIT | TINI, 's', "subreaper", "", "",
	"adopt orphans when not PID 1 (sinit always does; needed as tini)"},
    {OPTION_WARN, SINIT | TINI, 'w', "warn-on-reap", "", "",
	"tell of each other process that was reaped"},
    {OPTION_VERBOSE, SINIT | TINI | DUMB_INIT, 'v', "verbose", "", "",
	"say what is going on; more of it when repeated"},
    {OPTION_LICENSE, SINIT | TINI, 'l', "license", "", "", "print the license"},
    {OPTION_HELP, SINIT | TINI | DUMB_INIT, 'h', "help", "", "", "print this help"},
    {OPTION_VERSION, SINIT | DUMB_INIT, 'V', "version", "", "", "print the version"},
    {OPTION_VERSION, TINI, 0, "version", "", "", "print the version"},
};

const size_t option_count = ARRAY_LEN(option_table);
