/* A sentence for people for each reason why a check did not pass: one table.
 * Pure; the text belongs to the caller. */
#ifndef SINIT_PROBES_FAULT_H
#define SINIT_PROBES_FAULT_H

#include <stdint.h>

struct text;

/* Adds the sentence to *text, without a full stop: "HTTP status 503". `fault` is an enum
 * probe_fault (probes/helper.h) and `detail` what goes with it; a number that is none, from
 * a record written by another version, gives "failed". FAULT_NONE gives "passed". `thief`: the
 * name of the program that FAULT_STOLEN is about, "": not known. */
void fault_sentence(struct text *text, unsigned fault, int32_t detail, const char *thief);

#endif
