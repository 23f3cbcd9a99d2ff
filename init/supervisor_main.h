/* Service mode: `sinit` with a configuration. */
#ifndef SINIT_INIT_SUPERVISOR_MAIN_H
#define SINIT_INIT_SUPERVISOR_MAIN_H

#include "init/options.h"

struct boot;

/* Does what the options ask for (ACTION_RUN, _CHECK, _PRINT_DEFAULTS), and returns the
 * exit code. It takes the whole process for itself: signals, descriptors, children. `boot`: it is
 * the init of a machine (NULL: it is not), and returns only if it cannot start. */
int supervisor_main(const struct options *options, const struct boot *boot);

#endif
