/* The helpers that this program can be instead of sinit: one row each, by argv[0]. */
#ifndef SINIT_PROBES_HELPERS_H
#define SINIT_PROBES_HELPERS_H

/* What runs a helper; returns the exit code. */
typedef int helper_main(char **argv);

/* NULL: `name` (which may be NULL) is none of a helper. */
helper_main *helper_find(const char *name);

#endif
