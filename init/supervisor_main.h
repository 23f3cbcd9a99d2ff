/* Service mode: `sinit` with a configuration. */
#ifndef SINIT_INIT_SUPERVISOR_MAIN_H
#define SINIT_INIT_SUPERVISOR_MAIN_H

#include "init/options.h"

/* Does what the options ask for (ACTION_RUN, _CHECK, _PRINT_DEFAULTS), and returns the
 * exit code. It takes the whole process for itself: signals, descriptors, children. */
int supervisor_main(const struct options *options);

#endif
