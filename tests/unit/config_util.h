/* For the tests of the configuration: a text in, an image or messages out. */
#ifndef SINIT_TESTS_CONFIG_UTIL_H
#define SINIT_TESTS_CONFIG_UTIL_H

#include "init/config.h"

/* What the last load found; each message ends in a newline. */
extern char config_util_errors[65536];
extern char config_util_warnings[65536];

/* Loads a text as the file "t" with the environment HOME=/root, GIVEN=from outside, and no
 * COMMAND. NULL if it has errors. An image that is returned has passed image_check(). */
struct image *config_util_text(const char *text);

/* The same with everything chosen. */
struct image *config_util_input(const char *text, const struct config_input *input);

/* The same from a directory. */
struct image *config_util_dir(const char *dir, const struct config_input *input);

/* Fails the test unless the text has exactly these errors (a newline behind each). */
void config_util_refused(const char *text, const char *errors);

/* The same for the body of [service a], which begins in line 2; `command = x` is line 2. */
void config_util_bad(const char *body, const char *errors);

/* The settings of a service that must be there. */
const struct service_settings *config_util_service(const struct image *image, const char *name);

/* The words of a list of texts, each in brackets: "[a][b c]". */
const char *config_util_list(const struct image *image, ref at);

/* The names of a list of indexes, separated by blanks. */
const char *config_util_names(const struct image *image, ref at);

/* The start order, separated by blanks. */
const char *config_util_order(const struct image *image);

/* A setting as text, by its key's name. */
const char *config_util_value(const struct image *image, const char *service, const char *key);

#endif
