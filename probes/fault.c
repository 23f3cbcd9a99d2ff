#include "probes/fault.h"

#include <string.h>

enum detail { DETAIL_NONE, DETAIL_NUMBER, DETAIL_ERRNO };

/* What comes before the detail and after it. */
static const struct {
	const char *before, *after;
	enum detail detail;
} faults[] = {
    [FAULT_NONE] = {"no check has failed", "", DETAIL_NONE},
    [FAULT_TIMEOUT] = {"no answer within ", " ms", DETAIL_NUMBER},
    [FAULT_CONNECT] = {"cannot connect: ", "", DETAIL_ERRNO},
    [FAULT_RESOLVE] = {"the host's name has no address (EAI ", ")", DETAIL_NUMBER},
    [FAULT_CLOSED] = {"the connection ended before the answer", "", DETAIL_NONE},
    [FAULT_PROTOCOL] = {"not an answer of this protocol", "", DETAIL_NONE},
    [FAULT_TOO_LONG] = {"the answer's head is longer than ", " bytes", DETAIL_NUMBER},
    [FAULT_STATUS] = {"HTTP status ", "", DETAIL_NUMBER},
    [FAULT_BODY] = {"the body does not have expect_body", "", DETAIL_NONE},
    [FAULT_GRPC_STATUS] = {"gRPC status ", "", DETAIL_NUMBER},
    [FAULT_GRPC_SERVING] = {"not SERVING (status ", ")", DETAIL_NUMBER},
    [FAULT_ABSENT] = {"the file cannot be looked at: ", "", DETAIL_ERRNO},
    [FAULT_OLD] = {"last renewed ", " s ago", DETAIL_NUMBER},
    [FAULT_EXIT] = {"the command exited ", "", DETAIL_NUMBER},
    [FAULT_KILLED] = {"the command was killed by signal ", "", DETAIL_NUMBER},
    [FAULT_SPAWN] = {"the command could not be run: ", "", DETAIL_ERRNO},
    [FAULT_NOT_LISTENING] = {"nothing listens there", "", DETAIL_NONE},
    [FAULT_STOLEN] = {"another program listens there (pid ", ")", DETAIL_NUMBER},
    [FAULT_NO_PROCESS] = {"no main process", "", DETAIL_NONE},
    [FAULT_INTERNAL] = {"the check could not be made: ", "", DETAIL_ERRNO},
};
_Static_assert(ARRAY_LEN(faults) == FAULT_COUNT, "a sentence for each fault");

void fault_explain(struct text *text, enum probe_fault fault, int32_t detail)
{
	if ((unsigned)fault >= FAULT_COUNT) {
		text_add(text, "unknown fault");
		return;
	}
	text_add(text, faults[fault].before);
	if (faults[fault].detail == DETAIL_NUMBER)
		text_addf(text, "%d", detail);
	else if (faults[fault].detail == DETAIL_ERRNO)
		text_add(text, strerror(detail));
	text_add(text, faults[fault].after);
}
