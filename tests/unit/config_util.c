#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "init/base.h"
#include "tests/unit/config_util.h"

#include <errno.h>
#include <string.h>

char config_util_errors[65536];
char config_util_warnings[65536];

static void take_line(void *context, const char *line)
{
	text_addf(context, "%s\n", line);
}

static struct image *finish(int error, struct config_errors *errors, struct image *image)
{
	struct text text;

	text_init(&text, config_util_errors, sizeof(config_util_errors));
	config_errors_write(errors, take_line, &text);
	text_init(&text, config_util_warnings, sizeof(config_util_warnings));
	config_warnings_write(errors, take_line, &text);
	config_errors_free(errors);
	if (error) {
		assert_int_equal(error, -EINVAL);
		assert_string_not_equal(config_util_errors, "");
		return NULL;
	}
	assert_int_equal(image_check(image, image->size), 0);
	return image;
}

struct image *config_util_input(const char *text, const struct config_input *input)
{
	struct config_errors errors = {0};
	struct image *image = NULL;
	int error = config_load_text("t", text, input, &errors, &image);

	return finish(error, &errors, image);
}

struct image *config_util_dir(const char *dir, const struct config_input *input)
{
	struct config_errors errors = {0};
	struct image *image = NULL;
	int error = config_load(dir, input, &errors, &image);

	return finish(error, &errors, image);
}

struct image *config_util_text(const char *text)
{
	char *const environment[] = {"HOME=/root", "GIVEN=from outside", "PERCENT=1%n$HOME", NULL};
	struct config_input input = {.environ = environment};

	return config_util_input(text, &input);
}

void config_util_refused(const char *text, const char *errors)
{
	struct image *image = config_util_text(text);

	assert_string_equal(config_util_errors, errors);
	assert_null(image);
}

void config_util_bad(const char *body, const char *errors)
{
	char text[8192];

	struct text out;
	text_init(&out, text, sizeof(text));
	text_addf(&out, "[service a]\ncommand = x\n%s\n", body);
	assert_false(out.cut);
	config_util_refused(text, errors);
}

const struct service_settings *config_util_service(const struct image *image, const char *name)
{
	assert_non_null(image);
	uint32_t index = image_find(image, name);
	assert_int_not_equal(index, IMAGE_NONE);
	return image_service(image, index);
}

static char shown[8192];

const char *config_util_list(const struct image *image, ref at)
{
	const struct image_list *list = image_list(image, at);
	struct text text;

	text_init(&text, shown, sizeof(shown));
	for (uint32_t i = 0; i < list->count; i++)
		text_addf(&text, "[%s]", image_string(image, list->item[i]));
	return shown;
}

const char *config_util_names(const struct image *image, ref at)
{
	const struct image_list *list = image_list(image, at);
	struct text text;

	text_init(&text, shown, sizeof(shown));
	for (uint32_t i = 0; i < list->count; i++)
		text_addf(&text, "%s%s", i ? " " : "", image_name(image, list->item[i]));
	return shown;
}

static void take_name(void *context, const char *line)
{
	struct text *text = context;

	text_addf(text, "%s%s", text->used ? " " : "", line);
}

const char *config_util_order(const struct image *image)
{
	struct text text;

	assert_non_null(image);
	text_init(&text, shown, sizeof(shown));
	assert_int_equal(config_write_order(image, take_name, &text), 0);
	return shown;
}

const char *config_util_value(const struct image *image, const char *service, const char *key)
{
	const struct schema_key *row = schema_find(SECTION_SERVICE, key);
	struct text text;

	assert_non_null(row);
	text_init(&text, shown, sizeof(shown));
	schema_print_value(&text, image, row, config_util_service(image, service));
	return shown;
}
