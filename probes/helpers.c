#include "probes/helpers.h"

#include "init/base.h"
#include "probes/helper.h"

#include <string.h>

static const struct {
	const char *name;
	helper_function *run;
} helpers[] = {
    {HELPER_NAME_RESPONDER, responder_main},
};

helper_function *helper_find(const char *name)
{
	for (size_t i = 0; name && i < ARRAY_LEN(helpers); i++)
		if (strcmp(helpers[i].name, name) == 0)
			return helpers[i].run;
	return NULL;
}
