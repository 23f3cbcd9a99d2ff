#include "probes/http_request.h"

#include "init/base.h"
#include "probes/prober_message.h"

#include <string.h>
#include <strings.h>

enum { HTTP_PORT = 80 };

/* Is there a line for the header? `name` has its colon. */
static bool has_header(const char *headers, const char *name)
{
	size_t length = strlen(name);

	for (const char *line = headers; *line; line = strstr(line, "\r\n") + 2)
		if (strncasecmp(line, name, length) == 0)
			return true;
	return false;
}

static void add_host(struct text *text, const char *host, uint16_t port)
{
	bool numeric6 = strchr(host, ':') != NULL;

	text_addf(text, numeric6 ? "Host: [%s]" : "Host: %s", host);
	if (port != HTTP_PORT)
		text_addf(text, ":%u", port);
	text_add(text, "\r\n");
}

/* A method that means to bring something says how much (RFC 9110, 8.6). */
static bool wants_length(const char *method)
{
	return strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0 ||
	       strcmp(method, "PATCH") == 0;
}

void http_request(
    struct text *text, const struct prober_begin *begin, const struct probe_target *target)
{
	static const struct {
		const char *name, *line;
	} usual[] = {
	    {"User-Agent:", "User-Agent: sinit/" SINIT_VERSION "\r\n"},
	    {"Accept:", "Accept: */*\r\n"},
	    {"Connection:", "Connection: close\r\n"},
	};
	const char *headers = prober_text(begin, begin->headers);
	const char *method = prober_text(begin, begin->method);

	if (!*method)
		method = "GET";
	text_addf(text, "%s %s HTTP/1.1\r\n", method, prober_text(begin, target->path));
	if (!has_header(headers, "Host:"))
		add_host(text, prober_text(begin, target->host), target->port);
	for (size_t i = 0; i < ARRAY_LEN(usual); i++)
		if (!has_header(headers, usual[i].name))
			text_add(text, usual[i].line);
	if (wants_length(method) && !has_header(headers, "Content-Length:"))
		text_add(text, "Content-Length: 0\r\n");
	text_add(text, headers);
	text_add(text, "\r\n");
}
