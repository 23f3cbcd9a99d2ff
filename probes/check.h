/* The text of a check, such as http://127.0.0.1:8080/health, to what it means.
 *
 * Pure: owns nothing, allocates nothing, calls base and value only. The parts are places in
 * the text that was given. */
#ifndef SINIT_PROBES_CHECK_H
#define SINIT_PROBES_CHECK_H

#include "probes/helper.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text;

/* Bytes at..at+length-1 of the text; length 0: there is no such part. */
struct check_part {
	size_t at;
	size_t length;
};

struct check_target {
	enum check_kind kind;
	uint16_t port;             /* http without one: 80; 0 where there is none */
	bool udp;                  /* listen, `forward`: UDP instead of TCP */
	struct check_part host;    /* http, tcp, grpc: a name or an address, without [] */
	struct check_part path;    /* http: what is asked for, none means /; unix, file: the path */
	struct check_part service; /* grpc: the service asked for; none means the whole server */
	struct check_part command; /* exec: words, not split yet */
};

/* What a check may be, for messages: "http://HOST[:PORT]/PATH, ... or heartbeat". */
extern const char check_forms[];

/* The word that a check of this kind begins with; "" for CHECK_NONE. */
const char *check_name(enum check_kind kind);

/* Longest host (a name of the DNS) and longest path of a unix socket (sun_path of unix(7)
 * without its NUL), bytes. */
enum { CHECK_HOST = 253, CHECK_SOCKET = 107 };

/* Parses a check. 0, or -EINVAL with the reason added to *reason, as the end of a message
 * that begins with the text: "the port is not from 1 to 65535". */
int check_parse(const char *string, struct check_target *ret_target, struct text *reason);

/* Parses where [http] is to listen: ADDRESS:PORT, [IPV6]:PORT or :PORT (kind CHECK_TCP; any
 * address is host.length 0), or the absolute path of a unix socket (CHECK_UNIX). Addresses are
 * numbers, since nobody resolves names in PID 1. Returns as check_parse(). */
int check_parse_address(const char *string, struct check_target *ret_target, struct text *reason);

/* Parses where [syslog] is to forward: udp://HOST[:PORT] or tcp://HOST[:PORT] (kind CHECK_TCP,
 * and `udp`), IPv6 in []; the port is 514 if there is none. Returns as check_parse(). */
int check_parse_forward(const char *string, struct check_target *ret_target, struct text *reason);

#endif
