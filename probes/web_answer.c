#include "probes/web_answer.h"

#include "init/format.h"

#include <stdio.h>
#include <time.h>

const char *http_reason(unsigned status)
{
	static const struct {
		unsigned status;
		const char *reason;
	} reasons[] = {
	    {200, "OK"},
	    {400, "Bad Request"},
	    {401, "Unauthorized"},
	    {403, "Forbidden"},
	    {404, "Not Found"},
	    {405, "Method Not Allowed"},
	    {408, "Request Timeout"},
	    {409, "Conflict"},
	    {411, "Length Required"},
	    {413, "Content Too Large"},
	    {417, "Expectation Failed"},
	    {431, "Request Header Fields Too Large"},
	    {500, "Internal Server Error"},
	    {503, "Service Unavailable"},
	    {504, "Gateway Timeout"},
	    {505, "HTTP Version Not Supported"},
	};

	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "Unknown";
}

/* By hand: strftime(3) would bring the C library's locales along. */
void http_date(char date[static HTTP_DATE], int64_t seconds)
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	time_t time = (time_t)seconds;
	struct tm tm;
	struct text text;

	text_init(&text, date, HTTP_DATE);
	if (!gmtime_r(&time, &tm))
		return;
	text_addf(&text, "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT", days + 3 * tm.tm_wday,
	    tm.tm_mday, months + 3 * tm.tm_mon, tm.tm_year + 1900, tm.tm_hour, tm.tm_min,
	    tm.tm_sec);
}

void http_answer_head(
    struct text *text, const struct http_answer *answer, const char *date, bool http11, bool keep)
{
	text_add(text, "HTTP/1.1 ");
	format_number(text, answer->status);
	text_add(text, " ");
	text_add(text, http_reason(answer->status));
	text_add(text, "\r\nDate: ");
	text_add(text, date);
	text_add(text, "\r\nContent-Type: ");
	text_add(text, answer->type);
	text_add(text, "\r\nContent-Length: ");
	format_number(text, (int64_t)answer->body.used);
	text_add(text, "\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n");
	if (answer->more)
		text_add(text, answer->more);
	if (!keep)
		text_add(text, "Connection: close\r\n");
	else if (!http11)
		text_add(text, "Connection: keep-alive\r\n");
	text_add(text, "\r\n");
}
