/* The configuration in the modes of sinit: with COMMAND, and tolerant as at boot. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "init/base.h"
#include "tests/unit/config_util.h"

#include <string.h>

/* --- COMMAND --- */

static struct image *with_main(const char *text)
{
	static char *const argv[] = {"sh", "-c", "a ${X} %n", NULL};
	struct config_input input = {.main_argv = argv};

	return config_util_input(text, &input);
}

static void test_main(void **state)
{
	struct image *image = with_main("[service z]\ncommand = x\n[service b]\ncommand = x\n"
					"[service off]\ncommand = x\nenabled = no\n"
					"[service side]\ncommand = x\nafter = main\n"
					"[defaults]\nrestart = always\nenvironment = A=1\n");
	const struct service_settings *m = config_util_service(image, "main");

	(void)state;
	assert_int_equal(image->main_service, image_find(image, "main"));
	assert_int_equal(m->flags, SERVICE_MAIN);
	assert_string_equal(config_util_list(image, m->command), "[sh][-c][a ${X} %n]");
	assert_string_equal(config_util_names(image, m->wants), "b z");
	assert_int_equal(m->restart, RESTART_NEVER);
	assert_int_equal(m->type, TYPE_SIMPLE);
	assert_int_equal(m->enabled, 1);
	assert_string_equal(image_string(image, m->standard_input), "inherit");
	assert_null(image_string(image, m->working_directory));
	assert_string_equal(config_util_list(image, m->environment), "[A=1]");
	assert_string_equal(config_util_order(image), "b z main side");
	config_free(image);
	image = with_main("");
	assert_int_equal(image->service_count, 1);
	assert_string_equal(
	    image_string(image, config_util_service(image, "main")->where), "command line");
	config_free(image);
}

static void test_main_section(void **state)
{
	struct image *image =
	    with_main("[service main]\nuser = 5\nstdin = null\nworking_directory = /\n");
	const struct service_settings *m = config_util_service(image, "main");

	(void)state;
	assert_int_equal(m->uid, 5);
	assert_string_equal(image_string(image, m->standard_input), "null");
	assert_string_equal(image_string(image, m->working_directory), "/");
	config_free(image);
	assert_null(with_main("[service main]\ncommand = x\n"));
	assert_string_equal(config_util_errors,
	    "t:2: command: main is the COMMAND of the command line; this cannot be set for it\n");
	/* Without COMMAND it is a service like any other. */
	image = config_util_text("[service main]\ncommand = x\n");
	assert_int_equal(image->main_service, IMAGE_NONE);
	assert_int_equal(config_util_service(image, "main")->flags, 0);
	config_free(image);
}

static void test_main_of_many_words(void **state)
{
	static char *argv[20001];
	struct config_input input = {.main_argv = argv};

	(void)state;
	for (size_t i = 0; i + 1 < ARRAY_LEN(argv); i++)
		argv[i] = "word";
	struct image *image = config_util_input("", &input);
	assert_int_equal(
	    image_list(image, config_util_service(image, "main")->command)->count, 20000);
	config_free(image);
}

/* --- Boot mode --- */

static void test_tolerant(void **state)
{
	struct config_input input = {.flags = CONFIG_TOLERANT};
	struct image *image = config_util_input(
	    "[service good]\ncommand = x\nrequires = typo\n"
	    "[service typo]\ncomand = x\n"
	    "[service a]\ncommand = x\nrequires = b nope\n[service b]\ncommand = y\nwants = a\n"
	    "[service quote]\ncommand = 'x\nnice = 99\n"
	    "[sinit]\nlog_level = no\nshutdown_timeout = 5s\nnonsense\n",
	    &input);

	(void)state;
	assert_non_null(image);
	assert_int_equal(image->broken_count, 4);
	assert_null(image_string(image, config_util_service(image, "good")->broken));
	assert_string_equal(image_string(image, config_util_service(image, "typo")->broken),
	    "t:5: comand: unknown key; did you mean 'command'?");
	assert_string_equal(image_string(image, config_util_service(image, "a")->broken),
	    "t:8: requires = nope: no such service; each needs a section [service nope]");
	assert_string_equal(image_string(image, config_util_service(image, "b")->broken),
	    "t:8: requires: dependency cycle: a -> b -> a");
	assert_string_equal(image_string(image, config_util_service(image, "quote")->broken),
	    "t:13: command = 'x: the quote ' is not closed");
	assert_int_equal(image_settings(image)->shutdown_timeout, 5000);
	assert_non_null(strstr(config_util_errors, "t:16: log_level = no: expected"));
	assert_non_null(strstr(config_util_errors, "t:18: neither KEY"));
	/* Broken or not: not the same service any more. */
	struct image *mended = config_util_text("[service quote]\ncommand = x\n");
	assert_false(image_service_equal(
	    image, image_find(image, "quote"), mended, image_find(mended, "quote")));
	config_free(mended);
	config_free(image);
}

/* The shell of last resort is there, whatever its own section says. */
static void test_emergency_is_there(void **state)
{
	static const struct {
		const char *text;
		bool own;
	} cases[] = {
	    {"", false},
	    {"[service emergency]\ncommand = /own\n", true},
	    {"[service emergency]\ncomand = /own\n", false},
	    {"[service emergency]\ncommand = /own\nrequires = nope\n", false},
	    {"[service emergency]\ncommand = /own\n[liveness emergency]\ncheck = what\n"
	     "[service a]\ncommand = x\nrequires = emergency\nrestart_with = emergency\n",
		false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct config_input input = {.flags = CONFIG_TOLERANT | CONFIG_MACHINE};
		struct image *image = config_util_input(cases[i].text, &input);
		const struct service_settings *s = config_util_service(image, "emergency");

		assert_int_equal(image_check(image, image->size), 0);
		assert_null(image_string(image, s->broken));
		assert_int_equal(image->broken_count, 0);
		assert_int_equal(!(s->flags & SERVICE_LAST_RESORT), cases[i].own);
		assert_int_equal(s->enabled, cases[i].own);
		assert_int_equal(!s->liveness, 1);
		assert_string_equal(image_string(image, image_list(image, s->command)->item[0]),
		    cases[i].own ? "/own" : "/bin/sh");
		if (image_find(image, "a") != IMAGE_NONE) {
			assert_int_equal(image_list(image, s->dependents)->count, 1);
			assert_int_equal(image_list(image, s->restarts)->count, 1);
		}
		config_free(image);
	}
}

static struct image *of_a_machine(const char *text)
{
	struct config_input input = {.flags = CONFIG_MACHINE};

	return config_util_input(text, &input);
}

/* It is what it is whatever [defaults] says; nobody wants it but by its name. */
static void test_emergency(void **state)
{
	struct image *image =
	    of_a_machine("[service a]\ncommand = x\n[defaults]\nuser = 5\n"
			 "critical = yes\nrequires = a\nenabled = yes\nmemory_max = 1M\n");
	const struct service_settings *e = config_util_service(image, "emergency");

	(void)state;
	assert_int_equal(e->flags, SERVICE_LAST_RESORT);
	assert_string_equal(config_util_list(image, e->command), "[/bin/sh]");
	assert_string_equal(image_string(image, e->tty), "/dev/console");
	assert_int_equal(e->enabled, 0);
	assert_int_equal(e->critical, 0);
	assert_int_equal(e->restart, RESTART_ALWAYS);
	assert_null(image_string(image, e->memory_max));
	assert_string_equal(config_util_names(image, e->requires), "");
	assert_string_equal(config_util_order(image), "a");
	config_free(image);
	image = of_a_machine("[sinit]\nemergency = /sbin/sulogin\n");
	assert_string_equal(
	    config_util_list(image, config_util_service(image, "emergency")->command),
	    "[/sbin/sulogin]");
	assert_string_equal(image_string(image, config_util_service(image, "emergency")->where),
	    "[sinit] emergency");
	config_free(image);
	/* One that is configured is a service like any other. */
	image = of_a_machine("[service emergency]\ncommand = x\n");
	assert_int_equal(config_util_service(image, "emergency")->flags, 0);
	assert_int_equal(config_util_service(image, "emergency")->enabled, 1);
	config_free(image);
	image = config_util_text("[service a]\ncommand = x\n");
	assert_int_equal(image->service_count, 1);
	config_free(image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_main),
	    cmocka_unit_test(test_main_section),
	    cmocka_unit_test(test_main_of_many_words),
	    cmocka_unit_test(test_tolerant),
	    cmocka_unit_test(test_emergency),
	    cmocka_unit_test(test_emergency_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
