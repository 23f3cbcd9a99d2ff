/* Sentences about what is wrong with a check. Pure; owns nothing. May call: base. */
#ifndef SINIT_PROBES_FAULT_H
#define SINIT_PROBES_FAULT_H

#include "init/base.h"
#include "probes/helper.h"

/* Adds why a check did not pass, as it stands after "readiness: ". */
void fault_explain(struct text *text, enum probe_fault fault, int32_t detail);

#endif
