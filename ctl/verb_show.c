/* show: a service's settings as PID 1 has them. */
#include "ctl/client.h"
#include "ctl/ctl.h"

#include <stdlib.h>
#include <string.h>

struct show {
	struct ctl *ctl;
	bool open; /* JSON: an object has been begun */
	bool any;
};

/* A JSON string of any length. */
static void put_json(struct show *show, const char *string)
{
	size_t size = string ? strlen(string) * 6 + 3 : 8;
	char *buffer = malloc(size);
	struct text text;

	if (!buffer) {
		out_add(show->ctl->out, "null");
		return;
	}
	text_init(&text, buffer, size);
	text_json(&text, string);
	out_add(show->ctl->out, buffer);
	free(buffer);
}

static void end_object(struct show *show)
{
	if (show->open)
		out_add(show->ctl->out, "}\n");
	show->open = false;
}

static void put_setting(void *context, const char *line, const struct reply *reply)
{
	struct show *show = context;
	struct out *out = show->ctl->out;
	const char *service = reply_get(reply, "service");
	const char *key = reply_get(reply, "key");
	const char *value = reply_get(reply, "value");
	(void)line;

	if (ctl_has(show->ctl, OPT_JSON)) {
		if (service) {
			end_object(show);
			out_add(out, "{\"service\":");
			put_json(show, service);
			show->open = true;
		}
		if (!key)
			return;
		out_add(out, show->open ? "," : "{");
		show->open = true;
		put_json(show, key);
		out_add(out, ":");
		put_json(show, value);
		return;
	}
	if (service) {
		out_add(out, show->any ? "\n[service " : "[service ");
		out_clean(out, service);
		out_add(out, "]\n");
		show->any = true;
	}
	if (!key)
		return;
	out_clean(out, key);
	out_add(out, value && *value ? " = " : " =");
	out_clean(out, value ? value : "");
	out_add(out, "\n");
}

int ctl_show(struct ctl *ctl)
{
	struct show show = {.ctl = ctl};
	int code = client_call(ctl, "show", ctl->argv, ctl->argc, put_setting, &show);

	end_object(&show);
	return code;
}
