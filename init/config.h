/* Reads the configuration: files to an image (image.h), or errors.
 *
 * Runs before anything is started, or in a forked child on reload. Allocates by mmap(2) and
 * releases all but what it returns. No state outside its arguments.
 */
#ifndef SINIT_CONFIG_H
#define SINIT_CONFIG_H

#include "init/image.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONFIG_MAX_MESSAGES 100u

/* One message: `FILE:LINE: what is wrong`, or `FILE: ...`; no newline. */
struct config_message {
	uint32_t file; /* for sorting: files are numbered in the order of reading */
	uint32_t line;
	char *text;
	struct config_message *next;
};

struct config_messages {
	struct config_message *first; /* in order of file and line */
	uint32_t count;               /* at most CONFIG_MAX_MESSAGES */
	uint32_t dropped;             /* found, but beyond that number */
};

/* What was found. Zero it before use, and give it to config_errors_free() after. */
struct config_errors {
	struct config_messages errors;
	struct config_messages warnings;
	void *memory;
};

/* Calls write(context, line) with each message as a line (without newline); errors, then
 * `and N more errors` if some were dropped; or the warnings. */
typedef void config_write(void *context, const char *line);
void config_errors_write(const struct config_errors *errors, config_write *write, void *context);
void config_warnings_write(const struct config_errors *errors, config_write *write, void *context);
void config_errors_free(struct config_errors *errors);

enum config_flag {
	CONFIG_TOLERANT = 1, /* boot mode: a service with errors is there, but marked broken */
	CONFIG_MACHINE = 2,  /* boot mode: there is a service `emergency` in any case */
};

/* What else the configuration depends on. */
struct config_input {
	char *const *environ;   /* NULL-terminated; ${NAME} in commands; NULL: empty */
	char *const *main_argv; /* NULL-terminated COMMAND: adds the service `main`; or NULL */
	unsigned flags;         /* enum config_flag */
};

/* Reads DIR/sinit.ini and then DIR/conf.d/NAME.ini in byte order. No such file or directory
 * is no error: the image then has no service but `main`.
 * 0: *ret_image is set, and freed with config_free(). -EINVAL: the configuration has
 * errors, all of which are in *errors; not with CONFIG_TOLERANT, with which an image is
 * always made, even if *errors has some. -ENOMEM. */
int config_load(const char *dir, const struct config_input *input, struct config_errors *errors,
    struct image **ret_image);

/* The same for one text, named `name` in messages, with no directory. */
int config_load_text(const char *name, const char *text, const struct config_input *input,
    struct config_errors *errors, struct image **ret_image);

void config_free(struct image *image);

/* Writes the start order (--check), a name a line: enabled services only. 0 or -ENOMEM. */
int config_write_order(const struct image *image, config_write *write, void *context);

#endif
