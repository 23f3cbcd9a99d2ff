/* The helpers by their names: one row adds one. */
#ifndef SINIT_PROBES_HELPERS_H
#define SINIT_PROBES_HELPERS_H

/* What runs the helper of that name (argv[0]): it returns the exit code. NULL: it is none. */
typedef int helper_function(char **argv);
helper_function *helper_find(const char *name);

#endif
