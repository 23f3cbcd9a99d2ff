/* The control line: what sinitctl writes into RUNDIR/control, and PID 1 reads.
 *
 *     sinit1 REPLY VERB [ARG...]\n
 *
 * One line is one write(2) of at most PIPE_BUF bytes, so that the lines of many
 * clients never mix (pipe(7)). Fields are parted by exactly one blank. REPLY is the
 * bare name of a FIFO in RUNDIR/reply/, or "-" if no answer is wanted. VERB is
 * [a-z]+. In arguments every byte but letters, digits and _@.,:=*?+-/ is %XX, and "%"
 * alone is the empty argument, so a line can also be typed with echo.
 *
 * The answer is JSON, one object a line; the last is {"result":"ok"} or
 * {"result":"error","code":N,"message":"..."} with N from enum ctl_code.
 *
 * Before it, a verb on services has a line for each service that it concerns,
 *
 *     {"service":"web","slot":3,"life":7,"state":"running"}
 *
 * with life and state as they were before the request was carried out (its slot is that
 * of the board): so the client knows which life is the one it asked for. Warnings and
 * errors of a reload are {"warning":"FILE:LINE: ..."} and {"error":"..."}; a setting is
 * {"key":"command","value":"..."}, behind the line of its service.
 *
 * Pure: no system calls, no allocation, owns nothing. May call: string functions. */
#ifndef SINIT_CTL_REQUEST_H
#define SINIT_CTL_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

enum {
	REQUEST_LINE = 4096,  /* greatest line with its newline: PIPE_BUF of Linux, pipe(7) */
	REQUEST_REPLY = 63,   /* greatest length of a reply FIFO's name */
	REQUEST_VERB = 15,    /* greatest length of a verb */
	REQUEST_ARGS = 64,    /* most arguments of one line */
	REQUEST_ANSWER = 512, /* bytes that hold any line of the answer's last object */
};

/* Exit codes of sinitctl, and "code" of an answer. */
enum ctl_code {
	CTL_OK = 0,
	CTL_FAILED = 1,
	CTL_USAGE = 2,
	CTL_NOT_RUNNING = 3, /* no sinit there; `status`: something is not running */
	CTL_UNKNOWN = 4,     /* no such service */
	CTL_TIMED_OUT = 5,
};

struct request {
	const char *reply; /* name of the reply FIFO, NULL: no answer is wanted */
	const char *verb;
	size_t argc;
	const char *argv[REQUEST_ARGS]; /* decoded; none holds a NUL */
};

/* Reads the line in line[0 .. len-1], without its newline. line[len] must exist (the
 * newline's place is good for it) and is overwritten, like the rest of the line:
 * the strings of *ret lie in it. *ret_reason, a static string, is set on failure only:
 * what is wrong, fit for a log ("no such escape").
 * 0; -EINVAL: not of the form above; -E2BIG: too long or too many arguments.
 * On failure the content of `line` is undefined and *ret is not set. */
int request_parse(char *line, size_t len, struct request *ret, const char **ret_reason);

/* Writes the line for *request, with its newline and no NUL, to buffer, which must
 * hold REQUEST_LINE bytes. 0; -E2BIG: it does not fit into REQUEST_LINE bytes or has
 * too many arguments; -EINVAL: the verb or the reply name is not of the form above. */
int request_format(const struct request *request, char *buffer, size_t *ret_len);

/* True if name[0 .. len-1] may be the name of a reply FIFO: 1 to REQUEST_REPLY bytes of
 * [A-Za-z0-9_.-], the first one not a dot. So it has no slash and cannot leave reply/. */
bool request_reply_valid(const char *name, size_t len);

#endif
