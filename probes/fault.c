#include "probes/fault.h"

#include "init/base.h"
#include "probes/helper.h"

#include <errno.h>
#include <netdb.h>
#include <string.h>

/* How the detail is told. */
enum telling {
	TELL_NOTHING, /* the words alone */
	TELL_NUMBER,  /* the words are a format with one %d */
	TELL_ERRNO,   /* ": " and the error in words, if there is one */
	TELL_REFUSED, /* the same; ECONNREFUSED says enough by itself */
	TELL_RESOLVE,
	TELL_GRPC,
	TELL_SERVING,
	TELL_THIEF, /* the words, and its name and pid if they are known */
};

struct row {
	uint8_t telling;
	const char *words;
};

static const struct row rows[FAULT_COUNT] = {
    [FAULT_NONE] = {TELL_NOTHING, "passed"},
    [FAULT_TIMEOUT] = {TELL_NUMBER, "no answer within %d ms"},
    [FAULT_CONNECT] = {TELL_REFUSED, "cannot connect"},
    [FAULT_RESOLVE] = {TELL_RESOLVE, "the name cannot be resolved"},
    [FAULT_CLOSED] = {TELL_ERRNO, "the connection ended before the answer was whole"},
    [FAULT_PROTOCOL] = {TELL_NOTHING, "the answer is not of this protocol"},
    [FAULT_TOO_LONG] = {TELL_NUMBER, "the answer's head is longer than %d bytes"},
    [FAULT_STATUS] = {TELL_NUMBER, "HTTP status %d"},
    [FAULT_BODY] = {TELL_NOTHING, "the expected text is not in the body"},
    [FAULT_GRPC_STATUS] = {TELL_GRPC, "gRPC status"},
    [FAULT_GRPC_SERVING] = {TELL_SERVING, "gRPC health"},
    [FAULT_ABSENT] = {TELL_ERRNO, "the file cannot be looked at"},
    [FAULT_OLD] = {TELL_NUMBER, "the file was last changed %d s ago"},
    [FAULT_ASKED] = {TELL_NOTHING, "it said WATCHDOG=trigger"},
    [FAULT_SILENT] = {TELL_NUMBER, "no WATCHDOG=1 for %d ms"},
    [FAULT_EXIT] = {TELL_NUMBER, "the command exited with code %d"},
    [FAULT_KILLED] = {TELL_NUMBER, "the command was killed by signal %d"},
    [FAULT_SPAWN] = {TELL_ERRNO, "the command could not be run"},
    [FAULT_NOT_LISTENING] = {TELL_NOTHING, "nothing listens there"},
    [FAULT_STOLEN] = {TELL_THIEF, "another program listens there"},
    [FAULT_NO_PROCESS] = {TELL_NOTHING, "the main process is not alive"},
    [FAULT_INTERNAL] = {TELL_ERRNO, "the check could not be made"},
    [FAULT_WRITE] = {TELL_ERRNO, "the file could not be written"},
    [FAULT_LATE] = {TELL_NUMBER, "killed, since it took longer than %d s"},
};

struct name {
	int number;
	const char *name;
};

/* getaddrinfo(3) */
static const struct name resolve_names[] = {
    {EAI_NONAME, "no such name"},
    {EAI_AGAIN, "no answer from the name server"},
    {EAI_FAIL, "the name server refused"},
    {EAI_SYSTEM, "the system's resolver failed"},
};

/* gRPC, doc/statuscodes.md */
static const struct name grpc_names[] = {
    {0, "OK"},
    {1, "CANCELLED"},
    {2, "UNKNOWN"},
    {3, "INVALID_ARGUMENT"},
    {4, "DEADLINE_EXCEEDED"},
    {5, "NOT_FOUND"},
    {6, "ALREADY_EXISTS"},
    {7, "PERMISSION_DENIED"},
    {8, "RESOURCE_EXHAUSTED"},
    {9, "FAILED_PRECONDITION"},
    {10, "ABORTED"},
    {11, "OUT_OF_RANGE"},
    {12, "UNIMPLEMENTED"},
    {13, "INTERNAL"},
    {14, "UNAVAILABLE"},
    {15, "DATA_LOSS"},
    {16, "UNAUTHENTICATED"},
};

/* grpc.health.v1, HealthCheckResponse.ServingStatus */
static const struct name serving_names[] = {
    {0, "UNKNOWN"},
    {1, "SERVING"},
    {2, "NOT_SERVING"},
    {3, "SERVICE_UNKNOWN"},
};

static const char *name_of(const struct name *names, size_t count, int number)
{
	for (size_t i = 0; i < count; i++)
		if (names[i].number == number)
			return names[i].name;
	return NULL;
}

static void add_name(
    struct text *text, const char *before, const struct name *names, size_t count, int number)
{
	const char *name = name_of(names, count, number);

	if (name)
		text_addf(text, "%s%s", before, name);
	else
		text_addf(text, "%s%d", before, number);
}

/* strerror(3) begins with a capital; in the middle of a sentence it is none. */
static void add_errno(struct text *text, int error)
{
	const char *words = strerror(error);

	if (words[0] >= 'A' && words[0] <= 'Z' && words[1] >= 'a' && words[1] <= 'z')
		text_addf(text, "%c%s", words[0] - 'A' + 'a', words + 1);
	else
		text_add(text, words);
}

static void add_thief(struct text *text, int pid, const char *name)
{
	if (*name)
		text_addf(text, ": %s", name);
	if (pid > 0)
		text_addf(text, " (pid %d)", pid);
}

static void add_row(struct text *text, const struct row *row, int32_t detail, const char *thief)
{
	if (row->telling == TELL_NUMBER) {
		text_addf(text, row->words, (int)detail);
		return;
	}
	if (row->telling == TELL_REFUSED && detail == ECONNREFUSED) {
		add_errno(text, detail);
		return;
	}
	text_add(text, row->words);
	if (row->telling == TELL_RESOLVE)
		add_name(text, ": ", resolve_names, ARRAY_LEN(resolve_names), detail);
	else if (row->telling == TELL_GRPC)
		add_name(text, " ", grpc_names, ARRAY_LEN(grpc_names), detail);
	else if (row->telling == TELL_SERVING)
		add_name(text, " ", serving_names, ARRAY_LEN(serving_names), detail);
	else if (row->telling == TELL_THIEF)
		add_thief(text, (int)detail, thief);
	else if ((row->telling == TELL_ERRNO || row->telling == TELL_REFUSED) && detail > 0) {
		text_add(text, ": ");
		add_errno(text, detail);
	}
}

void fault_sentence(struct text *text, unsigned fault, int32_t detail, const char *thief)
{
	static const struct row unknown = {TELL_NOTHING, "failed"};

	add_row(text, fault < FAULT_COUNT ? &rows[fault] : &unknown, detail, thief);
}
