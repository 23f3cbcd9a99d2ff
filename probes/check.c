#include "probes/check.h"

#include "init/base.h"
#include "init/value.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

enum { SCHEME_MAX = 16, PORT_HTTP = 80, PORT_SYSLOG = 514, PORT_MAX = 65535 };

const char check_forms[] = "http://HOST[:PORT]/PATH, tcp://HOST:PORT, unix:PATH, "
			   "grpc://HOST:PORT[/SERVICE], exec:COMMAND, listen:PORT, process, "
			   "file:PATH or heartbeat";

/* How each kind is written: its word, and what follows. */
static const struct form {
	char word[10];
	char mark[4]; /* between the word and the rest; "" where there is no rest */
	char rest[20];
} forms[CHECK_KINDS] = {
    [CHECK_HTTP] = {"http", "://", "HOST[:PORT]/PATH"},
    [CHECK_TCP] = {"tcp", "://", "HOST:PORT"},
    [CHECK_UNIX] = {"unix", ":", "PATH"},
    [CHECK_GRPC] = {"grpc", "://", "HOST:PORT[/SERVICE]"},
    [CHECK_FILE] = {"file", ":", "PATH"},
    [CHECK_EXEC] = {"exec", ":", "COMMAND"},
    [CHECK_LISTEN] = {"listen", ":", "PORT"},
    [CHECK_PROCESS] = {"process", "", ""},
    [CHECK_HEARTBEAT] = {"heartbeat", "", ""},
};

/* What people write that has no kind here, and what to do instead. */
static const struct {
	char word[8];
	char instead[96];
} strangers[] = {
    {"https",
	"https is not supported, since sinit has no TLS; use http, tcp or exec:curl -fsS URL"},
    {"grpcs", "grpcs is not supported, since sinit has no TLS; use grpc, tcp or exec:COMMAND"},
    {"udp", "a UDP port does not tell whether it is served; use listen:udp:PORT or exec:COMMAND"},
};

const char *check_name(enum check_kind kind)
{
	return forms[kind].word;
}

struct parser {
	const char *string;
	struct check_target *target;
	struct text *reason;
};

static int fault(const struct parser *parser, const char *reason)
{
	text_add(parser->reason, reason);
	return -EINVAL;
}

/* "write unix:PATH" */
static int write_form(const struct parser *parser, enum check_kind kind)
{
	const struct form *form = &forms[kind];

	text_add(parser->reason, "write ");
	text_add(parser->reason, form->word);
	text_add(parser->reason, form->mark);
	text_add(parser->reason, form->rest);
	return -EINVAL;
}

static struct check_part part(const struct parser *parser, const char *at, size_t length)
{
	return (struct check_part){(size_t)(at - parser->string), length};
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* A port and nothing behind it. */
static int take_port(const struct parser *parser, const char *at, size_t length)
{
	uint32_t port = 0;

	if (!length)
		return fault(parser, "the port is missing");
	for (size_t i = 0; i < length; i++) {
		if (!is_digit(at[i]))
			return fault(parser, "the port is not a number");
		if (port <= PORT_MAX)
			port = port * 10 + (uint32_t)(at[i] - '0');
	}
	if (!port || port > PORT_MAX)
		return fault(parser, "the port is not from 1 to 65535");
	parser->target->port = (uint16_t)port;
	return 0;
}

/* Whether an address is one in numbers. */
static bool is_address(const char *at, size_t length, int family)
{
	char copy[INET6_ADDRSTRLEN];
	unsigned char bytes[16];

	if (length >= sizeof(copy))
		return false;
	memcpy(copy, at, length);
	copy[length] = '\0';
	return inet_pton(family, copy, bytes) == 1;
}

static bool is_name(const char *at, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		char c = at[i];
		if ((c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && !is_digit(c) && c != '-' &&
		    c != '.' && c != '_')
			return false;
	}
	return true;
}

static int take_host(const struct parser *parser, const char *at, size_t length)
{
	if (!length)
		return fault(parser, "the host is missing");
	if (length > CHECK_HOST)
		return fault(parser, "the host's name is too long");
	if (!is_name(at, length))
		return fault(parser, "the host is no name and no address");
	size_t digits = 0;
	while (digits < length && (is_digit(at[digits]) || at[digits] == '.'))
		digits++;
	if (digits == length && !is_address(at, length, AF_INET))
		return fault(parser, "the host is no IPv4 address");
	parser->target->host = part(parser, at, length);
	return 0;
}

/* HOST, HOST:PORT, [IPV6] or [IPV6]:PORT in [0 .. length-1]; port 0 stays if there is none. */
static int take_authority(const struct parser *parser, const char *at, size_t length)
{
	const char *end = at + length;
	const char *colon;

	if (memchr(at, '@', length))
		return fault(
		    parser, "a user or password cannot be given; use header = Authorization: ...");
	if (length && *at == '[') {
		const char *close = memchr(at, ']', length);
		if (!close || !is_address(at + 1, (size_t)(close - at) - 1, AF_INET6))
			return fault(parser, "between [ and ] stands an IPv6 address");
		parser->target->host = part(parser, at + 1, (size_t)(close - at) - 1);
		colon = close + 1;
		if (colon < end && *colon != ':')
			return fault(parser, "behind ] stands :PORT");
	} else {
		colon = memchr(at, ':', length);
		if (!colon)
			colon = end;
		if (colon < end && memchr(colon + 1, ':', (size_t)(end - colon) - 1))
			return fault(parser, "an IPv6 address stands between [ and ]");
		int error = take_host(parser, at, (size_t)(colon - at));
		if (error)
			return error;
	}
	return colon < end ? take_port(parser, colon + 1, (size_t)(end - colon) - 1) : 0;
}

/* http, tcp, grpc: at the host. */
static int take_url(const struct parser *parser, const char *at)
{
	struct check_target *target = parser->target;
	size_t length = strcspn(at, target->kind == CHECK_HTTP ? "/?#" : "/");
	const char *rest = at + length;

	for (const char *c = at; *c; c++)
		if ((unsigned char)*c <= ' ' || (unsigned char)*c >= 0x7f)
			return fault(
			    parser, "it has a blank, or a byte that is not ASCII; write %XX");
	int error = take_authority(parser, at, length);
	if (error)
		return error;
	if (target->kind == CHECK_HTTP) {
		if (strchr(rest, '#'))
			return fault(parser, "a # and what follows it is never sent; leave it out");
		if (*rest == '?')
			return fault(parser, "before the ? stands a path; write /?");
		target->path = part(parser, rest, strlen(rest));
		if (!target->port)
			target->port = PORT_HTTP;
		return 0;
	}
	if (!target->port)
		return fault(parser, "the port is missing");
	if (target->kind == CHECK_TCP)
		return *rest ? fault(parser, "nothing may follow the port") : 0;
	if (*rest)
		target->service = part(parser, rest + 1, strlen(rest + 1));
	return 0;
}

static int take_path(const struct parser *parser, const char *at, bool socket)
{
	size_t length = strlen(at);

	if (*at != '/')
		return fault(parser, "the path is not absolute; it begins with /");
	if (socket && length > CHECK_SOCKET)
		return fault(parser, "the path of a socket has at most 107 bytes");
	parser->target->path = part(parser, at, length);
	return 0;
}

static int take_listen(const struct parser *parser, const char *at)
{
	parser->target->udp = strncmp(at, "udp:", 4) == 0;
	if (parser->target->udp || strncmp(at, "tcp:", 4) == 0)
		at += 4;
	return take_port(parser, at, strlen(at));
}

static int take_command(const struct parser *parser, const char *at)
{
	at += strspn(at, " \t");
	if (!*at)
		return fault(parser, "the command is missing");
	parser->target->command = part(parser, at, strlen(at));
	return 0;
}

/* No kind has this word. */
static int unknown(const struct parser *parser, const char *word, bool scheme)
{
	unsigned best = value_slips(word) + 1;
	const char *nearest = NULL;

	for (size_t i = 0; i < ARRAY_LEN(strangers); i++)
		if (strcmp(word, strangers[i].word) == 0)
			return fault(parser, strangers[i].instead);
	for (size_t i = CHECK_NONE + 1; i < CHECK_KINDS; i++)
		value_nearer(word, forms[i].word, &best, &nearest);
	if (nearest) {
		text_add(parser->reason, "no such check; did you mean '");
		text_add(parser->reason, nearest);
		text_add(parser->reason, "'?");
		return -EINVAL;
	}
	text_add(
	    parser->reason, scheme ? "no such check; write one of " : "no scheme; write one of ");
	return fault(parser, check_forms);
}

int check_parse(const char *string, struct check_target *ret_target, struct text *reason)
{
	struct check_target target = {.kind = CHECK_NONE};
	struct parser parser = {string, &target, reason};
	size_t length = strcspn(string, ":/ \t");
	char word[SCHEME_MAX] = "";
	int error = 0;

	if (length < sizeof(word))
		memcpy(word, string, length);
	for (unsigned i = CHECK_NONE + 1; i < CHECK_KINDS; i++)
		if (strcmp(word, forms[i].word) == 0)
			target.kind = (enum check_kind)i;
	if (target.kind == CHECK_NONE)
		return unknown(&parser, word, string[length] == ':');
	const char *mark = forms[target.kind].mark;
	const char *rest = string + length + strlen(mark);
	if (strncmp(string + length, mark, strlen(mark)) != 0 || (!*mark && *rest))
		return write_form(&parser, target.kind);
	switch (target.kind) {
	case CHECK_HTTP:
	case CHECK_TCP:
	case CHECK_GRPC:
		error = take_url(&parser, rest);
		break;
	case CHECK_UNIX:
	case CHECK_FILE:
		error = take_path(&parser, rest, target.kind == CHECK_UNIX);
		break;
	case CHECK_EXEC:
		error = take_command(&parser, rest);
		break;
	case CHECK_LISTEN:
		error = take_listen(&parser, rest);
		break;
	case CHECK_NONE:
	case CHECK_PROCESS:
	case CHECK_HEARTBEAT:
		break;
	}
	if (!error)
		*ret_target = target;
	return error;
}

static int parse_address(const struct parser *parser, const char *string)
{
	struct check_target *target = parser->target;
	size_t length = strlen(string);
	int error;

	target->kind = *string == '/' ? CHECK_UNIX : CHECK_TCP;
	if (*string == '/')
		error = take_path(parser, string, true);
	else if (*string == ':' && !memchr(string + 1, ':', length - 1))
		error = take_port(parser, string + 1, length - 1);
	else
		error = take_authority(parser, string, length);
	if (error)
		return error;
	if (target->kind == CHECK_TCP && !target->port)
		return fault(parser, "the port is missing");
	if (*string != '[' && target->host.length &&
	    !is_address(string + target->host.at, target->host.length, AF_INET))
		return fault(
		    parser, "the address is not in numbers; write one such as 127.0.0.1:8080");
	return 0;
}

/* What somebody meant who wrote no address, but something like one: a URL, unix:PATH, *:PORT,
 * or a port alone. Returns the bytes of it that are to follow `before`, NULL: none of these. */
static const char *meant(const char *string, const char **before, size_t *ret_length)
{
	const char *url = strstr(string, "://"), *rest = string;

	*before = "";
	if (strncmp(string, "unix:", 5) == 0) {
		rest += strncmp(string + 5, "///", 3) ? 5 : 7;
		*ret_length = strlen(rest);
		return rest;
	}
	if (*string == '/')
		return NULL;
	if (url)
		rest = url + 3;
	else if (strncmp(string, "*:", 2) == 0)
		rest++;
	else if (*string && !string[strspn(string, "0123456789")])
		*before = ":";
	else
		return NULL;
	*ret_length = strcspn(rest, "/");
	return rest;
}

/* "write :9100" */
static int write_address(
    const struct parser *parser, const char *before, const char *rest, size_t length)
{
	struct check_target target = {.kind = CHECK_NONE};
	char copy[CHECK_SOCKET + 1], dropped[64];
	struct text address, reason;
	bool plain = true;

	text_init(&address, copy, sizeof(copy));
	text_init(&reason, dropped, sizeof(dropped));
	text_add(&address, before);
	for (size_t i = 0; i < length; i++) {
		plain &= (unsigned char)rest[i] > ' ' && (unsigned char)rest[i] < 0x7f;
		text_addf(&address, "%c", rest[i]);
	}
	if (!plain || address.cut || parse_address(&(struct parser){copy, &target, &reason}, copy))
		return fault(parser,
		    "write ADDRESS:PORT, [IPV6]:PORT, :PORT or the absolute path of a socket");
	text_add(parser->reason, "write ");
	text_add(parser->reason, copy);
	return -EINVAL;
}

int check_parse_address(const char *string, struct check_target *ret_target, struct text *reason)
{
	struct check_target target = {.kind = CHECK_NONE};
	struct parser parser = {string, &target, reason};
	const char *before;
	size_t length;
	const char *rest = meant(string, &before, &length);
	int error =
	    rest ? write_address(&parser, before, rest, length) : parse_address(&parser, string);

	if (!error)
		*ret_target = target;
	return error;
}

int check_parse_forward(const char *string, struct check_target *ret_target, struct text *reason)
{
	struct check_target target = {.kind = CHECK_TCP, .udp = strncmp(string, "udp://", 6) == 0};
	struct parser parser = {string, &target, reason};
	const char *host = string + 6;

	if (!target.udp && strncmp(string, "tcp://", 6) != 0)
		return fault(&parser, "expected udp://HOST[:PORT] or tcp://HOST[:PORT]");
	size_t length = strcspn(host, "/@");
	if (host[length])
		return fault(&parser, "there is a host and a port, and nothing else; write "
				      "udp://HOST:PORT or tcp://HOST:PORT");
	int error = take_authority(&parser, host, length);
	if (error)
		return error;
	if (!target.port)
		target.port = PORT_SYSLOG;
	*ret_target = target;
	return 0;
}
