/* What a check's own process can look at; see checker_main() in probes/helper.h. Each may wait,
 * and frees nothing: the process is short. Owns nothing. */
#ifndef SINIT_PROBES_CHECKER_H
#define SINIT_PROBES_CHECKER_H

#include "probes/helper.h"

#include <sys/types.h>

enum { CHECKER_NAME = 16 }; /* bytes of the name that the kernel has for a process (comm) */

/* Does a socket that listens on `port` belong to the service whose main process is `service`?
 * FAULT_NONE, FAULT_NOT_LISTENING, FAULT_STOLEN, or FAULT_INTERNAL: it cannot be told. `thief`:
 * the name of who has it instead, or "". */
struct probe_outcome listen_probe(
    uint16_t port, bool udp, pid_t service, char thief[static CHECKER_NAME]);

/* Is there a file, changed not longer than `max_age` ms ago (0: ever)? FAULT_NONE,
 * FAULT_ABSENT, FAULT_OLD. */
struct probe_outcome file_probe(const char *path, uint32_t max_age);

/* Does a stream socket of that name accept a connection? FAULT_NONE, FAULT_CONNECT. */
struct probe_outcome unix_probe(const char *path);

#endif
