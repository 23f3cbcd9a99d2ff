/* The one table of command line options; see init/options.h.
 *
 * Arrays of characters instead of pointers to them: a table of pointers would be
 * relocated at each start, which costs a dirty page in the wrapper.
 */
#ifndef SINIT_OPTION_TABLE_H
#define SINIT_OPTION_TABLE_H

#include <stddef.h>
#include <stdint.h>

enum option_id {
	OPTION_CONFIG,
	OPTION_RUN,
	OPTION_CHECK,
	OPTION_PRINT_DEFAULTS,
	OPTION_HELP,
	OPTION_VERSION,
	OPTION_LICENSE,
	OPTION_SUBREAPER,
	OPTION_PARENT_DEATH,
	OPTION_VERBOSE,
	OPTION_WARN,
	OPTION_GROUP,
	OPTION_SINGLE_CHILD,
	OPTION_OK_CODE,
	OPTION_REWRITE,
	OPTION_GRACE,
};

struct option_row {
	uint8_t id;        /* enum option_id */
	uint8_t who;       /* bit set of enum personality: who has it */
	char letter;       /* 0: none */
	char name[20];     /* long name without dashes; "": none */
	char argument[12]; /* "": takes none */
	char example[44];  /* how an error message ends, from the argument's name on */
	char help[150];    /* sentence part, lower case, no full stop */
};

extern const struct option_row option_table[];
extern const size_t option_count;

#endif
