#include "probes/helpers.h"

#include "init/base.h"
#include "probes/helper.h"

#include <string.h>

static int run_prober(char **argv)
{
	(void)argv;
	return prober_main();
}

static int run_alerter(char **argv)
{
	(void)argv;
	return alerter_main();
}

static int run_devices(char **argv)
{
	(void)argv;
	return devices_main();
}

static int run_logger(char **argv)
{
	(void)argv;
	return logger_main();
}

static const struct {
	const char *name;
	helper_main *run;
} helpers[] = {
    {HELPER_NAME_PROBER, run_prober},
    {HELPER_NAME_RESPONDER, responder_main},
    {HELPER_NAME_ALERTER, run_alerter},
    {HELPER_NAME_DEVICES, run_devices},
    {HELPER_NAME_LOGGER, run_logger},
    {HELPER_NAME_CHECKER, checker_main},
};

helper_main *helper_find(const char *name)
{
	for (size_t i = 0; name && i < ARRAY_LEN(helpers); i++)
		if (strcmp(helpers[i].name, name) == 0)
			return helpers[i].run;
	return NULL;
}
