/* A store of log/store.h as the logger leaves it, for tests of its readers. */
#ifndef TESTS_UNIT_STORE_LAB_H
#define TESTS_UNIT_STORE_LAB_H

#include "log/store.h"

#include <stddef.h>

struct store_lab {
	struct store_head *head;
	size_t size;
	int fd;
};

/* Makes the file `logs` in a directory, with room for some streams. */
void store_lab_make(struct store_lab *lab, int dirfd, uint32_t capacity);
void store_lab_free(struct store_lab *lab); /* the file stays */

/* Takes the next free record for a stream; its number. */
uint32_t store_lab_add(struct store_lab *lab, const char *name, enum store_kind kind);

/* Adds bytes to a stream as the logger does. */
void store_lab_write(struct store_lab *lab, uint32_t stream, const char *bytes, size_t size);
void store_lab_print(struct store_lab *lab, uint32_t stream, const char *string);

/* Marks what there is as written before event number `event`. */
void store_lab_mark(struct store_lab *lab, uint32_t stream, uint64_t event);

#endif
